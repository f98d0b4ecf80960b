//! What has to be known of sources before anything runs: a short look at the head of each, once per file. Of another net's output it
//! follows from what is known of that net's source.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::ctx::Ctx;
use crate::family::{self, SourceFacts};
use crate::manifest::{ResolvedNet, Source};

/// What the sources of some nets are.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By path, and whether the manifest describes the architecture.
    files: HashMap<(PathBuf, bool), SourceFacts>,
    /// Of nets that are made from others, by their names.
    made: HashMap<String, SourceFacts>,
}

impl Facts {
    /// Looks at the sources of `nets`, among which are those that others are made from.
    pub fn probe(nets: &[&ResolvedNet]) -> Self {
        let mut facts = Self::default();
        for net in nets.iter().filter(|net| net.source.net.is_none()) {
            facts.files.entry(identity(net)).or_insert_with(|| family::recognize_source(&net.source, net));
        }
        let by_name: HashMap<&str, &ResolvedNet> = nets.iter().map(|net| (net.name.as_str(), *net)).collect();
        for net in nets {
            // The way to a net that is made from a file; the manifest has no cycles.
            let mut way = vec![*net];
            while let Some(other) = way.last().and_then(|net| by_name.get(net.source.net.as_deref()?)).filter(|_| way.len() <= nets.len()) {
                way.push(other);
            }
            while let (Some(from), Some(to)) = (way.pop(), way.last()) {
                let Some(known) = facts.of(from) else { break };
                facts.made.entry(to.name.clone()).or_insert_with(|| family::recognize_output(from, known));
            }
        }
        facts
    }

    /// What is known of a file that is the source of some net.
    pub fn of_file(&self, path: &Path) -> Option<SourceFacts> {
        [false, true].into_iter().find_map(|is_described| self.files.get(&(path.to_owned(), is_described)).copied())
    }

    /// What is known of the source of a net, if it was looked at.
    pub fn of(&self, net: &ResolvedNet) -> Option<SourceFacts> {
        let known = if net.source.net.is_some() { self.made.get(&net.name) } else { self.files.get(&identity(net)) };
        known.copied()
    }
}

fn identity(net: &ResolvedNet) -> (PathBuf, bool) {
    (net.source.path.value.resolved.clone(), net.described.is_some())
}

/// One line for each source of these nets that leaves open what results depend on, so that a build assumes something. `all` are they and
/// the nets that they are made from: what the file at the beginning leaves open stays open on the way.
pub fn assumptions<'n>(nets: impl IntoIterator<Item = &'n ResolvedNet>, all: &[&ResolvedNet], facts: &Facts, ctx: &Ctx) -> Vec<String> {
    let mut said = HashSet::new();
    let mut lines = Vec::new();
    for net in nets {
        let mut first = net;
        // The manifest has no cycles.
        for _ in 0..all.len() {
            let Some(name) = &first.source.net else { break };
            let Some(other) = all.iter().find(|other| other.name == *name) else { break };
            first = other;
        }
        let path = first.source.path.value.resolved.as_path();
        let Some(facts) = facts.of(first).filter(|_| !said.contains(path)) else { continue };
        let of_file;
        let net = if net.source.net.is_none() {
            net
        } else {
            let source = Source { claims: net.source.claims.clone(), ..first.source.clone() };
            of_file = ResolvedNet { source, ..net.clone() };
            &of_file
        };
        if let Some(line) = family::of(facts.family).assumption(net, facts, ctx) {
            said.insert(path);
            lines.push(line);
        }
    }
    lines
}
