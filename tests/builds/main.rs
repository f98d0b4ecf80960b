//! What builds must withstand: changes of every kind, files whose times lie, neighbours, faults, damage, signals. The right bytes are
//! published, or nothing is.
#![cfg(unix)]
#![allow(missing_docs)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../common/mod.rs"]
mod common;
#[path = "../project/mod.rs"]
mod project;

mod concurrency;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod confined;
mod damage;
mod elsewhere;
mod engine;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod faults;
mod hostile;
mod incremental;
mod net_sources;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod no_locks;
mod prove;
mod provenance;
mod remote;
mod robustness;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod signals;
mod stage_run;
mod staleness;
mod unchanged;
mod wrong_nets;
