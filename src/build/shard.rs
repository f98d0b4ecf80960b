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
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;
    use crate::family::testing::small_source;
    use crate::manifest;

    #[test]
    fn shares_are_read() {
        for text in ["1/1", "3/16", "16/16", "1000000/1000000"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "1", "2/1", "-1/2", "+1/2", "1/0", "1/1000001", "1/2/3", "a/2", " 1/2", "99999999999/99999999999"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("such as `3/16`"), "{text}");
        }
        assert!("0/4".parse::<Shard>().unwrap_err().contains("from 1"));
    }

    /// Seven nets of seven seeds, two outputs of each search.
    #[test]
    fn every_net_is_in_one_share_and_one_search_is_not_torn() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.nnue"), small_source()).unwrap();
        std::fs::write(folder.path().join("a.fen"), "4k3/8/8/8/8/8/8/4K3 w - - 0 1\n").unwrap();
        let mut text = "version = 1\n[data.d]\npath = [\"a.fen\"]\n".to_owned();
        for seed in 0..7 {
            for copy in ["x", "y"] {
                write!(text, "[net.{copy}{seed}]\nsource = \"a.nnue\"\noutputs = [\"{copy}{seed}.nnue\"]\ndescription = \"{copy}\"\n")
                    .unwrap();
                let search = "data = \"d\"\npositions = 1\nalgorithm = \"anneal\"";
                writeln!(text, "[net.{copy}{seed}.optimize]\n{search}\nseed = {seed}").unwrap();
            }
        }
        let path = folder.path().join("nnue.toml");
        std::fs::write(&path, text).unwrap();
        let manifest = manifest::load(&path, &[]).unwrap();
        let all: Vec<_> = manifest.nets.iter().collect();
        let reversed: Vec<_> = all.iter().rev().copied().collect();
        for of in [1, 2, 3, 7, 9] {
            let mut seen = BTreeSet::new();
            for number in 1..=of {
                let shard = Shard { number, of };
                let names = |nets: &[&ResolvedNet]| nets.iter().map(|net| net.name.clone()).collect::<Vec<_>>();
                let own = names(&shard.of(&manifest, &all).unwrap());
                let other_order: BTreeSet<_> = names(&shard.of(&manifest, &reversed).unwrap()).into_iter().collect();
                assert_eq!(own.iter().cloned().collect::<BTreeSet<_>>(), other_order, "the order of the manifest decides nothing");
                let pieces = 7 / of..=7_u32.div_ceil(of);
                assert!(pieces.contains(&(own.len() as u32 / 2)), "{shard}: {own:?}");
                for name in &own {
                    assert!(own.contains(&name.replace('x', "y")), "{shard}: {own:?}");
                    assert!(seen.insert(name.clone()), "{name} is in two shares");
                }
            }
            assert_eq!(seen.len(), 14);
        }
    }
}
