//! Declared nets → the nets to build: each source, file of a sweep, architecture and output looked up, each placeholder filled.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    autodiscover, conflicts,
    glob::Listed,
    identity::{Disk, FilePath},
    links,
    output::{self, Output, OutputKind, TypedOutput},
    publish,
    read::{Claims, Content, Described, NET_PREFIX, Net, NetSource, Prove, Proving, Source},
    resolved::{ResolvedNet, ResolvedOptimize, ResolvedProve},
    sweep::{self, Globs, Match},
    text::{BYTE_ORDER_MARK, Located, Once, Problem, Span},
};
use crate::ctx::open_file;
use crate::files::{folder_of, named};
use crate::format::wasm::{FIRST_PART, other_parts, part_of};
use crate::net::{Description, shipped};

/// An architecture is text typed by people; this many bytes are a mistaken file.
const LARGEST_ARCHITECTURE: u64 = 4 << 20;

/// How many positions a file is proven on where nothing else is said.
const PROVE_POSITIONS: u64 = 10_000;

/// What came of the declared nets.
pub(super) struct Expanded {
    pub nets: Vec<ResolvedNet>,
    /// Folders and links that decided what the sweeps found.
    pub listed: Listed,
    /// What the disk shows and likely is a mistake, with the place in the manifest.
    pub warnings: Vec<(Span, String)>,
}

/// Resolves all nets of `content` in its order; the nets of a sweep are sorted by their files' paths.
pub(super) fn expand(content: &Content, folder: &Path, globs: Globs, problems: &mut Vec<Problem>) -> Expanded {
    let (disk, problems, listed) = (Disk::new(folder), Once::new(problems), Listed::new());
    let mut expander = Expander { content, folder, globs, disk, problems, listed, warnings: Vec::new(), files: HashMap::new() };
    let mut nets = Vec::new();
    for net in &content.nets {
        expander.net(net, &mut nets);
    }
    let Expander { mut disk, mut problems, listed, warnings, .. } = expander;
    conflicts::drop_taken_names(&mut nets, &mut problems);
    links::link(&mut nets, content, globs, &mut problems);
    conflicts::check(content, folder, &nets, &mut disk, &mut problems);
    Expanded { nets, listed, warnings }
}

struct Expander<'a> {
    content: &'a Content,
    folder: &'a Path,
    globs: Globs,
    disk: Disk,
    problems: Once<'a>,
    listed: Listed,
    warnings: Vec<(Span, String)>,
    /// Architecture files that were read; `None` for those that cannot be.
    files: HashMap<PathBuf, Option<Arc<Description>>>,
}

/// A source that has no table of its own: a file that is named at `span`.
fn anonymous(path: FilePath, span: Span, claims: Claims, embedded: bool) -> Source {
    Source {
        name: None,
        span,
        path: Located { value: path, span },
        parts: Vec::new(),
        net: None,
        embedded,
        engine: None,
        claims,
        sha256: None,
    }
}

/// An output that is named as the outputs of another kind of networks are.
pub(super) fn unfit(net: &str, (path, span): (&str, Span), layout: Option<&Located<String>>) -> Problem {
    match layout {
        Some(layout) => Problem::new(
            format!("net `{net}` has outputs by layout, but its source has no described architecture"),
            layout.span,
            "this layout",
            "layouts are those of an architecture that is described",
            "say in the source's table which it is: `architecture = \"plentychess\"`; or list the outputs: `outputs = [\"dist/\"]`",
        ),
        None => Problem::new(
            format!("`{path}` does not say in which layout it is to be written"),
            span,
            "this output",
            "the network's architecture is described, and has layouts",
            format!("write a table of files by layout: `outputs = {{ published = \"{path}\" }}`"),
        ),
    }
}

