//! Prints how long a large checkpoint takes, and how much memory, beside a plain program's time for what cannot be avoided: reading the
//! weights once, the SHA-256 of the output, and writing it.
//!
//! Run with `cargo bench --bench checkpoint_table`. The checkpoint is made in a temporary folder: `Full_Threats^` with L1 = 1024 and the
//! two moments of Adam, 1.28 GB; `NNUE_SPEED_L1` sets another L1. Three rounds, a row each; what is quoted is the ratio of one round.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::nnue::stages::load::{Loaded, load};
use nnue::internals::family::nnue::stages::quantize::{Overflow, quantize};
use nnue::internals::format::nnue::{Compression, Expectation, write};
use nnue::internals::format::tensor::{DType, Source, TensorOut};
use nnue::internals::format::torch::{PickleValue, write_archive};
use nnue::internals::net::FT255;
use nnue::internals::random::SplitMix;

/// Rows of `Full_Threats^` with the virtual ones.
const ROWS: usize = 79856 + 22528 + 768;

/// Values as a trained net has them: most are small.
fn values(name: &str, shape: &[usize], scale: f32) -> TensorOut<'static> {
    let count: usize = shape.iter().product();
    let seed = name.bytes().fold(7u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let stream = move |out: &mut dyn Write| {
        let mut random = SplitMix::new(seed);
        let mut part = Vec::with_capacity(1 << 16);
        let mut left = count;
        while left > 0 {
            part.clear();
            for _ in 0..left.min(1 << 14) {
                part.extend_from_slice(&((random.centred(-1 << 14, 1 << 14) as f32).powi(3) * scale).to_le_bytes());
            }
            left -= part.len() / 4;
            out.write_all(&part).map_err(|error| nnue::internals::error::Error::new("cannot write").because(error))?;
        }
        Ok(())
    };
    TensorOut { name: name.into(), dtype: DType::F32, shape: shape.to_vec(), data: Source::Stream(Box::new(stream)) }
}

fn generate(path: &Path, l1: usize) {
    // Cubes of ±2^14 reach 2^42: scaled to ±0.25.
    const WEIGHT: f32 = 0.25 / (1u64 << 42) as f32;
    let names: [(&str, Vec<usize>); 10] = [
        ("model.input.weight", vec![ROWS, l1 + 8]),
        ("model.input.bias", vec![l1 + 8]),
        ("model.layer_stacks.l1.linear.weight", vec![128, l1]),
        ("model.layer_stacks.l1.linear.bias", vec![128]),
        ("model.layer_stacks.l1.factorized_linear.weight", vec![16, l1]),
        ("model.layer_stacks.l1.factorized_linear.bias", vec![16]),
        ("model.layer_stacks.l2.linear.weight", vec![256, 30]),
        ("model.layer_stacks.l2.linear.bias", vec![256]),
        ("model.layer_stacks.output.linear.weight", vec![8, 32]),
        ("model.layer_stacks.output.linear.bias", vec![8]),
    ];
    let mut tensors: Vec<TensorOut<'_>> = names.iter().map(|(name, shape)| values(name, shape, WEIGHT)).collect();
    let weights = names.iter().enumerate().map(|(i, (name, _))| (PickleValue::str(*name), PickleValue::Tensor(i))).collect();
    let mut state = Vec::new();
    for (parameter, (name, shape)) in names.iter().enumerate() {
        let mut moments = Vec::new();
        for moment in ["exp_avg", "exp_avg_sq"] {
            moments.push((PickleValue::str(moment), PickleValue::Tensor(tensors.len())));
            tensors.push(values(&format!("{name}.{moment}"), shape, WEIGHT / 100.0));
        }
        state.push((PickleValue::Int(parameter as i64), PickleValue::Dict(moments)));
    }
    let optimizer = PickleValue::Dict(vec![(PickleValue::str("state"), PickleValue::Dict(state))]);
    let root = PickleValue::Dict(vec![
        (PickleValue::str("epoch"), PickleValue::Int(799)),
        (PickleValue::str("state_dict"), PickleValue::OrderedDict(weights)),
        (PickleValue::str("optimizer_states"), PickleValue::List(vec![optimizer])),
    ]);
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).expect("a writable folder"));
    write_archive(&mut out, &root, &tensors).expect("a writable folder");
    out.flush().expect("a writable folder");
}

