//! `[net.NAME.prove]`: the proof that the published file evaluates as its source does.

use super::{
    super::{
        keys,
        text::{Located, Span},
        tree::Item,
    },
    reader::Reader,
    values::Fields,
};

/// What a net says of proofs.
#[derive(Debug, Clone, PartialEq)]
pub enum Proving {
    /// Nothing: on where positions are at hand.
    Unsaid,
    /// `false`.
    Off,
    /// A table.
    As(Box<Prove>),
}

/// A `[net.NAME.prove]` table as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Prove {
    /// The table's header.
    pub span: Span,
    /// Name of a `[data.NAME]` table; `None`: that of `optimize`.
    pub data: Option<Located<String>>,
    /// Exact number of positions, at least 1.
    pub positions: Option<Located<u64>>,
    /// Seed of the choice of positions.
    pub seed: Located<u64>,
    /// Largest error of quantizing that is accepted.
    pub max_error: Option<Located<f64>>,
    /// Mean error of quantizing that is accepted.
    pub mean_error: Option<Located<f64>>,
}

impl Reader<'_> {
    /// What the fields of a net say of it.
    pub(super) fn proving(&mut self, net: &Fields<'_>) -> Proving {
        match (net.get("prove"), net.get_unless_off("prove")) {
            (None, _) => Proving::Unsaid,
            (Some(_), None) => Proving::Off,
            // One that is wrong has been reported.
            (Some(_), Some(item)) => self.prove(&net.path_of("prove"), item).map_or(Proving::Unsaid, |prove| Proving::As(Box::new(prove))),
        }
    }

    fn prove(&mut self, path: &str, item: &Item) -> Option<Prove> {
        let fields = self.table(&keys::PROVE, path, item)?;
        let data = match fields.get("data") {
            Some(item) => Some(self.data_name(&fields.path_of("data"), item)?),
            None => None,
        };
        let positions = self.integer(&fields, "positions");
        let seed = self.integer(&fields, "seed").unwrap_or_else(|| fields.default(0));
        // A limit of -0 is one of 0.
        let mut limit = |key: &str| self.number(&fields, key).map(|value| Located { value: value.abs(), span: fields.place(key) });
        let (max_error, mean_error) = (limit("max_error"), limit("mean_error"));
        let span = fields.span;
        self.finish(fields);
        Some(Prove { span, data, positions, seed, max_error, mean_error })
    }
}
