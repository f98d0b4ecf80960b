//! From the actions of a build to what is done to a described network: reads, takes steps, gathers, reorders, writes.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;

use super::model::Architecture;
use super::plan::{self, Plan};
use super::read::Contents;
use super::{bound, gather, read, relaxed, steps, write};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::nnue::execute::matrices;
use crate::family::nnue::stages::pipeline;
use crate::family::nnue::value::Value as Shared;
use crate::family::{self, Inputs, Product};
use crate::files::{Blake3, Bytes};
use crate::positions::held_out;
use crate::stage::{self, Described, Outcome, Permuted, Quantized, Role, Stage, Work};
use crate::words::Allow;

/// A network between stages.
#[derive(Clone)]
pub(crate) struct Value {
    pub(super) contents: Arc<Contents>,
    /// Entries of a permutation: pairs of neurons, or neurons.
    pub(in crate::family) entries: usize,
}

/// As [`Stages::execute`](crate::family::Stages::execute).
pub(super) fn execute(action: &Described, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let architecture = relaxed(&action.architecture, action.overflow)?;
    match &action.work {
        Work::Load { is_named } => load(&architecture, action, *is_named, inputs),
        Work::Steps(range) => {
            let Value { contents, entries } = value(inputs, action.stage)?;
            let mut contents = Arc::unwrap_or_clone(contents);
            let Plan { moves, .. } = plan_of(&architecture, action)?;
            steps::take(&architecture, moves.get(range.clone()).unwrap_or_default(), &mut contents, ctx)?;
            finished(&architecture, action, contents, entries, inputs)
        }
        Work::Gather(params) => gather_of(&architecture, action, params, inputs, ctx),
        Work::Permute { allows_wide_sums } => {
            let permutation = match inputs.value(Role::Permutation)? {
                family::Value::Nnue(Shared::Permutation(permutation)) => permutation,
                family::Value::Nnue(_) | family::Value::Lc0(_) | family::Value::Described(_) => return Err(wrong_value(action.stage)),
            };
            let Value { contents, entries } = value(inputs, action.stage)?;
            // The last user owns the network; only a shared one is copied.
            let mut contents = Arc::unwrap_or_clone(contents);
            steps::permute(&architecture, &mut contents.tensors, &permutation)?;
            let largest_sum = bound::largest_sum(&architecture, &contents.tensors);
            if let Some(warning) = largest_sum.and_then(bound::warning).filter(|_| !allows_wide_sums) {
                ctx.warn(format!("{warning}; `allow = \"{}\"` in the net's table accepts that", Allow::WideSums));
            }
            let network = inputs.digest(Role::Network)?;
            let outcome = Outcome::Permute(Permuted { largest_sum });
            let permutation = inputs.digest(Role::Permutation)?;
            keep(&mut contents, action, inputs)?;
            Ok(named(action, Value { contents: Arc::new(contents), entries }, network, Some(permutation), outcome))
        }
        Work::Write(range) => {
            let Value { contents, .. } = value(inputs, action.stage)?;
            let mut contents = Arc::unwrap_or_clone(contents);
            let Plan { moves, .. } = plan_of(&architecture, action)?;
            steps::take(&architecture, moves.get(range.clone()).unwrap_or_default(), &mut contents, ctx)?;
            let layout = architecture.writable(&action.to).ok_or_else(|| architecture.no_layout(&action.to))?;
            architecture.check_numbers(layout, &contents)?;
            let to = action.to.clone();
            Ok(Product::File(Box::new(File { architecture, to, contents })))
        }
    }
}

/// Whether a file is one that an action could load.
///
/// # Errors
/// When it is not.
pub(crate) fn check_file(action: &Described, file: &Bytes) -> Result<()> {
    let architecture = relaxed(&action.architecture, action.overflow)?;
    let layout = architecture.readable(&action.from).ok_or_else(|| architecture.no_layout(&action.from))?;
    read::fits(&architecture, layout, file)
}

/// Between the layouts of an action.
fn plan_of<'a>(architecture: &'a Architecture, action: &Described) -> Result<Plan<'a>> {
    let from = architecture.readable(&action.from).ok_or_else(|| architecture.no_layout(&action.from))?;
    let to = architecture.writable(&action.to).ok_or_else(|| architecture.no_layout(&action.to))?;
    plan::plan(architecture, from, to).map_err(|fault| Error::usage(fault.message).because(fault.why))
}

/// The network that an action works on.
fn value(inputs: &dyn Inputs, stage: Stage) -> Result<Value> {
    match inputs.value(Role::Network)? {
        family::Value::Described(value) => Ok(value),
        family::Value::Nnue(_) | family::Value::Lc0(_) => Err(wrong_value(stage)),
    }
}

