//! From the actions of a build to the stages: takes their inputs as the stages want them, names what comes out.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::samples;
use super::stages::engine::{Trial, engine as try_with};
use super::stages::load::{Loaded, load_noted};
use super::stages::permute::{permute as reorder, permuted as reordered};
use super::stages::pipeline::{self, Content, Searched, Target, Weights, note_unreadable};
use super::stages::prove::{deviation, prove as prove_file};
use super::value::{Gathered, Value};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::{self, Inputs, Product};
use crate::files::{Blake3, Bytes};
use crate::format::sources::with_parts;
use crate::net::{Coalesced, Network, QuantizedNetwork};
use crate::positions::{Sampled, held_out};
use crate::stage::{Action, Engine, Gather, Load, Outcome, Permuted, Prove, Proved, Quantize, Role, Search, Write as WriteParams};

/// As [`Stages::execute`](crate::family::Stages::execute).
pub(super) fn execute(action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    match action {
        Action::Load(params) => load(params, inputs, ctx),
        Action::Coalesce => coalesce(inputs),
        Action::Quantize(params) => quantize(*params, inputs, ctx),
        Action::Gather(params) => gather(params, inputs, ctx),
        Action::Search(params) => search(params, inputs, ctx),
        Action::Permute => permute(inputs),
        Action::Write(params) => content(params, inputs, ctx).map(|content| Product::File(Box::new(content))),
        Action::ReadWeights(_) | Action::Blend(_) | Action::Heads(_) | Action::Fold(_) | Action::Encode(_) | Action::WriteWeights(_) => {
            Err(wrong_value(action.stage().name()))
        }
        Action::Prove(params) => prove(params, inputs, ctx),
        Action::Engine(params) => engine(params, inputs, ctx),
        Action::Described(_) => Err(wrong_value(action.stage().name())),
    }
}

/// An input as this family's.
fn value(inputs: &dyn Inputs, role: Role) -> Result<Value> {
    match inputs.value(role)? {
        family::Value::Nnue(value) => Ok(value),
        family::Value::Lc0(_) | family::Value::Described(_) => Err(wrong_value("a stage")),
    }
}

/// A file → a network.
fn load(params: &Load, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let files = inputs.files();
    let Some((_, path)) = files.iter().find(|(role, _)| *role == Role::Source) else {
        return Err(Error::new("load has no source: this is a bug in nnue, please report it"));
    };
    let guarded = inputs.guarded()?;
    let parts: Vec<PathBuf> = files.iter().filter(|(role, _)| matches!(role, Role::Part(_))).map(|(_, path)| path.clone()).collect();
    let bytes = with_parts(Bytes::input(path, &guarded)?, &parts, |part| Bytes::input(part, &guarded))?;
    let product = match load_noted(bytes, path, &params.expected, ctx)? {
        Loaded::Quantized(parsed) => in_memory(parsed.network, Outcome::Load),
        Loaded::Float(network) => {
            let digest = Blake3(network.digest()?.into());
            Product::Value { digest, bytes: 0, value: family::Value::Nnue(Value::Factorized(Arc::from(network))), outcome: Outcome::Load }
        }
    };
    // Float rows are read when they are digested: only now the file has been read.
    inputs.check_unchanged()?;
    Ok(product)
}

/// Rows are folded in when they are read: the result is named by what it is made of.
fn coalesce(inputs: &dyn Inputs) -> Result<Product> {
    let Value::Factorized(network) = value(inputs, Role::Network)? else { return Err(wrong_value("coalesce")) };
    let network = Arc::unwrap_or_clone(network).coalesce();
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 coalesced network");
    hasher.update(&inputs.digest(Role::Network)?.0);
    let digest = Blake3(hasher.finalize().into());
    Ok(Product::Value { digest, bytes: 0, value: family::Value::Nnue(Value::Coalesced(Arc::new(network))), outcome: Outcome::Coalesce })
}

