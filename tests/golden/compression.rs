//! A net is written as its source is packed, else as the engines that play with it read; another wish is warned of.

use crate::cli_support::{Ran, command, nnue};
use crate::common;

#[test]
fn a_net_keeps_its_compression_and_another_one_is_warned_of() {
    use nnue::internals::format::nnue::{Compression, write};
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (generation, readable) in [
        ("SFNNv1", &["none"][..]),
        ("SFNNv4", &["none"]),
        // Of this size it may be of 2022 or of 2024.
        ("SFNNv5", &["none", "leb128"]),
        ("SFNNv16", &["leb128"]),
    ] {
        let network = nnue::internals::net::random_network(generation, 8, 1);
        for compression in [Compression::None, Compression::Leb128] {
            let mut bytes = Vec::new();
            write(&mut bytes, &network, compression).unwrap();
            std::fs::write(path("a.nnue"), &bytes).unwrap();
            for how in [None, Some("auto"), Some("leb128"), Some("none")] {
                let mut args = vec!["convert", "a.nnue", "b.nnue", "--architecture", generation, "--json"];
                args.extend(how.iter().flat_map(|how| ["--ft_compression", *how]));
                let ran = nnue(folder.path(), args).ok();
                let kept = matches!(how, None | Some("auto")) || how == Some(compression.name());
                assert_eq!(std::fs::read(path("b.nnue")).unwrap() == bytes, kept, "{generation} {compression} {how:?}");
                let warnings = ran.json()["warnings"].to_string();
                let refused = how.is_some_and(|how| how != "auto" && !readable.contains(&how));
                assert_eq!(warnings.contains("refuses"), refused, "{generation} {how:?}: {warnings}");
            }
            // Floats have no compression: the engines of the generation decide.
            nnue(folder.path(), ["convert", "a.nnue", "f.safetensors", "--architecture", generation]).ok();
            nnue(folder.path(), ["convert", "f.safetensors", "c.nnue"]).ok();
            let mut usual = Vec::new();
            write(&mut usual, &network, network.architecture.usual_compression()).unwrap();
            assert!(std::fs::read(path("c.nnue")).unwrap() == usual, "{generation}");
        }
    }
}

#[test]
fn what_no_engine_reads_is_not_published() {
    let Some(golden) = common::golden() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden.join("nets/nn-37f18f62d772.nnue"), folder.path().join("a.nnue")).unwrap();
    for (compression, code) in [("none", 1), ("auto", 0), ("leb128", 0)] {
        let manifest = format!(
            "version = 1\n[net.n]\nsource = \"a.nnue\"\ncompression = \"{compression}\"\nlicense = \"CC0-1.0\"\npublish = \"fishtest\"\n\
             outputs = [\"{compression}/\"]\n"
        );
        std::fs::write(folder.path().join("nnue.toml"), manifest).unwrap();
        let ran = Ran::of(command(folder.path()).arg("build").env("NNUE_CACHE_DIR", folder.path().join("cache")).output().unwrap());
        assert_eq!(ran.code, code, "{}", ran.transcript());
        let published = folder.path().join(compression).join("nn-37f18f62d772.nnue").exists();
        assert_eq!(published, code == 0, "{}", ran.transcript());
        if code == 1 {
            assert!(ran.err.contains("Stockfish since 16") && ran.err.contains("compression = \"leb128\""), "{}", ran.transcript());
        }
    }
}
