use super::*;
use crate::stage::{Action, key};

#[test]
fn the_compression_is_in_the_key_by_its_own_name() {
    let packed =
        |format, compression, source_compression| key(&Action::Write(Write { format, compression, source_compression, description: None }));
    let write = |format| packed(format, CompressionChoice::None, None);
    assert_eq!(write(FileFormat::Nnue), r#"{"compression":"none","format":"nnue"}"#);
    // What the source has is what a user would have named; what nobody says is settled by the network.
    for (choice, source, name) in [
        (CompressionChoice::Auto, Some(Compression::None), "none"),
        (CompressionChoice::Auto, Some(Compression::Leb128), "leb128"),
        (CompressionChoice::Leb128, Some(Compression::None), "leb128"),
        (CompressionChoice::Auto, None, "auto"),
    ] {
        assert_eq!(packed(FileFormat::Nnue, choice, source), format!(r#"{{"compression":"{name}","format":"nnue"}}"#));
    }
    assert_eq!(write(FileFormat::Npz), r#"{"format":"npz"}"#);
}
