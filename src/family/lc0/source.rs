//! lc0's networks as a family of builds: which files are its own, what is made of them, and by whom.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    execute, plan,
    sniff::{HEAD, sniff_parts},
    tensor_file,
};
use crate::ctx::{Ctx, open_file};
use crate::error::{Error, Result};
use crate::family::{Family, Inputs, Packed, Planned, Product, SourceFacts, Stages, Steps, Value};
use crate::files::{Blake3, Bytes};
use crate::format::sources::FileKind;
use crate::manifest::{FilePath, Manifest, ResolvedNet};
use crate::stage::{Action, Role};

/// The family.
pub(crate) struct Lc0;

impl Family for Lc0 {
    fn recognizes(&self, content: FileKind, path: &FilePath) -> bool {
        // Read, not mapped: the file may be one that is being written.
        let looked = || -> std::io::Result<bool> {
            let mut file = open_file(&path.resolved)?;
            match content {
                FileKind::Safetensors => tensor_file::is_marked_safetensors(&mut file),
                FileKind::Npz => tensor_file::is_marked_npz(&mut file),
                _ => {
                    let mut head = Vec::new();
                    file.by_ref().take(HEAD).read_to_end(&mut head)?;
                    let mut tail = [0; 8];
                    let has_tail = file.seek(SeekFrom::End(-8)).is_ok() && file.read_exact(&mut tail).is_ok();
                    Ok(sniff_parts(&head, if has_tail { &tail } else { &[] }).is_some())
                }
            }
        };
        // The mark of a net in a program is at the end of it; protobuf has none of its own.
        (content.holds().may_hide_network() || content.holds_floats()) && looked().unwrap_or(false)
    }

    fn plan(&self, manifest: &Manifest, net: &ResolvedNet, facts: SourceFacts, steps: &mut dyn Steps) -> Result<Planned> {
        plan::plan(manifest, net, facts, steps)
    }

    fn assumption(&self, _: &ResolvedNet, _: SourceFacts, _: &Ctx) -> Option<String> {
        None
    }
}

impl Stages for Lc0 {
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
        execute::execute(action, inputs, ctx)
    }

    fn read_stored(&self, action: &Action, _: &[u8]) -> Result<Value> {
        Err(not_stored(action))
    }

    fn read_file(&self, role: Role, _: &[u8]) -> Result<Value> {
        Err(Error::new(format!("a file cannot stand for the input `{role}`: this is a bug in nnue, please report it")))
    }

    fn most_bytes(&self, action: &Action, _: &Value) -> Result<u64> {
        Err(not_stored(action))
    }

    fn check_fits(&self, action: &Action, _: &Value, _: &Value) -> Result<()> {
        Err(not_stored(action))
    }

    fn core_seconds(&self, action: &Action, _: &Value, _: u64) -> Result<f64> {
        Err(not_stored(action))
    }

    fn packed(&self, _: &Action, _: &Value) -> Option<Packed> {
        None
    }

    fn unpacked(&self, _: &[u8], _: Blake3) -> Result<Value> {
        Err(Error::new("no stage on a network of lc0 runs elsewhere: this is a bug in nnue, please report it"))
    }

    fn check_source(&self, action: &Action, path: &Path, ctx: &Ctx, input: Bytes) -> Result<()> {
        let Some(params) = action.read_weights() else { return Ok(()) };
        // lc0 reads what there is of a gzip stream; what is still being copied is not the network yet.
        execute::read(*params, path, input, ctx)?.check_whole()
    }
}

fn not_stored(action: &Action) -> Error {
    Error::new(format!("results of {} are not stored", action.stage()))
}
