//! `write_float`: a float network → a file that a trainer or another tool continues with: `.pt`, `.safetensors`, `.npz`.
//!
//! Tensors are those of the trainer that the network is from, under its names, in its order and shapes, as f32: what a checkpoint held is
//! carried over unchanged, virtual features and factors included. Each file also says what tensors cannot (generation, scales, feature set,
//! description), so that reading it back is never ambiguous:
//!
//! | file | tensors | what else it says |
//! | --- | --- | --- |
//! | `.pt`, state dict | an ordered dict that `torch.load(weights_only=True)` reads | attributes of the dict itself: its entries are tensors only |
//! | `.pt`, module | the arguments of `load_state_dict` | attributes of the model's configuration |
//! | `.safetensors` | as named | the header's metadata |
//! | `.npz` | as named | byte arrays whose names begin with `__metadata__.` |
//!
//! Modules are written in constructor form: the file calls the trainer's own class, so Python needs that trainer's checkout to load it.
//!
//! # Limitations
//! Tensors of 16 bits are written as f32 (exactly), those of 64 bits are rounded to f32, as the trainer does when it loads them.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::pipeline::counts;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::format::checkpoint::{METADATA_PREFIX, metadata};
use crate::format::state_dict::{self, NamedTensor, Values};
use crate::format::tensor::{DType, Source, TensorOut};
use crate::format::torch::{PickleValue, write_archive};
pub use crate::format::trainer_module::ModuleProfile;
use crate::format::{npz, safetensors, trainer_module};
use crate::net::{Factorized, FeatureSet, Layout, Names, Network, Tensor, le_bytes};

/// Kinds of files of float tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FloatTarget {
    /// `.pt`, a dict of tensors: for every trainer and tool.
    #[default]
    StateDict,
    /// `.pt`, the trainer's whole module, from which its `train.py` and `serialize.py` continue.
    Module(ModuleProfile),
    /// `.safetensors`.
    Safetensors,
    /// `.npz`.
    Npz,
}

impl FloatTarget {
    /// The `.pt` kind of that name: `state-dict`, `seed` or `head`.
    pub fn of_pt_profile(name: &str) -> Option<Self> {
        match name {
            "state-dict" => Some(Self::StateDict),
            "seed" => Some(Self::Module(ModuleProfile::Seed)),
            "head" => Some(Self::Module(ModuleProfile::Head)),
            _ => None,
        }
    }

    /// A name that fixes the bytes, for keys and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StateDict => "state-dict",
            Self::Module(profile) => profile.name(),
            Self::Safetensors => "safetensors",
            Self::Npz => "npz",
        }
    }
}

/// Writes `network` as a file of the kind `target`. The same network gives the same bytes.
///
/// # Errors
/// When the tensors cannot be read, the trainer of a module's profile has no such networks, or those of `out`; on cancellation.
pub fn write_float(out: &mut dyn Write, network: &Network<Factorized>, target: FloatTarget, ctx: &Ctx) -> Result<()> {
    let renamed;
    let network = match (target, network.layout.names) {
        // A module has the names of its own trainer. Between September and December 2025 only these changed, not the tensors.
        (FloatTarget::Module(_), names) => {
            let names = if names == Names::Stacked { Names::Linear } else { names };
            renamed = Network { layout: Layout { names, prefixed: true }, ..network.clone() };
            &renamed
        }
        _ => network,
    };
    let wrong = Wrong::default();
    let mut tensors: Vec<TensorOut<'_>> = state_dict::tensors(network)?.into_iter().map(|tensor| tensor_out(tensor, &wrong, ctx)).collect();
    let metadata = metadata_of(network);
    let mut out = std::io::BufWriter::with_capacity(1 << 20, out);
    match target {
        FloatTarget::StateDict => {
            let attributes = metadata.iter().map(|(key, value)| (*key, PickleValue::str(value))).collect();
            write_archive(&mut out, &state_dict_value(&tensors).build(attributes), &tensors)?;
        }
        FloatTarget::Module(profile) => {
            let module = trainer_module::of(network, profile, &metadata)?.call("load_state_dict", vec![state_dict_value(&tensors)]);
            write_archive(&mut out, &module, &tensors)?;
        }
        FloatTarget::Safetensors => {
            let metadata: Vec<(String, String)> = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            safetensors::write(&mut out, &tensors, &metadata)?;
        }
        FloatTarget::Npz => {
            for (key, value) in metadata {
                let bytes = value.into_bytes();
                let shape = vec![bytes.len()];
                tensors.push(TensorOut {
                    name: format!("{METADATA_PREFIX}{key}"),
                    dtype: DType::U8,
                    shape,
                    data: Source::Bytes(bytes.into()),
                });
            }
            npz::write(&mut out, &tensors)?;
        }
    }
    out.flush().map_err(|error| Error::new("cannot write the network").because(error))?;
    drop(tensors);
    wrong.note(ctx);
    Ok(())
}

