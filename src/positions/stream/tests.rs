use super::*;
use crate::format::packed::tests::packed;
use crate::positions::{Position, bin::tests as records, generate};

fn entries_of(paths: &[PathBuf]) -> Result<Vec<Entry>> {
    let ctx = Ctx::silent();
    let mut entries = Vec::new();
    Stream::open(paths, &ctx)?.read_all(&ctx, |entry| {
        entries.push(*entry);
        Ok(())
    })?;
    Ok(entries)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The error's message and causes, without the folder.
    fn error(&self, name: &str, content: &[u8]) -> String {
        let path = self.write(name, content);
        let error = entries_of(&[path]).unwrap_err();
        assert!(error.help_text().is_some(), "{error}");
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn lines(positions: &[Position]) -> String {
    positions.iter().map(|position| format!("{}\n", position.to_fen())).collect()
}

#[test]
fn text_is_read_plain_and_packed_by_content() {
    let folder = Folder::new();
    let positions = generate(1, 300);
    let text = format!("\u{feff}# a comment\n\n{}   \n", lines(&positions).replace('\n', " ; eval\r\n"));
    let [(_, gzip), (_, zstd), (_, xz)] = packed(text.as_bytes());
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9], zstd.as_slice()].concat();
    let plain = text.into_bytes();
    for (name, content) in [("plain", &plain), ("x.epd", &gzip), ("y", &zstd), ("z.zst", &skippable), ("a.fen.xz", &xz)] {
        let path = folder.write(name, content);
        let read = entries_of(&[path]).unwrap();
        assert_eq!(read.iter().map(|entry| entry.position).collect::<Vec<_>>(), positions, "{name}");
    }
    // Several members and frames are one text.
    for (name, packed) in [("two.gz", gzip), ("two.zst", zstd), ("two.xz", xz)] {
        let path = folder.write(name, &[packed.clone(), packed.clone()].concat());
        assert_eq!(entries_of(&[path]).unwrap().len(), 600, "{name}");
        let cut = folder.error(name, &packed[..packed.len() - 9]);
        assert!(cut.starts_with(&format!("cannot unpack `{name}`")), "{cut}");
    }
}

#[test]
fn packed_records_are_those_of_the_plain_file() {
    let folder = Folder::new();
    let entries = records::entries(5, 70_000);
    let bytes: Vec<u8> = entries.iter().flat_map(records::encode).collect();
    for (packing, packed) in packed(&bytes) {
        for name in ["x.bin", "x"] {
            let path = folder.write(&format!("{name}.{}", packing.name()), &packed);
            assert_eq!(entries_of(&[path]).unwrap(), entries, "{name} {packing:?}");
        }
    }
}

#[test]
fn a_bad_line_is_named_by_its_number() {
    let folder = Folder::new();
    let text = format!("# first\n\n{}rnbqkbnr/pppp w - -\n", lines(&generate(1, 3)));
    let error = folder.error("x.fen", text.as_bytes());
    assert_eq!(error, "`x.fen`, line 6 is not a FEN: board, character 14: ends on rank 7 after 4 of 8 squares");
    assert_eq!(
        folder.error("y.txt", b"hello world\n"),
        "`y.txt`, line 1 is not a FEN: board, character 1: `h` is not a piece, digit or `/`"
    );
    assert!(folder.error("z.fen", &[b"4k3".as_slice(), &[b' '; 70_000]].concat()).contains("line 1 is longer than any FEN"));
}

#[test]
fn records_are_read_by_extension_or_by_content() {
    let folder = Folder::new();
    let entries = records::entries(3, 500);
    let bytes: Vec<u8> = entries.iter().flat_map(records::encode).collect();
    for name in ["x.bin", "x.data"] {
        assert_eq!(entries_of(&[folder.write(name, &bytes)]).unwrap(), entries, "{name}");
    }
    let error = folder.error("y.bin", &bytes[..399]);
    assert_eq!(error, "`y.bin` is cut off at byte 360: 39 bytes follow 9 whole records of 40 bytes");
    let mut damaged = bytes;
    damaged[40 * 100 + 38] = 7;
    let error = folder.error("z.bin", &damaged);
    assert_eq!(error, "`z.bin` is damaged in record 100, at byte 4000: result 7 is not -1, 0 or 1");
}

