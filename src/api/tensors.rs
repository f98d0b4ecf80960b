//! Weights as plain arrays: out of a network, back into one, and out of files of floats.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use super::Net;
use crate::error::{Error, Result};
use crate::family::nnue::stages::load::load_tensors;
use crate::files::Bytes;
use crate::net::{BlockWeights, Dense, LAYER_NAMES, QuantizedNetwork, padded, read_all};
use crate::words::suggest;

/// Values of a tensor, row-major, in the type of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Values<'a> {
    /// Signed, 8 bits: dense weights, and threats where the generation has them so.
    I8(Cow<'a, [i8]>),
    /// Signed, 16 bits: the feature transformer.
    I16(Cow<'a, [i16]>),
    /// Signed, 32 bits: PSQT, and biases of dense layers.
    I32(Cow<'a, [i32]>),
    /// Floats: what a checkpoint holds.
    F32(Cow<'a, [f32]>),
}

impl Values<'_> {
    /// `int8`, `int16`, `int32` or `float32`.
    #[must_use]
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::I8(_) => "int8",
            Self::I16(_) => "int16",
            Self::I32(_) => "int32",
            Self::F32(_) => "float32",
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::I8(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// As `nnue inspect` calls it, such as `ft.bias` or `stack0.l1.weight`; as it is stored in a file of floats.
    pub name: String,
    /// Sizes of its dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Its values, as many as the shape says.
    pub values: Values<'a>,
}

/// Which weights of a network a tensor is.
#[derive(Debug, Clone, Copy)]
enum Part {
    FtBias,
    Weights(usize),
    Psqt(usize),
    Bias(usize, usize),
    Dense(usize, usize),
}

/// All parts of a network, by name.
fn parts(network: &QuantizedNetwork) -> Vec<(String, Part)> {
    let mut parts = vec![("ft.bias".to_owned(), Part::FtBias)];
    for (index, block) in network.blocks.iter().enumerate() {
        // Several blocks are told apart by their names; their weights may lie in one tensor of the file.
        let stem = if network.blocks.len() == 1 { "ft".to_owned() } else { format!("ft.{}", block.block.name()) };
        parts.push((format!("{stem}.weight"), Part::Weights(index)));
        if !block.psqt.is_empty() {
            parts.push((format!("{stem}.psqt"), Part::Psqt(index)));
        }
    }
    for (index, stack) in network.stacks.iter().enumerate() {
        for (layer, name) in (0..stack.layers.len()).zip(LAYER_NAMES) {
            parts.push((format!("stack{index}.{name}.bias"), Part::Bias(index, layer)));
            parts.push((format!("stack{index}.{name}.weight"), Part::Dense(index, layer)));
        }
    }
    parts
}

fn tensor<'a>(network: &'a QuantizedNetwork, name: String, part: Part) -> Tensor<'a> {
    let (shape, values) = match part {
        Part::FtBias => (vec![network.ft_bias.len()], Values::I16(network.ft_bias.as_slice().into())),
        Part::Weights(index) => {
            let block = &network.blocks[index];
            let values = match &block.weights {
                BlockWeights::I8(weights) => Values::I8(weights.as_slice().into()),
                BlockWeights::I16(weights) => Values::I16(weights.as_slice().into()),
            };
            (vec![block.block.rows(), network.architecture.l1], values)
        }
        Part::Psqt(index) => {
            let block = &network.blocks[index];
            let rows = block.block.rows();
            (vec![rows, block.psqt.len() / rows.max(1)], Values::I32(block.psqt.as_slice().into()))
        }
        Part::Bias(stack, layer) => {
            let bias = &network.stacks[stack].layers[layer].bias;
            (vec![bias.len()], Values::I32(bias.as_slice().into()))
        }
        Part::Dense(stack, layer) => {
            let dense = &network.stacks[stack].layers[layer];
            let shape = vec![dense.bias.len(), dense.inputs];
            (shape, Values::I8(unpadded(dense)))
        }
    };
    Tensor { name, shape, values }
}

/// Weights without the padding of their rows.
fn unpadded(dense: &Dense) -> Cow<'_, [i8]> {
    if padded(dense.inputs) == dense.inputs {
        return dense.weights.as_slice().into();
    }
    dense.rows().flat_map(|row| &row[..dense.inputs]).copied().collect::<Vec<i8>>().into()
}

