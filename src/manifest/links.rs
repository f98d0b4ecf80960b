//! Nets that are made from other nets: which net each means, what follows for it from the other, and that none is made from itself.
//!
//! Judges nets that are resolved, by their names as users see them. What the first output of a net is read as is its family's question.

use std::collections::{HashMap, HashSet};

use super::{
    expand::unfit,
    output::{Output, OutputKind},
    read::{Claims, Content, NET_PREFIX, NetSource, Source},
    resolved::ResolvedNet,
    sweep::Globs,
    text::{Once, Problem, listed, suggestion},
};

/// Gives the sources that are other nets their files, and what the manifest says of those nets' own sources. Nets whose source may still
/// come are left out.
pub(super) fn link(nets: &mut Vec<ResolvedNet>, content: &Content, globs: Globs, problems: &mut Once<'_>) {
    if !nets.iter().flat_map(ResolvedNet::sources).any(|source| source.net.is_some()) {
        return;
    }
    drop_unknown(nets, content, globs, problems);
    let numbers: HashMap<String, usize> = nets.iter().enumerate().map(|(number, net)| (net.name.clone(), number)).collect();
    for number in order(nets, &numbers, problems) {
        let net = &nets[number];
        let others = net.sources().map(|source| source.net.as_ref().and_then(|name| numbers.get(name)));
        let others: Vec<Option<Made>> = others.map(|other| other.and_then(|other| Made::of(&nets[*other]))).collect();
        let net = &mut nets[number];
        for (source, made) in net.sources_mut().zip(&others) {
            let Some(made) = made else { continue };
            made.fill(source, problems);
        }
        if net.source.net.is_some() {
            let made = others.into_iter().next().flatten();
            net.described = net.described.take().or_else(|| made.and_then(|made| made.described));
            let is_described = net.described.is_some();
            if let Some(Output { path, layout, .. }) = net.outputs.iter().find(|output| output.layout.is_some() != is_described) {
                problems.report(unfit(&net.name, (&path.value.typed, path.span), layout.as_ref()), net.source.span);
            }
        }
    }
}

/// What another net makes.
struct Made {
    name: String,
    output: Output,
    /// What is said of its own source, and holds for what is made of it.
    claims: Claims,
    described: Option<std::sync::Arc<crate::net::Description>>,
}

impl Made {
    /// `None` where its outputs had errors of their own.
    fn of(net: &ResolvedNet) -> Option<Self> {
        let output = net.outputs.first()?.clone();
        let mut claims = net.source.claims.clone();
        // Which of several dicts, and in which layout, is said of the file that was read; the other is one dict in its own layout.
        claims.state_dict = None;
        claims.layout = output.layout.clone();
        if !matches!(output.kind, OutputKind::Pt | OutputKind::Safetensors | OutputKind::Npz | OutputKind::Layout) {
            claims.overflow = Claims::none(net.source.span).overflow;
        }
        Some(Self { name: net.name.clone(), output, claims, described: net.described.clone() })
    }

    fn fill(&self, source: &mut Source, problems: &mut Once<'_>) {
        let place = source.path.span;
        source.path.value.resolved.clone_from(&self.output.path.value.resolved);
        source.claims = source.claims.clone().or(self.claims.clone());
        source.embedded |= self.output.kind == OutputKind::Program;
        if self.output.kind == OutputKind::Onnx {
            let typed = &self.output.path.value.typed;
            let problem = Problem::new(
                format!("no net can be made from `{typed}`, the first output of the net `{}`", self.name),
                place,
                "made from that output",
                "`nnue` writes ONNX models, and does not read them",
                "list another output first, such as a `.pb.gz` file",
            );
            problems.report(problem.and(self.output.path.span, "the first output"), place);
        }
    }
}

/// Reports sources that are no nets, and drops what is made from them.
fn drop_unknown(nets: &mut Vec<ResolvedNet>, content: &Content, globs: Globs, problems: &mut Once<'_>) {
    loop {
        let known: HashSet<String> = nets.iter().map(|net| net.name.clone()).collect();
        let before = nets.len();
        nets.retain(|net| {
            let unknown = net.sources().find_map(|source| Some((source, source.net.as_ref().filter(|name| !known.contains(*name))?)));
            let Some((source, name)) = unknown else { return true };
            if !is_excused(name, content, globs) {
                problems.report(unknown_net(name, source, &known, content), source.path.span);
            }
            false
        });
        if nets.len() == before {
            return;
        }
    }
}

