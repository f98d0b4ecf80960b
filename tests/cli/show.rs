//! `nnue show`, `graph --format svg`, `build --report` and the boards of `inspect`: which files appear, with what in them.

use std::path::Path;

use nnue::internals::draw::{Heat, scene::BLANK};
use nnue::internals::net::random_network;
use nnue::internals::show::{Inputs, Options, Subject, input_pictures};

use super::fixture::project;
use crate::cli_support::{names, nnue, write_fens, write_net};
use crate::project::{Project, files_below};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_net(&folder.path().join("a.nnue"), "small", 16, 1);
    write_net(&folder.path().join("b.nnue"), "small", 16, 2);
    write_fens(&folder.path().join("positions.fen"), 3, 40);
    folder
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_page_has_every_view_and_asks_for_nothing() {
    let work = folder();
    let args = ["show", "a.nnue", "--out", "a.html", "--data", "positions.fen", "--count", "30", "--quantization", "ft127"];
    let ran = nnue(work.path(), args).ok();
    assert!(ran.out.starts_with("wrote `a.html`, "), "{}", ran.out);
    let page = read(work.path(), "a.html");
    for id in ["summary", "input-weights", "neurons", "psqt", "layers", "histograms", "zero-blocks", "accumulators"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    for name in ["input-weights", "psqt", "fc-weights", "biases", "zero-blocks", "neuron-density", "search-gain", "accumulators"] {
        assert_eq!(page.matches(&format!("id=\"picture-{name}\"")).count(), 1, "{name}");
    }
    assert!(page.contains("id=\"picture-input-weights-histogram-halfkav2-hm-log\""));
    assert!(page.contains("default-src 'none'"));
    for fetched in ["src=", "@import", "url(", "<link", "http:", "https:"] {
        let found = page.matches(fetched).count();
        // The names of SVG and a description of a net are no addresses that are opened.
        let allowed = page.matches("http://www.w3.org/2000/svg").count() + page.matches("https://github.com").count();
        assert!(found == 0 || (fetched.starts_with("http") && found <= allowed), "{fetched}");
    }
    let again = nnue(work.path(), args).ok();
    assert_eq!(again.out, ran.out);
    assert_eq!(read(work.path(), "a.html"), page, "equal pages are equal bytes");
}

#[test]
fn pictures_have_stable_names() {
    let work = folder();
    let expected = [
        "biases",
        "fc-weights",
        "accumulators",
        "input-weights",
        "input-weights-histogram-halfkav2-hm",
        "input-weights-histogram-halfkav2-hm-log",
        "input-weights-norms",
        "l1-weights-histogram",
        "l1-weights-histogram-log",
        "l2-weights-histogram",
        "l2-weights-histogram-log",
        "output-weights-histogram",
        "output-weights-histogram-log",
        "psqt",
        "psqt-histogram-halfkav2-hm",
        "psqt-histogram-halfkav2-hm-log",
    ];
    for format in ["svg", "png"] {
        let mut expected: Vec<String> = expected.iter().map(|name| format!("{name}.{format}")).collect();
        expected.sort();
        let report = nnue(work.path(), ["show", "a.nnue", "--format", format, "--out", format, "--json"]).ok().json();
        assert_eq!(names(&work.path().join(format)), expected);
        assert_eq!(report["files"].as_array().unwrap().len(), expected.len());
    }
    let args =
        ["show", "a.nnue", "--format", "png", "--label", "run 1/2", "--no-hist", "--no-input-weights", "--no-biases", "--out", "few"];
    nnue(work.path(), args).ok();
    assert_eq!(names(&work.path().join("few")), ["run 1_2_accumulators.png", "run 1_2_fc-weights.png"]);
    let svg = read(work.path(), "svg/psqt.svg");
    assert!(svg.starts_with("<?xml") && svg.contains("<image") && svg.trim_end().ends_with("</svg>"));
}

/// Pixels of a PNG file, by another program's reader: width, height, colours.
fn pixels(path: &Path) -> (u32, u32, Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    pixels.truncate(info.buffer_size());
    (info.width, info.height, pixels)
}

/// Draws the pictures of `a.nnue` into the folder `png`.
fn draw(folder: &Path, options: &str) {
    let args = "show a.nnue --format png --out png".split(' ').chain(options.split(' '));
    nnue(folder, args).ok();
}

/// Three pictures as they were when they were looked at. `UPDATE=1` stores those of now, to be looked at again.
#[test]
fn pictures_are_those_that_were_looked_at() {
    let work = folder();
    draw(work.path(), "--data positions.fen --count 40 --label small --default-width 300 --default-height 200 --sort-input-neurons");
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/pictures");
    for name in ["input-weights.png", "fc-weights.png", "l1-weights-histogram-log.png"] {
        let made = work.path().join("png").join(format!("small_{name}"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&stored).unwrap();
            std::fs::copy(&made, stored.join(name)).unwrap();
        }
        assert!(
            pixels(&made) == pixels(&stored.join(name)),
            "{name} differs from the picture in tests/cli/pictures (UPDATE=1 replaces it)"
        );
    }
}

#[test]
fn a_picture_has_the_colour_of_each_weight() {
    let work = folder();
    draw(work.path(), "--default-width 2000 --default-height 3000 --input-weights-vmin -0.5 --input-weights-vmax 0.5");
    let (width, _, pixels) = pixels(&work.path().join("png/input-weights.png"));
    let network = random_network("small", 16, 1);
    let subject = Subject::new("a.nnue", &network, None).unwrap();
    let options = Options { size: [2000, 3000], ..Options::default() };
    let scenes = input_pictures(&subject, &Inputs::of(&subject, &options), &options);
    let (area, heat): (_, &Heat) = scenes[0].heats().next().unwrap();
    assert_eq!((heat.divisor, area.width as usize), (1, heat.width()));
    let palette = nnue::internals::draw::Ramp::around_zero(0.5).palette();
    let mut seen = 0;
    // The lines between tiles lie on the edges of tiles.
    for (x, y) in (0..heat.width()).step_by(7).flat_map(|x| (0..heat.height()).step_by(11).map(move |y| (x, y))) {
        if x % 128 == 0 || x % 128 == 127 || y % 368 == 0 || y % 368 == 367 {
            continue;
        }
        let place = 3 * ((y + area.y as usize) * width as usize + x);
        let expected = match heat.number(x, y) {
            BLANK => [255; 3],
            number => palette[usize::from(nnue::internals::draw::Ramp::around_zero(0.5).step(f64::from(number) / heat.one))],
        };
        assert_eq!(pixels[place..place + 3], expected, "{:?}", heat.hover(x, y));
        seen += 1;
    }
    assert!(seen > 1000);
}

#[test]
fn a_difference_and_several_nets_are_shown() {
    let work = folder();
    let ran = nnue(work.path(), ["show", "a.nnue", "--ref", "b.nnue", "--out", "d.html", "--quantization", "ft127"]).ok();
    assert_eq!(ran.err, "");
    let page = read(work.path(), "d.html");
    assert!(page.contains("<h1>diff a.nnue − b.nnue</h1>") && page.contains("<section id=\"reference\">"));
    assert!(!page.contains("<section id=\"accumulators\">"), "a difference has no sums");
    nnue(work.path(), ["show", "a.nnue", "b.nnue", "--out", "both.html"]).ok();
    let page = read(work.path(), "both.html");
    assert!(page.contains("HalfKAv2_hm weights of 2 nets") && page.contains("<section id=\"net-2\">"));
    assert!(page.contains("class=\"s1-l\""), "a line for the second one");
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let work = folder();
    let run = |args: &[&str]| nnue(work.path(), [&["show"], args].concat());
    run(&["a.nnue", "--perm", "p.npy"]).fails(2, &["`--perm` needs positions", "--activations ACT.npy"]);
    run(&["a.nnue", "b.nnue", "--ref", "b.nnue"]).fails(2, &["`--ref` is for one network"]);
    run(&["a.nnue", "--out", "a.nnue"]).fails(2, &["`a.nnue` is an input, and would be overwritten"]);
    run(&["a.nnue", "--out", "nowhere/a.html"]).fails(1, &["the folder `nowhere` does not exist"]);
    run(&["a.nnue", "--input-weights-vmin", "1", "--input-weights-vmax", "1"]).fails(2, &["has to be below"]);
    run(&["positions.fen"]).fails(1, &["cannot load `positions.fen`"]);
    run(&["a.nnue", "--architecture", "viridithas"]).fails(1, &["cannot show `a.nnue`", "the file fits no layout of `viridithas`"]);
    run(&["a.nnue", "--architecture", "viridithas", "--no-biases"])
        .fails(2, &["`--no-biases` cannot be shown of a network of the described"]);
    write_net(&work.path().join("wide.nnue"), "small", 32, 1);
    run(&["a.nnue", "--ref", "wide.nnue"]).fails(2, &["the two networks have no common weights", "L1=16", "L1=32"]);
    let act = ["perm", "gather", "--net", "wide.nnue", "--data", "positions.fen", "--out", "act.npy"];
    nnue(work.path(), act).ok();
    run(&["a.nnue", "--activations", "act.npy"]).fails(1, &["cannot use the activation matrix `act.npy`", "32 columns where L1 is 16"]);
    run(&["wide.nnue", "--activations", "act.npy", "--out", "w.html"]).ok();
    assert!(read(work.path(), "w.html").contains("id=\"picture-zero-blocks\""));
}

#[test]
fn a_graph_is_drawn_for_one_net_and_for_a_thousand() {
    let project = project();
    let small = project.nnue(&["graph", "--format", "svg", "big"]).ok().out;
    for text in ["run.nnue", "positions.fen", ">search<", ">permute<", "latest.nnue", "1 net, "] {
        assert!(small.contains(text), "{text}");
    }
    let many = Project::new(
        "version = 1\n[matrix]\nseed = [0]\n[data.fens]\npath = \"positions.fen\"\n[net.\"s{seed}\"]\nsource = \"run.nnue\"\noutputs = [\"out/s{seed}.nnue\"]\n[net.\"s{seed}\".optimize]\ndata = \"fens\"\npositions = 10\nseed = \"{seed}\"\n",
    );
    let seeds: Vec<String> = (0..1000).map(|seed| seed.to_string()).collect();
    let set = format!("matrix.seed=[{}]", seeds.join(","));
    let large = many.nnue(&["graph", "--format", "svg", "--set", &set]).ok().out;
    assert!(large.contains("gather × 1 000") && large.contains("1 000 different parameters"), "{large}");
    assert!(large.contains("1 000 files") && large.contains("1 000 nets, "), "{large}");
    assert!(large.len() < 40_000, "{} bytes", large.len());
}

#[test]
fn a_report_is_the_same_for_equal_builds() {
    let project = project();
    project.nnue(&["build", "--report", "report.html"]).ok();
    let first = project.text("report.html");
    let sha256 = project.sha256("latest.nnue");
    for part in [&sha256[..], "big", "plain", "zero blocks before", "id=\"picture-graph\"", "class=\"sortable\""] {
        assert!(first.contains(part), "{part}");
    }
    let pictures = files_below(&project.at("report-pictures"));
    assert!(pictures.iter().any(|path| path.ends_with(format!("{}/input-weights.png", &sha256[..12]))), "{pictures:?}");
    let links: Vec<&str> =
        first.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|link| link.contains('/')).collect();
    assert!(links.len() >= 8);
    links.iter().filter(|link| !link.starts_with("data:")).for_each(|link| assert!(project.at(link).is_file(), "{link}"));
    project.nnue(&["build", "--report", "report.html"]).ok();
    assert_eq!(project.text("report.html"), first, "nothing ran");
    project.nnue(&["build", "--force", "--report", "report.html"]).ok();
    assert_eq!(project.text("report.html"), first, "everything ran");
    project.nnue(&["build", "--force", "--report", "times.html", "--with-times"]).ok();
    let times = project.text("times.html");
    assert!(times.contains("seconds") && times.contains("<td>ran</td>") && !first.contains("<td>ran</td>"));
    project.nnue(&["build", "--report", "latest.nnue"]).fails(2, &["the report cannot be written to `latest.nnue`"]);
    project.nnue(&["build", "--report", "nnue.toml"]).fails(2, &["nnue.toml` is a file of the build"]);
}

