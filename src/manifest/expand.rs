//! Declared nets → the nets to build: sweeps over files, kinds of outputs, and what several nets must not do to each other.
//!
//! The only part of the room that looks at the disk, and it only looks: it reads folders and links, never file contents.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::Metadata,
    io,
    path::{Component, Path, PathBuf, is_separator},
};

use globset::{GlobBuilder, GlobMatcher};

use crate::files::named;

use super::{
    Claims, FilePath, Globs, Net, NetSource, Output, OutputKind, PROVENANCE_SUFFIX, ResolvedNet, ResolvedOptimize, Source, provenance_path,
    publish,
    read::Content,
    text::{Located, Problem, Span, Texts, suggest},
};

/// What a sweep's name, outputs and permutation may hold.
pub(super) const PLACEHOLDERS: [&str; 2] = ["stem", "parent"];

/// A name as files in output folders have it: twelve digits of their SHA-256.
const NAMED_BY_CONTENT: &str = "nn-0123456789ab.nnue";

/// Folders and links that were looked into, with what the file system said of them before.
pub(super) type Listed = BTreeMap<PathBuf, Option<Metadata>>;

/// What came of the declared nets.
pub(super) struct Expanded {
    pub nets: Vec<ResolvedNet>,
    /// Folders and links that decided what the sweeps found.
    pub listed: Listed,
}

/// Resolves all nets of `content` in its order; the nets of a sweep are sorted by their files' paths.
pub(super) fn expand(content: &Content, folder: &Path, globs: Globs, problems: &mut Vec<Problem>) -> Expanded {
    let (disk, reported, listed) = (Disk::new(folder), HashSet::new(), Listed::new());
    let mut expander = Expander { content, folder, globs, disk, problems, reported, listed };
    let mut nets = Vec::new();
    for net in &content.nets {
        expander.net(net, &mut nets);
    }
    expander.names(&mut nets);
    expander.outputs(&nets);
    expander.swallowed(&nets);
    Expanded { nets, listed: expander.listed }
}

