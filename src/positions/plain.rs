//! `.plain`: training data as text, as Stockfish's tools write it: blocks of `fen`, `move`, `score`, `ply` and `result`, each ended by `e`.
//!
//! Score and result are those of the side to move, as in the other formats.
//!
//! # Limitations
//! Other lines in a block are refused rather than skipped: they would be from a format that this reader does not know.

use super::{
    content::Content,
    entry::{Entry, Facts},
    position::{self, Position},
    text::{TextChunk, index_by},
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
};

/// No line comes near.
const MAX_LINE: u64 = 1 << 10;

/// Whether the beginning of a text is that of such a file.
pub(super) fn is_plain(head: &[u8]) -> bool {
    head.trim_ascii_start().starts_with(b"fen ")
}

/// Finds the chunks: each begins with a block.
pub(super) fn index(content: &Content, ctx: &Ctx) -> Result<Vec<TextChunk>> {
    let too_long = |content: &Content, number| wrong(content, number, "it is longer than any line of such a file".to_owned());
    index_by(content, MAX_LINE, |line| line.starts_with(b"fen "), too_long, ctx)
}

/// Reads and parses a chunk.
pub(super) fn read(content: &Content, chunk: &TextChunk, ctx: &Ctx, visit: &mut impl FnMut(u32, &Entry) -> Result<()>) -> Result<()> {
    let text = content.range(chunk.offset, chunk.bytes, ctx)?;
    let mut block = Block::default();
    let mut entry = 0u32;
    let mut last = chunk.first_line;
    for (line, at) in text.split(|&byte| byte == b'\n').zip(chunk.first_line..) {
        if at.is_multiple_of(4096) {
            ctx.check()?;
        }
        last = at;
        let line = std::str::from_utf8(line).map_err(|_| wrong(content, at, "it is not text".to_owned()))?;
        let (key, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if key == "e" {
            let found = std::mem::take(&mut block).finish().map_err(|reason| wrong(content, at, reason))?;
            visit(entry, &found)?;
            entry += 1;
        } else if !key.is_empty() {
            block.take(key, value.trim()).map_err(|reason| wrong(content, at, reason))?;
        }
    }
    if block.position.is_some() {
        return Err(wrong(content, last, "the file ends inside of a block, before its `e`".to_owned()));
    }
    Ok(())
}

fn wrong(content: &Content, line: u64, reason: String) -> Error {
    Error::new(format!("`{}`, line {line} is not one of plain training data", content.path().display()))
        .because(reason)
        .help("a block has the lines `fen`, `move`, `score`, `ply`, `result` and `e`")
}

/// The lines of a block so far.
#[derive(Default)]
struct Block {
    position: Option<Position>,
    target: Option<u8>,
    score: Option<i16>,
    ply: Option<u16>,
    result: Option<i8>,
}

impl Block {
    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<Option<T>, String> {
            value.parse().map(Some).map_err(|_| format!("`{value}` is not a number that `{key}` can have"))
        }
        match key {
            "fen" if self.position.is_some() => return Err("a block begins before the one above ended with `e`".to_owned()),
            "fen" => self.position = Some(position::read_fen(value)?),
            "move" => self.target = Some(target(value).ok_or_else(|| format!("`{value}` is not a move such as `e2e4`"))?),
            "score" => self.score = number(key, value)?,
            "ply" => self.ply = number(key, value)?,
            "result" => {
                self.result = number(key, value)?.filter(|result| (-1..=1).contains(result));
                if self.result.is_none() {
                    return Err(format!("result {value} is not -1, 0 or 1"));
                }
            }
            other => return Err(format!("`{other}` is not known")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Entry, String> {
        let missing = |what: &str| format!("the block that ends here has no `{what}`");
        let position = self.position.ok_or_else(|| missing("fen"))?;
        let target = self.target.ok_or_else(|| missing("move"))?;
        let enemies = position.boards().by_color[position.side_to_move().opponent() as usize];
        let facts = Facts {
            score: self.score.ok_or_else(|| missing("score"))?,
            ply: self.ply.ok_or_else(|| missing("ply"))?,
            result: self.result.ok_or_else(|| missing("result"))?,
            is_capture: enemies >> target & 1 != 0,
        };
        Ok(Entry { position, facts: Some(facts) })
    }
}

/// The square to which a move leads.
fn target(text: &str) -> Option<u8> {
    let square =
        |file: u8, rank: u8| ((b'a'..=b'h').contains(&file) && (b'1'..=b'8').contains(&rank)).then(|| (rank - b'1') * 8 + (file - b'a'));
    match *text.as_bytes() {
        [from_file, from_rank, file, rank] | [from_file, from_rank, file, rank, b'n' | b'b' | b'r' | b'q'] => {
            square(from_file, from_rank)?;
            square(file, rank)
        }
        _ => None,
    }
}
