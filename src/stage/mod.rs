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
mod tests;
