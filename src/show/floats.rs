//! Networks of floats: how the numbers of layers are distributed, and tiles of them as heat maps. Knows no network.

use super::Limits;
use super::charts::Plot;
use crate::draw::scene::{BLANK, grouped, short};
use crate::draw::{Anchor, Area, Heat, Ink, Labels, Scene};

/// Bins of a histogram.
const BINS: usize = 200;
/// Up to here a float holds every integer.
const WHOLE: f32 = 16_777_216.0;

/// How floats are distributed: between which ends, and how many are in each bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Name of the picture.
    pub name: String,
    /// Title of the picture.
    pub title: String,
    range: [f32; 2],
    counts: Vec<u64>,
    odd: u64,
}

impl Spread {
    /// Of nothing yet, between these ends.
    pub fn new(name: impl Into<String>, title: impl Into<String>, range: [f32; 2]) -> Self {
        Self { name: name.into(), title: title.into(), range, counts: vec![0; BINS], odd: 0 }
    }

    /// Counts numbers; what lies outside, or is no number, is counted as odd.
    pub fn count(&mut self, values: &[f32]) {
        let [low, high] = self.range.map(f64::from);
        let scale = if high > low { BINS as f64 / (high - low) } else { 0.0 };
        for value in values {
            let value = f64::from(*value);
            if (low..=high).contains(&value) {
                let bin = (((value - low) * scale) as usize).min(BINS - 1);
                self.counts[bin] += 1;
            } else {
                self.odd += 1;
            }
        }
    }

    /// Numbers that were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.odd
    }

    /// The histogram.
    pub fn picture(&self, label: &str, is_log: bool) -> Scene {
        let suffix = if is_log { "-log" } else { "" };
        let title = format!("{} [{label}]", self.title);
        let mut scene = Scene::new(format!("{}{suffix}", self.name), title.clone(), 1000.0, 350.0);
        scene.heading([0.0, 18.0], title);
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        // Counts of nothing have no logarithm: the axis begins below one.
        let scaled = |count: f64| if is_log { count.max(0.5).log10() } else { count };
        let [low, high] = self.range.map(f64::from);
        let x = if high > low { [low, high] } else { [low - 0.5, low + 0.5] };
        let y = [scaled(0.0), if is_log { scaled(most) * 1.03 + 0.1 } else { most * 1.05 }];
        let plot = Plot { area: Area::new(90.0, 46.0, 880.0, 240.0), x, y };
        let count_text = |number: f64| match is_log {
            true if number >= 0.0 && number.fract().abs() < 1e-9 => short(10f64.powf(number)),
            true => String::new(),
            false if number.fract() == 0.0 => grouped(number as u64),
            false => String::new(),
        };
        plot.axes(&mut scene, short, count_text);
        let width = (x[1] - x[0]) / BINS as f64;
        let base = plot.area.y + plot.area.height;
        for (bin, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let from = x[0] + bin as f64 * width;
            let (left, right, top) = (plot.at_x(from), plot.at_x(from + width), plot.at_y(scaled(*count as f64)));
            let what = format!("{from:.5} to {:.5}: {}", from + width, grouped(*count));
            scene.bar(Area::new(left, top, (right - left).max(0.4), base - top), Ink::Series(0), what);
        }
        let odd = if self.odd == 0 { String::new() } else { format!("; {} are no numbers", grouped(self.odd)) };
        let text = format!("{} weights, {} to {}{odd}", grouped(self.total()), self.range[0], self.range[1]);
        scene.label([90.0, 328.0], Anchor::Start, Ink::Muted, text);
        scene
    }
}

/// Equal tiles of floats.
pub struct Tiles<'a> {
    /// Name of the picture.
    pub name: &'a str,
    /// Title of the picture.
    pub title: String,
    /// Columns and rows of a tile.
    pub tile: [usize; 2],
    /// Tiles beside each other.
    pub across: usize,
    /// What each tile is.
    pub names: Vec<String>,
    /// What the cells of a tile are.
    pub labels: Labels,
    /// Pixels of a cell.
    pub zoom: f32,
    /// Which numbers have which colours.
    pub limits: Limits,
}

impl Tiles<'_> {
    /// The picture; `value` gives the number in a tile's column and row.
    pub fn picture(self, value: impl Fn(usize, [usize; 2]) -> f32) -> Scene {
        const LEFT: f32 = 10.0;
        let Self { name, title, tile: [columns, rows], across, names, labels, zoom, limits } = self;
        let across = across.clamp(1, names.len().max(1));
        let (wide, high) = (columns * across, rows * names.len().div_ceil(across));
        let mut floats = vec![f32::NAN; wide * high];
        for tile in 0..names.len() {
            for row in 0..rows {
                for column in 0..columns {
                    let at = (tile / across * rows + row) * wide + tile % across * columns + column;
                    floats[at] = value(tile, [column, row]);
                }
            }
        }
        let finite = || floats.iter().copied().filter(|float| float.is_finite());
        let greatest = finite().map(f32::abs).fold(0.0, f32::max);
        // Integers are shown as they are.
        let is_whole = greatest <= WHOLE && finite().all(|float| float.fract() == 0.0);
        let one = if is_whole { 1.0 } else { f64::from(i16::MAX) / f64::from(greatest.max(1e-9)) };
        let number = |float: &f32| if float.is_finite() { (f64::from(*float) * one).round() as i32 } else { BLANK };
        let numbers: Vec<i32> = floats.iter().map(number).collect();
        let ramp = limits.ramp(numbers.iter().copied(), one);
        let heat = Heat { tile: [columns, rows], across, names, labels, numbers, divisor: 1, one, ramp };
        let area = Area::new(LEFT, 36.0, wide as f32 * zoom, high as f32 * zoom);
        let mut scene = Scene::new(name, title.clone(), (area.width + LEFT + 90.0).max(600.0), area.height.max(50.0) + 60.0);
        scene.heading([0.0, 18.0], title);
        scene.heat(area, heat);
        scene.key(Area::new(area.x + area.width + 10.0, area.y, 14.0, area.height.max(44.0)), ramp);
        scene
    }
}

#[cfg(test)]
mod tests;
