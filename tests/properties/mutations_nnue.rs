//! 20,000 damaged `.nnue` files: each is refused, or read so that writing gives back the damaged bytes. Never a panic, never a repair.

use nnue::internals::format::nnue::{Compression, Expectation, find_embedded, read, write};
use nnue::internals::net::{
    Architecture, Block, BlockWeights, Dense, FeatureSet, FtBlock, LayerStack, QuantizedNetwork, generation, padded,
};
use nnue::internals::random::SplitMix;

/// The smallest nets there are: pawn pairs only, L1 = 2.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let generation = generation("SFNNv16").unwrap();
    let features = FeatureSet::of_blocks(&[Block::Pp3Wide], true).unwrap();
    let (l1, l2, l3) = (2, 2, 2);
    let architecture = Architecture { generation, features, l1, l2, l3, quantization: generation.quantizations[0] };
    let mut random = SplitMix::new(3);
    let rows = Block::Pp3Wide.rows();
    let weights = BlockWeights::I8((0..rows * l1).map(|_| random.centred(-128, 127) as i8).collect());
    let psqt = (0..rows * 8).map(|_| random.centred(-300, 300) as i32).collect();
    let mut stacks = Vec::new();
    for _ in 0..8 {
        let layers = architecture.dense_shapes().map(|(outputs, inputs)| Dense {
            inputs,
            bias: (0..outputs).map(|_| random.centred(-9000, 9000) as i32).collect(),
            weights: (0..outputs * padded(inputs)).map(|_| random.centred(-127, 127) as i8).collect(),
        });
        stacks.push(LayerStack { layers });
    }
    let blocks = vec![FtBlock { block: Block::Pp3Wide, weights, psqt }];
    let network = QuantizedNetwork { architecture, description: b"seed \xFF".to_vec(), ft_bias: vec![-300, 7], blocks, stacks };
    let written = |compression| {
        let mut bytes = Vec::new();
        write(&mut bytes, &network, compression).unwrap();
        bytes
    };
    vec![written(Compression::None), written(Compression::Leb128)]
}

#[test]
fn damaged_files_are_refused_or_kept_as_they_are() {
    let mut random = SplitMix::new(11);
    let mut below = move |n: usize| (random.next_u64() % n as u64) as usize;
    let (mut read_again, mut refused) = (0, 0);
    for seed in seeds() {
        assert!(read(&seed, &Expectation::default()).is_ok());
        for _ in 0..10_000 {
            let mut bytes = seed.clone();
            for _ in 0..=below(3) {
                // Half of the damage goes to the header and the first tensor's, where structure is.
                let range = if below(2) == 0 { bytes.len().min(160) } else { bytes.len() };
                let at = below(range.max(1));
                match below(5) {
                    0 => bytes[at] ^= 1 << below(8),
                    1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][below(5)],
                    2 => bytes.truncate(at.max(1)),
                    3 => bytes.insert(at, below(256) as u8),
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            match read(&bytes, &Expectation::default()) {
                Ok(parsed) => {
                    read_again += 1;
                    if let Some(compression) = parsed.compression {
                        let mut again = Vec::new();
                        write(&mut again, &parsed.network, compression).unwrap();
                        assert!(again == bytes, "a damaged file was repaired silently");
                    }
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{read_again} read as they are, {refused} refused");
    assert!(read_again > 100 && refused > 10_000);
}

#[test]
fn nets_are_found_inside_other_bytes() {
    let [plain, packed] = seeds().try_into().unwrap();
    let mut bytes = vec![0x20; 1001];
    bytes.extend_from_slice(&plain);
    bytes.extend_from_slice(b"between \x20\x2F\xF3\x7A");
    let second = bytes.len();
    bytes.extend_from_slice(&packed);
    bytes.extend_from_slice(&[0xFA; 40]);
    let found: Vec<(usize, usize)> = find_embedded(&bytes).unwrap().into_iter().map(|net| (net.offset, net.bytes)).collect();
    assert_eq!(found, [(1001, plain.len()), (second, packed.len())]);
}

/// Seeds for `cargo fuzz run nnue fuzz/corpus/nnue`.
#[test]
#[ignore = "writes fuzz/corpus/nnue"]
fn write_fuzz_seeds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/nnue");
    std::fs::create_dir_all(folder).unwrap();
    for (index, seed) in seeds().into_iter().enumerate() {
        std::fs::write(format!("{folder}/seed{index}.nnue"), seed).unwrap();
    }
}
