//! `nnue.toml` → typed values that know their place in the text; all mistakes of a run as one diagnostic; the JSON schema.
//!
//! [`load`] reads, checks and resolves: what it returns holds no name without a table, no number out of range, no two nets
//! that write one file. It knows the words of architectures and feature sets ([`Vocabulary`]) but not their meaning, never
//! opens a source or a data file, and computes no keys: comments, order of keys and paths do not get past it.
//! Of the `positions` room it uses the [`Filters`] alone, which are what `[net.NAME.optimize.filters]` holds.
//!
//! * `tree` parses TOML and applies `--set`; `defaults` gives nets what they do not say themselves; `matrix` makes a
//!   table of each combination of axes; `read` gives keys their types; `expand` looks at the disk; `text` shows problems;
//!   `schema` is the format once more, for editors.

mod defaults;
mod expand;
mod matrix;
mod publish;
mod read;
mod schema;
mod text;
mod tree;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{File, Metadata},
    io::Read as _,
    path::{Path, PathBuf},
};

pub use publish::{FISHTEST_LICENSE, is_public_name};
use read::Content;
pub use schema::schema;
pub use text::{Located, Span};
use text::{Problem, Texts};
pub use tree::Override;

pub use crate::words::{Algorithm, Compression, Overflow, Publish, RemoteMode};
use crate::{
    error::{Error, Kind, Result},
    files::folder_of,
    net::Quantization,
    positions::Filters,
};

/// The name of a manifest that [`find`] looks for.
pub const FILE_NAME: &str = "nnue.toml";

/// What the name of a provenance file adds to that of the output which it is about.
pub const PROVENANCE_SUFFIX: &str = ".provenance.json";

/// What some editors put before the first character of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A manifest is text typed by people; this many bytes are a mistaken file.
const LARGEST: u64 = 16 << 20;

/// Names that the manifest's values may have; `net` defines them, this room only compares.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary<'a> {
    /// Values of `architecture`.
    pub architectures: &'a [&'a str],
    /// Feature blocks without `^`; `features` joins them by `+`.
    pub features: &'a [&'a str],
}

impl Default for Vocabulary<'static> {
    /// The generations and feature blocks up to SFNNv16.
    fn default() -> Self {
        Self { architectures: ARCHITECTURES, features: FEATURES }
    }
}

/// Names of the generations of networks.
pub const ARCHITECTURES: &[&str] = &[
    "SFNNv1",
    "SFNNv2",
    "SFNNv3",
    "SFNNv4",
    "SFNNv5",
    "SFNNv6",
    "SFNNv7",
    "SFNNv8",
    "SFNNv9",
    "SFNNv10a",
    "SFNNv10b",
    "SFNNv11",
    "SFNNv12",
    "SFNNv13",
    "SFNNv13-newhash",
    "SFNNv14",
    "SFNNv14.1",
    "SFNNv15",
    "SFNNv16",
    "small",
];

/// Names of the feature blocks.
pub const FEATURES: &[&str] = &["HalfKP", "HalfKA", "HalfKAv2", "HalfKAv2_hm", "Full_Threats", "PP_3Wide"];

/// A manifest that was read and found good.
#[derive(Debug)]
pub struct Manifest {
    /// The file, as it was named.
    pub path: PathBuf,
    /// Its folder, to which all paths in it are relative; `.` for a bare file name.
    pub folder: PathBuf,
    /// `[source.NAME]` tables.
    pub sources: BTreeMap<String, Source>,
    /// `[data.NAME]` tables.
    pub data: BTreeMap<String, Data>,
    /// The `[net.NAME]` tables in the order of the file: sweeps are one entry, of `[matrix]` each combination is one.
    pub declared: Vec<Net>,
    /// The nets to build, in the order of the file; those of a sweep by the paths of their files. Names are unique.
    pub nets: Vec<ResolvedNet>,
    /// The `[cache.remote]` table.
    pub remote_cache: Option<RemoteCache>,
    /// What does no harm but is likely a mistake, each as one line with its place.
    pub warnings: Vec<String>,
    /// What the file system said of the file before it was read; `None` of a text from memory.
    pub metadata: Option<Metadata>,
    /// Folders and links that decided which files the sweeps found, as the file system told of them before it was asked what is in them;
    /// `None` where it could not. While these stay as they are, so do the nets.
    pub listed: Vec<(PathBuf, Option<Metadata>)>,
    /// What the command line put in place of the file's values, in its order.
    pub overrides: Vec<Override>,
    texts: Texts,
    globs: Globs,
}

/// What it is if no file matches a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Globs {
    /// A mistake.
    #[default]
    MustMatch,
    /// A warning: files may come.
    MayMatch,
}

