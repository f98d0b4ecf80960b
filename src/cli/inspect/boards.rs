//! `--boards`: what a neuron or a PSQT bucket thinks of each piece on each square, as small boards in colours of the terminal.

use std::fmt::Write;
use std::path::Path;

use crate::ctx::Ctx;
use crate::draw::Ramp;
use crate::error::{Error, Result};
use crate::family::nnue::stages::pipeline::load_integers;
use crate::show::{Matrix, Subject, common_ramp, matrices, mean_boards};
use crate::stage::{Load, Quantize};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// A neuron of the transformer.
    Neuron(usize),
    /// A PSQT bucket.
    Psqt(usize),
}

/// `17` is a neuron, `psqt:3` a bucket.
pub(super) fn parse(text: &str) -> Result<Column, String> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| "expected the number of a neuron, or `psqt:N`".to_owned());
    match text.strip_prefix("psqt:") {
        Some(bucket) => number(bucket).map(Column::Psqt),
        None => number(text).map(Column::Neuron),
    }
}

/// How boards are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// With 24-bit colours; otherwise in numbers.
    pub(super) colors: bool,
    /// Columns of the terminal.
    pub(super) width: usize,
}

/// The boards of a network.
///
/// # Errors
/// When the file holds no network, or not this neuron.
pub(super) fn text(path: &Path, column: Column, look: Look, ctx: &Ctx) -> Result<String> {
    let network = load_integers(path, &Load::default(), Quantize::default(), ctx)?.network;
    let subject = Subject::new("", &network, None)?;
    let all = matrices(&subject);
    let chosen: Vec<&Matrix<'_>> = match column {
        Column::Neuron(_) => all.iter().map(|(weights, _)| weights).collect(),
        Column::Psqt(_) => all.iter().filter_map(|(_, psqt)| psqt.as_ref()).collect(),
    };
    let (index, what) = match column {
        Column::Neuron(index) => (index, "neuron"),
        Column::Psqt(index) => (index, "PSQT bucket"),
    };
    let count = chosen.first().map_or(0, |matrix| matrix.columns);
    if index >= count {
        let help = if count == 0 {
            "`--boards 0` shows the first neuron".to_owned()
        } else {
            format!("they are numbered from 0 to {}", count - 1)
        };
        return Err(Error::usage(format!("the network has no {what} {index}")).because(format!("it has {count}")).help(help));
    }
    let mut text = format!("{what} {index}, mean over king squares, a8 above on the left\n");
    for matrix in chosen {
        let boards = mean_boards(matrix, index);
        if !boards.is_empty() {
            text += &drawn(&boards, look);
        }
    }
    Ok(text)
}

type Board = (String, Vec<Option<f64>>);

fn drawn(boards: &[Board], look: Look) -> String {
    if !look.colors {
        return boards.iter().map(numbers).collect();
    }
    // Two boards, own and the other side's, share their colours: they are about one kind of piece.
    let ramp = common_ramp(boards.iter().flat_map(|(_, board)| board.iter().flatten().copied()));
    const WIDTH: usize = 16;
    let beside = (look.width / (WIDTH + 1)).clamp(1, boards.len().max(1));
    let mut text = String::new();
    for row in boards.chunks(beside) {
        for (name, _) in row {
            let _ = write!(text, "{name:<17}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        // A line shows two ranks: the upper one in the letter's colour, the lower one behind it.
        for pair in 0..4 {
            for (_, board) in row {
                for file in 0..8 {
                    let [upper, lower] = [8 * (7 - 2 * pair) + file, 8 * (6 - 2 * pair) + file].map(|square| color(&ramp, board[square]));
                    let [r, g, b] = upper;
                    let [br, bg, bb] = lower;
                    let _ = write!(text, "\x1b[38;2;{r};{g};{b}m\x1b[48;2;{br};{bg};{bb}m▀▀");
                }
                text.push_str("\x1b[0m ");
            }
            text.push('\n');
        }
    }
    let _ = writeln!(text, "blue {:.4}, red {:.4}", ramp.low, ramp.high);
    text
}

fn color(ramp: &Ramp, value: Option<f64>) -> [u8; 3] {
    match value {
        Some(value) => ramp.palette()[usize::from(ramp.step(value))],
        None => [96, 96, 96],
    }
}

fn numbers((name, board): &Board) -> String {
    let mut text = format!("{name}\n");
    for rank in (0..8).rev() {
        for file in 0..8 {
            let _ = match board[8 * rank + file] {
                Some(value) => write!(text, " {value:>8.3}"),
                None => write!(text, " {:>8}", "-"),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
