//! `nnue.toml` → typed values that know their place in the text; all mistakes of a run as one diagnostic; the JSON schema.
//!
//! [`load`] reads, checks and resolves: what it returns holds no name without a table, no number out of range, no two nets
//! that write one file. Of other rooms it uses the words that values may have: those of [`crate::words`], the generations, scales and
//! blocks of `net`, the [`Filters`](crate::positions::Filters) of `positions`. It never opens a source or a data file, and computes no
//! keys: comments, order of keys and paths do not get past it.
//!
//! From the text to the nets, each file knowing only those before it:
//! * `keys` lists every key there is; `schema` and `reference` show the list to editors and to people.
//! * `text` knows places and shows problems; `tree` parses TOML and applies `--set`; `placeholders` are the `{words}` in texts.
//! * `defaults` gives nets what they do not say themselves; `matrix` makes a table of each combination of axes.
//! * `identity` tells which path is which file, `output` what is written to a path, `publish` what fishtest asks of it.
//! * `read` gives keys their types, a file for each table.
//! * `glob` finds files, `captures` what their wildcards stood for, `sweep` those of a net; `resolved` is what a net comes to, `conflicts` compares several, `links` makes some from others,
//!   `expand` makes them all.

mod autodiscover;
mod captures;
mod conflicts;
mod defaults;
mod expand;
mod glob;
mod identity;
mod keys;
mod links;
mod matrix;
mod output;
mod placeholders;
mod publish;
mod read;
mod reference;
mod resolved;
mod schema;
mod sweep;
mod text;
mod tree;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::Metadata,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use text::{BYTE_ORDER_MARK, Problem, Texts};

pub use self::{
    identity::FilePath,
    output::{Output, OutputKind, PROVENANCE_SUFFIX, TypedOutput, provenance_path},
    publish::{FISHTEST_LICENSE, Release, is_public_name},
    read::{
        Blend, Claims, Cluster, Data, Described, Edits, Engine, HeaderEdits, Heads, Hook, NET_PREFIX, Net, NetSource, Optimize, Prove,
        Proving, RemoteCache, Source, check_cluster_url,
    },
    reference::reference,
    resolved::{ResolvedNet, ResolvedOptimize, ResolvedProve},
    schema::schema,
    sweep::Globs,
    text::{Located, Span},
    tree::Override,
};
pub use crate::words::{Algorithm, CompressionChoice, Overflow, Publish, RemoteMode, RemoteStage};
use crate::{
    ctx::open_file,
    error::{Error, Kind, Result},
    files::folder_of,
    net::Description,
};
use read::Content;

/// The name of a manifest that [`find`] looks for.
pub const FILE_NAME: &str = "nnue.toml";

/// A manifest is text typed by people; this many bytes are a mistaken file.
const LARGEST: u64 = 16 << 20;

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
    /// The `[architecture.NAME]` tables, as text.
    pub architectures: BTreeMap<String, Arc<Description>>,
    /// The `[cache.remote]` table.
    pub remote_cache: Option<RemoteCache>,
    /// The `[remote]` table.
    pub cluster: Option<Cluster>,
    /// `[watch]`: what is run for each net that `nnue watch` published.
    pub hook: Option<Hook>,
    /// Where the page about builds of all nets goes.
    pub report: Option<Located<FilePath>>,
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

/// Reads the manifest at `path`, puts `overrides` on top, checks everything and finds the files of sweeps.
///
/// # Errors
/// [`Kind::Usage`]: the file cannot be read, or has mistakes. All of them are in one diagnostic with their places.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Manifest> {
    load_with(path, overrides, Globs::MustMatch)
}

