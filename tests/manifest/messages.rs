//! One mistake a test: what is said of it, in full.

use crate::*;

/// One test per mistake: its name is that of the snapshot.
macro_rules! refused {
    ($($name:ident: $text:expr $(, $set:literal)*;)*) => {$(
        #[test]
        fn $name() {
            snapshot(stringify!($name), &parse_with(&$text, &[$($set),*]).unwrap_err());
        }
    )*};
}

refused! {
    // The file as such.
    toml_unquoted: "version = 1\n[source.a]\npath = runs/x.ckpt\n";
    toml_duplicate: head("source = \"b.nnue\"\n");
    toml_unclosed: "version = 1\n[net.big\nsource = \"x\"";
    toml_two_mistakes: "version = 1\n[net.big]\nsource = 'x\noutputs = yes\n";
    version_missing: "[net.big]\nsource = \"a.nnue\"\noutputs = \"dist/\"\n";
    version_unknown: "version = 2\nanything = \"goes\"\n";
    version_text: "version = \"1\"\n";

    // Keys.
    key_unknown: optimize("data = \"fishpack\"\npostions = 5");
    key_unknown_at_top: head("[matrices]\nx = 1\n");
    key_of_a_later_version: head("signature = true\n");
    key_missing: "version = 1\n[net.big]\ndescription = \"x\"\n[source.a]\nl1 = 8\n[data.d]\n[net.b]\nsource = \"a\"\noutputs = \"d/\"\noptimize = {}\n";
    table_expected: "version = 1\nnet = 3\n[source]\nrun = \"x\"\n";
    name_blank: head("[source.\"\"]\npath = \"x\"\n");
    name_with_control_character: "version = 1\n[net.\"a\\nb\"]\nsource = \"a.nnue\"\noutputs = \"d/\"\n";
    nested_too_deeply: head(&format!("[x]\n{}z = 1\n", "a.".repeat(40)));

    // Values.
    type_string_expected: head("description = 800\n");
    type_list_expected: "version = 1\n[net.big]\nsource = 5\noutputs = { a = 1 }\n";
    type_integer_quoted: source("l1 = \"1_024\"");
    type_integer_with_fraction: optimize("data = \"fishpack\"\npositions = 1e5");
    integer_zero_positions: optimize("data = \"fishpack\"\npositions = 0");
    integer_negative_seed: optimize("data = \"fishpack\"\nseed = -1");
    integer_beyond_128_bits: optimize("data = \"fishpack\"\nseed = 999999999999999999999999999999999999999999");
    l1_odd: source("l1 = 1023");
    l1_too_large: source("l1 = 65_538");
    l2_zero: source("l2 = 0\nl3 = 0");
    features_unknown_block: source("features = \"Full_Threats+HalfKAv2_mh^\"");
    features_blank: source("features = \"HalfKP + HalfKA\"");
    architecture_unknown: source("architecture = \"SFNNv10\"");
    quantization_unknown: source("quantization = \"ft128\"");
    overflow_unknown: source("overflow = \"saturate\"");
    compression_unknown: head("compression = \"zstd\"\n");
    algorithm_unknown: optimize("data = \"fishpack\"\nalgorithm = \"greddy\"\nmoves = 5");
    filter_unknown: filters("filterd = true");
    filter_of_a_wrong_type: filters("filtered = 1\nwld_filtered = \"true\"\nmax_ply = 1.0\npc_y1 = true");
    filter_out_of_range: filters("random_fen_skipping = -1\nearly_fen_skipping = -2\nsimple_eval_skipping = 3_000_000_000\nmax_score = 65_536\npc_y2 = 1e7\npc_y3 = nan");
    filter_weights_nowhere_positive: filters("pc = \"2026-01\"\npc_y1 = 0\npc_y2 = -1\npc_y3 = 0");
    filter_weights_of_two_meanings: filters("pc_y1 = 0.4\npc_y2 = 1\npc_y3 = 1");
    filter_curve_of_nothing: filters("ply_x1 = 3");
    filter_set_unknown: optimize("data = \"fishpack\"\nfilters = \"trainer-2026\"");
    moves_without_anneal: optimize("data = \"fishpack\"\nmoves = 5");
    sha256_short: source("sha256 = \"abc\"");
    sha256_not_hex: source(&format!("sha256 = \"{}\"", "x".repeat(64)));
    sha256_of_data_differs_in_number: head(&format!("[data.d]\npath = [\"a\", \"b\"]\nsha256 = \"{}\"\n", "0".repeat(64)));
    path_empty: head("permutation = \"\"\n");
    path_with_nul: source("sha256 = \"\"\n[data.d]\npath = \"a\\u0000b\"");
    outputs_empty: "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = []\n";

    // The remote cache.
    remote_without_url: remote("mode = \"write\"");
    cluster_url_without_scheme: cluster("url = \"rbe.example.org:8980\"");
    cluster_url_of_a_cache: cluster("url = \"https://cache.example.org\"\ncas = \"grpcs://\"");
    cluster_url_with_a_secret: cluster("url = \"grpcs://anna:geheim@rbe.example.org\"");
    cluster_times: cluster("timeout = \"30\"\nqueue-timeout = \"0s\"");
    cluster_values: cluster("stages = [\"gather\", \"serch\"]\njobs = 0\nmin-seconds = -1\nfallback = \"yes\"\nproperties = { OSFamily = 1 }\ntool = \"\"");
    cluster_of_other_types: cluster("stages = []\nproperties = \"Linux\"\nqueue_timeout = \"1m\"");
    remote_url_without_scheme: remote("url = \"cache.example.org/nnue\"");
    remote_url_of_an_unknown_scheme: remote("url = \"ftp://cache.example.org/nnue\"");
    remote_url_without_bucket: remote("url = \"s3:///nnue\"");
    remote_url_with_blanks: remote("url = \"https://cache.example.org/my nets\"");
    remote_url_with_credentials: remote("url = \"https://anna:geheim@cache.example.org/nnue\"");
    remote_url_with_a_query: remote(""), "cache.remote.url=https://a.blob.example.org/nnue?sig=geheim";
    cache_key_unknown: remote("url = \"https://a\"\nreadonly = true\n[cache.remotes]\nurl = \"x\"");

    // Names.
    source_undefined: "version = 1\n[source.run42]\npath = \"a\"\n[source.other]\npath = \"b\"\n[net.big]\nsource = \"run24\"\noutputs = \"d/\"\n";
    source_undefined_and_none_defined: "version = 1\n[net.big]\nsource = \"run 24\"\noutputs = \"d/\"\n";
    data_undefined: optimize("data = \"fishpak\"");
    data_undefined_and_a_wrong_output: optimize("data = \"fishpak\"").replacen("dist/", "net.bin", 1);
    data_is_a_path: optimize("data = \"data/x.binpack\"");
    permutation_and_optimize: head("permutation = \"p.npy\"\noptimize = { data = \"d\" }\n[data.d]\npath = \"x\"\n");

    // Outputs.
    output_ckpt: output("dist/big.ckpt");
    output_unknown_ending: output("dist/big.bin");
    output_no_ending: output("dist/big");
    output_twice_in_a_net: "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = [\"d/x.nnue\", \"d/../d/x.nnue\"]\n";
    output_of_two_nets: head("[net.b]\nsource = \"a.nnue\"\noutputs = [\"d/X.nnue\"]\n[net.c]\nsource = \"a.nnue\"\noutputs = [\"e/../D/x.nnue\"]\n");
    output_is_a_source: output("./A.nnue");
    output_is_a_permutation: head("permutation = \"p.npz\"\n[net.b]\nsource = \"a.nnue\"\noutputs = [\"p.npz\"]\n");

    // Publication.
    provenance_of_a_wrong_type: head("provenance = \"yes\"\n");
    publish_unknown: head("publish = \"fishtst\"\n");
    publish_without_license: head("publish = \"fishtest\"\n");
    publish_under_another_license: head("publish = \"fishtest\"\nlicense = \"GPL-3.0-only\"\n");
    publish_without_a_nnue_output: published("[\"dist/big.pt\", \"big.safetensors\"]");
    publish_under_a_name_of_its_own: published("[\"dist/\", \"latest.nnue\", \"nn-0123456789AB.nnue\", \"dist/nn-0123456789ab.nnue\", \"x.pt\"]");
    publish_by_an_override: head(""), "net.big.publish=fishtest";
    license_empty: head("license = \" \"\n[net.b]\nsource = \"b.nnue\"\noutputs = \"d/\"\nlicense = \"a\\nb\"\n[net.c]\nsource = \"b.nnue\"\noutputs = \"d/\"\nlicense = 0\npublish = \"fishtest\"\n");
    provenance_over_an_input: "version = 1\n[net.big]\nsource = \"B.nnue.provenance.json\"\noutputs = \"b.nnue\"\nprovenance = true\n";
    provenance_over_a_folder: "version = 1\n[net.big]\nsource = \"a.nnue\"\noutputs = \"b.pt\"\nprovenance = true\n[net.c]\nsource = \"a.nnue\"\noutputs = \"b.pt.provenance.json/\"\n";

    // Sweeps, as far as the text tells.
    sweep_without_placeholder: "version = 1\n[net.nightly]\nsource = { glob = \"*.ckpt\" }\noutputs = \"n.nnue\"\n";
    sweep_unknown_placeholder: "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"*.ckpt\" }\noutputs = \"{stm}.nnue\"\n";
    sweep_unknown_key: "version = 1\n[net.\"n/{stem}\"]\nsource = { globs = \"*.ckpt\" }\noutputs = \"{stem}.nnue\"\n";
    sweep_bad_glob: "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"{a/b,c}/*.ckpt\" }\noutputs = \"{stem}.nnue\"\n";
    sweep_of_a_folder: "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"runs/*/\" }\noutputs = \"{stem}.nnue\"\n";
    placeholder_without_sweep: "version = 1\n[net.\"n/{stem}\"]\nsource = \"a.nnue\"\noutputs = \"{parent}.nnue\"\n";

    // Defaults.
    default_unknown_without_nets: "version = 1\n[defaults]\ncompresion = \"none\"\nsource = \"a.nnue\"\n";
    default_wrong_is_said_once: nets("[defaults]\ncompression = \"zip\"\noutputs = 5\noptimize.data = \"fishpak\"\noptimize.filters.max_ply = -1\n");
    default_without_data_is_said_once: nets("[defaults.optimize]\nseed = 3\n");
    default_license_is_missed_once: nets("defaults.publish = \"fishtest\"\n");
    default_no_table: nets("defaults = \"leb128\"\n");
    default_of_both: nets("[defaults]\npermutation = \"p.npy\"\noptimize.data = \"d\"\n[data.d]\npath = \"x\"\n");
    default_placeholder_without_sweep: nets("[defaults]\npermutation = \"{stem}.npy\"\n");
    default_beside_what_a_net_says: nets("[defaults.optimize]\ndata = \"d\"\nfilters = { pc = \"2026-01\", pc_y1 = 0 }\n[net.c.optimize]\nfilters = { pc_y2 = 0, pc_y3 = 0 }\n[data.d]\npath = \"x\"\n");
    optimize_true: head("optimize = true\n");

    // The matrix.
    matrix_no_table: head("[[matrix]]\nx = 1\n");
    matrix_bad_axes: matrix("stem = [1]\n\"a b\" = [1]\nnone = []\none = \"x\"\n", "net");
    matrix_bad_values: matrix("run = [\"a\", \"{x}\", \"a\", 1, \"1\", 0x1, 1.0, [2], nan, \"x\\ny\", 2026-01-01]\n", "{run}");
    matrix_unused_axis: matrix("run = [\"a\"]\nseed = [1, 2]\n", "{run}");
    matrix_axis_not_in_the_name: matrix("run = [\"a\"]\nseed = [1, 2]\n", "{run}") + "description = \"{run} of {seed}\"\n";
    matrix_axis_of_a_default_not_in_the_name: matrix("run = [\"a\"]\n", "{run}") + "[net.b]\nsource = \"b.nnue\"\n[net.c]\nsource = \"b.nnue\"\n[defaults]\ndescription = \"{run}\"\noutputs = \"d/\"\n";
    matrix_unknown_placeholder: matrix("run = [\"a\", \"b\"]\n", "{run}") + "description = \"{stem} of {rum}\"\n[net.\"x{rnu}\"]\nsource = \"b.nnue\"\noutputs = \"d/\"\n";
    matrix_too_many: matrix(&format!("run = {0:?}\nseed = {0:?}\n", (0..400).collect::<Vec<_>>()).replace(", ", ","), "{run}-{seed}").replace(",399]", ",399\n]");
    matrix_names_collide: matrix("a = [\"x\", \"x-y\"]\nb = [\"z\", \"y-z\"]\n", "{a}-{b}") + "[net.x-z]\nsource = \"b.nnue\"\noutputs = \"d/\"\n";
    matrix_mistakes_are_said_once: matrix("run = [\"a\", \"b\"]\nseed = [0, -1, -2]\n", "{run}-{seed}") + "colour = \"{run}\"\ncompression = \"zip\"\n[net.\"{run}-{seed}\".optimize]\nseed = \"{seed}\"\npositions = \"{seed}0\"\n";
    matrix_source_undefined: matrix("run = [\"a.nnue\", \"run42\", \"run43\"]\nseed = [1, 2]\n", "{run}-{seed}").replace("\"a.nnue\"\noutputs", "\"{run}\"\noutputs");
    matrix_outputs_collide: matrix("run = [\"a\", \"b\", \"c\"]\n", "{run}").replace("dist/", "dist/x.nnue");
    matrix_set_of_a_combination: matrix("run = [\"a\"]\n", "{run}"), "net.a.compression=none";
    matrix_set_of_an_unknown_axis: matrix("run = [\"a\"]\n", "{run}"), "matrix.runs=[1]";

    // `--set`.
    set_value: optimize("data = \"fishpack\""), "net.big.optimize.positions=0";
    set_key_unknown: optimize("data = \"fishpack\""), "net.big.optimize.postions=5";
    set_key_unknown_at_top: head(""), "nets.big.compression=none";
    set_name_unknown: head(""), "net.bgi.compression=none";
    set_below_a_string: head("compression = \"none\"\n"), "net.big.compression.level=9";
    set_string_expected: head(""), "net.big.description=800";
    set_source_undefined: head(""), "net.big.source=run42";

    // Several at once, of the file, the command line and the disk.
    many: optimize("data = \"fishpak\"\nseed = -1\ncolour = \"red\"").replace("a.nnue", "a"), "net.big.compression=lzma", "net.big.outputs=x.ckpt";
    multi_byte: "version = 1\n# Größe\n[net.\"größer\"]\nsource = \"näher.nnue\"\ndescription = \"žluťoučký kůň\"\ncompression = \"žádná\"\noutputs = \"d/\"\n";
    crlf: "version = 1\r\n[net.big]\r\nsource = \"a.nnue\"\r\noutputs = [\"d/\"]\r\ncompresion = \"none\"\r\n";
    byte_order_mark: "\u{feff}version = 7\n";
}

