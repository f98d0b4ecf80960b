//! Declared nets → the nets to build: each source, file of a sweep and output looked up, each placeholder filled.

use std::path::Path;

use super::{
    autodiscover, conflicts,
    glob::Listed,
    identity::{Disk, FilePath},
    output::{self, Output, OutputKind},
    publish,
    read::{Claims, Content, Net, NetSource, Prove, Proving, Source},
    resolved::{ResolvedNet, ResolvedOptimize, ResolvedProve},
    sweep::{self, Globs, Match},
    text::{Located, Once, Problem, Span},
};

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
    let mut expander = Expander { content, folder, globs, disk, problems, listed, warnings: Vec::new() };
    let mut nets = Vec::new();
    for net in &content.nets {
        expander.net(net, &mut nets);
    }
    let Expander { mut disk, mut problems, listed, warnings, .. } = expander;
    conflicts::drop_taken_names(&mut nets, &mut problems);
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
}

impl Expander<'_> {
    fn net(&mut self, net: &Net, nets: &mut Vec<ResolvedNet>) {
        let anonymous = |path: FilePath, claims: Claims| Source {
            name: None,
            span: net.source.span,
            path: Located { value: path, span: net.source.span },
            embedded: false,
            engine: None,
            claims,
            sha256: None,
        };
        match &net.source.value {
            NetSource::Named(_) | NetSource::Path(_) | NetSource::Embedded { .. } => {
                if let Some(source) = self.source(&net.source) {
                    nets.extend(self.resolve(net, source, None));
                }
            }
            NetSource::Glob { pattern, claims, last, newest } => {
                let of = sweep::Of { net, pattern, folder: self.folder, globs: self.globs, last: *last, newest: *newest };
                for file in sweep::matches(&of, &mut self.listed, &mut self.problems, &mut self.warnings) {
                    let source = anonymous(FilePath::new(self.folder, &file.typed), (**claims).clone());
                    nets.extend(self.resolve(net, source, Some(&file)));
                }
            }
        }
    }

    /// The source that a text stands for. One that is missing had an error of its own.
    fn source(&mut self, written: &Located<NetSource>) -> Option<Source> {
        let span = written.span;
        let of_file = |path: &FilePath, claims: Claims, embedded| {
            let path = Located { value: path.clone(), span };
            Source { name: None, span, path, embedded, engine: None, claims, sha256: None }
        };
        let mut source = match &written.value {
            NetSource::Named(name) => self.content.sources.get(name)?.clone(),
            NetSource::Path(path) => of_file(path, Claims::none(span), false),
            NetSource::Embedded { path, claims } => of_file(path, (**claims).clone(), true),
            NetSource::Glob { .. } => return None,
        };
        autodiscover::resolve(&mut source, self.folder, &mut self.listed);
        Some(source)
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
        let outputs: Vec<Output> = net.outputs.iter().filter_map(|output| self.output(place(output))).collect();
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
            description: net.description.as_ref().map(place),
            compression: net.compression.clone(),
            outputs,
            permutation: net.permutation.as_ref().map(|path| place(path).map(|path| FilePath::new(self.folder, &path))),
            optimize,
            edits,
            prove,
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

    fn output(&mut self, typed: Located<String>) -> Option<Output> {
        let span = typed.span;
        let output = match output::resolve(typed, self.folder) {
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
