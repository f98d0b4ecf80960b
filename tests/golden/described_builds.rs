//! What other engines' own tools wrote, byte for byte, through a manifest; and what a build of such a net says and keeps.

use std::path::Path;

use crate::common::sha256;
use crate::described::{OUTPUTS, engines, nnue, unpacked};

fn built(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = nnue(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

/// Every output as a net of one manifest; permuted where its layout is.
#[test]
fn every_tools_outputs_come_from_a_build() {
    let Some(engines) = engines() else { return };
    let index = crate::common::json(&engines.join("index.json"));
    for (engine, outputs) in OUTPUTS {
        let folder = unpacked(&engines, engine);
        let order = if folder.path().join("order.txt").exists() { "permutation = \"order.txt\"\n" } else { "" };
        let mut manifest = "version = 1\n".to_owned();
        for (number, (source, from, to, _)) in outputs.iter().enumerate() {
            let is_permuted = !to.ends_with("-raw") && !to.ends_with("-published") && !["quantised", "checkpoint"].contains(to);
            let order = if is_permuted { order } else { "" };
            manifest.push_str(&format!(
                "[source.s{number}]\npath = \"{source}\"\narchitecture = \"./net.toml\"\nlayout = \"{from}\"\n\
                 [net.n{number}]\nsource = \"s{number}\"\n{order}outputs = {{ {to} = \"built/{number}\" }}\n"
            ));
        }
        std::fs::write(folder.path().join("nnue.toml"), manifest).unwrap();
        built(folder.path(), &["build"], 0);
        for (number, (.., target)) in outputs.iter().enumerate() {
            let Some(wanted) = index[format!("public/{engine}")]["files"][*target]["sha256"].as_str() else { continue };
            let bytes = std::fs::read(folder.path().join(format!("built/{number}"))).unwrap();
            assert_eq!(sha256(&bytes), wanted, "{engine}: {target}");
        }
        built(folder.path(), &["verify"], 0);
    }
}

const MANIFEST: &str = r#"version = 1
[architecture.plenty]
like = "plentychess"
[architecture.plenty.sizes]
neuron = 64
out = 16
l3 = 32
bucket = 3
head = 2
threat = 40
pair = 12
[source.raw]
path = "raw.bin"
architecture = "plenty"
[net.plenty]
source = "raw"
permutation = "order.txt"
[net.plenty.outputs]
published = "out/net.bin"
embed-avx2 = ["out/avx2.bin", "out/again.bin"]
"#;

#[test]
fn one_net_has_several_outputs_by_layout_that_share_what_they_can() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("nnue.toml"), text).unwrap();
    write(MANIFEST);
    built(folder.path(), &["build"], 0);
    assert_eq!(read("out/net.bin"), read("compressed.bin"));
    let index = crate::common::json(&engines.join("index.json"));
    let wanted = index["public/plentychess"]["files"]["processed_from_compressed.avx2.bin"]["sha256"].as_str().unwrap();
    assert_eq!((sha256(&read("out/avx2.bin")).as_str(), read("out/again.bin")), (wanted, read("out/avx2.bin")));
    // load, quantize, merge, permute once; two files are written.
    insta::assert_snapshot!(built(folder.path(), &["graph"], 0));
    built(folder.path(), &["build", "--locked"], 0);
    built(folder.path(), &["verify", "--rebuild"], 0);
    // Comments re-key nothing, values do what they touch.
    write(&MANIFEST.replace("neuron = 64", "# as tested\nneuron = 64"));
    assert!(built(folder.path(), &["status"], 0).contains("fresh"));
    write(&MANIFEST.replace("[source.raw]", "[architecture.plenty.step.l1]\nscale = 32\n[source.raw]"));
    insta::assert_snapshot!(built(folder.path(), &["status"], 0));
    let text = built(folder.path(), &["build", "--locked"], 3);
    assert!(text.contains("`nnue.lock` would change"), "{text}");
}

/// What the first writes is in its layout, and the second says of it neither that nor the architecture.
#[test]
fn described_nets_are_made_of_other_nets() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let first = MANIFEST.replace("embed-avx2 = [\"out/avx2.bin\", \"out/again.bin\"]\n", "");
    let second = "[net.embedded]\nsource = \"net:plenty\"\noutputs = { embed-avx2 = \"out/embedded.bin\" }\n";
    std::fs::write(folder.path().join("nnue.toml"), format!("{first}{second}")).unwrap();
    built(folder.path(), &["build", "embedded"], 0);
    let index = crate::common::json(&engines.join("index.json"));
    let wanted = index["public/plentychess"]["files"]["processed_from_compressed.avx2.bin"]["sha256"].as_str().unwrap();
    assert_eq!((sha256(&read("out/embedded.bin")).as_str(), read("out/net.bin")), (wanted, read("compressed.bin")));
    built(folder.path(), &["verify", "--rebuild"], 0);
}

