//! How large the transformer's sums become, neuron by neuron, beside what their 16 bits hold.

use super::Subject;
use super::charts::Plot;
use crate::draw::{Anchor, Area, Ink, Scene};
use crate::evaluate::Range;

/// The sums of all neurons.
#[derive(Debug, Clone, Copy)]
pub struct SumRanges<'a> {
    /// What any legal position can make of them.
    pub possible: &'a [Range],
    /// What some positions did, where it is known, and how many.
    pub seen: Option<(&'a [Range], usize)>,
}

/// The ranges of all sums, the largest first.
pub fn sums_picture(subject: &Subject<'_>, of: &SumRanges<'_>) -> Scene {
    let title = subject.title("how large the transformer's sums can become, neuron by neuron, sorted");
    let mut scene = Scene::new("accumulators", title.clone(), 1000.0, 420.0);
    scene.heading([0.0, 18.0], title);
    let mut order: Vec<usize> = (0..of.possible.len()).collect();
    order.sort_by_key(|neuron| (std::cmp::Reverse(of.possible[*neuron].size()), *neuron));
    let largest = order.first().map_or(0, |neuron| of.possible[*neuron].size());
    let limit = largest.max(i64::from(i16::MAX)) as f64 * 1.08;
    let plot = Plot { area: Area::new(90.0, 40.0, 880.0, 310.0), x: [0.0, order.len().max(1) as f64], y: [-limit, limit] };
    plot.plain_axes(&mut scene);
    for (place, neuron) in order.iter().enumerate() {
        let (left, right) = (plot.at_x(place as f64), plot.at_x(place as f64 + 1.0));
        let Range { low, high } = of.possible[*neuron];
        let mut bar = |range: &Range, ink: Ink, hover: String| {
            let (top, bottom) = (plot.at_y(range.high as f64), plot.at_y(range.low as f64));
            scene.bar(Area::new(left, top, (right - left).max(0.5), (bottom - top).max(0.5)), ink, hover);
        };
        let ink = if of.possible[*neuron].fits_i16() { Ink::Series(0) } else { Ink::Limit };
        bar(&of.possible[*neuron], ink, format!("neuron {neuron}: {low} to {high} possible"));
        if let Some(seen) = of.seen.and_then(|(seen, _)| seen.get(*neuron)) {
            bar(seen, Ink::Series(1), format!("neuron {neuron}: {} to {} seen, {low} to {high} possible", seen.low, seen.high));
        }
    }
    for end in [i16::MIN, i16::MAX] {
        let at = plot.at_y(f64::from(end));
        scene.line([90.0, at], [970.0, at], Ink::Limit, 1.0);
        scene.label([966.0, if end < 0 { at - 5.0 } else { at + 14.0 }], Anchor::End, Ink::Limit, format!("i16: {end}"));
    }
    let over = of.possible.iter().filter(|range| !range.fits_i16()).count();
    let verdict = if over == 0 { "no legal position overflows i16".to_owned() } else { format!("{over} neurons may overflow i16") };
    scene.fill(Area::new(90.0, 390.0, 22.0, 4.0), if over == 0 { Ink::Series(0) } else { Ink::Limit });
    scene.label([120.0, 396.0], Anchor::Start, Ink::Text, format!("possible: {verdict}"));
    if let Some((_, positions)) = of.seen {
        scene.fill(Area::new(540.0, 390.0, 22.0, 4.0), Ink::Series(1));
        scene.label([570.0, 396.0], Anchor::Start, Ink::Text, format!("seen in {positions} positions"));
    }
    scene
}

#[cfg(test)]
mod tests;
