//! A described network in pictures: what each neuron gives for each piece on each square, the other tensors as they lie, and how the
//! values of each tensor are distributed.
//!
//! An architecture file does not say what an engine computes, so nothing is shown of that; it does say which rows the inputs have.

use rayon::prelude::*;

use super::Opened;
use super::features::Input;
use super::tensor::Tensor;
use crate::ctx::Ctx;
use crate::draw::{Labels, Scene};
use crate::error::Result;
use crate::show::{Arrangement, Body, Limits, Section, Spread, Tiles};
use crate::shown::name as shown;
use crate::words::NeuronOrder;

/// Neurons that the picture of the inputs has where nothing else is asked for.
const NEURONS: usize = 128;
/// Tiles of neurons beside each other.
const ACROSS: usize = 32;
/// Values that a picture of a tensor has at most: more would be a picture that nobody opens.
const MOST: usize = 1 << 20;
/// Columns of the picture of a tensor with a single axis.
const LINE: usize = 256;
/// Pixels that the picture of a tensor is to have from left to right, where it is narrow.
const WIDE: usize = 1200;
/// Rows whose sums are made together: a fixed number, so that floats are added in one order.
const PART: usize = 512;

const PIECES: [&str; 6] = ["pawn", "knight", "bishop", "rook", "queen", "king"];

/// Which pictures are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Of the inputs' weights.
    pub inputs: bool,
    /// Of all other tensors.
    pub others: bool,
    /// Of how the values of each tensor are distributed.
    pub histograms: bool,
    /// How many neurons, those with the largest weights.
    pub neurons: Option<usize>,
    /// Colours of the inputs' weights.
    pub input_limits: Limits,
    /// Colours of the other tensors.
    pub other_limits: Limits,
}

impl Opened<'_> {
    /// The sections of a page, `label` in titles.
    ///
    /// # Errors
    /// On cancellation.
    pub fn sections(&self, label: &str, wanted: &Wanted, ctx: &Ctx) -> Result<Vec<Section>> {
        let mut sections = Vec::new();
        if wanted.inputs {
            sections.extend(self.inputs(label, wanted, ctx)?);
        }
        if wanted.others {
            sections.extend(self.others(label, wanted.other_limits, ctx)?);
        }
        if wanted.histograms {
            sections.push(self.histograms(label, ctx)?);
        }
        Ok(sections)
    }

    fn tensor(&self, role: &str) -> Option<&Tensor> {
        let index = self.architecture.tensors.iter().position(|spec| spec.role.text == role)?;
        self.contents.tensors.get(index)?.as_ref()
    }

    /// The blocks of inputs whose weights are there, in rows that are known: their roles, weights and arrangement.
    fn blocks(&self) -> Vec<(&str, &Tensor, Arrangement)> {
        let blocks = self.architecture.inputs.iter().filter_map(|block| {
            let tensor = self.tensor(&block.tensor)?;
            let (_, outer) = tensor.shape.split_last()?;
            Some((block.tensor.as_str(), tensor, arrangement(&block.input, outer.iter().product())?))
        });
        blocks.collect()
    }

    fn inputs(&self, label: &str, wanted: &Wanted, ctx: &Ctx) -> Result<Option<Section>> {
        let blocks = self.blocks();
        let columns = |tensor: &Tensor| tensor.shape.last().copied().unwrap_or(0);
        let Some(neurons) = blocks.iter().map(|(_, tensor, _)| columns(tensor)).max() else { return Ok(None) };
        let mut norms = vec![0.0; neurons];
        for (_, tensor, _) in &blocks {
            ctx.check()?;
            norms.iter_mut().zip(sizes(tensor, columns(tensor))).for_each(|(sum, size)| *sum += size);
        }
        let mut order: Vec<usize> = (0..neurons).collect();
        order.sort_by(|a, b| norms[*b].total_cmp(&norms[*a]).then(a.cmp(b)));
        order.truncate(wanted.neurons.unwrap_or(NEURONS).max(1));
        let mut section = Section::new("input-weights", "Input weights").text(
            "A tile for each neuron, those with the largest weights first. Piece squares: the own pieces on the left, the other side's on the \
             right, pawns above, kings below, as the side sees the board; a mean over the buckets of its king. Threats: who attacks (rows) whom \
             (columns), own pieces first, a mean over all squares. Pawn pairs: for each pawn the mean over its pairs.",
        );
        for (role, tensor, arranged) in &blocks {
            ctx.check()?;
            let all = columns(tensor);
            let order: Vec<usize> = order.iter().copied().filter(|neuron| *neuron < all).collect();
            let name = format!("input-weights-{}", plain(role));
            let what = format!("{}, {} of {all} neurons [{label}]", shown(role), order.len());
            section.body.push(Body::Picture(neurons_picture(&name, what, tensor, arranged, &order, wanted.input_limits)));
        }
        Ok(Some(section))
    }

    fn others(&self, label: &str, limits: Limits, ctx: &Ctx) -> Result<Option<Section>> {
        let drawn = self.blocks();
        let is_input = |role: &str| drawn.iter().any(|(block, ..)| *block == role);
        let mut section = Section::new("layers", "Other tensors").text(
            "The last axis from left to right, the one before downwards, a tile for each index of those before. A tensor with a single axis is \
             broken into lines.",
        );
        let mut left_out = Vec::new();
        for (spec, tensor) in self.architecture.tensors.iter().zip(&self.contents.tensors) {
            ctx.check()?;
            let Some(tensor) = tensor.as_ref().filter(|_| !is_input(&spec.role.text)) else { continue };
            if tensor.count() > MOST {
                left_out.push(format!("`{}`", shown(&spec.role.text)));
                continue;
            }
            section.body.push(Body::Picture(tensor_picture(&spec.role.text, &spec.axes, tensor, label, limits)));
        }
        if !left_out.is_empty() {
            section = section.text(format!("Too large for a picture: {}.", left_out.join(", ")));
        }
        Ok((section.body.len() > 1).then_some(section))
    }

    fn histograms(&self, label: &str, ctx: &Ctx) -> Result<Section> {
        let mut section = Section::new("histograms", "Histograms").text("How many values of each tensor are where.");
        for (spec, tensor) in self.architecture.tensors.iter().zip(&self.contents.tensors) {
            let Some(tensor) = tensor.as_ref().filter(|tensor| tensor.count() > 0) else { continue };
            let (low, high) = tensor.limits();
            let range = if low.is_finite() && high.is_finite() { [low as f32, high as f32] } else { finite_range(tensor) };
            let mut spread = Spread::new(format!("histogram-{}", plain(&spec.role.text)), shown(&spec.role.text), range);
            for part in 0..tensor.count().div_ceil(MOST) {
                ctx.check()?;
                let values: Vec<f32> = (part * MOST..((part + 1) * MOST).min(tensor.count())).map(|index| tensor.value(index)).collect();
                spread.count(&values);
            }
            section.body.push(Body::Scales(spread.picture(label, false), spread.picture(label, true)));
        }
        Ok(section)
    }
}

