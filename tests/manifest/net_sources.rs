//! Nets that are made from other nets, as manifests say it.

use nnue::internals::manifest::{load_with, refresh};

use crate::*;

const BASE: &str = "version = 1\n[source.run]\npath = \"a.pt\"\nquantization = \"ft255\"\nl1 = 64\noverflow = \"clamp\"\n\
                    [net.base]\nsource = \"run\"\noutputs = [\"base.pt\", \"base/\"]\n";

#[test]
fn what_is_said_of_the_first_source_holds_for_what_is_made_of_it() {
    let second = "[net.second]\nsource = \"net:base\"\noutputs = \"second/\"\n[net.third]\nsource = \"net:second\"\noutputs = \"third/\"\n";
    let manifest = parse(&format!("{BASE}{second}")).unwrap();
    let net = |name: &str| manifest.nets.iter().find(|net| net.name == name).unwrap();
    let said = |name: &str| net(name).source.claims.said().map(|(key, value, _)| format!("{key} {value}")).collect::<Vec<_>>();
    assert_eq!(said("second"), ["l1 64", "quantization \"ft255\""]);
    assert_eq!(said("third"), said("second"));
    assert_eq!(net("second").source.path.value.typed, "net:base");
    assert!(net("second").source.path.value.resolved.ends_with("base.pt"), "the first output");
    assert!(net("third").source.path.value.resolved.ends_with("second"));
    // Floats are still to be quantized, integers are not.
    let overflow = |name: &str| net(name).source.claims.overflow.value.to_string();
    assert_eq!((overflow("second"), overflow("third")), ("clamp".to_owned(), "error".to_owned()));
    let needed = manifest.with_needed(&[net("third")]);
    assert_eq!(needed.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["base", "second", "third"]);
}

#[test]
fn a_table_may_say_more_of_another_net() {
    let table = "[source.made]\npath = \"net:base\"\nl1 = 32\nl3 = 32\n[net.second]\nsource = \"made\"\noutputs = \"second/\"\n";
    let manifest = parse(&format!("{BASE}{table}")).unwrap();
    let said: Vec<String> = manifest.nets[1].source.claims.said().map(|(key, value, _)| format!("{key} {value}")).collect();
    assert_eq!(said, ["l1 32", "l3 32", "quantization \"ft255\""]);
    assert_eq!(manifest.nets[1].source.net.as_deref(), Some("base"));
}

#[test]
fn nets_of_axes_and_of_sweeps_are_named_as_users_see_them() {
    let axes = "version = 1\n[matrix]\nseed = [0, 1]\n[net.\"a{seed}\"]\nsource = \"x.nnue\"\noutputs = \"a/\"\n\
                [net.\"b{seed}\"]\nsource = \"net:a{seed}\"\noutputs = \"b/\"\n";
    let manifest = parse(axes).unwrap();
    let names: Vec<_> = manifest.nets.iter().map(|net| (net.name.as_str(), net.source.net.as_deref())).collect();
    assert_eq!(names, [("a0", None), ("a1", None), ("b0", Some("a0")), ("b1", Some("a1"))]);
    let sweep = "version = 1\n[net.last]\nsource = \"net:nightly/epoch=3\"\noutputs = \"last.nnue\"\n\
                 [net.\"nightly/{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = \"nightly/\"\n";
    let folder = folder(sweep, &["runs/epoch=3.nnue", "runs/epoch=4.nnue"]);
    let manifest = load(folder.path()).unwrap();
    assert_eq!(manifest.nets[0].source.net.as_deref(), Some("nightly/epoch=3"));
    assert!(manifest.nets[0].source.path.value.resolved.ends_with("nightly"));
}

