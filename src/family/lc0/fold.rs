//! Batch norms folded into their convolutions, as lc0 does at load: all in single precision, each operation rounded.

use super::{
    layer::{Decode, Encoding, Layer},
    schema::CONV_BLOCK,
    wire::Message,
};
use crate::error::{Error, Result};

/// What a folded block consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The kernel.
    Weights,
    /// One number an output.
    Biases,
}

impl Part {
    /// The field's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Biases => "biases",
        }
    }
}

/// A convolution with its batch norm, whose sizes are checked.
#[derive(Debug, Clone)]
pub struct Folded<'a> {
    block: &'a Message,
    decode: Decode,
    weights: usize,
    biases: usize,
    plain: bool,
}

const EPSILON: f32 = 1e-5;

impl<'a> Folded<'a> {
    /// Looks at a block. No values are read.
    ///
    /// # Errors
    /// When a layer has an unknown encoding, or when lc0 would read beyond the end of a vector.
    pub fn of(block: &'a Message, decode: Decode) -> Result<Self> {
        let count = |name: &str| Layer::find(block, name).map_or(Ok(0), |layer| layer.count(decode));
        let (weights, biases, means) = (count("weights")?, count("biases")?, count("bn_means")?);
        let (gammas, betas, variances) = (count("bn_gammas")?, count("bn_betas")?, count("bn_stddivs")?);
        let plain = weights == 0 || means == 0;
        // Without biases there are as many zeros as means.
        let outputs = if biases == 0 { means } else { biases };
        if !plain {
            let (gammas, betas) = if betas == 0 { (gammas + means, means) } else { (gammas, betas) };
            let sizes = [("bn_gammas", gammas, outputs), ("bn_betas", betas, outputs), ("bn_means", means, outputs)];
            let too_many = [("bn_gammas", gammas), ("bn_means", means), ("biases", outputs)];
            for (name, have, need) in sizes.into_iter().chain(too_many.map(|(name, have)| (name, have, variances))) {
                if have < need {
                    return Err(Error::new(format!("`{name}` has {have} elements, {need} are needed")));
                }
            }
        }
        Ok(Self { block, decode, weights, biases: outputs, plain })
    }

    /// Whether there is a batch norm to fold.
    pub fn is_folded(&self) -> bool {
        !self.plain
    }

    /// Elements of the kernel.
    pub fn weights_len(&self) -> usize {
        self.weights
    }

    /// Elements of the biases.
    pub fn biases_len(&self) -> usize {
        self.biases
    }

    /// What the block holds, with the names of the fields.
    pub fn layers(&self) -> impl Iterator<Item = (&'static str, Layer<'a>)> {
        CONV_BLOCK.fields.iter().filter_map(|field| Some((field.name, Layer::find(self.block, field.name)?)))
    }

    fn layer(&self, name: &str) -> Result<Vec<f32>> {
        Layer::find(self.block, name).map_or(Ok(Vec::new()), |layer| layer.values(self.decode))
    }

    /// Whether a variance makes lc0 take the root of a number below zero.
    pub fn is_without_root(variance: f32) -> bool {
        variance + EPSILON < 0.0
    }

    /// The folded values of a part.
    ///
    /// # Errors
    /// When the memory does not suffice, and when finite numbers become NaN or infinite, with which lc0 would compute.
    pub fn values(&self, part: Part) -> Result<Vec<f32>> {
        let vectors = self.vectors()?;
        let values = match part {
            Part::Biases => vectors.biases,
            Part::Weights => self.scaled(&vectors.gammas)?,
        };
        match odd(&values) {
            Some((at, value)) if self.is_of_numbers()? => {
                let is_root = self.layer("bn_stddivs")?.into_iter().any(Self::is_without_root);
                let why = if is_root { "a variance is below zero" } else { "a product is too large for single precision" };
                Err(Error::new(format!("folding its batch norm makes {value} of element {at} of `{}`", part.name()))
                    .because(why)
                    .help("repair the layer; `--view raw` writes what is stored"))
            }
            _ => Ok(values),
        }
    }

    /// The weights, each multiplied with the factor of its output.
    fn scaled(&self, gammas: &[f32]) -> Result<Vec<f32>> {
        let mut weights = self.layer("weights")?;
        let inputs = weights.len() / self.biases.max(1);
        if inputs > 0 {
            for (row, gamma) in weights.chunks_exact_mut(inputs).zip(gammas).take(self.biases) {
                row.iter_mut().for_each(|weight| *weight *= gamma);
            }
        }
        Ok(weights)
    }

    /// Whether a weight may be too large for its factor: most are so far from it that they need not be looked at.
    fn may_be_too_large(&self, gammas: &[f32]) -> bool {
        let Some(layer) = Layer::find(self.block, "weights") else { return false };
        let greatest = match layer.encoding_for(self.decode) {
            Ok(Encoding::Linear16) => layer.min().abs().max(layer.max().abs()),
            Ok(Encoding::Float16) => 65504.0,
            _ => f32::MAX,
        };
        gammas.iter().any(|gamma| !(gamma * greatest * 2.0).is_finite())
    }

    /// What folding makes NaN or infinite, although all numbers of the block are finite; `None` where there is nothing.
    ///
    /// # Errors
    /// When the memory does not suffice.
    pub fn odd_vector(&self) -> Result<Option<String>> {
        if !self.is_folded() {
            return Ok(None);
        }
        let vectors = self.vectors()?;
        let mut found = odd(&vectors.gammas).map(|(at, value)| format!("makes the scale of output {at} {value}"));
        found = found.or_else(|| odd(&vectors.biases).map(|(at, value)| format!("makes the bias of output {at} {value}")));
        if found.is_none() && self.may_be_too_large(&vectors.gammas) {
            found = odd(&self.scaled(&vectors.gammas)?).map(|(at, value)| format!("makes element {at} of `weights` {value}"));
        }
        if found.is_some() && !self.is_of_numbers()? {
            found = None;
        }
        Ok(found)
    }

    /// Whether all values of the block are numbers.
    fn is_of_numbers(&self) -> Result<bool> {
        for (_, layer) in self.layers() {
            if odd(&layer.values(self.decode)?).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the weights are multiplied with, and the biases.
    fn vectors(&self) -> Result<Vectors> {
        let (mut gammas, mut betas) = (self.layer("bn_gammas")?, self.layer("bn_betas")?);
        let (mut means, mut biases) = (self.layer("bn_means")?, self.layer("biases")?);
        if betas.is_empty() {
            betas = vec![0.0; means.len()];
            // lc0 appends: gammas that are there come first, and win.
            gammas.extend(std::iter::repeat_n(1.0, means.len()));
        }
        if biases.is_empty() {
            biases = vec![0.0; means.len()];
        }
        for (at, variance) in self.layer("bn_stddivs")?.into_iter().enumerate() {
            gammas[at] *= 1.0 / (variance + EPSILON).sqrt();
            means[at] -= biases[at];
        }
        let biases = (0..self.biases).map(|at| -gammas[at] * means[at] + betas[at]).collect();
        Ok(Vectors { gammas, biases })
    }
}

/// A batch norm on its way into a convolution.
struct Vectors {
    gammas: Vec<f32>,
    biases: Vec<f32>,
}

/// The first value that is no number, and where it is.
fn odd(values: &[f32]) -> Option<(usize, f32)> {
    values.iter().position(|value| !value.is_finite()).map(|at| (at, values[at]))
}

#[cfg(test)]
mod tests;
