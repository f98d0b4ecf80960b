//! lc0's networks as sources of a manifest.
//!
//! # Limitations
//! They are recognized, so that a build says what they are; it has no stages for them yet. `nnue convert` and `nnue inspect` work on them.

use super::sniff;
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::family::{Family, Planned, SourceFacts, Steps};
use crate::files::Bytes;
use crate::format::sources::FileKind;
use crate::manifest::{FilePath, Manifest, ResolvedNet};

/// The family.
pub(crate) struct Lc0;

impl Family for Lc0 {
    fn recognizes(&self, content: FileKind, path: &FilePath) -> bool {
        // The mark of a net in a program is at the end of it; protobuf has none of its own.
        content.holds().may_hide_network() && Bytes::map(&path.resolved).is_ok_and(|bytes| sniff(&bytes).is_some())
    }

    fn plan(&self, manifest: &Manifest, net: &ResolvedNet, _: SourceFacts, _: &mut dyn Steps) -> Result<Planned> {
        let path = &net.source.path;
        Err(not_built(manifest, &net.name, path.span, &path.value.typed))
    }

    fn assumption(&self, _: &ResolvedNet, _: SourceFacts, _: &Ctx) -> Option<String> {
        None
    }
}

fn not_built(manifest: &Manifest, net: &str, span: crate::manifest::Span, path: &str) -> Error {
    manifest
        .diagnostic(
            span,
            &format!("`{path}` holds a network of lc0, which net `{net}` cannot be built from"),
            "a network of lc0",
            "networks of lc0 are converted with `nnue convert`; builds of them are not supported yet",
            &format!("convert it: `nnue convert {path} TARGET`, and remove net `{net}` from the manifest"),
        )
        .kind_is(Kind::Usage)
}
