//! Pictures of the feature transformer: a tile for each neuron or PSQT bucket.

use rayon::prelude::*;

use super::matrix::{Matrix, matrices};
use super::placement::{PieceSquares, WIDTH};
use super::{Limits, Options, Subject};
use crate::draw::scene::BLANK;
use crate::draw::{Anchor, Area, Heat, Ink, Labels, Ramp, Scene};
use crate::net::Block;
use crate::positions::threat_features;
use crate::words::NeuronOrder;

/// Colours: [`Limits::ramp`] looks at no more numbers than about this many.
const SAMPLE: usize = 1 << 18;

/// Which rows of a block the cells of a tile show.
pub struct Arrangement {
    /// Columns and rows of cells.
    pub tile: [usize; 2],
    /// Row and cell. A cell of several rows shows their mean.
    pub shown: Vec<(u32, u32)>,
    /// What the cells are.
    pub labels: Labels,
}

/// Names of the pieces as a perspective sees them: own, then the other side's.
const PIECES: [&str; 12] = [
    "white pawn",
    "white knight",
    "white bishop",
    "white rook",
    "white queen",
    "white king",
    "black pawn",
    "black knight",
    "black bishop",
    "black rook",
    "black queen",
    "black king",
];

fn square_name(square: usize) -> String {
    format!("{}{}", char::from(b'a' + (square % 8) as u8), square / 8 + 1)
}

/// The two pawns of a row of the pawn pairs: numbers 0 to 47 are white ones on a2 to h7, 48 to 95 black ones.
fn pawns_of(row: usize) -> (usize, usize) {
    // The largest `high` with `high·(high−1)/2 ≤ row`.
    let mut high = ((1.0 + (1.0 + 8.0 * row as f64).sqrt()) / 2.0) as usize;
    while high * (high - 1) / 2 > row {
        high -= 1;
    }
    while (high + 1) * high / 2 <= row {
        high += 1;
    }
    (row - high * (high - 1) / 2, high)
}

impl Arrangement {
    /// Every weight of a block in a cell of its own.
    pub(super) fn whole(block: Block, order: NeuronOrder) -> Self {
        match block {
            Block::FullThreats(table) => {
                let features = threat_features(table);
                let cell = |piece: usize, square: usize| 64 * piece + square;
                let shown = features.iter().map(|one| (one.row, 768 * cell(one.attacker, one.from) + cell(one.victim, one.to)));
                let names: Vec<Vec<String>> =
                    PIECES.iter().flat_map(|piece| (0..64).map(|at| vec![(*piece).to_owned(), square_name(at)])).collect();
                let template = "{r0} on {r1} attacks {c0} on {c1}".to_owned();
                Self { tile: [768, 768], shown: narrow(shown), labels: Labels { template, rows: names.clone(), columns: names } }
            }
            Block::Pp3Wide => {
                let shown = (0..block.rows()).flat_map(|row| {
                    let (low, high) = pawns_of(row);
                    [(row, 96 * high + low), (row, 96 * low + high)]
                });
                let shown: Vec<(usize, usize)> = shown.filter(|(row, _)| is_pair(*row)).collect();
                let names: Vec<Vec<String>> =
                    (0..96).map(|pawn| vec![PIECES[6 * (pawn / 48)].to_owned(), square_name(8 + pawn % 48)]).collect();
                let template = "{r0} on {r1} with {c0} on {c1}".to_owned();
                Self { tile: [96, 96], shown: narrow(shown), labels: Labels { template, rows: names.clone(), columns: names } }
            }
            Block::HalfKp | Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm => Self::squares(block, order, 1),
        }
    }

    /// The means that fit a small tile; `shrink` × `shrink` cells of piece squares become one.
    pub fn overview(block: Block, order: NeuronOrder, shrink: usize) -> Self {
        match block {
            Block::FullThreats(table) => {
                let shown = threat_features(table).into_iter().map(|one| (one.row, 12 * one.attacker + one.victim));
                let names: Vec<Vec<String>> = PIECES.iter().map(|piece| vec![(*piece).to_owned()]).collect();
                let template = "{r0} attacks {c0}, mean over squares".to_owned();
                Self { tile: [12, 12], shown: narrow(shown), labels: Labels { template, rows: names.clone(), columns: names } }
            }
            Block::Pp3Wide => {
                let cell = |pawn: usize| 16 * (5 - pawn % 48 / 8) + 8 * (pawn / 48) + pawn % 8;
                let shown = (0..block.rows()).filter(|row| is_pair(*row)).flat_map(|row| {
                    let (low, high) = pawns_of(row);
                    [(row, cell(low)), (row, cell(high))]
                });
                let columns = (0..16usize).map(|x| vec![PIECES[6 * (x / 8)].to_owned(), char::from(b'a' + (x % 8) as u8).to_string()]);
                let rows = (0..6).map(|y| vec![(7 - y).to_string()]).collect();
                let labels = Labels { template: "{c0} on {c1}{r0}, mean over its pairs".to_owned(), rows, columns: columns.collect() };
                Self { tile: [16, 6], shown: narrow(shown), labels }
            }
            Block::HalfKp | Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm => Self::squares(block, order, shrink),
        }
    }

