//! What a source leaves open and a build would assume: its scales.

use std::path::PathBuf;

use super::plan::{expectation, format_of};
use super::stages::load::{Loaded, load_file};
use super::stages::pipeline::other_scales;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::family::SourceFacts;
use crate::files::Bytes;
use crate::format::nnue::{self, Expectation};
use crate::format::sources::{FileKind, with_parts};
use crate::manifest::ResolvedNet;
use crate::net::Architecture;
use crate::words::FileFormat;

/// As [`Family::assumption`](crate::family::Family::assumption). Of a `.nnue` file it reads little more than the headers.
pub(super) fn assumption(net: &ResolvedNet, facts: SourceFacts, ctx: &Ctx) -> Option<String> {
    let source = &net.source;
    let purpose = purpose(net).filter(|_| source.claims.quantization.is_none())?;
    let architecture = architecture(net, facts.content?, &expectation(&source.claims), ctx).ok()??;
    let others = other_scales(&architecture);
    (!others.is_empty()).then(|| {
        format!(
            "`{}` does not record its scales: {} is assumed for {purpose} (also possible: {}); set `quantization` in the source's \
             table",
            source.path.value.typed,
            architecture.quantization.name,
            others.join(", ")
        )
    })
}

/// The architecture of a source of integers; `None` for floats, which record their scales or leave no choice.
fn architecture(net: &ResolvedNet, content: FileKind, expected: &Expectation, ctx: &Ctx) -> Result<Option<Architecture>> {
    let path = &net.source.path.value.resolved;
    if content.holds_floats() {
        return Ok(None);
    }
    let parts: Vec<PathBuf> = net.source.parts.iter().map(|part| part.resolved.clone()).collect();
    let bytes = with_parts(Bytes::input(path, ctx)?, &parts, |part| Bytes::input(part, ctx))?;
    if content == FileKind::Nnue && nnue::is_nnue(&bytes) {
        return nnue::architecture(&bytes, expected).map(Some);
    }
    Ok(match load_file(bytes, path, expected)? {
        Loaded::Quantized(parsed) => Some(parsed.network.architecture),
        Loaded::Float(_) => None,
    })
}

/// What the scales decide in this net, if anything.
fn purpose(net: &ResolvedNet) -> Option<&'static str> {
    let writes_floats = || net.outputs.iter().any(|output| format_of(output.kind).is_some_and(|format| format != FileFormat::Nnue));
    if net.optimize.is_some() { Some("the zero rule") } else { writes_floats().then_some("the float weights") }
}
