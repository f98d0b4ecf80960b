//! How two nets differ in what they mean: header fields, layers that one of them lacks, and values.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::{
    findings::each_layer,
    layer::{Decode, Layer},
    net::Net,
    schema::Kind,
    wire::{Message, Value},
};
use crate::{ctx::Ctx, error::Result};

/// What differs. Two nets without any of it are the same net, however they are wrapped and written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetDiff {
    /// Fields of the header.
    pub header: Vec<FieldDiff>,
    /// Layers that only the first has.
    pub only_in_a: Vec<String>,
    /// Layers that only the second has.
    pub only_in_b: Vec<String>,
    /// Layers whose values or stored forms differ.
    pub layers: Vec<LayerDiff>,
}

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDiff {
    /// Its path.
    pub field: String,
    /// In the first net; null where it is absent.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerDiff {
    /// Its path.
    pub layer: String,
    /// How they are stored, where that differs.
    pub encodings: Option<[String; 2]>,
    /// Elements of each.
    pub elements: [usize; 2],
    /// Elements with other bits; all further numbers are of layers of one size.
    pub differing: usize,
    /// The greatest difference.
    pub max_abs: f64,
    /// Root of the mean square difference.
    pub rms: f64,
    /// The greatest difference in units in the last place, which counts floats between the two.
    pub max_ulp: u64,
}

impl NetDiff {
    /// Whether the nets are the same.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty() && self.only_in_a.is_empty() && self.only_in_b.is_empty() && self.layers.is_empty()
    }

    /// Whether they evaluate alike: no value differs.
    pub fn same_values(&self) -> bool {
        self.only_in_a.is_empty()
            && self.only_in_b.is_empty()
            && self.layers.iter().all(|layer| layer.differing == 0 && layer.elements[0] == layer.elements[1])
    }
}

/// Compares two nets.
///
/// # Errors
/// When a layer cannot be decoded; on cancellation.
pub fn diff(a: &Net, b: &Net, decode: Decode, ctx: &Ctx) -> Result<NetDiff> {
    let (fields_a, fields_b) = (header(a), header(b));
    let names: std::collections::BTreeSet<&String> = fields_a.keys().chain(fields_b.keys()).collect();
    let differing = names.into_iter().filter(|name| fields_a.get(*name) != fields_b.get(*name));
    let header =
        differing.map(|name| FieldDiff { field: name.clone(), a: fields_a.get(name).cloned(), b: fields_b.get(name).cloned() }).collect();
    let (layers_a, layers_b) = (layers(a), layers(b));
    let missing = |from: &BTreeMap<String, Layer<'_>>, of: &BTreeMap<String, Layer<'_>>| {
        of.keys().filter(|path| !from.contains_key(*path)).cloned().collect::<Vec<_>>()
    };
    let both: Vec<(&String, Layer<'_>, Layer<'_>)> =
        layers_a.iter().filter_map(|(path, a)| Some((path, *a, *layers_b.get(path)?))).collect();
    let compared = both.into_par_iter().map(|(path, a, b)| {
        ctx.check()?;
        compare(path, a, b, decode)
    });
    let layers = compared.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    Ok(NetDiff { header, only_in_a: missing(&layers_b, &layers_a), only_in_b: missing(&layers_a, &layers_b), layers })
}

fn layers(net: &Net) -> BTreeMap<String, Layer<'_>> {
    let mut found = BTreeMap::new();
    if let Some(weights) = net.weights() {
        each_layer(weights, "", &mut |path, layer| {
            found.insert(path.to_owned(), layer);
        });
    }
    found
}

/// All fields that are not layers, by path.
fn header(net: &Net) -> BTreeMap<String, String> {
    fn walk(message: &Message, path: &str, out: &mut BTreeMap<String, String>) {
        for (field, values) in message.fields() {
            for (at, value) in values.iter().enumerate() {
                let path = if field.repeated { format!("{path}{}.{at}", field.name) } else { format!("{path}{}", field.name) };
                let text = match (value, field.kind) {
                    (Value::Message(inner), _) if inner.ty().name == "Layer" => continue,
                    (Value::Message(inner), _) => {
                        walk(inner, &format!("{path}."), out);
                        "present".to_owned()
                    }
                    (Value::Enum(number), Kind::Enum(names)) => names.show(*number),
                    (Value::Enum(number), _) => number.to_string(),
                    (Value::U32(number), _) => number.to_string(),
                    (Value::Float(number), _) => number.to_string(),
                    (Value::Bytes(bytes), Kind::Text) => String::from_utf8_lossy(bytes).into_owned(),
                    (Value::Bytes(bytes), _) => format!("{} bytes, CRC-32 {:08x}", bytes.len(), crc(bytes)),
                };
                out.insert(path, text);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(net.message(), "", &mut out);
    out
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn compare(path: &str, a: Layer<'_>, b: Layer<'_>, decode: Decode) -> Result<Option<LayerDiff>> {
    let (encoding_a, encoding_b) = (a.encoding_for(decode)?, b.encoding_for(decode)?);
    let same_range = a.min().to_bits() == b.min().to_bits() && a.max().to_bits() == b.max().to_bits();
    if encoding_a == encoding_b && a.params() == b.params() && same_range {
        return Ok(None);
    }
    let encodings = (encoding_a != encoding_b).then(|| [encoding_a, encoding_b].map(|encoding| encoding.name().to_owned()));
    let elements = [a.count(decode)?, b.count(decode)?];
    let mut diff = LayerDiff { layer: path.to_owned(), encodings, elements, differing: 0, max_abs: 0.0, rms: 0.0, max_ulp: 0 };
    if elements[0] == elements[1] {
        let mut squares = 0.0;
        for (a, b) in a.values(decode)?.into_iter().zip(b.values(decode)?) {
            if a.to_bits() != b.to_bits() {
                let distance = (f64::from(a) - f64::from(b)).abs();
                diff.differing += 1;
                diff.max_abs = diff.max_abs.max(distance);
                diff.max_ulp = diff.max_ulp.max(ordered(a).abs_diff(ordered(b)));
                squares += distance * distance;
            }
        }
        diff.rms = (squares / elements[0].max(1) as f64).sqrt();
    }
    Ok(Some(diff))
}

/// Floats in order as whole numbers: neighbours differ by one.
fn ordered(value: f32) -> i64 {
    let bits = i64::from(value.to_bits());
    if bits & 0x8000_0000 == 0 { bits } else { 0x8000_0000 - bits }
}
