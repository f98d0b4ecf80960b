//! How the weights of a tensor are distributed: in one net as bars, in several as lines over each other.

use rayon::prelude::*;

use super::charts::Plot;
use super::matrix::matrices;
use super::{Matrix, Subject};
use crate::draw::scene::{grouped, short};
use crate::draw::{Anchor, Area, Ink, Scene};
use crate::net::{LAYER_NAMES, padded};

/// Most bins of a distribution.
const BINS: i64 = 512;

/// Counts of stored integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Stable: for names of pictures.
    pub name: String,
    /// For people.
    pub title: String,
    /// Smallest and largest number.
    pub range: [i64; 2],
    /// Smallest and largest number that the type holds.
    pub limits: [i64; 2],
    /// First number of the first bin.
    pub first: i64,
    /// Integers in a bin.
    pub width: i64,
    /// Numbers in each bin.
    pub counts: Vec<u64>,
}

impl Distribution {
    /// How many numbers there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Numbers that can be gone through more than once.
enum Numbers<'a> {
    Matrix(Matrix<'a>),
    List(Vec<i32>),
}

impl Numbers<'_> {
    fn fold<T: Send>(&self, empty: impl Fn() -> T + Sync, visit: impl Fn(&mut T, i32) + Sync, join: impl Fn(T, T) -> T + Send + Sync) -> T {
        match self {
            Self::List(numbers) => numbers.iter().fold(empty(), |mut sum, number| {
                visit(&mut sum, *number);
                sum
            }),
            Self::Matrix(matrix) => {
                const ROWS: usize = 256;
                let parts = (0..matrix.block.rows().div_ceil(ROWS)).into_par_iter().map(|part| {
                    let mut sum = empty();
                    // `each` wants a place for each column; what is summed is one thing.
                    let mut places = vec![(); matrix.columns];
                    for row in part * ROWS..((part + 1) * ROWS).min(matrix.block.rows()) {
                        matrix.each(row, 0, &mut places, |(), number| visit(&mut sum, number));
                    }
                    sum
                });
                parts.reduce(&empty, join)
            }
        }
    }

    fn range(&self) -> Option<[i64; 2]> {
        let seen = self.fold(
            || None,
            |range: &mut Option<[i32; 2]>, number| {
                *range = Some(range.map_or([number; 2], |[low, high]| [low.min(number), high.max(number)]));
            },
            |a, b| match (a, b) {
                (Some([low, high]), Some([other_low, other_high])) => Some([low.min(other_low), high.max(other_high)]),
                (a, b) => a.or(b),
            },
        );
        seen.map(|range| range.map(i64::from))
    }

    fn distribution(&self, name: &str, title: &str, limits: [i64; 2], bins: Option<([i64; 2], i64)>) -> Option<Distribution> {
        let range = self.range()?;
        let (span, width) = bins.unwrap_or_else(|| (range, width_of(range)));
        let count = ((span[1] - span[0]) / width + 1).max(1) as usize;
        let counts = self.fold(
            || vec![0u64; count],
            |counts, number| {
                let bin = (i64::from(number) - span[0]) / width;
                if let Some(count) = usize::try_from(bin).ok().and_then(|bin| counts.get_mut(bin)) {
                    *count += 1;
                }
            },
            |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            },
        );
        Some(Distribution { name: name.to_owned(), title: title.to_owned(), range, limits, first: span[0], width, counts })
    }
}

fn width_of([low, high]: [i64; 2]) -> i64 {
    ((high - low + 1) as u64).div_ceil(BINS as u64).max(1) as i64
}

/// Name, title, numbers and limits of the transformer's tensors.
fn input_numbers<'a>(subject: &Subject<'a>) -> Vec<(String, String, Numbers<'a>, [i64; 2])> {
    let limits_of = |bits: u32| {
        let high = (1i64 << (bits - 1)) - 1;
        // A difference can be twice as large as what it is the difference of.
        if subject.reference.is_some() { [-2 * high - 1, 2 * high + 1] } else { [-high - 1, high] }
    };
    let mut all = Vec::new();
    for ((matrix, psqt), block) in matrices(subject).into_iter().zip(&subject.network.blocks) {
        let narrow = matches!(block.weights, crate::net::BlockWeights::I8(_));
        let name = block.block.name().to_lowercase().replace('_', "-");
        let title = format!("{} weights", block.block.name());
        all.push((format!("input-weights-histogram-{name}"), title, Numbers::Matrix(matrix), limits_of(if narrow { 8 } else { 16 })));
        if let Some(psqt) = psqt {
            let title = format!("{} PSQT", block.block.name());
            all.push((format!("psqt-histogram-{name}"), title, Numbers::Matrix(psqt), limits_of(32)));
        }
    }
    all
}

