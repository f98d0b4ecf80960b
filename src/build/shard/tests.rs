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
            write!(text, "[net.{copy}{seed}]\nsource = \"a.nnue\"\noutputs = [\"{copy}{seed}.nnue\"]\ndescription = \"{copy}\"\n").unwrap();
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