/// A cache that machines share. How results are kept is part of no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCache {
    /// `http://`, `https://`, `s3://`, `gs://` or `az://` with a host or a bucket; without credentials.
    pub url: Located<String>,
    /// What may be done with it.
    pub mode: Located<RemoteMode>,
}

/// A path in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath {
    /// As typed: for messages.
    pub typed: String,
    /// To open: relative to the process's folder, or absolute. Of an output without `.` and `..`.
    pub resolved: PathBuf,
}

/// A network to start from. What is `None` is inferred from the file; what is given is an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The table's name; `None` for a path given in a net.
    pub name: Option<String>,
    /// The table's header, or the path in the net.
    pub span: Span,
    /// The file.
    pub path: Located<FilePath>,
    /// What is said of its content.
    pub claims: Claims,
    /// Pin: 64 lower-case hexadecimal digits.
    pub sha256: Option<Located<String>>,
}

/// What a manifest says of a source's content: assertions, which also settle what the file leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Feature set, such as `Full_Threats+HalfKAv2_hm^`; each block is in the vocabulary.
    pub features: Option<Located<String>>,
    /// Feature transformer outputs per perspective, even, 2..=65536.
    pub l1: Option<Located<u32>>,
    /// Second layer's size, 1..=65536.
    pub l2: Option<Located<u32>>,
    /// Third layer's size, 1..=65536.
    pub l3: Option<Located<u32>>,
    /// Generation, a word of the vocabulary.
    pub architecture: Option<Located<String>>,
    /// Scales.
    pub quantization: Option<Located<&'static Quantization>>,
    /// What to do with weights beyond the range of their integers.
    pub overflow: Located<Overflow>,
}

impl Claims {
    /// Nothing is said; `span` stands for the place where it could be.
    pub fn none(span: Span) -> Self {
        let overflow = Located { value: Overflow::default(), span };
        Self { features: None, l1: None, l2: None, l3: None, architecture: None, quantization: None, overflow }
    }

    /// Where the value of `key` was written; `None` where nothing is said of it.
    pub fn place_of(&self, key: &str) -> Option<Span> {
        match key {
            "features" => self.features.as_ref().map(|value| value.span),
            "l1" => self.l1.as_ref().map(|value| value.span),
            "l2" => self.l2.as_ref().map(|value| value.span),
            "l3" => self.l3.as_ref().map(|value| value.span),
            "architecture" => self.architecture.as_ref().map(|value| value.span),
            "quantization" => self.quantization.as_ref().map(|value| value.span),
            _ => None,
        }
    }
}

/// Files of positions that are read as one stream, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// The table's name.
    pub name: String,
    /// The table's header.
    pub span: Span,
    /// The files, at least one.
    pub paths: Vec<Located<FilePath>>,
    /// Pins: none, or one per path; 64 lower-case hexadecimal digits each.
    pub sha256: Vec<Located<String>>,
}

/// A `[net.NAME]` table as written, with the defaults in it and the axes of `[matrix]` filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Net {
    /// The name; of a sweep with placeholders.
    pub name: Located<String>,
    /// Of a net that `[matrix]` made: the name as written, with the axes in it.
    pub template: Option<String>,
    /// The table's header.
    pub span: Span,
    /// Where it comes from.
    pub source: Located<NetSource>,
    /// Text for the file's header; `None` keeps the source's, or the writer's default.
    pub description: Option<Located<String>>,
    /// Of `.nnue` outputs.
    pub compression: Located<Compression>,
    /// Outputs as typed, at least one.
    pub outputs: Vec<Located<String>>,
    /// A permutation file (`.npy`) to apply; never together with `optimize`.
    pub permutation: Option<Located<String>>,
    /// Search for a permutation.
    pub optimize: Option<Optimize>,
    /// What is said of the published files.
    pub release: Release,
}

/// How the files of a net go out into the world. None of it changes a byte of the net, so none of it is in a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Whether each output gets a provenance file beside it.
    pub provenance: Located<bool>,
    /// Where the net is to be published: its `.nnue` outputs are checked as that place does, before they get their names.
    pub publish: Option<Located<Publish>>,
    /// SPDX expression of the licence that the net is given; not empty.
    pub license: Option<Located<String>>,
}

/// A net's `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetSource {
    /// A `[source.NAME]` table.
    Named(String),
    /// A file.
    Path(FilePath),
    /// A pattern: one net per file that matches.
    Glob {
        /// The pattern.
        pattern: String,
        /// What is said of every file that matches.
        claims: Box<Claims>,
    },
}

