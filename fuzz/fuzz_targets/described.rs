//! Architecture files, and files that they describe: the text up to the first zero byte, and what follows it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nnue::internals::ctx::Ctx;
use nnue::internals::family::described::{Architecture, Neurons, shipped};
use nnue::internals::files::Bytes;

fuzz_target!(|data: &[u8]| {
    let (text, file) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[][..]),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    // A shipped one by its name, so that files are reached without finding a whole text first.
    let text = shipped::find(text.trim()).map_or(text, |shipped| shipped.text);
    let Ok(architecture) = Architecture::parse("fuzz", text, &[]) else { return };
    let file = Bytes::from_vec(file.to_vec());
    let ctx = Ctx::silent();
    for from in architecture.layout_names() {
        for to in architecture.layout_names() {
            if let Ok(converted) = architecture.convert(&file, Some(from), to, Neurons::Kept, &ctx) {
                let mut out = Vec::new();
                let written = converted.write(&mut out);
                // What was read and not changed is read again.
                if from == to && written.is_ok() {
                    assert!(architecture.convert(&Bytes::from_vec(out), Some(to), to, Neurons::Kept, &ctx).is_ok());
                }
            }
        }
    }
});
