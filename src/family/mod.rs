//! Families of networks beside the trainer's own: each brings its formats, its artifacts and what can be done with them.

pub mod lc0;
