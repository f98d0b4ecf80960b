//! From the actions of a build to networks and files.
//!
//! Every result is named by the protobuf that it would be written as: what repacks a file, or changes nothing in it, leaves all that
//! depends on it as it is.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::layer::Decode;
use super::net::{Net, Version};
use super::onnx::{OnnxOptions, write_onnx};
use super::open::open;
use super::tensor_file::{TensorFile, write_tensors};
use super::{blend, warn_of_changed, warn_of_findings};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::{self, Inputs, Product};
use crate::files::{Blake3, Bytes, Sha256, is_runnable};
use crate::stage::lc0::{Blend, Encode, Fold, Heads, Metadata, ReadWeights, WeightFormat, WriteWeights};
use crate::stage::{Action, Outcome, Role};

/// A network in memory, or still in the file that it was loaded from.
#[derive(Clone)]
pub(crate) struct Value(Arc<Net>);

/// As [`Stages::execute`](crate::family::Stages::execute).
pub(super) fn execute(action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    match action {
        Action::ReadWeights(params) => load(*params, inputs, ctx),
        Action::Blend(params) => mix(params, inputs, ctx),
        Action::Heads(params) => change(Outcome::Heads, inputs, |net| keep_heads_with_warning(net, params, ctx)),
        Action::Fold(Fold { encoding, decode }) => change(Outcome::Fold, inputs, |net| net.fold(*encoding, *decode, ctx)),
        Action::Encode(Encode { encoding, decode }) => change(Outcome::Encode, inputs, |net| net.encode(*encoding, *decode, ctx)),
        Action::WriteWeights(params) => write(params, inputs),
        // Whose an action is says `family::stages`.
        _ => Err(Error::new("a stage of another family: this is a bug in nnue, please report it")),
    }
}

fn load(params: ReadWeights, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let files = inputs.files();
    let Some((_, path)) = files.iter().find(|(role, _)| *role == Role::Source) else {
        return Err(Error::new("load has no source: this is a bug in nnue, please report it"));
    };
    let net = read(params, path, Bytes::input(path, &inputs.guarded()?)?, ctx)?;
    for note in net.notes() {
        ctx.warn(format!("`{}`: {note}", path.display()));
    }
    warn_of_findings(&net, params.decode, ctx);
    let product = in_memory(net.unwrapped(), Outcome::Load)?;
    inputs.check_unchanged()?;
    Ok(product)
}

/// The network of a source.
pub(super) fn read(params: ReadWeights, path: &Path, bytes: Bytes, ctx: &Ctx) -> Result<Net> {
    let net = if params.embedded { Net::read_embedded(&bytes, params.decode) } else { open(&bytes, params.decode, params.changed, ctx) };
    let net = net.map_err(|error| error.context(format!("cannot read `{}`", path.display())))?;
    net.check_decodable(params.decode)?;
    Ok(net)
}

fn network(inputs: &dyn Inputs, role: Role) -> Result<Arc<Net>> {
    match inputs.value(role)? {
        family::Value::Lc0(Value(net)) => Ok(net),
        family::Value::Nnue(_) | family::Value::Described(_) => {
            Err(Error::new("a network of lc0 was expected: the source changed its kind while it was read")
                .help("run the same command again"))
        }
    }
}

fn change(outcome: Outcome, inputs: &dyn Inputs, change: impl FnOnce(&mut Net) -> Result<()>) -> Result<Product> {
    // The last user owns the network; of a shared one the tree is copied, not the layers.
    let mut net = Arc::unwrap_or_clone(network(inputs, Role::Network)?);
    change(&mut net)?;
    let product = in_memory(net, outcome)?;
    inputs.check_unchanged()?;
    Ok(product)
}

/// Keeps the heads that are named.
///
/// # Errors
/// Those of [`Net::keep_heads`].
pub fn keep_heads(net: &mut Net, heads: &Heads) -> Result<()> {
    fn names(names: &Option<Vec<String>>) -> Option<Vec<&str>> {
        names.as_ref().map(|names| names.iter().map(String::as_str).collect())
    }
    let (policy, value) = (names(&heads.policy), names(&heads.value));
    net.keep_heads(policy.as_deref(), value.as_deref())
}

/// As [`keep_heads`]; warns where the heads that lc0 plays are not among them.
fn keep_heads_with_warning(net: &mut Net, heads: &Heads, ctx: &Ctx) -> Result<()> {
    let before = net.structure(Decode::default()).faults.told();
    keep_heads(net, heads)?;
    warn_of_changed(net, &before, ctx);
    Ok(())
}

fn mix(params: &Blend, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
    let first = network(inputs, Role::Network)?;
    let mut others = Vec::new();
    let graft = params.grafts.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let averaged = u32::try_from(params.shares.len().saturating_sub(1)).unwrap_or(u32::MAX);
    for number in 1..=averaged.max(graft) {
        others.push(network(inputs, Role::Other(number))?);
    }
    let mut net = if params.shares.is_empty() {
        Arc::unwrap_or_clone(first)
    } else {
        let nets = std::iter::once(&first).chain(&others).map(|net| &**net);
        blend(&nets.zip(params.shares.iter().copied()).collect::<Vec<_>>(), params.encoding, params.decode, ctx)?
    };
    let before = net.structure(Decode::default()).faults.told();
    for (part, number) in &params.grafts {
        let from = others.get(*number as usize - 1).ok_or_else(|| Error::new("a graft has no network: this is a bug in nnue"))?;
        net.graft(from, part)?;
    }
    // A part of another net may be of another size.
    warn_of_changed(&net, &before, ctx);
    let product = in_memory(net, Outcome::Blend)?;
    inputs.check_unchanged()?;
    Ok(product)
}

