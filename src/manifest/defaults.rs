//! `[defaults]`: what every net takes where it does not say otherwise, put into the nets' tables before they are read.
//!
//! Works on the tree, so that a value keeps the place where it was written, and knows no types: what is wrong with a default is
//! found where it is read. A net with a default has the values, and so the keys of its actions, that it would have with its own.

use super::{
    text::Located,
    tree::{Entry, Item, Value, display_path},
};

/// Puts the defaults into all nets. The result are the keys that no net took.
pub(super) fn merge(root: &mut Item) -> Vec<Located<String>> {
    let Value::Table(top) = &mut root.value else { return Vec::new() };
    let Some(defaults) = top.iter().find(|entry| entry.key.value == "defaults") else { return Vec::new() };
    let Value::Table(defaults) = &defaults.item.value else { return Vec::new() };
    // One source for all nets is no default but a mistake, which is reported as a key that is not known.
    let defaults: Vec<Entry> = defaults.iter().filter(|entry| entry.key.value != "source").cloned().collect();
    let Some(nets) = top.iter_mut().find(|entry| entry.key.value == "net") else { return Vec::new() };
    let Value::Table(nets) = &mut nets.item.value else { return Vec::new() };
    let mut taken = vec![nets.is_empty(); defaults.len()];
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
            *taken |= !answered && inherit(own, default);
        }
    }
    let idle = defaults.iter().zip(taken).filter(|(_, taken)| !taken);
    idle.map(|(entry, _)| Located { value: display_path(["defaults", &entry.key.value]), span: entry.key.span }).collect()
}

/// Whether a table has the key, other than to turn it off.
fn says(own: &[Entry], key: &str) -> bool {
    own.iter().any(|entry| entry.key.value == key && !matches!(entry.item.value, Value::Boolean(false)))
}

/// Gives a table a default, key by key where both are tables. False if nothing of it was wanted.
fn inherit(own: &mut Vec<Entry>, default: &Entry) -> bool {
    let Some(entry) = own.iter_mut().find(|entry| entry.key.value == default.key.value) else {
        own.push(default.clone());
        return true;
    };
    let (Value::Table(own), Value::Table(defaults)) = (&mut entry.item.value, &default.item.value) else { return false };
    // The bound of annealing means nothing to a net that asks for the other search, and it could not be taken back there.
    let greedy = own.iter().any(|entry| entry.key.value == "algorithm" && matches!(&entry.item.value, Value::String(it) if it == "greedy"));
    let mut taken = false;
    for default in defaults.iter().filter(|entry| !(greedy && entry.key.value == "moves")) {
        taken |= inherit(own, default);
    }
    taken
}