struct Expander<'a> {
    content: &'a Content,
    folder: &'a Path,
    globs: Globs,
    disk: Disk,
    problems: &'a mut Vec<Problem>,
    /// Pairs of places that were reported: a thousand files of a sweep are one mistake.
    reported: HashSet<(Span, Span)>,
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
                for file in self.matches(net, pattern) {
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
        let outputs: Vec<Output> = net.outputs.iter().filter_map(|output| self.output(place(output))).collect();
        for problem in publish::check_names(&net.release, &outputs) {
            let place = problem.labels.first().map_or(net.span, |label| label.0);
            self.report(problem, place);
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
        let mut path = FilePath::new(self.folder, &typed.value);
        path.resolved = normalise(&path.resolved);
        let ending = ending(&typed.value);
        let kind = match ending.as_deref().and_then(OutputKind::of_ending) {
            Some(kind) => kind,
            None if typed.value.ends_with(is_separator) || path.resolved.is_dir() => OutputKind::Folder,
            None => {
                let (message, cause) = match ending.as_deref() {
                    Some("ckpt") => (
                        format!("cannot write checkpoints: `{}`", typed.value),
                        "a `.ckpt` holds the state of a training run, which a net does not have".to_owned(),
                    ),
                    Some(ending) => (
                        format!("cannot write `{}`", typed.value),
                        format!("the ending decides what is written, and `.{ending}` is not known"),
                    ),
                    None => (
                        format!("cannot tell what to write to `{}`", typed.value),
                        "it has no ending, and it is no folder that exists".to_owned(),
                    ),
                };
                let help = "end it with `/` (a folder, which gets `nn-<sha256>.nnue`), `.nnue`, `.pt`, `.safetensors` or `.npz`";
                self.report(Problem::new(message, typed.span, "this output", cause, help), typed.span);
                return None;
            }
        };
        if let Some((link, target)) = self.disk.escape(&path.resolved, kind) {
            let problem = Problem::new(
                format!("output `{}` leaves the manifest's folder through a symbolic link", typed.value),
                typed.span,
                "this output",
                format!("`{}` leads to `{}`", link.display(), target.display()),
                "if that is the place you mean, write its real path; otherwise remove the link",
            );
            self.report(problem, typed.span);
            return None;
        }
        Some(Output { path: Located { value: path, span: typed.span }, kind })
    }

    /// Drops nets whose name is taken, and says so.
    fn names(&mut self, nets: &mut Vec<ResolvedNet>) {
        let mut taken: HashMap<String, (Span, String)> = HashMap::new();
        let mut clashes = Vec::new();
        nets.retain(|net| {
            let file = net.source.path.value.typed.clone();
            match taken.get(&net.name) {
                None => taken.insert(net.name.clone(), (net.span, file)).is_none(),
                Some((span, other)) => {
                    clashes.push((net.name.clone(), net.span, file, *span, other.clone()));
                    false
                }
            }
        });
        for (name, span, file, other_span, other) in clashes {
            let message = format!("two nets are named `{name}`");
            let cause = format!("`{other}` and `{file}` both make it");
            let mut problem = if span == other_span {
                let help = "add `{parent}`, the name of the file's folder, to the sweep's name and outputs";
                Problem::new(message, span, "this sweep", cause, help)
            } else {
                Problem::new(message, span, "named again here", cause, "rename one of them")
            };
            if span != other_span {
                problem = problem.and(other_span, "first here");
            }
            self.report(problem, other_span);
        }
    }

    fn outputs(&mut self, nets: &[ResolvedNet]) {
        let mut inputs: HashMap<String, (Span, &str)> = HashMap::new();
        for source in self.content.sources.values().chain(nets.iter().map(|net| &net.source)) {
            inputs.entry(self.disk.identity(&source.path.value.resolved)).or_insert((source.path.span, "read as a source"));
        }
        for path in self.content.data.values().flat_map(|data| &data.paths) {
            inputs.entry(self.disk.identity(&path.value.resolved)).or_insert((path.span, "read as data"));
        }
        for path in nets.iter().filter_map(|net| net.permutation.as_ref()) {
            inputs.entry(self.disk.identity(&path.value.resolved)).or_insert((path.span, "read as a permutation"));
        }
        let mut written: HashMap<String, (usize, &Output)> = HashMap::new();
        for (index, net) in nets.iter().enumerate() {
            for output in &net.outputs {
                let identity = self.disk.identity(&output.path.value.resolved);
                let (typed, span) = (&output.path.value.typed, output.path.span);
                if let Some(&(input, what)) = inputs.get(&identity)
                    && output.kind != OutputKind::Folder
                {
                    let problem = Problem::new(
                        format!("output `{typed}` would overwrite an input"),
                        span,
                        "written here",
                        "the file is an input of this manifest (letter case and links aside)",
                        "write to another path",
                    );
                    self.report(problem.and(input, what), input);
                    continue;
                }
                // Folders take any number of nets: files in them are named by their content.
                let key = if output.kind == OutputKind::Folder { format!("{index} {identity}") } else { identity };
                let Some(&(other_index, other)) = written.get(&key) else {
                    written.insert(key, (index, output));
                    continue;
                };
                let (message, help) = if other_index == index {
                    (format!("net `{}` writes `{typed}` twice", net.name), "remove one of the two")
                } else {
                    let other = nets.get(other_index).map_or("", |net| &net.name);
                    (format!("nets `{other}` and `{}` write one file", net.name), "give each its own path, or a folder")
                };
                let cause = if other.path.value.typed == *typed {
                    format!("both outputs are `{typed}`")
                } else {
                    format!(
                        "`{}` and `{typed}` are the same on a file system that ignores letter case, or once links and `..` are followed",
                        other.path.value.typed
                    )
                };
                let mut problem = Problem::new(message, span, "written again here", cause, help);
                if other.path.span != span {
                    problem = problem.and(other.path.span, "first here");
                }
                self.report(problem, other.path.span);
            }
        }
        self.provenance(nets, &inputs);
    }

    /// Files beside outputs are written, too. Two of them meet only where their outputs do, which has been said.
    fn provenance(&mut self, nets: &[ResolvedNet], inputs: &HashMap<String, (Span, &str)>) {
        if !nets.iter().any(|net| net.release.provenance.value) {
            return;
        }
        let mut folders: HashMap<String, Span> = HashMap::new();
        for output in nets.iter().flat_map(|net| &net.outputs).filter(|output| output.kind == OutputKind::Folder) {
            folders.entry(self.disk.identity(&output.path.value.resolved)).or_insert(output.path.span);
        }
        let beside = nets.iter().filter(|net| net.release.provenance.value).flat_map(|net| &net.outputs);
        for output in beside.filter(|output| output.kind != OutputKind::Folder) {
            let (path, span) = (provenance_path(&output.path.value.resolved), output.path.span);
            let typed = format!("{}{PROVENANCE_SUFFIX}", output.path.value.typed);
            if let Some((link, target)) = self.disk.escape(&path, output.kind) {
                let problem = Problem::new(
                    format!("`{typed}` leaves the manifest's folder through a symbolic link"),
                    span,
                    "the provenance of this output",
                    format!("`{}` leads to `{}`", link.display(), target.display()),
                    "remove the link",
                );
                self.report(problem, span);
                continue;
            }
            let identity = self.disk.identity(&path);
            let (message, place, label) = match (inputs.get(&identity), folders.get(&identity)) {
                (Some(&(place, what)), _) => (format!("provenance `{typed}` would overwrite an input"), place, what),
                (None, Some(&place)) => (format!("provenance `{typed}` is to be a folder, too"), place, "written as a folder"),
                (None, None) => continue,
            };
            let cause = "with `provenance = true` a file of that name is written beside the output";
            let problem = Problem::new(message, span, "the provenance of this output", cause, "give one of the two another path");
            self.report(problem.and(place, label), place);
        }
    }

    /// Files that nets write must not be files that a sweep reads: the next build would take them for sources, and write more.
    fn swallowed(&mut self, nets: &[ResolvedNet]) {
        let mut seen = HashSet::new();
        let mut sweeps = Vec::new();
        for net in &self.content.nets {
            if let NetSource::Glob { pattern, .. } = &net.source.value
                && seen.insert(pattern.as_str())
                && let Ok(steps) = parse_glob(pattern)
            {
                let root = if pattern.starts_with(is_separator) { Path::new("/") } else { self.folder };
                // Literal names lead to a place, by `..` and links, too; what follows is matched name by name.
                let literal = steps.iter().take(steps.len() - 1).take_while(|step| matches!(step, Step::Literal(_))).count();
                let (way, rest) = steps.split_at(literal);
                let names = way.iter().filter_map(|step| if let Step::Literal(name) = step { Some(name) } else { None });
                let base = self.real_place(&names.fold(root.to_owned(), |at, name| at.join(name)));
                sweeps.push((net, pattern, base, rest.to_vec()));
            }
        }
        if sweeps.is_empty() {
            return;
        }
        for output in nets.iter().flat_map(|net| &net.outputs) {
            let (typed, resolved) = (&output.path.value.typed, &output.path.value.resolved);
            let (folder, name) = match output.kind {
                OutputKind::Folder => (Some(resolved.as_path()), Some(std::ffi::OsStr::new(NAMED_BY_CONTENT))),
                _ => (resolved.parent(), resolved.file_name()),
            };
            let (Some(folder), Some(name)) = (folder, name) else { continue };
            let path = self.real_place(folder).join(name);
            for (net, pattern, base, steps) in &sweeps {
                let Ok(below) = path.strip_prefix(base) else { continue };
                if !covers(steps, below) {
                    continue;
                }
                let what = match output.kind {
                    OutputKind::Folder => format!("files such as `{NAMED_BY_CONTENT}` in it"),
                    _ => "its name".to_owned(),
                };
                let problem = Problem::new(
                    format!("output `{typed}` would become a source of the sweep `{}`", net.name.value),
                    output.path.span,
                    "written here",
                    format!("the glob `{pattern}` matches {what}, so the next build would take what this one wrote for a source"),
                    "write to a folder that the glob does not look into, or make the glob match less",
                );
                self.report(problem.and(net.source.span, "read by this glob"), net.source.span);
            }
        }
    }

    /// A folder with the links of all that exists followed.
    fn real_place(&mut self, folder: &Path) -> PathBuf {
        let absolute = normalise(&std::path::absolute(named(folder)).unwrap_or_else(|_| folder.to_owned()));
        if let Some(real) = self.disk.targets.get(&absolute) {
            return real.clone();
        }
        let real = self.disk.real_path(&absolute);
        self.disk.targets.insert(absolute, real.clone());
        real
    }

    /// Adds a problem unless one with its two places is there.
    fn report(&mut self, problem: Problem, other: Span) {
        if let Some(&(place, _)) = problem.labels.first()
            && self.reported.insert((place, other))
        {
            self.problems.push(problem);
        }
    }

    /// The files of a sweep, by path.
    fn matches(&mut self, net: &Net, pattern: &str) -> Vec<Match> {
        let span = net.source.span;
        let bad = |cause: String, help: &str| Problem::new(format!("cannot follow the glob `{pattern}`"), span, "this glob", cause, help);
        let steps = match parse_glob(pattern) {
            Ok(steps) => steps,
            Err(cause) => {
                let help = "`*` and `?` match within a name, `**` any folders, `[ab]` and `{ab,cd}` alternatives without a `/`";
                self.report(bad(cause, help), span);
                return Vec::new();
            }
        };
        let mut found = Found::default();
        let root = if pattern.starts_with(is_separator) { "/" } else { "" };
        walk(&FilePath::new(self.folder, root), &steps, &mut found);
        self.listed.append(&mut found.listed);
        if let Some((path, error)) = found.error {
            self.report(bad(format!("cannot read `{}`: {error}", path.display()), "check the folder's permissions"), span);
        } else if found.files.is_empty() && self.globs == Globs::MustMatch {
            let stuck = deepest_folder(self.folder, root, &steps);
            let help = format!("check the pattern from `{stuck}` on; it is relative to the folder of the manifest");
            let cause = format!("the sweep `{}` has no net", net.name.value);
            self.report(Problem::new(format!("no file matches `{pattern}`"), span, "this glob", cause, help), span);
        }
        let mut matches = Vec::new();
        for (resolved, typed) in found.files {
            let names = typed.as_deref().and_then(|typed| Match::new(typed, &resolved));
            match names {
                Some(file) => matches.push(file),
                None => self.problems.push(bad(
                    format!("it matches `{}`, whose name cannot be part of a net's name", resolved.display().to_string().escape_debug()),
                    "rename the file and its folder to valid UTF-8 without control characters",
                )),
            }
        }
        matches
    }
}

