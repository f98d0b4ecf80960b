//! Action keys and action records: what a stage was asked, and what came of it. Bytes only; files are [`super::store`]'s.
//!
//! A record is JSON in a fixed frame, so that a hit needs neither parsing nor rewriting of the preimage:
//!
//! ```text
//! {"schema":1,"checksum":"<64 hex>","preimage_bytes":<digits, padded to 10>,"preimage":<canonical JSON>,"result":<JSON>}⏎
//! ```
//!
//! The preimage is proven by the key (which is its hash and the file's name), the result by the checksum, everything else by being
//! literal: no changed bit passes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::digest::{Blake3, digest_type, hex, unhex};
use crate::stage::{Outcome, Stage};

digest_type!(
    /// Names an action: BLAKE3, under a context of its own, of the canonical preimage.
    Key,
    "action key"
);

/// Keeps keys apart from every other use of BLAKE3. A change of the canonical form changes this.
const KEY_CONTEXT: &str = "nnue 2026 action key: BLAKE3 of canonical JSON, version 1";

/// The layout of records; a change of it goes with a new bucket.
const HEAD: &str = "{\"schema\":1,\"checksum\":\"";
const AFTER_CHECKSUM: &str = "\",\"preimage_bytes\":";
const LENGTH_DIGITS: usize = 10;
const BEFORE_PREIMAGE: &str = ",\"preimage\":";
const AFTER_PREIMAGE: &str = ",\"result\":";
const TAIL: &str = "}\n";

impl Key {
    /// The key of a preimage.
    ///
    /// # Errors
    /// As [`Preimage::of`].
    pub fn of(preimage: &Value) -> Result<Self> {
        Preimage::of(preimage).map(|preimage| preimage.key)
    }

    fn of_canonical(canonical: &[u8]) -> Self {
        Self(blake3::derive_key(KEY_CONTEXT, canonical))
    }
}

/// All that a key depends on, in canonical JSON.
///
/// Canonical: object members sorted by the bytes of their names, no white space, integers in plain decimal, strings
/// with the short escapes `\" \\ \b \f \n \r \t`, `\u00xx` in lower case for the other control characters and everything else as
/// UTF-8, not normalized. Floats have no canonical form and are refused: scale them to integers or write them as strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preimage {
    canonical: String,
    key: Key,
}

impl Preimage {
    /// The canonical form of `value`.
    ///
    /// # Errors
    /// When there is a float in it.
    pub fn of(value: &Value) -> Result<Self> {
        let mut canonical = String::with_capacity(256);
        write_canonical(value, &mut canonical)?;
        Ok(Self { key: Key::of_canonical(canonical.as_bytes()), canonical })
    }

    /// The key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The canonical JSON text.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The preimage as a value, for explanations and comparisons.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.canonical).unwrap_or(Value::Null)
    }
}

impl FromStr for Preimage {
    type Err = Error;

    /// Reads any JSON text, canonical or not.
    fn from_str(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| Error::new("a key preimage is not JSON").because(error))?;
        Self::of(&value)
    }
}

impl fmt::Display for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

/// As a JSON string that holds the canonical text: quick to read where only the key matters.
impl Serialize for Preimage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.canonical)
    }
}

impl<'de> Deserialize<'de> for Preimage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let canonical = String::deserialize(deserializer)?;
        Ok(Self { key: Key::of_canonical(canonical.as_bytes()), canonical })
    }
}

fn write_canonical(value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => out.push_str(&number.to_string()),
            (_, Some(number)) => out.push_str(&number.to_string()),
            _ => return Err(Error::new(format!("the number {number} in a key preimage is not a 64-bit integer"))),
        },
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (i, (name, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_canonical(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRecord {
    /// What was asked; its key names the record.
    pub preimage: Preimage,
    /// What came out.
    pub result: ActionResult,
}

/// The part of a record that the key does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Members", into = "Members")]
pub struct ActionResult {
    /// The stage, and what it says of its result.
    pub said: Said,
    /// BLAKE3 of the artifact.
    pub output_digest: Blake3,
    /// Whether the artifact was put into the cache, or is cheap to compute again.
    pub stored: bool,
    /// Size of the artifact.
    pub bytes: u64,
    /// How long the stage ran, seconds.
    pub duration_s: f64,
    /// It ran on another machine: its seconds tell nothing of this one.
    pub elsewhere: bool,
    /// Version of the program.
    pub created_by: String,
}

/// What a record says of a result besides its digest.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// What a stage of this program says.
    Known(Outcome),
    /// What another version of the program said. It is counted and kept, and never taken for a result.
    Foreign {
        /// The stage's name.
        stage: String,
        /// What it said.
        extra: Value,
    },
}

impl Said {
    /// Reads what stands in a record.
    fn of(stage: String, extra: Value) -> Self {
        match Stage::named(&stage).and_then(|stage| Outcome::from_json(stage, &extra).ok()) {
            Some(outcome) => Self::Known(outcome),
            None => Self::Foreign { stage, extra },
        }
    }
}

impl ActionResult {
    /// The stage's name, for statistics and progress.
    pub fn stage_name(&self) -> &str {
        match &self.said {
            Said::Known(outcome) => outcome.stage().name(),
            Said::Foreign { stage, .. } => stage,
        }
    }

    /// What the stage said, if this program understands it.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.said {
            Said::Known(outcome) => Some(outcome),
            Said::Foreign { .. } => None,
        }
    }
}

