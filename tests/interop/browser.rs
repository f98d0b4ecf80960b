//! A real browser opens the pages: Debian's Chromium, without a window.
//!
//! A script is put into a copy of the page that moves the pointer and writes down what the page says; the browser prints the document.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nnue::internals::net::QuantizedNetwork;
use nnue::internals::show::{Inputs, Options, Subject, dense_pictures, input_pictures};
use nnue::internals::words::NeuronOrder;
use serde_json::{Value, json};

/// Chromium, or the program named by `NNUE_TEST_CHROMIUM`.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("NNUE_TEST_CHROMIUM").map(PathBuf::from);
    let found = named.into_iter().chain(["/usr/bin/chromium".into()]).find(|path: &PathBuf| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "Debian's package `chromium` is missing, and CI must not skip this");
        println!("skipped: no chromium (`apt-get install chromium`, or set NNUE_TEST_CHROMIUM)");
    }
    found
}

/// Notes what goes wrong, from the first moment on.
const WATCH: &str = "<script>window.problems = [];
addEventListener('error', (event) => problems.push(String(event.message)), true);
addEventListener('unhandledrejection', (event) => problems.push(String(event.reason)));
addEventListener('securitypolicyviolation', (event) => problems.push('policy: ' + event.blockedURI));</script>";

/// Waits for what a page does on its own, then does what `steps` say, one after the other, and leaves nothing but the results.
const DRIVE: &str = "<script>(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const tip = document.getElementById('tip');
  const results = [];
  await wait(1500);
  for (const step of STEPS) {
    const element = document.querySelectorAll(step.selector)[step.index || 0];
    if (!element) { results.push('no ' + step.selector); continue; }
    if (step.set !== undefined) { element.value = step.set; element.dispatchEvent(new Event('change')); await wait(800); results.push(element.value); continue; }
    if (step.click) { element.click(); await wait(50); results.push('clicked'); continue; }
    if (step.text) { results.push([...document.querySelectorAll(step.selector)].map((one) => one.textContent)); continue; }
    const box = element.getBoundingClientRect();
    tip.style.display = 'none';
    element.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width * step.x, clientY: box.top + box.height * step.y }));
    for (let i = 0; i < 100 && tip.style.display !== 'block'; i++) await wait(10);
    results.push(tip.style.display === 'block' ? tip.textContent : '');
  }
  const loaded = performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => !name.startsWith('data:'));
  const ids = [...document.querySelectorAll('section,figure')].map((one) => one.id);
  const result = JSON.stringify({ results, problems, loaded, ids });
  document.body.replaceChildren(Object.assign(document.createElement('pre'), { textContent: 'RESULT' + result + 'END' }));
})();</script>";