fn finite_range(tensor: &Tensor) -> [f32; 2] {
    let values = (0..tensor.count()).map(|index| tensor.value(index)).filter(|value| value.is_finite());
    let [low, high] = values.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)]);
    if low <= high { [low, high] } else { [0.0, 0.0] }
}

/// A role as a part of a picture's name.
fn plain(role: &str) -> String {
    role.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Where the rows of a block stand in a neuron's tile; `None` where they are not known, or `rows` is another number of them.
fn arrangement(input: &Input, rows: usize) -> Option<Arrangement> {
    match input {
        Input::Opaque(_) => None,
        // 8 by 8 squares become one cell: these sets have a board for each square of the king.
        Input::Known(block) => (block.rows() == rows).then(|| Arrangement::overview(*block, NeuronOrder::default(), 8)),
        Input::PieceSquares(squares) => {
            let buckets = squares.buckets().max(1);
            // A layout before the step that merges the kings has a plane for each.
            let planes = [12, 11].into_iter().find(|planes| planes * 64 * buckets == rows)?;
            let shown = (0..rows).map(|row| {
                let (plane, square) = (row / 64 % planes, row % 64);
                let (enemy, kind) = if plane < 6 { (0, plane) } else { (1, plane - 6) };
                let [x, y] = [8 * enemy + square % 8, 8 * kind + 7 - square / 8];
                (row as u32, (16 * y + x) as u32)
            });
            let columns = (0..16usize).map(|x| vec![["own", "other's"][x / 8].to_owned(), char::from(b'a' + (x % 8) as u8).to_string()]);
            let kings = if planes == 11 { "king of either side" } else { "king" };
            let lines = (0..48usize).map(|y| vec![if y < 40 { PIECES[y / 8] } else { kings }.to_owned(), (8 - y % 8).to_string()]);
            let template = if buckets > 1 { "{c0} {r0} on {c1}{r1}, mean over king buckets" } else { "{c0} {r0} on {c1}{r1}" };
            let labels = Labels { template: template.to_owned(), rows: lines.collect(), columns: columns.collect() };
            Some(Arrangement { tile: [16, 48], shown: shown.collect(), labels })
        }
    }
}

/// The sum of the sizes of each neuron's weights.
fn sizes(tensor: &Tensor, neurons: usize) -> Vec<f64> {
    let rows = tensor.count() / neurons.max(1);
    let parts: Vec<Vec<f64>> = (0..rows.div_ceil(PART))
        .into_par_iter()
        .map(|part| {
            let mut sums = vec![0.0; neurons];
            for row in part * PART..((part + 1) * PART).min(rows) {
                for (neuron, sum) in sums.iter_mut().enumerate() {
                    *sum += f64::from(tensor.value(row * neurons + neuron).abs());
                }
            }
            sums
        })
        .collect();
    parts.into_iter().fold(vec![0.0; neurons], |mut sums, part| {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        sums
    })
}

fn neurons_picture(name: &str, what: String, tensor: &Tensor, arranged: &Arrangement, order: &[usize], limits: Limits) -> Scene {
    let neurons = tensor.shape.last().copied().unwrap_or(1);
    let [width, height] = arranged.tile;
    let mut counts = vec![0u32; width * height];
    arranged.shown.iter().for_each(|(_, cell)| counts[*cell as usize] += 1);
    // A neuron's sums are made by one thread, so floats are added in the order of the rows.
    let means: Vec<Vec<f32>> = order
        .par_iter()
        .map(|neuron| {
            let mut sums = vec![0.0f64; width * height];
            for (row, cell) in &arranged.shown {
                sums[*cell as usize] += f64::from(tensor.value(*row as usize * neurons + neuron));
            }
            sums.iter().zip(&counts).map(|(sum, count)| if *count == 0 { f32::NAN } else { (sum / f64::from(*count)) as f32 }).collect()
        })
        .collect();
    let names = order.iter().map(|neuron| format!("neuron {neuron}")).collect();
    let zoom = (WIDE / (ACROSS * width)).clamp(1, 6) as f32;
    let tiles = Tiles { name, title: what, tile: arranged.tile, across: ACROSS, names, labels: arranged.labels.clone(), zoom, limits };
    tiles.picture(|tile, [column, row]| means[tile][row * width + column])
}

fn tensor_picture(role: &str, axes: &[String], tensor: &Tensor, label: &str, limits: Limits) -> Scene {
    let sizes = if tensor.shape.is_empty() { vec![1] } else { tensor.shape.clone() };
    let axis = |from_last: usize| axes.len().checked_sub(from_last + 1).map_or(String::new(), |index| shown(&axes[index]));
    let (tile, lines, labels) = match sizes[..] {
        [size] => {
            let tile = [size.clamp(1, LINE), size.div_ceil(LINE).max(1)];
            let starts = (0..tile[1]).map(|row| vec![format!("{} + ", LINE * row)]);
            let starts = if tile[1] == 1 { vec![vec![String::new()]] } else { starts.collect() };
            let labels =
                Labels { template: format!("{} {{r0}}{{c0}}", axis(0)), rows: starts, columns: Labels::numbered("", tile[0], 0).columns };
            (tile, vec![String::new()], labels)
        }
        [ref outer @ .., rows, columns] => {
            let tiles: usize = outer.iter().product();
            let labels = Labels::numbered(&format!("{} {{r0}}, {} {{c0}}", axis(1), axis(0)), columns, rows);
            let names = (0..tiles).map(|tile| if outer.is_empty() { String::new() } else { index_names(tile, outer, axes) });
            ([columns, rows], names.collect(), labels)
        }
        [] => ([1, 1], vec![String::new()], Labels::default()),
    };
    let count = tensor.count();
    let across = (WIDE / tile[0].max(1)).clamp(1, 8).min(lines.len().max(1));
    let zoom = (WIDE / (tile[0] * across).max(1)).clamp(1, 12) as f32;
    let title = format!("{} [{label}]", shown(role));
    let tiles = Tiles { name: &format!("tensor-{}", plain(role)), title, tile, across, names: lines, labels, zoom, limits };
    tiles.picture(|index, [column, row]| {
        let index = index * tile[0] * tile[1] + row * tile[0] + column;
        if index < count { tensor.value(index) } else { f32::NAN }
    })
}

/// The indices of a tile on the outer axes, with their names.
fn index_names(mut tile: usize, outer: &[usize], axes: &[String]) -> String {
    let mut names = Vec::new();
    for (size, axis) in outer.iter().zip(axes).rev() {
        names.push(format!("{} {}", shown(axis), tile % size.max(&1)));
        tile /= size.max(&1);
    }
    names.reverse();
    names.join(", ")
}
