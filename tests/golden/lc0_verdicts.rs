//! What is said of golden lc0 nets before anyone loads them, and of the same nets with something broken.

use crate::{common, lc0_broken as broken};

use std::collections::BTreeMap;
use std::path::Path;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::lc0::schema;
use nnue::internals::family::lc0::wire::{Message, Value};
use nnue::internals::family::lc0::{
    Decode, Effect, Encoding, Fault, Finding, Net, OnnxOptions, TensorFile, Version, View, write_onnx, write_tensors,
};
use nnue::internals::files::Bytes;
use serde_json::Value as Json;

/// The formula of the release that made the golden outputs.
const OLD: Decode = Decode::Lc0V032;
const NEW: Decode = Decode::Lc0V033;

fn read(folder: &Path, name: &str) -> Net {
    let bytes = Bytes::map(&folder.join("nets").join(name)).unwrap();
    if name.ends_with(".exe") { Net::read_embedded(&bytes, NEW).unwrap() } else { Net::read(&bytes).unwrap() }
}

/// The finding with these words.
fn finding(net: &Net, words: &str) -> Finding {
    let findings = net.findings(OLD);
    findings.iter().find(|finding| finding.what.contains(words)).unwrap_or_else(|| panic!("no `{words}`: {findings:?}")).clone()
}

#[test]
fn verdicts_are_what_lc0_did() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let (mut finite, mut others) = (0, 0);
    let mut wrong = BTreeMap::new();
    for (name, case) in common::json_nan_xz(&folder.join("lc0_0.32.1.json")).as_object().unwrap() {
        let Ok(net) = Net::read_for(&Bytes::map(&folder.join("nets").join(name)).unwrap(), OLD) else { continue };
        let verdict = net.verdict(OLD);
        if case.get("crash").is_some() {
            assert_eq!(verdict.effect, Effect::Crash, "{name}");
            others += 1;
        } else if let Some(words) = case["eval_error"].as_str() {
            assert_eq!((verdict.effect, verdict.why.as_deref()), (Effect::Refused, Some(words)), "{name}");
            others += 1;
        } else if let Some(outputs) = case["eval"].as_array() {
            // One net gives NaN of numbers that are all small: eigen's doing, not the net's.
            finite += usize::from(outputs.iter().all(|output| output["q"].is_f64()));
            assert!(verdict.effect < Effect::NotANumber, "{name}: {verdict:?}");
            let worst = net.findings(OLD).into_iter().max_by_key(|finding| finding.effect);
            assert!(worst.is_none_or(|worst| worst.effect < Effect::NotANumber), "{name}");
            if verdict.effect != Effect::None {
                wrong.insert(name.clone(), verdict.effect);
            }
        }
    }
    assert!(finite >= 26 && others >= 4, "{finite} {others}");
    // Of these lc0 makes outputs that are not those of the net that was trained.
    let known = [
        ("multihead-no-vanilla.pb.gz", Effect::Wrong),
        ("old-ab-legacy.pb.gz", Effect::Overrun),
        ("tool-bfloat16.pb.gz", Effect::Wrong),
        ("tool-float16.pb.gz", Effect::Wrong),
    ];
    assert_eq!(wrong, known.into_iter().map(|(name, effect)| (name.to_owned(), effect)).collect());
}

