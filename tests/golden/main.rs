//! The program's bytes against those of the real trainer, of PyTorch and of real nets, which lie beside the checkout.
#![allow(missing_docs)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../common/mod.rs"]
mod common;

mod checkpoint_targets;
mod checkpoints;
mod convert;
mod described;
mod evaluate;
mod lc0;
mod lc0_write;
mod nets;
mod optimize;
mod torch;
