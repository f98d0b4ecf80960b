//! Which of the layouts that account for every byte of a file is meant: what the file shows, then what the user asserts.
//!
//! A header cannot tell SFNNv4 from SFNNv5: both have the same rows, of which the older one calls a part padding. Whatever stands in
//! such columns decides, for the user as well: an assertion never turns a weight into padding, which a permutation would clear.

use super::Expectation;
use super::read::Layout;
use crate::error::{Error, Result};
use crate::net::{Architecture, GENERATIONS, LAYER_NAMES, padded};

/// Rows of padding that may hold bytes other than zero: released nets hide a nonce in one row.
pub const NONCE_ROWS: usize = 2;

/// The layouts of a file, and what its bytes say of them.
pub(super) struct Readings {
    /// Never empty, best first.
    plausible: Vec<Layout>,
    /// Those that take weights for padding.
    contradicted: Vec<(Layout, Contradiction)>,
}

/// What stands where a layout has padding.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Contradiction {
    /// Bytes other than zero.
    bytes: usize,
    /// Name of the layer that has the first of them.
    layer: &'static str,
    /// Columns of that layer that the layout calls padding and that hold such bytes: the first and the last.
    columns: (usize, usize),
}

/// What stands in the columns from `from(layer)` to `to(layer)` of the stored rows: a summary, and the rows that have any of it.
fn non_zero(bytes: &[u8], layout: &Layout, columns: [std::ops::Range<usize>; 3]) -> (Option<Contradiction>, usize) {
    let mut found: Option<Contradiction> = None;
    let mut rows = 0;
    let mut at = layout.stacks_at;
    for _ in 0..layout.architecture.generation.stacks {
        at += 4;
        for (index, (outputs, inputs)) in layout.architecture.dense_shapes().into_iter().enumerate() {
            at += 4 * outputs;
            let stored = outputs * padded(inputs);
            for row in bytes[at..at + stored].chunks_exact(padded(inputs)) {
                let used = columns[index].clone().filter(|&column| row[column] != 0);
                let Some((count, first, last)) = used.fold(None, |sum: Option<(usize, usize, usize)>, column| {
                    Some(sum.map_or((1, column, column), |(count, first, _)| (count + 1, first, column)))
                }) else {
                    continue;
                };
                rows += 1;
                let sum = found.get_or_insert(Contradiction { bytes: 0, layer: LAYER_NAMES[index], columns: (first, last) });
                sum.bytes += count;
                if sum.layer == LAYER_NAMES[index] {
                    sum.columns = (sum.columns.0.min(first), sum.columns.1.max(last));
                }
            }
            at += stored;
        }
    }
    (found, rows)
}

/// What `layout` calls padding and is not: more than a nonce, or anything that `rivals`, which share its rows, call weights.
fn contradiction(bytes: &[u8], layout: &Layout, rivals: &[[(usize, usize); 3]]) -> Option<Contradiction> {
    let shapes = layout.architecture.dense_shapes();
    let stored = |shapes: &[(usize, usize); 3]| shapes.map(|(outputs, inputs)| (outputs, padded(inputs)));
    let padding = |index: usize| shapes[index].1..padded(shapes[index].1);
    let (found, rows) = non_zero(bytes, layout, [padding(0), padding(1), padding(2)]);
    if rows > NONCE_ROWS {
        return found;
    }
    found.as_ref()?;
    rivals.iter().filter(|rival| stored(rival) == stored(&shapes)).find_map(|rival| {
        let claimed = |index: usize| shapes[index].1..rival[index].1;
        non_zero(bytes, layout, [claimed(0), claimed(1), claimed(2)]).0
    })
}

/// How far a layout is from what was trained: first its transformer, then all of it.
fn untrained(layout: &Layout) -> (bool, usize) {
    let (found, entry) = (&layout.architecture, layout.architecture.generation);
    let blocks_differ = found.features.blocks != entry.blocks;
    let l1_differs = blocks_differ || found.l1 != entry.l1;
    (l1_differs, usize::from(blocks_differ) + usize::from((found.l2, found.l3) != (entry.l2, entry.l3)))
}

impl Readings {
    /// Orders the layouts, which are not none, and drops those that the best one makes implausible.
    ///
    /// A reading is better when what it calls padding is zero, then when it is a trained combination of blocks and sizes, then when
    /// it leaves the least as padding. Readings that differ from the best one only in this last point stay.
    pub(super) fn of(bytes: &[u8], layouts: Vec<Layout>) -> Self {
        let shapes: Vec<[(usize, usize); 3]> = layouts.iter().map(|layout| layout.architecture.dense_shapes()).collect();
        let inputs = |layout: &Layout| layout.architecture.dense_shapes().map(|(_, inputs)| inputs).iter().sum::<usize>();
        let mut judged: Vec<(Layout, Option<Contradiction>)> = layouts
            .into_iter()
            .map(|layout| {
                let contradiction = contradiction(bytes, &layout, &shapes);
                (layout, contradiction)
            })
            .collect();
        // The sort is stable: among equals the oldest generation stays first.
        judged.sort_by_cached_key(|(layout, contradiction)| {
            (contradiction.as_ref().map_or(0, |found| found.bytes), untrained(layout), inputs(layout))
        });
        let best = (judged[0].1.as_ref().map_or(0, |found| found.bytes), untrained(&judged[0].0));
        let mut readings = Self { plausible: Vec::new(), contradicted: Vec::new() };
        for (layout, contradiction) in judged {
            match contradiction {
                // What stands in the padding of the best reading stays there: nothing explains it better.
                Some(found) if found.bytes > best.0 => readings.contradicted.push((layout, found)),
                _ if untrained(&layout) <= best.1 => readings.plausible.push(layout),
                _ => {}
            }
        }
        readings
    }

