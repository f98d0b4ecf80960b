//! Every `.nnue` file that the real trainer wrote, and the real nets: parse, account for each byte, write again.

use crate::common;
use nnue::internals::format::nnue::{Compression, Expectation, read, write};

fn written(network: &nnue::internals::net::QuantizedNetwork, compression: Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, network, compression).unwrap();
    bytes
}

#[test]
fn every_golden_net_round_trips() {
    let Some(golden) = common::golden() else { return };
    let mut seen = 0;
    for path in common::files_ending(&golden, ".nnue") {
        let bytes = common::read_maybe_xz(&path);
        let parsed = match read(&bytes, &Expectation::default()) {
            Ok(parsed) => parsed,
            Err(error) if path.to_str().unwrap().contains("2021-02-01") => {
                println!("{}: refused as it must be: {error}", path.display());
                continue;
            }
            Err(error) => panic!("{}: {error:?}", path.display()),
        };
        let stored = parsed.compression.unwrap();
        assert_eq!(written(&parsed.network, stored), bytes, "{}", path.display());
        let other = if stored == Compression::None { Compression::Leb128 } else { Compression::None };
        let converted = written(&parsed.network, other);
        let back = read(&converted, &Expectation::default()).unwrap();
        assert_eq!(back.compression, Some(other));
        assert_eq!(back.network, parsed.network, "{}", path.display());
        assert_eq!(written(&back.network, stored), bytes, "{}", path.display());
        let names: Vec<&str> = parsed.candidates.iter().map(|candidate| candidate.generation.name).collect();
        let a = &parsed.network.architecture;
        println!("{} {} L1={} {}-{} {names:?}", path.strip_prefix(&golden).unwrap().display(), a.features.name(), a.l1, a.l2, a.l3);
        seen += 1;
    }
    assert!(seen >= 25, "only {seen} nets were found");
}

/// Offsets, shapes, ranges and digests of every tensor, as an independent parser recorded them.
#[test]
fn tensors_stand_where_the_independent_parser_found_them() {
    let Some(golden) = common::golden() else { return };
    let mut tensors = 0;
    for list in common::files_ending(&golden, "nnue_sections.json") {
        if list.to_str().unwrap().contains("2021-02-01") {
            continue;
        }
        for (name, file) in common::json(&list).as_object().unwrap() {
            let path = list.with_file_name(name);
            if !path.exists() && !list.with_file_name(format!("{name}.xz")).exists() {
                continue;
            }
            let bytes = common::read_maybe_xz(&path);
            let parsed = read(&bytes, &Expectation::default()).unwrap();
            let ranges = parsed.ranges().unwrap();
            let sections: Vec<&serde_json::Value> =
                file["sections"].as_array().unwrap().iter().filter(|section| section.get("dtype").is_some()).collect();
            assert_eq!(sections.len(), parsed.entries.len(), "{}", path.display());
            for ((section, entry), range) in sections.iter().zip(&parsed.entries).zip(&ranges) {
                let context = format!("{} {}", path.display(), entry.name);
                assert_eq!(section["offset"], entry.offset, "{context}");
                assert_eq!(section["bytes"], entry.bytes, "{context}");
                assert_eq!(section["shape"], serde_json::json!(entry.shape), "{context}");
                assert_eq!(section["compression"], if entry.compressed { "leb128" } else { "none" }, "{context}");
                assert_eq!(section["min"], range.min, "{context}");
                assert_eq!(section["max"], range.max, "{context}");
                tensors += 1;
            }
        }
    }
    assert!(tensors > 1000, "only {tensors} tensors were compared");
}

#[test]
fn a_cut_or_extended_file_is_refused_with_the_place() {
    let Some(golden) = common::golden() else { return };
    for (name, step) in [("nets/nn-baff1ede1f90.nnue", 40_000), ("public/A_seed/Full_Threats_L8/none.nnue", 50_000)] {
        let bytes = common::read_maybe_xz(&golden.join(name));
        let cuts = (0..bytes.len()).step_by(step).chain(bytes.len() - 300..bytes.len());
        for cut in cuts {
            let error = read(&bytes[..cut], &Expectation::default()).unwrap_err();
            assert!(cut == 0 || error.to_string().contains(&cut.to_string()), "{name} cut at {cut}: {error}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let error = read(&longer, &Expectation::default()).unwrap_err();
        assert!(error.to_string().contains("1 bytes are left"), "{name}: {error}");
    }
}

/// One bit flipped anywhere: an error, or a network that writes exactly the damaged bytes; never a panic, never a silent repair.
#[test]
fn a_flipped_bit_is_refused_or_kept() {
    let Some(golden) = common::golden() else { return };
    let bytes = common::read_maybe_xz(&golden.join("nets/nn-baff1ede1f90.nnue"));
    let mut state = 7u64;
    for round in 0..60 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let at = if round < 20 { round * 13 } else { (state >> 20) as usize % bytes.len() };
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (state >> 60 & 7);
        if let Ok(parsed) = read(&damaged, &Expectation::default()) {
            assert_eq!(written(&parsed.network, parsed.compression.unwrap()), damaged, "bit at {at}");
        }
    }
}

#[test]
fn recorded_permutations_give_the_recorded_bytes() {
    let Some(golden) = common::golden() else { return };
    let folder = golden.join("public/C_ftperm/baff1ede1f90");
    let manifest = common::json(&folder.join("manifest.json"));
    let perm = std::fs::read(folder.join("baff1ede1f90_2000.perm.npy")).unwrap();
    let (_, data) = nnue::internals::format::npy::parse(&perm).unwrap();
    let perm: Vec<u32> = data.chunks_exact(8).map(|value| i64::from_le_bytes(value.try_into().unwrap()) as u32).collect();
    let mut parsed = read(&std::fs::read(golden.join("nets/nn-baff1ede1f90.nnue")).unwrap(), &Expectation::default()).unwrap();
    parsed.network.permute(&perm);
    assert_eq!(common::sha256(&written(&parsed.network, Compression::Leb128)), manifest["serialize"]["perm_leb128"]["sha256"]);
    assert_eq!(common::sha256(&written(&parsed.network, Compression::None)), manifest["serialize"]["perm_none"]["sha256"]);
}
