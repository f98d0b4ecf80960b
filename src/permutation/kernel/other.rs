//! Processors without a form of their own: there is only the portable one.

use super::Tile;
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
}