/// [`load`], saying what globs without files are.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, overrides: &[Override], globs: Globs) -> Result<Manifest> {
    let mut bytes = Vec::new();
    let read = open_file(path).and_then(|file| {
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
        let message = format!("`{}` is not a manifest", path.display());
        Err(Error::usage(message).because(cause).help(help))
    };
    if bytes.len() as u64 > LARGEST {
        return mistaken(format!("it has more than {LARGEST} bytes"), "name a TOML file with `-f FILE`");
    }
    match String::from_utf8(bytes) {
        Ok(text) => parse_with(&text, path, overrides, globs).map(|manifest| Manifest { metadata: Some(metadata), ..manifest }),
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
pub fn parse(text: &str, path: &Path, overrides: &[Override]) -> Result<Manifest> {
    parse_with(text, path, overrides, Globs::MustMatch)
}

fn parse_with(text: &str, path: &Path, overrides: &[Override], globs: Globs) -> Result<Manifest> {
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
    let mut content = read::read(&root, &texts, &folder, &mut problems);
    content.architectures = architectures(&root, text, path, overrides, &mut problems);
    for net in &mut content.nets {
        net.template = templates.remove(&net.name.value);
    }
    content.warnings.extend(idle.iter().map(|key| format!("{}: `{}` is not used by any net", texts.line(key.span), key.value)));
    // Also after mistakes: one run reports those of the disk, too.
    let expand::Expanded { nets, listed, warnings } = expand::expand(&content, &folder, globs, &mut problems);
    content.warnings.extend(warnings.iter().map(|(span, warning)| format!("{}: {warning}", texts.line(*span))));
    if !problems.is_empty() {
        return Err(text::report(&texts, problems));
    }
    if globs == Globs::MayMatch {
        let made: HashSet<Span> = nets.iter().map(|net| net.source.span).collect();
        let idle = content.nets.iter().filter(|net| !made.contains(&net.source.span));
        content.warnings.extend(idle.filter_map(|net| match &net.source.value {
            NetSource::Glob { pattern, .. } => Some(format!("{}: no file matches `{pattern}` yet", texts.line(net.source.span))),
            NetSource::Net(name) => Some(format!("{}: there is no net `{name}` yet", texts.line(net.source.span))),
            NetSource::Named(_) | NetSource::Path(_) | NetSource::Embedded { .. } => None,
        }));
    }
    let Content { sources, data, nets: declared, remote_cache, cluster, report, hook, architectures, warnings, .. } = content;
    let (metadata, listed) = (None, listed.into_iter().collect());
    let overrides = overrides.to_vec();
    Ok(Manifest {
        path: path.to_owned(),
        folder,
        sources,
        data,
        declared,
        nets,
        architectures,
        remote_cache,
        cluster,
        report,
        hook,
        warnings,
        metadata,
        listed,
        overrides,
        texts,
        globs,
    })
}

/// The `[architecture.NAME]` tables: what they say is not the manifest's to judge.
fn architectures(
    root: &tree::Item,
    text: &str,
    path: &Path,
    overrides: &[Override],
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Arc<Description>> {
    let table = |item: &tree::Item, key: &str| match &item.value {
        tree::Value::Table(entries) => entries.iter().find(|entry| entry.key.value == key).map(|entry| entry.item.clone()),
        _ => None,
    };
    let Some(tree::Item { value: tree::Value::Table(entries), .. }) = table(root, "architecture") else { return BTreeMap::new() };
    let shared: Arc<str> = text.into();
    let mut architectures = BTreeMap::new();
    for entry in entries {
        let name = entry.key.value;
        // Its text would be elsewhere than in the manifest.
        if entry.key.span.text != 0 {
            let help = format!("set its values one by one: `--set architecture.{}.sizes.neuron=64`", tree::quoted(&name));
            let cause = "`--set` changes values of an architecture, and cannot replace it";
            problems.push(Problem::new(format!("`{name}` cannot be set as a whole"), entry.key.span, "this table", cause, help));
            continue;
        }
        let below = ["architecture", &name];
        let overrides = overrides.iter().filter_map(|each| each.below(&below)).map(str::to_owned).collect();
        let table = below.map(str::to_owned).to_vec();
        let file = path.display().to_string();
        let description = Description { name: name.clone(), file, text: shared.clone(), table, overrides };
        architectures.insert(name, Arc::new(description));
    }
    architectures
}

/// Resolves the nets again, as [`load`] did: finds files that came to a sweep since, and forgets those that went.
///
/// # Errors
/// [`Kind::Usage`] with all mistakes that the disk makes of the manifest: nets that write one file, a sweep without files …
/// The manifest stays as it was then.
pub fn refresh(manifest: &mut Manifest) -> Result<()> {
    let content = Content {
        sources: manifest.sources.clone(),
        data: manifest.data.clone(),
        nets: manifest.declared.clone(),
        net_names: manifest.declared.iter().map(|net| net.name.value.clone()).collect(),
        architectures: manifest.architectures.clone(),
        ..Content::default()
    };
    let mut problems = Vec::new();
    let expand::Expanded { nets, listed, .. } = expand::expand(&content, &manifest.folder, manifest.globs, &mut problems);
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

    /// The text that was read, byte for byte: what is on the disk may have changed since.
    pub fn text(&self) -> String {
        self.texts.whole()
    }

    /// `nets`, and all nets that they are made from, in the order of the manifest.
    pub fn with_needed<'m>(&'m self, nets: &[&'m ResolvedNet]) -> Vec<&'m ResolvedNet> {
        if nets.iter().all(|net| net.needs().next().is_none()) {
            return nets.to_vec();
        }
        let by_name: HashMap<&str, &ResolvedNet> = self.nets.iter().map(|net| (net.name.as_str(), net)).collect();
        let mut wanted: HashSet<&str> = HashSet::new();
        let mut open: Vec<&ResolvedNet> = nets.to_vec();
        while let Some(net) = open.pop() {
            if wanted.insert(net.name.as_str()) {
                open.extend(net.needs().filter_map(|name| by_name.get(name)));
            }
        }
        self.nets.iter().filter(|net| wanted.contains(net.name.as_str())).collect()
    }

    /// `file:line` of a place, for messages of one line.
    pub fn line(&self, span: Span) -> String {
        self.texts.line(span)
    }
}