#[test]
fn refusals_to_play_are_in_lc0s_words() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let mut refused = 0;
    for (list, release) in [("expected.json", NEW), ("expected_0.32.1.json", OLD)] {
        for (name, case) in common::json_maybe_xz(&folder.join(list)).as_object().unwrap() {
            // Of nets with a model inside lc0 plays that.
            let Some(words) = case["multi"]["error"].as_str().filter(|_| !name.starts_with("onnx")) else { continue };
            let verdict = read(&folder, name).verdict(release);
            // What a format is comes before what the tensors are.
            let why = verdict.why.unwrap_or_default();
            assert!(verdict.effect == Effect::Refused && (why == words || why.contains("format")), "{name}: {why}");
            refused += 1;
        }
    }
    assert!(refused >= 10, "{refused}");
    for (name, cases) in common::json_maybe_xz(&folder.join("onnx.json")).as_object().unwrap() {
        let Some(words) = cases["f32 vanilla winner"]["error"].as_str() else { continue };
        let verdict = read(&folder, name).verdict(NEW);
        let said = verdict.converter.or(verdict.why).unwrap_or_default();
        // A net without weights has no heads for the other backends.
        let words = if words.contains("doesn't have weights") { "Could not find valid policy head weights." } else { words };
        assert_eq!(said, words.replace("the ONNX converter", "the BLAS backend"), "{name}");
    }
    let legacy = read(&folder, "old-ab-legacy.pb.gz").verdict(NEW);
    assert_eq!(legacy.converter.as_deref(), Some("Attention body missing input embedding."));
    assert_ne!(legacy.effect, Effect::Refused);
    let unknown = read(&folder, "layer-encoding-unknown.pb.gz");
    assert_eq!(unknown.verdict(NEW).why.as_deref(), Some("Unknown layer encoding Encoding(9)"));
    assert_eq!(unknown.verdict(OLD).why.as_deref(), Some("it would load `ip1_val_b` (Encoding(9)) and its like as linear16"));
    finding(&unknown, "`ip1_val_b` is stored as Encoding(9)");
    let extreme = read(&folder, "layer-extreme-ranges.pb.gz");
    assert_eq!(extreme.verdict(OLD).effect, Effect::NotANumber);
    assert_eq!(extreme.verdict(NEW).effect, Effect::None);
    assert_eq!(read(&folder, "layer-half-specials.pb.gz").verdict(NEW).effect, Effect::NotANumber);
    assert_eq!(read(&folder, "onnx-f32.pb.gz").verdict(NEW).effect, Effect::None);
}

#[test]
fn what_is_missing_is_found() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    use Effect::{Crash, None as Nothing, Wrong};
    let (conv, dense, body, heads) = ("se-conv-wdl-mlh", "classical-old-bn", "attnbody-smolgen", "multihead-shared");
    let cases = [
        (conv, "residual.0.conv2", Crash),
        (conv, "residual.0.conv1.weights", Crash),
        (conv, "residual.0.se.w2", Crash),
        (conv, "residual.1.se.b1", Wrong),
        (conv, "input", Wrong),
        (conv, "ip2_val_b", Wrong),
        (conv, "input.bn_means", Wrong),
        (conv, "residual.0.conv1.bn_means", Crash),
        (conv, "value.bn_gammas", Crash),
        (conv, "value.bn_stddivs", Nothing),
        (conv, "policy1", Crash),
        (conv, "moves_left", Wrong),
        (dense, "input.bn_means", Wrong),
        (dense, "policy", Wrong),
        (dense, "ip_pol_w", Crash),
        (dense, "ip2_val_b", Crash),
        (body, "encoder.1.mha", Wrong),
        (body, "encoder.1.mha.q_w", Crash),
        (body, "encoder.1.ln1_gammas", Crash),
        (body, "encoder.1.ffn", Wrong),
        (body, "encoder.1.mha.smolgen.dense1_w", Crash),
        (body, "smolgen_w", Crash),
        (body, "headcount", Crash),
        (body, "ip4_pol_w", Crash),
        (body, "ip_mult_gate", Wrong),
        (heads, "ip_emb_ffn", Wrong),
        (heads, "ip_emb_preproc_w", Crash),
        (heads, "policy_heads.vanilla.ip3_pol_w", Crash),
        (heads, "policy_heads.soft.ip3_pol_w", Nothing),
        (heads, "value_heads.winner.ip1_val_w", Crash),
        (heads, "value_heads.q.ip1_val_w", Nothing),
    ];
    for (name, path, effect) in cases {
        let net = broken::without(&read(&folder, &format!("{name}.pb.gz")), path);
        let found = finding(&net, &format!("`{path}` is missing"));
        assert_eq!((found.fault, found.effect), (Fault::Missing, effect), "{name} {path}");
        let verdict = net.verdict(OLD);
        assert_eq!(verdict.effect, effect, "{name} {path}: {verdict:?}");
    }
    // A switch that is off, for one block or encoder, is none of it.
    for (name, path) in [(conv, "residual.0.se"), (body, "encoder.1.mha.smolgen")] {
        assert_eq!(broken::without(&read(&folder, &format!("{name}.pb.gz")), path).findings(OLD), [], "{path}");
    }
    finding(&read(&folder, "old-attn-no-smolgen-w.pb.gz"), "`smolgen_w` is missing");
    finding(&read(&folder, "wire-repeated-append.pb.gz"), "`residual.1.conv1` is missing");
    let words = "Could not find valid policy head weights.";
    let without = broken::without(&read(&folder, "multihead-shared.pb.gz"), "policy_heads");
    assert_eq!(without.verdict(OLD).why.as_deref(), Some(words));
    finding(&without, words);
}

