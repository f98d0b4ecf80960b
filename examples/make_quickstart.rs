//! Makes the files of `examples/quickstart`: `cargo run --release --example make_quickstart`.
//!
//! The net is random (SplitMix64, seed 1), in the layout of Stockfish's small nets with L1 = 32; the positions are those of random games
//! (seed 1). Every machine makes the same bytes, and a test holds the committed files equal to what this program makes.

use std::path::Path;

use nnue::internals::format::nnue::{Compression, write};
use nnue::internals::net::random_network;
use nnue::internals::positions::generate;

const L1: usize = 32;
const POSITIONS: usize = 2000;

/// The committed files by name.
fn files() -> [(&'static str, Vec<u8>); 2] {
    let mut network = random_network("small", L1, 1);
    network.description = b"Random network of the nnue quickstart".to_vec();
    for block in &mut network.blocks {
        // Small numbers take one byte each.
        block.psqt.iter_mut().for_each(|value| *value /= 200);
    }
    let mut net = Vec::new();
    write(&mut net, &network, Compression::Leb128).expect("writing to memory does not fail");
    let fens: String = generate(1, POSITIONS).iter().map(|position| position.to_fen() + "\n").collect();
    [("random.nnue", net), ("positions.fen", fens.into_bytes())]
}

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    for (name, bytes) in files() {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_files_are_what_this_program_makes() {
        for (name, bytes) in super::files() {
            let path = format!("{}/examples/quickstart/{name}", env!("CARGO_MANIFEST_DIR"));
            assert!(std::fs::read(&path).unwrap() == bytes, "{path} is not what `make_quickstart` makes");
        }
    }
}
