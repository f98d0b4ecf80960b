//! Files of a trainer's float tensors → [`StateDict`]: the tensors by name, and what else a file says of its network.
//!
//! What pickled objects, metadata and attributes are called stands here and nowhere else. What the tensors mean is
//! [`super::state_dict`]'s business; what the containers look like is that of [`super::torch`], [`super::safetensors`](mod@super::safetensors) and
//! [`super::npz`](mod@super::npz).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::npz::Npz;
use super::state_dict::{Hints, StateDict};
use super::tensor::{DType, TensorView};
use super::torch::{Scalar, TorchFile, Value};
use super::zip;
use crate::error::{Error, Result};
use crate::files::Bytes;
use crate::net::Tensor;

/// Members of an `.npz` file that are texts and no tensors have this prefix.
pub const METADATA_PREFIX: &str = "__metadata__.";

/// Keys under which this tool's own files say what tensors cannot.
pub mod metadata {
    /// Name of the generation.
    pub const ARCHITECTURE: &str = "nnue_architecture";
    /// Name of the scales.
    pub const QUANTIZATION: &str = "nnue_quantization";
    /// The feature set, `^` included.
    pub const FEATURES: &str = "nnue_features";
    /// The description's bytes in lower-case hex: they need not be text.
    pub const DESCRIPTION: &str = "nnue_description_hex";
    /// Eight hex digits: the feature set's hash, where it is not the one that follows from the set (nets of 4 March 2026).
    pub const FEATURES_HASH: &str = "nnue_features_hash";
    /// All of them.
    pub const ALL: [&str; 5] = [ARCHITECTURE, QUANTIZATION, FEATURES, DESCRIPTION, FEATURES_HASH];
}

/// Reads NumPy's archive.
///
/// # Errors
/// When it is damaged, has an array that is not of numbers, or a dict is `chosen`, of which it has none.
pub fn npz(bytes: Bytes, chosen: Option<&str>) -> Result<StateDict> {
    check_chosen(chosen, "a NumPy archive")?;
    let npz = Npz::open(bytes)?;
    let mut tensors = Vec::new();
    let mut hints = Hints::default();
    for name in npz.names() {
        let array = npz.array(name)?;
        match name.strip_prefix(METADATA_PREFIX) {
            Some(key) => set_hint(&mut hints, key, &String::from_utf8_lossy(&array.contiguous_le_bytes()?)),
            None => tensors.push(named(name, array)?),
        }
    }
    Ok(StateDict { tensors, hints })
}

/// Reads a safetensors file.
///
/// # Errors
/// When it is damaged, or a dict is `chosen`, of which it has none.
pub fn safetensors(bytes: Bytes, chosen: Option<&str>) -> Result<StateDict> {
    check_chosen(chosen, "a safetensors file")?;
    let file = super::safetensors::read(bytes)?;
    let mut hints = Hints::default();
    for (key, value) in &file.metadata {
        set_hint(&mut hints, key, value);
    }
    let tensors = file.tensors.into_iter().map(|(name, view)| named(&name, view)).collect::<Result<_>>()?;
    Ok(StateDict { tensors, hints })
}

/// Reads a PyTorch file: a checkpoint, a module, or a dict of tensors, or of its dicts the one that is `chosen`.
///
/// # Errors
/// When it is damaged, holds no tensors, several dicts of them without a choice or not the chosen one, or is pickled in a way that is not
/// known.
pub fn torch(bytes: Bytes, chosen: Option<&str>) -> Result<StateDict> {
    let file = TorchFile::open(bytes)?;
    let mut hints = Hints::default();
    for (path, value) in file.attributes()? {
        let last = path.rsplit('.').next().unwrap_or(&path);
        match (last, value) {
            ("pytorch-lightning_version", Scalar::Str(version)) => hints.lightning = Some(version),
            ("feature_name" | "features", Scalar::Str(name)) if !name.is_empty() => hints.features = Some(name),
            ("L1", Scalar::Int(l1)) => hints.l1 = usize::try_from(l1).ok(),
            ("ft_quantized_one", Scalar::Float(one)) => hints.ft_one = Some(one),
            ("ft_quantized_one", Scalar::Int(one)) => hints.ft_one = Some(one as f64),
            (key, Scalar::Str(value)) if key.starts_with("nnue_") => set_hint(&mut hints, key, &value),
            _ => {}
        }
    }
    let has = |dict: Option<Value<'_>>, key: &str| dict.is_some_and(|dict| dict.get(key).is_some());
    let state = file.root().get("state_dict");
    hints.has_jitter_buffer = has(Some(file.root()), "jitter_buffer_value") || has(state, "jitter_buffer_value");
    hints.has_optimizer_inside = has(state, "optimizer_state_dict");
    // A state dict carries them as attributes of the dict itself, where no user of its entries meets them.
    for key in metadata::ALL {
        if let Some(value) = file.root().attr(key).and_then(|value| value.as_str()) {
            set_hint(&mut hints, key, value);
        }
    }
    let tensors = file.state_dict_at(chosen)?.into_iter().map(|(name, view)| named(&name, view)).collect::<Result<_>>()?;
    Ok(StateDict { tensors, hints })
}

