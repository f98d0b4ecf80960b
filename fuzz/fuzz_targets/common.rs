//! What targets share: what is done with tensors that were read, and files for readers that take a path.

use std::path::PathBuf;

use nnue::internals::files::Bytes;
use nnue::internals::format::{tensor::TensorView, torch::TorchFile};

/// Reads a tensor in every way there is.
#[allow(dead_code)]
pub fn use_tensor(tensor: &TensorView) {
    let whole = tensor.contiguous_le_bytes().ok();
    let mut blocks = Vec::new();
    if tensor.numel() < 1 << 20 && tensor.each_le_block(&mut |block| blocks.extend_from_slice(block)).is_ok() {
        assert_eq!(whole.as_deref(), Some(&*blocks));
    }
    if let Ok(floats) = tensor.to_f32() {
        assert_eq!(floats.len(), tensor.numel());
        let rows = tensor.shape().first().copied().unwrap_or(0);
        if rows > 0 {
            let width = tensor.numel() / rows;
            let last = tensor.rows_f32(rows - 1..rows).unwrap();
            assert!(last.iter().zip(&floats[(rows - 1) * width..]).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}

/// Reads a PyTorch file in every way there is.
#[allow(dead_code)]
pub fn use_torch(bytes: Vec<u8>) {
    let Ok(file) = TorchFile::open(Bytes::from_vec(bytes)) else { return };
    let _ = (file.attributes(), file.globals(), file.verify_storages());
    file.tensors().into_iter().flatten().filter_map(|(_, tensor)| tensor.ok()).take(64).for_each(|tensor| use_tensor(&tensor));
    file.state_dict().into_iter().flatten().take(64).for_each(|(_, tensor)| use_tensor(&tensor));
}

/// A file with this content, of this process alone; the next of the name takes its place.
#[allow(dead_code)]
pub fn file(name: &str, data: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("nnue-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder for temporary files");
    let path = folder.join(name);
    std::fs::write(&path, data).expect("a writable folder for temporary files");
    path
}
