//! What has to be known of sources before anything runs: a short look at the head of each, once per file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::ctx::Ctx;
use crate::family::{self, SourceFacts};
use crate::manifest::ResolvedNet;

/// What the sources of some nets are, by path.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By path, and whether the manifest describes the architecture.
    sources: HashMap<(PathBuf, bool), SourceFacts>,
}

impl Facts {
    /// Looks at the sources of `nets`.
    pub fn probe(nets: &[&ResolvedNet]) -> Self {
        let mut facts = Self::default();
        for net in nets {
            facts.sources.entry(identity(net)).or_insert_with(|| family::recognize_source(&net.source, net));
        }
        facts
    }

    /// What is known of a file that is the source of some net.
    pub fn of_file(&self, path: &Path) -> Option<SourceFacts> {
        [false, true].into_iter().find_map(|is_described| self.sources.get(&(path.to_owned(), is_described)).copied())
    }

    /// What is known of the source of a net, if it was looked at.
    pub fn of(&self, net: &ResolvedNet) -> Option<SourceFacts> {
        self.sources.get(&identity(net)).copied()
    }
}

fn identity(net: &ResolvedNet) -> (PathBuf, bool) {
    (net.source.path.value.resolved.clone(), net.described.is_some())
}

/// One line for each source of these nets that leaves open what results depend on, so that a build assumes something.
pub fn assumptions<'n>(nets: impl IntoIterator<Item = &'n ResolvedNet>, facts: &Facts, ctx: &Ctx) -> Vec<String> {
    let mut said = HashSet::new();
    let mut lines = Vec::new();
    for net in nets {
        let path = net.source.path.value.resolved.as_path();
        let Some(facts) = facts.of(net).filter(|_| !said.contains(path)) else { continue };
        if let Some(line) = family::of(facts.family).assumption(net, facts, ctx) {
            said.insert(path);
            lines.push(line);
        }
    }
    lines
}