#[test]
fn the_manifests_report_is_written_by_builds_of_all_nets() {
    let project = project();
    let text = project.text("nnue.toml").replace("version = 1\n", "version = 1\nreport = \"site/report.html\"\n");
    project.manifest(&text);
    project.nnue(&["build", "plain"]).ok();
    assert!(!project.at("site").exists(), "that was not all of it");
    project.nnue(&["build"]).ok();
    let first = project.text("site/report.html");
    assert!(first.contains("site") || first.contains("Build report"));
    project.nnue(&["build"]).ok();
    project.nnue(&["build"]).ok();
    std::fs::remove_file(project.at("site/report.html")).unwrap();
    project.nnue(&["build"]).ok();
    assert_eq!(project.text("site/report.html"), first);
}

#[test]
fn boards_are_numbers_or_colours() {
    let work = folder();
    let plain = nnue(work.path(), ["inspect", "a.nnue", "--boards", "3"]).ok().out;
    assert!(plain.contains("neuron 3, mean over king squares") && plain.contains("white pawn\n") && !plain.contains('\x1b'), "{plain}");
    let colored = nnue(work.path(), ["inspect", "a.nnue", "--boards", "--color", "always"]).ok().out;
    assert!(colored.contains("PSQT bucket 0") && colored.contains("\x1b[38;2;"), "{colored}");
    let ran = nnue(work.path(), ["inspect", "a.nnue", "--boards", "16"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("the network has no neuron 16") && ran.err.contains("from 0 to 15"), "{}", ran.err);
}

/// Networks of lc0: filters of a convolution, gates and attention of a body, histograms of every kind of layer.
#[test]
fn networks_of_lc0_are_shown() {
    let work = folder();
    let mut bytes = Vec::new();
    crate::lc0_net::net(&crate::lc0_net::SMALL, 1).write_gz(&mut bytes).unwrap();
    std::fs::write(work.path().join("net.pb.gz"), bytes).unwrap();
    nnue(work.path(), ["show", "net.pb.gz", "--out", "net.html"]).ok();
    let page = read(work.path(), "net.html");
    for id in ["summary", "gates", "attention", "histograms"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    for name in ["ip-mult-gate", "ip-add-gate", "attention", "histogram-encoder-all-mha-q-w", "histogram-policy-heads-soft-ip2-pol-w-log"] {
        assert_eq!(page.matches(&format!("id=\"picture-{name}\"")).count(), 1, "{name}");
    }
    assert!(page.contains("lc0 0.33") && page.contains("{r0} to {c0}"), "facts, and squares under the pointer");
    nnue(work.path(), ["show", "net.pb.gz", "--format", "svg", "--out", "pictures"]).ok();
    assert!(names(&work.path().join("pictures")).contains(&"attention.svg".to_owned()));
    nnue(work.path(), ["show", "net.pb.gz", "--data", "positions.fen"]).fails(2, &["`--data` is for networks of Stockfish"]);
    nnue(work.path(), ["show", "net.pb.gz", "a.nnue"]).fails(2, &["networks of lc0 are shown one at a time"]);
    let Some(golden) = crate::common::golden_lc0() else { return };
    let net = |name: &str| golden.join("public/nets").join(name).to_str().unwrap().to_owned();
    nnue(work.path(), ["show", &net("se-conv-wdl-mlh.pb.gz"), "--out", "conv.html"]).ok();
    let page = read(work.path(), "conv.html");
    assert!(page.contains("id=\"picture-filters\"") && page.contains("id=\"picture-histogram-residual-all-conv1-weights\""));
    nnue(work.path(), ["show", &net("onnx-f32.pb.gz"), "--out", "x.html"]).fails(1, &["the network has no layers"]);
}
