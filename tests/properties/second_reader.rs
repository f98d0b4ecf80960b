//! A second reader of `.nnue` files and of LEB128, as plain as can be and written from the description of the format alone: whatever the
//! program reads from a damaged file, it reads too, and the same.

use nnue::internals::format::nnue::{Expectation, Parsed, read};
use nnue::internals::net::BlockWeights;
use nnue::internals::random::SplitMix;

use crate::mutations_nnue::seeds;

/// What stands in a file of the smallest net: pawn pairs only, L1 = L2 = L3 = 2, eight stacks of three layers.
#[derive(Debug, PartialEq)]
struct Contents {
    description: Vec<u8>,
    bias: Vec<i64>,
    weights: Vec<i64>,
    psqt: Vec<i64>,
    /// Bias and weights of each layer of each stack.
    layers: Vec<(Vec<i64>, Vec<i64>)>,
}

/// Cuts `count` bytes off.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn word(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()))
}

/// Numbers of `width` bytes, raw.
fn raw(rest: &mut &[u8], width: usize, count: usize) -> Option<Vec<i64>> {
    let number = |bytes: &[u8]| match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => unreachable!(),
    };
    Some(take(rest, width * count)?.chunks(width).map(number).collect())
}

/// One signed LEB128 number by the book, in 128 bits; `None` where it does not end.
fn leb(rest: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0i128, 0);
    loop {
        let byte = take(rest, 1)?[0];
        value += i128::from(byte % 128) << shift;
        shift += 7;
        if byte < 0x80 {
            let is_negative = byte & 0x40 != 0;
            return i64::try_from(if is_negative { value - (1i128 << shift) } else { value }).ok();
        }
        if shift > 63 {
            return None;
        }
    }
}

/// A tensor that may be packed.
fn tensor(rest: &mut &[u8], width: usize, count: usize) -> Option<Vec<i64>> {
    let Some(packed) = rest.strip_prefix(b"COMPRESSED_LEB128") else { return raw(rest, width, count) };
    *rest = packed;
    let length = word(rest)? as usize;
    let mut bytes = take(rest, length)?;
    let values: Option<Vec<i64>> = (0..count).map(|_| leb(&mut bytes)).collect();
    bytes.is_empty().then_some(values).flatten()
}

fn plain(file: &[u8]) -> Option<Contents> {
    const ROWS: usize = 4560;
    let mut rest = file;
    let rest = &mut rest;
    let (_version, _hash, length) = (word(rest)?, word(rest)?, word(rest)?);
    let description = take(rest, length as usize)?.to_vec();
    word(rest)?;
    let bias = tensor(rest, 2, 2)?;
    let weights = raw(rest, 1, ROWS * 2)?;
    let psqt = tensor(rest, 4, ROWS * 8)?;
    let mut layers = Vec::new();
    for _ in 0..8 {
        word(rest)?;
        for outputs in [2, 2, 1] {
            layers.push((raw(rest, 4, outputs)?, raw(rest, 1, outputs * 32)?));
        }
    }
    rest.is_empty().then_some(Contents { description, bias, weights, psqt, layers })
}

/// The same of what the program read; `None` where it took the file for another net, which another table tells of.
fn of(parsed: &Parsed) -> Option<Contents> {
    let network = &parsed.network;
    let (l1, l2, l3) = (network.architecture.l1, network.architecture.l2, network.architecture.l3);
    let [block] = &network.blocks[..] else { return None };
    let BlockWeights::I8(weights) = &block.weights else { return None };
    let wide = |values: &[i32]| values.iter().map(|value| i64::from(*value)).collect();
    let layers = network.stacks.iter().flat_map(|stack| &stack.layers);
    ((l1, l2, l3) == (2, 2, 2)).then(|| Contents {
        description: network.description.clone(),
        bias: network.ft_bias.iter().map(|value| i64::from(*value)).collect(),
        weights: weights.iter().map(|value| i64::from(*value)).collect(),
        psqt: wide(&block.psqt),
        layers: layers.map(|layer| (wide(&layer.bias), layer.weights.iter().map(|value| i64::from(*value)).collect())).collect(),
    })
}

#[test]
fn what_is_read_of_damaged_nets_is_what_stands_there() {
    let mut random = SplitMix::new(21);
    let mut below = move |n: usize| (random.next_u64() % n as u64) as usize;
    let (mut equal, mut refused, mut lenient) = (0, 0, 0);
    for seed in seeds() {
        assert_eq!(of(&read(&seed, &Expectation::default()).unwrap()), plain(&seed));
        assert!(plain(&seed).is_some());
        for _ in 0..600 {
            let mut bytes = seed.clone();
            for _ in 0..=below(2) {
                let range = if below(3) == 0 { 160 } else { bytes.len() };
                let at = below(range);
                match below(6) {
                    // Length and what it says go on fitting, so that it is the numbers that count.
                    0..=2 => bytes[at] ^= 1 << below(8),
                    3 => bytes[at] = [0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF][below(8)],
                    4 => {
                        let to = below(bytes.len());
                        bytes.swap(at, to);
                    }
                    _ => {
                        let byte = bytes.remove(at);
                        bytes.insert(below(bytes.len()), byte);
                    }
                }
            }
            match (read(&bytes, &Expectation::default()), plain(&bytes)) {
                (Ok(parsed), second) => {
                    if let Some(first) = of(&parsed) {
                        assert_eq!(Some(first), second);
                        equal += 1;
                    }
                }
                // Hashes and versions, and numbers in more bytes than they need, are none of the second reader's business.
                (Err(_), Some(_)) => lenient += 1,
                (Err(_), None) => refused += 1,
            }
        }
    }
    println!("damaged nets read twice and equal: {equal}, refused by both {refused}, by the strict one alone {lenient}");
    assert!(equal > 100 && refused > 10 && lenient > 10, "{equal} {refused} {lenient}");
}
