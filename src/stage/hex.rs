//! Digests in records: as their 64 digits.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(super) fn serialize<T: Display, S: Serializer>(digest: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = <Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("a digest has 64 hexadecimal digits"))
}
