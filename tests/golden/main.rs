//! The program's bytes against those of the real trainer, of PyTorch and of real nets, which lie beside the checkout.
#![allow(missing_docs)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/lc0_broken.rs"]
mod lc0_broken;

mod cases;
mod checkpoint_targets;
mod checkpoints;
mod compression;
mod convert;
mod described;
mod described_builds;
mod evaluate;
mod lc0;
mod lc0_verdicts;
mod lc0_write;
mod nets;
mod optimize;
mod pictures;
mod torch;
