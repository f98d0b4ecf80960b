//! Results of stages in memory, the artifacts of those that the cache stores, and what such a result must be that was made elsewhere: a
//! matrix of the positions and neurons at hand, a permutation of that length.

use std::io::{self, Write};
use std::sync::Arc;

use super::stages::load::read_permutation;
use crate::error::{Error, Result};
use crate::files::{Blake3, CountingWriter, Reader};
use crate::format::{nnue, state_dict::DEFAULT_DESCRIPTIONS};
use crate::net::{Coalesced, Expectation, Factorized, GENERATIONS, Network, Permutation, QuantizedNetwork};
use crate::permutation::{self, ActivationMatrix};
use crate::positions::held_out;
use crate::stage::{Action, Role, Stored};
use crate::words::{Algorithm, Compression};

/// Room for the headers of a stored artifact, bytes.
const HEADERS: u64 = 64 << 10;

/// A stage's result.
#[derive(Clone)]
pub(crate) enum Value {
    Factorized(Arc<Network<Factorized>>),
    Coalesced(Arc<Network<Coalesced>>),
    Quantized(Arc<QuantizedNetwork>),
    Gathered(Arc<Gathered>),
    Permutation(Arc<Permutation>),
}

impl Value {
    /// Writes the artifact of a result that is stored.
    ///
    /// # Errors
    /// Those of `out`; and for results that are not stored.
    pub(crate) fn write(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Gathered(gathered) => {
                gathered.write(out).map_err(|error| Error::new("cannot store the activation matrix").because(error))
            }
            Self::Permutation(permutation) => {
                let mut out = out;
                let written = permutation::write_permutation(permutation, &mut out);
                written.map_err(|error| Error::new("cannot store the permutation").because(error))
            }
            Self::Factorized(_) | Self::Coalesced(_) | Self::Quantized(_) => Err(Error::new("networks between stages are not stored")),
        }
    }
}

/// What gather gives.
pub(crate) struct Gathered {
    /// Over the positions that the search uses.
    pub(crate) matrix: ActivationMatrix,
    /// Over others, on which the result is judged; `None` where the data has no further ones.
    pub(crate) held_out: Option<ActivationMatrix>,
}

impl Gathered {
    /// The artifact: the length of the first matrix in 8 bytes, the first matrix, the second if there is one.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 20, out);
        let mut counted = CountingWriter::new(io::sink());
        self.matrix.write(&mut counted)?;
        out.write_all(&counted.written().to_le_bytes())?;
        self.matrix.write(&mut out)?;
        if let Some(held_out) = &self.held_out {
            held_out.write(&mut out)?;
        }
        out.flush()
    }

    /// Reads an artifact.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::failing(bytes, |_| Error::new("a gathered artifact is cut off"));
        let length = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        let matrix = ActivationMatrix::read(reader.take(length)?)?;
        let rest = reader.rest();
        let held_out = if rest.is_empty() { None } else { Some(ActivationMatrix::read(rest)?) };
        Ok(Self { matrix, held_out })
    }
}

/// Reads the artifact of a stored stage.
///
/// # Errors
/// When it is damaged, or the stage is not one whose results are stored.
pub(in crate::family) fn read_stored(action: &Action, bytes: &[u8]) -> Result<Value> {
    match action.stored() {
        Some(Stored::Matrices(_)) => Gathered::read(bytes).map(|gathered| Value::Gathered(Arc::new(gathered))),
        Some(Stored::Permutation) => permutation::read_permutation(bytes).map(|permutation| Value::Permutation(Arc::new(permutation))),
        None => Err(Error::new(format!("results of {} are not stored", action.stage()))),
    }
}

/// Reads a file that stands where a result could: of the user's, or one that came to a worker.
///
/// # Errors
/// When it is damaged, or files are not read in this role.
pub(in crate::family) fn read_file(role: Role, bytes: &[u8]) -> Result<Value> {
    match role {
        Role::Permutation => read_permutation(bytes).map(|permutation| Value::Permutation(Arc::new(permutation))),
        Role::Matrix => Gathered::read(bytes).map(|gathered| Value::Gathered(Arc::new(gathered))),
        Role::Source
        | Role::Part(_)
        | Role::Network
        | Role::Other(_)
        | Role::Floats
        | Role::Published
        | Role::Engine
        | Role::Data(_)
        | Role::Proof
        | Role::Program => Err(Error::new(format!("a file cannot stand for the input `{role}`: this is a bug in nnue, please report it"))),
    }
}

