//! The positions that commands look at: lines of text as they stand, or a seeded sample of training data.

use std::io::Read;
use std::path::PathBuf;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::format::sources::{FileKind, probe};
use crate::positions::{Filters, Position, Selection, Stream, select};

/// The options that say which positions.
#[derive(clap::Args)]
pub(super) struct PositionArgs {
    /// Positions: .binpack, .bin, or FEN/EPD lines; several files are one stream
    #[arg(long, value_name = "FILE", num_args = 1.., action = clap::ArgAction::Append)]
    pub(super) data: Vec<PathBuf>,
    /// How many of the data's positions, exactly [default: all]
    #[arg(long, value_name = "N", requires = "data", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Fixes which positions are taken
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl PositionArgs {
    /// The positions.
    ///
    /// # Errors
    /// As [`positions`].
    pub(super) fn take(&self, ctx: &Ctx) -> Result<Positions> {
        positions(&self.data, self.count, self.seed, Filters::default(), ctx)
    }
}

/// Positions, and how the user wrote them.
pub(super) struct Positions {
    /// The positions.
    pub(super) positions: Vec<Position>,
    /// Their lines, where all lines of plain text were taken.
    lines: Option<Vec<String>>,
}

impl Positions {
    /// Of FENs from the command line; `startpos` is UCI's word for where a game begins.
    ///
    /// # Errors
    /// When one is not a FEN.
    pub(super) fn of_fens(fens: &[String]) -> Result<Self> {
        const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";
        let fens = fens.iter().map(|fen| if fen == "startpos" { START.to_owned() } else { fen.clone() });
        let lines: Vec<String> = fens.collect();
        let positions = lines.iter().map(|fen| Position::from_fen(fen)).collect::<Result<_>>()?;
        Ok(Self { positions, lines: Some(lines) })
    }

    /// A position's FEN: the user's own where there is one.
    pub(super) fn fen(&self, index: usize) -> String {
        match self.lines.as_ref().and_then(|lines| lines.get(index)) {
            Some(line) => line.clone(),
            None => self.positions.get(index).map(Position::to_fen).unwrap_or_default(),
        }
    }
}

/// The positions to look at. Lines of text that are all asked for come as they stand, those in check too: whoever made the list meant it so.
///
/// # Errors
/// Those of the files and of [`select`]; fewer positions than asked for.
pub(super) fn positions(files: &[PathBuf], count: Option<u64>, seed: u64, filters: Filters, ctx: &Ctx) -> Result<Positions> {
    if filters == Filters::default()
        && are_text(files)?
        && let Some(positions) = all_lines(files, count, ctx)?
    {
        let lines = plain_lines(files, ctx)?.filter(|lines| lines.len() == positions.len());
        return Ok(Positions { positions, lines });
    }
    let selection = Selection { count, held_out: 0, seed, filters };
    Ok(Positions { positions: select(files, &selection, ctx)?.positions, lines: None })
}

/// All lines, in order; `None` where there are more of them than asked for.
fn all_lines(files: &[PathBuf], count: Option<u64>, ctx: &Ctx) -> Result<Option<Vec<Position>>> {
    let stream = Stream::open(files, ctx)?;
    let mut positions = Vec::new();
    for chunk in 0..stream.chunk_count() {
        stream.read_chunk(chunk, ctx, |_, entry| {
            positions.push(entry.position);
            Ok(())
        })?;
        if count.is_some_and(|count| (positions.len() as u64) > count) {
            return Ok(None);
        }
    }
    let found = positions.len() as u64;
    match count {
        Some(wanted) if wanted > found => Err(Error::new(format!("asked for {wanted} positions, found {found}"))
            .because(format!("read from {}", files.iter().map(|file| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ")))
            .help("ask for fewer positions, or add files")),
        None if found == 0 => Err(Error::new("there are no positions in the files")),
        _ => Ok(Some(positions)),
    }
}

fn are_text(files: &[PathBuf]) -> Result<bool> {
    files.iter().try_fold(true, |all, file| Ok(all && probe(file)?.kind == FileKind::Text))
}

/// The lines of files of plain text that hold a position, without the spaces around them; `None` where a file is packed.
fn plain_lines(files: &[PathBuf], ctx: &Ctx) -> Result<Option<Vec<String>>> {
    let mut lines = Vec::new();
    for path in files {
        let mut bytes = Vec::new();
        ctx.open(path)?.read_to_end(&mut bytes).map_err(|error| Error::io("cannot read", path, error))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        lines.extend(text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
    }
    Ok(Some(lines))
}
