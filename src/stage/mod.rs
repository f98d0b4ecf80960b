//! The vocabulary of builds: which stages there are, what each is told, what it reads, and what it says of its result.
//!
//! Graph, cache, build and executors speak in these types. Nothing here runs a stage, opens a file or knows the manifest. A new stage
//! is a row here and a file with its parameters and its outcome. What else depends on it matches [`Action`] or [`Stored`] and names each
//! variant, so that it does not compile until all of them are handled.

mod declare;
mod described;
mod engine;
mod gather;
mod hex;
pub mod lc0;
mod load;
mod permute;
mod prove;
mod quantize;
mod role;
mod search;
mod write;

pub use described::{Described, Work};
pub use engine::{Against, Engine, Exported, Played, Speed};
pub use gather::{Gather, Overflow, Sampled};
use lc0::{Blend, Encode, Fold, Heads, ReadWeights, WriteWeights};
pub use load::Load;
pub use permute::Permuted;
pub use prove::{Deviation, Prove, Proved};
pub use quantize::{Quantize, Quantized};
pub use role::Role;
pub use search::{Counts, Search, Searched};
pub use write::{Write, Written};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Whose stages there are: what the families of networks are called here, which know nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The trainer's networks.
    Trainer,
    /// Networks of lc0.
    Lc0,
    /// Networks that an architecture file describes.
    Described,
}

declare::stages! {
    /// File → network.
    Load = "load", version 1, of Trainer, told (load: Box<Load>), says ();
    /// Several networks → one.
    Blend = "blend", version 1, of Lc0, told (blend: Box<Blend>), says ();
    /// Some heads kept, the others removed.
    Heads = "heads", version 1, of Lc0, told (heads: Heads), says ();
    /// Batch norms folded into convolutions.
    Fold = "fold", version 1, of Lc0, told (fold: Fold), says ();
    /// Layers stored in another way.
    Encode = "encode", version 1, of Lc0, told (encode: Encode), says ();
    /// Virtual features and factors folded in.
    Coalesce = "coalesce", version 1, of Trainer, told (), says ();
    /// Float → integer.
    Quantize = "quantize", version 1, of Trainer, told (quantize: Quantize), says (quantized: Quantized);
    /// Positions → activation matrix.
    Gather = "gather", version 1, of Trainer, told (gather: Box<Gather>), says (sampled: Sampled);
    /// Activation matrix → permutation.
    Search = "search", version 1, of Trainer, told (search: Search), says (searched: Box<Searched>);
    /// Neurons reordered.
    Permute = "permute", version 1, of Trainer, told (), says (permuted: Permuted);
    /// Network → bytes of a file.
    Write = "write", version 1, of Trainer, told (write: Write), says (written: Written);
    /// A written file evaluates as its source does.
    Prove = "prove", version 1, of Trainer, told (prove: Prove), says (proved: Box<Proved>);
    /// A real engine plays with a written file as with its source.
    Engine = "engine", version 1, of Trainer, told (engine: Box<Engine>), says (played: Box<Played>);
    also
    /// Weight file of lc0 → network, its layers as they are stored.
    ReadWeights: Load, of Lc0, told (read_weights: ReadWeights);
    /// Network of lc0 → bytes of a file.
    WriteWeights: Write, of Lc0, told (write_weights: Box<WriteWeights>);
}

/// A result that is worth its place in the cache.
#[derive(Debug, Clone, Copy)]
pub enum Stored<'a> {
    /// The activation matrices that `gather` gives.
    Matrices(&'a Gather),
    /// A permutation.
    Permutation,
}

