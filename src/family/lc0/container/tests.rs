use super::*;
use std::io::Write;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn open(bytes: &[u8]) -> Result<Unwrapped> {
    unwrap(&Bytes::from_vec(bytes.to_vec()), true)
}

#[test]
fn every_cut_of_a_gzip_stream_is_named() {
    let content: Vec<u8> = (0..5000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
    let whole = gzip(&content);
    for length in 2..whole.len() {
        let cut = open(&whole[..length]).unwrap();
        if length < whole.len() - 8 {
            assert_eq!(cut.cut, Some(length));
            assert!(content.starts_with(&cut.protobuf));
        } else {
            assert_eq!((cut.cut, cut.stream), (None, None));
            assert_eq!(&cut.protobuf[..], content);
            assert!(cut.notes[0].contains(&format!("byte {length}")));
        }
    }
    let good = open(&whole).unwrap();
    assert_eq!((good.stream, good.notes.len(), good.digest), (Some(0..whole.len()), 0, Some(Sha256::of(&content))));
}

#[test]
fn members_are_joined_and_rubbish_is_dropped() {
    let file = [gzip(b"ab"), gzip(b"cd"), b"rubbish".to_vec()].concat();
    let unwrapped = open(&file).unwrap();
    assert_eq!((&unwrapped.protobuf[..], unwrapped.digest), (&b"abcd"[..], Some(Sha256::of(b"abcd"))));
    assert_eq!(unwrapped.stream, Some(0..file.len() - 7));
}

#[test]
fn bombs_are_refused() {
    let bomb = gzip(&vec![0; 100_000]);
    assert!(Inflated::default().member(&bomb, 0, 50_000).is_err_and(|error| error.message().contains("not a network")));
}
