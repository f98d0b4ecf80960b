//! What is wrong with a net that lc0 loads without a word: sizes, values, encodings that its stated version does not know.

use super::{
    layer::{Decode, Encoding, Layer},
    net::{Net, Version},
    schema::Kind,
    view::View,
    wire::{Message, Value},
};
use crate::error::{Error, Result};

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A layer has another number of elements than the rest of the net needs: lc0 reads beyond its end, or past its middle.
    Size,
    /// NaN or infinities.
    Value,
    /// Releases that the net says it runs on decode layers wrongly.
    Version,
    /// Something that lc0 skips.
    Unknown,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub fault: Fault,
    /// Where and what, in a sentence without its period.
    pub what: String,
}

impl Net {
    /// All faults that lc0 does not look for, in the order of the file.
    pub fn findings(&self, decode: Decode) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut add = |fault, what| found.push(Finding { fault, what });
        if let Err(error) = self.check_version() {
            add(Fault::Version, error.to_string());
        }
        for layer in self.sizes(decode).into_iter().filter(|layer| !layer.fits()) {
            let shape: Vec<String> = layer.shape.iter().map(usize::to_string).collect();
            add(Fault::Size, format!("`{}` has {} elements, the net makes it {}", layer.path, layer.len, shape.join("×")));
        }
        for (name, heads, model) in self.uneven_heads(decode) {
            add(Fault::Size, format!("`{name}` has {model} channels, which {heads} heads cannot share evenly"));
        }
        if let Some(weights) = self.weights() {
            each_layer(weights, "", &mut |path, layer| {
                if let Some(what) = odd_values(layer, decode) {
                    add(Fault::Value, format!("`{path}` {what}"));
                }
            });
        }
        count_unknown(&self.message, "", &mut |path, count, bytes| {
            let place = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
            add(Fault::Unknown, format!("{place} has {count} records ({bytes} bytes) that lc0 skips"));
        });
        found
    }

    /// Refuses a net whose layers have encodings that the version in its header does not know: older lc0 would load zeros.
    ///
    /// # Errors
    /// Then; the message says which layer, and the help what to do.
    pub fn check_version(&self) -> Result<()> {
        let stated = self.min_version();
        if stated.number() >= Version::LAYER_ENCODINGS.number() {
            return Ok(());
        }
        match self.first_new_encoding() {
            None => Ok(()),
            Some((path, encoding)) => Err(Error::new(format!("`min_version` is {stated}, but `{path}` is stored as {encoding}"))
                .because(format!("lc0 before {} skips the encoding and loads such layers as zeros", Version::LAYER_ENCODINGS))
                .help("raise it: `nnue convert IN OUT.pb.gz --fix-min-version`")),
        }
    }

    /// The first layer that is not LINEAR16, and how it is stored.
    pub fn first_new_encoding(&self) -> Option<(String, String)> {
        let mut first = None;
        if let Some(weights) = self.weights() {
            each_layer(weights, "", &mut |path, layer| match layer.encoding() {
                Ok(Encoding::Linear16) => {}
                other if first.is_none() => {
                    first = Some((path.to_owned(), other.map_or_else(|error| error.to_string(), |encoding| encoding.name().to_owned())));
                }
                _ => {}
            });
        }
        first
    }

    /// The least version that knows everything in this net, by the rules of its writers.
    pub fn needed_version(&self) -> Version {
        let format = self.message.message("format").and_then(|format| format.message("network_format"));
        let number = |name| format.and_then(|format| format.enumerated(name)).unwrap_or(0);
        let minor = match number("input") {
            2 | 3 => 25,
            4 | 132 => 26,
            5 | 133 => 27,
            _ => 21,
        };
        let needs = [
            (self.message.has("onnx_model"), 28),
            (number("default_activation") == 1, 29),
            (matches!(number("network"), 6 | 7 | 134) || number("ffn_activation") != 0 || number("smolgen_activation") != 0, 30),
            (self.first_new_encoding().is_some(), Version::LAYER_ENCODINGS.1),
        ];
        Version(0, needs.into_iter().filter(|need| need.0).fold(minor, |minor, need| minor.max(need.1)), 0)
    }

    fn uneven_heads(&self, decode: Decode) -> Vec<(String, u32, usize)> {
        let Ok(tensors) = self.tensors(View::Raw, decode) else { return Vec::new() };
        let weights = self.weights();
        let queries = tensors.tensors.iter().filter(|tensor| tensor.name.ends_with(".mha.q_b"));
        let heads_of = |name: &str| {
            let (parent, count) = match name.split_once("pol_encoder.") {
                Some((path, _)) => (path, "pol_headcount"),
                None => ("", "headcount"),
            };
            let mut message = weights?;
            for part in parent.split('.').filter(|part| !part.is_empty()) {
                message = message.message(part)?;
            }
            Some(message.u32(count).unwrap_or(0))
        };
        queries
            .filter_map(|tensor| {
                let heads = heads_of(&tensor.name)?;
                let even = tensor.len.checked_rem(heads as usize) == Some(0);
                (!even).then(|| (tensor.name.clone(), heads, tensor.len))
            })
            .collect()
    }
}

/// Hands over every layer below `message`, in the order of the fields.
pub(super) fn each_layer<'a>(message: &'a Message, path: &str, sink: &mut dyn FnMut(&str, Layer<'a>)) {
    for (field, values) in message.fields() {
        let Kind::Message(ty) = field.kind else { continue };
        for (at, value) in values.iter().enumerate() {
            let Value::Message(inner) = value else { continue };
            let path = if field.repeated { format!("{path}{}.{at}", field.name) } else { format!("{path}{}", field.name) };
            if ty.name == "Layer" { sink(&path, Layer::of(inner)) } else { each_layer(inner, &format!("{path}."), sink) }
        }
    }
}

/// What is odd about a layer's values. LINEAR16 is finite where its ends are, so only halves and floats are looked through.
fn odd_values(layer: Layer<'_>, decode: Decode) -> Option<String> {
    let encoding = layer.encoding_for(decode).ok()?;
    let params = layer.params();
    if !params.len().is_multiple_of(encoding.size()) {
        return Some(format!("has {} bytes, not a whole number of elements", params.len()));
    }
    if encoding == Encoding::Linear16 {
        let (min, max) = (layer.min(), layer.max());
        let finite = min.is_finite() && max.is_finite() && (decode == Decode::Lc0V033 || (max - min).is_finite());
        return (!finite).then(|| format!("ranges from {min} to {max}: its values are not all numbers"));
    }
    let mut at = 0;
    let mut bad = None;
    let scanned = layer.each_block(decode, &mut |block| {
        if bad.is_none() {
            bad = block.iter().position(|value| !value.is_finite()).map(|place| (at + place, block[place]));
        }
        at += block.len();
        Ok(())
    });
    scanned.ok().and(bad).map(|(at, value)| format!("has {value} as element {at}"))
}

fn count_unknown(message: &Message, path: &str, sink: &mut dyn FnMut(&str, usize, usize)) {
    let unknown = message.unknown();
    if !unknown.is_empty() {
        sink(path, unknown.len(), unknown.iter().map(|record| record.len()).sum());
    }
    for (field, values) in message.fields() {
        for (at, value) in values.iter().enumerate() {
            let Value::Message(inner) = value else { continue };
            let dot = if path.is_empty() { "" } else { "." };
            let path = if field.repeated { format!("{path}{dot}{}.{at}", field.name) } else { format!("{path}{dot}{}", field.name) };
            count_unknown(inner, &path, sink);
        }
    }
}