/// What a mistake says, and what to do.
fn said(text: &str) -> String {
    let error = nnue::internals::manifest::parse(text, std::path::Path::new("nowhere/nnue.toml"), &[]).unwrap_err();
    let report = error.report().unwrap();
    let all: Vec<&dyn miette::Diagnostic> = report.related().map_or_else(|| vec![report as _], Iterator::collect);
    all.iter().map(|problem| format!("{problem}; {}\n", problem.help().map(|help| help.to_string()).unwrap_or_default())).collect()
}

#[test]
fn slips_of_many_users_are_answered() {
    let net = |lines: &str| format!("version = 1\n[net.a]\n{lines}\n");
    let outputs = said(&net("source = \"a.nnue\"\noutputs = [\"dist/x.bin\", \"x.h5\", \"x.onnx\", \"\"]"));
    for part in ["`dist/x.bin`", "`x.h5`", "cannot write `x.onnx`", "`net.a.outputs[3]` is not a path"] {
        assert!(outputs.contains(part), "{part}: {outputs}");
    }
    for (text, says) in [
        ("version = 1\n[[net]]\nsource = \"a.nnue\"\n".to_owned(), "write `[net.NAME]` in place of `[[net]]`"),
        ("version = 2x\n".to_owned(), "`version = 1`"),
        ("version = 1\n[source.a]\npath = \"C:\\users\\a.ckpt\"\n".to_owned(), "single quotes"),
        (net("source = \"~/a.ckpt\"\noutputs = \"x/\""), "`net.a.source` is not a path"),
        (net("source = \"a.ckpt\"\noutputs = \"$HOME/x/\""), "`net.a.outputs` is not a path"),
        (net("source = { path = \"a.ckpt\", l1 = 64 }\noutputs = \"x/\""), "write its keys below `[source.NAME]`"),
        ("version = 1\n[source.a]\npath = \"a\"\narchitecture = \"SFNNv10\"\n".to_owned(), "`SFNNv10a` or `SFNNv10b`"),
    ] {
        let found = said(&text);
        assert!(found.contains(says), "`{says}` is missing: {found}");
    }
}
