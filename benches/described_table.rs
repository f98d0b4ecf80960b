//! Prints the table of the way of a full-size network of PlentyChess, floats of 310 MB, to its published file: time and memory of `nnue`
//! beside what reading the floats takes by itself.
//!
//! Run with `cargo bench --bench described_table`; `-- --count N` searches over other than 100,000 positions. The network has random
//! numbers. Positions: `$NNUE_TEST_DATA/golden/small.binpack`, else random games. Times are wall-clock, the best of three; memory is the greatest
//! resident size of the process (Linux), in which mapped files count. With the engine's own tool named by `NNUE_BENCH_PROCESS_NET` (its
//! `process_net`), a row says how long that takes: it quantizes, and neither searches nor packs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const RUNS: usize = 3;

/// Tensors of `raw`, in order: how many values, and how far they are from zero at most.
const TENSORS: [(usize, f32); 11] = [
    (768 * 1024, 0.02),
    (59_808 * 1024, 0.08),
    (12 * 768 * 1024, 0.15),
    (4_560 * 1024, 0.08),
    (1024, 0.3),
    (1024 * 8 * 16, 1.5),
    (8 * 16, 1.0),
    (32 * 8 * 32, 1.0),
    (8 * 32, 1.0),
    (64 * 8, 1.0),
    (8, 1.0),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count = args.iter().position(|arg| arg == "--count").and_then(|at| args.get(at + 1)).map_or("100000", String::as_str);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raw = folder.path().join("raw.bin");
    write_floats(&raw);
    let size = fs::metadata(&raw).expect("just written").len();
    let data = positions(folder.path(), count.parse().expect("a number"));
    let data = data.to_str().expect("a plain path").to_owned();
    let reading = best(|| drop(fs::read(&raw).expect("just written")));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("Floats of {} MB, {count} positions; {threads} threads. Reading the floats: {reading:.2} s.\n", size / 1_000_000);
    println!("| command | seconds | to reading | peak memory to floats |");
    println!("| --- | ---: | ---: | ---: |");
    let row = |what: &str, program: &str, arguments: &[&str]| {
        let time = best(|| run(folder.path(), program, arguments));
        let memory = peak(folder.path(), program, arguments);
        println!("| {what} | {time:.2} | {:.1} | {:.2} |", time / reading, memory as f64 / size as f64);
    };
    let program = env!("CARGO_BIN_EXE_nnue");
    let convert = ["convert", "raw.bin", "net.bin", "--architecture", "plentychess", "--from", "raw", "--to", "published"];
    row("convert, raw → published", program, &convert);
    let search = ["--allow", "wide-sums", "--ft_optimize", "--ft_optimize_data", &data, "--ft_optimize_count", count];
    row("… with a searched order", program, &[&convert[..], &search].concat());
    row("inspect, raw", program, &["inspect", "raw.bin", "--architecture", "plentychess"]);
    row(
        "convert, published → embed-avx2",
        program,
        &["convert", "net.bin", "embed.bin", "--architecture", "plentychess", "--from", "published", "--to", "embed-avx2-published"],
    );
    let manifest = format!(
        "version = 1\n[source.raw]\npath = \"raw.bin\"\narchitecture = \"plentychess\"\nlayout = \"raw\"\n[data.games]\npath = {data:?}\n\
         [net.a]\nsource = \"raw\"\nallow = \"wide-sums\"\noutputs = {{ published = \"built.bin\" }}\n\
         optimize = {{ data = \"games\", positions = {count} }}\n"
    );
    fs::write(folder.path().join("nnue.toml"), manifest).expect("room for the manifest");
    row("build --force, with a searched order", program, &["build", "--force"]);
    if let Ok(tool) = std::env::var("NNUE_BENCH_PROCESS_NET") {
        row("process_net", &tool, &["true", "raw.bin", "tool.bin"]);
    }
}

fn write_floats(path: &Path) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).expect("room for the floats"));
    let mut state = 88_172_645_463_325_252u64;
    for (count, most) in TENSORS {
        for _ in 0..count {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * most;
            out.write_all(&value.to_le_bytes()).expect("room for the floats");
        }
    }
    out.flush().expect("room for the floats");
}

/// The golden positions, or random games.
fn positions(folder: &Path, count: usize) -> PathBuf {
    let golden = PathBuf::from(std::env::var_os("NNUE_TEST_DATA").unwrap_or_default()).join("golden/small.binpack");
    if let Ok(path) = golden.canonicalize() {
        return path;
    }
    let path = folder.join("games.fen");
    let mut out = BufWriter::new(File::create(&path).expect("room for the games"));
    // Some are in check and do not count, and as many again judge the order that was found.
    for position in nnue::internals::positions::generate(1, 2 * count + count / 4) {
        writeln!(out, "{}", position.to_fen()).expect("room for the games");
    }
    path
}

fn best(mut work: impl FnMut()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The greatest memory of one run in bytes, as the system tells it (0 without Python).
fn peak(folder: &Path, program: &str, arguments: &[&str]) -> u64 {
    const PEAK: &str = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n\
        print(1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n";
    let measured = Command::new("python3").args(["-c", PEAK, program]).args(arguments).current_dir(folder).output();
    measured.ok().and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok()).unwrap_or(0)
}
