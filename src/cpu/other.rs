//! Processors for which no kernel has a form of its own.

use super::Feature;

pub(super) fn has(_: Feature) -> bool {
    false
}
