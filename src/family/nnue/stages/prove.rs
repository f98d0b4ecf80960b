//! `prove`: reads a published file back and evaluates it against its source, every sum of every bucket.
//!
//! The order of the transformer's neurons is the only thing that may differ. Where the source has floats, the integers are also held
//! against these: that is an error with a size, not a difference.

use super::gather;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::evaluate::{self, quantization_error};
use crate::files::Blake3;
use crate::format::nnue;
use crate::net::{Coalesced, Expectation, Network, QuantizedNetwork};
use crate::positions::Position;
use crate::stage::{Deviation, Prove, Proved};

use super::pipeline::check_readable;

/// The float forward is computed plainly, term by term: more positions than these would take longer than all the rest.
const MOST_FLOAT_POSITIONS: usize = 1000;

/// Proves that `file`, the bytes of a `.nnue` file, evaluates on `positions` as `source` does; `floats` are what `source` was made from.
///
/// # Errors
/// When it does not, naming the position, its bucket, the layer and the first neuron that differs; when the file cannot be read; when
/// the error of quantizing passes a limit of `params`; on cancellation.
pub fn prove(
    source: &QuantizedNetwork,
    floats: Option<&Network<Coalesced>>,
    file: &[u8],
    positions: &[Position],
    params: &Prove,
    ctx: &Ctx,
) -> Result<Proved> {
    // Shapes may fit several generations and scales: it is read as what its source is.
    let architecture = &source.architecture;
    let expected = Expectation {
        architecture: Some(architecture.generation),
        quantization: Some(architecture.quantization),
        ..Expectation::default()
    };
    let published = nnue::read(file, &expected).map_err(|error| error.context("the published file cannot be read back"))?;
    // What no engine loads plays nothing, however well it evaluates here.
    check_readable(&published).map_err(|error| error.context("the published file cannot be proven"))?;
    let published = published.network;
    let proof = evaluate::prove(source, &published, positions, ctx)?;
    let error = match floats {
        Some(floats) => Some(deviation(floats, source, positions, params, ctx)?),
        None => None,
    };
    let (looked_at, overflow) = if params.sums { gather::overflow(source, positions, ctx)? } else { (0, None) };
    if let Some(overflow) = overflow {
        gather::note_overflow(&overflow, ctx);
    }
    Ok(Proved { positions: proof.positions, seed: params.seed, digest: Blake3(proof.digest.into()), error, looked_at, overflow })
}

/// How far the integers are from the floats on the first of `positions`.
///
/// # Errors
/// When that passes a limit of `params`; on cancellation.
pub fn deviation(
    floats: &Network<Coalesced>,
    integers: &QuantizedNetwork,
    positions: &[Position],
    params: &Prove,
    ctx: &Ctx,
) -> Result<Deviation> {
    let positions = &positions[..positions.len().min(MOST_FLOAT_POSITIONS)];
    let found = quantization_error(floats, integers, positions, ctx)?.values;
    for (what, key, limit, size) in
        [("largest", "max_error", params.max_error, found.max_abs), ("mean", "mean_error", params.mean_error, found.mean_abs)]
    {
        if let Some(limit) = limit.filter(|limit| size > *limit) {
            let message = format!("quantizing changes the evaluation too much: the {what} error is {size:.3}, `{key}` is {limit}");
            let worst = found.worst.first().and_then(|worst| Some((positions.get(worst.index)?, worst)));
            let worst = worst
                .map(|(position, worst)| format!("position `{}`: {:.3} in floats, {:.3} in integers", position.to_fen(), worst.a, worst.b));
            let error = worst.into_iter().fold(Error::new(message), Error::because);
            return Err(error.help("`nnue eval --both` shows which layer the error comes from; a larger limit accepts it"));
        }
    }
    let digits = |value: f64| (value * 1000.0).round() / 1000.0;
    Ok(Deviation { positions: found.positions as u64, mean: digits(found.mean_abs), max: digits(found.max_abs) })
}

#[cfg(test)]
mod tests;
