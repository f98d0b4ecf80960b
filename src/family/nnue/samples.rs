//! Positions that were taken lately. A proof is usually over the positions of the search before it, and the nets of a sweep share theirs:
//! to read and unpack the data takes longer than what is done with it.
//!
//! A sample follows from the content of its files, the number, the seed and the filters alone, so whoever asks for the same gets the same;
//! what is held out is taken from what the others leave.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::family::Inputs;
use crate::files::Blake3;
use crate::positions::{Filters, Sampled, held_out};
use crate::stage::{Gather, Prove, Role};

/// Larger samples are not kept: 40 bytes a position.
const MOST_POSITIONS: usize = 200_000;

/// What decides a sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    data: Vec<Blake3>,
    positions: u64,
    /// How many further ones are wanted.
    held_out: u64,
    seed: u64,
    filters: Filters,
}

/// The last one.
static LAST: Mutex<Option<(Key, Arc<Sampled>)>> = Mutex::new(None);

impl Key {
    pub(super) fn of_gather(params: &Gather, inputs: &dyn Inputs) -> Result<Self> {
        let Gather { positions, seed, filters } = params.clone();
        Ok(Self { data: digests(inputs)?, positions, held_out: held_out(positions), seed, filters })
    }

    pub(super) fn of_proof(params: &Prove, inputs: &dyn Inputs) -> Result<Self> {
        let Prove { positions, seed, .. } = *params;
        Ok(Self { data: digests(inputs)?, positions, held_out: 0, seed, filters: Filters::default() })
    }

    /// Whether a sample of `other` has this one in it.
    fn is_in(&self, other: &Self) -> bool {
        self.held_out <= other.held_out && Self { held_out: other.held_out, ..self.clone() } == *other
    }
}

fn digests(inputs: &dyn Inputs) -> Result<Vec<Blake3>> {
    let data = inputs.files().into_iter().map(|(role, _)| role).filter(|role| matches!(role, Role::Data(_)));
    data.map(|role| inputs.digest(role)).collect()
}

/// The sample: the last one, or what `take` gives. It may hold more out than was asked for. Only what `check` finds to be of the files whose
/// digests are in the key is kept for others.
pub(super) fn taken(key: Key, take: impl FnOnce() -> Result<Sampled>, check: impl FnOnce() -> Result<()>) -> Result<Arc<Sampled>> {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, sampled)) = last.filter(|(last, _)| key.is_in(last)) {
        return Ok(sampled);
    }
    let sampled = Arc::new(take()?);
    check()?;
    if sampled.positions.len() + sampled.held_out.len() <= MOST_POSITIONS {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, sampled.clone()));
    }
    Ok(sampled)
}

#[cfg(test)]
mod tests;