/// A file of a sweep.
struct Match {
    /// As if it were written in the manifest.
    typed: String,
    stem: String,
    parent: String,
}

impl Match {
    /// `None` if a part that placeholders may need is not UTF-8 or holds control characters.
    fn new(typed: &str, resolved: &Path) -> Option<Self> {
        let stem = Path::new(typed).file_stem()?.to_str()?;
        let absolute = normalise(&std::path::absolute(resolved).ok()?);
        // A file in the root folder has no parent's name.
        let parent = absolute.parent().and_then(Path::file_name).map_or(Some(""), |name| name.to_str())?;
        if [stem, parent].iter().any(|name| name.chars().any(char::is_control) || *name == "..") {
            return None;
        }
        Some(Self { typed: typed.to_owned(), stem: stem.to_owned(), parent: parent.to_owned() })
    }

    /// Replaces placeholders in one pass: a stem that looks like one stays as it is.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            if let Some(after) = rest.strip_prefix("{stem}") {
                filled.push_str(&self.stem);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("{parent}") {
                filled.push_str(&self.parent);
                rest = after;
            } else {
                filled.push('{');
                rest = &rest[1..];
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// Checks the `{words}` in a net's name or path.
pub(super) fn placeholders(text: &Located<String>, swept: bool, texts: &Texts, problems: &mut Vec<Problem>) {
    for (word, range) in words(&text.value) {
        let place = texts.inside(text.span, &text.value, range);
        let known = PLACEHOLDERS.contains(&word);
        if known && !swept {
            problems.push(Problem::new(
                format!("`{{{word}}}` stands for nothing here"),
                place,
                "this placeholder",
                "only a sweep, a net whose source is a glob, has a file to take it from",
                "write `source = { glob = \"…\" }`, or a fixed text in place of it",
            ));
        } else if !known && swept {
            let meant = suggest(word, PLACEHOLDERS).map_or(String::new(), |meant| format!("did you mean `{{{meant}}}`? "));
            problems.push(Problem::new(
                format!("no placeholder is named `{{{word}}}`"),
                place,
                "this placeholder",
                "each file of a sweep gives its own names",
                format!("{meant}`{{stem}}` is the file's name without its ending, `{{parent}}` the name of its folder"),
            ));
        }
    }
}

/// The `{words}` of a text in their order, each with its place, braces included.
pub(super) fn words(text: &str) -> impl Iterator<Item = (&str, std::ops::Range<usize>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let open = from + text[from..].find('{')?;
            from = open + 1;
            let close = from + text[from..].find('}')?;
            let word = &text[from..close];
            if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                from = close + 1;
                return Some((word, open..from));
            }
        }
    })
}