fn load(architecture: &Architecture, action: &Described, is_named: bool, inputs: &dyn Inputs) -> Result<Product> {
    let files = inputs.files();
    let Some((_, path)) = files.iter().find(|(role, _)| *role == Role::Source) else {
        return Err(Error::new("load has no source: this is a bug in nnue, please report it"));
    };
    let file = Bytes::input(path, &inputs.guarded()?)?;
    let layout = architecture.readable(&action.from).ok_or_else(|| architecture.no_layout(&action.from))?;
    let about =
        |error: Error| error.context(format!("`{}` is not in the layout `{}` of `{}`", path.display(), action.from, architecture.name()));
    if !is_named {
        architecture.check_only_fit(layout, &file).map_err(about)?;
    }
    let mut contents = read::read(architecture, layout, &file).map_err(about)?;
    let Plan { undo, .. } = plan_of(architecture, action)?;
    steps::undo(architecture, &undo, &mut contents);
    let entries = architecture.entries();
    inputs.check_unchanged()?;
    Ok(named(action, Value { contents: Arc::new(contents), entries }, inputs.digest(Role::Source)?, None, Outcome::Load))
}

/// Floats stay in their file until they become integers; from then on nothing does, so that nobody asks the file again.
fn keep(contents: &mut Contents, action: &Described, inputs: &dyn Inputs) -> Result<()> {
    if action.reads_late() {
        return Ok(());
    }
    contents.tensors.iter_mut().flatten().for_each(super::tensor::Tensor::own);
    inputs.check_unchanged()
}

/// What a step gave.
fn finished(
    architecture: &Architecture,
    action: &Described,
    mut contents: Contents,
    entries: usize,
    inputs: &dyn Inputs,
) -> Result<Product> {
    keep(&mut contents, action, inputs)?;
    let network = inputs.digest(Role::Network)?;
    Ok(match action.stage {
        Stage::Quantize => {
            let (digest, bytes) = digest(architecture, &contents);
            let value = family::Value::Described(Value { contents: Arc::new(contents), entries });
            Product::Value { digest, bytes, value, outcome: Outcome::Quantize(Quantized::default()) }
        }
        Stage::Load
        | Stage::Permute
        | Stage::Blend
        | Stage::Heads
        | Stage::Fold
        | Stage::Encode
        | Stage::Coalesce
        | Stage::Gather
        | Stage::Search
        | Stage::Write
        | Stage::Prove
        | Stage::Engine => named(action, Value { contents: Arc::new(contents), entries }, network, None, Outcome::Coalesce),
    })
}

/// A result that is named by what it is made of.
fn named(action: &Described, value: Value, input: Blake3, other: Option<Blake3>, outcome: Outcome) -> Product {
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 described network by its inputs");
    hasher.update(action.stage.name().as_bytes());
    hasher.update(Json::Object(action.params.clone()).to_string().as_bytes());
    hasher.update(&input.0);
    if let Some(other) = other {
        hasher.update(&other.0);
    }
    let bytes = value.contents.bytes();
    Product::Value { digest: Blake3(hasher.finalize().into()), bytes, value: family::Value::Described(value), outcome }
}

/// The digest of all that a network holds, and its bytes.
fn digest(architecture: &Architecture, contents: &Contents) -> (Blake3, u64) {
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 described network");
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update_rayon(bytes);
    };
    for (spec, tensor) in architecture.tensors.iter().zip(&contents.tensors) {
        let Some(tensor) = tensor else { continue };
        part(spec.role.text.as_bytes());
        part(tensor.dtype.name().as_bytes());
        tensor.shape.iter().for_each(|size| part(&(*size as u64).to_le_bytes()));
        part(&tensor.bytes);
    }
    part(&contents.kept.header);
    contents.kept.fields.iter().for_each(|field| part(field));
    (Blake3(hasher.finalize().into()), contents.bytes())
}

/// Positions of the data files → the matrices of the search and of its judgement.
fn gather_of(architecture: &Architecture, action: &Described, params: &stage::Gather, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let data = inputs.files().into_iter().filter(|(role, _)| matches!(role, Role::Data(_)));
    let paths: Vec<PathBuf> = data.map(|(_, path)| path).collect();
    let Value { contents, .. } = value(inputs, action.stage)?;
    let sampled = pipeline::sample(&paths, params, held_out(params.positions), &inputs.guarded()?)?;
    let gathered = pipeline::gather_by(&sampled, |positions| gather::gather(architecture, &contents.tensors, positions, ctx))?;
    inputs.check_unchanged()?;
    Ok(matrices(gathered))
}

/// A file that is still to be written.
struct File {
    architecture: Architecture,
    /// Its layout.
    to: String,
    contents: Contents,
}

impl family::Content for File {
    fn write(&self, out: &mut dyn Write, _: &Ctx) -> Result<()> {
        let layout = self.architecture.writable(&self.to).ok_or_else(|| self.architecture.no_layout(&self.to))?;
        write::write(&self.architecture, layout, &self.contents, out)
    }

    fn reads_late(&self) -> bool {
        self.contents.tensors.iter().flatten().any(super::tensor::Tensor::is_mapped)
    }
}

fn wrong_value(stage: Stage) -> Error {
    Error::new(format!("{stage} got a result of another kind: this is a bug in nnue, please report it"))
}
