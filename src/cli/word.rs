//! Options whose values are [`Word`]s: clap lists the names, helps with them and completes them from the one table that there is.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::words::{self, Word};

/// A parser of one of the names of `W`.
pub(crate) fn word<W: Word>() -> impl TypedValueParser<Value = W> {
    let values = W::all().into_iter().map(|word| PossibleValue::new(word.name()).help(word.about()));
    PossibleValuesParser::new(values.collect::<Vec<_>>()).try_map(|name| words::parse::<W>(&name))
}