/// Whether an output's text names a file rather than a folder, as far as the text tells.
pub(super) fn names_file(typed: &str) -> bool {
    ending(typed).as_deref().and_then(OutputKind::of_ending).is_some()
}

/// Whether `.nnue` files can come of an output.
pub(super) fn holds_nnue(typed: &str) -> bool {
    ending(typed).as_deref().and_then(OutputKind::of_ending).is_none_or(|kind| kind == OutputKind::Nnue)
}

/// The ending in lower case; of a text that ends with a separator none.
fn ending(typed: &str) -> Option<String> {
    if typed.ends_with(is_separator) {
        return None;
    }
    Path::new(typed).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

/// One part of a glob between slashes.
#[derive(Clone)]
enum Step {
    Literal(String),
    Pattern {
        matcher: GlobMatcher,
        hidden: bool,
    },
    /// `**`: any number of folders.
    Any,
}

fn parse_glob(pattern: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == "**" {
            // `**/**` matches what `**` does, in more time.
            if !matches!(steps.last(), Some(Step::Any)) {
                steps.push(Step::Any);
            }
        } else if part.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            let glob = GlobBuilder::new(part).literal_separator(true).backslash_escape(true).build();
            let matcher = glob.map_err(|error| format!("`{part}`: {}", error.kind()))?.compile_matcher();
            steps.push(Step::Pattern { matcher, hidden: part.starts_with('.') });
        } else {
            steps.push(Step::Literal(part.to_owned()));
        }
    }
    if pattern.ends_with('/') || steps.is_empty() { Err("it names a folder, not files".to_owned()) } else { Ok(steps) }
}

