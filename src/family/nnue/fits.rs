//! What a stored result that was made elsewhere must be: a matrix of the positions and neurons at hand, a permutation of that length.

use super::value::{Gathered, Value};
use crate::error::{Error, Result};
use crate::positions::held_out;
use crate::stage::Action;

/// Room for the headers of a stored artifact, bytes.
const HEADERS: u64 = 64 << 10;

/// As [`Stages::most_bytes`](crate::family::Stages::most_bytes).
pub(super) fn most_bytes(action: &Action, network: &Value) -> Result<u64> {
    let half = half(network)? as u64;
    Ok(match action {
        Action::Gather(gather) => {
            // A bit for each of two perspectives, in columns that are padded to 64 bytes.
            let column = |positions: u64| positions.saturating_mul(2).div_ceil(512).saturating_mul(64);
            let columns = column(gather.positions).saturating_add(column(held_out(gather.positions)));
            columns.saturating_mul(half).saturating_add(HEADERS)
        }
        Action::Search(_) => half.saturating_mul(8).saturating_add(HEADERS),
        Action::Load(_) | Action::Coalesce | Action::Quantize(_) | Action::Permute | Action::Write(_) => 0,
    })
}

/// As [`Stages::check_fits`](crate::family::Stages::check_fits).
pub(super) fn check_fits(action: &Action, result: &Value, network: &Value) -> Result<()> {
    let half = half(network)?;
    match (action, result) {
        (Action::Gather(gather), Value::Gathered(gathered)) => check_matrices(gathered, gather.positions, half),
        (Action::Search(_), Value::Permutation(permutation)) => permutation.check_len(half),
        (
            Action::Load(_)
            | Action::Coalesce
            | Action::Quantize(_)
            | Action::Gather(_)
            | Action::Search(_)
            | Action::Permute
            | Action::Write(_),
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
fn half(network: &Value) -> Result<usize> {
    match network {
        Value::Quantized(network) => Ok(network.architecture.l1 / 2),
        Value::Factorized(_) | Value::Coalesced(_) | Value::Gathered(_) | Value::Permutation(_) => {
            Err(Error::new("gather got a network of floats: this is a bug in nnue, please report it"))
        }
    }
}
