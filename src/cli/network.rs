//! The options that say what is expected of a source, for all commands that read networks.

use std::path::Path;

use super::word::word;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::described::{foreign, is_file_name, shipped};
use crate::family::{Kind, recognize};
use crate::files::Bytes;
use crate::format::content_name;
use crate::manifest::FilePath;
use crate::net::{Block, Expectation, Generation, Quantization, generation, generation_names};
use crate::stage::Load;

/// What the user says of a source. Everything is inferred where the file tells it, and checked where it is given.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "About the source (inferred where the file tells; checked where given)")]
pub(crate) struct SourceArgs {
    /// Feature set, such as `HalfKAv2_hm^`
    #[arg(long, value_name = "NAME", value_parser = parse_features)]
    pub(crate) features: Option<String>,
    /// Outputs of the feature transformer
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) l1: Option<usize>,
    /// Outputs of the first dense layer
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) l2: Option<usize>,
    /// Outputs of the second dense layer
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) l3: Option<usize>,
    /// Generation, such as `SFNNv14`; or a described architecture (`nnue architecture list`), or a file of one (`mine.toml`)
    #[arg(long, value_name = "NAME", value_parser = parse_architecture)]
    pub(crate) architecture: Option<ArchitectureName>,
    /// Scales: ft127, ft255 or ft256
    #[arg(long, value_name = "NAME", value_parser = word::<&'static Quantization>())]
    pub(crate) quantization: Option<&'static Quantization>,
    /// Which dict of tensors is meant in a checkpoint with several, such as `ema`: its keys, joined by `/`
    #[arg(long, value_name = "KEYS", alias = "state_dict")]
    pub(crate) state_dict: Option<String>,
}

/// Warns where the network's file is named `nn-<SHA-256>.nnue` for another content than its own.
///
/// # Errors
/// When the file cannot be read, or the work was interrupted.
pub(crate) fn warn_of_name(path: &Path, ctx: &Ctx) -> Result<()> {
    if let Some(error) = content_name::check(path, ctx)? {
        ctx.warn(error.to_string());
    }
    Ok(())
}

/// For what evaluates networks: says of a network of another kind that it is one, and what can be done with it. `what` is the command.
///
/// # Errors
/// When the network is lc0's, or of an architecture that is described.
pub(crate) fn refuse_foreign(what: &str, path: &Path, described: Option<&str>) -> Result<()> {
    let why = "it computes what Stockfish does with its networks, to the integer; what other engines compute is theirs to say";
    if let Some(name) = described {
        return Err(Error::usage(format!("{what} does not take the described architecture `{name}`"))
            .because(why)
            .help("`nnue inspect` and `nnue diff` show its tensors, `nnue convert --ft_optimize` finds which of its outputs are zero"));
    }
    let file = FilePath { typed: path.display().to_string(), resolved: path.to_owned() };
    if recognize(&file).family == Kind::Lc0 {
        return Err(Error::new(format!("{what} does not take `{}`: it is a network of lc0", path.display())).because(why).help(
            "`nnue convert FILE OUT.onnx` writes a model that programs for ONNX evaluate; `nnue inspect` and `nnue diff` show its weights",
        ));
    }
    match Bytes::map(path).ok().and_then(|bytes| foreign::recognize(&bytes)) {
        None => Ok(()),
        Some(found) => Err(Error::new(format!("{what} does not take `{}`: it is {}", path.display(), found.what))
            .because(why)
            .help(format!("it can be converted: {}", found.options()))),
    }
}

impl SourceArgs {
    /// The same as the stages take it.
    pub(crate) fn load(&self) -> Load {
        let Self { features, l1, l2, l3, architecture, quantization, state_dict } = self.clone();
        let architecture = match architecture {
            Some(ArchitectureName::Generation(generation)) => Some(generation),
            Some(ArchitectureName::Described(_)) | None => None,
        };
        Load { expected: Expectation { features, l1, l2, l3, architecture, quantization, state_dict } }
    }

    /// For commands that take networks of Stockfish only.
    ///
    /// # Errors
    /// When a described architecture was asked for.
    pub(crate) fn refuse_described(&self) -> Result<()> {
        match self.described() {
            None => Ok(()),
            Some(name) => Err(Error::usage(format!("`{name}` is a described architecture, which this command does not take"))
                .help("`nnue convert … --ft_optimize` or `--ft_perm` gathers, searches and reorders in one go")),
        }
    }

    /// The described architecture that was asked for: its name, or a file.
    pub(crate) fn described(&self) -> Option<&str> {
        match &self.architecture {
            Some(ArchitectureName::Described(name)) => Some(name),
            _ => None,
        }
    }
}

/// `--architecture`.
#[derive(Debug, Clone)]
pub(crate) enum ArchitectureName {
    /// One of Stockfish's.
    Generation(&'static Generation),
    /// One that is described in TOML.
    Described(String),
}

fn parse_features(text: &str) -> Result<String, String> {
    match text.split('+').find(|block| !Block::NAMES.contains(&block.strip_suffix('^').unwrap_or(block))) {
        Some(unknown) => {
            Err(format!("`{unknown}` is not a feature block; known are {}, each also with `^`, joined by `+`", Block::NAMES.join(", ")))
        }
        None => Ok(text.to_owned()),
    }
}

fn parse_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size @ 1..=65536) => Ok(size),
        _ => Err("a whole number from 1 to 65536 is needed".to_owned()),
    }
}

fn parse_architecture(text: &str) -> Result<ArchitectureName, String> {
    if let Some(generation) = generation(text) {
        return Ok(ArchitectureName::Generation(generation));
    }
    if is_file_name(text) || shipped::find(text).is_some() {
        return Ok(ArchitectureName::Described(text.to_owned()));
    }
    let described: Vec<&str> = shipped::ALL.iter().map(|shipped| shipped.name).collect();
    Err(format!("known are {}; described are {}, or a file `NAME.toml`", generation_names().join(", "), described.join(", ")))
}
