//! The library's face: what a program that uses this crate sees of it.
//!
//! A [`Net`] is a network in integers, as an engine holds it. It is opened from any file that the command line reads, and everything that
//! is done with it goes the way that `nnue build` goes, to the same bytes. The rooms behind it are not part of the interface.

mod tensors;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use tensors::{Tensor, Values, read_tensors};

use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::evaluate::Evaluator;
use crate::family::nnue::stages::load::load_permutation;
use crate::family::nnue::stages::permute::permute;
use crate::family::nnue::stages::pipeline::{self, Content, Integers, Target, Weights};
use crate::files::{Durability, HashingWriter, Sha256, write_atomic};
use crate::format::content_name::net_name;
use crate::format::nnue::Expectation;
use crate::net::{self, Permutation, QuantizedNetwork};
use crate::permutation;
use crate::positions::{Filters, Position};
use crate::stage;
use crate::words::{Algorithm, Compression, CompressionChoice, FileFormat, Overflow};

/// How a file is opened: what the user knows of it that the file does not say. Everything may be left out.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    architecture: Option<String>,
    features: Option<String>,
    quantization: Option<String>,
    overflow: Overflow,
}

impl OpenOptions {
    /// Nothing is asserted; weights that do not fit their type are errors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asserts the generation, such as `SFNNv9`. A file that is of another one is refused.
    #[must_use]
    pub fn architecture(mut self, name: impl Into<String>) -> Self {
        self.architecture = Some(name.into());
        self
    }

    /// Asserts the feature set, by the trainer's name: `HalfKAv2_hm`.
    #[must_use]
    pub fn features(mut self, name: impl Into<String>) -> Self {
        self.features = Some(name.into());
        self
    }

    /// Asserts the scales, by name: `ft127` or `ft255`. `.nnue` files never record them, and not all checkpoints do.
    #[must_use]
    pub fn quantization(mut self, name: impl Into<String>) -> Self {
        self.quantization = Some(name.into());
        self
    }

    /// What happens to weights of a checkpoint that do not fit their integer type.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Opens the network in `path`: a `.nnue` file, an engine with one inside, or a checkpoint, which is quantized; packed or not.
    ///
    /// # Errors
    /// When the file cannot be read, holds no network or a damaged one, contradicts what is asserted, or leaves open what must be known.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Net> {
        let expected = self.expectation()?;
        let Integers { network, compression, candidates, .. } =
            pipeline::load_integers(path.as_ref(), &stage::Load { expected }, stage::Quantize { overflow: self.overflow }, &Ctx::silent())?;
        Ok(Net { network: Arc::new(network), compression, candidates })
    }

    fn expectation(&self) -> Result<Expectation> {
        let architecture = self.architecture.as_deref().map(crate::words::parse::<&'static net::Generation>);
        let quantization = self.quantization.as_deref().map(crate::words::parse::<&'static net::Quantization>);
        Ok(Expectation {
            features: self.features.clone(),
            architecture: architecture.transpose().map_err(|unknown| Error::usage(unknown.to_string()))?,
            quantization: quantization.transpose().map_err(|unknown| Error::usage(unknown.to_string()))?,
            ..Expectation::default()
        })
    }
}

/// A network in integers. Cheap to clone.
///
/// ```
/// # fn main() -> nnue::Result<()> {
/// let net = nnue::Net::open("examples/quickstart/random.nnue")?;
/// assert_eq!(net.features(), "HalfKAv2_hm");
/// let start = net.evaluate("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1")?;
/// println!("bucket {}: {} for the side to move", start.bucket, start.value());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Net {
    network: Arc<QuantizedNetwork>,
    compression: Option<Compression>,
    candidates: Vec<&'static str>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("architecture", &self.architecture()).field("l1", &self.l1()).finish_non_exhaustive()
    }
}

/// What an engine computes of a position, in its own integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Evaluation {
    /// The layer stack and piece-square column that the position's number of pieces chooses.
    pub bucket: usize,
    /// The piece-square part, for the side to move, before any division.
    pub psqt: i32,
    /// The layers' part, for the side to move, before any division.
    pub positional: i32,
}