/// The bound of sums that CPUs without VNNI may wrap: reported, warned of, and accepted; a matter of no byte.
#[test]
fn wide_sums_are_told_until_they_are_allowed() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let write = |text: &str| std::fs::write(folder.path().join("nnue.toml"), text).unwrap();
    let report = |text: &str| serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>().next().unwrap().unwrap();
    write(MANIFEST);
    let text = built(folder.path(), &["build", "--json"], 0);
    let sum = report(&text)["nets"][0]["largest_sum"].as_u64().unwrap();
    assert!(sum > 32_767 && text.contains("the evaluation may change with the order") && text.contains("allow = \"wide-sums\""), "{text}");
    let bytes = std::fs::read(folder.path().join("out/net.bin")).unwrap();
    write(&MANIFEST.replace("[net.plenty.outputs]", "allow = \"wide-sums\"\n[net.plenty.outputs]"));
    let text = built(folder.path(), &["build", "--json", "--force"], 0);
    assert!(!text.contains("may change") && report(&text)["nets"][0]["largest_sum"] == sum, "{text}");
    assert_eq!(std::fs::read(folder.path().join("out/net.bin")).unwrap(), bytes);
    let fresh = built(folder.path(), &["build", "--json"], 0);
    assert_eq!(report(&fresh)["nets"][0]["largest_sum"], sum, "{fresh}");
    let convert = ["convert", "raw.bin", "x", "--architecture", "net.toml", "--from", "raw", "--to", "published", "--ft_perm", "order.txt"];
    assert!(built(folder.path(), &convert, 0).contains("`--allow wide-sums` accepts that"));
    assert!(!built(folder.path(), &[&convert[..], &["--allow", "wide-sums"]].concat(), 0).contains("may change"));
    write(&MANIFEST.replace("[net.plenty.outputs]", "allow = \"wide-sum\"\n[net.plenty.outputs]"));
    assert!(built(folder.path(), &["build"], 2).contains("did you mean `wide-sums`?"));
    let of_trainer = "version = 1\n[net.a]\nsource = \"raw.bin\"\noutputs = [\"a.nnue\"]\nallow = \"wide-sums\"\n";
    write(of_trainer);
    assert!(built(folder.path(), &["build"], 2).contains("`allow` means nothing to it"));
}

#[test]
fn init_proposes_architectures_whose_files_have_the_length() {
    let Some(engines) = engines() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The floats of bullet's `simple`.
    std::fs::write(folder.path().join("raw.bin"), vec![0; 4 * (768 * 128 + 128 + 2 * 128 + 1)]).unwrap();
    built(folder.path(), &["init", "raw.bin"], 0);
    let text = std::fs::read_to_string(folder.path().join("nnue.toml")).unwrap();
    assert!(text.contains("architecture = \"bullet-simple\"") && text.contains("layout = \"raw\""), "{text}");
    built(folder.path(), &["build"], 0);
    // What came of it is known, too.
    let output = std::fs::read_dir(folder.path().join("dist")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(output, folder.path().join("quantised.bin")).unwrap();
    std::fs::remove_file(folder.path().join("nnue.toml")).unwrap();
    built(folder.path(), &["init", "quantised.bin"], 0);
    let text = std::fs::read_to_string(folder.path().join("nnue.toml")).unwrap();
    assert!(text.contains("bullet-simple") && text.contains("layout = \"quantised\""), "{text}");
    // In Stockfish's format, and in no table of generations; with sizes of its own.
    for (name, architecture) in [("nn-61e7af4bb97d.nnue", "stockfish-768"), ("sfnn.bin", "shogi-sfnn")] {
        std::fs::remove_file(folder.path().join("nnue.toml")).unwrap();
        std::fs::write(folder.path().join("net.nnue"), crate::common::read_maybe_xz(&engines.join("foreign").join(name))).unwrap();
        built(folder.path(), &["init", "net.nnue"], 0);
        let text = std::fs::read_to_string(folder.path().join("nnue.toml")).unwrap();
        assert!(text.contains(&format!("\"{architecture}\"")), "{text}");
        built(folder.path(), &["build"], 0);
    }
}

#[test]
fn a_permutation_is_searched_for_and_shared_by_the_outputs() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "bullet");
    std::fs::copy(engines.join("features/fens.txt"), folder.path().join("positions.epd")).unwrap();
    let manifest = "version = 1\n[architecture.mine]\nlike = \"bullet\"\n[architecture.mine.sizes]\nneuron = 16\nout = 8\nl3 = 16\nhead = 2\n\
         [data.fens]\npath = \"positions.epd\"\n[source.run]\npath = \"weights.bin\"\narchitecture = \"mine\"\nlayout = \"raw\"\n\
         [net.a]\nsource = \"run\"\noutputs = { quantised = [\"a\", \"b\"] }\noptimize = { data = \"fens\", positions = 18 }\n";
    std::fs::write(folder.path().join("nnue.toml"), manifest).unwrap();
    // Messages follow on the other stream.
    let json = |text: &str| serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>().next().unwrap().unwrap();
    let report = json(&built(folder.path(), &["build", "--json"], 0));
    let stages: Vec<&str> = report["nets"][0]["stages"].as_array().unwrap().iter().map(|it| it["stage"].as_str().unwrap()).collect();
    assert!(stages.contains(&"gather") && stages.contains(&"search") && stages.contains(&"permute"), "{stages:?}");
    assert_eq!(report["nets"][0]["zero_blocks"]["positions"], 18);
    // As the command without a graph does it.
    let sets = ["--set", "sizes.neuron=16", "--set", "sizes.out=8", "--set", "sizes.l3=16", "--set", "sizes.head=2"];
    let convert = ["convert", "weights.bin", "c", "--architecture", "bullet", "--from", "raw", "--to", "quantised"];
    let search = ["--ft_optimize", "--ft_optimize_data", "positions.epd", "--ft_optimize_count", "18"];
    built(folder.path(), &[&convert[..], &sets, &search].concat(), 0);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!((read("a"), read("b")), (read("c"), read("c")));
    // Matrix and permutation are kept: without the files nothing is gathered again.
    std::fs::remove_file(folder.path().join("a")).unwrap();
    let text = built(folder.path(), &["build", "--json"], 0);
    let report = json(&text);
    let ran = |stage: &str| report["nets"][0]["stages"].as_array().unwrap().iter().any(|it| it["stage"] == stage && it["status"] == "ran");
    assert!(!ran("gather") && !ran("search") && ran("write"), "{text}");
    built(folder.path(), &["verify", "--rebuild"], 0);
}

