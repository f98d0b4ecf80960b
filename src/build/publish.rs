//! Publishing: what a write action made becomes a file under its public name, once it has passed the checks and its trials.

use std::io::Write;
use std::path::Path;

use super::run::{Candidate, NodeInputs, Ran, Runner};
use crate::error::{Error, Result};
use crate::family::{Content, Inputs};
use crate::files::{self, Blake3, HashingWriter, Sha256};
use crate::format::content_name::misnamed;
use crate::manifest::{Output, OutputKind};
use crate::stage::{Outcome, Written};

impl Runner<'_> {
    /// Writes `content` to every output of a write action.
    pub(super) fn publish(&self, content: &dyn Content, inputs: &NodeInputs<'_>, outputs: &[Output]) -> Result<Ran> {
        let mut made: Option<Made> = None;
        for output in outputs {
            made = Some(self.publish_as(output, content, inputs, made)?);
        }
        let Some(Made { blake3, written, bytes }) = made else { return Err(Error::new("a write action has no output")) };
        Ok(Ran { digest: blake3, bytes, stored: false, outcome: Outcome::Write(written), value: None })
    }

    /// Writes one output, unless the checks refuse it. `before` is what was written to another one.
    fn publish_as(&self, output: &Output, content: &dyn Content, inputs: &NodeInputs<'_>, before: Option<Made>) -> Result<Made> {
        let write = |out: &mut dyn Write| {
            let mut out = HashingWriter::<_, (Blake3, Sha256)>::new(out);
            content.write(&mut out, self.ctx)?;
            if content.reads_late() {
                inputs.check_unchanged()?;
            }
            self.ctx.check()?;
            let (_, (blake3, sha256), bytes) = out.finish();
            Ok(Made { blake3, written: Written { sha256, content: content.unpacked() }, bytes })
        };
        let path = &output.path.value.resolved;
        let accept = |made: &Made, path: &Path| {
            if before.is_some_and(|before| before.blake3 != made.blake3) {
                return Err(Error::new("writing a network twice gave different bytes: this is a bug in nnue, please report it"));
            }
            (self.accept)(output, &Candidate { blake3: made.blake3, written: made.written, path })
        };
        if output.kind == OutputKind::Folder {
            files::create_dir_all(path)?;
            Ok(files::write_named_if_accepted(path, write, |made| made.written.name(), accept)?.value)
        } else {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                files::create_dir_all(folder)?;
            }
            let (made, _) = files::write_if_accepted(path, write, accept)?;
            if let Some(error) = misnamed(path, &made.written.sha256, self.ctx) {
                self.ctx.warn(error.to_string());
            }
            if content.is_program() {
                files::make_runnable(path)?;
            }
            Ok(made)
        }
    }
}

/// What was written.
#[derive(Clone, Copy)]
struct Made {
    blake3: Blake3,
    written: Written,
    bytes: u64,
}
