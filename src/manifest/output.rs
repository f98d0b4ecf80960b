//! What a net writes: the kind of an output by its ending, and the names of files beside it.
//!
//! Judges texts; whether an output clashes with another file is [`super::conflicts`]' question.

use std::path::{Path, PathBuf, is_separator};

use super::{
    identity::FilePath,
    text::{Located, Problem},
    tree::quoted,
};
use crate::words::FileFormat;

/// What the name of a provenance file adds to that of the output which it is about.
pub const PROVENANCE_SUFFIX: &str = ".provenance.json";

/// The provenance file of a published file: beside it, with [`PROVENANCE_SUFFIX`] after its whole name.
pub fn provenance_path(output: &Path) -> PathBuf {
    let mut path = output.as_os_str().to_owned();
    path.push(PROVENANCE_SUFFIX);
    PathBuf::from(path)
}

/// A place to write to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Output {
    /// File or folder.
    pub path: Located<FilePath>,
    /// What is written.
    pub kind: OutputKind,
    /// The layout of [`OutputKind::Layout`].
    pub layout: Option<Located<String>>,
}

/// An output as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedOutput {
    /// As typed.
    pub path: Located<String>,
    /// The layout to write, of a described architecture.
    pub layout: Option<Located<String>>,
}

/// What an output is, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputKind {
    /// A folder: `nn-<first 12 digits of the SHA-256>.nnue` in it.
    Folder,
    /// This `.nnue` file.
    Nnue,
    /// A PyTorch file.
    Pt,
    /// A safetensors file.
    Safetensors,
    /// A NumPy archive.
    Npz,
    /// A weight file of lc0.
    Protobuf,
    /// The same, gzip'd.
    Gzip,
    /// An ONNX model.
    Onnx,
    /// A program with a network of lc0 at its end.
    Program,
    /// A file in a layout of a described architecture.
    Layout,
}

impl From<FileFormat> for OutputKind {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Nnue => Self::Nnue,
            FileFormat::Pt => Self::Pt,
            FileFormat::Safetensors => Self::Safetensors,
            FileFormat::Npz => Self::Npz,
        }
    }
}

impl OutputKind {
    /// The kind of file that a text names, as far as the text tells.
    fn of_text(typed: &str) -> Option<Self> {
        match ending(typed)?.as_str() {
            "pb" => Some(Self::Protobuf),
            "onnx" => Some(Self::Onnx),
            // Of a name with two endings the path gives the last.
            "gz" => typed.to_ascii_lowercase().ends_with(".pb.gz").then_some(Self::Gzip),
            ending => FileFormat::of_ending(ending).map(Self::from),
        }
    }
}

impl OutputKind {
    /// Whether only networks of lc0 are written so.
    pub(super) fn is_of_lc0(self) -> bool {
        matches!(self, Self::Protobuf | Self::Gzip | Self::Onnx)
    }
}

/// Whether an output's text names a file rather than a folder, as far as the text tells.
pub(super) fn names_file(typed: &str) -> bool {
    OutputKind::of_text(typed).is_some()
}

/// The kind of file that a text names, as far as the text tells; `None` for folders, and for programs.
pub(super) fn named_kind(typed: &str) -> Option<OutputKind> {
    OutputKind::of_text(typed)
}

/// Whether a text names a folder, whatever there is on the disk.
pub(super) fn names_folder(typed: &str) -> bool {
    typed.ends_with(is_separator)
}

/// Whether `.nnue` files can come of an output.
pub(super) fn holds_nnue(typed: &str) -> bool {
    OutputKind::of_text(typed).is_none_or(|kind| kind == OutputKind::Nnue)
}

/// The output that a text names: by its ending, or because there is a folder of that name; else it is a program, where one is given.
///
/// # Errors
/// An ending that nothing is written to, or none.
pub(super) fn resolve(typed: Located<String>, folder: &Path, has_program: bool) -> Result<Output, Problem> {
    let path = FilePath::of_output(folder, &typed.value);
    let kind = match OutputKind::of_text(&typed.value) {
        Some(kind) => kind,
        None if typed.value.ends_with(is_separator) || path.resolved.is_dir() => OutputKind::Folder,
        None if has_program && ending(&typed.value).as_deref() != Some("ckpt") => OutputKind::Program,
        None => return Err(unknown(&typed)),
    };
    Ok(Output { path: Located { value: path, span: typed.span }, kind, layout: None })
}

/// A file in a layout.
///
/// # Errors
/// For folders.
pub(super) fn in_layout(typed: Located<String>, layout: Located<String>, folder: &Path) -> Result<Output, Problem> {
    let path = FilePath::of_output(folder, &typed.value);
    if typed.value.ends_with(is_separator) || path.resolved.is_dir() {
        return Err(Problem::new(
            format!("`{}` is a folder", typed.value),
            typed.span,
            "this output",
            "a layout does not say how engines name their files",
            format!("name the file: `{} = \"net.bin\"`", quoted(&layout.value)),
        ));
    }
    Ok(Output { path: Located { value: path, span: typed.span }, kind: OutputKind::Layout, layout: Some(layout) })
}

/// An output that a network of the trainer has not.
pub(super) fn of_lc0_only(typed: &Located<String>) -> Problem {
    Problem::new(
        format!("cannot write `{}`", typed.value),
        typed.span,
        "only for networks of lc0",
        "by its name the source is not a weight file of lc0",
        "end the output with `/`, `.nnue`, `.pt`, `.safetensors` or `.npz`",
    )
}

fn unknown(typed: &Located<String>) -> Problem {
    let (message, cause) = match ending(&typed.value).as_deref() {
        Some("ckpt") => (
            format!("cannot write checkpoints: `{}`", typed.value),
            "a `.ckpt` holds the state of a training run, which a net does not have".to_owned(),
        ),
        Some(ending) => {
            (format!("cannot write `{}`", typed.value), format!("the ending decides what is written, and `.{ending}` is not known"))
        }
        None => (format!("cannot tell what to write to `{}`", typed.value), "it has no ending and is not an existing folder".to_owned()),
    };
    let help = "end it with `/` (a folder, which gets `nn-<sha256>.nnue`), `.nnue`, `.pt`, `.safetensors` or `.npz`; of lc0 \
                `.pb.gz`, `.pb` or `.onnx`; a program with a network of lc0 at its end needs `into = \"lc0\"`";
    Problem::new(message, typed.span, "this output", cause, help)
}

/// The ending in lower case; of a text that ends with a separator none.
fn ending(typed: &str) -> Option<String> {
    if typed.ends_with(is_separator) {
        return None;
    }
    Path::new(typed).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests;