/// Distributions of the transformer's weights and PSQT, block by block.
pub fn input_distributions(subject: &Subject<'_>) -> Vec<Distribution> {
    input_numbers(subject).iter().filter_map(|(name, title, numbers, limits)| numbers.distribution(name, title, *limits, None)).collect()
}

/// Name, title, numbers and limits of each dense layer: all buckets together.
fn dense_numbers(subject: &Subject<'_>) -> Vec<(String, String, Numbers<'static>, [i64; 2])> {
    let layers = LAYER_NAMES.into_iter().enumerate().map(|(layer, name)| {
        let mut numbers = Vec::new();
        for (bucket, stack) in subject.network.stacks.iter().enumerate() {
            let dense = &stack.layers[layer];
            let other = subject.reference.map(|net| &net.stacks[bucket].layers[layer]);
            for output in 0..dense.bias.len() {
                let place = output * padded(dense.inputs)..output * padded(dense.inputs) + dense.inputs;
                let own = dense.weights[place.clone()].iter().enumerate();
                let other = other.map(|other| &other.weights[place]);
                numbers.extend(own.map(|(input, weight)| i32::from(*weight) - other.map_or(0, |other| i32::from(other[input]))));
            }
        }
        let limits = if subject.reference.is_some() { [-255, 255] } else { [-128, 127] };
        (format!("{name}-weights-histogram"), format!("{name} weights, all buckets"), Numbers::List(numbers), limits)
    });
    layers.collect()
}

/// Distributions of the dense layers' weights.
pub fn dense_distributions(subject: &Subject<'_>) -> Vec<Distribution> {
    dense_numbers(subject).iter().filter_map(|(name, title, numbers, limits)| numbers.distribution(name, title, *limits, None)).collect()
}

/// Distributions of the same tensors of several nets, in the same bins: tensors that all of them have.
pub fn overlaid(subjects: &[Subject<'_>]) -> Vec<Vec<Distribution>> {
    let all: Vec<_> = subjects
        .iter()
        .map(|subject| {
            let mut numbers = input_numbers(subject);
            numbers.extend(dense_numbers(subject));
            numbers
        })
        .collect();
    let Some((first, others)) = all.split_first() else { return Vec::new() };
    let mut groups = Vec::new();
    for (name, _, numbers, _) in first {
        let same: Option<Vec<&Numbers<'_>>> =
            others.iter().map(|other| other.iter().find(|(theirs, ..)| theirs == name).map(|(_, _, numbers, _)| numbers)).collect();
        let Some(mut same) = same else { continue };
        same.insert(0, numbers);
        let ranges: Option<Vec<[i64; 2]>> = same.iter().map(|numbers| numbers.range()).collect();
        let Some(span) = ranges.and_then(|ranges| ranges.into_iter().reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])) else { continue };
        let found = all.iter().zip(&same).filter_map(|(own, numbers)| {
            let (name, title, _, limits) = own.iter().find(|(theirs, ..)| theirs == name)?;
            numbers.distribution(name, title, *limits, Some((span, width_of(span))))
        });
        groups.push(found.collect());
    }
    groups
}

