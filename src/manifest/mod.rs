//! `nnue.toml` → typed, spanned manifest; validation; JSON schema.
