//! Golden networks of lc0 with something broken.
#![allow(dead_code)]

use nnue::internals::family::lc0::Net;
use nnue::internals::family::lc0::schema::Kind;
use nnue::internals::family::lc0::wire::{Message, Slice, Value};

/// Where a path ends: the message that holds the field, and the field.
fn parent<'a, 'p>(net: &'a mut Net, path: &'p str) -> (&'a mut Message, &'p str) {
    let mut message = net.message_mut().message_mut("weights").unwrap();
    let mut parts = path.split('.').peekable();
    loop {
        let name = parts.next().unwrap();
        if parts.peek().is_none() {
            return (message, name);
        }
        let at = parts.next_if(|part| part.parse::<usize>().is_ok()).map_or(0, |part| part.parse().unwrap());
        let (_, values) = message.fields_mut().find(|(field, _)| field.name == name).unwrap_or_else(|| panic!("{path}: no {name}"));
        let Some(Value::Message(inner)) = values.get_mut(at) else { panic!("{path}: no {name} {at}") };
        message = inner;
    }
}

/// The net without a layer, a block or a number of its weights.
pub fn without(net: &Net, path: &str) -> Net {
    let mut net = net.clone();
    let (message, name) = parent(&mut net, path);
    assert!(message.remove(name), "{path}");
    net
}

/// With the first elements of a layer only, which is LINEAR16.
pub fn shortened(net: &Net, path: &str, elements: usize) -> Net {
    let mut net = net.clone();
    let (message, name) = parent(&mut net, path);
    let layer = message.message_mut(name).unwrap();
    let params = layer.bytes("params").unwrap()[..2 * elements].to_vec();
    layer.set("params", Value::Bytes(Slice::from_vec(params)));
    net
}

/// With another range of a LINEAR16 layer.
pub fn ranged(net: &Net, path: &str, min: f32, max: f32) -> Net {
    let mut net = net.clone();
    let (message, name) = parent(&mut net, path);
    let layer = message.message_mut(name).unwrap();
    layer.set("min_val", Value::Float(min));
    layer.set("max_val", Value::Float(max));
    net
}

/// With another number in the header's format.
pub fn saying(net: &Net, field: &str, number: i32) -> Net {
    let mut net = net.clone();
    let format = net.message_mut().message_mut("format").unwrap().message_mut("network_format").unwrap();
    format.set(field, Value::Enum(number));
    net
}

/// Everything that can be removed from a net's weights.
pub fn paths(net: &Net) -> Vec<String> {
    fn collect(message: &Message, path: &str, found: &mut Vec<String>) {
        for (field, values) in message.fields() {
            let whole = format!("{path}{}", field.name);
            let inner = matches!(field.kind, Kind::Message(ty) if ty.name != "Layer");
            if !field.repeated {
                found.push(whole.clone());
            }
            for (at, value) in values.iter().enumerate() {
                let Value::Message(value) = value else { continue };
                let path = if field.repeated { format!("{whole}.{at}.") } else { format!("{whole}.") };
                if inner {
                    collect(value, &path, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    collect(net.weights().unwrap(), "", &mut found);
    found
}

/// With the elements of a layer twice.
pub fn doubled(net: &Net, path: &str) -> Net {
    let mut net = net.clone();
    let (message, name) = parent(&mut net, path);
    let layer = message.message_mut(name).unwrap();
    let params = layer.bytes("params").unwrap().repeat(2);
    layer.set("params", Value::Bytes(Slice::from_vec(params)));
    net
}
