//! What goes into actions and comes out of them, whatever the family: inputs, results in memory, files to be published.

use std::io::Write;
use std::path::PathBuf;

use super::{described, lc0, nnue};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Blake3, Sha256};
use crate::stage::{Outcome, Role};

/// A result in memory. What it is knows its family only; whoever drives a build keeps it, stores it and hands it on.
#[derive(Clone)]
pub(crate) enum Value {
    /// Of the trainer's networks; and matrices and permutations of all.
    Nnue(nnue::Value),
    /// A network of lc0.
    Lc0(lc0::Value),
    /// Of networks that an architecture file describes.
    Described(described::Value),
}

impl Value {
    /// Writes the artifact of a result that is stored.
    ///
    /// # Errors
    /// Those of `out`; and for results that are not stored.
    pub(crate) fn write(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Nnue(value) => value.write(out),
            Self::Lc0(_) | Self::Described(_) => Err(Error::new("networks between stages are not stored")),
        }
    }

    /// Half the neurons of a network: pairs, or entries of a permutation.
    ///
    /// # Errors
    /// For what is not a network of integers.
    pub(super) fn half(&self) -> Result<usize> {
        match self {
            Self::Nnue(value) => nnue::value::half(value),
            Self::Described(value) => Ok(value.entries),
            Self::Lc0(_) => Err(Error::new("a network of lc0 has no pairs of neurons: this is a bug in nnue, please report it")),
        }
    }
}

/// The inputs of one action. Each is only fetched when it is asked for.
pub(crate) trait Inputs {
    /// Those that are files, in the order of their roles; a source may be what another net published.
    fn files(&self) -> Vec<(Role, PathBuf)>;

    /// Whether there is one in this role.
    fn has(&self, role: Role) -> bool;

    /// A context in which these files are opened only as the ones whose digests are in the key.
    ///
    /// # Errors
    /// When one changed since.
    fn guarded(&self) -> Result<Ctx>;

    /// A result, or what a file in this role holds.
    ///
    /// # Errors
    /// When it is no longer available.
    fn value(&self, role: Role) -> Result<Value>;

    /// Where the file is that a write action made; it may not have its name yet.
    ///
    /// # Errors
    /// When none did.
    fn published(&self) -> Result<PathBuf>;

    /// The digest in the key.
    ///
    /// # Errors
    /// When there is no such input.
    fn digest(&self, role: Role) -> Result<Blake3>;

    /// Whether what was read is what was digested; asked once reading is over.
    ///
    /// # Errors
    /// When a file changed while it was read.
    fn check_unchanged(&self) -> Result<()>;
}

/// What came of an action.
pub(crate) enum Product {
    /// A result that is cheap to make again: it stays in memory, and its digest is recorded.
    Value {
        /// Names it.
        digest: Blake3,
        /// Its size where it is known, else 0.
        bytes: u64,
        /// Itself.
        value: Value,
        /// What the stage says of it.
        outcome: Outcome,
    },
    /// A result that is worth its place in a cache.
    Stored {
        /// Itself; [`Value::write`] gives the artifact.
        value: Value,
        /// What the stage says of it.
        outcome: Outcome,
    },
    /// Nothing but what is said: something was found to be so.
    Finding {
        /// Names what was found.
        digest: Blake3,
        /// What the stage says of it.
        outcome: Outcome,
    },
    /// A file to be published; what is to be said of it is known once it was written.
    File(Box<dyn Content>),
}

/// The content of a file that is to be published: it may be written several times.
pub(crate) trait Content {
    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be made, or those of `out`.
    fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()>;

    /// Whether the files behind the inputs are read only while this is written.
    fn reads_late(&self) -> bool;

    /// Digest of what the file unpacks to, where its family names files by that; known once it was written.
    fn unpacked(&self) -> Option<Sha256> {
        None
    }

    /// Whether the file is a program, to be run as the one that it was made from.
    fn is_program(&self) -> bool {
        false
    }
}
