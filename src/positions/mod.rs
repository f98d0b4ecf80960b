//! Training data readers, deterministic sampling, feature indices.
//!
//! * [`Position`]: 40 bytes, validated; [`Boards`] is the form to compute on.
//! * [`Stream`]: `.binpack`, `.bin` and FEN/EPD files as one stream of entries, in chunks.
//! * [`select()`]: an exact, seeded sample of a stream; the rule is documented in `select.rs`.
//! * [`active_features`]: the rows of a feature block that are active in a position.
//! * [`generate()`]: positions of random games, for tests and examples.
//!
//! Knows nothing of weights, networks' files, the manifest and the cache.

mod attacks;
mod bin;
mod binpack;
mod content;
mod entry;
mod features;
mod filters;
mod generate;
mod plain;
mod position;
mod select;
mod stream;
mod text;
mod threats;

pub use entry::{Entry, Facts};
pub use features::{Features, active_features, active_features_both, orientation, orientations};
pub use filters::{FILTERS, Filter, FilterKind, Filters, Setting};
pub(crate) use filters::{filter_members, filters_of};
pub use generate::generate;
pub use position::{Boards, Color, Fault, PieceType, Position};
pub use select::{DEFAULT_POSITIONS, SELECTION_RULE, Sampled, Selection, Stats, held_out, select};
pub use stream::Stream;
pub use threats::{ThreatFeature, threat_features};
