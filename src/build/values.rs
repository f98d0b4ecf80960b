//! Results of stages while a build needs them: kept from the action that made them to the last one that uses them, and no longer.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use petgraph::graph::NodeIndex;

use crate::error::{Error, Result};
use crate::files::{CountingWriter, Reader};
use crate::net::{Coalesced, Factorized, Network, Permutation, QuantizedNetwork};
use crate::permutation::ActivationMatrix;

/// A stage's result.
#[derive(Clone)]
pub(super) enum Value {
    Factorized(Arc<Network<Factorized>>),
    Coalesced(Arc<Network<Coalesced>>),
    Quantized(Arc<QuantizedNetwork>),
    Gathered(Arc<Gathered>),
    Permutation(Arc<Permutation>),
}

/// What gather gives.
pub(super) struct Gathered {
    /// Over the positions that the search uses.
    pub(super) matrix: ActivationMatrix,
    /// Over others, on which the result is judged; `None` where the data has no more.
    pub(super) held_out: Option<ActivationMatrix>,
}

impl Gathered {
    /// The artifact: the length of the first matrix in 8 bytes, the first matrix, the second if there is one.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
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
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::failing(bytes, |_| Error::new("a gathered artifact is cut off"));
        let length = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        let matrix = ActivationMatrix::read(reader.take(length)?)?;
        let rest = reader.rest();
        let held_out = if rest.is_empty() { None } else { Some(ActivationMatrix::read(rest)?) };
        Ok(Self { matrix, held_out })
    }
}

/// The results that are in memory.
pub(super) struct Values {
    slots: Mutex<HashMap<NodeIndex, Slot>>,
}

struct Slot {
    value: Option<Value>,
    /// Unsettled actions that may ask for it.
    users: usize,
}

impl Values {
    /// `users` says for each action how many unsettled ones may ask for its result.
    pub(super) fn new(users: impl Iterator<Item = (NodeIndex, usize)>) -> Self {
        Self { slots: Mutex::new(users.map(|(node, users)| (node, Slot { value: None, users })).collect()) }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<NodeIndex, Slot>> {
        // A panic elsewhere leaves whole values: each is put and taken at once.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a result, if anything may still ask for it.
    pub(super) fn put(&self, node: NodeIndex, value: &Value) {
        if let Some(slot) = self.slots().get_mut(&node)
            && slot.users > 0
        {
            slot.value = Some(value.clone());
        }
    }

    /// The result, if it is in memory. The last user gets it without a second reference left behind.
    pub(super) fn get(&self, node: NodeIndex) -> Option<Value> {
        let mut slots = self.slots();
        let slot = slots.get_mut(&node)?;
        if slot.users <= 1 { slot.value.take() } else { slot.value.clone() }
    }

    /// One user of `node` is settled.
    pub(super) fn release(&self, node: NodeIndex) {
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(&node) {
            slot.users = slot.users.saturating_sub(1);
            if slot.users == 0 {
                slot.value = None;
            }
        }
    }
}
