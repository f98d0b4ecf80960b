//! `nnue init`: a first manifest, made of what is there.

mod sweeps;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::convert::of_command_line;
use super::inspect::readings;
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Result};
use crate::family::described::{Architecture, Proposal, foreign, is_bullet_checkpoint, shipped};
use crate::family::lc0::{self, Decode, Form, Net};
use crate::family::nnue::stages::load::{Loaded, load_bytes};
use crate::files::{Bytes, Durability, folder_of, typed, write_atomic};
use crate::format::sources::{Holds, identify, unpacked};
use crate::format::state_dict::{OpenKey, separating};
use crate::manifest::{self, FILE_NAME};
use crate::net::Expectation;
use crate::positions::{Filters, Selection, select};
use sweeps::Sweep;

/// Write a `nnue.toml` for a network, or for the networks and positions of a folder
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A network file (the manifest is written here), or a folder with networks and positions in it or below (it is written there)
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Say in the manifest what this command line of the trainer's serialize.py says; its paths stay as they are
    #[arg(long = "from-serialize", value_name = "COMMAND")]
    from_serialize: Option<String>,
}

/// What is written where there is nothing to start from.
const TEMPLATE: &str = r#"version = 1

# A network to start from: a checkpoint, a `.nnue` file, an engine. What the file tells is found out.
# [source.run]
# path = "runs/last.ckpt"
# quantization = "ft255"      # only where the file leaves its scales open: a build says so

# Positions of training data, to order the neurons by.
# [data.positions]
# path = "data/positions.binpack"

# What is to be built: `nnue build` writes dist/nn-<sha256>.nnue.
# [net.run]
# source = "run"
# outputs = ["dist/"]

# [net.run.optimize]
# data = "positions"
# positions = 10_000

# One net for each file that matches:
# [net."nightly/{stem}"]
# source = { glob = "runs/*/epoch=*.ckpt" }
# outputs = ["nightly/{stem}.nnue"]
"#;

/// Folders below the one that is looked into, and entries of all of them together: a slip should not search a whole disk.
const DEEPEST: usize = 8;
const MOST_ENTRIES: usize = 100_000;

/// Folders of builds, in which nothing lies to start from.
const SKIPPED: [&str; 3] = ["dist", "target", "node_modules"];

/// How many positions are used at most; fewer where there are fewer.
const POSITIONS: [u64; 5] = [10_000, 5_000, 1_000, 200, 50];

/// Where the networks of the trainer are written.
const OUTPUT: &str = "dist/";