/// As [`Stages::core_seconds`](crate::family::Stages::core_seconds), for a network of `half` pairs of neurons: what `docs/speed.md` has measured,
/// as formulas. Right within a factor of two or three, which is all that a place to run is chosen by.
pub(in crate::family) fn core_seconds(action: &Action, half: usize, matrix: u64) -> f64 {
    /// Gather: seconds for a neuron of a position, and for the position itself.
    const NEURON_S: f64 = 2e-9;
    const POSITION_S: f64 = 1e-7;
    /// Words of columns that a core compares in a second, and how often greedy comes to look at each pair.
    const WORDS_PER_S: f64 = 14.5e9;
    const ROUNDS: f64 = 15.0;
    /// Annealing looks here and there: words a second, and how many it looks at unless told otherwise.
    const SCATTERED_PER_S: f64 = 4.5e8;
    const ANNEALED: f64 = 1.2e10;
    /// Assignments: words a second, how many by default, and what a step costs besides.
    const ASSIGNED_PER_S: f64 = 1e10;
    const ASSIGNED: f64 = 6.9e10;
    const ENTRY: f64 = 64.0;
    /// Proofs: seconds for a neuron of a position, in both networks and all buckets.
    const PROVEN_S: f64 = 1.04e-8;
    if let Some(Stored::Matrices(gather)) = action.stored() {
        let positions = gather.positions.saturating_add(held_out(gather.positions)) as f64;
        return positions * (NEURON_S * 2.0 * half as f64 + POSITION_S);
    }
    if let Some(prove) = action.prove() {
        return prove.positions as f64 * PROVEN_S * 2.0 * half as f64;
    }
    let Some(search) = action.search() else { return 0.0 };
    let half = half as f64;
    // Half of the matrices are those that are only judged on.
    let words = matrix as f64 / 16.0 / half.max(1.0);
    let greedy = ROUNDS * half * half * words / WORDS_PER_S;
    let budget = search.budget.map(|budget| budget as f64);
    greedy
        + match search.algorithm {
            Algorithm::Greedy => 0.0,
            Algorithm::Anneal => budget.map_or(ANNEALED, |moves| moves * words) / SCATTERED_PER_S,
            Algorithm::Assign => budget.map_or(ASSIGNED, |steps| steps * (half / 4.0).powi(2) * (words + ENTRY)) / ASSIGNED_PER_S,
        }
}

/// A network for another machine: a `.nnue` file as it is read the fastest.
pub(in crate::family) fn packed(network: &QuantizedNetwork) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(network.weight_bytes() + (64 << 10));
    nnue::write(&mut bytes, network, Compression::None).ok()?;
    Some(bytes)
}

/// The network of this digest in a `.nnue` file. The file does not say its scales, and may be of several generations: the digest tells.
pub(in crate::family) fn unpacked(bytes: &[u8], digest: Blake3) -> Result<Value> {
    let insisted = GENERATIONS
        .iter()
        .filter_map(|generation| nnue::read(bytes, &Expectation { architecture: Some(generation), ..Expectation::default() }).ok());
    let found = readings(bytes)
        .chain(insisted.map(|parsed| parsed.network))
        .find_map(|mut network| has_digest(&mut network, digest).then_some(network));
    found.map(|network| Value::Quantized(Arc::new(network))).ok_or_else(|| {
        Error::usage("the network is not the one of the request").because(format!("no reading of it has the digest {digest}"))
    })
}

