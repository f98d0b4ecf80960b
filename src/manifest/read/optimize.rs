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
    /// Seed of the choice of positions and of annealing.
    pub seed: Located<u64>,
    /// The search.
    pub algorithm: Located<Algorithm>,
    /// Bound of annealing, at least 1; only with [`Algorithm::Anneal`], whose own default is meant by `None`.
    pub moves: Option<Located<u64>>,
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
        let greedy = match &algorithm {
            Some(algorithm) => algorithm.value == Algorithm::Greedy,
            None => fields.place("algorithm") == fields.span && !self.in_defaults,
        };
        let asks_for_greedy = greedy && algorithm.is_some();
        let algorithm = algorithm.unwrap_or_else(|| fields.default(Algorithm::default()));
        let mut moves = self.integer::<u64>(&fields, "moves");
        if self.in_defaults {
            self.default_moves = moves.as_ref().map(|moves| moves.span);
        } else if asks_for_greedy && self.default_moves.is_some() {
            // An axis may choose the search, which is known only now: the default means nothing to a net that asks for the greedy one.
            moves = moves.filter(|moves| Some(moves.span) != self.default_moves);
        }
        if let Some(moves) = &moves
            && greedy
        {
            self.problems.push(Problem::new(
                format!("`{path}.moves` needs `algorithm = \"anneal\"`"),
                moves.span,
                "a number of moves",
                "the greedy search ends where no exchange improves it; only annealing counts moves",
                "remove `moves`, or choose `algorithm = \"anneal\"`",
            ));
        }
        let filters = fields.get("filters").and_then(|item| self.filters(&fields.path_of("filters"), item));
        let filters = filters.unwrap_or_else(|| fields.default(Filters::default()));
        let span = fields.span;
        self.finish(fields);
        Some(Optimize { span, data: data??, positions, seed, algorithm, moves, filters })
    }
}