/// A network that was found.
struct Source {
    path: String,
    name: String,
    /// What the file leaves open: scales or generation, with the choices. Nothing is chosen here: another choice is another net.
    open: Vec<OpenKey>,
    /// What the file tells of its age.
    signs: Vec<String>,
    summary: String,
    can_optimize: bool,
    /// What is written.
    output: String,
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
    if let Some(line) = &args.from_serialize {
        let text = of_command_line(line, |path| unused_name(path, &mut BTreeSet::new()))?;
        save(&text, &target, &ctx)?;
        global.print_summary(&format!(
            "wrote `{}` with what the command line says\nnext: `{}`\n",
            target.display(),
            next(global, &folder)
        ))?;
        return Ok(Exit::Done);
    }
    let mut names = BTreeSet::new();
    let (mut sources, mut data) = (Vec::new(), Vec::new());
    if is_folder {
        for file in files_of(path, &ctx)? {
            ctx.check()?;
            let shown = typed(file.strip_prefix(path).unwrap_or(&file));
            match look(&file, &shown, &mut names, &ctx) {
                Ok(Found::Network(source)) => sources.push(*source),
                Ok(Found::Positions(found)) => data.push(found),
                Ok(Found::Neither) => {}
                Err(error) => ctx.warn(format!("skipping `{}`: {error}", file.display())),
            }
        }
    } else {
        match look(path, &typed(path), &mut names, &ctx)? {
            Found::Network(source) => sources.push(*source),
            Found::Positions(_) | Found::Neither => return Err(Error::new(format!("`{}` is not a network", path.display()))),
        }
    }
    if sources.is_empty() && data.is_empty() && is_folder {
        save(TEMPLATE, &target, &ctx)?;
        global.print_summary(&format!("wrote `{}`, a template: no network was found in `{}`\n", target.display(), path.display()))?;
        return Ok(Exit::Done);
    }
    if sources.is_empty() {
        return Err(Error::new(format!("no network was found in `{}`", path.display()))
            .help("name the folder or the file of a `.nnue`, `.ckpt`, `.pt`, `.safetensors` or `.pb.gz` network"));
    }
    let found = sources.len();
    let swept = sweeps::take(&mut sources);
    for (shown, open) in
        sources.iter().map(|source| (&source.path, &source.open)).chain(swept.iter().map(|sweep| (&sweep.glob, &sweep.like.open)))
    {
        for (key, choices) in open {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            ctx.warn(format!(
                "`{shown}` leaves its {key} open ({}), and nothing was chosen: a build fails until you choose in the manifest",
                names.join(" or ")
            ));
        }
    }
    save(&render(&sources, &swept, &data), &target, &ctx)?;
    global.print_summary(&format!(
        "wrote `{}` with {} of networks and {} of positions\nnext: `{}`\n",
        target.display(),
        counted(found, "file"),
        counted(data.len(), "file"),
        next(global, &folder),
    ))?;
    Ok(Exit::Done)
}

/// Writes the manifest. It must be a good one; were it not, better say so now.
fn save(text: &str, target: &Path, ctx: &Ctx) -> Result<()> {
    manifest::parse(text, target, &[])?;
    write_atomic(target, Durability::Durable, |out| {
        ctx.check()?;
        out.write_all(text.as_bytes()).map_err(|error| Error::io("cannot write", target, error))
    })
}

/// The command that builds what was written.
fn next(global: &Global, folder: &Path) -> String {
    match &global.manifest {
        Some(named) => format!("nnue -f {} build", quoted(named)),
        None if folder.as_os_str() == "." => "nnue build".to_owned(),
        None => format!("nnue -C {} build", quoted(folder)),
    }
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

/// The files in a folder, and in those below it, that may be of interest, in the order of their paths. Hidden folders, those of builds and
/// links to folders are left out.
fn files_of(folder: &Path, ctx: &Ctx) -> Result<Vec<PathBuf>> {
    const ENDINGS: [&str; 13] =
        ["nnue", "ckpt", "pt", "safetensors", "npz", "binpack", "bin", "plain", "fen", "epd", "pb", "net", "network"];
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if depth == 0 => return Err(Error::io("cannot read the folder", &folder, error)),
            // What lies in a folder of others is not what is looked for.
            Err(error) => {
                ctx.warn(format!("skipping `{}`: {error}", folder.display()));
                continue;
            }
            Ok(entries) => entries,
        };
        for entry in entries {
            let entry = entry.map_err(|error| Error::io("cannot read the folder", &folder, error))?;
            ctx.check()?;
            seen += 1;
            if seen > MOST_ENTRIES {
                return Err(Error::new(format!("more than {MOST_ENTRIES} files lie in `{}` and below", folder.display()))
                    .help("name the folder of the networks, or the file of one"));
            }
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < DEEPEST && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    folders.push((path, depth + 1));
                }
                continue;
            }
            if path.is_file() && ENDINGS.contains(&ending_of(&path).as_str()) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

enum Found {
    Network(Box<Source>),
    Positions(Data),
    Neither,
}

