//! Panics in work that must not take the program down: what they said and where, for the error that is made of them.
//!
//! Knows nothing of stages or terminals. Where a panic happened is known only if the process's hook passes it on ([`note`]).

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Panics whose places nobody asked for yet, the last few of all threads: what panics inside a pool is caught on another thread.
static NOTED: Mutex<Vec<Panic>> = Mutex::new(Vec::new());

/// How many are kept.
#[cfg(feature = "cli")]
const MOST: usize = 16;

/// A caught panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panic {
    /// What it said.
    pub(crate) message: String,
    /// File, line and column, where the hook noted it.
    pub(crate) place: Option<String>,
}

impl Panic {
    /// An error that says that this is a bug, and which.
    pub(crate) fn into_error(self, message: impl Into<String>) -> Error {
        let error = Error::new(message).because(self.message);
        match self.place {
            Some(place) => error.because(format!("at {place}")),
            None => error,
        }
    }
}

/// Remembers where a panic happened. For the process's panic hook, which is the command line's.
#[cfg(feature = "cli")]
pub(crate) fn note(info: &panic::PanicHookInfo<'_>) {
    let panic = Panic { message: text(info.payload()), place: info.location().map(ToString::to_string) };
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    if noted.len() == MOST {
        noted.remove(0);
    }
    noted.push(panic);
}

/// Runs `work`; a panic in it comes back as a value.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = text(&*payload);
        let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.iter().rposition(|panic| panic.message == message) {
            Some(index) => noted.remove(index),
            None => Panic { message, place: None },
        }
    })
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests;
