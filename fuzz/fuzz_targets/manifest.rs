//! `nnue.toml` with its matrix and defaults, and `--set` on top: what stands behind a NUL byte is an override. Seed: `nnue.toml.example`.
#![no_main]

use std::collections::BTreeSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nnue::internals::manifest::{Override, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split('\0');
    let text = parts.next().unwrap_or_default();
    let overrides: Vec<Override> = parts.take(3).filter_map(|part| Override::parse(part).ok()).collect();
    match parse(text, Path::new("nowhere/nnue.toml"), &overrides) {
        Ok(manifest) => {
            let names: BTreeSet<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
            assert_eq!(names.len(), manifest.nets.len(), "names are unique");
            assert!(manifest.nets.iter().all(|net| !net.outputs.is_empty()));
        }
        Err(error) => {
            // It can be shown, with the place that it names.
            assert!(!format!("{error:?}").is_empty());
        }
    }
});
