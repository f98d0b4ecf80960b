//! What is read: values, defaults of the program, spans, overrides, warnings.

use crate::*;

/// Spans are bytes of the text, and of the text alone.
#[test]
fn spans_are_exact() {
    let text = "\u{feff}version = 1\r\n# äöü\r\n[source.\"läuft\"]\r\npath = 'ä.ckpt'\r\nl1 = 1_024\r\n[net.big]\r\nsource = \"läuft\"\r\noutputs = \"d/\"\r\n";
    let manifest = parse_with(text, &["net.big.compression=none"]).unwrap();
    let text = text.trim_start_matches('\u{feff}');
    let source = &manifest.sources["läuft"];
    let slice = |span: manifest::Span| &text[span.start..span.end];
    assert_eq!(slice(source.span), "[source.\"läuft\"]");
    assert_eq!(slice(source.path.span), "'ä.ckpt'");
    assert_eq!(slice(source.claims.l1.as_ref().unwrap().span), "1_024");
    assert_eq!(slice(source.claims.overflow.span), "[source.\"läuft\"]");
    let compression = &manifest.nets[0].compression;
    assert_eq!((compression.span.text, compression.span.start, compression.span.end), (1, 20, 24));
    assert_eq!(manifest.line(source.path.span), "nowhere/nnue.toml:4");
}

#[test]
fn later_errors_point_into_the_manifest() {
    let manifest = parse(&source("l1 = 3072")).unwrap();
    let span = manifest.sources["run"].claims.l1.as_ref().unwrap().span;
    let error = manifest.diagnostic(
        span,
        "`run.ckpt` has L1 = 1536, the manifest says 3072",
        "3072 here",
        "`ft.weight` has 1536 columns",
        "write `l1 = 1536`, or name another file",
    );
    snapshot("later_error", &error);
}

#[test]
fn all_keys_have_their_values() {
    let text = fs::read_to_string(Path::new(ROOT).join("nnue.toml.example")).unwrap();
    // The example's files do not exist: its sweep has none to match.
    let text = &text[..text.find("[net.\"nightly").unwrap()];
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.warnings, Vec::<String>::new());

    let source = &manifest.sources["run42"];
    assert_eq!(source.path.value.typed, "runs/epoch=799.ckpt");
    assert_eq!(source.path.value.resolved, Path::new("nowhere/runs/epoch=799.ckpt"));
    assert_eq!(source.claims.features.as_ref().unwrap().value, "Full_Threats+HalfKAv2_hm^");
    assert_eq!([&source.claims.l1, &source.claims.l2, &source.claims.l3].map(|size| size.as_ref().unwrap().value), [1024, 31, 32]);
    assert_eq!(source.claims.architecture.as_ref().unwrap().value.name, "SFNNv14");
    assert_eq!(source.claims.quantization.as_ref().unwrap().value.name, "ft255");
    assert_eq!(source.claims.overflow.value, Overflow::Error);
    assert!(source.sha256.as_ref().unwrap().value.starts_with("0123"));

    let big = &manifest.nets[0];
    assert_eq!((big.name.as_str(), big.source.name.as_deref(), &big.sweep), ("big", Some("run42"), &None));
    assert_eq!(big.description.as_ref().unwrap().value, "Training run 42, epoch 799");
    assert_eq!(big.compression.value, CompressionChoice::Leb128);
    assert_eq!(big.outputs.iter().map(|output| output.kind).collect::<Vec<_>>(), [OutputKind::Folder, OutputKind::Nnue]);
    let optimize = big.optimize.as_ref().unwrap();
    assert_eq!(optimize.data.paths[1].value.typed, "data/part2.binpack");
    assert_eq!(optimize.data.sha256.len(), 2);
    assert_eq!((optimize.positions.value, optimize.seed.value), (100_000, 0));
    assert_eq!((optimize.algorithm.value, optimize.budget.as_ref().unwrap().value), (Algorithm::Anneal, 50_000_000));
    let expected = Filters {
        filtered: true,
        wld_filtered: true,
        random_fen_skipping: 3,
        early_fen_skipping: 16,
        simple_eval_skipping: -1,
        max_score: Some(10_000),
        max_ply: Some(400),
        soft_early_fen_skipping: 20,
        ply_x1: Some(0.0),
        ply_y1: Some(0.1),
        ply_x2: Some(6.0),
        ply_y2: Some(0.15),
        ply_x3: Some(10.0),
        ply_y3: Some(0.25),
        ply_x4: Some(18.0),
        ply_y4: Some(0.75),
        pc: Some(PieceWeights::May2026),
        pc_y0: Some(0.0),
        pc_y1: Some(0.4),
        pc_y2: Some(1.0),
        pc_y3: Some(1.0),
        pc_y4: Some(0.75),
    };
    assert_eq!(optimize.filters.value, expected);

    let known = &manifest.nets[1];
    assert_eq!((known.source.name.as_deref(), known.source.path.value.typed.as_str()), (None, "runs/epoch=799.nnue"));
    assert_eq!(known.permutation.as_ref().unwrap().value.typed, "perms/big.npy");
    assert_eq!(known.outputs[0].path.value.typed, "public/");
    assert!(big.release.provenance.value && known.release.publish.is_some());

    let mixed = &manifest.nets[2].edits;
    let (blend, heads) = (&mixed.blend.as_ref().unwrap().value, &mixed.heads.as_ref().unwrap().value);
    assert_eq!((blend.with[0].name.as_deref(), &blend.shares[..]), (Some("found"), &[0.75, 0.25][..]));
    let (part, from) = &blend.graft[0];
    assert_eq!((part.value.as_str(), from.embedded, from.path.value.typed.as_str()), ("policy_heads.soft", true, "lc0/lc0-with-net"));
    assert_eq!(heads.policy.as_deref(), Some(&["vanilla".to_owned(), "soft".to_owned()][..]));
    let metadata = &mixed.metadata.as_ref().unwrap().value;
    assert_eq!((metadata.min_version, metadata.fixup, metadata.keeps_training), (Some([0, 33, 0]), true, true));
    assert_eq!(metadata.training.iter().find(|(name, _)| *name == "training_steps").unwrap().1, "2000000");

    let remote = manifest.remote_cache.as_ref().unwrap();
    assert_eq!((remote.url.value.as_str(), remote.mode.value), ("https://cache.example.org/nnue", RemoteMode::ReadWrite));
}

