//! How long a large checkpoint takes, and how much memory: figures, no verdicts.
//!
//! `cargo test --release --test checkpoint_speed -- --ignored --nocapture`
//!
//! The checkpoint is made in a temporary folder: Full_Threats^ with L1=1024 and the two moments of Adam, 1.28 GB (`NNUE_SPEED_L1` sets
//! another L1). The measure is a plain program's time for what cannot be avoided: read the weights once, take the SHA-256 of the output
//! and write it.
#![allow(missing_docs)]

mod common;

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use nnue::ctx::Ctx;
use nnue::format::nnue::{Compression, Expectation, write};
use nnue::format::tensor::{DType, Source, TensorOut};
use nnue::format::torch::{PickleValue, write_archive};
use nnue::net::FT255;
use nnue::random::SplitMix;
use nnue::stages::load::{Loaded, load};
use nnue::stages::quantize::{Overflow, quantize};

/// Rows of `Full_Threats^` with the virtual ones.
const ROWS: usize = 79856 + 22528 + 768;

/// Values as a trained net has them: most are small.
fn values(name: &str, shape: &[usize], scale: f32) -> TensorOut<'static> {
    let count: usize = shape.iter().product();
    let seed = name.bytes().fold(7u64, |seed, byte| seed * 31 + u64::from(byte));
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
            out.write_all(&part).map_err(|error| nnue::error::Error::new("cannot write").because(error))?;
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
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).unwrap());
    write_archive(&mut out, &root, &tensors).unwrap();
    out.flush().unwrap();
}

/// Peak of this process's memory in MB, where the system tells it.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1000.0
}

#[test]
#[ignore = "makes a file of 1.3 GB and takes figures"]
fn a_large_checkpoint() {
    let l1 = std::env::var("NNUE_SPEED_L1").map_or(1024, |l1| l1.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.ckpt");
    generate(&path, l1);
    let used = ROWS * (l1 + 8) * 4;
    println!("checkpoint: {} MB, of which weights {} MB", std::fs::metadata(&path).unwrap().len() / 1_000_000, used / 1_000_000);
    for round in 0..3 {
        // Starts the peak anew, on Linux.
        _ = std::fs::write("/proc/self/clear_refs", "5");
        let begin = peak_mb();
        let mut times = Vec::new();
        let start = Instant::now();
        let expected = Expectation { quantization: Some(&FT255), ..Expectation::default() };
        let Loaded::Float(network) = load(&path, &expected).unwrap() else { panic!("floats") };
        times.push(("load", start.elapsed()));
        let coalesced = network.coalesce();
        let integers = quantize(&coalesced, Overflow::Error, &Ctx::silent()).unwrap().0;
        times.push(("quantize", start.elapsed()));
        let output = folder.path().join("out.nnue");
        let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&output).unwrap());
        write(&mut out, &integers, Compression::Leb128).unwrap();
        out.flush().unwrap();
        times.push(("write", start.elapsed()));
        let peak = peak_mb();
        let Loaded::Float(factorized) = load(&path, &expected).unwrap() else { panic!("floats") };
        let start = Instant::now();
        let _ = factorized.digest().unwrap();
        times.push(("(digest, factorized)", start.elapsed()));
        let start = Instant::now();
        let _ = coalesced.digest().unwrap();
        times.push(("(digest, coalesced)", start.elapsed()));
        let start = Instant::now();
        let _ = integers.digest();
        times.push(("(digest, integers)", start.elapsed()));
        drop((integers, coalesced, factorized));

        let bytes = std::fs::read(&output).unwrap();
        let start = Instant::now();
        let mut file = std::fs::File::open(&path).unwrap();
        file.seek(SeekFrom::Start(4096)).unwrap();
        let mut buffer = vec![0u8; 1 << 20];
        let mut left = used;
        while left > 0 {
            let here = left.min(buffer.len());
            file.read_exact(&mut buffer[..here]).unwrap();
            left -= here;
        }
        let read = start.elapsed();
        let sha = common::sha256(&bytes);
        let hashed = start.elapsed();
        std::fs::write(folder.path().join("again.nnue"), &bytes).unwrap();
        let all = start.elapsed();
        println!("round {round}: ours (cumulative) {times:?}, output {} MB {}", bytes.len() / 1_000_000, &sha[..12]);
        println!("  plain: read {read:?}, + SHA-256 {hashed:?}, + write {all:?}");
        let ours = times[2].1 + (hashed - read);
        println!(
            "  ratio with SHA-256 {:.2}; peak {peak:.0} MB of which {begin:.0} before, weights × {:.2}",
            ours.as_secs_f64() / all.as_secs_f64(),
            (peak - begin) * 1e6 / used as f64
        );
    }
}
