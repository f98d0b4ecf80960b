//! What several nets must not do to each other: have one name, write one file, write over an input or into a sweep's reach.
//!
//! Judges nets that are resolved. Which paths are one file is told by [`super::identity`].

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    glob::{Glob, covers},
    identity::Disk,
    output::{Output, OutputKind, PROVENANCE_SUFFIX, provenance_path},
    read::{Content, Described, NET_PREFIX, Net, NetSource},
    resolved::ResolvedNet,
    text::{Once, Problem, Span},
};

/// Names as files in output folders have them: twelve digits of their SHA-256; of lc0 all of it, that of the protobuf inside.
const NAMED_BY_CONTENT: [&str; 2] = ["nn-0123456789ab.nnue", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.pb.gz"];

/// What a source is to a manifest.
const AS_SOURCE: &str = "read as a source";

/// Drops nets whose name is taken, and says so.
pub(super) fn drop_taken_names(nets: &mut Vec<ResolvedNet>, problems: &mut Once<'_>) {
    let mut taken: HashMap<String, (Span, String)> = HashMap::new();
    nets.retain(|net| {
        let file = net.source.path.value.typed.clone();
        let Some((other_span, other)) = taken.get(&net.name) else {
            taken.insert(net.name.clone(), (net.span, file));
            return true;
        };
        let message = format!("two nets are named `{}`", net.name);
        let cause = format!("both `{other}` and `{file}` make it");
        let problem = if net.span == *other_span {
            let help = "tell the files apart in the sweep's name and outputs: by a wildcard of the glob, `{1}` or `{run}` through `{run:*}`, or by \
                        a folder's name, `{parent}` or `{parent.2}`";
            Problem::new(message, net.span, "this sweep", cause, help)
        } else {
            Problem::new(message, net.span, "named again here", cause, "rename one of them").and(*other_span, "first here")
        };
        problems.report(problem, *other_span);
        false
    });
}

/// Finds outputs that clash with inputs, with each other or with what sweeps read.
pub(super) fn check(content: &Content, folder: &Path, nets: &[ResolvedNet], disk: &mut Disk, problems: &mut Once<'_>) {
    let inputs = inputs(content, nets, disk);
    outputs(nets, &inputs, disk, problems);
    provenance(nets, &inputs, disk, problems);
    report(content, disk, problems);
    swallowed(content, folder, nets, disk, problems);
}

/// Files that are read: by their identity where they are named, and as what.
type Inputs = HashMap<String, (Span, &'static str)>;

fn inputs(content: &Content, nets: &[ResolvedNet], disk: &mut Disk) -> Inputs {
    let mut inputs = Inputs::new();
    // What a net is made from of another net is no file of the user's.
    let sources = content.sources.values().chain(nets.iter().flat_map(ResolvedNet::sources));
    for source in sources.filter(|source| source.net.is_none()) {
        for path in std::iter::once(&source.path.value).chain(&source.parts) {
            inputs.entry(disk.identity(&path.resolved)).or_insert((source.path.span, AS_SOURCE));
        }
    }
    for path in content.data.values().flat_map(|data| &data.paths) {
        inputs.entry(disk.identity(&path.value.resolved)).or_insert((path.span, "read as data"));
    }
    for described in nets.iter().filter_map(|net| net.source.claims.described.as_ref()) {
        if let Described::File(path) = &described.value {
            inputs.entry(disk.identity(&path.resolved)).or_insert((described.span, "read as an architecture"));
        }
    }
    for path in nets.iter().filter_map(|net| net.edits.into.as_ref()) {
        inputs.entry(disk.identity(&path.value.resolved)).or_insert((path.span, "read as a program"));
    }
    for path in nets.iter().filter_map(|net| net.permutation.as_ref()) {
        inputs.entry(disk.identity(&path.value.resolved)).or_insert((path.span, "read as a permutation"));
    }
    for engine in nets.iter().filter_map(|net| net.engine.as_ref()) {
        inputs.entry(disk.identity(&engine.path.value.resolved)).or_insert((engine.path.span, "run as an engine"));
    }
    inputs
}

fn outputs(nets: &[ResolvedNet], inputs: &Inputs, disk: &mut Disk, problems: &mut Once<'_>) {
    let mut written: HashMap<String, (usize, &Output)> = HashMap::new();
    for (index, output) in nets.iter().enumerate().flat_map(|(index, net)| net.outputs.iter().map(move |output| (index, output))) {
        let identity = disk.identity(&output.path.value.resolved);
        if let Some(&(input, what)) = inputs.get(&identity)
            && output.kind != OutputKind::Folder
        {
            let help = if what == AS_SOURCE && nets[index].source.path.span != input {
                format!("write to another path; to make a net from this one, write `source = \"{NET_PREFIX}{}\"` there", nets[index].name)
            } else {
                "write to another path".to_owned()
            };
            let problem = Problem::new(
                format!("output `{}` would overwrite an input", output.path.value.typed),
                output.path.span,
                "written here",
                "the file is an input of this manifest (letter case and links aside)",
                help,
            );
            problems.report(problem.and(input, what), input);
            continue;
        }
        // Folders take any number of nets: files in them are named by their content.
        let key = if output.kind == OutputKind::Folder { format!("{index} {identity}") } else { identity };
        match written.get(&key) {
            None => drop(written.insert(key, (index, output))),
            Some(&first) => problems.report(written_twice(nets, first, (index, output)), first.1.path.span),
        }
    }
}

/// Two outputs that are one file, each with the place of its net.
fn written_twice(nets: &[ResolvedNet], (other_index, other): (usize, &Output), (index, output): (usize, &Output)) -> Problem {
    let name = |index: usize| nets.get(index).map_or("", |net| &net.name);
    let (typed, other_typed) = (&output.path.value.typed, &other.path.value.typed);
    let (message, help) = if other_index == index {
        (format!("net `{}` writes `{typed}` twice", name(index)), "remove one of them")
    } else {
        (format!("nets `{}` and `{}` write one file", name(other_index), name(index)), "give each its own path, or a folder")
    };
    let cause = if other_typed == typed {
        format!("both outputs are `{typed}`")
    } else {
        format!("`{other_typed}` and `{typed}` are the same on a file system that ignores letter case, or once links and `..` are followed")
    };
    let problem = Problem::new(message, output.path.span, "written again here", cause, help);
    if other.path.span == output.path.span { problem } else { problem.and(other.path.span, "first here") }
}

/// Files beside outputs are written, too. Two of them meet only where their outputs do, which has been said.
fn provenance(nets: &[ResolvedNet], inputs: &Inputs, disk: &mut Disk, problems: &mut Once<'_>) {
    if !nets.iter().any(|net| net.release.provenance.value) {
        return;
    }
    let mut folders: HashMap<String, Span> = HashMap::new();
    for output in nets.iter().flat_map(|net| &net.outputs).filter(|output| output.kind == OutputKind::Folder) {
        folders.entry(disk.identity(&output.path.value.resolved)).or_insert(output.path.span);
    }
    let beside = nets.iter().filter(|net| net.release.provenance.value).flat_map(|net| &net.outputs);
    for output in beside.filter(|output| output.kind != OutputKind::Folder) {
        let (path, span) = (provenance_path(&output.path.value.resolved), output.path.span);
        let typed = format!("{}{PROVENANCE_SUFFIX}", output.path.value.typed);
        if let Some((link, target)) = disk.escape(&path, false) {
            let problem = Problem::new(
                format!("`{typed}` leaves the manifest's folder through a symbolic link"),
                span,
                "the provenance of this output",
                format!("`{}` leads to `{}`", link.display(), target.display()),
                "remove the link",
            );
            problems.report(problem, span);
            continue;
        }
        let identity = disk.identity(&path);
        let (message, place, label) = match (inputs.get(&identity), folders.get(&identity)) {
            (Some(&(place, what)), _) => (format!("provenance `{typed}` would overwrite an input"), place, what),
            (None, Some(&place)) => (format!("provenance `{typed}` is also an output folder"), place, "written as a folder"),
            (None, None) => continue,
        };
        let cause = "with `provenance = true` a file of that name is written beside the output";
        let problem = Problem::new(message, span, "the provenance of this output", cause, "write one of them to another path");
        problems.report(problem.and(place, label), place);
    }
}

/// The page about builds is written, too.
fn report(content: &Content, disk: &mut Disk, problems: &mut Once<'_>) {
    let Some(page) = &content.report else { return };
    if let Some((link, target)) = disk.escape(&page.value.resolved, false) {
        let problem = Problem::new(
            format!("the report `{}` leaves the manifest's folder through a symbolic link", page.value.typed),
            page.span,
            "this page",
            format!("`{}` leads to `{}`", link.display(), target.display()),
            "if that is the place you mean, write its real path; otherwise remove the link",
        );
        problems.report(problem, page.span);
    }
}

/// A glob, parted at the end of its literal names.
struct Reach<'a> {
    net: &'a Net,
    pattern: &'a str,
    glob: Glob,
    /// Where the pattern begins, with links followed.
    base: PathBuf,
}

/// Files that nets write must not be files that a sweep reads: the next build would take them for sources, and write more.
fn swallowed(content: &Content, folder: &Path, nets: &[ResolvedNet], disk: &mut Disk, problems: &mut Once<'_>) {
    let mut seen = HashSet::new();
    let mut sweeps = Vec::new();
    for net in &content.nets {
        if let NetSource::Glob { pattern, .. } = &net.source.value
            && seen.insert(pattern.as_str())
            && let Ok(glob) = Glob::parse(pattern)
        {
            let base = disk.real_place(&glob.split(folder).0);
            sweeps.push(Reach { net, pattern, glob, base });
        }
    }
    if sweeps.is_empty() {
        return;
    }
    for output in nets.iter().flat_map(|net| &net.outputs) {
        let resolved = &output.path.value.resolved;
        let (place, names) = match output.kind {
            OutputKind::Folder => (Some(resolved.as_path()), NAMED_BY_CONTENT.map(OsStr::new).to_vec()),
            _ => (resolved.parent(), resolved.file_name().into_iter().collect()),
        };
        let Some(place) = place.map(|place| disk.real_place(place)) else { continue };
        for sweep in &sweeps {
            let is_covered =
                |name: &&&OsStr| place.join(name).strip_prefix(&sweep.base).is_ok_and(|below| covers(sweep.glob.split(folder).1, below));
            if let Some(name) = names.iter().find(is_covered) {
                problems.report(becomes_a_source(output, sweep, name), sweep.net.source.span);
            }
        }
    }
}

fn becomes_a_source(output: &Output, sweep: &Reach<'_>, name: &OsStr) -> Problem {
    let what = match output.kind {
        OutputKind::Folder => format!("files such as `{}` in it", name.display()),
        _ => "its name".to_owned(),
    };
    let pattern = sweep.pattern;
    let problem = Problem::new(
        format!("output `{}` would become a source of the sweep `{}`", output.path.value.typed, sweep.net.name.value),
        output.path.span,
        "written here",
        format!("the glob `{pattern}` matches {what}, so the next build would take what this one wrote for a source"),
        "write to a folder that the glob does not look into, or make the glob match less",
    );
    problem.and(sweep.net.source.span, "read by this glob")
}

#[cfg(test)]
mod tests;
