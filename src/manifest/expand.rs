//! Declared nets → the nets to build: each source, file of a sweep and output looked up, each placeholder filled.

use std::path::Path;

use super::{
    conflicts,
    glob::Listed,
    identity::{Disk, FilePath},
    output::{self, Output, OutputKind},
    publish,
    read::{Claims, Content, Net, NetSource, Source},
    resolved::{ResolvedNet, ResolvedOptimize},
    sweep::{self, Globs, Match},
    text::{Located, Once, Problem},
};

/// What came of the declared nets.
pub(super) struct Expanded {
    pub nets: Vec<ResolvedNet>,
    /// Folders and links that decided what the sweeps found.
    pub listed: Listed,
}

/// Resolves all nets of `content` in its order; the nets of a sweep are sorted by their files' paths.
pub(super) fn expand(content: &Content, folder: &Path, globs: Globs, problems: &mut Vec<Problem>) -> Expanded {
    let (disk, problems, listed) = (Disk::new(folder), Once::new(problems), Listed::new());
    let mut expander = Expander { content, folder, globs, disk, problems, listed };
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
                budget: optimize.budget.clone(),
                filters: optimize.filters.clone(),
            }),
            None => None,
        };
        let outputs: Vec<Output> = net.outputs.iter().filter_map(|output| self.output(place(output))).collect();
        for problem in publish::check_names(&net.release, &outputs) {
            let place = problem.labels.first().map_or(net.span, |label| label.0);
            self.problems.report(problem, place);
        }
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
            release: net.release.clone(),
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