fn look(path: &Path, shown: &str, names: &mut BTreeSet<String>, ctx: &Ctx) -> Result<Found> {
    let failed = |error: Error| error.context(format!("cannot load `{}`", path.display()));
    let bytes = Bytes::map(path)?;
    if Form::of(&bytes).is_some() {
        let net = lc0::open(&bytes, Decode::default(), None, ctx).map_err(failed)?;
        net.check_version().map_err(failed)?;
        return Ok(Found::Network(Box::new(of_lc0(path, shown, &net, names))));
    }
    let name = |names: &mut BTreeSet<String>| unused_name(path, names);
    if is_named_for_positions(path) {
        // Packed ones may be many times larger than memory: nobody else unpacks them.
        let positions = how_many(path, ctx)?;
        return Ok(Found::Positions(Data { path: shown.to_owned(), name: name(names), positions }));
    }
    let (bytes, _) = unpacked(bytes).map_err(failed)?;
    Ok(match identify(&bytes).holds() {
        Holds::Array => Found::Neither,
        Holds::Positions => {
            let positions = how_many(path, ctx)?;
            Found::Positions(Data { path: shown.to_owned(), name: name(names), positions })
        }
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
                Found::Network(Box::new(Source::described(shown, name(names), found)))
            }
            (Err(error), None) if ending_of(path) == "bin" => return Err(unknown(shown, &bytes, &error)),
            // Whoever names it for a network is told what it is.
            (Err(_), None) => load_bytes(bytes, &Expectation::default()).map_err(failed).map(|_| Found::Neither)?,
        },
        Holds::Tensors(read) => {
            let found = readings(&bytes, ctx).map_err(failed)?;
            let Some(first) = found.first() else { return Ok(Found::Neither) };
            let architecture = &first.architecture;
            let choices: Vec<_> =
                found.iter().map(|network| (network.architecture.generation, network.architecture.quantization)).collect();
            let open = if choices.len() > 1 { separating(&choices) } else { Vec::new() };
            let signs = if open.is_empty() { Vec::new() } else { read(bytes, None).map_err(failed)?.hints.signs() };
            let summary = format!("{}, L1={}", first.features(), architecture.l1);
            let can_optimize = architecture.generation.wiring.pairwise;
            Found::Network(Box::new(Source {
                path: shown.to_owned(),
                name: name(names),
                open,
                signs,
                summary,
                can_optimize,
                output: OUTPUT.to_owned(),
                described: None,
            }))
        }
        Holds::Integers | Holds::Program | Holds::Packed(_) | Holds::Nothing => {
            if let Some(found) = foreign_source(&bytes) {
                return Ok(Found::Network(Box::new(Source::described(shown, name(names), found))));
            }
            match load_bytes(bytes, &Expectation::default()).map_err(failed)? {
                Loaded::Quantized(parsed) => {
                    let architecture = &parsed.network.architecture;
                    let summary = format!("{}, {}, L1={}", architecture.generation.name, architecture.features.name(), architecture.l1);
                    let can_optimize = architecture.generation.wiring.pairwise;
                    Found::Network(Box::new(Source {
                        path: shown.to_owned(),
                        name: name(names),
                        open: Vec::new(),
                        signs: Vec::new(),
                        summary,
                        can_optimize,
                        output: OUTPUT.to_owned(),
                        described: None,
                    }))
                }
                Loaded::Float(_) => Found::Neither,
            }
        }
    })
}

/// A file's ending in lower case, without the one that packing added.
fn ending_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let inner = [".gz", ".zst", ".xz", ".br"].iter().find_map(|packing| name.strip_suffix(packing)).unwrap_or(&name);
    Path::new(inner).extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a file's ending says that positions are in it, and nothing else.
fn is_named_for_positions(path: &Path) -> bool {
    ["binpack", "plain", "fen", "epd", "txt"].contains(&ending_of(path).as_str())
}

/// A file that may be anything is nothing that is known.
fn unknown(shown: &str, bytes: &[u8], as_positions: &Error) -> Error {
    let help = "write its architecture into a file (`nnue architecture show bullet` is one to start from), name it in the source's table: \
                `architecture = \"mine.toml\"`";
    if is_bullet_checkpoint(bytes) {
        return Error::new(format!("`{shown}` is a checkpoint of bullet, which does not tell its architecture")).help(help);
    }
    Error::new(format!("`{shown}` is not a network that its length tells, nor positions"))
        .because(format!("as positions: {as_positions}"))
        .help(help)
}

