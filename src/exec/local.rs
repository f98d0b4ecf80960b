//! Runs stages on this machine.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Content, Executor, Gathered, Inputs, Product, Value};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::Blake3;
use crate::format::bytes::{Bytes, check_regular};
use crate::format::nnue::Compression;
use crate::net::{Factorized, Network, Permutation, QuantizedNetwork};
use crate::permutation::{self, SearchParams, ZeroBlocks};
use crate::positions::{Selection, held_out, select};
use crate::stage::{Action, Counts, Gather, Load, Outcome, Quantize, Quantized, Role, Sampled, Search, Searched, Write as WriteParams};
use crate::stages::dequantize::dequantize;
use crate::stages::load::{Loaded, load_file};
use crate::stages::write_float::{FloatTarget, write_float};
use crate::stages::{gather, permute, quantize, write};
use crate::words::{FileFormat, Overflow};

/// This machine.
pub(crate) struct Local;

impl Executor for Local {
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
        match action {
            Action::Load(params) => load(params, inputs),
            Action::Coalesce => coalesce(inputs),
            Action::Quantize(params) => quantize(*params, inputs, ctx),
            Action::Gather(params) => gather(params, inputs, ctx),
            Action::Search(params) => search(params, inputs, ctx),
            Action::Permute => permute(inputs),
            Action::Write(params) => content(params, inputs, ctx).map(|content| Product::File(Box::new(content))),
        }
    }
}

/// A file → a network.
fn load(params: &Load, inputs: &dyn Inputs) -> Result<Product> {
    let files = inputs.files();
    let Some((_, path)) = files.iter().find(|(role, _)| *role == Role::Source) else {
        return Err(Error::new("load has no source: this is a bug in nnue, please report it"));
    };
    check_regular(path)?;
    let bytes = Bytes::of_file(inputs.guarded()?.open(path)?, path)?;
    let product = match load_file(bytes, path, &params.expected)? {
        Loaded::Quantized(parsed) => in_memory(parsed.network, Outcome::Load),
        Loaded::Float(network) => {
            let digest = Blake3(network.digest()?.into());
            Product::Value { digest, bytes: 0, value: Value::Factorized(Arc::from(network)), outcome: Outcome::Load }
        }
    };
    // Float rows are read when they are digested: only now the file has been read.
    inputs.check_unchanged()?;
    Ok(product)
}

/// Rows are folded in when they are read: the result is named by what it is made of.
fn coalesce(inputs: &dyn Inputs) -> Result<Product> {
    let Value::Factorized(network) = inputs.value(Role::Network)? else { return Err(wrong_value("coalesce")) };
    let network = Arc::unwrap_or_clone(network).coalesce();
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 coalesced network");
    hasher.update(&inputs.digest(Role::Network)?.0);
    let digest = Blake3(hasher.finalize().into());
    Ok(Product::Value { digest, bytes: 0, value: Value::Coalesced(Arc::new(network)), outcome: Outcome::Coalesce })
}

fn quantize(Quantize { overflow }: Quantize, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let Value::Coalesced(network) = inputs.value(Role::Network)? else { return Err(wrong_value("quantize")) };
    let (network, report) = quantize::quantize(&network, overflow, ctx)?;
    inputs.check_unchanged()?;
    warn_overflow(&report.overflowed, overflow, ctx);
    Ok(in_memory(network, Outcome::Quantize(Quantized { clamped: report.clamped, overflowed: report.overflowed })))
}

/// Positions of the data files → the matrices of the search and of its judgement.
fn gather(params: &Gather, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let Gather { positions, seed, ref filters } = *params;
    let data = inputs.files().into_iter().filter(|(role, _)| matches!(role, Role::Data(_)));
    let paths: Vec<PathBuf> = data.map(|(_, path)| path.to_owned()).collect();
    let selection = Selection { count: Some(positions), held_out: held_out(positions), seed, filters: filters.clone() };
    let sampled = select(&paths, &selection, &inputs.guarded()?)?;
    let Value::Quantized(network) = inputs.value(Role::Network)? else { return Err(wrong_value("gather")) };
    warn_assumed_scales(inputs, &network, "the zero rule", ctx);
    let matrix = gather::gather(&network, &sampled.positions, None, ctx)?;
    let held_out = match sampled.held_out.as_slice() {
        [] => None,
        positions => Some(gather::gather(&network, positions, None, ctx)?),
    };
    inputs.check_unchanged()?;
    let stats = sampled.stats;
    let outcome = Outcome::Gather(Sampled {
        entries: stats.entries,
        in_check: stats.in_check,
        filtered: stats.filtered,
        chunks_visited: stats.chunks_visited,
        chunks: stats.chunks,
    });
    Ok(Product::Stored { value: Value::Gathered(Arc::new(Gathered { matrix, held_out })), outcome })
}