/// Whether a net of that name has errors of its own, or a sweep may still make it.
fn is_excused(name: &str, content: &Content, globs: Globs) -> bool {
    let is_swept = |net: &&super::read::Net| matches!(net.source.value, NetSource::Glob { .. });
    let sweeps: Vec<&str> = content.nets.iter().filter(is_swept).map(|net| net.name.value.as_str()).collect();
    let is_made_by = |template: &&str| {
        let (start, end) = (template.find('{'), template.rfind('}'));
        start.zip(end).is_some_and(|(start, end)| {
            name.len() >= start + template.len() - end - 1 && name.starts_with(&template[..start]) && name.ends_with(&template[end + 1..])
        })
    };
    let has_table = content.net_names.iter().any(|known| known == name) && !sweeps.contains(&name);
    has_table || globs == Globs::MayMatch && !name.contains('{') && sweeps.iter().any(is_made_by)
}

fn unknown_net(name: &str, source: &Source, known: &HashSet<String>, content: &Content) -> Problem {
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    names.sort_unstable();
    let place = source.path.span;
    if content.net_names.iter().any(|table| table == name) {
        return Problem::new(
            format!("`{name}` is a sweep, of which a net cannot be made"),
            place,
            "one net is needed here",
            "a sweep makes one net per file",
            format!("name one of its nets as `nnue status` does: {}", listed(names.iter().copied())),
        );
    }
    let table = format!("{NET_PREFIX}{name}");
    if content.sources.contains_key(&table) {
        return Problem::new(
            format!("no net named `{name}`"),
            place,
            "made from this net",
            format!("a source that begins with `{NET_PREFIX}` is a net, also where a `[source]` table has that name"),
            "rename the table",
        );
    }
    let help = match names.first() {
        Some(_) => format!("{}nets: {}", suggestion(name, &names), listed(names.iter().copied())),
        None => format!("add a `[net.NAME]` table, or write `./{NET_PREFIX}{name}` for a file of that name"),
    };
    Problem::new(format!("no net named `{name}`"), place, "made from this net", "the manifest makes no such net", help)
}

/// The numbers of the nets, those that others are made from first. Nets that are made from themselves are reported, and left out with
/// all that is made from them.
fn order(nets: &[ResolvedNet], numbers: &HashMap<String, usize>, problems: &mut Once<'_>) -> Vec<usize> {
    let others: Vec<Vec<usize>> =
        nets.iter().map(|net| net.sources().filter_map(|source| numbers.get(source.net.as_ref()?).copied()).collect()).collect();
    let mut order = Vec::with_capacity(nets.len());
    let mut done = vec![false; nets.len()];
    loop {
        let ready: Vec<usize> = (0..nets.len()).filter(|net| !done[*net] && others[*net].iter().all(|other| done[*other])).collect();
        if ready.is_empty() {
            break;
        }
        for net in ready {
            done[net] = true;
            order.push(net);
        }
    }
    report_cycles(nets, &others, done, problems);
    order
}

fn report_cycles(nets: &[ResolvedNet], others: &[Vec<usize>], mut done: Vec<bool>, problems: &mut Once<'_>) {
    while let Some(first) = done.iter().position(|done| !done) {
        // From a net that waits one always comes to another that does, and so to one for the second time.
        let mut way = vec![first];
        let cycle = loop {
            let last = way[way.len() - 1];
            let Some(next) = others[last].iter().copied().find(|other| !done[*other]) else {
                // It only led to a cycle that was reported.
                done[last] = true;
                break Vec::new();
            };
            if let Some(start) = way.iter().position(|net| *net == next) {
                break way.split_off(start);
            }
            way.push(next);
        };
        let Some(from) = cycle.first() else { continue };
        cycle.iter().for_each(|net| done[*net] = true);
        let names: Vec<String> = cycle.iter().chain([from]).map(|net| format!("`{}`", nets[*net].name)).collect();
        let place = |net: usize, next: usize| {
            let of_next = nets[net].sources().find(|source| source.net.as_ref() == Some(&nets[next].name));
            of_next.map_or(nets[net].span, |source| source.path.span)
        };
        let next = |at: usize| cycle[(at + 1) % cycle.len()];
        let mut problem = Problem::new(
            format!("the net `{}` is made from itself", nets[*from].name),
            place(*from, next(0)),
            "made from this net",
            format!("one is made from the next: {}", names.join(" → ")),
            "let one of them be made from a file",
        );
        for (at, net) in cycle.iter().enumerate().skip(1) {
            problem = problem.and(place(*net, next(at)), "made from this one");
        }
        let span = problem.place();
        problems.report(problem, span);
    }
}
