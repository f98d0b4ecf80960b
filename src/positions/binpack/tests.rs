use std::path::PathBuf;

use super::*;
use crate::{files::testing::golden, positions::Stream, random::Mixed};

/// The numbers of entries and of those in check, and the positions that `wanted` picks.
fn read(path: PathBuf, mut wanted: impl FnMut(u64, &Entry) -> bool) -> Result<(u64, Vec<Position>)> {
    let ctx = Ctx::silent();
    let (mut entries, mut positions) = (0, Vec::new());
    Stream::open(&[path], &ctx)?.read_all(&ctx, |entry| {
        if wanted(entries, entry) {
            positions.push(entry.position);
        }
        entries += 1;
        Ok(())
    })?;
    Ok((entries, positions))
}

#[test]
fn the_golden_positions_are_every_190th_that_is_not_in_check() {
    let (Some(binpack), Some(fens)) = (golden("small.binpack"), golden("public/C_ftperm/positions_public_2000.fen")) else { return };
    let (entries, mut positions) = read(binpack, |k, entry| k % 190 == 0 && !entry.position.is_in_check()).unwrap();
    assert_eq!(entries, 434_921);
    positions.truncate(2000);
    let fens = std::fs::read_to_string(fens).unwrap();
    let board = |fen: &str| fen.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let expected: Vec<_> = fens.lines().map(board).collect();
    assert_eq!(expected.len(), 2000);
    assert_eq!(positions.iter().map(|position| board(&position.to_fen())).collect::<Vec<_>>(), expected);
}

#[test]
fn checks_agree_with_the_decoders_own() {
    let Some(path) = golden("small.binpack") else { return };
    let bytes = std::fs::read(path).unwrap();
    let mut reader = ChunkReader::default();
    for _ in 0..50_000 {
        let entry = reader.next(&bytes[8..]);
        let own = convert(&entry).unwrap();
        assert_eq!(own.position.is_in_check(), entry.pos.is_checked(entry.pos.side_to_move()));
        let board = |fen: &str| fen.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(board(&own.position.to_fen()), board(&entry.pos.fen().unwrap()));
    }
}

#[test]
fn cut_files_are_errors_with_the_offset() {
    let Some(path) = golden("small.binpack") else { return };
    let bytes = std::fs::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.binpack");
    // Cut within the only chunk, and within the header of a second one.
    let twice = [&bytes[..], &bytes[..5]].concat();
    for (content, expected) in [
        (&bytes[..500_000], "cut.binpack` is cut off in the chunk at byte 0: it should hold 1048737 bytes, the file ends after 499992"),
        (&twice[..], "cut.binpack` is cut off in the chunk at byte 1048745: 5 bytes are left where a chunk header takes 8"),
        (&bytes[..6], "cut.binpack` is cut off in the chunk at byte 0: 6 bytes are left where a chunk header takes 8"),
    ] {
        std::fs::write(&cut, content).unwrap();
        let error = read(cut.clone(), |_, _| false).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
    std::fs::write(&cut, [&bytes[..], b"BINQ\0\0\0\0"].concat()).unwrap();
    let error = read(cut, |_, _| false).unwrap_err().to_string();
    assert!(error.ends_with("is damaged in the chunk at byte 1048745: expected `BINP`, found [42, 49, 4e, 51]"), "{error}");
}

#[test]
fn damaged_chunks_are_errors_that_name_file_chunk_and_entry() {
    let Some(path) = golden("small.binpack") else { return };
    let bytes = std::fs::read(path).unwrap();
    let shown = Path::new("some.binpack");
    let ctx = Ctx::silent();
    let mut random = Mixed::new(1);
    // A piece of the chunk that ends in the middle of a game, so that undamaged it is an error at its very end.
    let content = &bytes[8..60_008];
    let (mut seen, total) = (0, 150);
    for case in 0..total {
        let mut content = content.to_vec();
        for _ in 0..=case % 3 * 10 {
            let at = random.below(content.len() as u64 / 2) as usize;
            content[at] ^= 1 << random.below(8);
        }
        let mut entries = 0;
        let outcome = decode(shown, 8, &content, &ctx, &mut |number, entry| {
            assert_eq!(number, entries);
            entries += 1;
            assert!(!entry.position.boards().is_in_check(entry.position.side_to_move().opponent()));
            Ok(())
        });
        if let Err(error) = outcome {
            assert_eq!(error.message(), "`some.binpack` is damaged in the chunk at byte 0");
            assert!(error.causes()[0].starts_with(&format!("entry {entries}: ")), "{error}");
            // Found in the damaged half, not at the cut.
            seen += usize::from(entries < 16_000);
        }
    }
    println!("{seen} of {total} damaged chunks were told from good ones");
    assert!(seen > total / 2);
}

#[test]
fn panics_elsewhere_are_still_reported() {
    assert_eq!(quietly(|| 3), Ok(3));
    assert_eq!(quietly(|| -> u8 { panic!("at {}", 7) }), Err(Stopped));
    assert!(!QUIET.get());
}
