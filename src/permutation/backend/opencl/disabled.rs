//! A build without OpenCL.

use crate::{
    error::{Error, Result},
    permutation::SearchBackend,
};

pub(in super::super) fn find() -> Result<Box<dyn SearchBackend>> {
    Err(Error::new("this build has no OpenCL backend").help("build it with `cargo build --features opencl`, or use `--backend cpu`"))
}
