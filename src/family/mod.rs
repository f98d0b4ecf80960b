//! Families of networks beside the trainer's own: one room each, which brings its formats, its artifacts and what can be done with them.

pub mod described;
pub mod lc0;
