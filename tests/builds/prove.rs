//! The proof that a published file evaluates as its source: where it is made, what it fails, what is kept of it.

use serde_json::Value;

use crate::project::{Project, manifest, net, statuses};

const MANIFEST: &str =
    manifest!("[net.big]\nsource = \"run\"\noutputs = \"big.nnue\"\n[net.big.optimize]\ndata = \"fens\"\npositions = 100\n");

fn stages(report: &Value) -> Vec<String> {
    statuses(net(report, "big")).into_iter().map(|(stage, status)| format!("{stage} {status}")).collect()
}

#[test]
fn what_is_optimized_is_proven_unless_the_manifest_says_otherwise() {
    let project = Project::new(MANIFEST);
    let first = project.json(&["build"]);
    assert_eq!(stages(&first).last().unwrap(), "prove ran");
    let again = project.json(&["build"]);
    assert_eq!((stages(&again).last().unwrap().as_str(), &net(&again, "big")["proof"]), ("prove fresh", &net(&first, "big")["proof"]));
    let keys = |report: &Value| net(report, "big")["stages"].as_array().unwrap().iter().map(|it| it["key"].clone()).collect::<Vec<_>>();

    let off = project.json(&["build", "--set", "net.big.prove=false"]);
    assert_eq!(stages(&off).last().unwrap(), "write fresh");
    assert_eq!(net(&off, "big")["proof"], Value::Null);
    assert!(!project.text("nnue.lock").contains("proof"), "the lock claims only what was proven last");
    assert_eq!(keys(&off)[..], keys(&first)[..5], "whether a net is proven is in no other key");
    let more = project.json(&["build", "--set", "net.big.prove.positions=150", "--set", "net.big.prove.seed=3"]);
    assert_eq!((&net(&more, "big")["proof"]["positions"], &net(&more, "big")["proof"]["seed"]), (&150.into(), &3.into()));
    let ran = project.nnue(&["build", "--set", "net.big.prove.positions=400"]);
    assert!(ran.code == 1 && ran.err.contains("asked for 400 positions, found"), "{}", ran.transcript());
}

#[test]
fn a_known_permutation_is_proven_where_data_are_named() {
    let permuted = "[net.big]\nsource = \"run\"\noutputs = \"dist/\"\npermutation = \"p.npy\"\n";
    let head = manifest!("");
    let project = Project::new(&format!("{head}{permuted}"));
    let mut bytes = Vec::new();
    let order: Vec<u32> = (0..32).rev().collect();
    let permutation = nnue::internals::net::Permutation::try_from(order.as_slice()).unwrap();
    nnue::internals::permutation::write_permutation(&permutation, &mut bytes).unwrap();
    project.write("p.npy", bytes);
    assert_eq!(stages(&project.json(&["build"])), ["load ran", "permute ran", "write ran"]);
    project.manifest(&format!("{head}{permuted}[net.big.prove]\ndata = \"fens\"\npositions = 200\n"));
    let report = project.json(&["build"]);
    assert_eq!(stages(&report), ["load fresh", "permute fresh", "write fresh", "prove ran"]);
    assert_eq!(net(&report, "big")["proof"]["positions"], 200);

    project.manifest(&format!("{head}{permuted}[net.big.prove]\npositions = 200\n"));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 2 && ran.err.contains("`prove` of the net `big` has no `data`"), "{}", ran.transcript());
}

