//! What x86-64 processors tell of themselves.

use super::Feature;

pub(super) fn has(feature: Feature) -> bool {
    match feature {
        Feature::Popcnt => is_x86_feature_detected!("popcnt"),
        Feature::Avx2 => is_x86_feature_detected!("avx2"),
        Feature::Avx512F => is_x86_feature_detected!("avx512f"),
        Feature::Avx512Bw => is_x86_feature_detected!("avx512bw"),
        Feature::Avx512Vnni => is_x86_feature_detected!("avx512vnni"),
        Feature::Avx512Vpopcntdq => is_x86_feature_detected!("avx512vpopcntdq"),
        Feature::Neon => false,
    }
}
