//! Evaluations for people: a table of all buckets as engines print it, or a line a position.

use std::fmt::Write;

use super::{Bucket, Evaluated, Report};
use crate::cli::data::Positions;
use crate::net::OUTPUT_DIVISOR;
use crate::positions::Color;

const RULE: &str = "+------------+------------+------------+------------+";

/// The report as text; with `tables` a table for each position. `pawn` is how many internal units are a pawn, where that is known.
pub(super) fn render(report: &Report, chosen: &Positions, tables: bool, pawn: Option<i32>) -> String {
    let mut text = format!("{}  {}\n", report.net, report.architecture);
    for (evaluated, position) in report.positions.iter().zip(&chosen.positions) {
        match (&evaluated.buckets, tables) {
            (Some(buckets), true) => table(&mut text, evaluated, buckets, position.side_to_move(), pawn),
            _ => line(&mut text, evaluated),
        }
    }
    if let Some(error) = &report.error {
        text += "\nFloat and integers, in internal units\n";
        text += &error.values.text("float", "integer");
        text += "  by layer, in units of 1.0\n";
        for layer in &error.layers {
            let _ = writeln!(text, "    {:<8} mean {:.3e}, largest {:.3e}", layer.layer, layer.mean, layer.max);
        }
    }
    text
}

fn line(text: &mut String, evaluated: &Evaluated) {
    if let Some(value) = evaluated.value {
        let _ = write!(text, "{value:>7} ");
    }
    if let Some(float) = &evaluated.float {
        let _ = write!(text, "{:>10.2} ", float.value);
    }
    let _ = writeln!(text, " {}", evaluated.fen);
}

fn table(text: &mut String, evaluated: &Evaluated, buckets: &[Bucket], mover: Color, pawn: Option<i32>) {
    let units = pawn.map_or("internal units".to_owned(), |pawn| format!("pawns of {pawn} internal units"));
    let side = if mover == Color::White { "White" } else { "Black" };
    let _ = writeln!(text, "\n{}\n{side} to move, in {units}", evaluated.fen);
    let _ = writeln!(text, "{RULE}\n|   Bucket   |  Material  | Positional |   Total    |");
    let _ = writeln!(text, "|            |   (PSQT)   |  (Layers)  |            |\n{RULE}");
    for (index, bucket) in buckets.iter().enumerate() {
        let (psqt, positional) = (bucket.psqt / OUTPUT_DIVISOR, bucket.positional / OUTPUT_DIVISOR);
        let cells = [psqt, positional, psqt.saturating_add(positional)].map(|value| cell(value, pawn));
        let mark = if index == evaluated.bucket { " <-- this bucket is used" } else { "" };
        let _ = writeln!(text, "|  {index:<10}|  {}   |  {}   |  {}   |{mark}", cells[0], cells[1], cells[2]);
    }
    let _ = writeln!(text, "{RULE}");
    if let Some(value) = evaluated.value {
        let _ = writeln!(text, "value {value} internal units for the side to move");
    }
    if let Some(float) = &evaluated.float {
        let _ = writeln!(text, "float {:.2}", float.value);
    }
}

/// Seven characters: the sign, then the number, as engines print it.
fn cell(value: i32, pawn: Option<i32>) -> String {
    let sign = match value.signum() {
        1 => '+',
        -1 => '-',
        _ => ' ',
    };
    match pawn {
        Some(pawn) => format!("{sign}{:6.2}", f64::from(value.unsigned_abs()) / f64::from(pawn)),
        None => format!("{sign}{:6}", value.unsigned_abs()),
    }
}
