//! What holds for all inputs, tried on thousands of them: damaged files, manifests, filters, permutations. The inputs come from fixed
//! seeds or from `proptest`, which shrinks what fails; `fuzz/` looks further.
#![allow(missing_docs)]

mod filters;
mod manifests;
mod mutations;
mod mutations_nnue;
mod permutations;