/// A network of lc0, which is written as one.
fn of_lc0(path: &Path, shown: &str, net: &Net, names: &mut BTreeSet<String>) -> Source {
    let stem = path.with_extension("");
    let name = unused_name(if stem.extension().is_some_and(|ending| ending == "pb") { &stem } else { path }, names);
    let described = net.describe(Decode::default());
    let sizes: Vec<String> = described.body.iter().map(|size| format!("{} {}", size.name, size.value)).collect();
    let summary = format!("lc0 {} or newer, {}", described.min_version, sizes.join(", "));
    let output = format!("dist/{name}.pb.gz");
    let (open, signs) = (Vec::new(), Vec::new());
    Source { path: shown.to_owned(), name, open, signs, summary, can_optimize: false, output, described: None }
}

impl Source {
    fn described(path: &str, name: String, found: DescribedSource) -> Self {
        let summary = format!("in the layout `{}` of `{}`", found.proposal.from, found.architecture);
        let can_optimize = found.proposal.can_optimize;
        let output = format!("dist/{name}.{}", found.proposal.to);
        let (open, signs) = (Vec::new(), Vec::new());
        Self { path: path.to_owned(), name, open, signs, summary, can_optimize, output, described: Some(found) }
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

fn quoted_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What a source leaves open, as choices in comments.
fn choices(source: &Source) -> String {
    let mut text = String::new();
    for (key, choices) in &source.open {
        text += &format!(
            "# The file leaves its {key} open, and each choice is another net. Remove the `#` of one; until then a build fails here:\n"
        );
        for (name, about) in choices {
            text += &format!("# {key} = {}  # {about}\n", quoted_text(name));
        }
    }
    if !source.signs.is_empty() {
        text += &format!("# What the file tells of its age: {}\n", source.signs.join("; "));
    }
    text
}

fn optimize(net: &str, data: &[Data], source: &Source) -> String {
    let Some(data) = data.first().filter(|_| source.can_optimize) else { return String::new() };
    format!("\n[net.{net}.optimize]\ndata = {}\npositions = {}\n", quoted_text(&data.name), data.positions)
}

/// A sweep with all that is said of its files.
fn render_sweep(sweep: &Sweep, data: &[Data]) -> String {
    let Sweep { glob, name, count, like } = sweep;
    let (net, output) = (quoted_text(name), quoted_text(&format!("dist/{name}.nnue")));
    let left_out = if glob.contains("epoch=") { "; `last.ckpt` beside them is a copy of one" } else { "" };
    format!("\n# {count} checkpoints: {}{left_out}\n[net.{net}]\noutputs = [{output}]\n", like.summary)
        + &format!("\n[net.{net}.source]\nglob = {}\n# last = 1  # of each folder only the newest\n", quoted_text(glob))
        + &choices(like)
        + &optimize(&net, data, like)
}

fn render(sources: &[Source], swept: &[Sweep], data: &[Data]) -> String {
    let quoted = quoted_text;
    let mut text = "version = 1\n".to_owned();
    for source in sources {
        text += &format!("\n# {}\n[source.{}]\npath = {}\n", source.summary, source.name, quoted(&source.path));
        text += &choices(source);
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
        let output = match &source.described {
            None => format!("[{}]", quoted(&source.output)),
            Some(found) => format!("{{ {} = {} }}", toml_key(&found.proposal.to), quoted(&source.output)),
        };
        text += &format!("\n[net.{}]\nsource = {}\noutputs = {output}\n", source.name, quoted(&source.name));
        text += &optimize(&source.name, data, source);
    }
    text + &swept.iter().map(|sweep| render_sweep(sweep, data)).collect::<String>()
}

/// A key as TOML writes it.
fn toml_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}