fn in_memory(net: Net, outcome: Outcome) -> Result<Product> {
    let mut hasher = Hasher(blake3::Hasher::new_derive_key("nnue 2026-11 network of lc0"));
    net.write_pb(&mut hasher)?;
    let digest = Blake3(hasher.0.finalize().into());
    Ok(Product::Value { digest, bytes: net.pb_len(), value: family::Value::Lc0(Value(Arc::new(net))), outcome })
}

/// Hashes layers on all cores.
struct Hasher(blake3::Hasher);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        /// Below, one core is as fast.
        const SMALL: usize = 128 << 10;
        if bytes.len() < SMALL {
            self.0.update(bytes)
        } else {
            self.0.update_rayon(bytes)
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write(params: &WriteWeights, inputs: &dyn Inputs) -> Result<Product> {
    let mut net = Arc::unwrap_or_clone(network(inputs, Role::Network)?);
    let format = params.format.clone();
    let mut program = None;
    match format {
        WeightFormat::Protobuf | WeightFormat::Gzip | WeightFormat::Program => {
            edit_header(&mut net, &params.metadata)?;
            net.check_version().map_err(of_manifest)?;
        }
        WeightFormat::Tensors { .. } => edit_header(&mut net, &params.metadata)?,
        WeightFormat::Onnx { .. } => {}
    }
    if format == WeightFormat::Program {
        let files = inputs.files();
        let Some((_, path)) = files.iter().find(|(role, _)| *role == Role::Program) else {
            return Err(Error::new("write has no program: this is a bug in nnue, please report it"));
        };
        program = Some(Program { bytes: Bytes::input(path, &inputs.guarded()?)?, is_runnable: is_runnable(path) });
    }
    Ok(Product::File(Box::new(Content { net, format, program, unpacked: OnceLock::new() })))
}

/// The refusal of a version that is too low, with help that speaks of the manifest.
fn of_manifest(error: Error) -> Error {
    error.help_instead(format!("raise it in the net's table: `metadata = {{ min_version = \"{}\" }}`", Version::LAYER_ENCODINGS))
}

/// Changes a header as it is asked for.
///
/// # Errors
/// When a value is not one of its field, or the version is one that does not know the layers.
pub fn edit_header(net: &mut Net, metadata: &Metadata) -> Result<()> {
    let Metadata { license, min_version, fixup, strip_training, training } = metadata;
    if *fixup {
        net.fixup();
    }
    if let Some(license) = license {
        net.set_license(license.as_deref());
    }
    if *strip_training {
        net.strip_training();
    }
    for (name, value) in training {
        net.set_training(name, Some(value))?;
    }
    match min_version {
        Some([major, minor, patch]) => net.set_min_version(Version(*major, *minor, *patch)),
        None => Ok(()),
    }
}

/// A file to be.
struct Content {
    net: Net,
    format: WeightFormat,
    program: Option<Program>,
    /// Digest of the protobuf in a gzip'd file, once that was written.
    unpacked: OnceLock<Sha256>,
}

/// What gets the network at its end.
struct Program {
    bytes: Bytes,
    is_runnable: bool,
}

impl family::Content for Content {
    fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()> {
        let net = &self.net;
        match &self.format {
            WeightFormat::Protobuf => net.write_pb(out),
            WeightFormat::Gzip => {
                let content = net.pack(out)?;
                self.unpacked.get_or_init(|| content);
                Ok(())
            }
            WeightFormat::Program => {
                let program = self.program.as_ref().map_or(&[][..], |program| &program.bytes);
                net.write_embedded(program, out)
            }
            WeightFormat::Tensors { npz, view, decode } => {
                let file = if *npz { TensorFile::Npz } else { TensorFile::Safetensors };
                write_tensors(out, net, *view, decoded_as(net, *decode)?, file, ctx)
            }
            WeightFormat::Onnx { policy, value, numbers, decode } => {
                let options = OnnxOptions { policy_head: policy.clone(), value_head: value.clone(), numbers: *numbers };
                write_onnx(out, net, &options, decoded_as(net, *decode)?, ctx)
            }
        }
    }

    fn reads_late(&self) -> bool {
        true
    }

    fn unpacked(&self) -> Option<Sha256> {
        self.unpacked.get().copied()
    }

    fn is_program(&self) -> bool {
        self.program.as_ref().is_some_and(|program| program.is_runnable)
    }
}

/// The formula, if it reads the network as it is stored.
fn decoded_as(net: &Net, decode: Decode) -> Result<Decode> {
    net.check_decodable(decode)?;
    Ok(decode)
}