/// Peak of this process's memory in MB, where the system tells it.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1000.0
}

/// Seconds since `start`.
fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

/// What one round took: seconds of each step, and the peak of memory over what there was before.
struct Round {
    load: f64,
    quantize: f64,
    write: f64,
    digest_floats: f64,
    digest_integers: f64,
    plain_read: f64,
    plain_sha256: f64,
    plain_write: f64,
    peak_mb: f64,
}

fn main() {
    let l1 = std::env::var("NNUE_SPEED_L1").map_or(1024, |l1| l1.parse().expect("NNUE_SPEED_L1 is a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.ckpt");
    generate(&path, l1);
    let used = ROWS * (l1 + 8) * 4;
    let size = std::fs::metadata(&path).expect("it was just written").len();
    println!("checkpoint: {} MB, of which weights {} MB\n", size / 1_000_000, used / 1_000_000);
    println!(
        "| round | load s | quantize s | write s | plain: read + SHA-256 + write s | ratio with SHA-256 | memory / weights | digest of floats, of integers s |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for round in 1..=3 {
        let it = measure(folder.path(), &path, used);
        let (ours, plain) = (it.load + it.quantize + it.write + it.plain_sha256, it.plain_read + it.plain_sha256 + it.plain_write);
        println!(
            "| {round} | {:.2} | {:.2} | {:.2} | {:.2} + {:.2} + {:.2} | {:.2} | {:.2} | {:.2}, {:.2} |",
            it.load,
            it.quantize,
            it.write,
            it.plain_read,
            it.plain_sha256,
            it.plain_write,
            ours / plain,
            it.peak_mb * 1e6 / used as f64,
            it.digest_floats,
            it.digest_integers
        );
    }
}

fn measure(folder: &Path, path: &Path, used: usize) -> Round {
    // Resets the peak, on Linux.
    _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = peak_mb();
    let expected = Expectation { quantization: Some(&FT255), ..Expectation::default() };
    let start = Instant::now();
    let Ok(Loaded::Float(network)) = load(path, &expected) else { panic!("the checkpoint holds floats") };
    let load = seconds(start);
    let start = Instant::now();
    let coalesced = network.coalesce();
    let integers = quantize(&coalesced, Overflow::Error, &Ctx::silent()).expect("the weights are small").0;
    let quantized = seconds(start);
    let start = Instant::now();
    let output = folder.join("out.nnue");
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&output).expect("a writable folder"));
    write(&mut out, &integers, Compression::Leb128).and_then(|()| out.flush()).expect("a writable folder");
    let written = seconds(start);
    let peak_mb = peak_mb() - before;
    let start = Instant::now();
    coalesced.digest().expect("the file is still there");
    let digest_floats = seconds(start);
    let start = Instant::now();
    integers.digest();
    let digest_integers = seconds(start);
    drop((integers, coalesced));

    let bytes = std::fs::read(&output).expect("it was just written");
    let start = Instant::now();
    read_plainly(path, used);
    let plain_read = seconds(start);
    let start = Instant::now();
    std::hint::black_box(nnue::internals::files::Sha256::of(&bytes));
    let plain_sha256 = seconds(start);
    let start = Instant::now();
    std::fs::write(folder.join("again.nnue"), &bytes).expect("a writable folder");
    let plain_write = seconds(start);
    Round { load, quantize: quantized, write: written, digest_floats, digest_integers, plain_read, plain_sha256, plain_write, peak_mb }
}

fn read_plainly(path: &Path, bytes: usize) {
    let mut file = std::fs::File::open(path).expect("it is still there");
    file.seek(SeekFrom::Start(4096)).expect("a regular file");
    let mut buffer = vec![0u8; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let here = left.min(buffer.len());
        file.read_exact(&mut buffer[..here]).expect("it has this many bytes");
        left -= here;
    }
}
