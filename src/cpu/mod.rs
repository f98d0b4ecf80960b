//! Which vector instructions the processor has: the one place that asks. Kernels name what each of their forms needs.

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
#[path = "other.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;

/// A group of instructions beyond what every processor of the target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each target has some of them")]
pub(crate) enum Feature {
    Popcnt,
    Avx2,
    Avx512F,
    Avx512Bw,
    Avx512Vnni,
    Avx512Vpopcntdq,
    Neon,
}

/// Whether the processor that this runs on has all of `features`. Cheap: the answer is remembered.
pub(crate) fn has(features: &[Feature]) -> bool {
    features.iter().all(|feature| arch::has(*feature))
}

/// The forms that can run here, in the order of the table: each form stands with what it needs.
pub(crate) fn runnable<T: Copy>(forms: &[(T, &[Feature])]) -> Vec<T> {
    forms.iter().filter(|(_, features)| has(features)).map(|(form, _)| *form).collect()
}

#[cfg(test)]
mod tests;
