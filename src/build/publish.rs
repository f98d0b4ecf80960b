//! Publishing: what a write action made becomes a file under its public name, once it has passed the checks and its trials.

use std::io::Write;

use super::run::{Candidate, NodeInputs, Ran, Runner};
use crate::error::{Error, Result};
use crate::family::{Content, Inputs};
use crate::files::{self, Blake3, Complete, HashingWriter, Sha256};
use crate::format::content_name::misnamed;
use crate::manifest::{Output, OutputKind};
use crate::stage::{Outcome, Written};

impl Runner<'_> {
    /// Writes `content` to every output of a write action.
    pub(super) fn publish(&self, content: Box<dyn Content>, inputs: &NodeInputs<'_>, outputs: &[Output]) -> Result<Ran> {
        let mut made: Option<Made> = None;
        let mut files = Vec::with_capacity(outputs.len());
        for output in outputs {
            let (file, now) = self.make(output, &*content, inputs, made)?;
            files.push(file);
            made = Some(now);
        }
        let Some(Made { blake3, written, bytes }) = made else { return Err(Error::new("a write action has no output")) };
        let is_program = content.is_program();
        // A disk takes its time, and takes many files at once in hardly more: meanwhile others compute, without this network in memory.
        drop(content);
        self.slot.away(|| files::publish_all(files))?;
        for output in outputs.iter().filter(|output| output.kind != OutputKind::Folder) {
            let path = &output.path.value.resolved;
            if let Some(error) = misnamed(path, &written.sha256, self.ctx) {
                self.ctx.warn(error.to_string());
            }
            if is_program {
                files::make_runnable(path)?;
            }
        }
        Ok(Ran { digest: blake3, bytes, stored: false, outcome: Outcome::Write(written), value: None })
    }

    /// Makes the file of one output, unless the checks refuse it. `before` is what was written for another one.
    fn make(&self, output: &Output, content: &dyn Content, inputs: &NodeInputs<'_>, before: Option<Made>) -> Result<(Complete, Made)> {
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
        let (file, made) = if output.kind == OutputKind::Folder {
            files::create_dir_all(path)?;
            Complete::write_named(path, write, |made: &Made| made.written.name())?
        } else {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                files::create_dir_all(folder)?;
            }
            Complete::write(path, write)?
        };
        if before.is_some_and(|before| before.blake3 != made.blake3) {
            return Err(Error::new("writing a network twice gave different bytes: this is a bug in nnue, please report it"));
        }
        (self.accept)(output, &Candidate { blake3: made.blake3, written: made.written, path: file.path() })?;
        Ok((file, made))
    }
}

/// What was written.
#[derive(Clone, Copy)]
struct Made {
    blake3: Blake3,
    written: Written,
    bytes: u64,
}