    fn squares(block: Block, order: NeuronOrder, shrink: usize) -> Self {
        let Some(set) = PieceSquares::of(block) else {
            return Self { tile: [1, 1], shown: Vec::new(), labels: Labels::default() };
        };
        let width = WIDTH / shrink;
        let cells = set.cells(order);
        let shown = cells.iter().enumerate().filter_map(|(cell, row)| {
            let (x, y) = (cell % WIDTH / shrink, cell / WIDTH / shrink);
            row.map(|row| (row, y * width + x))
        });
        Self { tile: [width, set.height() / shrink], shown: narrow(shown), labels: set.labels(order, shrink) }
    }

    /// The tiles of some columns of a matrix, in this order, `across` beside each other.
    pub(super) fn heat(&self, matrix: &Matrix<'_>, columns: &[usize], names: Vec<String>, across: usize, limits: Limits) -> Heat {
        const CHUNK: usize = 32;
        let ([width, height], cells) = (self.tile, self.tile[0] * self.tile[1]);
        let mut counts = vec![0i64; cells];
        let mut shown = self.shown.clone();
        shown.iter().for_each(|(_, cell)| counts[*cell as usize] += 1);
        // Rows in their order, so that each is read once.
        shown.sort_unstable();
        let divisor: i64 = if counts.iter().all(|count| *count <= 1) { 1 } else { 8 };
        let chunks = matrix.columns.div_ceil(CHUNK);
        let sums: Vec<Vec<i64>> = (0..chunks)
            .into_par_iter()
            .map(|chunk| {
                let from = chunk * CHUNK;
                let wide = CHUNK.min(matrix.columns - from);
                let mut sums = vec![0i64; cells * wide];
                for (row, cell) in &shown {
                    let place = *cell as usize * wide;
                    matrix.each(*row as usize, from, &mut sums[place..place + wide], |sum, number| *sum += i64::from(number));
                }
                sums
            })
            .collect();
        let line = width * across;
        let mut numbers = vec![BLANK; line * height * columns.len().div_ceil(across)];
        numbers.par_chunks_mut(line * height).enumerate().for_each(|(row, numbers)| {
            for (place, column) in columns.iter().skip(row * across).take(across).enumerate() {
                let chunk = &sums[column / CHUNK];
                let wide = chunk.len() / cells;
                for (cell, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    let sum = chunk[cell * wide + column % CHUNK];
                    let mean = rounded(sum.saturating_mul(divisor), *count);
                    numbers[cell / width * line + place * width + cell % width] = mean;
                }
            }
        });
        let step = numbers.len().div_ceil(SAMPLE).max(1);
        // A step that shares no factor with the width of a tile: it meets all of a tile's columns.
        let step = if step > 1 { step | 1 } else { step };
        let ramp = limits.ramp(numbers.iter().copied().step_by(if limits.auto { 1 } else { step }), divisor as f64 * matrix.one);
        let labels = self.labels.clone();
        Heat { tile: self.tile, across, names, labels, numbers, divisor: divisor as i32, one: matrix.one, ramp }
    }
}

/// A quotient, rounded half away from 0; [`BLANK`] is no number.
fn rounded(sum: i64, count: i64) -> i32 {
    let half = if sum < 0 { -count / 2 } else { count / 2 };
    ((sum + half) / count).clamp(i64::from(BLANK) + 1, i64::from(i32::MAX)) as i32
}

fn narrow(shown: impl IntoIterator<Item = (usize, usize)>) -> Vec<(u32, u32)> {
    shown.into_iter().map(|(row, cell)| (row as u32, cell as u32)).collect()
}

/// Whether two pawns stand on the same or on adjacent files, and not on one square: only then their row can be active.
fn is_pair(row: usize) -> bool {
    let (low, high) = pawns_of(row);
    (low % 8).abs_diff(high % 8) <= 1 && low % 48 != high % 48
}

/// What pictures of all neurons have in common.
pub struct Inputs<'a> {
    /// Weights of each block, and of its PSQT.
    pub matrices: Vec<(Matrix<'a>, Option<Matrix<'a>>)>,
    /// Sum of the sizes of each neuron's weights.
    pub norms: Vec<u64>,
    /// The neurons as they are shown.
    pub order: Vec<usize>,
}