/// Whether [`walk`] along `steps` would find a file of this path below the place where it begins.
fn covers(steps: &[Step], below: &Path) -> bool {
    // Which steps may be next. `**` may be left at any time, so what follows it is next, too.
    let reach = |next: &mut [bool]| {
        for index in 0..steps.len() {
            if next[index] && matches!(steps[index], Step::Any) && index + 1 < steps.len() {
                next[index + 1] = true;
            }
        }
    };
    let mut next = vec![false; steps.len() + 1];
    next[0] = true;
    reach(&mut next);
    for part in below.components() {
        let Component::Normal(name) = part else { return false };
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let mut then = vec![false; steps.len() + 1];
        for (index, step) in steps.iter().enumerate().filter(|(index, _)| next[*index]) {
            match step {
                Step::Literal(literal) => then[index + 1] |= name == literal.as_str(),
                Step::Pattern { matcher, hidden } => then[index + 1] |= (*hidden || !is_hidden) && matcher.is_match(Path::new(name)),
                Step::Any => {
                    then[index] |= !is_hidden;
                    // At the end of a glob it stands for files.
                    then[index + 1] |= !is_hidden && index + 1 == steps.len();
                }
            }
        }
        next = then;
        reach(&mut next);
    }
    next[steps.len()]
}

/// Files found by a glob: path on disk, and as typed where it is UTF-8.
#[derive(Default)]
struct Found {
    files: BTreeMap<PathBuf, Option<String>>,
    error: Option<(PathBuf, io::Error)>,
    /// While these stay as they are, the same files are found.
    listed: Listed,
}

impl Found {
    /// To be called before `path` is looked into.
    fn note(&mut self, path: &Path) {
        self.listed.entry(path.to_owned()).or_insert_with(|| path.metadata().ok());
    }
}

