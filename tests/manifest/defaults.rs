//! `[defaults]` and `[matrix]`: as good as their nets written out.

use crate::*;

/// All that a build makes of a manifest's nets: names, files, and the parameters of each stage, which are what keys are made of.
fn plans(manifest: &Manifest) -> Vec<String> {
    let nets: Vec<_> = manifest.nets.iter().collect();
    let graph = plan::plan(manifest, &nets, &plan::Facts::probe(&nets)).unwrap();
    let plan = |net: &plan::NetPlan| {
        let mut lines = vec![net.name.clone()];
        for &action in &net.actions {
            let operation = graph.action(action).unwrap();
            lines.push(format!("{} {}", operation.stage().name(), serde_json::Value::Object(operation.params())));
            lines.extend(graph.inputs(action).into_iter().filter_map(|(name, input)| match &graph.dag[input] {
                plan::Node::File(file) => Some(format!("{name} = {}", file.path.typed)),
                plan::Node::Action(_) => None,
            }));
        }
        lines.extend(net.outputs.iter().map(|(output, _)| output.path.value.typed.clone()));
        let net = manifest.nets.iter().find(|other| other.name == net.name).unwrap();
        lines.push(format!("{} {:?}", net.release.provenance.value, net.release.license.as_ref().map(|license| &license.value)));
        lines.join("\n")
    };
    graph.nets.iter().map(plan).collect()
}

#[test]
fn defaults_go_where_a_net_says_nothing() {
    let text = nets(
        "[defaults]\ncompression = \"none\"\ndescription = \"all\"\n[defaults.optimize]\ndata = \"d\"\npositions = 7\nalgorithm = \"anneal\"\nmoves = 9\n\
         [defaults.optimize.filters]\nfiltered = true\nmax_ply = 5\n[data.d]\npath = \"x\"\n[data.e]\npath = \"y\"\n",
    );
    let text = text.replace("[net.b]\n", "[net.b]\ncompression = \"leb128\"\npermutation = \"p.npy\"\n")
        + "optimize = { data = \"e\", algorithm = \"greedy\", filters = { max_ply = 6 } }\n\
           [net.off]\nsource = \"a.nnue\"\noutputs = \"d.nnue\"\noptimize = false\n";
    let manifest = parse(&text).unwrap();
    assert_eq!(manifest.warnings, Vec::<String>::new());
    let [a, b, c, off] = &manifest.nets[..] else { panic!("four nets") };
    let slice = |span: manifest::Span| &text[span.start..span.end];
    assert_eq!((a.compression.value, slice(a.compression.span)), (CompressionChoice::None, "\"none\""));
    assert_eq!(a.description.as_ref().unwrap().value, "all");
    let optimize = a.optimize.as_ref().unwrap();
    assert_eq!((optimize.positions.value, optimize.budget.as_ref().unwrap().value), (7, 9));
    assert_eq!((slice(optimize.span), slice(optimize.positions.span)), ("[defaults.optimize]", "7"));
    assert_eq!(optimize.filters.value, Filters { filtered: true, max_ply: Some(5), ..Filters::default() });

    assert_eq!((b.compression.value, &b.optimize), (CompressionChoice::Leb128, &None));
    assert_eq!(b.permutation.as_ref().unwrap().value.typed, "p.npy");

    let optimize = c.optimize.as_ref().unwrap();
    assert_eq!((optimize.data.name.as_str(), optimize.positions.value, optimize.algorithm.value), ("e", 7, Algorithm::Greedy));
    assert_eq!(optimize.budget, None);
    assert_eq!(optimize.filters.value, Filters { filtered: true, max_ply: Some(6), ..Filters::default() });

    assert_eq!((off.compression.value, &off.optimize, &off.permutation), (CompressionChoice::None, &None, &None));
}

#[test]
fn a_net_that_searches_takes_no_permutation_from_the_defaults() {
    let text = nets("[defaults]\npermutation = \"p.npy\"\n[data.d]\npath = \"x\"\n") + "optimize.data = \"d\"\n";
    let manifest = parse(&text.replace("[net.b]\n", "[net.b]\npermutation = false\n")).unwrap();
    let permuted: Vec<bool> = manifest.nets.iter().map(|net| net.permutation.is_some()).collect();
    assert_eq!(permuted, [true, false, false]);
}