fn quantize(params: Quantize, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let Value::Coalesced(network) = value(inputs, Role::Network)? else { return Err(wrong_value("quantize")) };
    let (network, quantized) = pipeline::quantize(&network, params, ctx)?;
    inputs.check_unchanged()?;
    Ok(in_memory(network, Outcome::Quantize(quantized)))
}

/// Positions of the data files → the matrices of the search and of its judgement.
fn gather(params: &Gather, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let take = || pipeline::sample(&data(inputs), params, held_out(params.positions), &inputs.guarded()?);
    let sampled = samples::taken(samples::Key::of_gather(params, inputs)?, take, || inputs.check_unchanged())?;
    let Value::Quantized(network) = value(inputs, Role::Network)? else { return Err(wrong_value("gather")) };
    let gathered = pipeline::gather(&network, &sampled, ctx)?;
    inputs.check_unchanged()?;
    Ok(matrices(gathered))
}

/// What gather gives, to be stored.
pub(in crate::family) fn matrices(gathered: pipeline::Gathered) -> Product {
    let pipeline::Gathered { matrix, held_out, outcome } = gathered;
    let value = family::Value::Nnue(Value::Gathered(Arc::new(Gathered { matrix, held_out })));
    Product::Stored { value, outcome: Outcome::Gather(outcome) }
}

/// The matrix → a permutation, with its zero blocks on both samples.
fn search(params: &Search, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let Value::Gathered(gathered) = value(inputs, Role::Matrix)? else { return Err(wrong_value("search")) };
    let searched = pipeline::search(&gathered.matrix, gathered.held_out.as_ref(), params, None, ctx)?;
    let outcome = Outcome::Search(Box::new(searched.outcome()));
    let Searched { found, .. } = searched;
    Ok(Product::Stored { value: family::Value::Nnue(Value::Permutation(Arc::new(found.permutation))), outcome })
}

fn permute(inputs: &dyn Inputs) -> Result<Product> {
    let Value::Permutation(permutation) = value(inputs, Role::Permutation)? else { return Err(wrong_value("permute")) };
    let Value::Quantized(network) = value(inputs, Role::Network)? else { return Err(wrong_value("permute")) };
    // The last user owns the network; only a shared one, which a proof still needs, is copied.
    let network = match Arc::try_unwrap(network) {
        Ok(mut network) => {
            reorder(&mut network, &permutation)?;
            network
        }
        Err(shared) => reordered(&shared, &permutation)?,
    };
    Ok(in_memory(network, Outcome::Permute(Permuted::default())))
}

fn in_memory(network: QuantizedNetwork, outcome: Outcome) -> Product {
    let (digest, bytes) = (Blake3(network.digest().into()), network.weight_bytes() as u64);
    Product::Value { digest, bytes, value: family::Value::Nnue(Value::Quantized(Arc::new(network))), outcome }
}

