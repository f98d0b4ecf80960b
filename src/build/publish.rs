//! Publishing: what a write action made becomes a file under its public name, once it has passed the checks.

use std::io::Write;
use std::path::Path;

use super::run::{NodeInputs, Ran, Runner};
use crate::error::{Error, Result};
use crate::family::{Content, Inputs};
use crate::files::{self, Blake3, HashingWriter, Sha256};
use crate::format::content_name::misnamed;
use crate::manifest::{Output, OutputKind};
use crate::stage::{Outcome, Written};

impl Runner<'_> {
    /// Writes `content` to every output of a write action.
    pub(super) fn publish(&self, content: &dyn Content, inputs: &NodeInputs<'_>, outputs: &[Output]) -> Result<Ran> {
        let mut published: Option<(Blake3, Written, u64)> = None;
        for output in outputs {
            let (blake3, written, bytes) = self.publish_as(output, content, inputs)?;
            if published.is_some_and(|(other, _, _)| other != blake3) {
                return Err(Error::new("writing a network twice gave different bytes: this is a bug in nnue, please report it"));
            }
            published = Some((blake3, written, bytes));
        }
        let Some((digest, written, bytes)) = published else { return Err(Error::new("a write action has no output")) };
        Ok(Ran { digest, bytes, stored: false, outcome: Outcome::Write(written), value: None })
    }

    /// Writes one output, unless the checks refuse it; its digests and size.
    fn publish_as(&self, output: &Output, content: &dyn Content, inputs: &NodeInputs<'_>) -> Result<(Blake3, Written, u64)> {
        let mut last = (Blake3([0; 32]), Written::new(Sha256([0; 32])), 0);
        let mut write = |out: &mut dyn Write| {
            let mut out = HashingWriter::<_, (Blake3, Sha256)>::new(out);
            content.write(&mut out, self.ctx)?;
            if content.reads_late() {
                inputs.check_unchanged()?;
            }
            self.ctx.check()?;
            let (_, (blake3, sha256), bytes) = out.finish();
            let written = Written { sha256, content: content.unpacked() };
            last = (blake3, written, bytes);
            Ok(written)
        };
        let path = &output.path.value.resolved;
        let accept = |written: &Written, content: &Path| (self.accept)(output, written, content);
        if output.kind == OutputKind::Folder {
            files::create_dir_all(path)?;
            files::write_named_if_accepted(path, &mut write, Written::name, accept)?;
        } else {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                files::create_dir_all(folder)?;
            }
            files::write_if_accepted(path, &mut write, accept)?;
            if let Some(error) = misnamed(path, &last.1.sha256, self.ctx) {
                self.ctx.warn(error.to_string());
            }
            if content.is_program() {
                files::make_runnable(path)?;
            }
        }
        Ok(last)
    }
}