impl Action {
    /// What is stored of its result. The others are cheap to compute again and only recorded by their digest.
    pub const fn stored(&self) -> Option<Stored<'_>> {
        match self {
            Self::Gather(gather) => Some(Stored::Matrices(gather)),
            Self::Search(_) => Some(Stored::Permutation),
            Self::ReadWeights(_) | Self::Blend(_) | Self::Heads(_) | Self::Fold(_) | Self::Encode(_) | Self::WriteWeights(_) => None,
            Self::Described(described) => match described.gather() {
                Some(gather) => Some(Stored::Matrices(gather)),
                None => None,
            },
            Self::Load(_) | Self::Coalesce | Self::Quantize(_) | Self::Permute => None,
            Self::Write(_) | Self::Prove(_) | Self::Engine(_) => None,
        }
    }

    /// What is shown of the parameters where there is room for a line: those that a user chose.
    pub fn shown_params(&self) -> Map<String, Value> {
        match self {
            Self::Described(described) => described.shown(),
            Self::Load(_) | Self::Coalesce | Self::Quantize(_) | Self::Gather(_) | Self::Search(_) | Self::Permute => self.params(),
            Self::ReadWeights(_) | Self::Blend(_) | Self::Heads(_) | Self::Fold(_) | Self::Encode(_) => self.params(),
            Self::Write(_) | Self::WriteWeights(_) | Self::Prove(_) | Self::Engine(_) => self.params(),
        }
    }

    /// The action of the trainer's networks that has exactly these parameters, of the stages that may run elsewhere: [`Self::runs_anywhere`].
    pub fn of_params(stage: Stage, params: &Map<String, Value>) -> Option<Self> {
        // Nothing is left out, and nothing is there that would mean something else to whoever wrote it.
        Self::like(stage, params).filter(|action| action.params() == *params)
    }

    /// One that takes about as long as the action with these parameters, of the stages that may run elsewhere.
    pub fn like(stage: Stage, params: &Map<String, Value>) -> Option<Self> {
        match stage {
            Stage::Gather => Gather::of_params(params).map(|gather| Self::Gather(Box::new(gather))),
            Stage::Search => Search::of_params(params).map(Self::Search),
            Stage::Prove => Prove::of_params(params).map(Self::Prove),
            Stage::Load | Stage::Blend | Stage::Heads | Stage::Fold | Stage::Encode | Stage::Coalesce => None,
            Stage::Quantize | Stage::Permute | Stage::Write | Stage::Engine => None,
        }
    }

    /// Whether it may run on another machine: what it needs can travel, and its result is small enough to come back.
    pub const fn runs_anywhere(&self) -> bool {
        match self {
            Self::Gather(_) | Self::Search(_) | Self::Prove(_) => true,
            Self::Load(_) | Self::Coalesce | Self::Quantize(_) | Self::Permute | Self::Write(_) | Self::Engine(_) => false,
            Self::ReadWeights(_) | Self::Blend(_) | Self::Heads(_) | Self::Fold(_) | Self::Encode(_) | Self::WriteWeights(_) => false,
            Self::Described(described) => described.gather().is_some(),
        }
    }

    /// Whether its result may be read back from a file that was written of it sooner than it is made again: it takes a checkpoint to
    /// make it.
    pub const fn is_read_back(&self) -> bool {
        match self {
            Self::Quantize(_) => true,
            Self::Load(_) | Self::Coalesce | Self::Gather(_) | Self::Search(_) | Self::Permute => false,
            Self::Write(_) | Self::Prove(_) | Self::Engine(_) | Self::Described(_) => false,
            Self::ReadWeights(_) | Self::Blend(_) | Self::Heads(_) | Self::Fold(_) | Self::Encode(_) | Self::WriteWeights(_) => false,
        }
    }

    /// What another machine is asked in its place: the same, of what travels. Floats do not, so a proof leaves out what it finds of them.
    pub fn elsewhere(&self) -> Self {
        match self {
            Self::Prove(prove) => Self::Prove(prove.without_floats()),
            other => other.clone(),
        }
    }

    /// Whether all that comes of it is what it says: it has no artifact.
    pub const fn is_finding(&self) -> bool {
        matches!(self.stage(), Stage::Prove | Stage::Engine)
    }

    /// Whether its result is stored.
    pub const fn is_stored(&self) -> bool {
        self.stored().is_some()
    }

    /// Whether the result still reads the files that it was made from: float weights and stored layers stay in their file
    /// until they are used.
    pub const fn reads_late(&self) -> bool {
        match self {
            Self::Load(_) | Self::Coalesce => true,
            Self::ReadWeights(_) | Self::Blend(_) | Self::Heads(_) | Self::Fold(_) | Self::Encode(_) => true,
            Self::Quantize(_)
            | Self::Gather(_)
            | Self::Search(_)
            | Self::Permute
            | Self::Write(_)
            | Self::WriteWeights(_)
            | Self::Prove(_)
            | Self::Engine(_) => false,
            Self::Described(described) => described.reads_late(),
        }
    }
}

impl Outcome {
    /// The sums that were seen to overflow.
    pub fn overflow(&self) -> Option<&Overflow> {
        let gathered = self.sampled().and_then(|sampled| sampled.overflow.as_ref());
        gathered.or_else(|| self.proved().and_then(|proved| proved.overflow.as_ref()))
    }
}

impl Stage {
    /// Whether it gives the same wherever it runs. What the engine of a machine does is nothing that locks, statements and rebuilds tell of.
    pub const fn is_reproducible(self) -> bool {
        match self {
            Self::Load | Self::Blend | Self::Heads | Self::Fold | Self::Encode | Self::Coalesce | Self::Quantize => true,
            Self::Gather | Self::Search | Self::Permute | Self::Write | Self::Prove => true,
            Self::Engine => false,
        }
    }

    /// The stage of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stage| stage.name() == name)
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

fn read<T: DeserializeOwned>(stage: Stage, value: &Value) -> Result<T> {
    T::deserialize(value)
        .map_err(|error| Error::new(format!("a record of `{}` does not hold what that stage says", stage.name())).because(error))
}

/// An object of the members that have a value.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The parameters as text, for tests.
#[cfg(test)]
fn key(action: &Action) -> String {
    let params: std::collections::BTreeMap<_, _> = action.params().into_iter().collect();
    serde_json::to_string(&params).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Blake3, Sha256};

