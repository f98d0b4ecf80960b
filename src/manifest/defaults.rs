//! `[defaults]`: what every net takes where it does not say otherwise, put into the nets' tables before they are read.
//!
//! Works on the tree, so that a value keeps the place where it was written, and knows no types: what is wrong with a default is
//! found where it is read. A net with a default has the values, and so the keys of its actions, that it would have with its own.

use super::{
    keys::NET,
    text::{Located, Problem},
    tree::{Entry, Item, MOST_TEXT, MOST_VALUES, Value, Weight, display_path},
};
use crate::words::{Algorithm, Word as _};

/// Puts the defaults into all nets. The result are the keys that no net took.
///
/// # Errors
/// When the nets would become too large by it; then not all of them have their defaults.
pub(super) fn merge(root: &mut Item) -> Result<Vec<Located<String>>, Box<Problem>> {
    let Value::Table(top) = &mut root.value else { return Ok(Vec::new()) };
    let Some(defaults) = top.iter().find(|entry| entry.key.value == "defaults") else { return Ok(Vec::new()) };
    let Value::Table(defaults) = &defaults.item.value else { return Ok(Vec::new()) };
    // One source for all nets is not a default but a mistake, which is reported as a key that is not known.
    let defaults: Vec<Entry> = defaults.iter().filter(|entry| is_default(&entry.key.value)).cloned().collect();
    let Some(nets) = top.iter_mut().find(|entry| entry.key.value == "net") else { return Ok(Vec::new()) };
    let Value::Table(nets) = &mut nets.item.value else { return Ok(Vec::new()) };
    let mut taken = vec![nets.is_empty(); defaults.len()];
    let mut added = Weight::default();
    let count = nets.len();
    for net in nets {
        let Value::Table(own) = &mut net.item.value else { continue };
        // The two exclude each other: what the net says of one is an answer for the other.
        let (permutes, searches) = (says(own, "permutation"), says(own, "optimize"));
        for (default, taken) in defaults.iter().zip(&mut taken) {
            let answered = match default.key.value.as_str() {
                "optimize" => permutes,
                "permutation" => searches,
                _ => false,
            };
            *taken |= !answered && inherit(own, default, &mut added);
            if added.is_too_much() {
                return Err(Box::new(too_much(default, count)));
            }
        }
    }
    let idle = defaults.iter().zip(taken).filter(|(_, taken)| !taken);
    Ok(idle.map(|(entry, _)| Located { value: display_path(["defaults", &entry.key.value]), span: entry.key.span }).collect())
}

/// Also of keys that no table has: those are reported where the nets are read.
fn is_default(key: &str) -> bool {
    NET.key(key).is_none_or(|key| key.in_defaults)
}

fn too_much(default: &Entry, nets: usize) -> Problem {
    let path = display_path(["defaults", &default.key.value]);
    Problem::new(
        format!("`{path}` is too large for so many nets"),
        default.key.span,
        "this default",
        format!(
            "it has {}, the manifest has {nets} nets, and defaults may put {MOST_TEXT} bytes of text and {MOST_VALUES} values into nets",
            Weight::of_entry(default)
        ),
        "shorten it, or divide the nets among several manifests",
    )
}

/// Whether a table has the key, other than to turn it off.
fn says(own: &[Entry], key: &str) -> bool {
    own.iter().any(|entry| entry.key.value == key && !matches!(entry.item.value, Value::Boolean(false)))
}

/// Gives a table a default, key by key where both are tables, as long as that is not too much. False if nothing of it was wanted.
fn inherit(own: &mut Vec<Entry>, default: &Entry, added: &mut Weight) -> bool {
    let Some(entry) = own.iter_mut().find(|entry| entry.key.value == default.key.value) else {
        *added = added.plus(Weight::of_entry(default));
        if !added.is_too_much() {
            own.push(default.clone());
        }
        return true;
    };
    let (Value::Table(own), Value::Table(defaults)) = (&mut entry.item.value, &default.item.value) else { return false };
    // The bound of one search means nothing to a net that asks for another, and it could not be taken back there.
    let asked = own.iter().find(|entry| entry.key.value == "algorithm").and_then(|entry| match &entry.item.value {
        Value::String(name) => Algorithm::named(name),
        _ => None,
    });
    let is_of_another = |key: &str| asked.is_some_and(|asked| Algorithm::ALL.iter().any(|of| *of != asked && of.budget() == Some(key)));
    let mut taken = false;
    for default in defaults.iter().filter(|entry| !is_of_another(&entry.key.value)) {
        taken |= inherit(own, default, added);
    }
    taken
}