impl<'a> Inputs<'a> {
    /// Looks at all weights.
    pub fn of(subject: &Subject<'a>, options: &Options) -> Self {
        let matrices = matrices(subject);
        let columns = subject.network.architecture.l1;
        let norms = matrices.iter().map(|(matrix, _)| norms(matrix)).fold(vec![0; columns], |mut sums, norms| {
            sums.iter_mut().zip(norms).for_each(|(sum, norm)| *sum += norm);
            sums
        });
        let order = if options.sort_neurons { order_of_neurons(&norms) } else { (0..columns).collect() };
        Self { matrices, norms, order }
    }
}

fn norms(matrix: &Matrix<'_>) -> Vec<u64> {
    const ROWS: usize = 256;
    let parts = (0..matrix.block.rows().div_ceil(ROWS)).into_par_iter().map(|part| {
        let mut sums = vec![0u64; matrix.columns];
        for row in part * ROWS..((part + 1) * ROWS).min(matrix.block.rows()) {
            matrix.each(row, 0, &mut sums, |sum, number| *sum += u64::from(number.unsigned_abs()));
        }
        sums
    });
    parts.reduce(
        || vec![0; matrix.columns],
        |mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        },
    )
}

/// Neurons by the sum of the sizes of their weights, the largest first; equal ones by number.
pub fn order_of_neurons(norms: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..norms.len()).collect();
    order.sort_by_key(|neuron| (std::cmp::Reverse(norms[*neuron]), *neuron));
    order
}

/// How many neurons stand beside each other: a divisor that makes four times as many columns as rows, as nearly as can be.
fn across(neurons: usize) -> usize {
    let (mut rows, mut smallest) = (1, f64::INFINITY);
    for n in (1..=neurons).filter(|n| neurons.is_multiple_of(*n)) {
        let distance = (4.0 - neurons as f64 / (n * n) as f64).abs();
        if distance < smallest {
            (rows, smallest) = (n, distance);
        }
    }
    neurons / rows
}

/// A title, a heat map and its colours.
fn framed(name: String, title: String, heat: Heat, zoom: [usize; 2], grid: bool) -> Scene {
    let (width, height) = ((heat.width() * zoom[0]) as f32, (heat.height() * zoom[1]) as f32);
    // Room for the key's numbers.
    let mut scene = Scene::new(name, title.clone(), (width + 90.0).max(8.0 * title.len() as f32 * 1.3), height.max(40.0) + 44.0);
    scene.heading([0.0, 18.0], title);
    let (ramp, tile, across, down) = (heat.ramp, heat.tile, heat.across, heat.names.len().div_ceil(heat.across));
    scene.heat(Area::new(0.0, 32.0, width, height), heat);
    if grid {
        for column in 1..across {
            let x = (column * tile[0] * zoom[0]) as f32;
            scene.line([x, 32.0], [x, 32.0 + height], Ink::Text, 0.5);
        }
        for row in 1..down {
            let y = 32.0 + (row * tile[1] * zoom[1]) as f32;
            scene.line([0.0, y], [width, y], Ink::Text, 0.5);
        }
    }
    scene.key(Area::new(width + 10.0, 32.0, 14.0, height.clamp(40.0, 300.0)), ramp);
    scene
}

/// The picture of all neurons for each block of features, and that of all PSQT buckets.
pub fn input_pictures(subject: &Subject<'_>, inputs: &Inputs<'_>, options: &Options) -> Vec<Scene> {
    let mut scenes = Vec::new();
    let mut squares = 0;
    for (matrix, psqt) in &inputs.matrices {
        let (name, what) = match matrix.block {
            Block::FullThreats(_) => ("input-weights-threats".to_owned(), "threats, attacker by victim".to_owned()),
            Block::Pp3Wide => ("input-weights-pawn-pairs".to_owned(), "pawn pairs".to_owned()),
            block @ (Block::HalfKp | Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm) => {
                squares += 1;
                let suffix = if squares == 1 { String::new() } else { format!("-{}", block.name().to_lowercase()) };
                (format!("input-weights{suffix}"), "input weights".to_owned())
            }
        };
        let across = across(matrix.columns);
        let down = matrix.columns.div_ceil(across);
        let fits = |shrink: &usize| {
            let [width, height] = PieceSquares::of(matrix.block).map_or([1, 1], |set| [WIDTH / shrink, set.height() / shrink]);
            across * width <= options.size[0] && down * height <= options.size[1]
        };
        let shrink = [1, 2, 4, 8].into_iter().find(fits).unwrap_or(8);
        let layout = Arrangement::overview(matrix.block, options.order, shrink);
        let names = inputs.order.iter().map(|neuron| format!("neuron {neuron}")).collect();
        let heat = layout.heat(matrix, &inputs.order, names, across, options.input);
        let mut details = Vec::new();
        if heat.divisor != 1 {
            details.push("means");
        }
        if options.sort_neurons {
            details.push("sorted");
        }
        if options.order == NeuronOrder::KingCentric && PieceSquares::of(matrix.block).is_some() {
            details.push("king-centric");
        }
        let what = if heat.ramp.absolute { format!("abs({what})") } else { what };
        let title = [vec![subject.title(&what)], details.into_iter().map(str::to_owned).collect()].concat().join("; ");
        let room = (options.size[0] / heat.width().max(1)).min(options.size[1] / heat.height().max(1)).clamp(1, 4);
        scenes.push(framed(name.clone(), title, heat, [room; 2], true));
        if let Some(psqt) = psqt {
            scenes.push(psqt_picture(subject, psqt, &name.replace("input-weights", "psqt"), options));
        }
    }
    scenes
}

