use super::*;
use crate::format::nnue::Compression;
use crate::net::random_network;
use crate::positions::generate;

const PARAMS: Prove = Prove { positions: 30, seed: 0, max_error: None, mean_error: None, sums: false };

fn file(network: &QuantizedNetwork, compression: Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    nnue::write(&mut bytes, network, compression).unwrap();
    bytes
}

fn run(source: &QuantizedNetwork, file: &[u8]) -> Result<Proved> {
    prove(source, None, file, &generate(5, 30), &PARAMS, &Ctx::silent())
}

#[test]
fn a_permuted_file_is_proven_whatever_its_packing() {
    let source = random_network("SFNNv5", 32, 3);
    let mut permuted = source.clone();
    permuted.permute(&(0..16).rev().collect::<Vec<_>>());
    let proved = run(&source, &file(&source, Compression::None)).unwrap();
    assert_eq!((proved.positions, proved.seed, proved.error), (30, 0, None));
    for compression in [Compression::None, Compression::Leb128] {
        assert_eq!(run(&source, &file(&permuted, compression)).unwrap(), proved);
    }
}

#[test]
fn a_file_that_no_engine_of_its_generation_reads_is_refused() {
    let source = random_network("SFNNv10a", 32, 3);
    assert!(run(&source, &file(&source, Compression::Leb128)).is_ok());
    let error = run(&source, &file(&source, Compression::None)).unwrap_err();
    assert!(error.causes().iter().any(|cause| cause == "no engine of its generation reads it"), "{error:?}");
    assert_eq!(error.help_text(), Some("write `compression = \"leb128\"`"));
}

#[test]
fn a_file_that_evaluates_otherwise_is_refused_by_place() {
    let source = random_network("SFNNv10a", 32, 3);
    let mut damaged = source.clone();
    damaged.stacks.iter_mut().for_each(|stack| stack.layers[1].bias[3] ^= 1);
    let error = run(&source, &file(&damaged, Compression::Leb128)).unwrap_err();
    let text = format!("{error}; {}", error.causes().join("; "));
    assert!(text.contains("position `") && text.contains("bucket 0, layer `l2`, neuron 3"), "{text}");
    let error = run(&source, &file(&source, Compression::Leb128)[..5000]).unwrap_err();
    assert!(error.message().contains("cannot be read back"), "{error}");
}
