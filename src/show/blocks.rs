//! Pictures of zero blocks: which blocks of four outputs an engine can skip, before and after a permutation, and how the search got there.

use super::charts::Plot;
use super::titled;
use crate::ctx::Ctx;
use crate::draw::{Anchor, Area, Heat, Ink, Item, Labels, Ramp, Scene, Scheme};
use crate::error::Result;
use crate::net::Permutation;
use crate::permutation::{
    ActivationMatrix, BLOCK, Iteration, Move, SearchOutcome, SearchParams, ZeroBlocks, search_with, select_backend, zero_blocks,
};

/// Samples that a map shows at most.
const MAP_ROWS: usize = 256;

/// How the share of zero blocks grew in a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    /// After so many moves, the share over the positions that the search saw.
    pub searched: Vec<(usize, f64)>,
    /// The same over others, after each round; empty where there are none.
    pub held_out: Vec<(usize, f64)>,
}

impl Climb {
    /// Searches a permutation, greedily, and keeps what each move gained.
    ///
    /// # Errors
    /// As [`search_with`].
    pub fn of(matrix: &ActivationMatrix, held_out: Option<&ActivationMatrix>, ctx: &Ctx) -> Result<(SearchOutcome, Self)> {
        let mut rounds: Vec<Iteration> = Vec::new();
        let backend = select_backend(ctx.backend, matrix, ctx)?;
        let outcome = search_with(&*backend, matrix, &SearchParams::default(), ctx, |round| rounds.push(round.clone()))?;
        let ZeroBlocks { mut zero, total, .. } = outcome.before;
        let share = |zero: u64| zero as f64 / total.max(1) as f64;
        let (mut searched, mut others) = (vec![(0, share(zero))], Vec::new());
        let mut places: Vec<u32> = (0..matrix.half() as u32).collect();
        let judge = |places: &[u32], moves: usize, others: &mut Vec<(usize, f64)>| -> Result<()> {
            if let Some(matrix) = held_out {
                others.push((moves, zero_blocks(matrix, &Permutation::try_from(places)?)?.fraction()));
            }
            Ok(())
        };
        judge(&places, 0, &mut others)?;
        let mut moves = 0;
        for round in rounds.iter().filter(|round| !round.moves.is_empty()) {
            for one in &round.moves {
                match *one {
                    Move::Swap { i, j, .. } => places.swap(i, j),
                    Move::Rotate { i, j, k, .. } => {
                        let [a, b, c] = [places[i], places[j], places[k]];
                        (places[j], places[k], places[i]) = (a, b, c);
                    }
                }
                (moves, zero) = (moves + 1, zero + one.gain());
                searched.push((moves, share(zero)));
            }
            judge(&places, moves, &mut others)?;
        }
        Ok((outcome, Self { searched, held_out: others }))
    }
}

/// What is known of which outputs are zero.
#[derive(Clone, Copy)]
pub struct Activations<'a> {
    /// Over which positions.
    pub matrix: &'a ActivationMatrix,
    /// The order in which the neurons are to be.
    pub permutation: Option<&'a Permutation>,
    /// How that order was found.
    pub climb: Option<&'a Climb>,
}

/// Whether a neuron's output is zero in a sample.
fn is_zero(matrix: &ActivationMatrix, neuron: usize, sample: usize) -> bool {
    matrix.column(neuron)[sample / 64] >> (sample % 64) & 1 == 1
}

/// The map of one order: zero outputs in each block and sample, 4 in blocks that are skipped.
fn map(matrix: &ActivationMatrix, order: &[u32], name: &str) -> Heat {
    let samples = matrix.samples();
    let rows = samples.min(MAP_ROWS);
    let places: Vec<usize> = (0..rows).map(|row| row * samples / rows).collect();
    let numbers = places.iter().flat_map(|sample| {
        order.chunks(BLOCK).map(|block| block.iter().filter(|neuron| is_zero(matrix, **neuron as usize, *sample)).count() as i32)
    });
    let numbers: Vec<i32> = numbers.collect();
    let side = |sample: usize| if sample.is_multiple_of(2) { "side to move" } else { "other side" };
    let neurons = |block: &[u32]| block.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let labels = Labels {
        template: "position {r0}, {r1}, block {c0} of neurons {c1}, zero outputs".to_owned(),
        rows: places.iter().map(|sample| vec![(sample / 2).to_string(), side(*sample).to_owned()]).collect(),
        columns: order.chunks(BLOCK).enumerate().map(|(index, block)| vec![index.to_string(), neurons(block)]).collect(),
    };
    let tile = [order.len().div_ceil(BLOCK), rows];
    let ramp = Ramp { scheme: Scheme::Viridis, low: 0.0, high: 4.0, absolute: false };
    Heat { tile, across: 1, names: vec![name.to_owned()], labels, numbers, divisor: 1, one: 1.0, ramp }
}

/// Share of the samples in which each neuron's output is zero, in the matrix's order.
fn zero_shares(matrix: &ActivationMatrix) -> Vec<f64> {
    let zero = |neuron: usize| matrix.column(neuron).iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
    (0..matrix.half()).map(|neuron| zero(neuron) as f64 / matrix.samples() as f64).collect()
}