/// A `[net.NAME.optimize]` table as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimize {
    /// The table's header.
    pub span: Span,
    /// Name of a `[data.NAME]` table.
    pub data: Located<String>,
    /// Exact number of positions, at least 1.
    pub positions: Located<u64>,
    /// Of the choice of positions, and of annealing.
    pub seed: Located<u64>,
    /// The search.
    pub algorithm: Located<Algorithm>,
    /// Bound of annealing, at least 1; only with [`Algorithm::Anneal`], whose own default is meant by `None`.
    pub moves: Option<Located<u64>>,
    /// Which positions count, checked by [`Filters::validate`]; the place is that of the `filters` table.
    pub filters: Located<Filters>,
}

/// One net to build: all names are resolved, all placeholders filled.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedNet {
    /// Unique name.
    pub name: String,
    /// The name in the manifest.
    pub span: Span,
    /// Of a net that a sweep or `[matrix]` made: the name as written.
    pub sweep: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Text for the file's header; `None` keeps the source's, or the writer's default.
    pub description: Option<Located<String>>,
    /// Of `.nnue` outputs.
    pub compression: Located<Compression>,
    /// At least one.
    pub outputs: Vec<Output>,
    /// A permutation file (`.npy`) to apply; never together with `optimize`.
    pub permutation: Option<Located<FilePath>>,
    /// Search for a permutation.
    pub optimize: Option<ResolvedOptimize>,
    /// What is said of the published files.
    pub release: Release,
}

/// [`Optimize`] with its data looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedOptimize {
    /// The table's header.
    pub span: Span,
    /// Positions to choose from.
    pub data: Data,
    /// Exact number of positions, at least 1.
    pub positions: Located<u64>,
    /// Of the choice of positions, and of annealing.
    pub seed: Located<u64>,
    /// The search.
    pub algorithm: Located<Algorithm>,
    /// Bound of annealing, at least 1; `None` means the algorithm's default.
    pub moves: Option<Located<u64>>,
    /// Which positions count.
    pub filters: Located<Filters>,
}

/// A place to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// File or folder.
    pub path: Located<FilePath>,
    /// What is written.
    pub kind: OutputKind,
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
}

impl OutputKind {
    /// The kind of file with this ending (lower case, without the dot).
    fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "nnue" => Some(Self::Nnue),
            "pt" => Some(Self::Pt),
            "safetensors" => Some(Self::Safetensors),
            "npz" => Some(Self::Npz),
            _ => None,
        }
    }
}

/// Reads the manifest at `path`, puts `overrides` on top, checks everything and finds the files of sweeps.
///
/// # Errors
/// [`Kind::Usage`]: the file cannot be read, or has mistakes. All of them are in one diagnostic with their places.
pub fn load(path: &Path, overrides: &[Override], vocabulary: &Vocabulary<'_>) -> Result<Manifest> {
    load_with(path, overrides, vocabulary, Globs::MustMatch)
}

/// [`load`], saying what globs without files are.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, overrides: &[Override], vocabulary: &Vocabulary<'_>, globs: Globs) -> Result<Manifest> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let metadata = file.metadata()?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok(metadata)
    });
    let metadata = read.map_err(|error| {
        Error::io("cannot read the manifest", path, error)
            .kind_is(Kind::Usage)
            .help(format!("give another file with `-f FILE`, or write one; see `{FILE_NAME}.example`"))
    })?;
    let mistaken = |cause: String, help: &str| {
        let message = format!("`{}` is no manifest", path.display());
        Err(Error::usage(message).because(cause).help(help))
    };
    if bytes.len() as u64 > LARGEST {
        return mistaken(format!("it has more than {LARGEST} bytes"), "name a TOML file with `-f FILE`");
    }
    match String::from_utf8(bytes) {
        Ok(text) => parse_with(&text, path, overrides, vocabulary, globs).map(|manifest| Manifest { metadata: Some(metadata), ..manifest }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                return mistaken("it is UTF-16".to_owned(), "save it as UTF-8");
            }
            let line = 1 + bytes.iter().take(at).filter(|&&byte| byte == b'\n').count();
            mistaken(format!("it is not UTF-8: byte {at}, in line {line}"), "save it as UTF-8, or name a TOML file with `-f FILE`")
        }
    }
}

/// [`load`] for a text that is already in memory; `path` gives the folder and the name in messages.
///
/// # Errors
/// [`Kind::Usage`] with all mistakes.
pub fn parse(text: &str, path: &Path, overrides: &[Override], vocabulary: &Vocabulary<'_>) -> Result<Manifest> {
    parse_with(text, path, overrides, vocabulary, Globs::MustMatch)
}

