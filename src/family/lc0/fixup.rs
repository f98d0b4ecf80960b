//! What lc0 changes in the header of an older file when it loads it.

use super::{
    schema::{NETWORK_FORMAT, PE_DENSE, PE_MAP},
    wire::{Message, Value},
};

/// One change of the fix-up: a field of `network_format`, and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The field.
    pub field: &'static str,
    /// What the file says; `None` where it is absent.
    pub from: Option<i32>,
    /// What lc0 makes of it.
    pub to: i32,
}

const CLASSICAL: i32 = 1;
const SE: i32 = 2;
const CLASSICAL_WITH_HEADS: i32 = 3;
const SE_WITH_HEADS: i32 = 4;
const ATTENTION: i32 = 6;
const ATTENTION_MULTI: i32 = 7;
const LEGACY_MULTI: i32 = 134;
const SWISH: i32 = 7;
const RELU_2: i32 = 8;

/// The header that lc0 works with: `network_format` after the fix-up.
pub fn fixed_format(net: &Message) -> Message {
    let stored = net.message("format").and_then(|format| format.message("network_format"));
    let weights = net.message("weights");
    let has = |name: &str| weights.is_some_and(|weights| weights.has(name));
    let mut format = stored.cloned().unwrap_or_else(|| Message::new(&NETWORK_FORMAT));
    let mut set = |numbers: &[(&str, i32)]| numbers.iter().for_each(|(name, number)| format.set(name, Value::Enum(*number)));
    let mut network = stored.and_then(|stored| stored.enumerated("network")).unwrap_or(0);
    match (stored, network) {
        (None, _) => {
            set(&[("input", 1), ("output", 1), ("network", CLASSICAL_WITH_HEADS), ("value", 1), ("policy", 1)]);
            network = CLASSICAL_WITH_HEADS;
        }
        (_, CLASSICAL) => set(&[("network", CLASSICAL_WITH_HEADS), ("value", 1), ("policy", 1)]),
        (_, SE) => set(&[("network", SE_WITH_HEADS), ("value", 1), ("policy", 1)]),
        (_, SE_WITH_HEADS) if has("encoder") => {
            set(&[("network", ATTENTION)]);
            network = ATTENTION;
            if has("smolgen_w") {
                set(&[("ffn_activation", RELU_2), ("smolgen_activation", SWISH)]);
            }
        }
        (_, LEGACY_MULTI) => set(&[("network", ATTENTION_MULTI)]),
        _ => {}
    }
    if network == ATTENTION {
        if has("policy_heads") && has("value_heads") {
            set(&[("network", ATTENTION_MULTI), ("input_embedding", PE_DENSE)]);
        } else if stored.is_none_or(|stored| !stored.has("input_embedding")) {
            set(&[("input_embedding", PE_MAP)]);
        }
    }
    format
}

/// What [`fixed_format`] changes, by ascending field number.
pub fn changes(net: &Message) -> Vec<Change> {
    let stored = net.message("format").and_then(|format| format.message("network_format"));
    let fixed = fixed_format(net);
    let changed = fixed.fields().filter_map(|(field, _)| {
        let (from, to) = (stored.and_then(|stored| stored.enumerated(field.name)), fixed.enumerated(field.name)?);
        (from != Some(to)).then_some(Change { field: field.name, from, to })
    });
    changed.collect()
}

#[cfg(test)]
mod tests;
