//! `nnue inspect` and `nnue diff`: what a file is, and how two nets are related.

use serde_json::json;

use crate::cli_support::{nnue, write_fens, write_net};
use crate::common;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn read(folder: &std::path::Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn inspect_shows_a_net_under_the_documented_keys() {
    let Some(golden) = common::golden() else { return };
    let work = folder();
    let net = golden.join("nets/nn-baff1ede1f90.nnue");
    let ran = nnue(work.path(), ["inspect", net.to_str().unwrap(), "--json"]).ok();
    let found = ran.json();
    let keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "schema",
        "format",
        "bytes",
        "sha256",
        "version",
        "hash",
        "architecture",
        "candidates",
        "features",
        "l1",
        "l2",
        "l3",
        "buckets",
        "compression",
        "description",
        "tensors",
        "notes",
    ];
    assert_eq!(keys, expected);
    assert_eq!(found["format"], "nnue");
    assert_eq!((&found["version"], &found["hash"]), (&json!("0x7AF32F20"), &json!("0x1C103C92")));
    assert_eq!(found["bytes"], 3_480_122);
    assert_eq!((&found["l1"], &found["l2"], &found["l3"], &found["buckets"]), (&json!(128), &json!(15), &json!(32), &json!(8)));
    assert_eq!((&found["features"], &found["compression"]), (&json!("HalfKAv2_hm"), &json!("leb128")));
    assert!(found["sha256"].as_str().unwrap().starts_with("baff1ede1f90"));
    let bias = json!({"name": "ft.bias", "dtype": "i16", "shape": [128], "min": -130, "max": 140, "offset": 100, "bytes": 167});
    assert_eq!(found["tensors"][0], bias);
    let notes = found["notes"].to_string();
    assert!(notes.contains("the quantization is not recorded in the file; ft127 is assumed (also possible: ft255)"), "{notes}");
    assert!(notes.contains("2 non-zero padding bytes at stack7.l2 row 31 (a nonce)"), "{notes}");
    let text = nnue(work.path(), ["inspect", net.to_str().unwrap(), "--histogram"]).ok().out;
    assert!(text.contains("  architecture small\n") && text.contains('█'), "{text}");
}

#[test]
fn inspect_lists_a_checkpoint_whose_scales_are_open() {
    let Some(golden) = common::golden() else { return };
    let work = folder();
    let source = golden.join("public/A_seed/HalfKAv2_hm_fact_L32/net.ckpt");
    std::fs::write(work.path().join("net.ckpt"), common::read_maybe_xz(&source)).unwrap();
    let found = nnue(work.path(), ["inspect", "net.ckpt", "--json"]).ok().json();
    assert_eq!((&found["format"], &found["features"]), (&json!("torch-zip"), &json!("HalfKAv2_hm^")));
    assert_eq!((&found["l1"], &found["hash"]), (&json!(32), &json!(null)));
    let notes = found["notes"].to_string();
    assert!(notes.contains("with ft127, or ") && notes.contains("with ft255"), "{notes}");
    let first = &found["tensors"][0];
    assert_eq!((&first["name"], &first["dtype"], &first["shape"]), (&json!("model.input.weight"), &json!("f32"), &json!([23296, 40])));
    assert!(first["min"].as_f64() < Some(0.0) && first["max"].as_f64() > Some(0.0));
}

#[test]
fn inspect_knows_files_of_every_kind() {
    let work = folder();
    let at = |name: &str| work.path().join(name);
    let net = write_net(&at("a.nnue"), "SFNNv9", 16, 7);
    for target in ["f.pt", "f.safetensors", "f.npz"] {
        nnue(work.path(), ["convert", "a.nnue", target, "-q"]).ok();
    }
    write_fens(&at("p.fen"), 1, 5);
    nnue(work.path(), ["perm", "gather", "--net", "a.nnue", "--data", "p.fen", "--out", "act.npy", "-q"]).ok();
    nnue(work.path(), ["perm", "find", "--data", "act.npy", "--out", "perm.npy", "-q"]).ok();
    let elf = |nets: &[&[u8]]| {
        [b"\x7FELF\x02".as_slice(), &[0; 995]].concat().into_iter().chain(nets.concat()).chain([0; 50]).collect::<Vec<u8>>()
    };
    std::fs::write(at("engine"), elf(&[&net])).unwrap();
    std::fs::write(at("engine2"), elf(&[&net, &net])).unwrap();
    for (name, format, note) in [
        ("f.pt", "torch-zip", "converts into"),
        ("f.safetensors", "safetensors", "converts into"),
        ("f.npz", "npz", "converts into"),
        ("p.fen", "fen", "5 lines of positions"),
        ("act.npy", "npy", "an activation matrix of 5 positions at L1=16"),
        ("perm.npy", "npy", "of 8 neuron pairs (L1=16)"),
        ("engine", "elf-with-nnue", "a network stands at offset 1000"),
        ("engine2", "elf-with-nnue", "the tensors shown are those of the first"),
    ] {
        let found = nnue(work.path(), ["inspect", name, "--json"]).ok().json();
        assert_eq!(found["format"], format, "{name}");
        assert!(found["notes"].to_string().contains(note), "{name}: {}", found["notes"]);
        assert_eq!(found["sha256"], common::sha256(&read(work.path(), name)));
    }
    let found = nnue(work.path(), ["inspect", "engine", "--json"]).ok().json();
    assert_eq!((&found["l1"], &found["tensors"][0]["offset"]), (&json!(16), &json!(1000 + 16 + "Random network, seed 7".len())));
}