/// Goes down only where the next step can match. `**` does not follow links, so that it ends; nothing but a pattern that
/// begins with a dot matches hidden names, so that the cache is never a source.
fn walk(at: &FilePath, steps: &[Step], found: &mut Found) {
    let Some((step, rest)) = steps.split_first() else { return };
    // A folder that is missing can only come to one that is there.
    let nearest = at.resolved.ancestors().map(named).find(|folder| folder.exists());
    if let Some(nearest) = nearest {
        found.note(nearest);
    }
    match step {
        Step::Literal(name) => {
            let next = at.child(name);
            if next.resolved.is_symlink() {
                // What a link leads to may come and go without a change of the folder.
                found.note(&next.resolved);
            }
            if !rest.is_empty() {
                walk(&next, rest, found);
            } else if next.resolved.is_file() {
                found.files.insert(next.resolved, Some(next.typed));
            }
        }
        Step::Pattern { matcher, hidden } => {
            for entry in read_folder(&at.resolved, found) {
                let name = entry.file_name();
                if (name.as_encoded_bytes().starts_with(b".") && !hidden) || !matcher.is_match(Path::new(&name)) {
                    continue;
                }
                enter(at, &entry, rest, rest.is_empty(), found);
            }
        }
        Step::Any => {
            walk(at, rest, found);
            for entry in read_folder(&at.resolved, found) {
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let real_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if real_folder {
                    enter(at, &entry, steps, false, found);
                } else if rest.is_empty() {
                    enter(at, &entry, &[], true, found);
                }
            }
        }
    }
}

/// Takes a matching entry as a file, or goes on below it.
fn enter(at: &FilePath, entry: &std::fs::DirEntry, steps: &[Step], last: bool, found: &mut Found) {
    let name = entry.file_name();
    let path = entry.path();
    if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
        found.note(&path);
    }
    // The folder's listing tells what is a file; only links need a look.
    let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file() || (kind.is_symlink() && path.is_file()));
    match name.to_str() {
        Some(name) if !last => walk(&at.child(name), steps, found),
        // Below a folder whose name is not UTF-8 nothing can be typed; its files are reported one by one.
        None if !last => {}
        Some(name) if is_file() => {
            let file = at.child(name);
            found.files.insert(file.resolved, Some(file.typed));
        }
        None if is_file() => {
            found.files.insert(path, None);
        }
        _ => {}
    }
}

/// The entries by name. A folder that is not there has none.
fn read_folder(folder: &Path, found: &mut Found) -> Vec<std::fs::DirEntry> {
    let folder = named(folder);
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    match entries {
        Ok(mut entries) => {
            entries.sort_by_key(std::fs::DirEntry::file_name);
            entries
        }
        Err(error) => {
            if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) && found.error.is_none() {
                found.error = Some((folder.to_owned(), error));
            }
            Vec::new()
        }
    }
}

/// The last folder on the literal way of a glob that exists.
fn deepest_folder(folder: &Path, root: &str, steps: &[Step]) -> String {
    let mut at = FilePath::new(folder, root);
    for step in steps {
        let Step::Literal(name) = step else { break };
        let next = at.child(name);
        if !next.resolved.is_dir() {
            break;
        }
        at = next;
    }
    if at.typed.is_empty() { ".".to_owned() } else { at.typed }
}

impl FilePath {
    fn child(&self, name: &str) -> Self {
        let slash = if self.typed.is_empty() || self.typed.ends_with('/') { "" } else { "/" };
        Self { typed: format!("{}{slash}{name}", self.typed), resolved: self.resolved.join(name) }
    }
}

/// Which paths are one file.
struct Disk {
    /// The manifest's folder: as written, without `.` and `..`.
    lexical: Option<PathBuf>,
    /// The same with all links followed.
    real: Option<PathBuf>,
    /// Folders of files → with links followed. Many files share one.
    folders: HashMap<PathBuf, PathBuf>,
    /// Folders that are written to, likewise, their own last name included.
    targets: HashMap<PathBuf, PathBuf>,
}

impl Disk {
    fn new(folder: &Path) -> Self {
        let lexical = std::path::absolute(folder).ok().map(|folder| normalise(&folder));
        Self { lexical, real: folder.canonicalize().ok(), folders: HashMap::new(), targets: HashMap::new() }
    }

