//! Any file that holds a network of lc0 → the network: weight files, engines with one inside, text nets, files of tensors.

use super::{
    container::unwrap,
    layer::{Decode, Encoding},
    net::Net,
    sniff::{Sniffed, sniff},
    tensor_file::{is_lc0_tensors, read_tensors},
    text::read_text,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    files::Bytes,
    format::sources::{FileKind, identify},
};

/// What a file that holds a network of lc0 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A weight file, raw or gzip'd, or an engine with one at its end.
    Weights,
    /// A text net.
    Text,
    /// A view of a network that this program wrote.
    Tensors,
}

impl Form {
    /// What a whole file is; `None` where it holds no network of lc0.
    pub fn of(bytes: &Bytes) -> Option<Self> {
        match identify(bytes) {
            FileKind::Safetensors | FileKind::Npz => is_lc0_tensors(bytes).then_some(Self::Tensors),
            FileKind::Nnue | FileKind::TorchLegacy | FileKind::Npy | FileKind::Binpack => None,
            _ => match sniff(bytes)? {
                Sniffed::Net | Sniffed::Engine => Some(Self::Weights),
                Sniffed::Text => Some(Self::Text),
            },
        }
    }
}

/// Reads a network, with the checks of a release. `changed` is how a file of tensors gets layers stored whose floats are new; `None`: as
/// they were. It is of no other file.
///
/// # Errors
/// When that release refuses it (text nets aside, which every release refuses), in its words; when the file is damaged.
pub fn open(bytes: &Bytes, decode: Decode, changed: Option<Encoding>, ctx: &Ctx) -> Result<Net> {
    match Form::of(bytes) {
        Some(Form::Tensors) => read_tensors(bytes, changed, ctx),
        Some(Form::Text) => match Net::read_for(bytes, decode) {
            // lc0 refuses every text net; what is a whole one is read all the same.
            Err(refusal) => unwrap(bytes, false).and_then(|text| read_text(&text.protobuf)).map_err(|error| refusal.because(error)),
            good => good,
        },
        Some(Form::Weights) | None => Net::read_for(bytes, decode),
    }
}

impl Net {
    /// Refuses to change or to build a network that `decode` reads otherwise than it is stored: lc0 0.32 takes every layer for linear16.
    ///
    /// # Errors
    /// Then; the message names a layer.
    pub fn check_decodable(&self, decode: Decode) -> Result<()> {
        match (decode, self.first_new_encoding()) {
            (Decode::Lc0V033, _) | (_, None) => Ok(()),
            (Decode::Lc0V032, Some((path, encoding))) => {
                Err(Error::new(format!("`{path}` is stored as {encoding}, which lc0 0.32 takes for {}", Encoding::Linear16.name()))
                    .help("decode the network as `lc0-0.33`"))
            }
        }
    }
}

/// How floats that someone changed are stored until the net is: as it will be, or, where other numbers are made of them first, as they are.
pub fn until_written(encoding: Option<Encoding>, is_computed_with: bool, decode: Decode) -> Option<Encoding> {
    // The release of the older formula takes everything for linear16.
    encoding.map(|encoding| if is_computed_with && decode == Decode::Lc0V033 { Encoding::Float32 } else { encoding })
}

/// Refuses an encoding that the formula's release cannot decode.
///
/// # Errors
/// For all but linear16 with the formula of lc0 0.32.
pub fn check_encoding(encoding: Option<Encoding>, decode: Decode) -> Result<()> {
    match (decode, encoding) {
        (Decode::Lc0V032, Some(encoding @ (Encoding::Float16 | Encoding::Bfloat16 | Encoding::Float32))) => {
            Err(Error::usage(format!("lc0 0.32 does not know layers stored as {}", encoding.name()))
                .because("it takes every layer for linear16: what is written could not be decoded as `lc0-0.32`")
                .help("decode the network as `lc0-0.33`, or store its layers as linear16"))
        }
        (Decode::Lc0V032, Some(Encoding::Linear16) | None) | (Decode::Lc0V033, _) => Ok(()),
    }
}