    /// The plausible architectures, oldest generation first.
    pub(super) fn candidates(&self) -> Vec<Architecture> {
        let mut candidates: Vec<Architecture> = self.plausible.iter().map(|layout| layout.architecture.clone()).collect();
        candidates.sort_by_key(|candidate| GENERATIONS.iter().position(|generation| generation == candidate.generation));
        candidates
    }

    /// The best reading that is what the user asserts.
    ///
    /// # Errors
    /// When the file, or what it shows in the place of padding, contradicts an assertion.
    pub(super) fn expected(self, expected: &Expectation) -> Result<Layout> {
        self.check_each(expected)?;
        let mut layout = self
            .plausible
            .into_iter()
            .find(|layout| is_expected(&layout.architecture, expected))
            .ok_or_else(|| Error::new("no layout of the file has the expected architecture, L1, L2 and L3 together"))?;
        if let Some(wanted) = expected.quantization {
            let known = layout.architecture.generation.quantizations;
            if !known.contains(&wanted) {
                let known: Vec<&str> = known.iter().map(|quantization| quantization.name).collect();
                return Err(Error::new(format!(
                    "quantization `{}` is not one of {}: {}",
                    wanted.name,
                    layout.architecture.generation.name,
                    known.join(", ")
                ))
                .about("quantization"));
            }
            layout.architecture.quantization = wanted;
        }
        Ok(layout)
    }

    /// Each assertion by itself, so that the message names the one that is wrong.
    fn check_each(&self, expected: &Expectation) -> Result<()> {
        let first = &self.plausible[0].architecture;
        if let Some(features) = &expected.features
            && first.features.name() != features.replace('^', "")
        {
            return Err(self.mismatch("features", format!("`{}`", first.features.name()), format!("`{features}`"), expected));
        }
        for (what, wanted, found) in
            [("l1", expected.l1, (|a| a.l1) as fn(&Architecture) -> usize), ("l2", expected.l2, |a| a.l2), ("l3", expected.l3, |a| a.l3)]
        {
            if let Some(wanted) = wanted
                && !self.plausible.iter().any(|layout| found(&layout.architecture) == wanted)
            {
                return Err(self.mismatch(what, found(first).to_string(), wanted.to_string(), expected));
            }
        }
        let names: Vec<&str> = self.plausible.iter().map(|layout| layout.architecture.generation.name).collect();
        match expected.architecture {
            Some(wanted) if !names.contains(&wanted.name) => {
                Err(self.mismatch("architecture", names.join(" or "), wanted.name.into(), expected))
            }
            _ => Ok(()),
        }
    }

    /// What contradicts an assertion: the file's weights where the asserted reading has padding, or its header and length.
    fn mismatch(&self, key: &'static str, found: String, wanted: String, expected: &Expectation) -> Error {
        let first = &self.plausible[0].architecture;
        let what = if key.starts_with('l') { key.to_uppercase() } else { key.to_owned() };
        let error = Error::new(format!("{what}={found} in the file, {wanted} expected"));
        let asserted = Expectation { quantization: None, ..expected.clone() };
        let shown = self.contradicted.iter().find(|(layout, _)| is_expected(&layout.architecture, &asserted));
        let error = match shown {
            Some((layout, Contradiction { bytes, layer, columns: (from, to) })) => {
                let name = layout.architecture.generation.name;
                error
                    .because(format!(
                        "columns {from} to {to} of `{layer}` hold weights; {name} takes them for padding, and would lose what stands there: \
                         {bytes} values other than zero"
                    ))
                    .because(format!("the file is of {}", first.generation.name))
            }
            None => {
                error.because(format!("the file holds `{}` with L1={}, L2={}, L3={}", first.features.name(), first.l1, first.l2, first.l3))
            }
        };
        error.help(format!("correct or remove `{key}`, or give the file that was meant")).about(key)
    }
}

fn is_expected(found: &Architecture, expected: &Expectation) -> bool {
    expected.features.as_ref().is_none_or(|features| features.replace('^', "") == found.features.name())
        && expected.architecture.is_none_or(|wanted| wanted == found.generation)
        && expected.l1.is_none_or(|l1| l1 == found.l1)
        && expected.l2.is_none_or(|l2| l2 == found.l2)
        && expected.l3.is_none_or(|l3| l3 == found.l3)
}
