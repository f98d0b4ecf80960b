//! `nnue diff`: how two networks differ in what they mean.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Number;

use super::comparison::ComparisonReport;
use super::data::PositionArgs;
use super::described::LayoutArgs;
use super::network::{SourceArgs, refuse_foreign};
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::Result;
use crate::evaluate::{self, Evaluator};
use crate::family::described;
use crate::family::nnue::stages::permute::permute;
use crate::family::nnue::stages::pipeline::{Integers, load_integers};
use crate::files::Bytes;
use crate::format::nnue::Compression;
use crate::net::{Architecture, BlockWeights, Dense, LAYER_NAMES, Permutation, QuantizedNetwork};
use crate::shown;
use crate::stage::{Load, Quantize};

/// Compare two networks: bytes, weights, weights up to a permutation, then tensor by tensor
///
/// Exits with 0 where they evaluate alike, with 1 where they differ. The options about the source hold for both. With --data, their
/// evaluations of those positions are compared as well.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The one network
    a: PathBuf,
    /// The other
    b: PathBuf,
    #[command(flatten)]
    positions: PositionArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source_is: SourceArgs,
    #[command(flatten)]
    layouts: LayoutArgs,
}

/// How two networks are related, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Relation {
    /// The files have the same bytes.
    IdenticalBytes,
    /// The weights are equal; what else stands in the files is not.
    IdenticalWeights,
    /// Equal after the neurons of one were put in another order.
    EqualUpToPermutation,
    /// They evaluate positions differently.
    Different,
}

/// What [`compare`] found.
#[derive(Serialize)]
pub(super) struct Comparison {
    schema: u32,
    relation: Relation,
    /// Whether they evaluate alike.
    equal: bool,
    /// For `EqualUpToPermutation`: neuron `j` of B is neuron `permutation[j]` of A.
    permutation: Option<Vec<u32>>,
    /// What differs besides weights, or makes weights incomparable.
    differences: Vec<Difference>,
    /// Tensors that differ, the largest change of a value first.
    tensors: Vec<TensorDifference>,
    /// How they evaluate positions, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluations: Option<ComparisonReport>,
}

/// What differs besides weights.
#[derive(Serialize)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) a: String,
    pub(super) b: String,
}

/// A tensor whose values differ.
#[derive(Serialize)]
pub(super) struct TensorDifference {
    name: String,
    values: u64,
    differing: u64,
    max_abs: Number,
    /// Root of the mean square difference, and the greatest one in units in the last place; of networks of lc0 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    rms: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ulp: Option<u64>,
}

impl TensorDifference {
    fn of_integers(name: String, values: u64, differing: u64, max_abs: Number) -> Self {
        Self { name, values, differing, max_abs, rms: None, max_ulp: None }
    }

    /// Of floats, also of some that are not numbers: their distance is the greatest that JSON has.
    pub(super) fn of_floats(name: String, values: usize, differing: usize, max_abs: f64, rms: f64, max_ulp: u64) -> Self {
        let number = |value: f64| Number::from_f64(value).or_else(|| Number::from_f64(f64::MAX)).unwrap_or_else(|| 0.into());
        let (values, differing) = (values as u64, differing as u64);
        Self { name, values, differing, max_abs: number(max_abs), rms: Some(number(rms)), max_ulp: Some(max_ulp) }
    }
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    if !args.positions.data.is_empty() {
        for path in [&args.a, &args.b] {
            refuse_foreign("`nnue diff --data`", path, args.source_is.described())?;
        }
    }
    let mut comparison = match args.source_is.described() {
        Some(name) => compare_described(name, &args.layouts, &args.a, &args.b)?,
        None => {
            args.layouts.refuse(None, false)?;
            compare(&args.a, &args.b, &args.source_is.load(), &ctx)?
        }
    };
    if !args.positions.data.is_empty() {
        comparison.evaluations = Some(evaluations(&args, &ctx)?);
    }
    if args.json {
        global.print_json(&comparison)?;
    } else {
        global.print(&comparison.text(&args.a, &args.b))?;
    }
    Ok(if comparison.equal { Exit::Done } else { Exit::Failed })
}

