//! Buckets of S3, Google Cloud Storage and Azure, through `object_store`: only in builds with the cargo feature `cloud`.

#[cfg(not(feature = "cloud"))]
mod disabled;
#[cfg(feature = "cloud")]
mod enabled;

#[cfg(not(feature = "cloud"))]
pub(super) use disabled::open;
#[cfg(feature = "cloud")]
pub(super) use enabled::open;
