//! `nnue init`: a first manifest, made of what is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::inspect::readings;
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Result};
use crate::family::described::{Architecture, Proposal, foreign, shipped};
use crate::family::nnue::stages::load::{Loaded, load_bytes};
use crate::files::{Bytes, Durability, folder_of, write_atomic};
use crate::format::sources::{Holds, identify, unpacked};
use crate::manifest::{self, FILE_NAME};
use crate::net::Expectation;
use crate::positions::{Filters, Selection, select};

/// Write a `nnue.toml` for a network, or for the networks and positions of a folder
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A network file (the manifest is written here), or a folder (it is written there)
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
}

/// How many positions are used at most; fewer where there are fewer.
const POSITIONS: [u64; 5] = [10_000, 5_000, 1_000, 200, 50];

/// A network that was found.
struct Source {
    path: String,
    name: String,
    /// What the file leaves open: scales or generation, with the other choices.
    settled: Vec<(&'static str, String, Vec<String>)>,
    summary: String,
    can_optimize: bool,
    /// Where its architecture is described.
    described: Option<DescribedSource>,
}

/// How a described architecture stands in the manifest.
struct DescribedSource {
    /// The shipped one.
    architecture: String,
    /// Sizes that differ from it.
    sizes: Vec<(String, String)>,
    /// Others whose files have this length.
    others: Vec<String>,
    proposal: Proposal,
}

/// Positions that were found.
struct Data {
    path: String,
    name: String,
    positions: u64,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let path = &args.path;
    let is_folder = fs::metadata(path).map_err(|error| Error::io("cannot access", path, error))?.is_dir();
    let folder = if is_folder { path.clone() } else { PathBuf::from(".") };
    let target = match &global.manifest {
        Some(named) => named_target(named, &folder)?,
        None => folder.join(FILE_NAME),
    };
    if target.symlink_metadata().is_ok() {
        return Err(
            Error::new(format!("`{}` already exists", target.display())).help("remove or rename it first; `nnue init` overwrites nothing")
        );
    }
    let mut names = BTreeSet::new();
    let (mut sources, mut data) = (Vec::new(), Vec::new());
    if is_folder {
        for file in files_of(path)? {
            ctx.check()?;
            let shown = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match look(&file, &shown, &mut names, &ctx) {
                Ok(Found::Network(source)) => sources.push(source),
                Ok(Found::Positions(found)) => data.push(found),
                Ok(Found::Neither) => {}
                Err(error) => ctx.warn(format!("skipping `{}`: {error}", file.display())),
            }
        }
    } else {
        match look(path, &path.to_string_lossy(), &mut names, &ctx)? {
            Found::Network(source) => sources.push(source),
            Found::Positions(_) | Found::Neither => return Err(Error::new(format!("`{}` is not a network", path.display()))),
        }
    }
    if sources.is_empty() {
        return Err(Error::new(format!("no network was found in `{}`", path.display()))
            .help("name the folder or the file of a `.nnue`, `.ckpt`, `.pt` or `.safetensors` network"));
    }
    let text = render(&sources, &data);
    // What is written must be a good manifest; were it not, better say so now.
    manifest::parse(&text, &target, &[])?;
    write_atomic(&target, Durability::Durable, |out| {
        ctx.check()?;
        out.write_all(text.as_bytes()).map_err(|error| Error::io("cannot write", &target, error))
    })?;
    let next = match &global.manifest {
        Some(named) => format!("nnue -f {} build", quoted(named)),
        None if folder.as_os_str() == "." => "nnue build".to_owned(),
        None => format!("nnue -C {} build", quoted(&folder)),
    };
    global.print_summary(&format!(
        "wrote `{}` with {} of networks and {} of positions\nnext: `{next}`\n",
        target.display(),
        counted(sources.len(), "file"),
        counted(data.len(), "file"),
    ))?;
    Ok(Exit::Done)
}

/// The manifest that `-f` names. It must lie in `folder`: what is written into it is relative to there.
fn named_target(named: &Path, folder: &Path) -> Result<PathBuf> {
    let parent = folder_of(named);
    let real = |folder: &Path| fs::canonicalize(folder).map_err(|error| Error::io("cannot access", folder, error));
    if real(parent)? == real(folder)? {
        return Ok(named.to_owned());
    }
    Err(Error::usage(format!("`-f {}` is not in `{}`, where the manifest is to be", named.display(), folder.display()))
        .help("a manifest made by `init` lies beside what it names: choose a name in that folder"))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-=+,:@%".contains(c);
    if text.chars().all(is_plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The files of a folder that may be of interest, in the order of their names.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    const ENDINGS: [&str; 9] = ["nnue", "ckpt", "pt", "safetensors", "npz", "binpack", "bin", "fen", "epd"];
    let failed = |error| Error::io("cannot read the folder", folder, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if path.is_file() && ENDINGS.contains(&ending.as_str()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

enum Found {
    Network(Source),
    Positions(Data),
    Neither,
}

fn look(path: &Path, shown: &str, names: &mut BTreeSet<String>, ctx: &Ctx) -> Result<Found> {
    let failed = |error: Error| error.context(format!("cannot load `{}`", path.display()));
    let (bytes, _) = unpacked(Bytes::map(path)?).map_err(failed)?;
    let name = |names: &mut BTreeSet<String>| unused_name(path, names);
    Ok(match identify(&bytes).holds() {
        Holds::Array => Found::Neither,
        Holds::Positions => Found::Positions(Data { path: shown.to_owned(), positions: how_many(path, ctx)?, name: name(names) }),
        Holds::Unmarked => match (how_many(path, ctx), described_source(&bytes)) {
            (Ok(positions), _) => Found::Positions(Data { path: shown.to_owned(), name: name(names), positions }),
            (Err(_), Some(found)) => {
                if !found.others.is_empty() {
                    ctx.warn(format!(
                        "`{shown}` has no header; by its length it is of `{}`, which was written, or of {}: check it",
                        found.architecture,
                        found.others.join(", ")
                    ));
                }
                Found::Network(Source::described(shown, name(names), found))
            }
            (Err(error), None) => return Err(error),
        },
        Holds::Tensors(_) => {
            let found = readings(&bytes, ctx).map_err(failed)?;
            let Some(first) = found.first() else { return Ok(Found::Neither) };
            let architecture = &first.architecture;
            let mut settled = Vec::new();
            let mut settle = |key, chosen: &str, all: Vec<&str>| {
                let mut others: Vec<String> = all.iter().filter(|other| **other != chosen).map(|other| (*other).to_owned()).collect();
                others.dedup();
                if !others.is_empty() {
                    settled.push((key, chosen.to_owned(), others));
                }
            };
            settle("quantization", architecture.quantization.name, found.iter().map(|n| n.architecture.quantization.name).collect());
            settle("architecture", architecture.generation.name, found.iter().map(|n| n.architecture.generation.name).collect());
            for (key, chosen, others) in &settled {
                ctx.warn(format!(
                    "`{shown}` leaves its {key} open; {chosen} was written, {} is also possible: check it",
                    others.join(" or ")
                ));
            }
            let summary = format!("{}, L1={}", first.features(), architecture.l1);
            let can_optimize = architecture.generation.wiring.pairwise;
            Found::Network(Source { path: shown.to_owned(), name: name(names), settled, summary, can_optimize, described: None })
        }
        Holds::Integers | Holds::Program | Holds::Packed(_) | Holds::Nothing => {
            if let Some(found) = foreign_source(&bytes) {
                return Ok(Found::Network(Source::described(shown, name(names), found)));
            }
            match load_bytes(bytes, &Expectation::default()).map_err(failed)? {
                Loaded::Quantized(parsed) => {
                    let architecture = &parsed.network.architecture;
                    let summary = format!("{}, {}, L1={}", architecture.generation.name, architecture.features.name(), architecture.l1);
                    let can_optimize = architecture.generation.wiring.pairwise;
                    Found::Network(Source {
                        path: shown.to_owned(),
                        name: name(names),
                        settled: Vec::new(),
                        summary,
                        can_optimize,
                        described: None,
                    })
                }
                Loaded::Float(_) => Found::Neither,
            }
        }
    })
}

impl Source {
    fn described(path: &str, name: String, found: DescribedSource) -> Self {
        let summary = format!("in the layout `{}` of `{}`", found.proposal.from, found.architecture);
        let can_optimize = found.proposal.can_optimize;
        Self { path: path.to_owned(), name, settled: Vec::new(), summary, can_optimize, described: Some(found) }
    }
}

/// The shipped architectures whose files have the length of this one.
fn described_source(bytes: &Bytes) -> Option<DescribedSource> {
    let all = shipped::ALL.iter().filter_map(|shipped| Architecture::parse(shipped.name, shipped.text, &[]).ok());
    let mut found = all.filter_map(|architecture| Some((architecture.name().to_owned(), architecture.proposal(bytes)?)));
    let (architecture, proposal) = found.next()?;
    let others = found.map(|(name, _)| format!("`{name}`")).collect();
    Some(DescribedSource { architecture, sizes: Vec::new(), others, proposal })
}

/// A network in Stockfish's format that only a description knows.
fn foreign_source(bytes: &Bytes) -> Option<DescribedSource> {
    let found = foreign::recognize(bytes)?;
    let proposal = Architecture::load(found.architecture, &found.sets).ok()?.proposal(bytes)?;
    let size = |set: &String| set.strip_prefix("sizes.")?.split_once('=').map(|(name, size)| (name.to_owned(), size.to_owned()));
    let sizes = found.sets.iter().filter_map(size).collect();
    Some(DescribedSource { architecture: found.architecture.to_owned(), sizes, others: Vec::new(), proposal })
}

/// The most positions of [`POSITIONS`] that the file has.
fn how_many(path: &Path, ctx: &Ctx) -> Result<u64> {
    let mut refusal = None;
    for count in POSITIONS {
        let selection = Selection { count: Some(count), held_out: 0, seed: 0, filters: Filters::default() };
        match select(&[path.to_owned()], &selection, ctx) {
            Ok(_) => return Ok(count),
            Err(error) => refusal = Some(error),
        }
        ctx.check()?;
    }
    Err(refusal.unwrap_or_else(|| Error::new("there are no positions in it")))
}

/// A name for a table: the file's, of characters that need no quotes, and not yet used.
fn unused_name(path: &Path, names: &mut BTreeSet<String>) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect();
    let plain = if plain.is_empty() { "net".to_owned() } else { plain };
    let name = (1..).map(|n| if n == 1 { plain.clone() } else { format!("{plain}-{n}") }).find(|name| !names.contains(name));
    let name = name.expect("numbers do not run out");
    names.insert(name.clone());
    name
}

fn render(sources: &[Source], data: &[Data]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = "version = 1\n".to_owned();
    for source in sources {
        text += &format!("\n# {}\n[source.{}]\npath = {}\n", source.summary, source.name, quoted(&source.path));
        for (key, chosen, others) in &source.settled {
            text += &format!("{key} = {}  # the file leaves this open; also possible: {}\n", quoted(chosen), others.join(", "));
        }
        if let Some(found) = &source.described {
            let others = if found.others.is_empty() { String::new() } else { format!("  # also possible: {}", found.others.join(", ")) };
            let own = if found.sizes.is_empty() { &found.architecture } else { &source.name };
            text += &format!("architecture = {}{others}\nlayout = {}\n", quoted(own), quoted(&found.proposal.from));
            if !found.sizes.is_empty() {
                let sizes: String = found.sizes.iter().map(|(name, size)| format!("{name} = {size}\n")).collect();
                let (name, like) = (&source.name, quoted(&found.architecture));
                text += &format!("\n[architecture.{name}]\nlike = {like}\n[architecture.{name}.sizes]\n{sizes}");
            }
        }
    }
    for data in data {
        text += &format!("\n[data.{}]\npath = {}\n", data.name, quoted(&data.path));
    }
    for source in sources {
        text += &format!("\n[net.{}]\nsource = {}\n", source.name, quoted(&source.name));
        text += &match &source.described {
            None => "outputs = [\"dist/\"]\n".to_owned(),
            Some(found) => {
                let (to, name) = (&found.proposal.to, &source.name);
                format!("outputs = {{ {} = {} }}\n", toml_key(to), quoted(&format!("dist/{name}.{to}")))
            }
        };
        if let Some(data) = data.first().filter(|_| source.can_optimize) {
            text += &format!("\n[net.{}.optimize]\ndata = {}\npositions = {}\n", source.name, quoted(&data.name), data.positions);
        }
    }
    text
}

/// A key as TOML writes it.
fn toml_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}
