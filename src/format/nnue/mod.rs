//! The `.nnue` format, every generation from 2020 to 2026.
