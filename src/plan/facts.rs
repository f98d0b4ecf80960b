//! What has to be known of sources before anything runs: a short look at the head of each, once per file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::ctx::Ctx;
use crate::family::{self, SourceFacts};
use crate::manifest::ResolvedNet;

/// What the sources of some nets are, by path.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    sources: HashMap<PathBuf, SourceFacts>,
}

impl Facts {
    /// Looks at the sources of `nets`.
    pub fn probe(nets: &[&ResolvedNet]) -> Self {
        let mut facts = Self::default();
        for net in nets {
            let path = &net.source.path.value;
            if !facts.sources.contains_key(&path.resolved) {
                facts.sources.insert(path.resolved.clone(), family::recognize_source(&net.source, net));
            }
        }
        facts
    }

    /// What is known of the source at this path, if it was looked at.
    pub fn of(&self, path: &Path) -> Option<SourceFacts> {
        self.sources.get(path).copied()
    }
}

/// One line for each source of these nets that leaves open what results depend on, so that a build assumes something.
pub fn assumptions<'n>(nets: impl IntoIterator<Item = &'n ResolvedNet>, facts: &Facts, ctx: &Ctx) -> Vec<String> {
    let mut said = HashSet::new();
    let mut lines = Vec::new();
    for net in nets {
        let path = net.source.path.value.resolved.as_path();
        let Some(facts) = facts.of(path).filter(|_| !said.contains(path)) else { continue };
        if let Some(line) = family::of(facts.family).assumption(net, facts, ctx) {
            said.insert(path);
            lines.push(line);
        }
    }
    lines
}