/// The matrix → a permutation, with its zero blocks on both samples.
fn search(params: &Search, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let Search { algorithm, seed, moves } = *params;
    let Value::Gathered(gathered) = inputs.value(Role::Matrix)? else { return Err(wrong_value("search")) };
    let found = permutation::search(&gathered.matrix, &SearchParams { algorithm, seed, moves, time_limit: None }, ctx)?;
    let held_out = match &gathered.held_out {
        Some(matrix) => {
            let identity = Permutation::identity(matrix.half())?;
            let after = permutation::zero_blocks(matrix, &found.permutation)?;
            Some(counts(permutation::zero_blocks(matrix, &identity)?, after))
        }
        None => None,
    };
    let train = counts(found.before, found.after);
    let searched = Searched { train, held_out, swaps: found.swaps, cycles: found.cycles, moves: found.moves };
    Ok(Product::Stored { value: Value::Permutation(Arc::new(found.permutation)), outcome: Outcome::Search(Box::new(searched)) })
}

fn counts(before: ZeroBlocks, after: ZeroBlocks) -> Counts {
    Counts { positions: before.positions, blocks: before.total, zero_before: before.zero, zero_after: after.zero }
}

fn permute(inputs: &dyn Inputs) -> Result<Product> {
    let Value::Permutation(permutation) = inputs.value(Role::Permutation)? else { return Err(wrong_value("permute")) };
    let Value::Quantized(network) = inputs.value(Role::Network)? else { return Err(wrong_value("permute")) };
    // The last user owns the network; only a shared one is copied.
    let mut network = Arc::unwrap_or_clone(network);
    permute::permute(&mut network, &permutation)?;
    Ok(in_memory(network, Outcome::Permute))
}

fn in_memory(network: QuantizedNetwork, outcome: Outcome) -> Product {
    let (digest, bytes) = (Blake3(network.digest().into()), network.weight_bytes() as u64);
    Product::Value { digest, bytes, value: Value::Quantized(Arc::new(network)), outcome }
}

/// What a write action writes.
enum FileContent {
    /// A `.nnue` file; the text replaces the network's description.
    Integers(Arc<QuantizedNetwork>, Compression, Option<String>),
    /// A file of tensors.
    Floats(Box<Network<Factorized>>, FloatTarget),
}

impl Content for FileContent {
    fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()> {
        match self {
            Self::Integers(network, compression, description) => write::write_nnue(out, network, description.as_deref(), *compression),
            Self::Floats(network, target) => write_float(out, network, *target, ctx).map(drop),
        }
    }

    fn reads_late(&self) -> bool {
        match self {
            Self::Integers(..) => false,
            Self::Floats(..) => true,
        }
    }
}

/// A network → what is to be written of it.
fn content(params: &WriteParams, inputs: &dyn Inputs, ctx: &Ctx) -> Result<FileContent> {
    let WriteParams { format, compression, description } = params;
    let value = inputs.value(Role::Network)?;
    match float_target(*format) {
        None => match value {
            Value::Quantized(network) => Ok(FileContent::Integers(network, *compression, description.clone())),
            Value::Factorized(_) | Value::Coalesced(_) | Value::Gathered(_) | Value::Permutation(_) => Err(wrong_value("write")),
        },
        Some(target) => {
            let network = match value {
                Value::Quantized(network) => {
                    warn_assumed_scales(inputs, &network, "the float weights", ctx);
                    dequantize(&network, ctx)?
                }
                Value::Factorized(network) => Arc::unwrap_or_clone(network),
                Value::Coalesced(_) | Value::Gathered(_) | Value::Permutation(_) => return Err(wrong_value("write")),
            };
            Ok(FileContent::Floats(Box::new(described(network, description.as_deref())), target))
        }
    }
}

/// The network with the manifest's description, if there is one.
fn described(mut network: Network<Factorized>, description: Option<&str>) -> Network<Factorized> {
    if let Some(description) = description {
        network.description = description.as_bytes().to_vec();
    }
    network
}

/// How float weights are written; `None` for files of integers.
const fn float_target(format: FileFormat) -> Option<FloatTarget> {
    match format {
        FileFormat::Safetensors => Some(FloatTarget::Safetensors),
        FileFormat::Npz => Some(FloatTarget::Npz),
        FileFormat::Pt => Some(FloatTarget::StateDict),
        FileFormat::Nnue => None,
    }
}

/// Says which scales were taken, where the file records none and nobody said.
fn warn_assumed_scales(inputs: &dyn Inputs, network: &QuantizedNetwork, purpose: &str, ctx: &Ctx) {
    let Some(load) = inputs.loaded_by() else { return };
    let (assumed, possible) = (network.architecture.quantization.name, network.architecture.generation.quantizations);
    let others: Vec<&str> = possible.iter().map(|scales| scales.name).filter(|name| *name != assumed).collect();
    if load.expected.quantization.is_none() && !others.is_empty() {
        ctx.warn(format!(
            "a `.nnue` file does not record its scales: {assumed} is assumed for {purpose} (also possible: {}); \
             `quantization` in the source's table says which",
            others.join(", ")
        ));
    }
}

/// Says which tensors did not fit.
fn warn_overflow(overflowed: &[(String, usize)], how: Overflow, ctx: &Ctx) {
    for (tensor, count) in overflowed {
        ctx.warn(format!("{count} values of `{tensor}` did not fit and were handled by overflow = \"{}\"", how.name()));
    }
}

fn wrong_value(stage: &str) -> Error {
    Error::new(format!("{stage} got a result of another kind: the source changed its kind while it was read"))
        .help("run the same command again")
}