impl Net {
    /// All weights, by name: `ft.bias` `[L1]`, `ft.weight` `[rows, L1]` and `ft.psqt` `[rows, buckets]` (with several blocks of features
    /// `ft.NAME.weight` and `ft.NAME.psqt`), `stackN.l1.weight` `[outputs, inputs]`, `stackN.l1.bias` `[outputs]`, and so for `l2` and
    /// `output`. Padding is left out.
    ///
    /// ```
    /// # fn main() -> nnue::Result<()> {
    /// let net = nnue::Net::open("examples/quickstart/random.nnue")?;
    /// let bias = net.tensors().into_iter().find(|tensor| tensor.name == "ft.bias").unwrap();
    /// assert_eq!((bias.shape, bias.values.dtype()), (vec![32], "int16"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn tensors(&self) -> Vec<Tensor<'_>> {
        parts(&self.network).into_iter().map(|(name, part)| tensor(&self.network, name, part)).collect()
    }

    /// The same network with other values in the tensors of these names.
    ///
    /// ```
    /// # fn main() -> nnue::Result<()> {
    /// let net = nnue::Net::open("examples/quickstart/random.nnue")?;
    /// let zeros = nnue::Tensor { name: "ft.bias".into(), shape: vec![32], values: nnue::Values::I16(vec![0; 32].into()) };
    /// let changed = net.with_tensors(&[zeros])?;
    /// assert_ne!(changed.tensors(), net.tensors());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the network has no tensor of such a name, or one of another shape or type.
    pub fn with_tensors(&self, tensors: &[Tensor<'_>]) -> Result<Self> {
        let mut network = QuantizedNetwork::clone(&self.network);
        let parts = parts(&self.network);
        for new in tensors {
            let Some((_, part)) = parts.iter().find(|(name, _)| *name == new.name) else {
                let near = suggest(&new.name, parts.iter().map(|(name, _)| name.as_str()));
                let help = near.map_or_else(|| "`tensors` gives their names".to_owned(), |near| format!("did you mean `{near}`?"));
                return Err(Error::usage(format!("the network has no tensor `{}`", new.name)).help(help));
            };
            let old = tensor(&self.network, new.name.clone(), *part);
            let count = new.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
            if (&old.shape, old.values.dtype(), count) != (&new.shape, new.values.dtype(), Some(new.values.len())) {
                let has = format!("{:?} of {}", old.shape, old.values.dtype());
                let given = format!("{:?} of {} with {} values", new.shape, new.values.dtype(), new.values.len());
                return Err(Error::usage(format!("`{}` is {has}, and not {given}", new.name))
                    .help("integers are stored as they are: scale, round and clip floats first"));
            }
            put(&mut network, *part, &new.values);
        }
        Ok(Self { network: Arc::new(network), ..self.clone() })
    }
}

/// Values of the part's own type and number.
fn put(network: &mut QuantizedNetwork, part: Part, values: &Values<'_>) {
    match (part, values) {
        (Part::FtBias, Values::I16(values)) => network.ft_bias.copy_from_slice(values),
        (Part::Weights(index), values) => match (&mut network.blocks[index].weights, values) {
            (BlockWeights::I8(weights), Values::I8(values)) => weights.copy_from_slice(values),
            (BlockWeights::I16(weights), Values::I16(values)) => weights.copy_from_slice(values),
            _ => {}
        },
        (Part::Psqt(index), Values::I32(values)) => network.blocks[index].psqt.copy_from_slice(values),
        (Part::Bias(stack, layer), Values::I32(values)) => network.stacks[stack].layers[layer].bias.copy_from_slice(values),
        (Part::Dense(stack, layer), Values::I8(values)) => {
            let dense = &mut network.stacks[stack].layers[layer];
            let inputs = dense.inputs.max(1);
            let rows = dense.weights.chunks_exact_mut(padded(dense.inputs).max(1));
            rows.zip(values.chunks_exact(inputs)).for_each(|(row, values)| row[..inputs].copy_from_slice(values));
        }
        _ => {}
    }
}

/// The weights in a file of floats, by their names in it: a checkpoint, a module, `.safetensors` or `.npz`; packed or not. Nothing in the
/// file is executed. Halves and doubles become floats of 32 bits, as everything that is made of them takes them.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds something else; for a `.nnue` file, which [`Net::open`] opens.
pub fn read_tensors(path: impl AsRef<Path>) -> Result<Vec<Tensor<'static>>> {
    let path = path.as_ref();
    let about = |error: Error| error.context(format!("cannot read the tensors of `{}`", path.display()));
    let state = load_tensors(Bytes::map(path)?).map_err(about)?;
    let tensors = state.tensors.iter().map(|(name, tensor)| {
        let values = read_all(&**tensor).map_err(|error| error.context(format!("tensor `{name}`")))?;
        Ok(Tensor { name: name.clone(), shape: tensor.shape().to_vec(), values: Values::F32(values.into()) })
    });
    tensors.collect::<Result<_>>().map_err(about)
}

#[cfg(test)]
mod tests;
