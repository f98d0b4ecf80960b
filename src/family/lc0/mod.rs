//! lc0's networks: weight files as lc0 0.33 reads them, bit for bit, and everything that can be done with one.
//!
//! ```text
//! bytes → container → wire → Net (checks) → fix-up → view (raw, legacy, multi) → tensors, ONNX, description
//!                                    ↘ edit, encode, fold, blend → write
//! ```
//!
//! * [`Net::read`] takes what lc0 takes and refuses what lc0 refuses, in lc0's words. What lc0 does not look at (layers that are missing,
//!   sizes, NaN, a header that says something else, features that the stated version does not know) is told by [`Net::findings`], and what
//!   comes of it in a release by [`Net::verdict`].
//! * A net holds the file as it is. Layers are carried as stored bytes and only encoded when their floats change; an untouched net is
//!   written back byte for byte.
//! * In a build a net passes through the stages of [`crate::stage::lc0`]: `plan` makes them, `execute` runs them.
//! * The decode formula is a parameter, [`Decode`]: two are in use, and they differ in the last bit.
//!
//! # Limitations
//! The heads in `policy_head_map` and `value_head_map` are carried and shown; like lc0, no view has them.

mod blend;
mod container;
mod describe;
mod diff;
mod edit;
mod execute;
mod findings;
mod fixup;
mod fold;
mod inflate_fault;
mod layer;
mod net;
mod onnx;
mod open;
mod pack;
mod pictures;
mod plan;
pub mod schema;
mod sizes;
mod sniff;
mod source;
mod tensor_file;
mod text;
mod unpack;
mod verdict;
mod view;
pub mod wire;
mod write;

pub use crate::format::autodiscover::{Environment, discover};
pub use blend::blend;
pub use container::{Wrapping, is_embedded};
pub use describe::{Description, Entry, Fixed, Found, Part, Release, Size};
pub use diff::{FieldDiff, LayerDiff, NetDiff, diff};
pub(crate) use execute::Value;
pub use execute::{edit_header, keep_heads};
pub use findings::{Effect, Fault, Finding};
pub use fixup::Change;
pub use layer::{Decode, Encoded, Encoding, Layer, encode, is_linear16_stable};
pub use net::{Net, Version};
pub use onnx::{OnnxOptions, write_onnx};
pub use open::{Form, check_encoding, open, until_written};
pub use pictures::sections;
pub(crate) use plan::is_meant;
pub use sizes::Sized;
pub use sniff::{Sniffed, sniff};
pub(crate) use source::Lc0;
pub use tensor_file::{TensorFile, is_lc0_tensors, read_tensors, write_tensors};
pub use text::{read_text, text_version};
pub use verdict::Verdict;
pub use view::{Tensor, Tensors, View};

use crate::ctx::Ctx;

/// Most faults that are told one by one.
const SHOWN: usize = 5;

/// Warns of what lc0 does not look for in a network, the worst first.
pub fn warn_of_findings(net: &Net, decode: Decode, ctx: &Ctx) {
    warn_of(net.findings(decode), ctx);
}

/// Warns of what has become missing or false in a network that was changed: `before` are the faults of its structure that it had.
fn warn_of_changed(net: &Net, before: &[Finding], ctx: &Ctx) {
    let mut findings = net.structure(Decode::default()).faults.told();
    findings.retain(|finding| !before.contains(finding));
    warn_of(findings, ctx);
}

/// What a warning says after the first of its kind.
fn and_more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" ({others} more of the kind)") }
}

fn warn_of(mut findings: Vec<Finding>, ctx: &Ctx) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.effect));
    for finding in findings.iter().take(SHOWN) {
        ctx.warn(finding.to_string());
    }
    if findings.len() > SHOWN {
        ctx.warn(format!("{} more of the kind; `nnue inspect` shows all", findings.len() - SHOWN));
    }
}
