//! `[net.NAME.optimize]`: the search for a permutation.

use super::{
    super::{
        keys,
        text::{Located, Problem, Span},
        tree::Item,
    },
    reader::Reader,
};
use crate::{
    positions::{DEFAULT_POSITIONS, Filters},
    words::Algorithm,
};

/// A `[net.NAME.optimize]` table as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimize {
    /// The table's header.
    pub span: Span,
    /// Name of a `[data.NAME]` table.
    pub data: Located<String>,
    /// Exact number of positions, at least 1.
    pub positions: Located<u64>,
    /// Seed of the choice of positions and of the search.
    pub seed: Located<u64>,
    /// The search.
    pub algorithm: Located<Algorithm>,
    /// How much of [`Algorithm::budget`] is spent; `None` means the algorithm's own default.
    pub budget: Option<Located<u64>>,
    /// Which positions count, checked by [`Filters::validate`]; the place is that of the `filters` table.
    pub filters: Located<Filters>,
}

impl Reader<'_> {
    pub(super) fn optimize(&mut self, path: &str, item: &Item) -> Option<Optimize> {
        let fields = self.table(&keys::OPTIMIZE, path, item)?;
        let data = self.required(&fields, "data").map(|(key, item)| self.data_name(&key, item));
        let positions = self.integer(&fields, "positions").unwrap_or_else(|| fields.default(DEFAULT_POSITIONS));
        let seed = self.integer(&fields, "seed").unwrap_or_else(|| fields.default(0));
        let algorithm = self.word::<Algorithm>(&fields, "algorithm");
        // What a net asks for; a default may give it, and then nothing is judged before it is known.
        let chosen = match &algorithm {
            Some(algorithm) => Some(algorithm.value),
            None => (fields.place("algorithm") == fields.span && !self.in_defaults).then(Algorithm::default),
        };
        let is_asked_for = algorithm.is_some();
        let algorithm = algorithm.unwrap_or_else(|| fields.default(Algorithm::default()));
        let mut budget = None;
        for &of in Algorithm::ALL {
            let Some(key) = of.budget() else { continue };
            let Some(value) = self.integer::<u64>(&fields, key) else { continue };
            if self.in_defaults {
                self.default_budgets.push(value.span);
            } else if is_asked_for && chosen != Some(of) && self.default_budgets.contains(&value.span) {
                // An axis may choose the search, which is known only now: the default means nothing to a net that asks for another one.
                continue;
            }
            if chosen.is_some_and(|chosen| chosen != of) {
                let name = of.name();
                self.problems.push(Problem::new(
                    format!("`{path}.{key}` needs `algorithm = \"{name}\"`"),
                    value.span,
                    match of {
                        Algorithm::Greedy | Algorithm::Anneal => "a number of moves",
                        Algorithm::Assign => "a number of steps",
                    },
                    match chosen.and_then(Algorithm::budget) {
                        None => "the greedy search ends where no exchange improves it".to_owned(),
                        Some(own) => format!("what bounds `{}` is `{own}`", algorithm.value.name()),
                    },
                    format!("remove `{key}`, or choose `algorithm = \"{name}\"`"),
                ));
            }
            budget = Some(value);
        }
        let filters = fields.get("filters").and_then(|item| self.filters(&fields.path_of("filters"), item));
        let filters = filters.unwrap_or_else(|| fields.default(Filters::default()));
        let span = fields.span;
        self.finish(fields);
        Some(Optimize { span, data: data??, positions, seed, algorithm, budget, filters })
    }
}