impl Expander<'_> {
    fn net(&mut self, net: &Net, nets: &mut Vec<ResolvedNet>) {
        match &net.source.value {
            NetSource::Named(_) | NetSource::Path(_) | NetSource::Net(_) | NetSource::Embedded { .. } => {
                if let Some(source) = self.source(&net.source) {
                    nets.extend(self.resolve(net, source, None));
                }
            }
            NetSource::Glob { pattern, claims, last, newest } => {
                let of = sweep::Of { net, pattern, folder: self.folder, globs: self.globs, last: *last, newest: *newest };
                for file in sweep::matches(&of, &mut self.listed, &mut self.problems, &mut self.warnings) {
                    let mut source = anonymous(FilePath::new(self.folder, &file.typed), net.source.span, (**claims).clone(), false);
                    self.find_parts(&mut source);
                    nets.extend(self.resolve(net, source, Some(&file)));
                }
            }
        }
    }

    /// The source that a text stands for. One that is missing had an error of its own.
    fn source(&mut self, written: &Located<NetSource>) -> Option<Source> {
        let span = written.span;
        let mut source = match &written.value {
            NetSource::Named(name) => self.content.sources.get(name)?.clone(),
            NetSource::Path(path) => anonymous(path.clone(), span, Claims::none(span), false),
            // What it comes to is known once all nets are.
            NetSource::Net(name) => {
                let path = FilePath { typed: format!("{NET_PREFIX}{name}"), resolved: PathBuf::new() };
                Source { net: Some(name.clone()), ..anonymous(path, span, Claims::none(span), false) }
            }
            NetSource::Embedded { path, claims } => anonymous(path.clone(), span, (**claims).clone(), true),
            NetSource::Glob { .. } => return None,
        };
        autodiscover::resolve(&mut source, self.folder, &mut self.listed);
        self.find_parts(&mut source);
        Some(source)
    }

    /// The other files of a source that is split into several. Those that are there decide: their folder is listed.
    fn find_parts(&mut self, source: &mut Source) {
        let FilePath { typed, resolved } = &source.path.value;
        if !typed.ends_with(FIRST_PART) || source.embedded || source.net.is_some() {
            return;
        }
        let folder = folder_of(resolved).to_owned();
        self.listed.entry(folder.clone()).or_insert_with(|| named(&folder).metadata().ok());
        let begin = typed.strip_suffix(FIRST_PART).unwrap_or(typed);
        let parts = other_parts(resolved).unwrap_or_default();
        if let Some(pin) = source.sha256.as_ref().filter(|_| !parts.is_empty()) {
            let problem = Problem::new(
                format!("`{typed}` is one of {} files, and `sha256` pins one", parts.len() + 1),
                pin.span,
                "this pin",
                "the module is split, and all of its files are read",
                format!("remove it, `nnue.lock` holds each of them; or make one file: `cat {begin}-part-*.wasm > {begin}.wasm`"),
            );
            self.problems.report(problem.and(source.path.span, "the first of them"), pin.span);
        }
        source.parts = (1..).zip(parts).map(|(number, resolved)| FilePath { typed: part_of(begin, number), resolved }).collect();
    }

    fn resolve(&mut self, net: &Net, source: Source, file: Option<&Match>) -> Option<ResolvedNet> {
        let fill = |text: &str| file.map_or_else(|| text.to_owned(), |file| file.fill(text));
        let place = |text: &Located<String>| Located { value: fill(&text.value), span: text.span };
        let optimize = match &net.optimize {
            Some(optimize) => Some(ResolvedOptimize {
                span: optimize.span,
                data: self.content.data.get(&optimize.data.value)?.clone(),
                positions: optimize.positions.clone(),
                seed: optimize.seed.clone(),
                algorithm: optimize.algorithm.clone(),
                budget: optimize.budget.clone(),
                filters: optimize.filters.clone(),
            }),
            None => None,
        };
        let edits = net.edits.with_sources(|written| self.source(written))?;
        let described = match &source.claims.described {
            Some(described) => Some(self.described(described)?),
            None => None,
        };
        // Of a net that is made from another, the other says what its architecture is.
        if source.net.is_none() && !self.outputs_fit(net, &source, described.is_some()) {
            return None;
        }
        let filled = |output: &TypedOutput| TypedOutput { path: place(&output.path), layout: output.layout.clone() };
        let has_program = net.edits.into.is_some();
        let outputs: Vec<Output> = net.outputs.iter().filter_map(|output| self.output(filled(output), has_program)).collect();
        for problem in publish::check_names(&net.release, &outputs) {
            let place = problem.labels.first().map_or(net.span, |label| label.0);
            self.problems.report(problem, place);
        }
        let prove = self.prove(net, optimize.as_ref(), &outputs);
        Some(ResolvedNet {
            name: fill(&net.name.value),
            span: net.name.span,
            sweep: net.template.clone().or_else(|| file.map(|_| net.name.value.clone())),
            source,
            described,
            description: net.description.as_ref().map(place),
            compression: net.compression.clone(),
            outputs,
            permutation: net.permutation.as_ref().map(|path| place(path).map(|path| FilePath::new(self.folder, &path))),
            optimize,
            edits,
            allow: net.allow.clone(),
            prove,
            engine: net.engine.as_ref().map(|engine| engine.resolved(self.folder)),
            release: net.release.clone(),
        })
    }

    /// What is proven: what the table says, and without one whatever is optimized.
    fn prove(&mut self, net: &Net, optimize: Option<&ResolvedOptimize>, outputs: &[Output]) -> Option<ResolvedProve> {
        let is_nnue = |output: &Output| matches!(output.kind, OutputKind::Nnue | OutputKind::Folder);
        // Positions that a search finds enough of are at hand.
        let most = |optimize: &ResolvedOptimize| optimize.positions.value.min(PROVE_POSITIONS);
        let prove = match &net.prove {
            Proving::Off => return None,
            Proving::Unsaid => {
                let optimize = optimize.filter(|_| outputs.iter().any(is_nnue))?;
                let place = |value| Located { value, span: optimize.span };
                return Some(ResolvedProve {
                    span: optimize.span,
                    data: optimize.data.clone(),
                    positions: place(most(optimize)),
                    seed: place(0),
                    max_error: None,
                    mean_error: None,
                });
            }
            Proving::As(prove) => prove,
        };
        let Prove { span, data, positions, seed, max_error, mean_error } = &**prove;
        let of_optimize = optimize.filter(|optimize| data.as_ref().is_none_or(|name| name.value == optimize.data.name));
        let data = match (data, of_optimize) {
            (_, Some(optimize)) => optimize.data.clone(),
            // One that is missing had an error of its own.
            (Some(name), None) => self.content.data.get(&name.value)?.clone(),
            (None, None) => {
                let problem = Problem::new(
                    format!("`prove` of the net `{}` has no `data`", net.name.value),
                    *span,
                    "needs `data`",
                    "positions are taken from the data of `optimize`, and this net has no such table",
                    "name a `[data.NAME]` table: `data = \"fishpack\"`; or write `prove = false`",
                );
                self.problems.report(problem, *span);
                return None;
            }
        };
        let usual = Located { value: of_optimize.map_or(PROVE_POSITIONS, most), span: *span };
        Some(ResolvedProve {
            span: *span,
            data,
            positions: positions.clone().unwrap_or(usual),
            seed: seed.clone(),
            max_error: max_error.clone(),
            mean_error: mean_error.clone(),
        })
    }

    /// What describes the architecture of a source.
    fn described(&mut self, described: &Located<Described>) -> Option<Arc<Description>> {
        match &described.value {
            Described::Shipped(name) => shipped::find(name).map(|shipped| Arc::new(shipped.into())),
            Described::Table(name) => self.content.architectures.get(name).cloned(),
            Described::File(path) => {
                if let Some(known) = self.files.get(&path.resolved) {
                    return known.clone();
                }
                let read = self.read_architecture(path);
                let known = read.map_err(|cause| {
                    let message = format!("cannot read the architecture `{}`", path.typed);
                    let help = "name an architecture file; `nnue architecture show plentychess` prints one to start from";
                    self.problems.report(Problem::new(message, described.span, "this file", cause, help), described.span);
                });
                self.files.entry(path.resolved.clone()).or_insert(known.ok()).clone()
            }
        }
    }

    /// An architecture file. What is found there decides what is built: it is listed.
    fn read_architecture(&mut self, path: &FilePath) -> Result<Arc<Description>, String> {
        let mut bytes = Vec::new();
        let read = open_file(&path.resolved).and_then(|file| {
            let metadata = file.metadata()?;
            file.take(LARGEST_ARCHITECTURE + 1).read_to_end(&mut bytes)?;
            Ok(metadata)
        });
        let metadata = read.map_err(|error| error.to_string())?;
        self.listed.insert(path.resolved.clone(), Some(metadata));
        if bytes.len() as u64 > LARGEST_ARCHITECTURE {
            return Err(format!("it has more than {LARGEST_ARCHITECTURE} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|error| format!("it is not text: {error}"))?;
        let name = path.resolved.file_stem().map_or_else(|| path.typed.clone(), |stem| stem.to_string_lossy().into_owned());
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).into();
        Ok(Arc::new(Description { name, file: path.resolved.display().to_string(), text, table: Vec::new(), overrides: Vec::new() }))
    }

    /// Whether the outputs are named as the source's kind of network asks for: by layout where its architecture is described.
    fn outputs_fit(&mut self, net: &Net, source: &Source, is_described: bool) -> bool {
        let wrong = net.outputs.iter().find(|output| output.layout.is_some() != is_described);
        let Some(TypedOutput { path, layout }) = wrong else { return true };
        if layout.is_some() && self.problems.has_any() {
            // The architecture may be one of them.
            return false;
        }
        self.problems.report(unfit(&net.name.value, (&path.value, path.span), layout.as_ref()), source.span);
        false
    }

    fn output(&mut self, typed: TypedOutput, has_program: bool) -> Option<Output> {
        let TypedOutput { path: typed, layout } = typed;
        let span = typed.span;
        let resolved = match layout {
            Some(layout) => output::in_layout(typed, layout, self.folder),
            None => output::resolve(typed, self.folder, has_program),
        };
        let output = match resolved {
            Ok(output) => output,
            Err(problem) => {
                self.problems.report(problem, span);
                return None;
            }
        };
        let Some((link, target)) = self.disk.escape(&output.path.value.resolved, output.kind == OutputKind::Folder) else {
            return Some(output);
        };
        let problem = Problem::new(
            format!("output `{}` leaves the manifest's folder through a symbolic link", output.path.value.typed),
            span,
            "this output",
            format!("`{}` leads to `{}`", link.display(), target.display()),
            "if that is the place you mean, write its real path; otherwise remove the link",
        );
        self.problems.report(problem, span);
        None
    }
}
