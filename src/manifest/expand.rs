//! Declared nets → the nets to build: each source, file of a sweep, architecture and output looked up, each placeholder filled.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    conflicts,
    glob::Listed,
    identity::{Disk, FilePath},
    output::{self, Output, OutputKind, TypedOutput},
    publish,
    read::{Claims, Content, Described, Net, NetSource, Source},
    resolved::{ResolvedNet, ResolvedOptimize},
    sweep::{self, Globs, Match},
    text::{BYTE_ORDER_MARK, Located, Once, Problem},
};
use crate::net::{Description, shipped};

/// An architecture is text typed by people; this many bytes are a mistaken file.
const LARGEST_ARCHITECTURE: u64 = 4 << 20;

/// What came of the declared nets.
pub(super) struct Expanded {
    pub nets: Vec<ResolvedNet>,
    /// Folders and links that decided what the sweeps found.
    pub listed: Listed,
}

/// Resolves all nets of `content` in its order; the nets of a sweep are sorted by their files' paths.
pub(super) fn expand(content: &Content, folder: &Path, globs: Globs, problems: &mut Vec<Problem>) -> Expanded {
    let (disk, problems, listed) = (Disk::new(folder), Once::new(problems), Listed::new());
    let mut expander = Expander { content, folder, globs, disk, problems, listed, files: HashMap::new() };
    let mut nets = Vec::new();
    for net in &content.nets {
        expander.net(net, &mut nets);
    }
    let Expander { mut disk, mut problems, listed, .. } = expander;
    conflicts::drop_taken_names(&mut nets, &mut problems);
    conflicts::check(content, folder, &nets, &mut disk, &mut problems);
    Expanded { nets, listed }
}

struct Expander<'a> {
    content: &'a Content,
    folder: &'a Path,
    globs: Globs,
    disk: Disk,
    problems: Once<'a>,
    listed: Listed,
    /// Architecture files that were read; `None` for those that cannot be.
    files: HashMap<PathBuf, Option<Arc<Description>>>,
}

impl Expander<'_> {
    fn net(&mut self, net: &Net, nets: &mut Vec<ResolvedNet>) {
        let anonymous = |path: FilePath, claims: Claims| Source {
            name: None,
            span: net.source.span,
            path: Located { value: path, span: net.source.span },
            claims,
            sha256: None,
        };
        match &net.source.value {
            NetSource::Named(name) => {
                // A source that is missing here had an error of its own.
                if let Some(source) = self.content.sources.get(name) {
                    nets.extend(self.resolve(net, source.clone(), None));
                }
            }
            NetSource::Path(path) => nets.extend(self.resolve(net, anonymous(path.clone(), Claims::none(net.source.span)), None)),
            NetSource::Glob { pattern, claims } => {
                for file in sweep::matches(net, pattern, self.folder, self.globs, &mut self.listed, &mut self.problems) {
                    let source = anonymous(FilePath::new(self.folder, &file.typed), (**claims).clone());
                    nets.extend(self.resolve(net, source, Some(&file)));
                }
            }
        }
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
                moves: optimize.moves.clone(),
                filters: optimize.filters.clone(),
            }),
            None => None,
        };
        let described = match &source.claims.described {
            Some(described) => Some(self.described(described)?),
            None => None,
        };
        if !self.outputs_fit(net, &source, described.is_some()) {
            return None;
        }
        let filled = |output: &TypedOutput| TypedOutput { path: place(&output.path), layout: output.layout.clone() };
        let outputs: Vec<Output> = net.outputs.iter().filter_map(|output| self.output(filled(output))).collect();
        for problem in publish::check_names(&net.release, &outputs) {
            let place = problem.labels.first().map_or(net.span, |label| label.0);
            self.problems.report(problem, place);
        }
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
            release: net.release.clone(),
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
        let read = File::open(&path.resolved).and_then(|file| {
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
        let problem = match layout {
            Some(layout) => Problem::new(
                format!("net `{}` has outputs by layout, but its source has no described architecture", net.name.value),
                layout.span,
                "this layout",
                "layouts are those of an architecture that is described",
                "say in the source's table which it is: `architecture = \"plentychess\"`; or list the outputs: `outputs = [\"dist/\"]`",
            ),
            None => Problem::new(
                format!("`{}` does not say in which layout it is to be written", path.value),
                path.span,
                "this output",
                "the network's architecture is described, and has layouts",
                format!("write a table of files by layout: `outputs = {{ published = \"{}\" }}`", path.value),
            ),
        };
        self.problems.report(problem, source.span);
        false
    }

    fn output(&mut self, typed: TypedOutput) -> Option<Output> {
        let TypedOutput { path: typed, layout } = typed;
        let span = typed.span;
        let resolved = match layout {
            Some(layout) => output::in_layout(typed, layout, self.folder),
            None => output::resolve(typed, self.folder),
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
