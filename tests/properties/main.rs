//! What holds for all inputs, tried on thousands of them: damaged files, manifests, filters, permutations. The inputs come from fixed
//! seeds or from `proptest`, which shrinks what fails; `fuzz/` looks further.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod assertions;
mod filters;
mod manifests;
mod mutations;
mod mutations_lc0;
mod mutations_nnue;
mod permutations;
mod second_reader;
