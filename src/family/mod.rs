//! Families of networks that are not Stockfish's own: one room each, all on top of `net`, `format` and `positions`.

pub mod described;
