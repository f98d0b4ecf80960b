//! `nnue verify`: are the published files those of `nnue.lock`, and does a build from nothing give them again? Changes nothing.

use std::fmt::Write;

use serde::Serialize;

use super::build::{ManifestArgs, load_manifest};
use super::diff::{self, Comparison};
use super::network::BackendName;
use super::{Exit, Global};
use crate::build::{Checked, Options, Rebuilt, RebuiltFile, locked_nets, rebuild, select_nets};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::format::nnue::Expectation;
use crate::manifest::{self, Manifest};

/// Compare published files with nnue.lock
///
/// Exits with 3 where something differs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nets to verify [default: all]
    #[arg(value_name = "NET")]
    nets: Vec<String>,
    /// Also build again in a temporary folder, without the cache, and compare byte for byte
    #[arg(long)]
    rebuild: bool,
    /// What computes; never changes a byte of the result
    #[arg(long, value_name = "BACKEND", default_value = "auto")]
    backend: BackendName,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

#[derive(Serialize)]
struct Report {
    schema: u32,
    nets: Vec<NetReport>,
}

#[derive(Serialize)]
struct NetReport {
    /// Whether nothing differs.
    same: bool,
    #[serde(flatten)]
    checked: Checked,
    /// Null without `--rebuild`.
    rebuilt: Option<Rebuilt>,
    /// Rebuilt files that are not the locked ones.
    differences: Vec<Difference>,
    /// Provenance files that would be other ones if they were written again; only looked at with `--rebuild`.
    other_provenance: Vec<String>,
}

/// A rebuilt file with other bytes than the lock says.
#[derive(Serialize)]
struct Difference {
    path: String,
    /// SHA-256 in the lock; null where it has no such file.
    locked: Option<String>,
    rebuilt: String,
    /// The published file (A) and the rebuilt one (B); null where there is nothing to compare.
    comparison: Option<Comparison>,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend.into());
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let nets = select_nets(&manifest, &args.nets)?;
    let locked = locked_nets(&manifest, &nets)?;
    let mut checked = Vec::with_capacity(nets.len());
    for (net, locked) in nets.iter().zip(&locked) {
        checked.push(Checked::of(&manifest, net, locked, &ctx)?);
    }
    // Rebuilt files stay until they are compared.
    let below = if args.rebuild { Some(temporary_folder()?) } else { None };
    let rebuilt: Vec<Option<Rebuilt>> = match &below {
        Some(below) => {
            let options = Options { lock_timeout: args.manifest.lock_timeout, ..Options::default() };
            rebuild(&manifest, &nets, below.path(), &options, &ctx)?.into_iter().map(Some).collect()
        }
        None => nets.iter().map(|_| None).collect(),
    };
    let reports = checked.into_iter().zip(rebuilt).map(|(checked, rebuilt)| report(&manifest, checked, rebuilt, &ctx));
    let report = Report { schema: 1, nets: reports.collect::<Result<_>>()? };
    if args.json {
        global.print_json(&report)?;
    } else {
        global.print(&report.nets.iter().map(NetReport::text).collect::<String>())?;
    }
    let broken = report.nets.iter().any(|net| net.rebuilt.as_ref().is_some_and(|rebuilt| rebuilt.error.is_some()));
    let same = report.nets.iter().all(|net| net.same);
    Ok(if broken {
        Exit::Failed
    } else if same {
        Exit::Done
    } else {
        Exit::Different
    })
}

fn temporary_folder() -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("nnue-verify-").tempdir();
    folder.map_err(|error| Error::new("cannot make a temporary folder").because(error).help("set TMPDIR to a folder with space"))
}

fn report(manifest: &Manifest, checked: Checked, rebuilt: Option<Rebuilt>, ctx: &Ctx) -> Result<NetReport> {
    let mut differences = Vec::new();
    let mut other_provenance = Vec::new();
    for RebuiltFile { path, sha256, provenance, place } in rebuilt.iter().flat_map(|rebuilt| &rebuilt.outputs) {
        if let Some(provenance) = provenance
            && std::fs::read(manifest.folder.join(provenance)).ok() != std::fs::read(manifest::provenance_path(place)).ok()
        {
            other_provenance.push(provenance.clone());
        }
        // In a folder a file's name follows its content: the locked file of that folder is the one to compare with.
        let parent = |path: &str| std::path::Path::new(path).parent().map(std::path::Path::to_owned);
        let same_place = checked.outputs.iter().find(|file| file.path == *path);
        let locked = same_place.or_else(|| checked.outputs.iter().find(|file| parent(&file.path) == parent(path)));
        if locked.is_some_and(|file| file.path == *path && file.locked == *sha256) {
            continue;
        }
        ctx.check()?;
        let published = locked.map(|file| manifest.folder.join(&file.path)).filter(|path| path.is_file());
        // What cannot be compared as networks still differs in its bytes.
        let comparison = published.and_then(|published| diff::compare(&published, place, &Expectation::default(), ctx).ok());
        differences.push(Difference {
            path: path.clone(),
            locked: locked.map(|file| file.locked.clone()),
            rebuilt: sha256.clone(),
            comparison,
        });
    }
    let failed = rebuilt.as_ref().is_some_and(|rebuilt| rebuilt.error.is_some());
    let same = checked.is_same() && differences.is_empty() && other_provenance.is_empty() && !failed;
    Ok(NetReport { same, checked, rebuilt, differences, other_provenance })
}

impl NetReport {
    fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.checked.net, if self.same { "as locked" } else { "different" });
        let mut line = |message: String| {
            let _ = writeln!(text, "  {message}");
        };
        for file in self.checked.outputs.iter().filter(|file| !file.is_same()) {
            match &file.found {
                Some(found) => line(format!("`{}`: sha256 {} is locked, the file has {found}", file.path, file.locked)),
                None => line(format!("`{}` (sha256 {}) is not there, or cannot be read", file.path, file.locked)),
            }
        }
        for path in &self.checked.not_locked {
            line(format!("`{path}` is an output of the manifest and not locked: build first"));
        }
        for claim in self.checked.provenance.iter().chain(&self.checked.publish) {
            if let Some(problem) = &claim.problem {
                line(format!("`{}`: {problem}", claim.path));
            }
        }
        let Some(rebuilt) = &self.rebuilt else { return text };
        for file in self.checked.inputs.iter().filter(|file| !file.is_same()) {
            line(format!(
                "input `{}`: sha256 {} is locked, now {}",
                file.path,
                file.locked,
                file.found.as_deref().unwrap_or("it is missing")
            ));
        }
        if let Some(error) = &rebuilt.error {
            line(format!("cannot be built again: {error}"));
        }
        for difference in &self.differences {
            let locked = difference.locked.as_deref().unwrap_or("none");
            line(format!("`{}` built again: sha256 {}, locked is {locked}", difference.path, difference.rebuilt));
        }
        for path in &self.other_provenance {
            line(format!("`{path}` is not the statement that a build writes now: the manifest, an input or nnue changed since"));
        }
        if let Some(stage) = self.rebuilt.as_ref().and_then(|rebuilt| rebuilt.first_different_stage.as_ref()) {
            line(format!("the first stage with another result than in the last build is {stage}"));
        }
        for difference in &self.differences {
            if let Some(comparison) = &difference.comparison {
                let shown = comparison.text(std::path::Path::new("the published file"), std::path::Path::new("built again"));
                for part in shown.lines() {
                    line(format!("  {part}"));
                }
            }
        }
        if self.same {
            line("built again with the same bytes".to_owned());
        }
        text
    }
}
