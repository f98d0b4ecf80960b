//! The trainer's networks (NNUE): `.nnue` files, engines with one inside, checkpoints.
//!
//! | file | job |
//! | --- | --- |
//! | [`stages`] | what each stage does, a pure function each; and the whole way of a net without a graph |
//! | `plan`, `assume` | a net of a manifest → its actions; what its source leaves open |
//! | `execute`, `value` | an action of a build → its stage; results in memory, as artifacts, and from elsewhere |
//! | `samples` | positions that were taken lately, for the next that takes the same |
//! | `fishtest` | what a place of publication asks |
//! | `pictures` | what a report links to |

mod assume;
pub(in crate::family) mod execute;
mod fishtest;
mod pictures;
pub(in crate::family) mod plan;
mod samples;
pub mod stages;
pub(in crate::family) mod value;

pub(crate) use fishtest::Fishtest;
pub(super) use pictures::pictures;
use stages::load::load_file;
pub(crate) use value::Value;

use std::io::Read;
use std::path::Path;

use super::{Family, Inputs, Packed, Planned, Product, SourceFacts, Stages, Steps, Value as AnyValue};
use crate::ctx::{Ctx, open_file};
use crate::error::{Error, Result};
use crate::files::{Blake3, Bytes};
use crate::format::nnue;
use crate::format::sources::FileKind;
use crate::manifest::{FilePath, Manifest, ResolvedNet};
use crate::stage::{Action, Outcome, Role};
use crate::words::Compression;

/// The family.
pub(crate) struct Nnue;

impl Family for Nnue {
    fn recognizes(&self, content: FileKind, _: &FilePath) -> bool {
        // Programs hold networks too, of any engine.
        content.holds().is_network()
    }

    fn compression(&self, content: FileKind, path: &FilePath) -> Option<Compression> {
        // Read, not mapped: the file may be one that is being written.
        let file = (content == FileKind::Nnue).then(|| open_file(&path.resolved).ok()).flatten()?;
        let mut head = Vec::new();
        // Hardly any description is longer than a page.
        let mut reader = file.take(4096);
        reader.read_to_end(&mut head).ok()?;
        nnue::compression(&head).or_else(|| {
            reader.set_limit(nnue::HEAD);
            reader.read_to_end(&mut head).ok()?;
            nnue::compression(&head)
        })
    }

    fn plan(&self, manifest: &Manifest, net: &ResolvedNet, facts: SourceFacts, steps: &mut dyn Steps) -> Result<Planned> {
        plan::plan(manifest, net, facts, steps)
    }

    fn assumption(&self, net: &ResolvedNet, facts: SourceFacts, ctx: &Ctx) -> Option<String> {
        assume::assumption(net, facts, ctx)
    }
}

impl Stages for Nnue {
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
        execute::execute(action, inputs, ctx)
    }

    fn read_stored(&self, action: &Action, bytes: &[u8]) -> Result<AnyValue> {
        value::read_stored(action, bytes).map(AnyValue::Nnue)
    }

    fn read_file(&self, role: Role, bytes: &[u8]) -> Result<AnyValue> {
        value::read_file(role, bytes).map(AnyValue::Nnue)
    }

    fn most_bytes(&self, action: &Action, network: &AnyValue) -> Result<u64> {
        Ok(value::most_bytes(action, network.half()?))
    }

    fn check_fits(&self, action: &Action, result: &AnyValue, network: &AnyValue) -> Result<()> {
        let AnyValue::Nnue(result) = result else { return Err(Error::new(format!("it is not a result of {}", action.stage()))) };
        value::check_fits(action, result, network.half()?)
    }

    fn core_seconds(&self, action: &Action, network: &AnyValue, matrix: u64) -> Result<f64> {
        Ok(value::core_seconds(action, network.half()?, matrix))
    }

    fn packed(&self, _: &Action, network: &AnyValue) -> Option<Packed> {
        let AnyValue::Nnue(value::Value::Quantized(network)) = network else { return None };
        Some(Packed { bytes: value::packed(network)?, digest: None })
    }

    fn completed(&self, action: &Action, outcome: Outcome, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Outcome> {
        execute::completed(action, outcome, inputs, ctx)
    }

    fn unpacked(&self, bytes: &[u8], digest: Blake3) -> Result<AnyValue> {
        value::unpacked(bytes, digest).map(AnyValue::Nnue)
    }

    fn read_back(&self, bytes: &[u8], digest: Blake3) -> Option<AnyValue> {
        value::read_back(bytes, digest).map(AnyValue::Nnue)
    }

    fn check_source(&self, action: &Action, path: &Path, _: &Ctx, input: Bytes) -> Result<()> {
        action.load().map_or(Ok(()), |load| load_file(input, path, &load.expected).map(drop))
    }
}

/// The bytes of a small source, for tests.
#[cfg(test)]
pub(super) fn small_source() -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = crate::format::nnue::write(&mut bytes, &crate::net::random_network("small", 16, 1), crate::words::Compression::None);
    written.expect("memory takes everything");
    bytes
}

/// The bytes of a small checkpoint without a description of its own, for tests.
#[cfg(test)]
pub(super) fn small_checkpoint() -> Vec<u8> {
    use stages::{
        dequantize::dequantize,
        write_float::{FloatTarget, write_float},
    };
    let mut network = crate::net::random_network("small", 16, 1);
    network.description = crate::format::nnue::DEFAULT_DESCRIPTION.into();
    let (mut bytes, ctx) = (Vec::new(), crate::ctx::Ctx::silent());
    let floats = dequantize(&std::sync::Arc::new(network), &ctx).expect("an architecture of the table");
    write_float(&mut bytes, &floats, FloatTarget::Safetensors, &ctx).expect("memory takes everything");
    bytes
}
