//! What 64-bit ARM processors tell of themselves.

use super::Feature;

pub(super) fn has(feature: Feature) -> bool {
    feature == Feature::Neon && std::arch::is_aarch64_feature_detected!("neon")
}
