//! A view of a net ↔ a `.safetensors` or `.npz` file of single-precision tensors.
//!
//! Beside the tensors the file has the net without the bytes that the tensors tell (`lc0.skeleton`, hexadecimal protobuf): header, structure,
//! encodings, ranges. With it the file becomes a net again. A layer whose floats nobody changed gets its very bytes back: the codes follow
//! from the floats and the range, and where they do not (ranges of a few units in the last place), the skeleton keeps them. Layers whose
//! floats changed are encoded again, as their layers were or as the caller wants them. Convolutions of folded views become plain ones in
//! single precision, which lc0 0.32 does not know: of a file of its formula all floats are then told to the formula of 0.33.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use half::{bf16, f16};

use super::{
    and_more,
    edit::each_of_type,
    layer::{Decode, Encoding, Layer, encode},
    net::Net,
    schema::{Kind, LAYER, NET},
    view::{Tensors, View},
    wire::{Message, Slice, Value},
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    files::Bytes,
    format::{
        npz, safetensors,
        tensor::{DType, Source, TensorOut, TensorView},
    },
    words::Word,
};

/// Kinds of files of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorFile {
    /// `.safetensors`.
    Safetensors,
    /// `.npz`; what is not a tensor of the net is an array whose name begins with `__metadata__.`.
    Npz,
}

const VIEW: &str = "lc0.view";
const DECODE: &str = "lc0.decode";
const SKELETON: &str = "lc0.skeleton";
const PATHS: &str = "lc0.paths";
const NPZ_METADATA: &str = "__metadata__.";
/// A skeleton beyond this size (an ONNX model inside) is left out: such a file cannot become a net again.
const MAX_SKELETON: u64 = 16 << 20;

/// Writes a view. Tensors have their shape where the net's sizes fit together, else one dimension.
///
/// # Errors
/// Those of [`Net::tensors`] and of `out`; when a batch norm folds to what is no number; on cancellation.
pub fn write_tensors(out: &mut dyn Write, net: &Net, view: View, decode: Decode, file: TensorFile, ctx: &Ctx) -> Result<()> {
    net.check_has_layers()?;
    let tensors = net.tensors(view, decode)?;
    // What the release really computes with, infinities and all, is what a view shows.
    let wide: Vec<Error> = tensors.tensors.iter().filter_map(|tensor| tensor.check_range().err()).collect();
    if let [first, others @ ..] = &wide[..] {
        ctx.warn(format!("{}, which makes infinities of its numbers{}", first.message(), and_more(others.len())));
    }
    let shapes = net.shapes(decode);
    let metadata = metadata(net, &tensors, view, decode, ctx)?;
    let mut list: Vec<TensorOut<'_>> = Vec::with_capacity(tensors.tensors.len());
    for tensor in &tensors.tensors {
        let shape = shapes.get(&tensor.source).filter(|shape| shape.iter().product::<usize>() == tensor.len);
        let shape = shape.cloned().unwrap_or_else(|| vec![tensor.len]);
        let write = move |out: &mut dyn Write| {
            ctx.check()?;
            tensor.write(out)
        };
        list.push(TensorOut { name: tensor.name.clone(), dtype: DType::F32, shape, data: Source::Stream(Box::new(write)) });
    }
    let mut out = std::io::BufWriter::with_capacity(1 << 20, out);
    match file {
        TensorFile::Safetensors => safetensors::write(&mut out, &list, &metadata)?,
        TensorFile::Npz => {
            for (key, value) in metadata {
                let bytes = value.into_bytes();
                let (name, shape) = (format!("{NPZ_METADATA}{key}"), vec![bytes.len()]);
                list.push(TensorOut { name, dtype: DType::U8, shape, data: Source::Bytes(bytes.into()) });
            }
            npz::write(&mut out, &list)?;
        }
    }
    out.flush().map_err(|error| Error::new("cannot write the tensors").because(error))
}

