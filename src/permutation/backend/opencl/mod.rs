//! Counting on an OpenCL device, which is looked for when it is needed: a build with this backend starts on machines without OpenCL.

#[cfg(not(feature = "opencl"))]
#[path = "disabled.rs"]
mod imp;
#[cfg(feature = "opencl")]
#[path = "enabled.rs"]
mod imp;

pub(super) use imp::find;
#[cfg(all(test, feature = "opencl"))]
pub(super) use imp::find_with_budget;