/// The picture of one distribution, or of several in the same bins; `labels` name them, `one` is what stands for 1.0.
pub fn histogram(distributions: &[Distribution], labels: &[String], is_log: bool) -> Option<Scene> {
    let first = distributions.first()?;
    let title = match labels {
        [label] => format!("{} [{label}]", first.title),
        _ => format!("{} of {} nets", first.title, labels.len()),
    };
    let suffix = if is_log { "-log" } else { "" };
    let legend = if labels.len() > 1 { 18.0 * labels.len() as f32 } else { 0.0 };
    let mut scene = Scene::new(format!("{}{suffix}", first.name), title.clone(), 1000.0, 350.0 + legend);
    scene.heading([0.0, 18.0], title);
    let most = distributions.iter().flat_map(|one| &one.counts).copied().max().unwrap_or(0).max(1) as f64;
    // Counts of nothing have no logarithm: the axis begins below one.
    let scaled = |count: u64| if is_log { (count as f64).max(0.5).log10() } else { count as f64 };
    let last = first.first + first.width * first.counts.len() as i64;
    // Limits that are near belong to the picture; far ones would leave nothing to see.
    let span = (last - first.first) as f64;
    let near = |limit: i64| (limit as f64 - first.first as f64).abs().min((limit as f64 - last as f64).abs()) <= span.max(200.0);
    let mut x = [first.first as f64, last as f64];
    for limit in first.limits.into_iter().filter(|limit| near(*limit)) {
        x = [x[0].min(limit as f64 - 1.0), x[1].max(limit as f64 + 2.0)];
    }
    let y = if is_log { [scaled(0), most.log10() * 1.03 + 0.1] } else { [0.0, most * 1.05] };
    let plot = Plot { area: Area::new(90.0, 46.0, 880.0, 240.0), x, y };
    if is_log {
        let power = |number: f64| if number >= 0.0 && number.fract().abs() < 1e-9 { short(10f64.powf(number)) } else { String::new() };
        plot.axes(&mut scene, grouped_integer, power);
    } else {
        plot.axes(&mut scene, grouped_integer, grouped_integer);
    }
    let single = distributions.len() == 1;
    for (series, one) in distributions.iter().enumerate() {
        let mut outline = Vec::with_capacity(2 * one.counts.len() + 2);
        for (bin, count) in one.counts.iter().enumerate() {
            let from = one.first + bin as i64 * one.width;
            let (left, right) = (plot.at_x(from as f64), plot.at_x((from + one.width) as f64));
            let top = plot.at_y(scaled(*count));
            if single && *count > 0 {
                let what = if one.width == 1 { from.to_string() } else { format!("{from} to {}", from + one.width - 1) };
                let base = plot.area.y + plot.area.height;
                scene.bar(
                    Area::new(left, top, (right - left).max(0.4), base - top),
                    Ink::Series(0),
                    format!("{what}: {}", grouped(*count)),
                );
            }
            outline.push([left, top]);
            outline.push([right, top]);
        }
        if !single {
            scene.items.push(crate::draw::Item::Curve { points: outline, ink: Ink::Series(series), width: 1.3 });
        }
    }
    for limit in first.limits {
        if near(limit) {
            let at = plot.at_x(limit as f64 + 0.5);
            scene.line([at, plot.area.y], [at, plot.area.y + plot.area.height], Ink::Limit, 1.0);
            scene.label([at, plot.area.y - 4.0], Anchor::Middle, Ink::Limit, limit.to_string());
        }
    }
    let [low, high] = distributions.iter().fold(first.range, |[low, high], one| [low.min(one.range[0]), high.max(one.range[1])]);
    let far = first.limits.into_iter().all(|limit| !near(limit));
    let share = (high.max(-low) as f64 / first.limits[1] as f64 * 100.0).max(0.0);
    let reach = if far {
        format!("; the type's limits {} and {} are farther out ({share:.1} %)", first.limits[0], first.limits[1])
    } else {
        String::new()
    };
    let total = grouped(first.total());
    let text = if single { format!("{total} weights, {low} to {high}{reach}") } else { format!("{low} to {high}{reach}") };
    scene.label([90.0, 328.0], Anchor::Start, Ink::Muted, text);
    if !single {
        for (series, label) in labels.iter().enumerate() {
            let y = 346.0 + 18.0 * series as f32;
            scene.fill(Area::new(90.0, y - 9.0, 22.0, 4.0), Ink::Series(series));
            scene.label([120.0, y - 2.0], Anchor::Start, Ink::Text, label.clone());
        }
    }
    Some(scene)
}

fn grouped_integer(number: f64) -> String {
    if number.fract() != 0.0 {
        return String::new();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.abs() as u64))
}

#[cfg(test)]
mod tests;