/// How many values of which tensors are infinite or not numbers. They are carried over, as a trainer would, but never become integers.
#[derive(Default)]
struct Wrong(Mutex<Vec<(String, usize)>>);

impl Wrong {
    fn count(&self, name: &str, values: &[f32]) {
        let count = values.iter().filter(|value| !value.is_finite()).count();
        if count > 0 {
            let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match found.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += count,
                None => found.push((name.to_owned(), count)),
            }
        }
    }

    fn note(self, ctx: &Ctx) {
        let found = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !found.is_empty() {
            ctx.warn(format!("values that are infinite or not numbers (NaN) were written as they are: {}", counts(&found)));
        }
    }
}

fn tensor_out<'a>(tensor: NamedTensor<'a>, wrong: &'a Wrong, ctx: &Ctx) -> TensorOut<'a> {
    let data = match tensor.values {
        Values::Floats(floats) => {
            wrong.count(&tensor.name, &floats);
            Source::F32(floats)
        }
        Values::Tensor(rows) => {
            let (ctx, name) = (ctx.clone(), tensor.name.clone());
            Source::Stream(Box::new(move |out| write_values(&*rows, out, |values| wrong.count(&name, values), &ctx)))
        }
    };
    TensorOut { name: tensor.name, dtype: DType::F32, shape: tensor.shape, data }
}

/// Writes all values of a tensor of which at most one part is held in memory.
fn write_values(tensor: &dyn Tensor, out: &mut dyn Write, seen: impl Fn(&[f32]), ctx: &Ctx) -> Result<()> {
    const PART: usize = 1 << 18;
    let count: usize = tensor.shape().iter().product();
    let mut buffer = Vec::new();
    for start in (0..count).step_by(PART) {
        ctx.check()?;
        let end = (start + PART).min(count);
        let values = match tensor.borrow(start..end)? {
            Some(values) => values,
            None => {
                buffer.resize(end - start, 0.0);
                tensor.read(start, &mut buffer)?;
                &buffer
            }
        };
        seen(values);
        out.write_all(le_bytes(values)).map_err(|error| Error::new("cannot write").because(error))?;
    }
    Ok(())
}

/// What the file says beside its tensors.
fn metadata_of(network: &Network<Factorized>) -> Vec<(&'static str, String)> {
    let architecture = &network.architecture;
    let description = network.description.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut metadata = vec![
        (metadata::ARCHITECTURE, architecture.generation.name.to_owned()),
        (metadata::QUANTIZATION, architecture.quantization.name.to_owned()),
        (metadata::FEATURES, network.features()),
        (metadata::DESCRIPTION, description),
    ];
    let set = &architecture.features;
    if FeatureSet::of_blocks(&set.blocks, set.composed).is_ok_and(|usual| usual.hash != set.hash) {
        metadata.push((metadata::FEATURES_HASH, format!("{:08x}", set.hash)));
    }
    metadata
}

fn state_dict_value(tensors: &[TensorOut<'_>]) -> PickleValue {
    let items = tensors.iter().enumerate().map(|(index, tensor)| (PickleValue::str(&*tensor.name), PickleValue::Tensor(index)));
    PickleValue::OrderedDict(items.collect())
}
