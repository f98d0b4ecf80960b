use super::*;
use std::io::Read;

fn pack(content: &[u8], threads: usize, step: usize) -> Vec<u8> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut out = Vec::new();
        let mut packer = Packer::new(&mut out);
        content.chunks(step.max(1)).for_each(|piece| packer.write_all(piece).unwrap());
        packer.finish().unwrap();
        out
    })
}

#[test]
fn the_bytes_follow_from_the_content_alone_and_come_back() {
    let mut state = 1u32;
    let mut content: Vec<u8> = Vec::new();
    while content.len() < PIECE + 1 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        content.extend(((state >> 20) as u16).to_le_bytes());
    }
    for length in [0, 1, PIECE, PIECE + 1] {
        let content = &content[..length];
        let one = pack(content, 1, 100_003);
        assert!(one == pack(content, 3, 1 << 22), "{length}");
        let mut back = Vec::new();
        // A plain reader of one member: there is only one.
        let mut reader = flate2::bufread::GzDecoder::new(&one[..]);
        reader.read_to_end(&mut back).unwrap();
        assert!(back == content && reader.into_inner().is_empty(), "{length}");
    }
}