/// How both evaluate the positions of `--data`.
fn evaluations(args: &Args, ctx: &Ctx) -> Result<ComparisonReport> {
    let chosen = args.positions.take(ctx)?;
    let values = |path: &Path| -> Result<Vec<f64>> {
        let network = load_integers(path, &args.source_is.load(), Quantize::default(), ctx)?.network;
        let evaluations = Evaluator::new(&network)?.evaluate(&chosen.positions, ctx)?;
        Ok(evaluations.iter().map(|evaluation| f64::from(evaluation.raw.value())).collect())
    };
    Ok(ComparisonReport::new(&evaluate::compare(&values(&args.a)?, &values(&args.b)?), &chosen))
}

/// Compares two networks of which `params` holds.
///
/// # Errors
/// When one is not a network or another one than expected, or the work was interrupted.
pub(super) fn compare(a: &Path, b: &Path, params: &Load, ctx: &Ctx) -> Result<Comparison> {
    if let Some(comparison) = super::lc0::compare(a, b, ctx)? {
        return Ok(comparison);
    }
    let (path_a, path_b) = (a, b);
    // Also equal files must hold networks: two copies of an error page are not equal nets.
    let mut a = load_integers(path_a, params, Quantize::default(), ctx)?;
    let b = load_integers(path_b, params, Quantize::default(), ctx)?;
    if Bytes::map(path_a)?[..] == Bytes::map(path_b)?[..] {
        return Ok(Comparison::new(Relation::IdenticalBytes, Vec::new()));
    }
    let shapes = architecture_differences(&a.network.architecture, &b.network.architecture);
    if !shapes.is_empty() {
        return Ok(Comparison::new(Relation::Different, shapes));
    }
    let besides = file_differences(&a, &b);
    ctx.check()?;
    let tensors = tensor_differences(&a.network, &b.network);
    if tensors.is_empty() {
        return Ok(Comparison::new(Relation::IdenticalWeights, besides));
    }
    ctx.check()?;
    if let Some(permutation) = matching_permutation(&a.network, &b.network) {
        permute(&mut a.network, &permutation)?;
        if tensor_differences(&a.network, &b.network).is_empty() {
            let permutation = Some(permutation.as_slice().to_vec());
            return Ok(Comparison { permutation, ..Comparison::new(Relation::EqualUpToPermutation, besides) });
        }
    }
    Ok(Comparison { tensors: ranked(tensors), ..Comparison::new(Relation::Different, besides) })
}

/// As [`compare`], of two files of a described architecture.
fn compare_described(name: &str, layouts: &LayoutArgs, a: &Path, b: &Path) -> Result<Comparison> {
    let architecture = described::Architecture::load(name, &layouts.set)?;
    let (a, b) = (Bytes::map(a)?, Bytes::map(b)?);
    let found = architecture.compare(&a, &b, layouts.from.as_deref())?;
    let relation = match (found.tensors.is_empty(), &found.permutation) {
        (true, None) if a[..] == b[..] => Relation::IdenticalBytes,
        (true, None) => Relation::IdenticalWeights,
        (true, Some(_)) => Relation::EqualUpToPermutation,
        _ => Relation::Different,
    };
    let number = |max_abs: f64, integers: bool| {
        if integers { (max_abs as u64).into() } else { Number::from_f64(max_abs).unwrap_or_else(|| 0.into()) }
    };
    let tensors = found
        .tensors
        .into_iter()
        .map(|tensor| TensorDifference::of_integers(tensor.role, tensor.values, tensor.differing, number(tensor.max_abs, tensor.integers)));
    let permutation = found.permutation.map(|permutation| permutation.as_slice().to_vec());
    Ok(Comparison { tensors: ranked(tensors.collect()), permutation, ..Comparison::new(relation, Vec::new()) })
}

impl Comparison {
    pub(super) fn new(relation: Relation, differences: Vec<Difference>) -> Self {
        Self {
            schema: 1,
            relation,
            equal: relation != Relation::Different,
            permutation: None,
            differences,
            tensors: Vec::new(),
            evaluations: None,
        }
    }

    pub(super) fn with_tensors(self, tensors: Vec<TensorDifference>) -> Self {
        Self { tensors, ..self }
    }

