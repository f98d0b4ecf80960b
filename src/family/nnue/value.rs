//! Results of stages in memory, the artifacts of those that the cache stores, and what such a result must be that was made elsewhere: a
//! matrix of the positions and neurons at hand, a permutation of that length.

use std::io::{self, Write};
use std::sync::Arc;

use super::stages::load::read_permutation;
use crate::error::{Error, Result};
use crate::files::{CountingWriter, Reader};
use crate::net::{Coalesced, Factorized, Network, Permutation, QuantizedNetwork};
use crate::permutation::{self, ActivationMatrix};
use crate::positions::held_out;
use crate::stage::{Action, Role, Stored};

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

/// Reads a file of the user's that stands where a result could.
///
/// # Errors
/// When it is damaged, or files are not read in this role.
pub(in crate::family) fn read_file(role: Role, bytes: &[u8]) -> Result<Value> {
    match role {
        Role::Permutation => read_permutation(bytes).map(|permutation| Value::Permutation(Arc::new(permutation))),
        Role::Source
        | Role::Part(_)
        | Role::Network
        | Role::Other(_)
        | Role::Floats
        | Role::Published
        | Role::Engine
        | Role::Data(_)
        | Role::Matrix
        | Role::Proof
        | Role::Program => Err(Error::new(format!("a file cannot stand for the input `{role}`: this is a bug in nnue, please report it"))),
    }
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
