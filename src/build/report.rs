//! What a build or a status check found: the documented JSON (`schema` 1), filled by `summary`, rendered by the command line.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::manifest::ResolvedNet;
use crate::plan::Reason;
use crate::stage::{Played, Proved, Stage};

/// Version of the JSON below; raised when a member changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// All nets of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// In the manifest's order.
    pub nets: Vec<NetReport>,
}

/// How one net stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetStatus {
    /// Something was run or written for it.
    Built,
    /// Everything was up to date.
    Fresh,
    /// Something has to run.
    Stale,
    /// A stage failed.
    Failed,
}

/// How one stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageStatus {
    /// It ran.
    Ran,
    /// The cache had the result from another build.
    Cached,
    /// Nothing changed since the last build.
    Fresh,
    /// It has to run.
    Stale,
    /// It failed.
    Failed,
}

impl StageStatus {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Cached => "cached",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// One net.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetReport {
    /// Its name.
    pub net: String,
    /// How it stands.
    pub status: NetStatus,
    /// Its published files; empty until they are known.
    pub outputs: Vec<OutputReport>,
    /// What the search found, for optimized nets.
    pub zero_blocks: Option<ZeroBlocksReport>,
    /// The largest sum of four products in the first dense layer of a described network whose neurons were reordered; null for others.
    pub largest_sum: Option<u32>,
    /// That its `.nnue` file evaluates as the source does, once it is proven; null for nets without `prove`.
    pub proof: Option<Proved>,
    /// What a real engine made of its `.nnue` file; null for nets without `engine`.
    #[serde(default)]
    pub engine: Option<Played>,
    /// Its stages, in order.
    pub stages: Vec<StageReport>,
    /// What went wrong.
    pub error: Option<String>,
}

/// One published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputReport {
    /// As typed in the manifest, a folder with the file's name behind it.
    pub path: String,
    /// 64 digits.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
    /// Its provenance file, in the same form; null for nets without `provenance = true`.
    pub provenance: Option<String>,
}

/// Share of zero blocks over the sampled positions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ZeroBlocksReport {
    /// Positions.
    pub positions: u64,
    /// In the source's order of neurons, 0 to 1.
    pub before: f64,
    /// In the order found.
    pub after: f64,
    /// Mean number of blocks of one position that an engine still multiplies, both perspectives together.
    pub mean_nonzero: f64,
    /// The same over positions that the search did not see: a smaller gain there is over-fitting. Null where the data has no further ones.
    pub held_out: Option<ShareReport>,
}

/// Shares over one sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShareReport {
    /// Positions.
    pub positions: u64,
    /// In the source's order of neurons, 0 to 1.
    pub before: f64,
    /// In the order found.
    pub after: f64,
    /// Mean number of blocks of one position that are not zero.
    pub mean_nonzero: f64,
}

/// One stage of a net.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageReport {
    /// Its name, such as `gather`.
    pub stage: Stage,
    /// How it stands.
    pub status: StageStatus,
    /// How long it ran in this build; null if it did not.
    pub seconds: Option<f64>,
    /// The action's key, once its inputs are known.
    pub key: Option<String>,
    /// The result's digest, once known.
    pub digest: Option<String>,
    /// Why it ran or has to run: the most telling reason.
    pub reason: Option<Reason>,
    /// Where it ran in this build, if not on this machine.
    #[serde(default)]
    pub remote: Option<RemoteReport>,
}

/// A stage that ran on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteReport {
    /// The worker, as the cluster calls it; null where it does not say.
    pub worker: Option<String>,
    /// The cluster had the result already.
    pub from_cache: bool,
}

/// The report on a locked build that did not begin, or published nothing, since something differs from the lock: by `error`, whose causes
/// say of which nets.
pub fn refused(nets: &[&ResolvedNet], error: &Error) -> Report {
    let report = |net: &&ResolvedNet| {
        let begins = format!("net `{}`", net.name);
        let lines: Vec<&str> = error.causes().iter().filter_map(|line| line.strip_prefix(&begins)).collect();
        let lines: Vec<&str> = lines.into_iter().map(|line| line.trim_start_matches(':').trim_start()).collect();
        let status = if lines.is_empty() { NetStatus::Stale } else { NetStatus::Failed };
        let error = (!lines.is_empty()).then(|| format!("{}: {}", error.message(), lines.join("; ")));
        NetReport {
            net: net.name.clone(),
            status,
            outputs: Vec::new(),
            zero_blocks: None,
            largest_sum: None,
            proof: None,
            engine: None,
            stages: Vec::new(),
            error,
        }
    };
    Report { schema: SCHEMA, nets: nets.iter().map(report).collect() }
}
