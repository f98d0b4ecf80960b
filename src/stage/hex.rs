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

/// Of a digest that there need not be.
pub(super) mod optional {
    use super::{Cow, Deserialize, Deserializer, Display, Error, FromStr, Serializer};

    pub(in super::super) fn serialize<T: Display, S: Serializer>(digest: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => super::serialize(digest, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        let text = <Option<Cow<'de, str>>>::deserialize(deserializer)?;
        let digest = |text: Cow<'de, str>| text.parse().map_err(|_| D::Error::custom("a digest has 64 hexadecimal digits"));
        text.map(digest).transpose()
    }
}
