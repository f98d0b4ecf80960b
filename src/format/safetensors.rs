//! The safetensors format: eight bytes of header length, a JSON header, the tensors' bytes.
//!
//! The reader is as strict as the format's own library: offsets without holes or overlaps that cover the file exactly, no
//! name twice, no unknown field, a header of at most 100 MB. The writer gives the library's bytes.
//!
//! # Limitations
//! Element types of less than a byte are refused.

use std::{collections::HashSet, fmt, io::Write, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use crate::{
    error::{Error, Result},
    files::{Bytes, CountingWriter, Reader},
    format::{
        tensor::{DType, Storage, TensorOut, TensorView},
        zip::cannot_write,
    },
};

/// A parsed file.
#[derive(Debug)]
pub struct SafeTensors {
    /// The header's `__metadata__`, in its order.
    pub metadata: Vec<(String, String)>,
    /// Names and tensors, in the header's order.
    pub tensors: Vec<(String, TensorView)>,
}

const MAX_HEADER: u64 = 100_000_000;

/// The format's names of the element types, in the order in which its library sorts them (last first).
const DTYPES: [(&str, DType); 16] = [
    ("BOOL", DType::Bool),
    ("U8", DType::U8),
    ("I8", DType::I8),
    ("F8_E5M2", DType::F8E5M2),
    ("F8_E4M3", DType::F8E4M3),
    ("F8_E8M0", DType::F8E8M0),
    ("I16", DType::I16),
    ("U16", DType::U16),
    ("F16", DType::F16),
    ("BF16", DType::BF16),
    ("I32", DType::I32),
    ("U32", DType::U32),
    ("F32", DType::F32),
    ("F64", DType::F64),
    ("I64", DType::I64),
    ("U64", DType::U64),
];

/// Reads a file. Tensor data is not touched.
///
/// # Errors
/// When the header or the offsets break one of the format's rules; the message names the tensor and the rule.
pub fn read(bytes: Bytes) -> Result<SafeTensors> {
    let wrong = |why: String| Error::new("this is not a valid safetensors file").because(why);
    let length = Reader::new(&bytes).u64();
    let length = length.map_err(|_| wrong(format!("it has {} bytes, fewer than the 8 of its header's length", bytes.len())))?;
    if length > MAX_HEADER {
        return Err(wrong(format!("its header should have {length} bytes, the limit is {MAX_HEADER}")));
    }
    let start = 8 + length as usize;
    let header = bytes.get(8..start).ok_or_else(|| wrong(format!("it ends inside the header of {length} bytes, after {}", bytes.len())))?;
    if header.first() != Some(&b'{') {
        return Err(wrong("its header is not a JSON object".into()));
    }
    let header: Header = serde_json::from_slice(header).map_err(|error| wrong(format!("its header cannot be read: {error}")))?;
    let mut extents: Vec<_> = header.tensors.iter().map(|(name, info)| (info.data_offsets, name)).collect();
    extents.sort_unstable();
    let data = bytes.len() - start;
    let mut end = 0;
    for ((from, to), name) in extents {
        let name = show(name);
        if from != end {
            return Err(wrong(format!("tensor `{name}` begins at byte {from} of the data, the one before it ends at byte {end}")));
        }
        if to < from || to > data as u64 {
            return Err(wrong(format!("tensor `{name}` lies at bytes {from} to {to} of {data}")));
        }
        end = to;
    }
    if end != data as u64 {
        return Err(wrong(format!("its tensors end at byte {end} of the data, which has {data}")));
    }
    let tensors = header.tensors.into_iter().map(|(name, info)| {
        let named = |error: Error| error.context(format!("tensor `{}` of the safetensors file is wrong", show(&name)));
        let dtype = DTYPES.iter().find(|entry| entry.0 == info.dtype).map(|entry| entry.1);
        let dtype = dtype.ok_or_else(|| named(Error::new(format!("its element type `{}` is unknown", show(&info.dtype)))))?;
        let (from, to) = (start + info.data_offsets.0 as usize, start + info.data_offsets.1 as usize);
        let storage = Storage::new(bytes.clone(), from..to, false, None, "its data".into()).map_err(named)?;
        let view = TensorView::dense(Arc::new(storage), dtype, info.shape, 0).map_err(named)?;
        if view.numel() * dtype.size() != to - from {
            let why = format!("its shape needs {} bytes, it has {}", view.numel() * dtype.size(), to - from);
            return Err(named(Error::new(why)));
        }
        Ok((name, view))
    });
    Ok(SafeTensors { tensors: tensors.collect::<Result<_>>()?, metadata: header.metadata })
}

/// Writes `tensors` and `metadata` exactly as the format's own library does: larger elements first, then by name.
///
/// # Errors
/// Those of `out` and of the sources; when a name occurs twice or is `__metadata__`, a source does not fit its shape, or the
/// format has no name for an element type.
pub fn write(out: &mut impl Write, tensors: &[TensorOut], metadata: &[(String, String)]) -> Result<()> {
    let mut sorted = Vec::with_capacity(tensors.len());
    let mut names = HashSet::new();
    for tensor in tensors {
        let rank = DTYPES.iter().position(|entry| entry.1 == tensor.dtype);
        let rank = rank.ok_or_else(|| Error::new(format!("safetensors has no element type `{}`", tensor.dtype.name())))?;
        if tensor.name == "__metadata__" || !names.insert(&tensor.name) {
            return Err(Error::new(format!("the tensor name `{}` occurs twice or is reserved", show(&tensor.name))));
        }
        sorted.push((rank, tensor));
    }
    sorted.sort_by(|(left_rank, left), (right_rank, right)| right_rank.cmp(left_rank).then_with(|| left.name.cmp(&right.name)));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut parts = Vec::new();
    if !metadata.is_empty() {
        let mut metadata: Vec<_> = metadata.iter().collect();
        metadata.sort();
        let metadata: Vec<_> = metadata.into_iter().map(|(key, value)| format!("{}:{}", quoted(key), quoted(value))).collect();
        parts.push(format!("\"__metadata__\":{{{}}}", metadata.join(",")));
    }
    let mut at = 0u64;
    for (rank, tensor) in &sorted {
        let end = at.checked_add(tensor.len()?).ok_or_else(|| Error::new("the tensors are too large"))?;
        let shape: Vec<_> = tensor.shape.iter().map(usize::to_string).collect();
        let dtype = DTYPES.get(*rank).map_or("", |entry| entry.0);
        parts.push(format!(
            "{}:{{\"dtype\":\"{dtype}\",\"shape\":[{}],\"data_offsets\":[{at},{end}]}}",
            quoted(&tensor.name),
            shape.join(",")
        ));
        at = end;
    }
    let mut header = format!("{{{}}}", parts.join(","));
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    if header.len() as u64 > MAX_HEADER {
        return Err(Error::new("the names and shapes of the tensors need more than the 100 MB that a safetensors header may have"));
    }
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(cannot_write)?;
    out.write_all(header.as_bytes()).map_err(cannot_write)?;
    for (_, tensor) in sorted {
        let mut counted = CountingWriter::new(&mut *out);
        tensor.write_to(&mut counted)?;
        if counted.written() != tensor.len()? {
            return Err(Error::new(format!(
                "tensor `{}` should have {} bytes, {} were written",
                show(&tensor.name),
                tensor.len()?,
                counted.written()
            )));
        }
    }
    Ok(())
}

fn show(name: &str) -> String {
    name.chars().take(200).collect::<String>().escape_debug().to_string()
}

#[derive(Default)]
struct Header {
    metadata: Vec<(String, String)>,
    tensors: Vec<(String, Info)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// A JSON object as a list; a key that occurs twice is an error.
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                let mut seen = HashSet::new();
                while let Some(pair) = map.next_entry::<String, T>()? {
                    if !seen.insert(pair.0.clone()) {
                        return Err(serde::de::Error::custom(format!("the key `{}` occurs twice", show(&pair.0))));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                let mut seen = HashSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(serde::de::Error::custom(format!("the key `{}` occurs twice", show(&key))));
                    }
                    if key == "__metadata__" {
                        // Some writers put `null` there for none.
                        header.metadata = map.next_value::<Option<Pairs<String>>>()?.map(|pairs| pairs.0).unwrap_or_default();
                    } else {
                        header.tensors.push((key, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}

#[cfg(test)]
mod tests;