    /// Equal for paths that are, or on some file system would be, one file.
    fn identity(&mut self, path: &Path) -> String {
        self.real_path(path).to_string_lossy().to_lowercase()
    }

    /// The path with the links of all that exists followed.
    fn real_path(&mut self, path: &Path) -> PathBuf {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return absolute.canonicalize().unwrap_or_else(|_| normalise(&absolute));
        };
        let real = match self.folders.get(parent) {
            Some(folder) => folder.join(name),
            None => {
                let folder = real_folder(parent);
                let real = folder.join(name);
                self.folders.insert(parent.to_owned(), folder);
                real
            }
        };
        // Only the last name is looked at for each file; the folders above are shared by many.
        let link = real.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if link { real.canonicalize().unwrap_or(real) } else { real }
    }

    /// Where a path that is written below the manifest's folder really lies, if outside: the folder, and what it leads to.
    fn escape(&mut self, output: &Path, kind: OutputKind) -> Option<(PathBuf, PathBuf)> {
        // A link in the output's own place leads out as one on the way does.
        let is_link = output.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_symlink());
        let target = if kind == OutputKind::Folder || is_link { Some(output) } else { output.parent() }?;
        let absolute = normalise(&std::path::absolute(named(target)).ok()?);
        if !absolute.starts_with(self.lexical.as_ref()?) {
            return None;
        }
        let real = match self.targets.get(&absolute) {
            Some(real) => real.clone(),
            None => {
                let real = self.real_path(&absolute);
                self.targets.insert(absolute, real.clone());
                real
            }
        };
        (!real.starts_with(self.real.as_ref()?)).then(|| (target.to_owned(), real))
    }
}

/// Follows the links of the deepest folder on the way that exists; the rest is kept.
fn real_folder(folder: &Path) -> PathBuf {
    for ancestor in folder.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), folder.strip_prefix(ancestor)) {
            return normalise(&real.join(rest));
        }
    }
    normalise(folder)
}

/// The path without `.` and `..`, by its text alone.
pub(super) fn normalise(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            (Component::ParentDir, Some(Component::RootDir | Component::Prefix(_))) => {}
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { PathBuf::from(".") } else { parts.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_by_text() {
        for (from, to) in [("a/../b", "b"), ("./a//b/.", "a/b"), ("../x", "../x"), ("a/../../x", "../x"), ("/../x", "/x"), ("a/..", ".")] {
            assert_eq!(normalise(Path::new(from)), Path::new(to), "{from}");
        }
    }

    #[test]
    fn placeholders_are_filled_in_one_pass() {
        let file = Match { typed: String::new(), stem: "{parent}".into(), parent: "p".into() };
        assert_eq!(file.fill("a{stem}/{parent}{x}{"), "a{parent}/p{x}{");
    }

    #[test]
    fn a_glob_covers_what_its_walk_would_find() {
        let folder = tempfile::tempdir().unwrap();
        let paths =
            ["a.nnue", "runs/a.nnue", "runs/.a.nnue", "runs/.nnue/a.nnue", "runs/x/a.nnue", "runs/x/y/a.nnue", ".h/a.nnue", "x/a.pt"];
        for path in paths {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let globs = [
            "*.nnue",
            "**",
            "**/*.nnue",
            "**/a.nnue",
            "runs/*.nnue",
            "runs/**/*.nnue",
            "runs/**",
            "**/x/**/*.nnue",
            "**/.*/*.nnue",
            "*/*/*",
            "{runs,x}/*",
            ".h/*",
            "runs/.*",
            "runs/x/a.nnue",
            "**/**/y/*",
            "**/x/**/y/**",
        ];
        for glob in globs {
            let steps = parse_glob(glob).unwrap();
            let mut found = Found::default();
            walk(&FilePath::new(folder.path(), ""), &steps, &mut found);
            for path in paths {
                let is_found = found.files.contains_key(&folder.path().join(path));
                assert_eq!(covers(&steps, Path::new(path)), is_found, "`{glob}` and `{path}`");
            }
        }
    }

    #[test]
    fn endings_decide() {
        assert_eq!(ending("x/y.NNUE").as_deref(), Some("nnue"));
        assert_eq!(ending("x.nnue/"), None);
        assert_eq!(ending("x/.nnue"), None);
    }
}
