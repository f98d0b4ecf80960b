//! What runs an action: here by the stages of its family ([`Local`]), elsewhere by another implementation of [`Executor`].
//!
//! [`remote`] is a cluster that a build may hand actions to.
//!
//! An executor gets an action and its inputs and gives what came of it. It knows neither graph, manifest, cache nor the places where
//! files are published: whoever drives it stores and publishes.

pub(crate) mod remote;

use crate::ctx::Ctx;
use crate::error::Result;
use crate::family::{self, Inputs, Product};
use crate::stage::Action;

/// Runs actions.
pub(crate) trait Executor: Sync {
    /// Runs one.
    ///
    /// # Errors
    /// The stage's, and those of its inputs.
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product>;
}

/// This machine.
pub(crate) struct Local;

impl Executor for Local {
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
        family::stages(action).execute(action, inputs, ctx)
    }
}