#[test]
fn what_is_said_of_published_files_is_no_part_of_the_net() {
    let release = |text: &str| parse(text).unwrap().nets.remove(0).release;
    let none = release(HEAD);
    assert_eq!((none.provenance.value, &none.publish, &none.license), (false, &None, &None));
    let all = release(&head("provenance = true\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"\n"));
    assert!(all.provenance.value);
    assert_eq!(all.publish.unwrap().value, Publish::Fishtest);
    assert_eq!(all.license.unwrap().value, "CC0-1.0");
    // A licence is free text where nothing is published; a fixed name may be the right one.
    assert_eq!(release(&head("license = \"GPL-3.0-or-later OR MIT\"\n")).license.unwrap().value, "GPL-3.0-or-later OR MIT");
    let fixed = HEAD.replace("dist/", "dist/nn-0123456789ab.nnue") + "publish = \"fishtest\"\nlicense = \"CC0-1.0\"\n";
    assert!(release(&fixed).publish.is_some());
}

#[test]
fn the_text_is_kept_byte_for_byte() {
    for mark in ["", "\u{feff}"] {
        let text = format!("{mark}{HEAD}\r\n# ä\n");
        assert_eq!(parse_with(&text, &["net.big.compression=none"]).unwrap().text(), text);
    }
}

#[test]
fn the_example_parses_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(Path::new(ROOT).join("nnue.toml.example"), folder.path().join("nnue.toml")).unwrap();
    fs::create_dir_all(folder.path().join("runs/a")).unwrap();
    fs::write(folder.path().join("runs/a/epoch=1.ckpt"), "").unwrap();
    let manifest = load(folder.path()).unwrap();
    let names: Vec<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    assert_eq!(names[..6], ["big", "known", "mixed", "nightly/a/epoch=1", "latest/a-1", "from-big"]);
    assert_eq!(names.len(), 6 + 2 * 3 + 1);
    assert_eq!(manifest.warnings, Vec::<String>::new());
}

/// The example shows every key that the schema has.
#[test]
fn the_example_is_complete() {
    let text = fs::read_to_string(Path::new(ROOT).join("nnue.toml.example")).unwrap();
    for (table, keys) in schema_keys() {
        for key in keys {
            let header = [
                format!("[{key}]"),
                format!("[{table}.{key}]"),
                format!("[{key}."),
                format!("[{table}.big.{key}]"),
                format!("[net.big.{table}.{key}]"),
                format!("[{table}.mixed.{key}]"),
                format!("[net.mixed.{key}]"),
            ];
            let shown = text.lines().any(|line| {
                let starts = line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
                starts && line.contains('#')
                    || line.contains("{ glob =") && key == "glob"
                    || header.iter().any(|header| line.starts_with(header))
            });
            assert!(shown, "`{key}` of `{table}` is not shown with a comment");
        }
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let manifest = parse(&optimize("data = \"fishpack\"")).unwrap();
    let net = &manifest.nets[0];
    let optimize = net.optimize.as_ref().unwrap();
    assert_eq!((optimize.positions.value, optimize.seed.value, optimize.algorithm.value), (10_000, 0, Algorithm::Greedy));
    assert_eq!((net.compression.value, net.source.claims.overflow.value), (CompressionChoice::Auto, Overflow::Error));
    assert_eq!((&net.description, &optimize.budget), (&None, &None));
    assert_eq!(optimize.filters.value, Filters::default());
    assert_eq!(parse(&filters("")).unwrap().nets[0].optimize.as_ref().unwrap().filters.value, Filters::default());
}

#[test]
fn remote_addresses() {
    for url in [
        "http://localhost",
        "http://[::1]:8080/a/b/",
        "https://cache.example.org/a%20b",
        "s3://bucket/x",
        "gs://b",
        "az://container/y/z",
        "grpc://[::1]:8980",
        "grpcs://rbe.example.org/main",
    ] {
        let cache = parse(&remote(&format!("url = \"{url}\""))).unwrap().remote_cache.unwrap();
        assert_eq!((cache.url.value.as_str(), cache.mode.value), (url, RemoteMode::Read));
    }
    assert_eq!(parse(HEAD).unwrap().remote_cache, None);
    assert_eq!(parse(&head("[cache]\n")).unwrap().remote_cache, None);
}

#[test]
fn credentials_in_an_address_are_not_shown() {
    for url in [
        "https://anna:geheim@a/b",
        "https://geheim@a",
        "ftp://anna:geheim@a",
        "anna:geheim@a/b",
        "https://a/b?sig=geheim",
        "s3://a/#geheim",
    ] {
        let text = render(&parse(&remote(&format!("url = \"{url}\""))).unwrap_err());
        assert!(text.contains("cache.remote.url") && text.contains("nnue.toml:3") && !text.contains("geheim"), "{text}");
    }
}

#[test]
fn seed_has_all_64_bits() {
    let manifest = parse(&optimize(&format!("data = \"fishpack\"\nseed = {}", u64::MAX))).unwrap();
    assert_eq!(manifest.nets[0].optimize.as_ref().unwrap().seed.value, u64::MAX);
    let manifest = parse(&optimize("data = \"fishpack\"\nseed = 0xFF_FF")).unwrap();
    assert_eq!(manifest.nets[0].optimize.as_ref().unwrap().seed.value, 0xFFFF);
}

#[test]
fn weights_are_integers_or_floats() {
    let manifest = parse(&filters("pc = \"2026-01\"\npc_y1 = 1_0.5\npc_y2 = 2\npc_y3 = -1e-1\nsimple_eval_skipping = 0")).unwrap();
    let filters = &manifest.nets[0].optimize.as_ref().unwrap().filters.value;
    assert_eq!([filters.pc_y1, filters.pc_y2, filters.pc_y3], [Some(10.5), Some(2.0), Some(-0.1)]);
    assert_eq!(filters.simple_eval_skipping, 0);
}

#[test]
fn pins_are_lower_case() {
    let manifest = parse(&source(&format!("sha256 = \"{}\"", "AB".repeat(32)))).unwrap();
    assert_eq!(manifest.sources["run"].sha256.as_ref().unwrap().value, "ab".repeat(32));
}

#[test]
fn a_source_with_a_dot_in_its_name_is_found_before_a_path() {
    let text = "version = 1\n[source.\"run4.2\"]\npath = \"x\"\n[net.a]\nsource = \"run4.2\"\noutputs = \"d/\"\n[net.b]\nsource = \"run4.3\"\noutputs = \"d/\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.declared[0].source.value, NetSource::Named("run4.2".into()));
    assert!(matches!(&manifest.declared[1].source.value, NetSource::Path(path) if path.typed == "run4.3"));
}

#[test]
fn nets_keep_the_order_of_the_file() {
    let text = "version = 1\n[net.z]\nsource = \"a.nnue\"\noutputs = \"d/\"\n[net.a]\nsource = \"a.nnue\"\noutputs = \"d/\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.nets.iter().map(|net| net.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
}

#[test]
fn unused_tables_and_idle_keys_are_warnings() {
    let text = "version = 1\n[source.old]\npath = \"x\"\n[data.old]\npath = \"y\"\n[net.a]\nsource = \"a.nnue\"\noutputs = \"x.pt\"\ncompression = \"none\"\n";
    assert_eq!(
        parse(text).unwrap().warnings,
        [
            "nowhere/nnue.toml:9: `net.a.compression` has no effect: no output is a `.nnue` file or a folder",
            "nowhere/nnue.toml:2: `source.old` is not used by any net",
            "nowhere/nnue.toml:4: `data.old` is not used by any net",
        ]
    );
    assert_eq!(parse("version = 1\n").unwrap().warnings, ["nowhere/nnue.toml:1: no `[net.NAME]` table: there is nothing to build"]);
}

#[test]
fn folders_take_several_nets() {
    let manifest = parse(&head("[net.b]\nsource = \"b.nnue\"\noutputs = [\"dist/\", \"../up.nnue\"]\n")).unwrap();
    assert_eq!(manifest.nets[1].outputs[1].path.value.resolved, Path::new("up.nnue"));
}

#[test]
fn set_changes_values() {
    let text = format!("{}\n[net.\"nightly/x\"]\nsource = \"b.nnue\"\noutputs = \"n/\"\n", optimize("data = \"fishpack\""));
    let manifest = parse_with(
        &text,
        &[
            "net.big.optimize.positions=5",
            "net.big.optimize.positions = 1_000_000",
            "net.big.description=two words, no quotes",
            "net.\"nightly/x\".compression=none",
            "net.nightly/x.outputs=[\"a/\", \"b/\"]",
            "net.big.optimize.filters.filtered=true",
            "net.big.optimize.filters.pc=\"2026-01\"",
            "net.big.optimize.filters.pc_y1=0.5",
            "net.'nightly/x'.optimize={ data = 'fishpack', seed = 3 }",
            "net.big.source=runs/x=y.ckpt",
        ],
    )
    .unwrap();
    let [big, nightly] = &manifest.nets[..] else { panic!("two nets") };
    assert_eq!(big.optimize.as_ref().unwrap().positions.value, 1_000_000);
    let set = Filters { filtered: true, pc: Some(PieceWeights::January2026), pc_y1: Some(0.5), ..Filters::default() };
    assert_eq!(big.optimize.as_ref().unwrap().filters.value, set);
    assert_eq!(big.description.as_ref().unwrap().value, "two words, no quotes");
    assert_eq!(big.source.path.value.typed, "runs/x=y.ckpt");
    assert_eq!(nightly.compression.value, CompressionChoice::None);
    assert_eq!(nightly.outputs.len(), 2);
    assert_eq!(nightly.optimize.as_ref().unwrap().seed.value, 3);
}

#[test]
fn a_set_value_that_begins_like_toml_must_be_toml() {
    let text = head("");
    for value in ["[dist/", "[\"a\"", "{ a = ", "\"x", "'x", "'x'y", "1_", "1.2.3", "+"] {
        let set = format!("net.big.description={value}");
        let error = parse_with(&text, &[&set]).err().unwrap_or_else(|| panic!("{set}"));
        let message = render(&error);
        assert!(message.contains("cannot read the value of `--set") && message.contains(value), "{message}");
    }
    for value in ["3rd run", "2026 was long", "-x", "a[0]", "x\"y", "runs/[ab].ckpt"] {
        let manifest = parse_with(&text, &[&format!("net.big.description={value}")]).unwrap();
        assert_eq!(manifest.nets[0].description.as_ref().unwrap().value, value);
    }
}

#[test]
fn set_adds_a_table_below_a_net() {
    let manifest = parse_with(&head("[data.d]\npath = \"x\"\n"), &["net.big.optimize.data=d"]).unwrap();
    assert_eq!(manifest.nets[0].optimize.as_ref().unwrap().data.name, "d");
}

#[test]
fn set_that_is_malformed() {
    let mut all = String::new();
    for text in ["", "=1", "a", "a.b", "a.b=", "a..b=1", "a b=1", "\"a=1", "\"\\q\".x=1", ".a=1", "ä.\"ö=1", "a ü=1"] {
        all.push_str(&render(&Override::parse(text).unwrap_err()));
        all.push('\n');
    }
    same("set_malformed", &all);
}

#[test]
fn a_set_of_filters_is_its_name_alone_or_the_start_of_a_table() {
    let set = FilterSet::Trainer202605.filters();
    let filters = |text: &str| {
        parse(&optimize(&format!("data = \"fishpack\"\n{text}"))).unwrap().nets[0].optimize.as_ref().unwrap().filters.value.clone()
    };
    assert_eq!(filters("filters = \"trainer-2026-05\""), set);
    let changed = filters("filters = { preset = \"trainer-2026-05\", wld_filtered = false, random_fen_skipping = 0 }");
    assert_eq!(changed, Filters { wld_filtered: false, random_fen_skipping: 0, ..set });
}

#[test]
fn a_program_of_watch_is_an_argument_vector() {
    let watch = |run: &str| parse(&head(&format!("[watch]\nrun = {run}\n")));
    let values = [("path", "/x y/a.nnue".to_owned()), ("net", "{path}".to_owned()), ("sha256", "12".to_owned())];
    let good = watch(r#"["prog", "--file={path}", "{net}", "{print $1}", "{print}", "{}"]"#).unwrap().hook.unwrap();
    assert_eq!(good.arguments(&values), ["prog", "--file=/x y/a.nnue", "{path}", "{print $1}", "{print}", "{}"]);
    assert_eq!(watch("\"prog\"").unwrap().hook.unwrap().arguments(&values), ["prog"]);
    assert_eq!(parse(&head("[watch]\n")).unwrap().hook, None);
    for (run, words) in [
        ("\"prog {path}\"", &["names no program", "no shell takes it apart", "run = [\"prog\", \"{path}\"]"][..]),
        ("[]", &["`watch.run` is empty"]),
        ("[\" \"]", &["names no program", "it is empty"]),
        ("[\"prog\", \"{pth}\"]", &["`{pth}` has no value", "did you mean `{path}`?"]),
        ("[\"prog\", 1]", &["`watch.run[1]`"]),
        ("[\"prog\", \"a\\u0000b\"]", &["NUL"]),
        ("7", &["`watch.run`"]),
    ] {
        let shown = render(&watch(run).unwrap_err());
        words.iter().for_each(|word| assert!(shown.contains(word), "{run}: `{word}` in\n{shown}"));
    }
    assert!(parse(&head("[watch]\nrum = [\"x\"]\n")).is_err());
}

/// A path of two lines would be two in whatever lists files.
#[test]
fn paths_have_no_control_characters() {
    let text = "version = 1\nreport = \"r\\n.html\"\n[net.a]\nsource = \"x\\t.nnue\"\noutputs = [\"a\\nEND\\nb.nnue\", \"d\\u009b/\"]\n";
    let shown = render(&parse(text).unwrap_err());
    assert_eq!(shown.matches("it has a control character, such as the end of a line").count(), 4, "{shown}");
}