#[test]
fn a_net_of_empty_blocks_has_as_many_faults_as_can_be_read() {
    let Some(golden) = common::golden_lc0() else { return };
    let mut net = read(&golden.join("public"), "se-conv-wdl-mlh.pb.gz");
    let weights = net.message_mut().message_mut("weights").unwrap();
    (0..5000).for_each(|_| weights.push("residual", Value::Message(Message::new(&schema::RESIDUAL))));
    let found = net.findings(OLD);
    assert_eq!(found.len(), 1000);
    assert!(found[999].what.ends_with("there are more faults than are listed"), "{}", found[999].what);
    assert_eq!(net.verdict(OLD).effect, Effect::Crash);
    // Of faults beyond the limit the worst is told.
    let mut net = broken::without(&read(&golden.join("public"), "se-conv-wdl-mlh.pb.gz"), "ip1_val_w");
    let weights = net.message_mut().message_mut("weights").unwrap();
    let mut block = weights.messages("residual").next().unwrap().clone();
    for conv in ["conv1", "conv2"] {
        block.message_mut(conv).unwrap().remove("bn_stddivs");
    }
    (0..600).for_each(|_| weights.push("residual", Value::Message(block.clone())));
    let found = net.findings(OLD);
    assert_eq!((found.len(), found[998].effect), (1000, Effect::None));
    assert!(found[999].what.starts_with("`ip1_val_w` is missing"), "{}", found[999].what);
    assert_eq!(net.verdict(OLD).effect, Effect::Crash);
}

#[test]
fn a_header_that_says_something_else_is_found() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let cases = [
        ("se-conv-wdl-mlh", "policy", 3, "POLICY_ATTENTION, but the policy head is a convolution", Effect::Wrong),
        ("se-conv-wdl-mlh", "policy", 1, "POLICY_CLASSICAL, but the policy head is a convolution", Effect::Crash),
        ("se-conv-wdl-mlh", "value", 1, "VALUE_CLASSICAL, but `ip2_val_b` has 3 elements", Effect::Wrong),
        ("classical-old-bn", "value", 2, "VALUE_WDL, but `ip2_val_b` has one element", Effect::Overrun),
        ("se-conv-wdl-mlh", "moves_left", 0, "MOVES_LEFT_NONE, and lc0 leaves the moves-left head unused", Effect::None),
        ("classical-old-bn", "moves_left", 1, "MOVES_LEFT_V1, but there is no moves-left head", Effect::None),
        ("se-conv-wdl-mlh", "network", 6, "NETWORK_ATTENTIONBODY_WITH_HEADFORMAT, but there is no encoder", Effect::Wrong),
        ("attnbody-smolgen", "network", 3, "NETWORK_CLASSICAL_WITH_HEADFORMAT, and lc0 passes over the encoders", Effect::Wrong),
        ("multihead-shared", "input_embedding", 1, "INPUT_EMBEDDING_PE_MAP, but positions are embedded by dense layers", Effect::Wrong),
        ("multihead-shared", "policy", 2, "POLICY_CONVOLUTION, but `policy_heads.vanilla` is an attention policy", Effect::Crash),
    ];
    for (name, field, number, words, effect) in cases {
        let net = broken::saying(&read(&folder, &format!("{name}.pb.gz")), field, number);
        let found = finding(&net, words);
        assert_eq!((found.fault, found.effect), (Fault::Header, effect), "{name} {field} {number}");
    }
    for (field, number, words) in [
        ("network", 5, "Network format NETWORK_ONNX is not supported by the BLAS backend."),
        ("policy", 0, "Policy format POLICY_UNKNOWN is not supported by the BLAS backend."),
        ("value", 3, "Value format VALUE_PARAM is not supported by the BLAS backend."),
        ("input", 77, "Unsupported input plane encoding 77"),
        ("moves_left", 2, "Moves left head format MovesLeftFormat(2) is not supported by the BLAS backend."),
        ("default_activation", 2, "Default activation DefaultActivation(2) is not supported by the BLAS backend."),
        ("input_embedding", 3, "Input embedding InputEmbeddingFormat(3) is not supported by the BLAS backend."),
    ] {
        let net = broken::saying(&read(&folder, "se-conv-wdl-mlh.pb.gz"), field, number);
        assert_eq!(net.verdict(OLD).why.as_deref(), Some(words));
    }
}

