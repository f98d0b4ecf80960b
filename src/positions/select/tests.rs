use std::collections::HashSet;

use sfbinpack::{CompressedTrainingDataEntryWriter, TrainingDataEntry, chess};

use super::*;
use crate::files::testing::golden;
use crate::positions::{Entry, generate};
use crate::words::PieceWeights;

fn selection(count: Option<u64>, held_out: u64, seed: u64) -> Selection {
    Selection { count, held_out, seed, filters: Filters::default() }
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// A binpack of `chunks` chunks of different sizes, all positions different.
fn binpack(chunks: u64) -> Vec<u8> {
    (0..chunks)
        .flat_map(|chunk| {
            let mut writer = CompressedTrainingDataEntryWriter::new_in_memory().unwrap();
            for (i, position) in generate(chunk, 20 + chunk as usize * 7 % 40).iter().enumerate() {
                let pos = chess::position::Position::from_fen(&position.to_fen()).unwrap();
                let (score, ply) = (i as i16, 2 * i as u16);
                writer.write_entry(&TrainingDataEntry { pos, mv: chess::r#move::Move::null(), score, ply, result: 0 }).unwrap();
            }
            writer.into_bytes().unwrap()
        })
        .collect()
}

fn binpack_file(chunks: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.binpack");
    std::fs::write(&path, binpack(chunks)).unwrap();
    (folder, path)
}

/// The rule as documented, in the plainest way.
fn plain(stream: &Stream, count: u64, held_out: u64, seed: u64) -> (Vec<Position>, Vec<Position>) {
    let ctx = Ctx::silent();
    let mut order: Vec<u64> = (0..stream.chunk_count() as u64).collect();
    order.sort_by_key(|&c| (mix([1, seed, c]), c));
    let mut pool: Vec<(u64, u64, u32, Position)> = Vec::new();
    for c in order {
        if pool.len() as u64 >= 8 * count {
            break;
        }
        stream
            .read_chunk(c as usize, &ctx, |i, Entry { position, .. }| {
                if !position.is_in_check() {
                    pool.push((mix([2, seed, c, u64::from(i)]), c, i, *position));
                }
                Ok(())
            })
            .unwrap();
    }
    pool.sort_by_key(|&(priority, c, i, _)| (priority, c, i));
    let mut rest = pool.split_off(count as usize);
    rest.truncate(held_out as usize);
    [pool, rest]
        .map(|mut part| {
            part.sort_by_key(|&(_, c, i, _)| (c, i));
            part.into_iter().map(|entry| entry.3).collect()
        })
        .into()
}

#[test]
fn the_sample_follows_the_rule_on_any_number_of_threads() {
    let (_folder, path) = binpack_file(60);
    let ctx = Ctx::silent();
    let stream = Stream::open(std::slice::from_ref(&path), &ctx).unwrap();
    assert_eq!(stream.chunk_count(), 60);
    for (count, held_out, seed) in [(1, 0, 0), (7, 3, 1), (50, 50, 2), (150, 20, 3), (1500, 10_000, 4)] {
        let expected = plain(&stream, count, held_out, seed);
        let mut seen = HashSet::new();
        for threads in [1, 2, 5] {
            let sampled =
                on_threads(threads, || select(std::slice::from_ref(&path), &selection(Some(count), held_out, seed), &ctx)).unwrap();
            assert_eq!((&sampled.positions, &sampled.held_out), (&expected.0, &expected.1));
            seen.insert(format!("{:?}", sampled.stats));
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}

#[test]
fn only_the_chunks_that_are_needed_are_decoded() {
    let (_folder, path) = binpack_file(60);
    let stats = select(&[path], &selection(Some(10), 0, 0), &Ctx::silent()).unwrap().stats;
    assert!(stats.remaining() >= 80 && stats.chunks_visited <= 4 && stats.chunks == 60, "{stats:?}");
}

#[test]
fn damage_in_a_chunk_that_is_not_visited_does_not_matter_and_elsewhere_does() {
    let (_folder, path) = binpack_file(60);
    let ctx = Ctx::silent();
    let good = select(std::slice::from_ref(&path), &selection(Some(10), 0, 0), &ctx).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let mut starts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        starts.push(at);
        at += 8 + u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    let mut order: Vec<usize> = (0..60).collect();
    order.sort_by_key(|&c| mix([1, 0, c as u64]));
    for &chunk in &order[good.stats.chunks_visited as usize..] {
        bytes[starts[chunk] + 8..starts[chunk] + 40].fill(0xff);
    }
    std::fs::write(&path, &bytes).unwrap();
    for threads in [1, 8] {
        assert_eq!(on_threads(threads, || select(std::slice::from_ref(&path), &selection(Some(10), 0, 0), &ctx)).unwrap(), good);
    }
    let error = select(&[path], &selection(None, 0, 0), &ctx).unwrap_err();
    assert!(error.message().contains("is damaged in the chunk at byte"), "{error}");
}

#[test]
fn all_remaining_positions_come_in_order_and_one_more_is_an_error() {
    let (_folder, path) = binpack_file(9);
    let ctx = Ctx::silent();
    let all = select(std::slice::from_ref(&path), &selection(None, 0, 5), &ctx).unwrap();
    let expected: Vec<Position> = (0..9u64).flat_map(|chunk| generate(chunk, 20 + chunk as usize * 7 % 40)).collect();
    assert_eq!(all.positions, expected);
    let count = expected.len() as u64;
    let same = select(std::slice::from_ref(&path), &selection(Some(count), 0, 5), &ctx).unwrap();
    assert_eq!(same.positions, expected);
    let error = select(&[path], &selection(Some(count + 1), 0, 5), &ctx).unwrap_err();
    assert!(error.message().starts_with(&format!("asked for {} positions, found {count} in `", count + 1)), "{error}");
}

#[test]
fn a_real_binpack_gives_exact_disjoint_samples() {
    let Some(path) = golden("small.binpack") else { return };
    let ctx = Ctx::silent();
    let sampled = select(std::slice::from_ref(&path), &selection(Some(10_000), 10_000, 0), &ctx).unwrap();
    assert_eq!((sampled.positions.len(), sampled.held_out.len()), (10_000, 10_000));
    assert!(sampled.positions.iter().chain(&sampled.held_out).all(|position| !position.is_in_check()));
    assert_eq!(sampled.stats.entries, 434_921);
    assert_ne!(sampled.positions, select(std::slice::from_ref(&path), &selection(Some(10_000), 0, 1), &ctx).unwrap().positions);
    // The main sample does not depend on what is held out.
    assert_eq!(sampled.positions, select(std::slice::from_ref(&path), &selection(Some(10_000), 0, 0), &ctx).unwrap().positions);
    // The candidates of a long chunk are cut while it is read: that must not be seen.
    let stream = Stream::open(std::slice::from_ref(&path), &ctx).unwrap();
    for (count, held_out) in [(300, 100), (5_000, 2_500)] {
        let expected = plain(&stream, count, held_out, 6);
        let sampled = select(std::slice::from_ref(&path), &selection(Some(count), held_out, 6), &ctx).unwrap();
        assert_eq!((sampled.positions, sampled.held_out), expected);
    }
    // Filters choose from the same stream; the piece counts become more even.
    let filters =
        Filters { filtered: true, wld_filtered: true, early_fen_skipping: 16, pc: Some(PieceWeights::January2026), ..Filters::default() };
    let weighted = select(&[path], &Selection { filters, ..selection(Some(5_000), 0, 0) }, &ctx).unwrap();
    assert_eq!(weighted.positions.len(), 5_000);
    let few = |positions: &[Position]| positions.iter().filter(|p| p.piece_count() <= 12).count() as f64 / positions.len() as f64;
    println!("{:?} {} {}", weighted.stats, few(&sampled.positions), few(&weighted.positions));
}

#[test]
fn requests_that_make_no_sense_are_usage_errors() {
    for bad in [selection(Some(0), 0, 0), selection(None, 1, 0)] {
        assert_eq!(select(&[], &bad, &Ctx::silent()).unwrap_err().kind(), crate::error::Kind::Usage);
    }
}