    /// For people.
    pub(super) fn text(&self, a: &Path, b: &Path) -> String {
        let mut text = format!("A  {}\nB  {}\n", a.display(), b.display());
        text += match self.relation {
            Relation::IdenticalBytes => "identical: the files have the same bytes\n",
            Relation::IdenticalWeights => "equal: the weights are the same, the files are not\n",
            Relation::EqualUpToPermutation => "equal up to a permutation of the neurons: both evaluate alike\n",
            Relation::Different => "different\n",
        };
        if let Some(permutation) = &self.permutation {
            let moved = permutation.iter().enumerate().filter(|(place, from)| **from as usize != *place).count();
            let _ = writeln!(text, "  permutation  {moved} of {} neuron pairs stand elsewhere", permutation.len());
        }
        for Difference { what, a, b } in &self.differences {
            let _ = writeln!(text, "  {what:<12} A {a}, B {b}");
        }
        let names: Vec<String> = self.tensors.iter().map(|tensor| shown::name(&tensor.name)).collect();
        let width = names.iter().map(|name| shown::columns(name)).max().unwrap_or(0);
        for (name, tensor) in names.iter().zip(&self.tensors) {
            let TensorDifference { values, differing, max_abs, rms, max_ulp, .. } = tensor;
            let _ = write!(text, "  {}  {differing} of {values} values differ, by at most {max_abs}", shown::left(name, width));
            if let (Some(rms), Some(max_ulp)) = (rms, max_ulp) {
                let _ = write!(text, " ({max_ulp} ulp), root mean square {rms}");
            }
            text.push('\n');
        }
        if let Some(evaluations) = &self.evaluations {
            text += "Evaluations in internal units, B less A\n";
            text += &evaluations.text("A", "B");
        }
        text
    }
}

/// The largest change of a value first; of equal ones the tensor of which a larger share differs, then that which stands first in the file.
fn ranked(mut tensors: Vec<TensorDifference>) -> Vec<TensorDifference> {
    let size = |tensor: &TensorDifference| tensor.max_abs.as_f64().unwrap_or(0.0);
    let share = |tensor: &TensorDifference| tensor.differing as f64 / tensor.values.max(1) as f64;
    tensors.sort_by(|a, b| size(b).total_cmp(&size(a)).then(share(b).total_cmp(&share(a))));
    tensors
}

/// What makes the weights of two networks incomparable.
fn architecture_differences(a: &Architecture, b: &Architecture) -> Vec<Difference> {
    let rows = [
        ("architecture", a.generation.name.to_owned(), b.generation.name.to_owned()),
        ("features", a.features.name(), b.features.name()),
        ("rows", a.features.rows().to_string(), b.features.rows().to_string()),
        ("L1", a.l1.to_string(), b.l1.to_string()),
        ("L2", a.l2.to_string(), b.l2.to_string()),
        ("L3", a.l3.to_string(), b.l3.to_string()),
        ("quantization", a.quantization.name.to_owned(), b.quantization.name.to_owned()),
    ];
    rows.into_iter().filter(|(_, a, b)| a != b).map(|(what, a, b)| Difference { what: what.to_owned(), a, b }).collect()
}

/// What differs in the files without changing an evaluation.
fn file_differences(a: &Integers, b: &Integers) -> Vec<Difference> {
    let compression = |source: &Integers| source.compression.map_or("partly or no .nnue", Compression::name).to_owned();
    let description = |source: &Integers| format!("{:?}", String::from_utf8_lossy(&source.network.description));
    let padding = |source: &Integers| {
        let layers = source.network.stacks.iter().flat_map(|stack| &stack.layers);
        let bytes = layers.flat_map(|layer| layer.rows().flat_map(|row| row.get(layer.inputs..).unwrap_or_default()));
        bytes.copied().collect::<Vec<i8>>()
    };
    let mut differences = Vec::new();
    if a.network.description != b.network.description {
        differences.push(Difference { what: "description".to_owned(), a: description(a), b: description(b) });
    }
    if a.compression != b.compression {
        differences.push(Difference { what: "compression".to_owned(), a: compression(a), b: compression(b) });
    }
    let (left, right) = (padding(a), padding(b));
    if left != right {
        let shown = |bytes: &[i8]| format!("{} non-zero bytes", bytes.iter().filter(|byte| **byte != 0).count());
        differences.push(Difference { what: "padding".to_owned(), a: shown(&left), b: shown(&right) });
    }
    differences
}

