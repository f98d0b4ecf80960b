//! A stage with its parameters, and how these enter a key.

use serde_json::{Map, Value, json};

use super::Stage;
use crate::format::nnue::Expectation;
use crate::positions::{Filters, SELECTION_RULE, filter_members, held_out};
use crate::words::{Algorithm, Compression, CompressionChoice, FileFormat, Overflow};

/// An action: a node of the graph.
#[derive(Debug, Clone)]
pub enum Action {
    /// Load a network from a file.
    Load(Box<Load>),
    /// Fold virtual features and factors in.
    Coalesce,
    /// Float → integer.
    Quantize(Quantize),
    /// Positions → activation matrix.
    Gather(Box<Gather>),
    /// Activation matrix → permutation.
    Search(Search),
    /// Reorder the neurons.
    Permute,
    /// Network → file.
    Write(Write),
}

/// Parameters of `load`.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// What the user asserts of the file.
    pub expected: Expectation,
}

/// Parameters of `quantize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantize {
    /// What happens to weights out of range.
    pub overflow: Overflow,
}

/// Parameters of `gather`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// Exact number of positions, at least 1.
    pub positions: u64,
    /// Of the choice.
    pub seed: u64,
    /// Which positions count.
    pub filters: Filters,
}

/// Parameters of `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Search {
    /// How to search.
    pub algorithm: Algorithm,
    /// Of the random numbers of annealing; greedy draws none.
    pub seed: u64,
    /// Moves that annealing tries; `None`: as its sizes say.
    pub moves: Option<u64>,
}

/// Parameters of `write`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What kind of file.
    pub format: FileFormat,
    /// How `.nnue` files are packed; other formats have nothing of it.
    pub compression: CompressionChoice,
    /// How the source is packed, where that is known: what `auto` comes to. Otherwise the network's generation decides.
    pub source_compression: Option<Compression>,
    /// Replaces the network's own.
    pub description: Option<String>,
}

impl Action {
    /// The stage.
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Load(_) => Stage::Load,
            Self::Coalesce => Stage::Coalesce,
            Self::Quantize(_) => Stage::Quantize,
            Self::Gather(_) => Stage::Gather,
            Self::Search(_) => Stage::Search,
            Self::Permute => Stage::Permute,
            Self::Write(_) => Stage::Write,
        }
    }

    /// The parameters as they enter the key: resolved values only, no paths, no spelling, no floats.
    pub fn params(&self) -> Map<String, Value> {
        match self {
            Self::Load(load) => load.params(),
            Self::Coalesce | Self::Permute => Map::new(),
            Self::Quantize(quantize) => members([("overflow", Some(json!(quantize.overflow)))]),
            Self::Gather(gather) => gather.params(),
            Self::Search(search) => search.params(),
            Self::Write(write) => write.params(),
        }
    }
}

impl Load {
    fn params(&self) -> Map<String, Value> {
        let Expectation { features, l1, l2, l3, architecture, quantization, state_dict } = &self.expected;
        members([
            ("features", features.as_ref().map(|features| json!(features))),
            ("l1", l1.map(|size| json!(size))),
            ("l2", l2.map(|size| json!(size))),
            ("l3", l3.map(|size| json!(size))),
            ("architecture", architecture.map(|generation| json!(generation.name))),
            ("quantization", quantization.map(|scales| json!(scales.name))),
            ("state_dict", state_dict.as_ref().map(|path| json!(path))),
        ])
    }
}

impl Gather {
    fn params(&self) -> Map<String, Value> {
        let filters = filter_members(&self.filters);
        members([
            ("positions", Some(json!(self.positions))),
            ("seed", Some(json!(self.seed))),
            ("selection", Some(json!(SELECTION_RULE))),
            ("held_out", Some(json!(held_out(self.positions)))),
            ("filters", (!filters.is_empty()).then_some(Value::Object(filters))),
        ])
    }
}

impl Search {
    /// Only what decides the result: greedy draws no random numbers, so its seed is not part of the key.
    fn params(&self) -> Map<String, Value> {
        let anneals = self.algorithm == Algorithm::Anneal;
        members([
            ("algorithm", Some(json!(self.algorithm))),
            ("seed", anneals.then(|| json!(self.seed))),
            ("moves", self.moves.filter(|_| anneals).map(|moves| json!(moves))),
        ])
    }
}

impl Write {
    /// The compression as it enters the key: by its own name wherever it is known, whoever said it.
    fn settled(&self) -> CompressionChoice {
        self.compression.named().or(self.source_compression).map_or(CompressionChoice::Auto, Into::into)
    }

    fn params(&self) -> Map<String, Value> {
        members([
            ("format", Some(json!(self.format))),
            ("compression", (self.format == FileFormat::Nnue).then(|| json!(self.settled()))),
            ("description", self.description.as_ref().map(|text| json!(text))),
        ])
    }
}

/// An object of the members that have a value.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(action: &Action) -> String {
        let params: std::collections::BTreeMap<_, _> = action.params().into_iter().collect();
        serde_json::to_string(&params).unwrap()
    }

    #[test]
    fn filters_are_in_the_key_only_where_they_are_on() {
        let gather = |filters| key(&Action::Gather(Box::new(Gather { positions: 200, seed: 7, filters })));
        // As it was before there were filters: caches and lock files stay good.
        assert_eq!(gather(Filters::default()), r#"{"held_out":200,"positions":200,"seed":7,"selection":1}"#);
        let filtered = Filters { filtered: true, ..Filters::default() };
        assert_eq!(gather(filtered), r#"{"filters":{"filtered":true},"held_out":200,"positions":200,"seed":7,"selection":1}"#);
    }

    #[test]
    fn only_what_decides_the_result_is_in_the_key() {
        let greedy = Search { seed: 3, moves: Some(5), ..Search::default() };
        assert_eq!(key(&Action::Search(greedy)), r#"{"algorithm":"greedy"}"#);
        let anneal = Search { algorithm: Algorithm::Anneal, seed: 3, moves: None };
        assert_eq!(key(&Action::Search(anneal)), r#"{"algorithm":"anneal","seed":3}"#);
        let packed = |format, compression, source_compression| {
            key(&Action::Write(Write { format, compression, source_compression, description: None }))
        };
        let write = |format| packed(format, CompressionChoice::None, None);
        assert_eq!(write(FileFormat::Nnue), r#"{"compression":"none","format":"nnue"}"#);
        // What the source has is what a user would have named; what nobody says is settled by the network.
        for (choice, source, name) in [
            (CompressionChoice::Auto, Some(Compression::None), "none"),
            (CompressionChoice::Auto, Some(Compression::Leb128), "leb128"),
            (CompressionChoice::Leb128, Some(Compression::None), "leb128"),
            (CompressionChoice::Auto, None, "auto"),
        ] {
            assert_eq!(packed(FileFormat::Nnue, choice, source), format!(r#"{{"compression":"{name}","format":"nnue"}}"#));
        }
        assert_eq!(write(FileFormat::Npz), r#"{"format":"npz"}"#);
    }
}