/// The map of zero blocks, each neuron's share of zero outputs, and the search's gain where it is known.
///
/// # Errors
/// When the permutation is of another number of neurons, or the neurons do not divide into blocks.
pub fn activations(label: &str, of: &Activations<'_>) -> Result<Vec<Scene>> {
    let matrix = of.matrix;
    let identity = Permutation::identity(matrix.half())?;
    let mut orders = vec![("before", &identity)];
    orders.extend(of.permutation.map(|permutation| ("after", permutation)));
    let rows = matrix.samples().min(MAP_ROWS);
    let (zoom, gap) = ((1000 / (matrix.half() / BLOCK).max(1)).clamp(1, 5) as f32, 24.0);
    let wide = (matrix.half() / BLOCK) as f32 * zoom;
    let title = titled(label, "zero outputs in each block of four; yellow blocks are skipped");
    let mut scene = Scene::new("zero-blocks", title.clone(), (wide + gap) * orders.len() as f32 + 60.0, rows as f32 * 2.0 + 60.0);
    scene.width = scene.width.max(720.0);
    scene.heading([0.0, 18.0], title);
    let shares = zero_shares(matrix);
    let mut density = Scene::new("neuron-density", titled(label, "share of positions in which a neuron's output is zero"), 1000.0, 0.0);
    density.heading([0.0, 18.0], density.title.clone());
    for (index, (name, order)) in orders.iter().enumerate() {
        let zero = zero_blocks(matrix, order)?;
        let x = index as f32 * (wide + gap);
        scene.label(
            [x, 44.0],
            Anchor::Start,
            Ink::Text,
            format!("{name}: {:.2} % zero blocks of {} positions", 100.0 * zero.fraction(), zero.positions),
        );
        let heat = map(matrix, order.as_slice(), name);
        scene.heat(Area::new(x, 54.0, wide, rows as f32 * 2.0), heat);
        let plot = Plot { area: Area::new(70.0, 50.0 + 170.0 * index as f32, 900.0, 120.0), x: [0.0, order.len() as f64], y: [0.0, 1.0] };
        density.label([70.0, plot.area.y - 8.0], Anchor::Start, Ink::Text, format!("{name}, blocks from left to right"));
        plot.axes(&mut density, crate::draw::scene::short, |share| format!("{:.0} %", 100.0 * share));
        for (place, neuron) in order.as_slice().iter().enumerate() {
            let share = shares[*neuron as usize];
            let (left, right, top) = (plot.at_x(place as f64), plot.at_x(place as f64 + 1.0), plot.at_y(share));
            let area = Area::new(left, top, (right - left).max(0.4), plot.area.y + plot.area.height - top);
            density.bar(area, Ink::Series(place / BLOCK % 2), format!("neuron {neuron}, place {place}: zero in {:.2} %", 100.0 * share));
        }
        density.height = plot.area.y + 160.0;
    }
    scene.key(
        Area::new((wide + gap) * orders.len() as f32, 54.0, 14.0, 120.0),
        Ramp { scheme: Scheme::Viridis, low: 0.0, high: 4.0, absolute: false },
    );
    let mut scenes = vec![scene, density];
    scenes.extend(of.climb.map(|climb| gain_picture(label, climb)));
    Ok(scenes)
}

/// How the share of zero blocks grew, move by move.
fn gain_picture(label: &str, climb: &Climb) -> Scene {
    let title = titled(label, "zero blocks during the search");
    let mut scene = Scene::new("search-gain", title.clone(), 1000.0, 340.0);
    scene.heading([0.0, 18.0], title);
    let all = || climb.searched.iter().chain(&climb.held_out);
    let low = all().map(|(_, share)| *share).fold(1.0, f64::min);
    let high = all().map(|(_, share)| *share).fold(0.0, f64::max);
    let moves = climb.searched.last().map_or(0, |(moves, _)| *moves).max(1);
    let margin = ((high - low) * 0.05).max(0.001);
    let plot = Plot { area: Area::new(90.0, 36.0, 880.0, 230.0), x: [0.0, moves as f64], y: [low - margin, high + margin] };
    plot.axes(&mut scene, crate::draw::scene::short, |share| format!("{:.1} %", 100.0 * share));
    scene.label([530.0, 300.0], Anchor::Middle, Ink::Muted, "moves of the search");
    for (series, (name, points)) in
        [("positions of the search", &climb.searched), ("others, held out", &climb.held_out)].into_iter().enumerate()
    {
        let Some((_, last)) = points.last() else { continue };
        let curve = points.iter().map(|(moves, share)| [plot.at_x(*moves as f64), plot.at_y(*share)]).collect();
        scene.items.push(Item::Curve { points: curve, ink: Ink::Series(series), width: 2.0 });
        let first = points.first().map_or(0.0, |(_, share)| *share);
        let x = 90.0 + 440.0 * series as f32;
        scene.fill(Area::new(x, 318.0, 22.0, 4.0), Ink::Series(series));
        scene.label([x + 30.0, 324.0], Anchor::Start, Ink::Text, format!("{name}: {:.2} % → {:.2} %", 100.0 * first, 100.0 * last));
    }
    scene
}

#[cfg(test)]
mod tests;