/// Refuses the choice of a dict in a file that is only one.
///
/// # Errors
/// When one is `chosen`.
pub(crate) fn check_chosen(chosen: Option<&str>, what: &str) -> Result<()> {
    match chosen {
        None => Ok(()),
        Some(path) => Err(Error::new(format!("`state_dict` names `{}`, but the file is {what}", path.escape_debug()))
            .because("only PyTorch's files can hold several dicts of tensors")
            .help("remove `state_dict`, or give the file that was meant")
            .about("state_dict")),
    }
}

/// What a user should know of a file of tensors that can be read all the same.
pub fn note(bytes: &[u8]) -> Option<&'static str> {
    let unchecked = bytes.starts_with(zip::MAGIC) && zip::read(bytes).is_ok_and(|entries| !entries.iter().any(|entry| entry.crc != 0));
    unchecked.then_some("its checksums were not computed when it was saved, so damage would not be noticed")
}

fn set_hint(hints: &mut Hints, key: &str, value: &str) {
    match key {
        metadata::ARCHITECTURE => hints.architecture = Some(value.to_owned()),
        metadata::QUANTIZATION => hints.quantization = Some(value.to_owned()),
        metadata::FEATURES => hints.features = Some(value.to_owned()),
        metadata::FEATURES_HASH => hints.features_hash = u32::from_str_radix(value, 16).ok(),
        metadata::DESCRIPTION => {
            let digits: Option<Vec<u8>> = value.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
            hints.description = digits
                .filter(|digits| digits.len().is_multiple_of(2))
                .map(|digits| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect());
        }
        _ => {}
    }
}

fn named(name: &str, view: TensorView) -> Result<(String, Arc<dyn Tensor>)> {
    Ok((name.to_owned(), Arc::new(FileTensor::new(view))))
}

/// A tensor in a file, read as f32.
struct FileTensor {
    view: TensorView,
    /// The values stand in the file as this machine holds them, so that they need no copy (unless the file is badly aligned).
    in_place: bool,
}

impl FileTensor {
    fn new(view: TensorView) -> Self {
        let mut step = 1usize;
        let dense = view.shape().iter().zip(view.stride()).rev().all(|(&size, &stride)| {
            let fits = size <= 1 || stride == step;
            step = step.saturating_mul(size.max(1));
            fits
        });
        let in_place = dense && view.dtype() == DType::F32 && !view.is_big_endian() && !view.shape().is_empty();
        Self { view, in_place }
    }

    /// The rows around the wanted values (for vectors a row is one value), and how many values precede them there.
    fn rows_around(&self, values: Range<usize>) -> Result<(Range<usize>, usize)> {
        let columns: usize = self.view.shape().iter().skip(1).product();
        if values.end > self.view.numel() || values.start > values.end || columns == 0 {
            return Err(past_the_end());
        }
        let rows = values.start / columns..values.end.div_ceil(columns);
        let skip = values.start - rows.start * columns;
        Ok((rows, skip))
    }
}

fn past_the_end() -> Error {
    Error::new("a read past the end of a tensor")
}

impl Tensor for FileTensor {
    fn shape(&self) -> &[usize] {
        self.view.shape()
    }

    fn read(&self, start: usize, out: &mut [f32]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let (rows, skip) = self.rows_around(start..start.checked_add(out.len()).ok_or_else(past_the_end)?)?;
        let values = if self.view.shape().is_empty() { self.view.to_f32()? } else { self.view.rows_f32(rows)? };
        out.copy_from_slice(values.get(skip..skip + out.len()).ok_or_else(past_the_end)?);
        Ok(())
    }

    fn borrow(&self, values: Range<usize>) -> Result<Option<&[f32]>> {
        if !self.in_place || values.is_empty() {
            return Ok(None);
        }
        let (rows, skip) = self.rows_around(values.clone())?;
        match self.view.rows_f32(rows)? {
            Cow::Borrowed(found) => found.get(skip..skip + values.len()).map(Some).ok_or_else(past_the_end),
            Cow::Owned(_) => Ok(None),
        }
    }
}
