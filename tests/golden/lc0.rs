//! Every golden lc0 weight file against what lc0's own loader makes of it.

use crate::common;

use std::path::Path;

use nnue::internals::family::lc0::schema::{Kind, MessageType};
use nnue::internals::family::lc0::wire::{Message, Value};
use nnue::internals::family::lc0::{Decode, Net, View};
use nnue::internals::files::Bytes;
use serde_json::{Map, Value as Json, json};

/// Files whose names end like this are read as an engine's own net.
fn read(path: &Path, decode: Decode) -> nnue::internals::error::Result<Net> {
    let bytes = Bytes::map(path).unwrap();
    if path.extension().is_some_and(|ending| ending == "exe") { Net::read_embedded(&bytes, decode) } else { Net::read_for(&bytes, decode) }
}

/// A message as the golden data shows it: numbers of enums that have a name, floats as they are.
fn json_of(message: &Message) -> Json {
    let mut out = Map::new();
    for (field, values) in message.fields() {
        if matches!(field.name, "weights" | "model") {
            continue;
        }
        let value = match (&values[0], field.kind) {
            (Value::U32(number), _) => json!(number),
            (Value::Enum(number), Kind::Enum(names)) if names.values.iter().any(|value| value.1 == *number) => json!(number),
            (Value::Enum(_), _) => continue,
            (Value::Float(number), _) => json!(f64::from(*number)),
            (Value::Bytes(bytes), _) => json!(String::from_utf8_lossy(bytes)),
            (Value::Message(inner), _) => json_of(inner),
        };
        out.insert(field.name.to_owned(), value);
    }
    Json::Object(out)
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Compares a view; counts what was compared.
fn compare_view(net: &Net, view: View, decode: Decode, expected: &Json, file: &str) -> usize {
    let expected = expected.as_object().cloned().unwrap_or_default();
    let made = match net.tensors(view, decode) {
        Ok(made) => made,
        Err(error) => {
            assert_eq!(expected.get("error").and_then(Json::as_str), Some(error.message()), "{file} {}", view.name());
            return 1;
        }
    };
    let mut names: Vec<String> = made.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    names.extend(made.flags.iter().map(|flag| flag.0.clone()));
    names.extend(made.undecodable.iter().map(|layer| layer.0.clone()));
    names.sort();
    let mut wanted: Vec<String> = expected.keys().cloned().collect();
    wanted.sort();
    assert_eq!(names, wanted, "{file} {}", view.name());
    for tensor in &made.tensors {
        let bytes = floats(&tensor.values().unwrap());
        let mut written = Vec::new();
        tensor.write(&mut written).unwrap();
        assert_eq!(written, bytes);
        assert_eq!(expected[&tensor.name]["n"], tensor.len, "{file} {}", tensor.name);
        assert_eq!(expected[&tensor.name]["sha256"], common::sha256(&bytes), "{file} {} {}", view.name(), tensor.name);
    }
    for (name, value) in &made.flags {
        assert_eq!(expected[name], *value, "{file} {name}");
    }
    for (name, why) in &made.undecodable {
        assert_eq!(expected[name]["error"], *why, "{file} {name}");
    }
    wanted.len()
}

fn compare_all(decode: Decode, list: &str) {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let (mut files, mut compared) = (0, 0);
    for (name, expected) in common::json_maybe_xz(&folder.join(list)).as_object().unwrap() {
        files += 1;
        let path = folder.join("nets").join(name);
        let net = match read(&path, decode) {
            Ok(net) => net,
            Err(error) => {
                let words = expected["load"]["error"].as_str().unwrap_or_else(|| panic!("{name}: lc0 loads it: {error}"));
                let words = words.split("<fd:4>: ").last().unwrap();
                assert_eq!(error.message(), words, "{name}");
                continue;
            }
        };
        assert_eq!(expected["load"], "ok", "{name}: lc0 refuses it");
        compare_header(&net, expected, name, decode);
        for view in View::ALL.iter().copied() {
            compared += compare_view(&net, view, decode, &expected[view.name()], name);
        }
    }
    assert_eq!(files, 149);
    println!("{files} files, {compared} tensors and flags");
    assert!(compared > 10_000, "{compared}");
}

fn compare_header(net: &Net, expected: &Json, name: &str, decode: Decode) {
    let mut fixed = net.clone();
    fixed.fixup();
    let header = json_of(fixed.message());
    let same = |a: &Json, b: &Json| serde_json::to_string(&sorted(a)).unwrap() == serde_json::to_string(&sorted(b)).unwrap();
    assert!(same(&header, &expected["header"]), "{name}: {header} is not {}", expected["header"]);
    if decode == Decode::Lc0V033 {
        let mut bytes = Vec::new();
        fixed.message().write(&mut bytes, false).unwrap();
        assert_eq!(expected["reserialized"]["bytes"], bytes.len(), "{name}");
        assert_eq!(expected["reserialized"]["sha256"], common::sha256(&bytes), "{name}");
    }
}

/// Keys in order, floats in single precision.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Json::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect())
        }
        Json::Number(number) if number.is_f64() => json!(f64::from(number.as_f64().unwrap() as f32)),
        other => other.clone(),
    }
}

#[test]
fn lc0_033_makes_the_same_of_every_file() {
    compare_all(Decode::Lc0V033, "expected.json");
}

#[test]
fn lc0_032_makes_the_same_of_every_file() {
    compare_all(Decode::Lc0V032, "expected_0.32.1.json");
}

/// The table of fields is in order, and no number or name is twice in a message.
#[test]
fn the_schema_is_in_order() {
    fn check(ty: &MessageType) {
        assert!(ty.fields.windows(2).all(|pair| pair[0].number < pair[1].number), "{}", ty.name);
        for field in ty.fields {
            assert_eq!(ty.field(field.name).unwrap().number, field.number);
            if let Kind::Message(inner) = field.kind {
                check(inner);
            }
        }
    }
    check(&nnue::internals::family::lc0::schema::NET);
}