#[test]
fn defaults_on_the_command_line() {
    let text = nets("[data.d]\npath = \"x\"\n");
    let sets = ["defaults.compression=none", "defaults.optimize.data=d", "net.a.optimize.positions=5", "net.b.optimize=false"];
    let manifest = parse_with(&text, &sets).unwrap();
    assert!(manifest.nets.iter().all(|net| net.compression.value == CompressionChoice::None));
    let positions: Vec<_> = manifest.nets.iter().map(|net| Some(net.optimize.as_ref()?.positions.value)).collect();
    assert_eq!(positions, [Some(5), None, Some(10_000)]);
}

#[test]
fn defaults_that_nothing_takes_are_warnings() {
    let text = nets("[defaults]\noutputs = \"other/\"\ncompression = \"none\"\noptimize.data = \"d\"\n[data.d]\npath = \"x\"\n");
    let text = text.replace("outputs = [\"dist/\"]", "outputs = \"dist/\"\npermutation = \"p.npy\"");
    assert_eq!(
        parse(&text).unwrap().warnings,
        [
            "nowhere/nnue.toml:6: `data.d` is not used by any net",
            "nowhere/nnue.toml:3: `defaults.outputs` is not used by any net",
            "nowhere/nnue.toml:5: `defaults.optimize` is not used by any net",
        ]
    );
    // A default that does nothing for one net is not a mistake of that net, and is said once where it does nothing for all.
    let floats = nets("[defaults]\ncompression = \"none\"\n").replace("dist/", "dist/x.pt");
    assert!(parse(&floats).is_err(), "one file three times");
    let one = "version = 1\n[defaults]\ncompression = \"none\"\n[net.a]\nsource = \"a.nnue\"\noutputs = \"x.pt\"\n[net.b]\nsource = \"a.nnue\"\noutputs = \"y.pt\"\n";
    assert_eq!(parse(one).unwrap().warnings.len(), 1);
}

/// Whether a value stands in the net or comes from the defaults changes nothing, whatever else is there.
#[test]
fn a_default_is_as_good_as_an_own_value() {
    let keys: &[(&str, [&str; 2])] = &[
        ("description", ["'one'", "'two'"]),
        ("compression", ["'none'", "'leb128'"]),
        ("outputs", ["['dist/']", "'other/'"]),
        ("provenance", ["true", "false"]),
        ("license", ["'CC0-1.0'", "'GPL-3.0-only'"]),
        ("optimize.data", ["'d'", "'e'"]),
        ("optimize.positions", ["5", "1_000"]),
        ("optimize.seed", ["0", "18446744073709551615"]),
        ("optimize.algorithm", ["'anneal'", "'greedy'"]),
        ("optimize.filters.filtered", ["true", "false"]),
        ("optimize.filters.max_ply", ["300", "0"]),
        ("optimize.filters.pc", ["'2026-01'", "'2026-01'"]),
        ("optimize.filters.pc_y2", ["0.5", "2"]),
    ];
    let always = |key: &str| matches!(key, "outputs" | "optimize.data" | "optimize.filters.pc");
    let mut random = random();
    for _ in 0..500 {
        let (mut with_defaults, mut written_out) = (String::new(), String::new());
        let defaults: Vec<Option<&str>> =
            keys.iter().map(|(key, values)| (always(key) || random(2) == 0).then(|| values[random(2)])).collect();
        for name in ["a", "b", "c"] {
            let header = format!("[net.{name}]\nsource = '{name}.nnue'\n");
            with_defaults.push_str(&header);
            written_out.push_str(&header);
            for ((key, values), default) in keys.iter().zip(&defaults) {
                let own = (random(2) == 0).then(|| values[random(2)]);
                with_defaults.extend(own.map(|own| format!("{key} = {own}\n")));
                written_out.extend(own.or(*default).map(|value| format!("{key} = {value}\n")));
            }
        }
        let lines = keys.iter().zip(&defaults).filter_map(|((key, _), value)| Some(format!("{key} = {}\n", (*value)?)));
        let defaults = format!("[defaults]\n{}", lines.collect::<String>());
        let before = random(2) == 0;
        let head = "version = 1\n[data.d]\npath = 'x'\n[data.e]\npath = 'y'\n";
        let with_defaults = if before { format!("{head}{defaults}{with_defaults}") } else { format!("{head}{with_defaults}{defaults}") };
        let written_out = format!("{head}{written_out}");
        assert_eq!(plans(&parse(&with_defaults).unwrap()), plans(&parse(&written_out).unwrap()), "{with_defaults}");
    }
}