#[test]
fn mistakes_are_told_with_their_places() {
    let net = |name: &str, source: &str| format!("[net.{name}]\nsource = \"{source}\"\noutputs = \"{name}/\"\n");
    let sweep = "[net.\"s/{stem}\"]\nsource = { glob = \"*.nnue\" }\noutputs = \"s/\"\n";
    let onnx = "[net.onnx]\nsource = \"x.pb.gz\"\noutputs = [\"x.onnx\", \"x.pb\"]\n";
    let layouts = "[net.b]\nsource = \"net:a\"\noutputs = { published = \"b.bin\" }\n";
    let described = "[source.plenty]\npath = \"p.bin\"\narchitecture = \"plentychess\"\n[net.p]\nsource = \"plenty\"\noutputs = { published = \"p\" }\n";
    let pin = format!("[source.pinned]\npath = \"net:base\"\nsha256 = \"{}\"\n{}", "0".repeat(64), net("pinned", "pinned"));
    let table = "[source.\"net:x\"]\npath = \"x.nnue\"\n".to_owned() + &net("a", "net:x");
    let cases: [(String, &[&str]); 12] = [
        (table, &["no net named `x`", "rename the table"]),
        (net("a", "net:bass"), &["no net named `bass`", "did you mean `base`?", "nnue.toml:11:10"]),
        (net("a", "net:"), &["no net named ``"]),
        (net("a", "net:a"), &["the net `a` is made from itself", "`a` → `a`"]),
        (net("a", "net:b") + &net("b", "net:c") + &net("c", "net:a"), &["made from itself", "`a` → `b` → `c` → `a`", "made from this one"]),
        // What only leads to a cycle is no mistake of its own.
        (net("a", "net:b") + &net("b", "net:b"), &["the net `b` is made from itself"]),
        (net("a", "net:s/{stem}") + sweep, &["`s/{stem}` is a sweep, of which a net cannot be made", "`s/x`"]),
        (net("a", "net:s/y") + sweep, &["no net named `s/y`"]),
        (net("a", "net:onnx") + onnx, &["no net can be made from `x.onnx`", "list another output first"]),
        (net("a", "base/") + layouts, &["net `b` has outputs by layout, but its source has no described architecture"]),
        (net("a", "net:p") + described, &["`a/` does not say in which layout it is to be written"]),
        (pin, &["the output of the net `base` cannot be pinned"]),
    ];
    for (text, words) in cases {
        let folder = folder(&format!("{BASE}{text}"), &["x.nnue"]);
        let error = load(folder.path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let shown = render(&error);
        words.iter().for_each(|word| assert!(shown.contains(word), "{text}: `{word}` in\n{shown}"));
        assert!(!shown.contains(" errors"), "{text}: one mistake\n{shown}");
    }
    let path = format!("{BASE}{}", net("a", "base.pt"));
    let shown = render(&parse(&path).unwrap_err());
    assert!(shown.contains("would overwrite an input") && shown.contains("source = \"net:base\""), "{shown}");
    assert!(parse(&format!("{BASE}{}", net("a", "./net:base"))).is_ok(), "a file of such a name");
}

/// A pin is of one file.
#[test]
fn split_modules_are_not_pinned() {
    let text = format!(
        "version = 1\n[source.e]\npath = \"e-part-0.wasm\"\nsha256 = \"{}\"\n[net.a]\nsource = \"e\"\noutputs = \"a/\"\n",
        "0".repeat(64)
    );
    let folder = folder(&text, &["e-part-0.wasm"]);
    assert!(load(folder.path()).unwrap().nets[0].source.parts.is_empty());
    std::fs::write(folder.path().join("e-part-1.wasm"), "").unwrap();
    let shown = render(&load(folder.path()).unwrap_err());
    assert!(shown.contains("`e-part-0.wasm` is one of 2 files, and `sha256` pins one") && shown.contains("cat e-part-*.wasm"), "{shown}");
    let text = text.replace("sha256", "# sha256");
    std::fs::write(folder.path().join("nnue.toml"), text).unwrap();
    let parts = load(folder.path()).unwrap().nets[0].source.parts.clone();
    assert_eq!(parts.iter().map(|part| part.typed.as_str()).collect::<Vec<_>>(), ["e-part-1.wasm"]);
}

/// While `nnue watch` waits for the files of a sweep, nets of it are not missing.
#[test]
fn nets_of_a_sweep_may_still_come() {
    let text = "version = 1\n[net.last]\nsource = \"net:s/epoch=3\"\noutputs = \"last/\"\n[net.more]\nsource = \"net:last\"\noutputs = \"more/\"\n\
                [net.\"s/{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = \"s/\"\n";
    let folder = folder(text, &["runs/epoch=4.nnue"]);
    let path = folder.path().join("nnue.toml");
    let mut manifest = load_with(&path, &[], manifest::Globs::MayMatch).unwrap();
    assert_eq!(manifest.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["s/epoch=4"]);
    assert!(manifest.warnings.iter().any(|warning| warning.contains("there is no net `s/epoch=3` yet")), "{:?}", manifest.warnings);
    std::fs::write(folder.path().join("runs/epoch=3.nnue"), "").unwrap();
    refresh(&mut manifest).unwrap();
    assert_eq!(manifest.nets.len(), 4);
    let other = text.replace("net:s/epoch=3", "net:x");
    std::fs::write(&path, other).unwrap();
    assert!(load_with(&path, &[], manifest::Globs::MayMatch).is_err());
}