#[test]
fn plain_text_tells_what_records_tell() {
    let folder = Folder::new();
    let entries = records::entries(7, 300);
    let block = |entry: &Entry| {
        let facts = entry.facts.unwrap();
        let boards = entry.position.boards();
        let enemies = boards.by_color[entry.position.side_to_move().opponent() as usize];
        let targets = if facts.is_capture { enemies } else { !(boards.by_color[0] | boards.by_color[1]) };
        let target = targets.trailing_zeros() as u8;
        let square = format!("{}{}", (b'a' + target % 8) as char, target / 8 + 1);
        let (score, ply, result) = (facts.score, facts.ply, facts.result);
        format!("fen {}\nmove a1{square}\nscore {score}\nply {ply}\nresult {result}\ne\n", entry.position.to_fen())
    };
    let text: String = entries.iter().map(block).collect();
    for name in ["x.plain", "x.txt"] {
        assert_eq!(entries_of(&[folder.write(name, text.as_bytes())]).unwrap(), entries, "{name}");
    }
    for (packing, packed) in packed(text.replace('\n', "\r\n").as_bytes()) {
        assert_eq!(entries_of(&[folder.write("y", &packed)]).unwrap(), entries, "{packing:?}");
    }
    let many = folder.write("many.plain", text.repeat(220).as_bytes());
    assert_eq!(
        (Stream::open(std::slice::from_ref(&many), &Ctx::silent()).unwrap().chunk_count(), entries_of(&[many]).unwrap().len()),
        (2, 66_000)
    );
    let first = block(&entries[0]);
    for (wrong, says) in [
        (first.replace("\ne\n", "\n"), "the file ends inside of a block"),
        (first.replace("result -1", "result 7"), "is not -1, 0 or 1"),
        (first.replace("move a1", "move i1"), "is not a move such as"),
        (first.replace("score ", "scope "), "`scope` is not known"),
        (first.replace("\nply", "\n#"), "is not known"),
        (format!("{}{first}", first.replace("\ne\n", "\n")), "a block begins before the one above"),
        (first.replacen("fen ", "fen x", 1), "`x` is not a piece"),
        (first.lines().filter(|line| !line.starts_with("ply")).map(|line| format!("{line}\n")).collect(), "has no `ply`"),
    ] {
        let error = folder.error("bad.plain", wrong.as_bytes());
        assert!(error.contains(says) && error.contains("`bad.plain`, line "), "{error}");
    }
}

#[test]
fn chunks_are_of_65536_entries() {
    let folder = Folder::new();
    let positions = generate(2, 200);
    let text = lines(&positions).repeat(400);
    let bytes: Vec<u8> = records::entries(2, 200).iter().flat_map(records::encode).collect::<Vec<_>>().repeat(400);
    let ctx = Ctx::silent();
    for (name, content) in [("x.fen", text.as_bytes()), ("x.bin", bytes.as_slice())] {
        let stream = Stream::open(&[folder.write(name, content)], &ctx).unwrap();
        let mut counts = Vec::new();
        for chunk in 0..stream.chunk_count() {
            let mut numbers = Vec::new();
            let mut first = None;
            stream
                .read_chunk(chunk, &ctx, |number, entry| {
                    numbers.push(number);
                    first.get_or_insert(entry.position);
                    Ok(())
                })
                .unwrap();
            assert!(numbers.iter().copied().eq(0..numbers.len() as u32));
            assert_eq!(first, Some(positions[chunk * 65_536 % 200]));
            counts.push(numbers.len());
        }
        assert_eq!(counts, [65_536, 14_464], "{name}");
    }
}

#[test]
fn other_files_are_called_what_they_are() {
    let folder = Folder::new();
    let cases: [(&str, &[u8], &str); 10] = [
        ("a.binpack", b"", "`a.binpack` is empty"),
        ("b.binpack", b"<!DOCTYPE html><html>", "`b.binpack` is an HTML page"),
        ("c.fen", b"  <html>", "`c.fen` is an HTML page"),
        ("d.binpack", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "`d.binpack` is a git-lfs pointer"),
        ("e.binpack", b"\x20\x2f\xf3\x7a\0\0\0\0", "`e.binpack` is a network (.nnue)"),
        ("f.binpack", b"\0\x01\x02\x03\x04", "`f.binpack` is not a binpack: it starts with [00, 01, 02, 03], not with `BINP`"),
        ("g", b"\0\x01\x02\x03\x04", "`g` is not a file of positions"),
        ("h.bin", b"PK\x03\x04\0\0", "`h.bin` is a zip archive (PyTorch's files are such)"),
        ("i", b"some words\n", "`i` is not made of FEN lines: board, character 1: `s` is not a piece, digit or `/`"),
        ("j.epd", b" \n\n", "`j.epd` is empty"),
    ];
    for (name, content, expected) in cases {
        assert_eq!(folder.error(name, content), expected);
    }
    let error = entries_of(&[folder.0.path().to_owned()]).unwrap_err();
    assert!(error.message().ends_with("is a folder"), "{error}");
    for (packing, packed) in packed(b"<!DOCTYPE html><html>") {
        let name = format!("k.fen.{}", packing.name());
        assert_eq!(folder.error(&name, &packed), format!("`{name}` is an HTML page"));
    }
}
