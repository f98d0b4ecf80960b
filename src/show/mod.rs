//! Pictures of networks: pure functions from nets to [`Scene`]s, and the page that shows them.
//!
//! | file | shows |
//! | --- | --- |
//! | `placement` | where a weight of a piece square stands |
//! | `matrix` | weights, or their difference to a reference, as numbers |
//! | `input` | input weights of all neurons, PSQT, threats, pawn pairs |
//! | `dense` | weights and biases of the dense layers |
//! | `histogram` | how weights are distributed, in one net or several |
//! | `floats` | networks of floats: distributions, tiles |
//! | `blocks` | zero blocks before and after a permutation, the search's gain |
//! | `ranges` | how large the transformer's sums become |
//! | `rounding` | what quantizing changed |
//! | `page/` | all of it in one HTML file, with the numbers under the pointer |
//!
//! Everything is asked of the integers that an engine holds; only `rounding` and `floats` look at floats. Reads and writes no file.

mod blocks;
mod charts;
mod dense;
mod floats;
mod histogram;
mod input;
mod matrix;
mod page;
mod placement;
mod ranges;
mod rounding;

pub use blocks::{Activations, Climb, activations};
pub use dense::{bias_picture, dense_pictures};
pub use floats::{Spread, Tiles};
pub use histogram::{Distribution, dense_distributions, histogram, input_distributions, overlaid};
pub use input::{Arrangement, Inputs, common_ramp, input_pictures, mean_boards, norms_picture, order_of_neurons};
pub use matrix::{Matrix, matrices};
pub use page::{Body, Cell, Detail, Page, Section, Table};
pub use placement::{PieceSquares, WIDTH, place};
pub use ranges::{SumRanges, sums_picture};
pub use rounding::{TensorError, rounding, rounding_picture};

use crate::draw::{Ramp, Scheme};
use crate::error::{Error, Result};
use crate::net::QuantizedNetwork;
use crate::words::NeuronOrder;

pub use crate::draw::Scene;

/// What is shown.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Stands in titles.
    pub label: &'a str,
    /// The network.
    pub network: &'a QuantizedNetwork,
    /// What is subtracted from it.
    pub reference: Option<&'a QuantizedNetwork>,
}

impl<'a> Subject<'a> {
    /// A network, or its difference to another one.
    ///
    /// # Errors
    /// When the two cannot be subtracted from each other.
    pub fn new(label: &'a str, network: &'a QuantizedNetwork, reference: Option<&'a QuantizedNetwork>) -> Result<Self> {
        if let Some(other) = reference {
            let (a, b) = (&network.architecture, &other.architecture);
            let shape = |net: &QuantizedNetwork| {
                let architecture = &net.architecture;
                let dense = architecture.dense_shapes();
                (architecture.features.blocks.clone(), architecture.l1, dense, net.stacks.len(), architecture.generation.psqt_buckets)
            };
            if shape(network) != shape(other) {
                let describe = |net: &crate::net::Architecture| {
                    format!("{} with {}, L1={}, L2={}, L3={}", net.generation.name, net.features.name(), net.l1, net.l2, net.l3)
                };
                return Err(Error::usage("the two networks have no common weights to subtract")
                    .because(format!("the first is {}, the reference {}", describe(a), describe(b)))
                    .help("a reference needs the same features and sizes; several files after each other compare histograms"));
            }
            if a.quantization != b.quantization {
                return Err(Error::usage("the two networks have different scales")
                    .because(format!("the first has {}, the reference {}", a.quantization.name, b.quantization.name))
                    .help("`--quantization` says which scales are meant where the files do not"));
            }
        }
        Ok(Self { label, network, reference })
    }

    fn title(&self, what: &str) -> String {
        titled(self.label, what)
    }
}

/// `what [label]`, as the trainer's titles are.
fn titled(label: &str, what: &str) -> String {
    format!("{what} [{label}]")
}

/// Which numbers have which colours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Value of the first colour; from 0 on, sizes are shown.
    pub low: Option<f64>,
    /// Value of the last colour.
    pub high: Option<f64>,
    /// From the smallest to the largest value.
    pub auto: bool,
}

impl Limits {
    /// The colours of `numbers`, which are values times `one`: as asked for, or so that nearly all values can be told apart.
    fn ramp(self, numbers: impl Iterator<Item = i32>, one: f64) -> Ramp {
        let asked = self.low.is_some() || self.high.is_some();
        if asked && !self.auto {
            let high = self.high.unwrap_or_else(|| self.low.map_or(1.0, f64::abs));
            let low = self.low.unwrap_or(-high);
            let absolute = low >= 0.0;
            return Ramp { scheme: if absolute { Scheme::Viridis } else { Scheme::CoolWarm }, low, high, absolute };
        }
        let mut sizes: Vec<u32> = Vec::new();
        let (mut low, mut high) = (0, 0);
        for number in numbers.filter(|number| *number != crate::draw::scene::BLANK) {
            sizes.push(number.unsigned_abs());
            (low, high) = (low.min(number), high.max(number));
        }
        if self.auto {
            return Ramp { scheme: Scheme::CoolWarm, low: f64::from(low) / one, high: f64::from(high) / one, absolute: false };
        }
        let place = (sizes.len() * 98 / 100).min(sizes.len().saturating_sub(1));
        let limit = if sizes.is_empty() { 1 } else { *sizes.select_nth_unstable(place).1 };
        Ramp::around_zero(f64::from(limit.max(1)) / one)
    }
}

/// How pictures are made.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How the weights of a neuron are arranged.
    pub order: NeuronOrder,
    /// Neurons with the largest sum of sizes come first.
    pub sort_neurons: bool,
    /// Colours of input weights.
    pub input: Limits,
    /// Colours of dense weights and biases.
    pub dense: Limits,
    /// Pixels that the picture of all neurons may have: width, height.
    pub size: [usize; 2],
}

impl Default for Options {
    /// As the trainer's script draws, in colours that tell nearly all values apart.
    fn default() -> Self {
        Self { order: NeuronOrder::default(), sort_neurons: false, input: Limits::default(), dense: Limits::default(), size: [1600, 900] }
    }
}