#[test]
fn inspect_says_what_a_wrong_file_is_and_fails() {
    let work = folder();
    let whole = write_net(&work.path().join("a.nnue"), "SFNNv9", 16, 7);
    for (name, bytes, format, part) in [
        ("page", b"<!DOCTYPE html><html></html>".to_vec(), "html", "HTML page"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "git-lfs-pointer", "git-lfs pointer"),
        ("gz", vec![0x1F, 0x8B, 8, 0], "gzip", "gzip-compressed"),
        ("txt", b"hello\n".to_vec(), "text", "text file"),
        ("empty", Vec::new(), "empty", "empty"),
        ("noise", vec![1, 2, 3], "unknown", "begins with the bytes 01 02 03"),
        ("program", b"\x7FELF\x02\x01".to_vec(), "elf", "no network in Stockfish's format was found in this program"),
        ("zip", b"PK\x03\x04 and so on".to_vec(), "torch-zip", "zip"),
        ("cut", whole[..whole.len() / 2].to_vec(), "nnue", "truncated at byte"),
        ("long", [whole.as_slice(), b"x"].concat(), "nnue", "1 bytes are left"),
    ] {
        std::fs::write(work.path().join(name), &bytes).unwrap();
        let ran = nnue(work.path(), ["inspect", name, "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        let found = ran.json();
        assert_eq!((&found["format"], &found["bytes"]), (&json!(format), &json!(bytes.len())), "{name}");
        assert!(found["notes"].to_string().contains(part) && ran.err.contains(part), "{}", ran.transcript());
        assert!(ran.err.starts_with(&format!("error: `{name}` is not what it should be\n")), "{}", ran.err);
        let text = nnue(work.path(), ["inspect", name]);
        assert!(text.code == 1 && text.out.contains(&format!("  format       {format}\n")), "{}", text.transcript());
    }
    let cut = nnue(work.path(), ["inspect", "cut", "--json"]).json();
    assert_eq!((&cut["version"], &cut["description"]), (&json!("0x7AF32F20"), &json!("Random network, seed 7")));
    nnue(work.path(), ["inspect", "missing"]).fails(1, &["cannot open `missing`"]);
    nnue(work.path(), ["inspect", "."]).fails(1, &["`.` is a folder"]);
}

#[test]
fn inspect_shows_descriptions_that_are_no_text() {
    let work = folder();
    let mut network = nnue::internals::net::random_network("small", 16, 1);
    network.description = b"a\xFF\x1B[2Jz".to_vec();
    let mut bytes = Vec::new();
    nnue::internals::format::nnue::write(&mut bytes, &network, nnue::internals::format::nnue::Compression::None).unwrap();
    std::fs::write(work.path().join("a.nnue"), bytes).unwrap();
    let found = nnue(work.path(), ["inspect", "a.nnue", "--json"]).ok().json();
    assert_eq!(found["description"], "a\u{FFFD}\u{1B}[2Jz");
    assert!(found["notes"].to_string().contains("not UTF-8 from its byte 1 on"));
    let text = nnue(work.path(), ["inspect", "a.nnue"]).ok().out;
    assert!(text.contains("a\u{FFFD}\\u{1b}[2Jz"), "{text}");
}

#[test]
fn diff_tells_how_nets_are_related() {
    let work = folder();
    let at = |name: &str| work.path().join(name);
    let a = write_net(&at("a.nnue"), "small", 32, 1);
    std::fs::write(at("same.nnue"), &a).unwrap();
    nnue(work.path(), ["convert", "a.nnue", "plain.nnue", "--ft_compression", "none", "--description", "other", "-q"]).ok();
    let perm: Vec<i64> = (0..16).map(|j| (j * 5 + 3) % 16).collect();
    let mut file = Vec::new();
    nnue::internals::permutation::write_permutation(&nnue::internals::net::Permutation::try_from(perm.as_slice()).unwrap(), &mut file)
        .unwrap();
    std::fs::write(at("perm.npy"), file).unwrap();
    nnue(work.path(), ["perm", "apply", "plain.nnue", "perm.npy", "moved.nnue", "-q"]).ok();
    write_net(&at("b.nnue"), "small", 32, 2);
    write_net(&at("c.nnue"), "SFNNv9", 64, 2);
    let diff = |other: &str| nnue(work.path(), ["diff", "a.nnue", other]);
    assert_eq!(
        diff("same.nnue").transcript(),
        "exit 0\n--- stdout\nA  a.nnue\nB  same.nnue\nidentical: the files have the same bytes\n--- stderr\n"
    );
    let plain = "exit 0\n--- stdout\nA  a.nnue\nB  plain.nnue\nequal: the weights are the same, the files are not\n  \
                 description  A \"Random network, seed 1\", B \"other\"\n  compression  A leb128, B none\n--- stderr\n";
    assert_eq!(diff("plain.nnue").transcript(), plain);
    let moved = diff("moved.nnue").ok().out;
    assert!(moved.contains("equal up to a permutation") && moved.contains("of 16 neuron pairs stand elsewhere"), "{moved}");
    let found = nnue(work.path(), ["diff", "a.nnue", "moved.nnue", "--json"]).ok().json();
    assert_eq!(
        (&found["relation"], &found["equal"], &found["permutation"]),
        (&json!("equal_up_to_permutation"), &json!(true), &json!(perm))
    );
    let different = diff("b.nnue");
    assert!(different.code == 1 && different.err.is_empty(), "{}", different.transcript());
    assert!(different.out.contains("ft.HalfKAv2_hm.weight") && different.out.contains("values differ, by at most"));
    let other = diff("c.nnue");
    assert!(other.code == 1 && other.out.contains("L1           A 32, B 64"), "{}", other.transcript());
    std::fs::write(at("page"), "<html>").unwrap();
    nnue(work.path(), ["diff", "page", "page"]).fails(1, &["HTML page"]);
}
