//! What charts have in common: axes with readable numbers.

use crate::draw::scene::short;
use crate::draw::{Anchor, Area, Ink, Scene};

/// The part of a scene in which a chart stands, and the numbers of its edges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    pub(super) area: Area,
    /// Numbers at the left and the right edge.
    pub(super) x: [f64; 2],
    /// Numbers at the lower and the upper edge.
    pub(super) y: [f64; 2],
}

impl Plot {
    /// Where a number of the horizontal axis stands.
    pub(super) fn at_x(&self, number: f64) -> f32 {
        self.area.x + share(number, self.x) * self.area.width
    }

    /// Where a number of the vertical axis stands.
    pub(super) fn at_y(&self, number: f64) -> f32 {
        self.area.y + (1.0 - share(number, self.y)) * self.area.height
    }

    /// Grid lines with their numbers, written by `text`, below and on the left.
    pub(super) fn axes(&self, scene: &mut Scene, x_text: impl Fn(f64) -> String, y_text: impl Fn(f64) -> String) {
        let Area { x, y, width, height } = self.area;
        for number in ticks(self.y, 5) {
            let at = self.at_y(number);
            scene.line([x, at], [x + width, at], Ink::Line, 1.0);
            scene.label([x - 8.0, at + 4.0], Anchor::End, Ink::Muted, y_text(number));
        }
        for number in ticks(self.x, 8) {
            let at = self.at_x(number);
            scene.line([at, y + height], [at, y + height + 4.0], Ink::Muted, 1.0);
            scene.label([at, y + height + 18.0], Anchor::Middle, Ink::Muted, x_text(number));
        }
        scene.line([x, y + height], [x + width, y + height], Ink::Muted, 1.0);
    }

    /// As [`Self::axes`], with numbers in few digits.
    pub(super) fn plain_axes(&self, scene: &mut Scene) {
        self.axes(scene, short, short);
    }
}

fn share(number: f64, [from, to]: [f64; 2]) -> f32 {
    if to > from { ((number - from) / (to - from)).clamp(0.0, 1.0) as f32 } else { 0.5 }
}

/// Round numbers within a range: about `count` of them.
pub(super) fn ticks([from, to]: [f64; 2], count: usize) -> Vec<f64> {
    let raw = (to - from) / count as f64;
    if !(raw > 0.0 && raw.is_finite()) {
        return vec![from];
    }
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= raw * 0.999).unwrap_or(10.0 * power);
    let first = (from / step).ceil() as i64;
    (first..=first + 2 * count as i64).map(|index| index as f64 * step).take_while(|number| *number <= to + step * 1e-9).collect()
}

#[cfg(test)]
mod tests;