const MATRIX: &str = r#"version = 1
[source.run42]
path = "a.nnue"
[source.run43]
path = "b.nnue"
[data.d]
path = "x"

[net.first]
source = "run42"
outputs = "{literally}/"

[matrix]
run = ["run42", "run43"]
seed = [0, 0x1F]
fast = [true]

[net."{run}-s{seed}"]
source = "{run}"
description = "{run} with {seed}, {fast}? {run}"
outputs = ["dist/{run}-s{seed}.nnue", "all/"]

[net."{run}-s{seed}".optimize]
data = "d"
seed = "{seed}"
filters.filtered = "{fast}"

[net."only {seed}"]
source = "c.nnue"
outputs = "other/"
"#;

#[test]
fn a_matrix_makes_a_net_per_combination() {
    let text = MATRIX.replace(", {fast}?", "").replace("\"{fast}\"", "true").replace("fast = [true]\n", "");
    let manifest = parse_with(&text, &["net.\"{run}-s{seed}\".compression=none"]).unwrap();
    let names: Vec<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    assert_eq!(names, ["first", "run42-s0", "run42-s31", "run43-s0", "run43-s31", "only 0", "only 31"]);
    assert_eq!(manifest.warnings, Vec::<String>::new());
    let net = &manifest.nets[2];
    assert_eq!((net.sweep.as_deref(), net.source.name.as_deref()), (Some("{run}-s{seed}"), Some("run42")));
    assert_eq!(net.description.as_ref().unwrap().value, "run42 with 31 run42");
    assert_eq!(net.outputs[0].path.value.typed, "dist/run42-s31.nnue");
    assert_eq!((net.compression.value, manifest.nets[5].compression.value), (CompressionChoice::None, CompressionChoice::Auto));
    let seed = &net.optimize.as_ref().unwrap().seed;
    // Whoever looks for the value finds it in the matrix.
    assert_eq!((seed.value, &text[seed.span.start..seed.span.end]), (31, "0x1F"));
    assert_eq!(manifest.nets[0].sweep, None);
    assert_eq!(manifest.nets[0].outputs[0].path.value.typed, "{literally}/");

    let of_sweep = |name: &str| build::select_nets(&manifest, &[name.to_owned()]).map(|nets| nets.len());
    assert_eq!(of_sweep("{run}-s{seed}").unwrap(), 4);
    assert_eq!(of_sweep("run43-s0").unwrap(), 1);
    assert!(of_sweep("{run}").is_err());

    let one = parse_with(&text, &["matrix.seed=[7]", "matrix.run=['run43']"]).unwrap();
    assert_eq!(one.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["first", "run43-s7", "only 7"]);
}

#[test]
fn a_value_alone_keeps_its_type() {
    let text = MATRIX.replace("\"{run}-s{seed}\"", "\"{run}-s{seed}-{fast}\"");
    let manifest = parse(&text).unwrap();
    assert!(manifest.nets[1].optimize.as_ref().unwrap().filters.value.filtered);
    assert_eq!(manifest.nets[1].description.as_ref().unwrap().value, "run42 with 0, true? run42");
    let text = "version = 1\n[matrix]\nx = [1.50, -0.0, 2]\n[net.\"{x}\"]\nsource = \"a.nnue\"\noutputs = \"d/\"\n[net.\"{x}\".optimize]\ndata = \"d\"\nfilters = { pc = \"2026-01\", pc_y1 = \"{x}\" }\n[data.d]\npath = \"x\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["1.5", "0", "2"]);
}

