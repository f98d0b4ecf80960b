//! Prints the table of conversions of a large network of lc0: time and memory of `nnue` beside what inflating, writing and deflating take
//! by themselves.
//!
//! Run with `cargo bench --bench lc0_table`; `-- --small` for a network of some hundred kilobytes. The network has random numbers, the
//! sizes of the largest official ones (inflated 700 MB) and deflates about as they do. Times are wall-clock, the best of three, of commands
//! that deflate one; memory is the greatest resident size of the process (Linux). The yardsticks are measured in this process: inflating with
//! the decoder that `nnue` uses, writing a file and forcing it to the disk with `std::fs`, deflating with the encoder (zlib-rs) and the level
//! (9) that `nnue` uses, each on one thread. Level 9 takes minutes for the whole, so a sixteenth of it is deflated: the numbers are alike
//! everywhere.

#[path = "../tests/common/lc0_net.rs"]
mod lc0_net;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const RUNS: usize = 3;
/// One in so many bytes is deflated for the yardstick.
const SAMPLE: usize = 16;

fn main() {
    let is_small = std::env::args().any(|arg| arg == "--small");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let net = lc0_net::net(if is_small { &lc0_net::SMALL } else { &lc0_net::LARGE }, 1);
    let mut packed = Vec::new();
    net.write_gz(&mut packed).expect("memory takes everything");
    fs::write(at("net.pb.gz"), &packed).expect("room for the network");
    let inflated = net.pb_len();
    drop(net);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("A network of {} MB, inflated {} MB; {threads} threads.\n", packed.len() / 1_000_000, inflated / 1_000_000);

    let mut content = Vec::new();
    let inflating = best(|| {
        content = Vec::with_capacity(usize::try_from(inflated).expect("it was in memory"));
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut content).expect("what was just packed");
    });
    let floats = vec![0u8; 2 * content.len()];
    // Forced to the disk, as everything that is published.
    let writing = best(|| {
        let mut file = fs::File::create(at("floats")).expect("room for the floats");
        file.write_all(&floats).and_then(|()| file.sync_all()).expect("room for the floats");
    });
    drop(floats);
    let sample = &content[..content.len() / SAMPLE];
    let deflating = best(|| {
        let mut encoder = flate2::write::GzEncoder::new(std::io::sink(), flate2::Compression::best());
        encoder.write_all(sample).expect("a sink takes everything");
        encoder.finish().expect("a sink takes everything");
    }) * content.len() as f64
        / sample.len() as f64;
    drop(content);
    println!("| command | seconds | yardstick | seconds | ratio | peak memory to inflated size |");
    println!("| --- | ---: | --- | ---: | ---: | ---: |");
    let row = |what: &str, arguments: &[&str], yardstick: &str, seconds: f64| {
        let runs = if yardstick.contains("deflating") { 1 } else { RUNS };
        let (time, memory) = run(folder.path(), arguments, runs);
        let ratio = if seconds > 0.0 { format!("{:.2}", time / seconds) } else { String::new() };
        println!("| {what} | {time:.2} | {yardstick} | {seconds:.2} | {ratio} | {:.2} |", memory as f64 / inflated as f64);
    };
    row("inspect", &["inspect", "net.pb.gz"], "inflating", inflating);
    row(".pb.gz → .pb", &["convert", "net.pb.gz", "out.pb"], "inflating", inflating);
    let tensors = ["convert", "net.pb.gz", "out.safetensors", "--view", "multi"];
    row(".pb.gz → .safetensors", &tensors, "inflating and writing", inflating + writing);
    let edited = ["convert", "net.pb.gz", "out.pb.gz", "--license", "CC0-1.0"];
    row(".pb.gz → .pb.gz, other header", &edited, "inflating and deflating", inflating + deflating);
    row(
        "… layers as bfloat16",
        &[&edited[..], &["--layer-encoding", "bfloat16"]].concat(),
        "inflating and deflating",
        inflating + deflating,
    );
    row(".pb.gz → .onnx", &["convert", "net.pb.gz", "out.onnx"], "inflating and writing", inflating + writing);
}

fn best(mut work: impl FnMut()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Best time of a command in so many runs, and the greatest memory of these in bytes, as the system tells it (0 without Python).
fn run(folder: &Path, arguments: &[&str], runs: usize) -> (f64, u64) {
    let program = env!("CARGO_BIN_EXE_nnue");
    let (mut time, mut memory) = (f64::INFINITY, 0);
    for _ in 0..runs {
        let start = Instant::now();
        let measured = Command::new("python3").args(["-c", MEASURED, program]).args(arguments).current_dir(folder).output();
        let Ok(output) = measured else {
            let output = Command::new(program).args(arguments).current_dir(folder).output().expect("the program starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            time = time.min(start.elapsed().as_secs_f64());
            continue;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = text.split_whitespace();
        let mut next = || words.next().and_then(|word| word.parse::<f64>().ok()).expect("two numbers");
        time = time.min(next());
        memory = memory.max(next() as u64);
    }
    (time, memory)
}

/// Prints the seconds that a command takes, and its memory.
const MEASURED: &str = "import resource, subprocess, sys, time\n\
    start = time.monotonic()\n\
    subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
    print(time.monotonic() - start, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n";
