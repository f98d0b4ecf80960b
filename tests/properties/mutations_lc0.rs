//! lc0 weight files with damage at random places: whatever comes of them, nothing panics, and what is read is written again.

use crate::common;

use nnue::internals::ctx::Ctx;
use nnue::internals::family::lc0::{Decode, Net, OnnxOptions, TensorFile, View, read_tensors, sniff, write_onnx, write_tensors};
use nnue::internals::files::Bytes;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// One kind of damage.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    // Structure stands before and between large layers: half of the damage goes to the first bytes.
    let near = if random.below(2) == 0 { 200 } else { bytes.len() };
    let at = random.below(near.min(bytes.len()));
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => drop(bytes.splice(at..at, [random.below(256) as u8; 3])),
        2 => drop(bytes.drain(at..(at + 1 + random.below(30)).min(bytes.len()))),
        3 => bytes[at] = random.below(256) as u8,
        _ => bytes[at] ^= 1 << random.below(8),
    }
}

fn use_net(net: &Net) -> bool {
    let ctx = Ctx::silent();
    let _ = (net.describe(Decode::Lc0V033), write_onnx(&mut Vec::new(), net, &OnnxOptions::default(), Decode::Lc0V033, &ctx));
    let mut edited = net.clone();
    edited.fixup();
    let _ = edited.fold(None, Decode::Lc0V033, &ctx);
    let mut made = false;
    for view in View::ALL.iter().copied() {
        let Ok(tensors) = net.tensors(view, Decode::Lc0V032) else { continue };
        assert!(tensors.tensors.iter().all(|tensor| tensor.values().unwrap().len() == tensor.len));
        let mut file = Vec::new();
        if write_tensors(&mut file, net, view, Decode::Lc0V033, TensorFile::Safetensors, &ctx).is_ok() {
            made = true;
            let back = read_tensors(&Bytes::from_vec(file), None, &ctx).unwrap();
            if view == View::Raw {
                let bytes = |net: &Net| {
                    let mut out = Vec::new();
                    net.message().write(&mut out, true).unwrap();
                    out
                };
                assert_eq!(bytes(&back), bytes(net));
            }
        }
    }
    made
}

#[test]
fn damaged_nets_are_read_or_refused() {
    let Some(golden) = common::golden_lc0() else { return };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut read, mut refused) = (0, 0);
    for (name, rounds) in
        [("container-raw.pb", 400), ("layer-half-specials.pb.gz", 300), ("conv-bias-and-bn.pb.gz", 300), ("multihead-map.pb.gz", 15)]
    {
        let file = Bytes::map(&golden.join("public/nets").join(name)).unwrap();
        let good = Net::read(&file).unwrap().protobuf().unwrap().to_vec();
        for _ in 0..rounds {
            let mut bytes = good.clone();
            for _ in 0..=random.below(3) {
                damage(&mut bytes, &mut random);
            }
            let _ = sniff(&bytes);
            match Net::read(&Bytes::from_vec(bytes)) {
                Ok(net) => read += usize::from(use_net(&net)),
                Err(_) => refused += 1,
            }
        }
        // The wrapping, too.
        for _ in 0..rounds {
            let mut bytes = file.to_vec();
            damage(&mut bytes, &mut random);
            let _ = (sniff(&bytes), Net::read(&Bytes::from_vec(bytes)).is_ok());
        }
    }
    println!("{read} read, {refused} refused");
    assert!(read > 100 && refused > 100, "{read} {refused}");
}
