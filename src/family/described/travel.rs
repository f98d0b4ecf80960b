//! A described network for another machine that gathers its activations: the words of its architecture that say how, and the tensors that
//! these speak of.
//!
//! ```text
//! nnue described network 1⏎
//! length of the head, 8 bytes, little-endian
//! {"architecture": TOML, "tensors": [{"role": …, "dtype": …, "shape": […]}, …]}
//! values of the tensors, one after the other
//! ```
//!
//! Whoever gets it cannot tell which network it is of, so a request names these bytes. What else stands in the file of the architecture, or in
//! the manifest that holds it, does not travel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::execute::Value;
use super::model::{Architecture, DType};
use super::read::{Contents, Kept};
use super::tensor::{Storage, Tensor};
use super::{key, parse, relaxed};
use crate::error::{Error, Result};
use crate::files::{Blake3, Bytes};
use crate::net::Description;
use crate::stage::{Action, Described, Gather, Stage, Work};
use crate::words::Overflow;

const MAGIC: &[u8] = b"nnue described network 1\n";
/// More bytes have no words of an architecture.
const LONGEST_HEAD: usize = 4 << 20;
/// What the architecture is called in messages: its own name decides nothing.
const NAME: &str = "the network of the request";

/// What stands before the values.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// TOML, with the keys that gathering needs.
    architecture: String,
    tensors: Vec<Shape>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    role: String,
    dtype: String,
    shape: Vec<usize>,
}

/// The network of an action that gathers; `None` for other actions, and for what cannot be gathered of anyway.
pub(super) fn packed(action: &Described, network: &Value) -> Option<Vec<u8>> {
    action.gather()?;
    let architecture = relaxed(&action.architecture, action.overflow).ok()?;
    let mut sent = Vec::new();
    for index in read_by_gather(&architecture)? {
        let tensor = network.contents.tensors.get(index)?.as_ref()?;
        sent.push((architecture.tensors.get(index)?.role.text.clone(), tensor));
    }
    let roles: Vec<(&str, &str)> = sent.iter().map(|(role, tensor)| (role.as_str(), tensor.dtype.name())).collect();
    let tensors =
        sent.iter().map(|(role, tensor)| Shape { role: role.clone(), dtype: tensor.dtype.name().to_owned(), shape: tensor.shape.clone() });
    let head = Head { architecture: parse::words_of_gather(&action.architecture, &roles)?, tensors: tensors.collect() };
    let head = serde_json::to_vec(&head).ok()?;
    let mut bytes = [MAGIC, &(head.len() as u64).to_le_bytes(), &head].concat();
    sent.iter().for_each(|(_, tensor)| bytes.extend_from_slice(&tensor.bytes));
    Some(bytes)
}

/// The tensors that gathering reads: the biases, and the weights of each input, each once.
fn read_by_gather(architecture: &Architecture) -> Option<Vec<usize>> {
    let axis = &architecture.moves.as_ref()?.axis;
    let bias = architecture.tensors.iter().position(|spec| spec.axes.len() == 1 && spec.axes[0] == *axis)?;
    let mut read = vec![bias];
    for block in &architecture.inputs {
        let weights = architecture.tensors.iter().position(|spec| spec.role.text == block.tensor)?;
        if !read.contains(&weights) {
            read.push(weights);
        }
    }
    Some(read)
}

/// The action that has these parameters on the network of `bytes`; `None` where that is none of here, or has other words.
pub(crate) fn requested(params: &Map<String, Json>, bytes: &Bytes) -> Result<Option<Action>> {
    if !bytes.starts_with(MAGIC) {
        return Ok(None);
    }
    let (head, _) = head(bytes)?;
    let description = description(&head);
    let architecture = Architecture::describe(&description)?;
    let Some(gather) = Gather::of_params(params) else { return Ok(None) };
    let described = Described {
        stage: Stage::Gather,
        params: key::of_gather(&architecture),
        architecture: Arc::new(description),
        overflow: Overflow::Error,
        from: String::new(),
        to: String::new(),
        steps: Vec::new(),
        work: Work::Gather(Box::new(gather)),
    };
    let action = Action::Described(Box::new(described));
    Ok((action.params() == *params).then_some(action))
}

/// The network of these bytes, which must have this digest.
pub(super) fn unpacked(bytes: &[u8], digest: Blake3) -> Result<Value> {
    let found = Blake3::of(bytes);
    if found != digest {
        return Err(Error::usage("the network is not the one of the request").because(format!("its BLAKE3 is {found}, not {digest}")));
    }
    let (head, mut rest) = head(bytes)?;
    let architecture = Architecture::describe(&description(&head))?;
    let mut tensors: Vec<Option<Tensor>> = vec![None; architecture.tensors.len()];
    for Shape { role, dtype, shape } in head.tensors {
        let index = architecture.tensors.iter().position(|spec| spec.role.text == role).filter(|index| tensors[*index].is_none());
        let index = index.ok_or_else(|| damaged(format!("there is no tensor `{role}`, or it is there twice")))?;
        let dtype = DType::named(&dtype).ok_or_else(|| damaged(format!("`{role}` has values of `{dtype}`")))?;
        let size = shape.iter().try_fold(dtype.size(), |size, axis| size.checked_mul(*axis));
        let (values, left) = size.and_then(|size| rest.split_at_checked(size)).ok_or_else(|| damaged(format!("`{role}` is cut off")))?;
        if shape.len() != architecture.tensors[index].axes.len() {
            return Err(damaged(format!("`{role}` has {} axes", shape.len())));
        }
        rest = left;
        tensors[index] = Some(Tensor { dtype, shape, bytes: Storage::Owned(values.to_vec()) });
    }
    if !rest.is_empty() {
        return Err(damaged(format!("{} bytes are left", rest.len())));
    }
    let entries = architecture.entries();
    Ok(Value { contents: Arc::new(Contents { tensors, kept: Kept::default() }), entries })
}

fn description(head: &Head) -> Description {
    Description {
        name: NAME.to_owned(),
        file: NAME.to_owned(),
        text: head.architecture.as_str().into(),
        table: Vec::new(),
        overrides: Vec::new(),
    }
}

/// The head, and what is behind it.
fn head(bytes: &[u8]) -> Result<(Head, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk());
    let (length, rest) = rest.ok_or_else(|| damaged("it has no head".to_owned()))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|length| *length <= LONGEST_HEAD);
    let (head, rest) = length.and_then(|length| rest.split_at_checked(length)).ok_or_else(|| damaged("its head is cut off".to_owned()))?;
    let head = serde_json::from_slice(head).map_err(|error| damaged(error.to_string()))?;
    Ok((head, rest))
}

fn damaged(why: String) -> Error {
    Error::usage("the network of the request is damaged").because(why)
}

#[cfg(test)]
mod tests;
