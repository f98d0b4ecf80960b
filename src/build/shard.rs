//! A share of the nets, for jobs that build a sweep together: every machine that reads the same manifest and the same files comes to the
//! same shares, whatever its cache holds.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use petgraph::graph::NodeIndex;

use crate::error::Result;
use crate::files::Blake3;
use crate::manifest::{Manifest, ResolvedNet};
use crate::plan::{self, Facts};

/// Which of how many shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1 to `of`.
    number: u32,
    of: u32,
}

/// So many jobs have work for each other only where something else is wrong.
const MOST: u32 = 1_000_000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("a share is K/N, with K from 1 to N and N at most {MOST}, such as `3/16`");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
        let (number, of) = digits(number).zip(digits(of)).ok_or_else(wrong)?;
        if number == 0 {
            return Err("shares are numbered from 1; of an array that is numbered from 0, take `$((INDEX + 1))`".to_owned());
        }
        if (1..=of.min(MOST)).contains(&number) && of <= MOST { Ok(Self { number, of }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Shard {
    /// Its part of `nets`. Nets that use one search are one piece; the pieces are dealt in the order of digests of their names, so that no
    /// share has more than one piece more than another, and neighbours in the manifest, which cost alike, go to different shares.
    ///
    /// # Errors
    /// When the graph of the nets cannot be made.
    pub fn of<'m>(self, manifest: &Manifest, nets: &[&'m ResolvedNet]) -> Result<Vec<&'m ResolvedNet>> {
        let needed = manifest.with_needed(nets);
        let graph = plan::plan(manifest, &needed, &Facts::probe(&needed))?;
        let searches: HashMap<&str, Option<NodeIndex>> = graph.nets.iter().map(|net| (net.name.as_str(), net.search)).collect();
        let mut pieces: Vec<(Blake3, Vec<&'m ResolvedNet>)> = Vec::new();
        let mut of_search: HashMap<NodeIndex, usize> = HashMap::new();
        for net in nets {
            let search = searches.get(net.name.as_str()).copied().flatten();
            let known = search.and_then(|search| of_search.get(&search).copied());
            let name = Blake3::of(net.name.as_bytes());
            match known {
                Some(place) => {
                    let (first, members) = &mut pieces[place];
                    // Whichever of them stands first in the manifest.
                    *first = Blake3(first.0.min(name.0));
                    members.push(net);
                }
                None => {
                    of_search.extend(search.map(|search| (search, pieces.len())));
                    pieces.push((name, vec![net]));
                }
            }
        }
        pieces.sort_by_key(|(digest, _)| digest.0);
        let own = pieces.into_iter().skip(self.number as usize - 1).step_by(self.of as usize);
        let own: HashSet<&str> = own.flat_map(|(_, members)| members).map(|net| net.name.as_str()).collect();
        // In the manifest's order, as ever.
        Ok(nets.iter().copied().filter(|net| own.contains(net.name.as_str())).collect())
    }
}

#[cfg(test)]
mod tests;
