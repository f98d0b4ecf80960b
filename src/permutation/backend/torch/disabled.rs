//! A build without libtorch.

use crate::{
    error::{Error, Result},
    permutation::SearchBackend,
};

pub(in super::super) fn find() -> Result<Box<dyn SearchBackend>> {
    Err(Error::new("this build has no torch backend")
        .help("build it with `cargo build --features torch` beside torch 2.13.0, or use `--backend cpu`"))
}
