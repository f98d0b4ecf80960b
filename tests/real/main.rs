//! Programs that many people use, with what they ship: the engine of npm's package `stockfish` searches the same tree with the net that
//! stands in its WebAssembly module and with that net optimized.
#![cfg(unix)]
#![allow(missing_docs)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
#[path = "../common/mod.rs"]
mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cli_support::nnue;

/// The engine that the package has as one file, for one thread.
const NAME: &str = "stockfish-19-single";

/// The folder `bin` of the unpacked package, which `NNUE_TEST_STOCKFISH_JS` names; `None` (with a reason printed) where it is not.
fn package() -> Option<PathBuf> {
    let named = std::env::var_os("NNUE_TEST_STOCKFISH_JS").map(|folder| Path::new(&folder).join("bin"));
    let found = named.filter(|folder| folder.join(format!("{NAME}.wasm")).is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_STOCKFISH_JS names no unpacked `stockfish@19.0.0`, and CI must not skip this");
        println!("skipped: no engine (`npm pack stockfish@19.0.0`, unpack it, and set NNUE_TEST_STOCKFISH_JS to its folder `package`)");
    }
    found
}

/// What the engine says of its searches, without times: depth, score, nodes and moves of each line.
fn searches(folder: &Path) -> Vec<String> {
    let mut child = Command::new("node")
        .arg(folder.join(format!("{NAME}.js")))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut lines = from.lines();
    let mut said = Vec::new();
    for position in [
        "startpos",
        "fen r1bq1rk1/pp2bppp/2n1pn2/2pp4/3P1B2/2PBPN2/PP1N1PPP/R2Q1RK1 w - - 0 9",
        "fen 8/5k2/3p4/1p1Pp2p/pP2Pp1P/P4P1K/8/8 b - - 0 1",
    ] {
        writeln!(to, "position {position}\ngo depth 10").unwrap();
        loop {
            let line = lines.next().expect("the engine goes on until it has a move").unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.first() == Some(&"info") && words.get(1) == Some(&"depth") {
                let mut kept = Vec::new();
                let mut at = 1;
                while at < words.len() {
                    if ["nps", "time", "hashfull"].contains(&words[at]) {
                        at += 2;
                    } else {
                        kept.push(words[at]);
                        at += 1;
                    }
                }
                said.push(kept.join(" "));
            } else if words.first() == Some(&"bestmove") {
                said.push(line);
                break;
            }
        }
    }
    writeln!(to, "quit").unwrap();
    drop(to);
    child.wait().unwrap();
    said
}

/// An unsigned number as WebAssembly writes it; moves `at` behind it.
fn number(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn put(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The constant address as its instruction has it, and its value.
fn address(bytes: &[u8], at: &mut usize) -> (Vec<u8>, usize) {
    let from = *at;
    assert_eq!(bytes[*at], 0x41, "an i32.const");
    *at += 1;
    let value = number(bytes, at);
    assert_eq!(bytes[*at], 0x0B, "the end of the expression");
    *at += 1;
    // The addresses of data are far below 2^31: their sign bit is clear.
    (bytes[from..*at].to_vec(), value)
}

/// The module with `new` in the place of `old` in its memory: all data becomes one segment, and the others are empty.
fn with_other_net(module: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len(), "a permutation does not change the length");
    let mut out = module[..8].to_vec();
    let mut at = 8;
    while at < module.len() {
        let id = module[at];
        let begin = at;
        at += 1;
        let length = number(module, &mut at);
        let body = &module[at..at + length];
        at += length;
        if id != 11 {
            out.extend_from_slice(&module[begin..at]);
            continue;
        }
        let mut inside = 0;
        let count = number(body, &mut inside);
        let mut segments = Vec::new();
        for _ in 0..count {
            assert_eq!(number(body, &mut inside), 0, "an active segment");
            let (code, address) = address(body, &mut inside);
            let length = number(body, &mut inside);
            segments.push((address, code, &body[inside..inside + length]));
            inside += length;
        }
        let (start, code) = segments.iter().map(|(address, code, _)| (*address, code.clone())).min().unwrap();
        let end = segments.iter().map(|(address, _, bytes)| address + bytes.len()).max().unwrap();
        let mut memory = vec![0; end - start];
        for (address, _, bytes) in &segments {
            memory[address - start..address - start + bytes.len()].copy_from_slice(bytes);
        }
        let head = &old[..64];
        let places: Vec<usize> = (0..memory.len() - old.len() + 1).filter(|place| memory[*place..].starts_with(head)).collect();
        let [place] = places[..] else { panic!("the net stands at {places:?}") };
        assert!(memory[place..place + old.len()] == *old, "what was taken out is what stands there");
        memory[place..place + old.len()].copy_from_slice(new);
        let mut data = Vec::new();
        put(count, &mut data);
        for index in 0..count {
            let bytes: &[u8] = if index == 0 { &memory } else { &[] };
            data.push(0);
            data.extend_from_slice(&code);
            put(bytes.len(), &mut data);
            data.extend_from_slice(bytes);
        }
        out.push(11);
        put(data.len(), &mut out);
        out.extend_from_slice(&data);
    }
    out
}

#[test]
fn an_optimized_net_searches_the_same_tree_in_the_browsers_engine() {
    let Some(package) = package() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let engine = package.join(format!("{NAME}.wasm"));
    let engine_name = engine.to_str().unwrap();

    let report = nnue(path, ["inspect", engine_name, "--json"]).ok().json();
    let [net] = report["networks"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!(net["name"], "nn-1a298aa575a0.nnue", "{net}");

    nnue(path, ["convert", engine_name, "out.nnue"]).ok();
    let original = std::fs::read(path.join("out.nnue")).unwrap();
    assert_eq!(common::sha256(&original), net["sha256"].as_str().unwrap());

    cli_support::write_fens(&path.join("positions.fen"), 1, 400);
    let options = ["--ft_optimize", "--ft_optimize_data", "positions.fen", "--ft_optimize_count", "300"];
    nnue(path, ["convert", engine_name, "optimized.nnue"].iter().chain(&options)).ok();
    let optimized = std::fs::read(path.join("optimized.nnue")).unwrap();
    assert!(optimized != original);

    let module = std::fs::read(&engine).unwrap();
    let mut trees = Vec::new();
    for net in [&original, &optimized] {
        let place = tempfile::tempdir().unwrap();
        std::fs::copy(package.join(format!("{NAME}.js")), place.path().join(format!("{NAME}.js"))).unwrap();
        std::fs::write(place.path().join(format!("{NAME}.wasm")), with_other_net(&module, &original, net)).unwrap();
        trees.push(searches(place.path()));
    }
    assert!(trees[0].len() > 30, "{:?}", trees[0]);
    assert_eq!(trees[0], trees[1]);
}
