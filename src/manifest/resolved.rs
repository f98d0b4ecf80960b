//! What is built in the end: one value a net, with all that its table, the defaults, the matrix and the disk make of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{
    identity::FilePath,
    output::Output,
    publish::Release,
    read::{Data, Edits, Engine, Source},
    text::{Located, Span, hashed_without_place},
};
use crate::{
    files::Blake3,
    net::Description,
    positions::Filters,
    words::{Algorithm, Allow, CompressionChoice},
};

/// One net to build: all names are resolved, all placeholders filled.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedNet {
    /// Unique name.
    pub name: String,
    /// The name in the manifest.
    pub span: Span,
    /// Of a net that a sweep or `[matrix]` made: the name as written.
    pub sweep: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// The architecture of a source whose claims name one that is described.
    pub described: Option<Arc<Description>>,
    /// Text for the file's header; `None` keeps the source's, or the writer's default.
    pub description: Option<Located<String>>,
    /// Of `.nnue` outputs.
    pub compression: Located<CompressionChoice>,
    /// At least one.
    pub outputs: Vec<Output>,
    /// A permutation file (`.npy`) to apply; never together with `optimize`.
    pub permutation: Option<Located<FilePath>>,
    /// Search for a permutation.
    pub optimize: Option<ResolvedOptimize>,
    /// What is done to a network of lc0.
    pub edits: Edits<Source>,
    /// What is known of a described network and accepted.
    pub allow: Option<Located<Allow>>,
    /// Proof that the published `.nnue` file evaluates as its source does.
    pub prove: Option<ResolvedProve>,
    /// The engine that plays with the written `.nnue` file before it gets its name.
    pub engine: Option<Engine<FilePath>>,
    /// What is said of the published files.
    pub release: Release,
}

hashed_without_place!(ResolvedNet {
    name,
    sweep,
    source,
    described,
    description,
    compression,
    outputs,
    permutation,
    optimize,
    edits,
    allow,
    prove,
    engine,
    release,
});
hashed_without_place!(ResolvedOptimize { data, positions, seed, algorithm, budget, filters });

impl Hash for ResolvedProve {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { span: _, data, positions, seed, max_error, mean_error } = self;
        (data, positions, seed).hash(state);
        [max_error, mean_error].map(|limit| limit.as_ref().map(|limit| limit.value.to_bits())).hash(state);
    }
}

/// A digest as what values hash themselves into.
struct Digesting(blake3::Hasher);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of the digest its beginning.
    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        u64::from_le_bytes(*digest.as_bytes().first_chunk().expect("32 bytes begin with 8"))
    }
}

impl ResolvedNet {
    /// Digest of all that is said of the net, wherever in the manifest it stands. Only for this build of the program: the next one may
    /// know more of nets.
    pub fn definition(&self) -> Blake3 {
        let mut digesting = Digesting(blake3::Hasher::new_derive_key("nnue 2026-11 definition of a net"));
        self.hash(&mut digesting);
        Blake3(digesting.0.finalize().into())
    }

    /// Whether it is the net's name, or that of the sweep that it comes from.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.sweep.as_deref() == Some(name)
    }

    /// All networks that it is made of, its own source first.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.source).chain(self.edits.sources())
    }

    /// The names of the nets that it is made from.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        self.sources().filter_map(|source| source.net.as_deref())
    }

    /// The same as [`Self::sources`], to be changed.
    pub(super) fn sources_mut(&mut self) -> impl Iterator<Item = &mut Source> {
        std::iter::once(&mut self.source).chain(self.edits.sources_mut())
    }

    /// The positions that its stages read; twice where a proof takes those of the search.
    pub fn data(&self) -> impl Iterator<Item = &Data> {
        self.optimize.iter().map(|optimize| &optimize.data).chain(self.prove.iter().map(|prove| &prove.data))
    }
}

/// [`super::Prove`] with its data looked up, or what holds where nothing is said.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedProve {
    /// The table's header; of a net without one, that of `optimize`.
    pub span: Span,
    /// Positions to choose from.
    pub data: Data,
    /// Exact number of positions, at least 1.
    pub positions: Located<u64>,
    /// Seed of the choice of positions.
    pub seed: Located<u64>,
    /// Largest error of quantizing that is accepted, in the engine's internal units.
    pub max_error: Option<Located<f64>>,
    /// Mean error of quantizing that is accepted, in the same units.
    pub mean_error: Option<Located<f64>>,
}

/// [`super::Optimize`] with its data looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedOptimize {
    /// The table's header.
    pub span: Span,
    /// Positions to choose from.
    pub data: Data,
    /// Exact number of positions, at least 1.
    pub positions: Located<u64>,
    /// Seed of the choice of positions and of the search.
    pub seed: Located<u64>,
    /// The search.
    pub algorithm: Located<Algorithm>,
    /// How much of [`Algorithm::budget`] is spent; `None` means the algorithm's default.
    pub budget: Option<Located<u64>>,
    /// Which positions count.
    pub filters: Located<Filters>,
}