fn metadata(net: &Net, tensors: &Tensors<'_>, view: View, decode: Decode, ctx: &Ctx) -> Result<Vec<(String, String)>> {
    let mut metadata = vec![("format".to_owned(), "lc0".to_owned()), (VIEW.to_owned(), view.name().to_owned())];
    metadata.push((DECODE.to_owned(), decode.name().to_owned()));
    let skeleton = skeleton(net, tensors, view, decode, ctx)?;
    if skeleton.encoded_len(true) > MAX_SKELETON {
        return Ok(metadata);
    }
    let mut bytes = Vec::new();
    skeleton.write(&mut bytes, true).map_err(|error| Error::new("cannot write the skeleton").because(error))?;
    metadata.push((SKELETON.to_owned(), bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
    let renamed = tensors.tensors.iter().filter(|tensor| tensor.name != tensor.source);
    let paths: serde_json::Map<String, serde_json::Value> =
        renamed.map(|tensor| (tensor.name.clone(), tensor.source.clone().into())).collect();
    if !paths.is_empty() {
        metadata.push((PATHS.to_owned(), serde_json::Value::Object(paths).to_string()));
    }
    Ok(metadata)
}

/// The net without what the tensors tell.
fn skeleton(net: &Net, tensors: &Tensors<'_>, view: View, decode: Decode, ctx: &Ctx) -> Result<Message> {
    let mut message = net.message().clone();
    let Some(weights) = net.weights().and_then(|_| message.message_mut("weights")) else { return Ok(message) };
    if view != View::Raw {
        let used: HashMap<&str, bool> = tensors.tensors.iter().map(|tensor| (tensor.source.as_str(), tensor.layer().is_none())).collect();
        keep_used(weights, "", &used);
    }
    each_of_type(weights, &LAYER, ctx, &|_, layer| {
        let stored = Layer::of(layer);
        let Ok(encoding) = stored.encoding_for(decode) else { return Ok(()) };
        if encoding.size() == 2 && stored.params().len() > 2 * CODES && all_codes_are_told(encoding, stored.min(), stored.max(), decode) {
            layer.remove("params");
            return Ok(());
        }
        let values = stored.values(decode)?;
        let told = recover(&values, encoding, stored.min(), stored.max(), decode);
        if !values.is_empty() && told.is_some_and(|params| params == stored.params()) {
            layer.remove("params");
        }
        Ok(())
    })?;
    Ok(message)
}

/// Removes layers that are in no view; folded blocks get the layers that they become.
fn keep_used(message: &mut Message, path: &str, used: &HashMap<&str, bool>) {
    for field in message.ty().fields {
        let Kind::Message(inner_ty) = field.kind else { continue };
        if inner_ty.name == "Layer" {
            let key = format!("{path}{}", field.name);
            match used.get(key.as_str()) {
                None => drop(message.remove(field.name)),
                Some(true) => {
                    let mut layer = Message::new(&LAYER);
                    layer.set("encoding", Value::Enum(Encoding::Float32.number()));
                    message.set(field.name, Value::Message(layer));
                }
                Some(false) => {}
            }
            continue;
        }
        let Some((_, values)) = message.fields_mut().find(|(other, _)| other.number == field.number) else { continue };
        for (at, value) in values.iter_mut().enumerate() {
            let Value::Message(inner) = value else { continue };
            let path = if field.repeated { format!("{path}{}.{at}.", field.name) } else { format!("{path}{}.", field.name) };
            keep_used(inner, &path, used);
        }
    }
}

/// Numbers of 16 bits.
const CODES: usize = 1 << 16;

/// Whether every code of 16 bits follows from its float: then those of a large layer need not be looked at one by one.
fn all_codes_are_told(encoding: Encoding, min: f32, max: f32, decode: Decode) -> bool {
    encoding == Encoding::Linear16 && are_far_apart(min, max) || is_each_code_told(encoding, min, max, decode)
}

/// The same, by trying.
fn is_each_code_told(encoding: Encoding, min: f32, max: f32, decode: Decode) -> bool {
    let codes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let mut layer = Message::new(&LAYER);
    layer.set("encoding", Value::Enum(encoding.number()));
    layer.set("min_val", Value::Float(min));
    layer.set("max_val", Value::Float(max));
    layer.set("params", Value::Bytes(Slice::from_vec(codes.clone())));
    let told = Layer::of(&layer).values(decode).ok().and_then(|values| recover(&values, encoding, min, max, decode));
    told.is_some_and(|params| params == codes)
}

/// Whether the floats of two codes differ by more than all that decoding rounds, so that each tells its code.
///
/// With `M` the greatest magnitude, of either formula: the fraction is off by 2^-25, which is `M`·2^-24 in the sum; the difference to one, two
/// products and the sum, or the range, one product and the sum, by half a unit in the last place of at most `2·M` each. That is below six
/// units in the last place of `M`. Codes that are sixteen apart keep four between them, and are found at once.
fn are_far_apart(min: f32, max: f32) -> bool {
    let greatest = min.abs().max(max.abs());
    let unit = f64::from(f32::from_bits(greatest.to_bits().saturating_add(1))) - f64::from(greatest);
    let step = (f64::from(max) - f64::from(min)) / 65535.0;
    min < max && (max - min).is_finite() && step >= 16.0 * unit
}

/// The stored bytes of floats under a known encoding and range; `None` where there are none.
fn recover(values: &[f32], encoding: Encoding, min: f32, max: f32, decode: Decode) -> Option<Vec<u8>> {
    let mut params = Vec::with_capacity(values.len() * encoding.size());
    for value in values {
        match encoding {
            Encoding::Linear16 => {
                let place = (f64::from(*value) - f64::from(min)) / (f64::from(max) - f64::from(min)) * 65535.0;
                let guess = place.round().clamp(0.0, 65535.0) as i32;
                let codes = [0, -1, 1, -2, 2].into_iter().filter_map(|step| u16::try_from(guess + step).ok());
                let code = { codes }.find(|code| decode.linear(*code, min, max).to_bits() == value.to_bits())?;
                params.extend(code.to_le_bytes());
            }
            Encoding::Float16 => {
                let half = f16::from_f32(*value);
                if half.to_f32().to_bits() != value.to_bits() {
                    return None;
                }
                params.extend(half.to_le_bytes());
            }
            Encoding::Bfloat16 => {
                if value.to_bits() & 0xFFFF != 0 {
                    return None;
                }
                params.extend(bf16::from_bits((value.to_bits() >> 16) as u16).to_le_bytes());
            }
            Encoding::Float32 => params.extend(value.to_le_bytes()),
        }
    }
    Some(params)
}

/// What stands in a file of tensors.
struct Contents {
    metadata: HashMap<String, String>,
    tensors: HashMap<String, TensorView>,
}

impl Contents {
    fn read(bytes: &Bytes) -> Result<Self> {
        if bytes.starts_with(crate::format::zip::MAGIC) {
            let archive = npz::Npz::open(bytes.clone())?;
            let names: Vec<String> = archive.names().map(str::to_owned).collect();
            let (mut metadata, mut tensors) = (HashMap::new(), HashMap::new());
            for name in names {
                let array = archive.array(&name)?;
                match name.strip_prefix(NPZ_METADATA) {
                    Some(key) => drop(metadata.insert(key.to_owned(), String::from_utf8_lossy(&array.contiguous_le_bytes()?).into_owned())),
                    None => drop(tensors.insert(name, array)),
                }
            }
            return Ok(Self { metadata, tensors });
        }
        let file = safetensors::read(bytes.clone())?;
        Ok(Self { metadata: file.metadata.into_iter().collect(), tensors: file.tensors.into_iter().collect() })
    }
}

/// Whether the bytes are a file of tensors that [`write_tensors`] wrote.
pub fn is_lc0_tensors(bytes: &Bytes) -> bool {
    Contents::read(bytes).is_ok_and(|contents| contents.metadata.get("format").is_some_and(|format| format == "lc0"))
}

/// Whether a `.safetensors` file is one that [`write_tensors`] wrote, by its header.
pub(super) fn is_marked_safetensors(file: &mut File) -> io::Result<bool> {
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let mut header = Vec::new();
    // The longest header that the format allows is 100 MB; ours have a skeleton of some.
    file.take(u64::from_le_bytes(length).min(100 << 20)).read_to_end(&mut header)?;
    Ok(contains(&header, VIEW.as_bytes()) && contains(&header, b"\"lc0\""))
}

/// Whether a `.npz` file is one that [`write_tensors`] wrote, by the end of its list of members, where our own stand.
pub(super) fn is_marked_npz(file: &mut File) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(16 << 10)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(contains(&tail, format!("{NPZ_METADATA}{VIEW}").as_bytes()))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Makes a net of a file that [`write_tensors`] wrote, also after its floats were changed. `changed` is how layers whose floats are new are
/// stored; `None`: as their layers were.
///
/// # Errors
/// When the file is damaged or lacks the skeleton, a tensor is missing, unknown or of another size, two that share a layer differ, or
/// changed floats cannot be stored; on cancellation.
pub fn read_tensors(bytes: &Bytes, changed: Option<Encoding>, ctx: &Ctx) -> Result<Net> {
    let contents = Contents::read(bytes)?;
    let entry = |key: &str| contents.metadata.get(key).map(String::as_str);
    let skeleton = entry(SKELETON).ok_or_else(|| {
        Error::new("the file does not say what net its tensors belong to").because(format!("its metadata has no `{SKELETON}`"))
    })?;
    let decode = entry(DECODE).and_then(Decode::named).ok_or_else(|| Error::new(format!("its metadata has no valid `{DECODE}`")))?;
    let skeleton = unhex(skeleton).ok_or_else(|| Error::new(format!("`{SKELETON}` in its metadata is not hexadecimal")))?;
    let message = Message::parse(&NET, &Bytes::from_vec(skeleton)).map_err(|error| error.context("the skeleton is damaged"))?;
    let mut net = Net::from_message(message);
    let is_folded = entry(VIEW) != Some(View::Raw.name());
    let is_wider = changed.is_some_and(|encoding| encoding != Encoding::Linear16);
    let outgrew = decode == Decode::Lc0V032 && (is_wider || is_folded && net.first_new_encoding().is_some());
    let rule = Restored { decode, outgrew, changed };
    let paths: HashMap<String, String> = entry(PATHS)
        .map_or(Ok(HashMap::new()), serde_json::from_str)
        .map_err(|error| Error::new(format!("`{PATHS}` in its metadata is not what it should be")).because(error))?;
    let mut by_path: HashMap<&str, (&str, &TensorView)> = HashMap::new();
    for (name, tensor) in &contents.tensors {
        let path = paths.get(name).unwrap_or(name);
        if let Some((other, twin)) = by_path.insert(path, (name, tensor)) {
            let bits = |tensor: &TensorView| -> Result<Vec<u8>> { Ok(tensor.contiguous_le_bytes()?.into_owned()) };
            if bits(twin)? != bits(tensor)? {
                return Err(Error::new(format!("`{name}` and `{other}` are one layer of the net, but differ")));
            }
        }
    }
    let known = std::sync::Mutex::new(0usize);
    if net.weights().is_some()
        && let Some(weights) = net.message_mut().message_mut("weights")
    {
        each_of_type(weights, &LAYER, ctx, &|path, layer| {
            let Some((name, tensor)) = by_path.get(path) else {
                let kept = layer.has("params") || Layer::of(layer).encoding_for(decode).is_err();
                return if kept { Ok(()) } else { Err(Error::new(format!("the tensor of `{path}` is missing"))) };
            };
            *known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
            let values = tensor.to_f32().map_err(|error| error.context(format!("`{name}` cannot be read")))?;
            rule.restore(layer, &values).map_err(|error| error.context(format!("`{name}` cannot be stored")))
        })?;
    }
    if known.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) != by_path.len() {
        return Err(Error::new("the file has tensors that the net does not have").help("remove what was added"));
    }
    if is_folded || changed.is_some() {
        net.raise_min_version();
    }
    Ok(net)
}

/// How the layers of a skeleton get their bytes back.
struct Restored {
    /// How the file's floats were decoded.
    decode: Decode,
    /// Whether what comes of the file is decoded by another formula, that of lc0 0.33: then that one must give the file's floats.
    outgrew: bool,
    /// How new floats are stored; `None`: as the layer's were.
    changed: Option<Encoding>,
}

impl Restored {
    fn restore(&self, layer: &mut Message, values: &[f32]) -> Result<()> {
        let stored = Layer::of(layer);
        let encoding = stored.encoding_for(self.decode)?;
        let is = |decoded: &[f32]| decoded.len() == values.len() && decoded.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits());
        let is_kept = (layer.has("params") || values.is_empty()) && is(&stored.values(self.decode)?);
        if !is_kept {
            let Some(params) = recover(values, encoding, stored.min(), stored.max(), self.decode) else {
                let own = if self.outgrew { stored.encoding().unwrap_or(encoding) } else { encoding };
                encode(values, self.changed.unwrap_or(own))?.store(layer);
                return Ok(());
            };
            layer.set("params", Value::Bytes(Slice::from_vec(params)));
        }
        if self.outgrew && !Layer::of(layer).values(Decode::Lc0V033).is_ok_and(|decoded| is(&decoded)) {
            encode(values, self.changed.unwrap_or(Encoding::Float32))?.store(layer);
        }
        Ok(())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some((digit(*high)? << 4 | digit(*low)?) as u8) } else { None }).collect()
}

#[cfg(test)]
mod tests;