/// A result as it stands in the file.
#[derive(Serialize, Deserialize)]
struct Members {
    stage: String,
    output_digest: Blake3,
    stored: bool,
    bytes: u64,
    duration_s: f64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    elsewhere: bool,
    created_by: String,
    extra: Value,
}

impl From<Members> for ActionResult {
    fn from(members: Members) -> Self {
        let Members { stage, output_digest, stored, bytes, duration_s, elsewhere, created_by, extra } = members;
        Self { said: Said::of(stage, extra), output_digest, stored, bytes, duration_s, elsewhere, created_by }
    }
}

impl From<ActionResult> for Members {
    fn from(result: ActionResult) -> Self {
        let ActionResult { said, output_digest, stored, bytes, duration_s, elsewhere, created_by } = result;
        let (stage, extra) = match said {
            Said::Known(outcome) => (outcome.stage().name().to_owned(), outcome.to_json()),
            Said::Foreign { stage, extra } => (stage, extra),
        };
        Self { stage, output_digest, stored, bytes, duration_s, elsewhere, created_by, extra }
    }
}

impl ActionRecord {
    /// The record's key.
    pub fn key(&self) -> Key {
        self.preimage.key
    }

    /// The file for this record.
    ///
    /// # Errors
    /// When the preimage has 10 GB or more.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut result = self.result.clone();
        if !result.duration_s.is_finite() {
            result.duration_s = 0.0;
        }
        let result = serde_json::to_vec(&result).map_err(|error| Error::new("cannot write an action record").because(error))?;
        let preimage = self.preimage.canonical.as_bytes();
        let length = padded_length(preimage.len());
        if length.len() != LENGTH_DIGITS {
            return Err(Error::new("cannot write an action record").because("its preimage is too long"));
        }
        let mut digits = [0; 64];
        let parts: [&[u8]; 9] = [
            HEAD.as_bytes(),
            hex(&Blake3::of(&result).0, &mut digits).as_bytes(),
            AFTER_CHECKSUM.as_bytes(),
            length.as_bytes(),
            BEFORE_PREIMAGE.as_bytes(),
            preimage,
            AFTER_PREIMAGE.as_bytes(),
            &result,
            TAIL.as_bytes(),
        ];
        Ok(parts.concat())
    }

    /// Reads a record and proves it whole, or says in half a sentence what is wrong with it.
    ///
    /// # Errors
    /// When anything differs from what [`ActionRecord::encode`] wrote under `key`.
    pub fn decode(key: Key, file: &[u8]) -> Result<Self, String> {
        let frame = Frame::parse(file).ok_or("its frame is corrupt")?;
        if Key::of_canonical(frame.preimage) != key {
            return Err("its preimage does not have its key".into());
        }
        if hex(&Blake3::of(frame.result).0, &mut [0; 64]).as_bytes() != frame.checksum {
            return Err("its checksum does not match its contents".into());
        }
        let canonical = String::from_utf8(frame.preimage.to_vec()).map_err(|error| error.to_string())?;
        let result = serde_json::from_slice(frame.result).map_err(|error| error.to_string())?;
        Ok(Self { preimage: Preimage { canonical, key }, result })
    }
}

struct Frame<'a> {
    checksum: &'a [u8],
    preimage: &'a [u8],
    result: &'a [u8],
}

impl<'a> Frame<'a> {
    fn parse(file: &'a [u8]) -> Option<Self> {
        let (checksum, rest) = file.strip_prefix(HEAD.as_bytes())?.split_at_checked(64)?;
        let (digits, rest) = rest.strip_prefix(AFTER_CHECKSUM.as_bytes())?.split_at_checked(LENGTH_DIGITS)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let length: usize = digits.trim_end_matches(' ').parse().ok()?;
        if padded_length(length) != digits {
            return None;
        }
        let (preimage, rest) = rest.strip_prefix(BEFORE_PREIMAGE.as_bytes())?.split_at_checked(length)?;
        let result = rest.strip_prefix(AFTER_PREIMAGE.as_bytes())?.strip_suffix(TAIL.as_bytes())?;
        Some(Self { checksum, preimage, result })
    }
}