#[test]
fn a_matrix_takes_defaults() {
    let text = MATRIX.replace("seed = \"{seed}\"\n", "").replace("outputs = [\"dist/{run}-s{seed}.nnue\", \"all/\"]\n", "")
        + "[defaults]\noutputs = \"default/{seed}/\"\n[defaults.optimize]\nseed = \"{seed}\"\n";
    let text = text.replace("\"{run}-s{seed}\"", "\"{run}-s{seed}-{fast}\"");
    let text = text.replace("[net.first]\n", "[net.first]\noptimize = false\n").replace("other/\"\n", "other/\"\noptimize.data = \"d\"\n");
    let manifest = parse(&text).unwrap();
    let seeds: Vec<_> = manifest.nets.iter().map(|net| Some(net.optimize.as_ref()?.seed.value)).collect();
    assert_eq!(seeds, [None, Some(0), Some(31), Some(0), Some(31), Some(0), Some(31)]);
    assert_eq!(manifest.nets[2].outputs[0].path.value.typed, "default/31/");
}

/// A matrix is short for its nets written out: the same nets in the same order, however it is laid out.
#[test]
fn a_matrix_is_as_good_as_its_nets_written_out() {
    let mut random = random();
    for _ in 0..300 {
        let axes: Vec<(&str, Vec<&str>)> = [
            ("a", ["'x.nnue'", "\"y.nnue\"", "'z z.nnue'"]),
            ("b", ["5", "1_00", "0xff"]),
            ("c", ["'none'", "'leb128'", "'none'"]),
            ("d", ["0", "-1", "400"]),
        ]
        .into_iter()
        .map(|(name, values)| (name, values[..1 + random(if name == "c" { 2 } else { 3 })].to_vec()))
        .collect();
        let plain = |value: &str| match value {
            "1_00" => "100".to_owned(),
            "0xff" => "255".to_owned(),
            other => other.trim_matches(['\'', '"']).to_owned(),
        };
        let lines: String = axes.iter().map(|(name, values)| format!("{name} = [ {} ] # {}\n", values.join(" , "), random(9))).collect();
        let description = ["", "description = 'of {a}, {b} {c}{d}'\n"][random(2)];
        let body = |source: &str, compression: &str, positions: &str, skip: &str| {
            format!(
                "source = {source}\ncompression = {compression}\noptimize = {{ data = 'd', positions = {positions}, filters = {{ early_fen_skipping = {skip} }} }}\n"
            )
        };
        let template = body("'{a}'", "'{c}'", "'{b}'", "\"{d}\"");
        let net = format!("[net.'{{d}} {{a}}/{{c}}-{{b}}']\noutputs = 'out/{{a}}{{b}}{{c}}{{d}}.nnue'\n{description}{template}");
        let head = "version = 1\n[data.d]\npath = 'p'\n";
        let with_matrix = match random(2) {
            0 => format!("{head}[matrix]\n{lines}{net}"),
            _ => format!("{net}[matrix]\n{lines}").replacen("", head, 1),
        };
        let mut written_out = head.to_owned();
        for a in &axes[0].1 {
            for b in &axes[1].1 {
                for c in &axes[2].1 {
                    for d in &axes[3].1 {
                        let fill = |text: &str| {
                            text.replace("{a}", &plain(a)).replace("{b}", &plain(b)).replace("{c}", &plain(c)).replace("{d}", &plain(d))
                        };
                        let name = fill("{d} {a}/{c}-{b}");
                        let outputs = fill("out/{a}{b}{c}{d}.nnue");
                        let net = format!("[net.'{name}']\noutputs = '{outputs}'\n{}{}", fill(description), body(a, c, b, d));
                        written_out.push_str(&net);
                    }
                }
            }
        }
        assert_eq!(plans(&parse(&with_matrix).unwrap()), plans(&parse(&written_out).unwrap()), "{with_matrix}");
    }
}

#[test]
fn a_hundred_thousand_nets_are_read() {
    let values = |count: usize| format!("{:?}", (0..count).collect::<Vec<_>>());
    let text = matrix(&format!("run = {}\nseed = {}\n", values(100), values(1000)), "{run}-{seed}");
    assert_eq!(parse(&text).unwrap().nets.len(), 100_000);
    let more = text + "[net.one]\nsource = \"b.nnue\"\noutputs = \"d/\"\n";
    assert_eq!(parse(&more).unwrap().nets.len(), 100_001, "what is written out one by one is not a slip");
}
