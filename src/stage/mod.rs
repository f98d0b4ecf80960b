//! The vocabulary of builds: which stages there are, what each is told, what it reads, and what it says of its result.
//!
//! Graph, cache, build and executors speak in these types. Nothing here runs a stage, opens a file or knows the manifest. A new stage
//! is a variant of [`Stage`] and [`Action`] with a struct of its own; every `match` over them names each, so that it does not compile
//! until all of them handle it.

mod action;
mod outcome;
mod role;

pub use action::{Action, Gather, Load, Quantize, Search, Write};
pub use outcome::{Counts, Outcome, Quantized, Sampled, Searched, Written};
pub use role::Role;

use serde::{Deserialize, Serialize};

/// The stages, in the order in which a net passes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// File → network.
    Load,
    /// Virtual features and factors folded in.
    Coalesce,
    /// Float → integer.
    Quantize,
    /// Positions → activation matrix.
    Gather,
    /// Activation matrix → permutation.
    Search,
    /// Neurons reordered.
    Permute,
    /// Network → bytes of a file.
    Write,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Load, Self::Coalesce, Self::Quantize, Self::Gather, Self::Search, Self::Permute, Self::Write];

    /// Its name in manifests, keys and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Coalesce => "coalesce",
            Self::Quantize => "quantize",
            Self::Gather => "gather",
            Self::Search => "search",
            Self::Permute => "permute",
            Self::Write => "write",
        }
    }

    /// The stage of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Raised whenever the stage gives other bytes for the same inputs and parameters: old results are no longer used then.
    pub const fn version(self) -> u32 {
        match self {
            Self::Load | Self::Coalesce | Self::Quantize | Self::Gather | Self::Search | Self::Permute | Self::Write => 1,
        }
    }

    /// Whether the result is worth its place in the cache; the others are cheap to compute again and only recorded by their digest.
    pub const fn is_stored(self) -> bool {
        match self {
            Self::Gather | Self::Search => true,
            Self::Load | Self::Coalesce | Self::Quantize | Self::Permute | Self::Write => false,
        }
    }

    /// Whether the result still reads the files that it was made from: float weights stay in their file until they are used.
    pub const fn reads_late(self) -> bool {
        match self {
            Self::Load | Self::Coalesce => true,
            Self::Quantize | Self::Gather | Self::Search | Self::Permute | Self::Write => false,
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_found_by_its_name() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(stage));
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
        assert_eq!(Stage::named("load "), None);
    }
}
