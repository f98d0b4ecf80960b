//! What commands share that read networks: the options that say what is expected of a source, and loading it in integers.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::build::net_name;
use crate::cache::files::{Durability, write_atomic, write_atomic_named};
use crate::cache::{HashingWriter, Sha256};
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Kind, Result};
use crate::family::described::{is_file_name, shipped};
use crate::format::nnue::{Compression, Expectation};
use crate::manifest::FEATURES;
use crate::net::{Generation, QUANTIZATIONS, Quantization, QuantizedNetwork, generation, generation_names, quantization};
use crate::paths::folder_of;
use crate::stages::load::{Loaded, load};
use crate::stages::quantize::{Overflow, quantize};

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
    #[arg(long, value_name = "NAME", value_parser = parse_quantization)]
    pub(crate) quantization: Option<&'static Quantization>,
}

impl SourceArgs {
    /// The same as the stages take it.
    pub(crate) fn expectation(&self) -> Expectation {
        Expectation {
            features: self.features.clone(),
            l1: self.l1,
            l2: self.l2,
            l3: self.l3,
            architecture: match self.architecture {
                Some(ArchitectureName::Generation(generation)) => Some(generation),
                _ => None,
            },
            quantization: self.quantization,
        }
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
    match text.split('+').find(|block| !FEATURES.contains(&block.strip_suffix('^').unwrap_or(block))) {
        Some(unknown) => {
            Err(format!("`{unknown}` is no feature block; known are {}, each also with `^`, joined by `+`", FEATURES.join(", ")))
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

fn parse_quantization(text: &str) -> Result<&'static Quantization, String> {
    quantization(text).ok_or_else(|| format!("known are {}", QUANTIZATIONS.map(|known| known.name).join(", ")))
}

/// `--backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendName {
    /// The fastest that is present
    Auto,
    /// The reference
    Cpu,
    /// OpenCL
    Opencl,
    /// libtorch
    Torch,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Auto => Self::Auto,
            BackendName::Cpu => Self::Cpu,
            BackendName::Opencl => Self::OpenCl,
            BackendName::Torch => Self::Torch,
        }
    }
}

/// `--overflow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverflowName {
    /// Refuse
    Error,
    /// As the trainers until May 2026 did
    Wrap,
    /// The nearest value that fits
    Clamp,
}

impl From<OverflowName> for Overflow {
    fn from(name: OverflowName) -> Self {
        match name {
            OverflowName::Error => Self::Error,
            OverflowName::Wrap => Self::Wrap,
            OverflowName::Clamp => Self::Clamp,
        }
    }
}

/// A source in integers.
pub(crate) struct IntegerSource {
    /// The network.
    pub(crate) network: QuantizedNetwork,
    /// How the file stores it; `None` for files of floats and for partly compressed ones.
    pub(crate) compression: Option<Compression>,
    /// Every generation that the file can be of, oldest first.
    pub(crate) candidates: Vec<&'static str>,
    /// Dense weights that were beyond the limits of their generation's trainer, which clamps them as well: how many in which tensor.
    pub(crate) clamped: Option<String>,
}

/// Loads a network and quantizes it where the source has floats.
///
/// # Errors
/// As [`load`] and [`quantize`]; the message names the file.
pub(crate) fn load_integers(path: &Path, expected: &Expectation, overflow: Overflow, ctx: &Ctx) -> Result<IntegerSource> {
    into_integers(load(path, expected)?, path, overflow, ctx)
}

/// The integers of what was loaded from `path`.
///
/// # Errors
/// As [`quantize`]; the message names the file.
pub(crate) fn into_integers(loaded: Loaded, path: &Path, overflow: Overflow, ctx: &Ctx) -> Result<IntegerSource> {
    match loaded {
        Loaded::Quantized(parsed) => Ok(IntegerSource {
            candidates: parsed.candidates.iter().map(|candidate| candidate.generation.name).collect(),
            compression: parsed.compression,
            clamped: None,
            network: parsed.network,
        }),
        Loaded::Float(network) => {
            let (network, report) = quantize(&network.coalesce(), overflow, ctx).map_err(|error| {
                if error.kind() == Kind::Failed { error.context(format!("cannot quantize `{}`", path.display())) } else { error }
            })?;
            let list =
                |tensors: &[(String, usize)]| tensors.iter().map(|(name, n)| format!("{n} in `{name}`")).collect::<Vec<_>>().join(", ");
            if !report.overflowed.is_empty() {
                let how = if overflow == Overflow::Wrap { "wrapped" } else { "clamped" };
                ctx.warn(format!("values that do not fit were {how} as asked: {}", list(&report.overflowed)));
            }
            let candidates = vec![network.architecture.generation.name];
            let clamped = (!report.clamped.is_empty()).then(|| list(&report.clamped));
            Ok(IntegerSource { network, compression: None, candidates, clamped })
        }
    }
}

/// A file that was written.
pub(crate) struct Written {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its digest.
    pub(crate) sha256: Sha256,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Where a network goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// This file.
    File(&'a Path),
    /// A file in this folder, named by its SHA-256.
    Folder(&'a Path),
}

/// Writes a file, atomically: whoever reads the old file meanwhile, this program included, keeps reading the old one.
///
/// # Errors
/// Those of the files and of `write`, and cancellation; nothing is left behind then.
pub(crate) fn write_file(place: Place<'_>, ctx: &Ctx, write: impl FnOnce(&mut dyn std::io::Write) -> Result<()>) -> Result<Written> {
    let write = |out: &mut dyn std::io::Write| {
        let mut out = HashingWriter::<_, Sha256>::new(out);
        write(&mut out)?;
        // The last moment at which nothing has happened yet.
        ctx.check()?;
        let (_, sha256, bytes) = out.finish();
        Ok((sha256, bytes))
    };
    match place {
        Place::File(path) => {
            let (sha256, bytes) = write_atomic(path, Durability::Durable, write)?;
            Ok(Written { path: path.to_owned(), sha256, bytes })
        }
        Place::Folder(folder) => {
            let named = write_atomic_named(folder, write, |(sha256, _)| net_name(sha256))?;
            let (sha256, bytes) = named.value;
            Ok(Written { path: named.path, sha256, bytes })
        }
    }
}

/// The folder that a file will be in must be there: a typing mistake should not make one.
///
/// # Errors
/// When it is not.
pub(crate) fn check_folder_of(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::new(format!("cannot write `{}`", path.display()))
        .because(format!("the folder `{}` does not exist", folder.display()))
        .help("make the folder first, or correct the path"))
}

/// Warns where something depends on scales that the source does not record and nobody gave.
pub(crate) fn warn_assumed_scales(network: &QuantizedNetwork, expected: &Expectation, ctx: &Ctx) {
    if let Some(note) = assumed_scales(network).filter(|_| expected.quantization.is_none()) {
        ctx.warn(format!("{note}; say which by `--quantization`"));
    }
}

/// Says which scales are assumed of a `.nnue` file, where its generation has had several.
pub(crate) fn assumed_scales(network: &QuantizedNetwork) -> Option<String> {
    let used = network.architecture.quantization.name;
    let others: Vec<&str> =
        network.architecture.generation.quantizations.iter().map(|known| known.name).filter(|name| *name != used).collect();
    (!others.is_empty())
        .then(|| format!("the quantization is not recorded in the file; {used} is assumed (also possible: {})", others.join(", ")))
}
