use super::super::schema::{FORMAT, NET, WEIGHTS};
use super::*;

/// A net with that `network` and those parts of the weights.
fn net(network: Option<i32>, parts: &[&str]) -> Message {
    let (mut net, mut format, mut weights) = (Message::new(&NET), Message::new(&FORMAT), Message::new(&WEIGHTS));
    if let Some(network) = network {
        let mut stored = Message::new(&NETWORK_FORMAT);
        stored.set("network", Value::Enum(network));
        format.set("network_format", Value::Message(stored));
    }
    for part in parts {
        weights.message_mut(part).unwrap();
    }
    net.set("format", Value::Message(format));
    net.set("weights", Value::Message(weights));
    net
}

#[test]
fn each_row_of_the_fix_up() {
    type Row = (Option<i32>, &'static [&'static str], &'static [(&'static str, i32)]);
    let rows: [Row; 9] = [
        (None, &[], &[("input", 1), ("output", 1), ("network", 3), ("policy", 1), ("value", 1)]),
        (Some(1), &[], &[("network", 3), ("policy", 1), ("value", 1)]),
        (Some(2), &[], &[("network", 4), ("policy", 1), ("value", 1)]),
        (Some(4), &[], &[]),
        (Some(4), &["encoder"], &[("network", 6), ("input_embedding", 1)]),
        (Some(4), &["encoder", "smolgen_w"], &[("network", 6), ("smolgen_activation", 7), ("ffn_activation", 8), ("input_embedding", 1)]),
        (Some(134), &["encoder"], &[("network", 7)]),
        (Some(6), &["policy_heads", "value_heads"], &[("network", 7), ("input_embedding", 2)]),
        (Some(6), &["policy_heads"], &[("input_embedding", 1)]),
    ];
    for (network, parts, expected) in rows {
        let made: Vec<(&str, i32)> = changes(&net(network, parts)).iter().map(|change| (change.field, change.to)).collect();
        assert_eq!(made, expected, "{network:?} {parts:?}");
    }
}
