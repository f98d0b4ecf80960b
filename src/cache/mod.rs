//! Content-addressed store, action records, stat cache, atomic file writing.