#[test]
fn sizes_that_heads_have_are_checked() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let conv = read(&folder, "se-conv-wdl-mlh.pb.gz");
    let heads = read(&folder, "multihead-shared.pb.gz");
    let count = |net: &Net, path: &str| net.sizes(OLD).into_iter().find(|layer| layer.path == path).unwrap().len;
    let fewer = |net: &Net, prefix: [&str; 2], by: usize| {
        let [weights, biases] = prefix;
        let (have, outputs) = (count(net, weights), count(net, biases));
        let cut = broken::shortened(net, weights, have / outputs * (outputs - by));
        broken::shortened(&cut, biases, outputs - by)
    };
    let planes = |by| fewer(&conv, ["policy.weights", "policy.biases"], by);
    assert_eq!(finding(&planes(1), "`policy` has 79 planes, lc0 has 80").effect, Effect::None);
    assert_eq!(finding(&planes(8), "`policy` has 72 planes, lc0 has 80").effect, Effect::Overrun);
    let value = fewer(&conv, ["ip2_val_w", "ip2_val_b"], 1);
    assert_eq!(finding(&value, "`ip2_val_b` has 2 elements, a value has 3").effect, Effect::Overrun);
    // Two outputs where one is due.
    let twice = |net: &Net, paths: [&str; 2]| paths.iter().fold(net.clone(), |net, path| broken::doubled(&net, path));
    let plies = twice(&conv, ["ip2_mov_w", "ip2_mov_b"]);
    assert_eq!(finding(&plies, "`ip2_mov_b` has 2 elements").effect, Effect::Wrong);
    let error = ["value_heads.q.ip_val_err_w", "value_heads.q.ip_val_err_b"];
    assert_eq!(finding(&twice(&heads, error), "`value_heads.q.ip_val_err_b` has 2 elements").effect, Effect::None);
}

#[test]
fn variances_below_zero_are_found_and_never_folded() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let net = read(&folder, "se-conv-wdl-mlh.pb.gz");
    let net = broken::ranged(&net, "residual.0.conv2.bn_stddivs", -0.5, -0.25);
    let found = finding(&net, "`residual.0.conv2.bn_stddivs` has -");
    assert_eq!((found.fault, found.effect), (Fault::Value, Effect::NotANumber));
    let ctx = Ctx::silent();
    let named = |result: nnue::internals::error::Result<()>| {
        let error = result.unwrap_err();
        let whole = format!("{} {}", error.message(), error.causes().join(" "));
        assert!(whole.contains("residual.0.conv2") && whole.contains("NaN"), "{whole}");
    };
    for view in [View::Legacy, View::Multi] {
        named(write_tensors(&mut Vec::new(), &net, view, NEW, TensorFile::Safetensors, &ctx));
        named(write_tensors(&mut Vec::new(), &net, view, NEW, TensorFile::Npz, &ctx));
    }
    named(write_onnx(&mut Vec::new(), &net, &OnnxOptions::default(), NEW, &ctx));
    named(net.clone().fold(Some(Encoding::Float32), NEW, &ctx));
    write_tensors(&mut Vec::new(), &net, View::Raw, NEW, TensorFile::Npz, &ctx).unwrap();
    // The formula of 0.32 makes infinities of a range whose ends are numbers: a view shows what that release computes with.
    let extreme = read(&folder, "layer-extreme-ranges.pb.gz");
    for view in View::ALL.iter().copied() {
        write_tensors(&mut Vec::new(), &extreme, view, NEW, TensorFile::Npz, &ctx).unwrap();
        write_tensors(&mut Vec::new(), &extreme, view, OLD, TensorFile::Npz, &ctx).unwrap();
    }
    let error = write_onnx(&mut Vec::new(), &extreme, &OnnxOptions::default(), OLD, &ctx).unwrap_err();
    assert!(error.to_string().contains("`value.bn_"), "{error}");
}