    #[test]
    fn every_stage_is_found_by_its_name() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(*stage));
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
        assert_eq!(Stage::named("load "), None);
    }

    #[test]
    fn what_runs_anywhere_is_known_by_its_parameters_alone() {
        let filters = crate::positions::Filters { filtered: true, pc_y1: Some(0.5), ..Default::default() };
        let gather = |filters| Action::Gather(Box::new(Gather { positions: 9, seed: 3, filters }));
        let search = |algorithm, seed, budget| Action::Search(Search { algorithm, seed, budget });
        let prove = |sums| Action::Prove(Prove { positions: 9, seed: 3, max_error: None, mean_error: None, sums });
        let actions = [
            prove(false),
            prove(true),
            gather(filters),
            gather(Default::default()),
            search(crate::words::Algorithm::Greedy, 0, None),
            search(crate::words::Algorithm::Anneal, 4, None),
            search(crate::words::Algorithm::Anneal, 4, Some(1)),
            search(crate::words::Algorithm::Assign, 5, Some(0)),
        ];
        for action in actions {
            let read = Action::of_params(action.stage(), &action.params()).unwrap();
            assert_eq!((format!("{read:?}"), read.runs_anywhere()), (format!("{action:?}"), true));
            let with = |name: &str, value: Value| {
                let mut params = action.params();
                params.insert(name.to_owned(), value);
                Action::of_params(action.stage(), &params)
            };
            assert!(with("rule", json!(1)).is_none() && with("selection", json!(99)).is_none(), "{action:?}");
            for name in action.params().keys().filter(|name| !["filters", "moves", "effort", "sums"].contains(&name.as_str())) {
                let mut params = action.params();
                params.shift_remove(name);
                assert!(Action::of_params(action.stage(), &params).is_none(), "{action:?} without {name}");
                assert!(with(name, json!("x")).is_none(), "{action:?} with another {name}");
            }
        }
        assert!(Action::of_params(Stage::Coalesce, &Map::new()).is_none());
        // Of floats nothing is asked elsewhere.
        let limited = Action::Prove(Prove { positions: 9, seed: 3, max_error: Some(1.0), mean_error: None, sums: true });
        assert!(Action::of_params(Stage::Prove, &limited.params()).is_none());
        assert_eq!(limited.elsewhere().params(), prove(true).params());
    }

    #[test]
    fn what_records_keep_reads_back() {
        let counts = Counts { positions: 10, blocks: 2560, zero_before: 1200, zero_after: 1300 };
        let outcomes = [
            Outcome::Load,
            Outcome::Blend,
            Outcome::Heads,
            Outcome::Fold,
            Outcome::Encode,
            Outcome::Coalesce,
            Outcome::Quantize(Quantized { clamped: vec![("l1.weight".into(), 2)], overflowed: Vec::new() }),
            Outcome::Gather(Sampled { entries: 9, in_check: 1, filtered: 2, chunks_visited: 3, chunks: 4, looked_at: 5, overflow: None }),
            Outcome::Gather(Sampled {
                overflow: Some(Overflow { positions: 9, neurons: 2, neuron: 1, low: -40_000, high: 3 }),
                ..Sampled::default()
            }),
            Outcome::Search(Box::new(Searched { train: counts, held_out: None, swaps: 1, cycles: 2, moves: 3 })),
            Outcome::Search(Box::new(Searched { train: counts, held_out: Some(counts), swaps: 1, cycles: 2, moves: 3 })),
            Outcome::Permute(Permuted::default()),
            Outcome::Permute(Permuted { largest_sum: Some(64_516) }),
            Outcome::Write(Written::new(Sha256::of(b""))),
            Outcome::Write(Written { sha256: Sha256::of(b""), content: Some(Sha256::of(b"x")) }),
            Outcome::Prove(Box::new(Proved { positions: 7, seed: 1, digest: Blake3::of(b""), error: None, looked_at: 0, overflow: None })),
            Outcome::Prove(Box::new(Proved {
                positions: 7,
                seed: 1,
                digest: Blake3::of(b""),
                error: Some(Deviation { positions: 5, mean: 0.123, max: 17.25 }),
                looked_at: 7,
                overflow: Some(Overflow { positions: 7, neurons: 1, neuron: 0, low: 0, high: 40_000 }),
            })),
            Outcome::Engine(Box::new(Played { name: "Fish 1".into(), nodes: None, against: None, exported: None, speed: None })),
            Outcome::Engine(Box::new(Played {
                name: "Fish 1".into(),
                nodes: Some(u64::MAX),
                against: Some(Against::Unpermuted),
                exported: Some(Exported::Content),
                speed: Some(Speed { pairs: 20, ratio: 1.0625, low: 1.03125, high: 1.125 }),
            })),
        ];
        for outcome in outcomes {
            assert_eq!(Outcome::from_json(outcome.stage(), &outcome.to_json()).unwrap(), outcome);
        }
        assert_eq!(Outcome::from_json(Stage::Permute, &json!({})).unwrap(), Outcome::Permute(Permuted::default()), "as it once was");
        assert!(Outcome::from_json(Stage::Write, &json!({"sha256": "12"})).is_err());
        assert!(Outcome::from_json(Stage::Search, &json!({})).is_err());
    }
}
