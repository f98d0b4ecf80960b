//! Activation matrix, objective, search; backends.
