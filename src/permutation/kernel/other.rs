//! Processors without a form of their own: there is only the portable one.

use super::{Square, Tile};
use crate::cpu::Feature;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {}

pub(super) const ALL: [(Special, &[Feature]); 0] = [];

impl Special {
    pub(super) fn name(self) -> &'static str {
        match self {}
    }

    pub(super) fn count_shared(self, _: [&[u64]; 4], _: [&[u64]; 4]) -> Tile {
        match self {}
    }

    pub(super) fn count_common(self, _: [&[u64]; 4]) -> u64 {
        match self {}
    }

    pub(super) fn words_at_once(self) -> usize {
        match self {}
    }

    pub(super) fn best_rotation(self, _: &Square, _: &Square, _: &Square, _: i32) -> Option<(i32, [usize; 3])> {
        match self {}
    }

    pub(super) fn above(self, _: &[i32], _: &[i32], _: i32) -> u64 {
        match self {}
    }
}

/// There is no stable way to ask for a line ahead.
#[inline]
pub(super) fn prefetch(_: &Square) {}