/// Every weight of all PSQT buckets.
fn psqt_picture(subject: &Subject<'_>, psqt: &Matrix<'_>, name: &str, options: &Options) -> Scene {
    let layout = match psqt.block {
        Block::FullThreats(_) => Arrangement::overview(psqt.block, options.order, 1),
        _ => Arrangement::whole(psqt.block, options.order),
    };
    let columns: Vec<usize> = (0..psqt.columns).collect();
    let names = columns.iter().map(|bucket| format!("PSQT bucket {bucket}")).collect();
    let across = if layout.tile[0] > 400 { psqt.columns.min(2) } else { psqt.columns };
    let heat = layout.heat(psqt, &columns, names, across, Limits::default());
    let zoom = (options.size[0] / heat.width().max(1)).clamp(1, 6);
    let what = match psqt.block {
        Block::FullThreats(_) => "PSQT of threats, attacker by victim",
        Block::Pp3Wide => "PSQT of pawn pairs",
        Block::HalfKp | Block::HalfKa | Block::HalfKaV2 | Block::HalfKaV2Hm => "PSQT",
    };
    let title = format!("{}; engine's units, buckets 0 to {}", subject.title(what), psqt.columns.saturating_sub(1));
    framed(name.to_owned(), title, heat, [zoom; 2], true)
}

/// Mean piece values over all squares as small boards, for the terminal: for each piece of a side 64 numbers, a1 first.
pub fn mean_boards(matrix: &Matrix<'_>, column: usize) -> Vec<(String, Vec<Option<f64>>)> {
    let Some(set) = PieceSquares::of(matrix.block) else { return Vec::new() };
    let board = |piece: usize| {
        let mean = |square: usize| {
            let rows: Vec<usize> = (0..64).filter_map(|king| set.row(piece, square, king)).collect();
            let sum: f64 = rows.iter().map(|row| f64::from(matrix.at(*row, column))).sum();
            (!rows.is_empty()).then(|| sum / rows.len() as f64 / matrix.one)
        };
        (0..64).map(mean).collect::<Vec<Option<f64>>>()
    };
    let pieces = (0..12).map(|piece| (PIECES[6 * (piece % 2) + piece / 2].to_owned(), board(piece)));
    pieces.filter(|(_, board)| board.iter().any(Option::is_some)).collect()
}

/// A ramp for several boards together.
pub fn common_ramp(values: impl Iterator<Item = f64>) -> Ramp {
    Ramp::around_zero(values.fold(0.0, |limit: f64, value| limit.max(value.abs())).max(f64::MIN_POSITIVE))
}

/// Where the sum of sizes of each neuron's weights is drawn, the largest first.
pub fn norms_picture(subject: &Subject<'_>, inputs: &Inputs<'_>) -> Scene {
    let title = subject.title("sum of sizes of each neuron's weights, sorted");
    let mut scene = Scene::new("input-weights-norms", title.clone(), 1000.0, 240.0);
    scene.heading([0.0, 18.0], title);
    let order = order_of_neurons(&inputs.norms);
    let largest = order.first().map_or(1, |neuron| inputs.norms[*neuron]).max(1);
    let (left, width, bottom, height) = (70.0f32, 900.0f32, 210.0f32, 170.0f32);
    let step = width / order.len().max(1) as f32;
    for (place, neuron) in order.iter().enumerate() {
        let norm = inputs.norms[*neuron];
        let size = height * (norm as f64 / largest as f64) as f32;
        let hover = format!("neuron {neuron}: {norm}");
        scene.bar(Area::new(left + place as f32 * step, bottom - size, step.max(0.3), size), Ink::Series(0), hover);
    }
    scene.line([left, bottom], [left + width, bottom], Ink::Muted, 1.0);
    scene.label([left - 8.0, bottom - height + 5.0], Anchor::End, Ink::Muted, crate::draw::scene::short(largest as f64));
    scene.label([left - 8.0, bottom + 4.0], Anchor::End, Ink::Muted, "0");
    scene
}

#[cfg(test)]
mod tests;