#[test]
fn the_claim_is_locked_and_a_rebuild_checks_it() {
    let project = Project::new(MANIFEST);
    let report = project.json(&["build"]);
    let digest = net(&report, "big")["proof"]["digest"].as_str().unwrap().to_owned();
    let lock = project.text("nnue.lock");
    assert!(lock.contains(&format!("proof = {{ positions = 100, seed = 0, values = \"{digest}\" }}\n")), "{lock}");
    project.nnue(&["build", "--locked"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();

    project.write("nnue.lock", lock.replace(&digest, &"7".repeat(64)));
    let ran = project.nnue(&["verify", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains("the proof differs") && ran.out.contains(&digest), "{}", ran.transcript());
    assert_eq!(project.nnue(&["build", "--locked"]).code, 3);
    // A lock of before there were proofs claims nothing.
    project.write("nnue.lock", lock.lines().filter(|line| !line.starts_with("proof")).map(|line| format!("{line}\n")).collect::<String>());
    project.nnue(&["build", "--locked"]).ok();
    project.nnue(&["build"]).ok();
    assert_eq!(project.text("nnue.lock"), lock);
}

#[test]
fn too_large_an_error_of_quantizing_fails_the_net_and_limits_need_floats() {
    let limit = |limit: &str| format!("{MANIFEST}[net.big.prove]\n{limit}\n");
    let project = Project::new(&limit("max_error = 5"));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 2 && ran.err.contains("the source holds integers"), "{}", ran.transcript());

    project.nnue(&["convert", "run.nnue", "run.safetensors", "--quantization", "ft127"]).ok();
    let trained = |text: &str| text.replace("run.nnue", "run.safetensors");
    project.manifest(&trained(&limit("max_error = 0")));
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("`big.nnue` was not published: there is no such file"), "{}", ran.transcript());
    assert!(!project.at("big.nnue").exists());
    project.manifest(&trained(&limit("max_error = 1000_000\nmean_error = 1000_000")));
    let report = project.json(&["build"]);
    let error = &net(&report, "big")["proof"]["error"];
    let (mean, max) = (error["mean"].as_f64().unwrap(), error["max"].as_f64().unwrap());
    assert!(error["positions"] == 100 && 0.0 < mean && mean < max, "{error}");
    for (key, found) in [("max_error", max), ("mean_error", mean)] {
        project.manifest(&trained(&limit(&format!("{key} = {}", found / 2.0))));
        let ran = project.nnue(&["build"]);
        let says = ["quantizing changes the evaluation too much", key, "position `", "net `big` failed"];
        assert!(ran.code == 1 && says.iter().all(|part| ran.err.contains(part)), "{}", ran.transcript());
        assert_eq!(stages(&project.nnue(&["status", "--json"]).json()).last().unwrap(), "prove stale");
    }
}

/// Sums that wrap around are no fault of the build: whoever publishes the net has to know.
#[test]
fn a_net_that_overflows_in_real_positions_is_built_with_a_warning_and_not_published() {
    let project = Project::new(MANIFEST);
    let mut network = nnue::internals::net::random_network("SFNNv5", 64, 3);
    network.ft_bias[17] = i16::MAX;
    let nnue::internals::net::BlockWeights::I16(weights) = &mut network.blocks[0].weights else { panic!("piece squares are i16") };
    weights.iter_mut().skip(17).step_by(64).for_each(|weight| *weight = 50);
    let mut bytes = Vec::new();
    nnue::internals::format::nnue::write(&mut bytes, &network, nnue::internals::format::nnue::Compression::Leb128).unwrap();
    project.write("run.nnue", bytes);
    let gather = ["perm", "gather", "--net", "run.nnue", "--data", "positions.fen", "--count", "100", "--out", "act.npy"];
    for warned in [project.nnue(&["build"]).ok().err, project.nnue(&gather).ok().err] {
        assert!(warned.contains("1 neuron overflows 16 bits in 100 positions; neuron 17 goes from "), "{warned}");
    }

    let publish = ["build", "--set", "net.big.publish=fishtest", "--set", "net.big.license=CC0-1.0", "--set", "net.big.outputs=dist/"];
    for _ in 0..2 {
        let ran = project.nnue(&publish);
        assert!(ran.code == 1 && ran.err.contains("net `big` is not fit to be published: 1 neuron overflows"), "{}", ran.transcript());
        let named = std::fs::read_dir(project.at("dist")).map_or(0, Iterator::count);
        assert_eq!(named, 0, "what is refused never gets its name");
    }
    // Where nothing is searched, the proof looks.
    let kept = MANIFEST.replace("[net.big.optimize]", "[net.big.prove]");
    project.manifest(&kept);
    let warned = project.nnue(&["build"]).ok().err;
    assert!(warned.contains("1 neuron overflows 16 bits in 100 positions; neuron 17 goes from "), "{warned}");
    for _ in 0..2 {
        let ran = project.nnue(&publish);
        assert!(ran.code == 1 && ran.err.contains("net `big` is not fit to be published: 1 neuron overflows"), "{}", ran.transcript());
        assert_eq!(std::fs::read_dir(project.at("dist")).map_or(0, Iterator::count), 0);
    }
}

/// It evaluates as its source does, and is dead all the same: who wants it so says `prove = false`.
#[test]
fn a_file_that_no_engine_reads_is_not_proven() {
    let text = "version = 1\n[data.fens]\npath = \"positions.fen\"\n[net.big]\nsource = \"run.nnue\"\noutputs = \"big.nnue\"\n\
                compression = \"none\"\nprove = { data = \"fens\", positions = 50 }\n";
    let project = Project::empty().with_net("run.nnue", 128, 5).with_fens("positions.fen", 9, 100).with_manifest(text);
    for _ in 0..2 {
        let ran = project.nnue(&["build"]);
        assert_eq!(ran.code, 1, "{}", ran.transcript());
        for words in [
            "no engine of its generation reads it",
            "Stockfish since 16",
            "write `compression = \"leb128\"`",
            "`big.nnue` was not published",
        ] {
            assert!(ran.err.contains(words), "{words}: {}", ran.err);
        }
        assert!(!project.at("big.nnue").exists());
    }
    assert!(!project.at("nnue.lock").exists() || !project.text("nnue.lock").contains("big"));
    project.manifest(&text.replace("\"none\"", "\"auto\""));
    project.nnue(&["build"]).ok();
    project.manifest(&text.replace("prove = { data = \"fens\", positions = 50 }", "prove = false"));
    assert!(project.nnue(&["build"]).ok().err.contains("refuses `none`"));
}