fn padded_length(length: usize) -> String {
    format!("{length:<LENGTH_DIGITS$}")
}

#[cfg(test)]
pub(in crate::cache) mod tests {
    use serde_json::json;

    use super::*;

    pub(in crate::cache) fn record(stage: &str, n: u64, output: Blake3) -> ActionRecord {
        ActionRecord {
            preimage: Preimage::of(&json!({"schema": 1, "stage": stage, "params": {"positions": n, "seed": 0}, "inputs": [output]}))
                .unwrap(),
            result: ActionResult {
                said: Said::of(
                    stage.into(),
                    json!({"entries": 9, "in_check": 1, "filtered": 2, "chunks_visited": 3, "chunks": 4, "looked_at": 5}),
                ),
                output_digest: output,
                stored: true,
                bytes: 3,
                duration_s: 0.25,
                elsewhere: false,
                created_by: "0.1.0".into(),
            },
        }
    }

    #[test]
    fn the_canonical_form_and_the_key_are_pinned() {
        let value = json!({"z": [1, -2, u64::MAX, true, null], "a\u{1}\"\n": "é\u{65}\u{301}/", "B": {"y": {}, "x": []}});
        let preimage = Preimage::of(&value).unwrap();
        assert_eq!(
            preimage.as_str(),
            "{\"B\":{\"x\":[],\"y\":{}},\"a\\u0001\\\"\\n\":\"é\u{65}\u{301}/\",\"z\":[1,-2,18446744073709551615,true,null]}"
        );
        assert_eq!(preimage.key().to_string(), "75dfc9482664193a6596d9f055bbf996f42107322ee1fb2bf5e1d417d88f039d");
        let other_order: Value = serde_json::from_str(
            "{\"B\": {\"x\": [], \"y\": {}},\n \"z\":[1,-2,18446744073709551615,true,null], \"a\\u0001\\\"\\n\":\"ée\u{301}\\/\"}",
        )
        .unwrap();
        assert_eq!(Key::of(&other_order).unwrap(), preimage.key(), "order, white space and optional escapes change nothing");
        assert_eq!(preimage.to_value(), value);
        assert_eq!(preimage.as_str().parse::<Preimage>().unwrap(), preimage);
        assert_eq!(Preimage::of(&preimage.to_value()).unwrap(), preimage);
        assert_ne!(Key::of(&json!({"a": "\u{e9}"})).unwrap(), Key::of(&json!({"a": "e\u{301}"})).unwrap(), "not normalized");
        assert_ne!(Key::of(&json!({"a": 1})).unwrap(), Key::of(&json!({"a": "1"})).unwrap());
        for float in ["0.5", "1.0", "1e3", "18446744073709551616", "-9223372036854775809"] {
            let value: Value = serde_json::from_str(&format!("{{\"a\":[{float}]}}")).unwrap();
            assert!(Key::of(&value).unwrap_err().to_string().contains("not a 64-bit integer"), "{float}");
        }
    }

    #[test]
    fn records_are_json_and_no_changed_bit_or_cut_passes() {
        let record = record("gather", 10_000, Blake3::of(b"abc"));
        let file = record.encode().unwrap();
        assert_eq!(ActionRecord::decode(record.key(), &file).unwrap(), record);
        let json: Value = serde_json::from_slice(&file).unwrap();
        assert_eq!(json["preimage"], record.preimage.to_value());
        assert_eq!(json["preimage_bytes"], record.preimage.as_str().len());
        assert_eq!(json["result"]["output_digest"], Blake3::of(b"abc").to_string());
        for at in 0..file.len() * 8 {
            let mut bad = file.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(ActionRecord::decode(record.key(), &bad).is_err(), "bit {at}");
        }
        for cut in 0..file.len() {
            assert!(ActionRecord::decode(record.key(), &file[..cut]).is_err(), "cut at {cut}");
        }
        assert!(ActionRecord::decode(record.key(), &[&file[..], b"\n"].concat()).is_err());
        assert!(ActionRecord::decode(Key::of(&json!(1)).unwrap(), &file).is_err(), "another action's record");
    }

    #[test]
    fn what_another_version_said_is_kept_and_is_not_a_result() {
        for (stage, extra) in [("gather", json!({"entries": "many"})), ("write", json!({})), ("digest", json!({"a": [1, null]}))] {
            let mut record = record("gather", 1, Blake3::of(b"abc"));
            record.result.said = Said::Foreign { stage: stage.into(), extra: extra.clone() };
            let file = record.encode().unwrap();
            let read = ActionRecord::decode(record.key(), &file).unwrap();
            assert_eq!((read.result.outcome(), read.result.stage_name()), (None, stage));
            assert_eq!(read.encode().unwrap(), file, "its bytes stay");
        }
        assert!(record("gather", 1, Blake3::of(b"abc")).result.outcome().is_some());
    }
}