/// What lc0 does not compute with may hold anything.
#[test]
fn layers_that_lc0_does_not_read_make_no_verdict() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let whole = read(&folder, "multihead-shared.pb.gz");
    for (path, effect) in [
        ("policy_heads.soft.ip2_pol_w", Effect::None),
        ("value_heads.q.ip1_val_w", Effect::None),
        ("encoder.0.mha.q_w", Effect::NotANumber),
    ] {
        let net = broken::ranged(&whole, path, f32::NAN, 1.0);
        let found = finding(&net, &format!("`{path}` ranges from NaN"));
        assert_eq!((found.effect, net.verdict(OLD).effect), (effect, effect), "{path}");
    }
    // More variances than outputs: lc0 writes beyond the ends of the others.
    let net = broken::doubled(&read(&folder, "se-conv-wdl-mlh.pb.gz"), "residual.0.conv1.bn_stddivs");
    assert_eq!(finding(&net, "`residual.0.conv1.bn_stddivs` has").effect, Effect::Crash);
    // A release that knows no encodings crashes all the same.
    let mut net = broken::without(&read(&folder, "se-conv-wdl-mlh.pb.gz"), "residual.0.conv2");
    net.encode(Encoding::Float16, NEW, &Ctx::silent()).unwrap();
    net.set_min_version(Version(0, 33, 0)).unwrap();
    assert_eq!(net.verdict(NEW).effect, Effect::Crash);
}

#[test]
fn features_that_the_stated_version_does_not_know_are_found() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let stating = |name: &str, minor: u32| {
        let mut net = read(&folder, name);
        net.set_min_version(Version(0, minor, 0)).unwrap();
        net
    };
    let found = finding(&stating("attnbody-smolgen.pb.gz", 21), "`min_version` is 0.21.0, but");
    assert_eq!((found.fault, found.effect), (Fault::Version, Effect::None));
    assert!(found.what.contains("NETWORK_ATTENTIONBODY_WITH_HEADFORMAT is of lc0 0.30.0"), "{found}");
    finding(&stating("se-attention-policy-mish.pb.gz", 28), "DEFAULT_ACTIVATION_MISH is of lc0 0.29.0");
    finding(&stating("input-format-5.pb.gz", 26), "INPUT_112_WITH_CANONICALIZATION_V2 is of lc0 0.27.0");
    finding(&stating("onnx-f32.pb.gz", 27), "an ONNX model is of lc0 0.28.0");
    for (name, minor) in [("attnbody-smolgen.pb.gz", 30), ("se-attention-policy-mish.pb.gz", 29), ("se-conv-wdl-mlh.pb.gz", 0)] {
        assert_eq!(stating(name, minor).findings(OLD), [], "{name}");
    }
    // What the fix-up makes of the header counts.
    let old = read(&folder, "old-attn-no-smolgen-w.pb.gz");
    assert_eq!(old.needed_version(), Version(0, 30, 0));
}

#[test]
fn heads_that_lc0_would_play_are_missed() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let found = finding(&read(&folder, "multihead-no-vanilla.pb.gz"), "there is no policy head `vanilla`");
    assert_eq!((found.fault, found.effect), (Fault::Head, Effect::Wrong));
    let mut net = read(&folder, "multihead-shared.pb.gz");
    net.keep_heads(Some(&["vanilla"]), Some(&["winner"])).unwrap();
    assert_eq!(net.findings(OLD), []);
    let mut net = read(&folder, "multihead-shared.pb.gz");
    net.keep_heads(Some(&["soft"]), Some(&["q"])).unwrap();
    finding(&net, "there is no policy head `vanilla`");
    finding(&net, "there is no value head `winner`");
}

/// Findings of golden nets that lc0 0.33 takes, by their effect: a fault that is new among them is a false alarm, or has a reason.
#[test]
fn whole_nets_have_no_findings() {
    let Some(golden) = common::golden_lc0() else { return };
    let folder = golden.join("public");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let expected: Json = common::json_maybe_xz(&folder.join("expected.json"));
    for (name, case) in expected.as_object().unwrap() {
        if case["load"] != "ok" || name.starts_with("onnx") {
            continue;
        }
        for finding in read(&folder, name).findings(NEW) {
            if finding.effect > Effect::None && finding.fault != Fault::Refusal {
                found.entry(name.split('.').next().unwrap().to_owned()).or_default().push(finding.to_string());
            }
        }
    }
    let shown: Vec<String> = found.iter().flat_map(|(name, words)| words.iter().map(move |words| format!("{name}: {words}"))).collect();
    insta::assert_snapshot!(shown.join("\n"));
}