/// A network → what is to be written of it.
fn content(params: &WriteParams, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Content> {
    let target = Target::from(params);
    let weights = match (value(inputs, Role::Network)?, target) {
        (Value::Quantized(network), Target::Nnue(_)) => {
            note_unreadable(params.compression, &network.architecture, ctx);
            Weights::Integers(network)
        }
        (Value::Quantized(network), Target::Floats(_)) => Weights::Integers(network),
        (Value::Factorized(network), Target::Floats(_)) => Weights::Floats(Box::new(Arc::unwrap_or_clone(network))),
        (Value::Factorized(_), Target::Nnue(_)) => return Err(wrong_value("write")),
        (Value::Coalesced(_) | Value::Gathered(_) | Value::Permutation(_), _) => return Err(wrong_value("write")),
    };
    Content::of(weights, target, params.description.as_deref(), ctx)
}

/// The written file, read back, against its source.
fn prove(params: &Prove, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let file = written(inputs)?;
    let Questioned { positions, network, floats } = Questioned::of(params, inputs)?;
    let proved = prove_file(&network, floats.as_deref(), &file, &positions.positions, params, ctx)?;
    inputs.check_unchanged()?;
    Ok(Product::Finding { digest: proved.digest, outcome: Outcome::Prove(Box::new(proved)) })
}

/// What a proof evaluates, beside the file.
struct Questioned {
    positions: Arc<Sampled>,
    network: Arc<QuantizedNetwork>,
    floats: Option<Arc<Network<Coalesced>>>,
}

impl Questioned {
    fn of(params: &Prove, inputs: &dyn Inputs) -> Result<Self> {
        let take = || pipeline::positions_to_prove(&data(inputs), params, &inputs.guarded()?);
        let positions = samples::taken(samples::Key::of_proof(params, inputs)?, take, || inputs.check_unchanged())?;
        let Value::Quantized(network) = value(inputs, Role::Network)? else { return Err(wrong_value("prove")) };
        let floats = match inputs.has(Role::Floats).then(|| value(inputs, Role::Floats)).transpose()? {
            Some(Value::Coalesced(floats)) => Some(floats),
            Some(Value::Factorized(_) | Value::Quantized(_) | Value::Gathered(_) | Value::Permutation(_)) => {
                return Err(wrong_value("prove"));
            }
            None => None,
        };
        Ok(Self { positions, network, floats })
    }
}

/// As [`Stages::completed`](crate::family::Stages::completed): a proof that was made where no floats were is held against these here.
pub(super) fn completed(action: &Action, outcome: Outcome, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Outcome> {
    let (Action::Prove(params), Outcome::Prove(proved), true) = (action, &outcome, inputs.has(Role::Floats)) else { return Ok(outcome) };
    let Questioned { positions, network, floats } = Questioned::of(params, inputs)?;
    let error = floats.map(|floats| deviation(&floats, &network, &positions.positions, params, ctx)).transpose()?;
    inputs.check_unchanged()?;
    Ok(Outcome::Prove(Box::new(Proved { error, ..(**proved).clone() })))
}

/// The written file in a real engine.
fn engine(params: &Engine, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let file = written(inputs)?;
    let Value::Quantized(network) = value(inputs, Role::Network)? else { return Err(wrong_value("engine")) };
    let files = inputs.files();
    let of = |wanted: Role| files.iter().find(|(role, _)| *role == wanted).map(|(_, path)| path.as_path());
    let program = of(Role::Engine).ok_or_else(|| Error::new("there is no engine: this is a bug in nnue, please report it"))?;
    let guarded = inputs.guarded()?;
    let source = of(Role::Source).map(|path| Bytes::input(path, &guarded)).transpose()?;
    let trial = Trial { program, params, network: &network, file: &file, source: source.as_deref() };
    let played = try_with(&trial, ctx)?;
    inputs.check_unchanged()?;
    // Neither names nor times are a result: another run of the same engine would give others.
    let found = format!("{:?} {:?} {:?}", played.nodes, played.against, played.exported);
    Ok(Product::Finding { digest: Blake3::of(found.as_bytes()), outcome: Outcome::Engine(Box::new(played)) })
}

/// The bytes of the file that a write action made.
fn written(inputs: &dyn Inputs) -> Result<Bytes> {
    let path = inputs.published()?;
    let file = Bytes::map(&path)?;
    let digest = Blake3(blake3::Hasher::new().update_rayon(&file).finalize().into());
    if digest != inputs.digest(Role::Published)? {
        return Err(Error::new(format!("`{}` changed while it was looked at", path.display()))
            .help("wait until nothing writes to it, then run the same command again"));
    }
    Ok(file)
}

/// The data files, in their order.
fn data(inputs: &dyn Inputs) -> Vec<PathBuf> {
    let data = inputs.files().into_iter().filter(|(role, _)| matches!(role, Role::Data(_)));
    data.map(|(_, path)| path).collect()
}

impl family::Content for Content {
    fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()> {
        Content::write(self, out, ctx)
    }

    fn reads_late(&self) -> bool {
        match self {
            Self::Nnue { .. } => false,
            Self::Floats { .. } => true,
        }
    }
}

fn wrong_value(stage: &str) -> Error {
    Error::new(format!("{stage} got a result of another kind: the source changed its kind while it was read"))
        .help("run the same command again")
}