impl Evaluation {
    /// What the engine takes for the side to move, in its internal units.
    #[must_use]
    pub fn value(self) -> i32 {
        crate::evaluate::Raw { psqt: self.psqt, positional: self.positional }.value()
    }
}

/// A permutation that a search found, and what it gains on the positions that the search used.
#[derive(Debug, Clone)]
pub struct Found {
    /// To be given to [`Net::permuted`].
    pub permutation: Permutation,
    /// Blocks of four activations that are zero in the order that the network had.
    pub zero_before: u64,
    /// Those that are zero in the order that was found; never fewer.
    pub zero_after: u64,
    /// All blocks.
    pub blocks: u64,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, 64 hexadecimal digits.
    pub sha256: String,
    /// `nn-<the first twelve digits>.nnue`: the name under which the engine and the testing framework know such a net.
    pub name: String,
}

impl Net {
    /// Opens a file of which nothing more is known: see [`OpenOptions::open`].
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// The generation, such as `SFNNv9`.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        self.network.architecture.generation.name
    }

    /// Every generation that the file can be of, oldest first. More than one where the bytes are the same for several.
    #[must_use]
    pub fn candidates(&self) -> &[&'static str] {
        &self.candidates
    }

    /// The feature set, by the trainer's name.
    #[must_use]
    pub fn features(&self) -> String {
        self.network.architecture.features.name()
    }

    /// The scales: `ft127` or `ft255`.
    #[must_use]
    pub fn quantization(&self) -> &'static str {
        self.network.architecture.quantization.name
    }

    /// Outputs of the feature transformer, of one side.
    #[must_use]
    pub fn l1(&self) -> usize {
        self.network.architecture.l1
    }

    /// Outputs of the first dense layer.
    #[must_use]
    pub fn l2(&self) -> usize {
        self.network.architecture.l2
    }

    /// Outputs of the second dense layer.
    #[must_use]
    pub fn l3(&self) -> usize {
        self.network.architecture.l3
    }

    /// The description that the file carries. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn description(&self) -> String {
        String::from_utf8_lossy(&self.network.description).into_owned()
    }

    /// What the engine of this generation computes of a position.
    ///
    /// # Errors
    /// When `fen` is not a position, or no engine evaluates such a network.
    pub fn evaluate(&self, fen: &str) -> Result<Evaluation> {
        let position = Position::from_fen(fen).map_err(|error| error.kind_is(Kind::Usage))?;
        let evaluations = Evaluator::new(&self.network)?.evaluate(&[position], &Ctx::silent())?;
        let crate::evaluate::Evaluation { bucket, raw } = evaluations.first().copied().unwrap_or_default();
        Ok(Evaluation { bucket, psqt: raw.psqt, positional: raw.positional })
    }

    /// The same network with its neuron pairs in another order. It evaluates every position as before.
    ///
    /// # Errors
    /// When the architecture has no pairs, or the permutation is of another number of them than L1/2.
    pub fn permuted(&self, permutation: &Permutation) -> Result<Self> {
        let mut network = QuantizedNetwork::clone(&self.network);
        permute(&mut network, permutation)?;
        Ok(Self { network: Arc::new(network), ..self.clone() })
    }

    /// Searches an order of the neuron pairs in which more blocks of four activations are zero, so that engines skip them.
    ///
    /// `data` are files of positions that count as one stream: `.binpack`, `.bin`, or FEN/EPD lines. The same arguments give the same
    /// permutation on every machine.
    ///
    /// ```
    /// # fn main() -> nnue::Result<()> {
    /// let net = nnue::Net::open("examples/quickstart/random.nnue")?;
    /// let found = net.search(["examples/quickstart/positions.fen"], 50, nnue::Algorithm::Greedy)?;
    /// assert!(found.zero_after >= found.zero_before);
    /// let fen = "8/8/8/4k3/8/4K3/4P3/8 w - - 0 1";
    /// assert_eq!(net.permuted(&found.permutation)?.evaluate(fen)?, net.evaluate(fen)?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the data cannot be read or has fewer than `positions` usable positions, or the architecture has no pairs.
    pub fn search<P: Into<PathBuf>>(&self, data: impl IntoIterator<Item = P>, positions: u64, algorithm: Algorithm) -> Result<Found> {
        let (ctx, files) = (Ctx::silent(), data.into_iter().map(Into::into).collect::<Vec<_>>());
        let gather = stage::Gather { positions, seed: 0, filters: Filters::default() };
        let sampled = pipeline::sample(&files, &gather, 0, &ctx)?;
        let gathered = pipeline::gather(&self.network, &sampled, &ctx)?;
        let how = stage::Search { algorithm, ..stage::Search::default() };
        let found = pipeline::search(&gathered.matrix, None, &how, None, &ctx)?.found;
        Ok(Found {
            permutation: found.permutation,
            zero_before: found.before.zero,
            zero_after: found.after.zero,
            blocks: found.before.total,
        })
    }

    /// Writes a `.nnue` file, whole or not at all. Without a compression it is packed as the source was, or else as the engines of its
    /// generation read it.
    ///
    /// ```
    /// # fn main() -> nnue::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let target = folder.path().join("copy.nnue");
    /// let net = nnue::Net::open("examples/quickstart/random.nnue")?;
    /// let written = net.write(&target, None)?;
    /// assert_eq!(std::fs::read(&target).unwrap(), std::fs::read("examples/quickstart/random.nnue").unwrap());
    /// assert_eq!(written.sha256.len(), 64);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the file cannot be written, or no engine of the generation reads that compression.
    pub fn write(&self, path: impl AsRef<Path>, compression: Option<Compression>) -> Result<Written> {
        if let Some(why) = compression.and_then(|compression| self.network.architecture.unreadable(compression)) {
            return Err(Error::usage(why));
        }
        self.write_target(path.as_ref(), Target::Nnue(compression.or(self.compression)))
    }

    /// Writes the network as a file of this format. Formats of floats get the weights that quantize back to exactly these integers.
    ///
    /// # Errors
    /// When the file cannot be written, or the scales are not known and the format needs them.
    pub fn export(&self, path: impl AsRef<Path>, format: FileFormat) -> Result<Written> {
        let write = stage::Write { format, compression: CompressionChoice::Auto, source_compression: self.compression, description: None };
        self.write_target(path.as_ref(), Target::from(&write))
    }

    fn write_target(&self, path: &Path, target: Target) -> Result<Written> {
        let ctx = Ctx::silent();
        let content = Content::of(Weights::Integers(self.network.clone()), target, None, &ctx)?;
        let (sha256, bytes) = write_atomic(path, Durability::Durable, |out| {
            let mut out = HashingWriter::<_, Sha256>::new(out);
            content.write(&mut out, &ctx)?;
            let (_, sha256, bytes) = out.finish();
            Ok((sha256, bytes))
        })?;
        Ok(Written { bytes, name: net_name(&sha256), sha256: sha256.to_string() })
    }
}

/// Reads a permutation: a `.npy` file of the trainer's tool, or numbers in a text.
///
/// ```
/// # fn main() -> nnue::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let file = folder.path().join("order.npy");
/// let order = nnue::Permutation::try_from(&[2_i64, 0, 1][..])?;
/// nnue::write_permutation(&file, &order)?;
/// assert_eq!(nnue::read_permutation(&file)?, order);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When it cannot be read or is not a permutation of `0..n`.
pub fn read_permutation(path: impl AsRef<Path>) -> Result<Permutation> {
    load_permutation(path.as_ref())
}

/// Writes a permutation as the `.npy` file that the trainer's tools take.
///
/// # Errors
/// When the file cannot be written.
pub fn write_permutation(path: impl AsRef<Path>, permutation: &Permutation) -> Result<()> {
    let path = path.as_ref();
    write_atomic(path, Durability::Durable, |out| {
        permutation::write_permutation(permutation, &mut { out }).map_err(|error| Error::io("cannot write", path, error))
    })
}