/// The network of this digest that a `.nnue` file was written of; the file may have got another description.
pub(in crate::family) fn read_back(bytes: &[u8], digest: Blake3) -> Option<Value> {
    let described = |network: QuantizedNetwork| {
        let mut network = network;
        let own = network.description.clone();
        let is_found = std::iter::once(own).chain(DEFAULT_DESCRIPTIONS.map(Into::into)).any(|description| {
            network.description = description;
            has_digest(&mut network, digest)
        });
        is_found.then_some(network)
    };
    readings(bytes).find_map(described).map(|network| Value::Quantized(Arc::new(network)))
}

/// What a `.nnue` file may hold: the likeliest, then other readings that account for all bytes.
fn readings(bytes: &[u8]) -> impl Iterator<Item = QuantizedNetwork> {
    let likely = nnue::read(bytes, &Expectation::default()).ok();
    let candidates = likely.as_ref().map_or_else(Vec::new, |parsed| parsed.candidates.clone());
    let first = likely.as_ref().map(|parsed| parsed.network.architecture.clone());
    let others = candidates.into_iter().filter(move |other| first.as_ref() != Some(other)).filter_map(|architecture| {
        let expected = Expectation {
            architecture: Some(architecture.generation),
            features: Some(architecture.features.name()),
            l1: Some(architecture.l1),
            l2: Some(architecture.l2),
            l3: Some(architecture.l3),
            ..Expectation::default()
        };
        nnue::read(bytes, &expected).ok()
    });
    likely.into_iter().chain(others).map(|parsed| parsed.network)
}

/// Whether the network has this digest with one of its generation's scales, which it has from then on.
fn has_digest(network: &mut QuantizedNetwork, digest: Blake3) -> bool {
    network.architecture.generation.quantizations.iter().any(|scales| {
        network.architecture.quantization = scales;
        network.digest().as_bytes() == &digest.0
    })
}

/// As [`Stages::most_bytes`](crate::family::Stages::most_bytes), for a network of `half` pairs of neurons.
pub(in crate::family) fn most_bytes(action: &Action, half: usize) -> u64 {
    let half = half as u64;
    match action.stored() {
        Some(Stored::Matrices(gather)) => {
            // A bit for each of two perspectives, in columns that are padded to 64 bytes.
            let column = |positions: u64| positions.saturating_mul(2).div_ceil(512).saturating_mul(64);
            let columns = column(gather.positions).saturating_add(column(held_out(gather.positions)));
            columns.saturating_mul(half).saturating_add(HEADERS)
        }
        Some(Stored::Permutation) => half.saturating_mul(8).saturating_add(HEADERS),
        None => 0,
    }
}

/// As [`Stages::check_fits`](crate::family::Stages::check_fits), for a network of `half` pairs of neurons.
pub(in crate::family) fn check_fits(action: &Action, result: &Value, half: usize) -> Result<()> {
    match (action.stored(), result) {
        (Some(Stored::Matrices(gather)), Value::Gathered(gathered)) => check_matrices(gathered, gather.positions, half),
        (Some(Stored::Permutation), Value::Permutation(permutation)) => permutation.check_len(half),
        (
            Some(Stored::Matrices(_) | Stored::Permutation) | None,
            Value::Factorized(_) | Value::Coalesced(_) | Value::Quantized(_) | Value::Gathered(_) | Value::Permutation(_),
        ) => Err(Error::new(format!("it is not a result of {}", action.stage()))),
    }
}

fn check_matrices(gathered: &Gathered, positions: u64, half: usize) -> Result<()> {
    let judged_on = gathered.held_out.as_ref();
    let fits = gathered.matrix.half() == half
        && gathered.matrix.positions() as u64 == positions
        && judged_on.is_none_or(|matrix| matrix.half() == half && matrix.positions() as u64 <= held_out(positions));
    if fits { Ok(()) } else { Err(Error::new(format!("its matrices are not of {positions} positions and {half} neurons"))) }
}

/// L1/2.
pub(in crate::family) fn half(network: &Value) -> Result<usize> {
    match network {
        Value::Quantized(network) => Ok(network.architecture.l1 / 2),
        Value::Factorized(_) | Value::Coalesced(_) | Value::Gathered(_) | Value::Permutation(_) => {
            Err(Error::new("gather got a network of floats: this is a bug in nnue, please report it"))
        }
    }
}