fn run(chromium: &Path, page: &Path, more: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1500,1000",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Opens a copy of the page, does the steps, and gives what came of them.
fn drive(chromium: &Path, page: &Path, steps: &Value) -> Value {
    let html = std::fs::read_to_string(page).unwrap();
    let script = DRIVE.replace("STEPS", &steps.to_string());
    let copy = page.with_extension("driven.html");
    std::fs::write(&copy, html.replacen("<head>", &format!("<head>{WATCH}"), 1).replace("</body>", &format!("{script}</body>"))).unwrap();
    let (out, err) = run(chromium, &copy, &["--virtual-time-budget=60000"]);
    assert!(!err.contains("CONSOLE"), "{err}");
    let result = out.split("RESULT").nth(1).and_then(|rest| rest.split("END").next());
    let result = result.unwrap_or_else(|| panic!("no result\n{err}\n{}", &out[..out.len().min(2000)]));
    let result = result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let found: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(found["problems"], json!([]), "{found}");
    assert_eq!(found["loaded"], json!([]), "the page loads nothing");
    found
}

fn nnue(folder: &Path, args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_nnue")).current_dir(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The middle of a cell of a grid, as shares of its width and height.
fn middle(x: usize, y: usize, width: usize, height: usize) -> (f64, f64) {
    ((x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64)
}

/// Moves the pointer over pictures of the page and over single neurons, and compares with what the network has.
fn check_page(chromium: &Path, page: &Path, label: &str, network: &QuantizedNetwork) {
    let subject = Subject::new(label, network, None).unwrap();
    let options = Options::default();
    let inputs = Inputs::of(&subject, &options);
    let mut scenes = input_pictures(&subject, &inputs, &options);
    scenes.push(dense_pictures(&subject, &inputs, &options));
    let (mut steps, mut expected) = (Vec::new(), Vec::new());
    for scene in &scenes {
        for (number, (_, heat)) in scene.heats().enumerate() {
            let (width, height) = (heat.width(), heat.height());
            let cells = (0..4).map(|k| (width * (2 * k + 1) / 9, height * (k + 2) / 7));
            for (x, y) in cells.filter(|(x, y)| heat.hover(*x, *y).is_some()) {
                let (at_x, at_y) = middle(x, y, width, height);
                steps.push(json!({"selector": format!("#picture-{} [data-heat]", scene.name), "index": number, "x": at_x, "y": at_y}));
                expected.push(heat.hover(x, y).unwrap());
            }
        }
    }
    // The neuron with the largest weights is in every page.
    let neuron = nnue::internals::show::order_of_neurons(&inputs.norms)[0];
    let matrix = inputs
        .matrices
        .iter()
        .map(|(matrix, _)| matrix)
        .find(|matrix| nnue::internals::show::PieceSquares::of(matrix.block).is_some())
        .unwrap();
    let set = nnue::internals::show::PieceSquares::of(matrix.block).unwrap();
    let name = format!("neuron {neuron} (L1 norm {})", inputs.norms[neuron]);
    steps.push(json!({"selector": "#column option", "text": true}));
    for order in NeuronOrder::ALL {
        steps.push(json!({"selector": "#order", "set": order.name()}));
        for (piece, square, king) in [(0, 28, 6), (5, 54, 13), (8, 0, 3), (11, 62, 4)] {
            let [x, y] = nnue::internals::show::place(*order, piece, square, king);
            let (at_x, at_y) = middle(x, y, nnue::internals::show::WIDTH, set.height());
            let selector = format!("#boards canvas[data-block=\"{}\"]", matrix.block.name());
            steps.push(json!({"selector": selector, "x": at_x, "y": at_y}));
        }
    }
    let select = steps.iter().position(|step| step["text"] == true).unwrap();
    // Which option it is stands in the page alone: it is asked first.
    let options_of = drive(chromium, page, &json!([steps[select]]));
    let index = options_of["results"][0].as_array().unwrap().iter().position(|option| option == &json!(name)).expect("it is an option");
    steps[select] = json!({"selector": "#column", "set": index.to_string()});
    let found = drive(chromium, page, &Value::Array(steps));
    let results = found["results"].as_array().unwrap();
    for (result, expected) in results.iter().zip(&expected) {
        assert_eq!(result, expected);
    }
    let square_name = |square: usize| format!("{}{}", char::from(b'a' + (square % 8) as u8), square / 8 + 1);
    let kinds = ["pawn", "knight", "bishop", "rook", "queen", "king"];
    let mut said = results[select + 1..].iter();
    for _ in NeuronOrder::ALL {
        said.next().unwrap();
        for (piece, square, king) in [(0usize, 28, 6), (5, 54, 13), (8, 0, 3), (11, 62, 4)] {
            let weight = matrix.at(set.row(piece, square, king).unwrap(), neuron);
            let color = if piece % 2 == 0 { "white" } else { "black" };
            let what = format!("{color} {} on {}, white king on {}", kinds[piece / 2], square_name(square), square_name(king));
            // Halves away from 0, as browsers write them.
            let value = format!("{weight} ({:.4})", (f64::from(weight) / matrix.one * 1e4).round() / 1e4);
            assert_eq!(said.next().unwrap(), &json!(format!("{name}, {what}: {value}")));
        }
    }
    for id in ["summary", "input-weights", "neurons", "psqt", "layers", "histograms", "accumulators", "picture-psqt", "picture-fc-weights"]
    {
        assert!(found["ids"].as_array().unwrap().contains(&json!(id)), "{id}: {found}");
    }
}

#[test]
fn a_browser_shows_what_the_network_has() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let network = nnue::internals::net::random_network("SFNNv16", 32, 5);
    let mut bytes = Vec::new();
    nnue::internals::format::nnue::write(&mut bytes, &network, nnue::internals::format::nnue::Compression::Leb128).unwrap();
    std::fs::write(folder.path().join("a.nnue"), bytes).unwrap();
    nnue(folder.path(), &["show", "a.nnue", "--out", "a.html"]);
    check_page(&chromium, &folder.path().join("a.html"), "a.nnue", &network);
}

#[test]
fn a_report_is_sorted_by_a_click() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = String::from("version = 1\n");
    for (name, l1) in [("b", 64), ("a", 32), ("c", 16)] {
        let mut bytes = Vec::new();
        nnue::internals::format::nnue::write(
            &mut bytes,
            &nnue::internals::net::random_network("small", l1, 5),
            nnue::internals::format::nnue::Compression::None,
        )
        .unwrap();
        std::fs::write(folder.path().join(format!("{name}-source.nnue")), bytes).unwrap();
        manifest += &format!("[net.{name}]\nsource = \"{name}-source.nnue\"\ncompression = \"none\"\noutputs = [\"{name}.nnue\"]\n");
    }
    std::fs::write(folder.path().join("nnue.toml"), manifest).unwrap();
    nnue(folder.path(), &["build", "--report", "report.html"]);
    let names = json!({"selector": "#nets tbody td:first-child", "text": true});
    let click = |head: usize| json!({"selector": "#nets th", "index": head, "click": true});
    let steps = json!([names, click(0), names, click(2), names, click(2), names]);
    let found = drive(&chromium, &folder.path().join("report.html"), &steps);
    let results = [0, 2, 4, 6].map(|step| found["results"][step].clone());
    assert_eq!(results, [json!(["b", "a", "c"]), json!(["a", "b", "c"]), json!(["c", "a", "b"]), json!(["b", "a", "c"])]);
}

/// The 47 MB net of Debian's Stockfish: the size of the page, how long it takes to open, and what it says.
#[test]
fn the_page_of_a_large_net_is_small_and_opens_at_once() {
    let (Some(engine), Some(chromium)) = (super::engine::stockfish(), chromium()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("sf.html");
    nnue(folder.path(), &["show", engine.to_str().unwrap(), "--out", "sf.html", "--quantization", "ft127", "--label", "sf"]);
    let bytes = page.metadata().unwrap().len();
    println!("{bytes} bytes");
    assert!(bytes < 10_000_000, "{bytes}");
    let wanted = nnue::internals::format::nnue::Expectation { quantization: Some(&nnue::internals::net::FT127), ..Default::default() };
    let Ok(nnue::internals::family::nnue::stages::load::Loaded::Quantized(parsed)) =
        nnue::internals::family::nnue::stages::load::load(&engine, &wanted)
    else {
        panic!("a net inside")
    };
    check_page(&chromium, &page, "sf", &parsed.network);
    // Without virtual time, so that it is the time of a clock: from the beginning of the navigation to the end of loading.
    let html = std::fs::read_to_string(&page).unwrap();
    let timed = folder.path().join("timed.html");
    let script = "<script>addEventListener('load', () => { document.title = 'LOADED' + Math.round(performance.now()) + 'END'; });</script>";
    std::fs::write(&timed, html.replacen("<head>", &format!("<head>{script}"), 1)).unwrap();
    let (out, err) = run(&chromium, &timed, &[]);
    let time = out.split("LOADED").nth(2).and_then(|rest| rest.split("END").next()).and_then(|time| time.parse().ok());
    let time = Duration::from_millis(time.unwrap_or_else(|| panic!("no time\n{err}")));
    println!("opened in {time:?}");
    assert!(time < Duration::from_secs(3), "{time:?}");
}
