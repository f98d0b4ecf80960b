//! Results of stages while a build needs them: kept from the action that made them to the last one that uses them, and no longer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use petgraph::graph::NodeIndex;

use crate::family::Value;

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
