use super::*;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::positions::{Selection, generate, select};

fn key(data: &[u8], positions: u64, held_out: u64, seed: u64) -> Key {
    Key { data: vec![Blake3::of(data)], positions, held_out, seed, filters: Filters::default() }
}

#[test]
fn only_what_decides_a_sample_tells_samples_apart() {
    let of = key(b"a", 10, 10, 1);
    assert!(of.is_in(&of) && key(b"a", 10, 0, 1).is_in(&of));
    let filtered = Key { filters: Filters { filtered: true, ..Filters::default() }, ..of.clone() };
    for other in [key(b"b", 10, 10, 1), key(b"a", 9, 10, 1), key(b"a", 10, 10, 2), key(b"a", 10, 11, 1), filtered] {
        assert!(!other.is_in(&of), "{other:?}");
    }
}

/// A file that changed while it was read gave positions of another content than the digest in the key is of.
#[test]
fn a_sample_of_a_file_that_changed_is_given_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fen");
    std::fs::write(&path, generate(5, 20).iter().map(|position| position.to_fen() + "\n").collect::<String>()).unwrap();
    let selection = Selection { count: Some(10), held_out: 0, seed: 1, filters: Filters::default() };
    let take = || select(std::slice::from_ref(&path), &selection, &Ctx::silent());
    let key = || key(b"changed", 10, 0, 1);
    taken(key(), take, || Err(Error::new("it changed"))).unwrap_err();
    let mut is_taken_again = false;
    let again = || {
        is_taken_again = true;
        take()
    };
    taken(key(), again, || Ok(())).unwrap();
    assert!(is_taken_again);
}

/// What a proof is given in place of its own sample is its own sample.
#[test]
fn what_is_held_out_changes_nothing_of_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fen");
    let lines: String = generate(3, 400).iter().map(|position| position.to_fen() + "\n").collect();
    std::fs::write(&path, lines).unwrap();
    for seed in 0..4 {
        let take = |held_out| {
            let selection = Selection { count: Some(100), held_out, seed, filters: Filters::default() };
            select(std::slice::from_ref(&path), &selection, &Ctx::silent()).unwrap()
        };
        let (alone, with_more) = (take(0), take(100));
        assert_eq!((&alone.positions, alone.stats), (&with_more.positions, with_more.stats));
        assert!(alone.held_out.is_empty() && !with_more.held_out.is_empty());
    }
}