#[test]
fn mistakes_have_their_places() {
    let Some(engines) = engines() else { return };
    let folder = unpacked(&engines, "plentychess");
    let refused = |code: i32, old: &str, new: &str, words: &[&str]| {
        assert!(MANIFEST.contains(old), "{old}");
        std::fs::write(folder.path().join("nnue.toml"), MANIFEST.replace(old, new)).unwrap();
        // Messages are wrapped.
        let text = built(folder.path(), &["build"], code).split_whitespace().collect::<Vec<_>>().join(" ").replace(" | ", " ");
        words.iter().for_each(|word| assert!(text.contains(word), "{new}: {word}: {text}"));
        assert!(!folder.path().join("out/net.bin").exists());
    };
    refused(2, "published =", "publisht =", &["has no layout `publisht`", "did you mean `published`?", "nnue.toml:19"]);
    refused(2, "neuron = 64", "nouron = 64", &["no size is named `nouron`", "did you mean `neuron`?", "nnue.toml:5"]);
    refused(2, "neuron = 64", "neuron = \"6*\"", &["size `neuron` cannot be computed", "nnue.toml:5"]);
    refused(2, "architecture = \"plenty\"", "architecture = \"plenti\"", &["did you mean `plenty`?"]);
    refused(2, "architecture = \"plenty\"", "architecture = \"missing.toml\"", &["cannot read the architecture `missing.toml`"]);
    refused(2, "architecture = \"plenty\"", "architecture = \"plenty\"\nl1 = 64", &["`l1` does not go with a described architecture"]);
    refused(2, "architecture = \"plenty\"", "", &["has outputs by layout, but its source has no described architecture"]);
    refused(2, "embed-avx2 =", "quantised =", &["is permuted, but the layout `quantised` is not"]);
    refused(2, "architecture = \"plenty\"", "architecture = \"plenty\"\ndecode = \"lc0-0.33\"", &["`decode` does not go with a described"]);
    refused(2, "[net.plenty.outputs]", "fold = true\n[net.plenty.outputs]", &["`fold` is of networks of lc0", "nnue.toml:18"]);
    let prove = "[data.d]\npath = \"p.epd\"\n[net.plenty.prove]\ndata = \"d\"\n[net.plenty.outputs]";
    refused(2, "[net.plenty.outputs]", prove, &["a proof evaluates the integers of `.nnue` networks", "remove `prove` from this net"]);
    refused(2, "path = \"raw.bin\"", "embedded = \"raw.bin\"", &["only networks of lc0 are searched for"]);
    refused(2, "published = \"out/net.bin\"", "published = \"out/\"", &["`out/` is a folder"]);
    refused(1, "raw.bin", "compressed.bin", &["it is in the layout `published`", "add `layout = \"published\"`"]);
    refused(1, "neuron = 64", "neuron = 128", &["is not in the layout `raw`"]);
    refused(1, "order.txt", "activations.txt", &["cannot use the permutation"]);
}
