//! The command line as its users meet it: the real binary, with exit code, stdout and stderr. One module a command or a concern;
//! what builds must withstand is in `tests/builds`.
#![cfg(unix)]
#![allow(missing_docs)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../common/mod.rs"]
mod common;
#[path = "../project/mod.rs"]
mod project;

mod build;
mod cache;
mod clean;
mod commands;
mod completions;
mod data_files;
mod dependencies;
mod docs;
mod eval;
mod explain;
mod fixture;
mod foreign_text;
mod init;
mod inspect;
mod json_docs;
mod lc0;
mod lc0_builds;
#[path = "../common/lc0_net.rs"]
mod lc0_net;
mod lints;
mod log;
mod many;
mod net_names;
mod outputs;
mod perm;
mod readme;
mod review;
mod show;
mod sources;
mod verify;
mod watch;
mod workflow;
