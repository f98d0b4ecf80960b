//! What sources leave open and a build would assume: found before anything runs, once per source.

use std::collections::HashSet;

use super::make::{expectation, format_of};
use super::{Facts, SourceFacts};
use crate::files::Bytes;
use crate::format::nnue;
use crate::format::sources::FileKind;
use crate::manifest::ResolvedNet;
use crate::words::FileFormat;

/// One line for each source of these nets whose scales are open although results depend on them. Reads little more than headers; what
/// cannot be read says so when it is built.
pub fn open_scales<'n>(nets: impl IntoIterator<Item = &'n ResolvedNet>, facts: &Facts) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut lines = Vec::new();
    for net in nets {
        let source = &net.source;
        let path = &source.path.value;
        let is_nnue = facts.of(&path.resolved).and_then(|facts: SourceFacts| facts.kind) == Some(FileKind::Nnue);
        let Some(purpose) = purpose(net).filter(|_| is_nnue && source.claims.quantization.is_none()) else { continue };
        let expected = expectation(&source.claims);
        let Ok(architecture) = Bytes::map(&path.resolved).and_then(|bytes| nnue::architecture(&bytes, &expected)) else { continue };
        let assumed = architecture.quantization.name;
        let possible = architecture.generation.quantizations.iter().map(|scales| scales.name);
        let others: Vec<&str> = possible.filter(|name| *name != assumed).collect();
        if !others.is_empty() && seen.insert(path.resolved.as_path()) {
            lines.push(format!(
                "`{}` does not record its scales: {assumed} is assumed for {purpose} (also possible: {}); set `quantization` in the source's \
                 table",
                path.typed,
                others.join(", ")
            ));
        }
    }
    lines
}

/// What the scales decide in this net, if anything.
fn purpose(net: &ResolvedNet) -> Option<&'static str> {
    let writes_floats = || net.outputs.iter().any(|output| format_of(output.kind) != FileFormat::Nnue);
    if net.optimize.is_some() { Some("the zero rule") } else { writes_floats().then_some("the float weights") }
}