/// The tensors that differ, in file order. Both networks have the same shapes.
fn tensor_differences(a: &QuantizedNetwork, b: &QuantizedNetwork) -> Vec<TensorDifference> {
    let mut found = Vec::new();
    let mut push = |name: String, tally: Tally| {
        if tally.differing > 0 {
            found.push(TensorDifference::of_integers(name, tally.values, tally.differing, tally.max_abs.into()));
        }
    };
    push("ft.bias".to_owned(), tally(&a.ft_bias, &b.ft_bias));
    for (left, right) in a.blocks.iter().zip(&b.blocks) {
        let name = left.block.name();
        push(
            format!("ft.{name}.weight"),
            match (&left.weights, &right.weights) {
                (BlockWeights::I8(left), BlockWeights::I8(right)) => tally(left, right),
                (BlockWeights::I16(left), BlockWeights::I16(right)) => tally(left, right),
                // One architecture stores a block in one type.
                (left, _) => Tally { values: left.len() as u64, differing: left.len() as u64, max_abs: 0 },
            },
        );
        push(format!("ft.{name}.psqt"), tally(&left.psqt, &right.psqt));
    }
    for (stack, (left, right)) in a.stacks.iter().zip(&b.stacks).enumerate() {
        for (layer, (left, right)) in LAYER_NAMES.iter().zip(left.layers.iter().zip(&right.layers)) {
            push(format!("stack{stack}.{layer}.bias"), tally(&left.bias, &right.bias));
            push(format!("stack{stack}.{layer}.weight"), tally(&weights(left), &weights(right)));
        }
    }
    found
}

/// The weights of a layer without its padding.
fn weights(layer: &Dense) -> Vec<i8> {
    layer.rows().flat_map(|row| row.iter().take(layer.inputs)).copied().collect()
}

struct Tally {
    values: u64,
    differing: u64,
    max_abs: u64,
}

fn tally<T: Copy + Into<i64>>(a: &[T], b: &[T]) -> Tally {
    let start = Tally { values: a.len() as u64, differing: 0, max_abs: 0 };
    a.iter().zip(b).fold(start, |mut tally, (a, b)| {
        let distance = Into::<i64>::into(*a).abs_diff(Into::<i64>::into(*b));
        tally.differing += u64::from(distance > 0);
        tally.max_abs = tally.max_abs.max(distance);
        tally
    })
}

/// The order in which A's neuron pairs would have the columns of B's, if there is one. Found by digests, so the caller compares.
fn matching_permutation(a: &QuantizedNetwork, b: &QuantizedNetwork) -> Option<Permutation> {
    if !a.architecture.generation.wiring.pairwise {
        return None;
    }
    let mut places: HashMap<u128, Vec<u32>> = HashMap::new();
    for (neuron, digest) in pair_digests(a).into_iter().enumerate().rev() {
        places.entry(digest).or_default().push(u32::try_from(neuron).ok()?);
    }
    // Equal columns are taken in order; any order of them is as good.
    let order: Option<Vec<u32>> = pair_digests(b).iter().map(|digest| places.get_mut(digest)?.pop()).collect();
    Permutation::try_from(order?.as_slice()).ok()
}

/// One digest for all weights of each neuron pair: transformer columns and first-layer inputs.
fn pair_digests(network: &QuantizedNetwork) -> Vec<u128> {
    /// An odd multiplier with well spread bits (from PCG), so that a column is a polynomial of its values modulo 2^128.
    const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;
    fn absorb<T: Copy + Into<i64>>(digests: &mut [u128], row: &[T]) {
        let (low, high) = row.split_at(digests.len());
        for (digest, (low, high)) in digests.iter_mut().zip(low.iter().zip(high)) {
            for value in [*low, *high] {
                // The sign extends: equal values are equal words. The offset keeps runs of zeros from vanishing.
                let word = u128::from((Into::<i64>::into(value).cast_unsigned()).wrapping_add(0x9E37_79B9_7F4A_7C15));
                *digest = (*digest ^ word).wrapping_mul(MULTIPLIER);
            }
        }
    }
    let l1 = network.architecture.l1;
    let mut digests = vec![0u128; l1 / 2];
    absorb(&mut digests, &network.ft_bias);
    for block in &network.blocks {
        match &block.weights {
            BlockWeights::I8(weights) => weights.chunks_exact(l1).for_each(|row| absorb(&mut digests, row)),
            BlockWeights::I16(weights) => weights.chunks_exact(l1).for_each(|row| absorb(&mut digests, row)),
        }
    }
    for stack in &network.stacks {
        let [first, _, _] = &stack.layers;
        first.rows().filter_map(|row| row.get(..l1)).for_each(|row| absorb(&mut digests, row));
    }
    digests
}

#[cfg(test)]
mod tests;
