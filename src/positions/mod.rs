//! Training data readers, deterministic sampling, feature indices.