fn parse_with(text: &str, path: &Path, overrides: &[Override], vocabulary: &Vocabulary<'_>, globs: Globs) -> Result<Manifest> {
    let folder = folder_of(path).to_owned();
    let mut texts = Texts::new(path, text);
    // Without the byte order mark columns count what is seen.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut problems = Vec::new();
    let mut root = tree::parse_document(text, &mut problems);
    if !problems.is_empty() {
        return Err(text::report(&texts, problems));
    }
    for each in overrides {
        each.apply(&mut root, &mut texts, &mut problems);
    }
    let (mut idle, mut templates) = (Vec::new(), HashMap::new());
    if read::is_of_known_version(&root) {
        match defaults::merge(&mut root) {
            Ok(keys) => idle = keys,
            // Nets without their defaults would be reported for what they lack.
            Err(problem) => {
                problems.push(*problem);
                return Err(text::report(&texts, problems));
            }
        }
        templates = matrix::expand(&mut root, &texts, &mut problems);
    }
    let mut content = read::read(&root, &texts, &folder, vocabulary, &mut problems);
    for net in &mut content.nets {
        net.template = templates.remove(&net.name.value);
    }
    content.warnings.extend(idle.iter().map(|key| format!("{}: `{}` is taken by no net", texts.line(key.span), key.value)));
    // Also after mistakes: one run reports those of the disk, too.
    let expand::Expanded { nets, listed } = expand::expand(&content, &folder, globs, &mut problems);
    if !problems.is_empty() {
        return Err(text::report(&texts, problems));
    }
    if globs == Globs::MayMatch {
        let made: HashSet<Span> = nets.iter().map(|net| net.source.span).collect();
        let idle = content.nets.iter().filter(|net| !made.contains(&net.source.span));
        content.warnings.extend(idle.filter_map(|net| match &net.source.value {
            NetSource::Glob { pattern, .. } => Some(format!("{}: no file matches `{pattern}` yet", texts.line(net.source.span))),
            _ => None,
        }));
    }
    let Content { sources, data, nets: declared, remote_cache, warnings } = content;
    let (metadata, listed) = (None, listed.into_iter().collect());
    let overrides = overrides.to_vec();
    Ok(Manifest {
        path: path.to_owned(),
        folder,
        sources,
        data,
        declared,
        nets,
        remote_cache,
        warnings,
        metadata,
        listed,
        overrides,
        texts,
        globs,
    })
}

/// The provenance file of a published file: beside it, with [`PROVENANCE_SUFFIX`] after its whole name.
pub fn provenance_path(output: &Path) -> PathBuf {
    let mut path = output.as_os_str().to_owned();
    path.push(PROVENANCE_SUFFIX);
    PathBuf::from(path)
}

/// Resolves the nets once more, as [`load`] did: finds files that came to a sweep since, and forgets those that went.
///
/// # Errors
/// [`Kind::Usage`] with all mistakes that the disk makes of the manifest: nets that write one file, a sweep without files …
/// The manifest stays as it was then.
pub fn refresh(manifest: &mut Manifest) -> Result<()> {
    let content =
        Content { sources: manifest.sources.clone(), data: manifest.data.clone(), nets: manifest.declared.clone(), ..Content::default() };
    let mut problems = Vec::new();
    let expand::Expanded { nets, listed } = expand::expand(&content, &manifest.folder, manifest.globs, &mut problems);
    if !problems.is_empty() {
        return Err(text::report(&manifest.texts, problems));
    }
    (manifest.nets, manifest.listed) = (nets, listed.into_iter().collect());
    Ok(())
}

/// The manifest of the folder `start`, or of the nearest folder above that has one.
///
/// # Errors
/// [`Kind::Usage`] if there is none.
pub fn find(start: &Path) -> Result<PathBuf> {
    let here = start.join(FILE_NAME);
    if here.is_file() {
        return Ok(here);
    }
    let absolute = std::path::absolute(start).map_err(|error| Error::io("cannot find the folder", start, error).kind_is(Kind::Usage))?;
    let found = absolute.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::usage(format!("no `{FILE_NAME}` in `{}` or a folder above it", absolute.display()))
            .help(format!("name a manifest with `-f FILE`, or write one; `{FILE_NAME}.example` shows all that it can hold"))
    })
}

impl Manifest {
    /// An error that points into the manifest: for what only shows later, such as "L1 is 1536 in the file, 3072 here".
    ///
    /// `message` says what is wrong, `label` stands at `span`, `cause` says why, `help` what to do.
    pub fn diagnostic(&self, span: Span, message: &str, label: &str, cause: &str, help: &str) -> Error {
        text::report(&self.texts, vec![Problem::new(message, span, label, cause, help)])
    }

    /// The text that was read, byte for byte: what is on the disk by now may be another.
    pub fn text(&self) -> String {
        self.texts.whole()
    }

    /// `file:line` of a place, for messages of one line.
    pub fn line(&self, span: Span) -> String {
        self.texts.line(span)
    }
}
