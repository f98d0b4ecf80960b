//! `nnue verify`: are the published files those of `nnue.lock`, and does a build from nothing give them again? Changes nothing.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::build::{ManifestArgs, load_manifest};
use super::diff::{self, Comparison};
use super::word::word;
use super::{Exit, Global};
use crate::build::{Checked, Options, Rebuilt, RebuiltFile, lock, locked_nets, provenance, rebuild, select_nets};
use crate::ctx::Backend;
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::files::{Bytes, note_unfinished};
use crate::manifest::{self, Manifest};
use crate::stage::Load;

/// Compare published files with nnue.lock
///
/// Exits with 3 where something differs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nets to verify, by names or patterns such as 'epoch=1*' [default: all]
    #[arg(value_name = "NET", add = super::completions::net_names())]
    nets: Vec<String>,
    /// Also build again in a temporary folder, without the cache, and compare byte for byte
    #[arg(long)]
    rebuild: bool,
    /// What computes; never changes a byte of the result
    #[arg(long, value_name = "BACKEND", default_value = "auto", value_parser = word::<Backend>())]
    backend: Backend,
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
    /// Locked nets that are no longer in the manifest; only looked for where all nets are verified.
    gone: Vec<String>,
}

#[derive(Serialize)]
struct NetReport {
    /// Whether nothing differs.
    same: bool,
    #[serde(flatten)]
    checked: Checked,
    /// Null without `--rebuild`.
    rebuilt: Option<Rebuilt>,
    /// Rebuilt files that are not the locked ones, or not the published ones.
    differences: Vec<Difference>,
    /// Whether the net built again is proven to evaluate to the locked values; null where one of the two proofs is missing.
    proof_as_locked: Option<bool>,
    /// Provenance files that would be other ones if they were written again; only looked at with `--rebuild`.
    other_provenance: Vec<String>,
}

/// A rebuilt file with other bytes than the lock says, or than are published.
#[derive(Serialize)]
struct Difference {
    path: String,
    /// SHA-256 in the lock; null where it has no such file.
    locked: Option<String>,
    rebuilt: String,
    /// Whether the rebuilt file is the locked one, under the locked name.
    as_locked: bool,
    /// SHA-256 of the published file; null where there is none that can be read.
    published: Option<String>,
    /// Where the bytes of the published and the rebuilt file part; null where they do not, or there is nothing to compare.
    bytes: Option<ByteDifference>,
    /// The published file (A) and the rebuilt one (B); null where they are equal or cannot be compared.
    comparison: Option<Comparison>,
    /// Why two different files cannot be compared as networks; null where they can, or there is nothing to compare.
    not_compared: Option<String>,
}

/// Where two files part.
#[derive(Serialize)]
struct ByteDifference {
    /// Size of the published file.
    published: u64,
    /// Size of the rebuilt file.
    rebuilt: u64,
    /// The first byte that differs, or that only one has; from 0.
    first: u64,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(args.backend);
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let nets = select_nets(&manifest, &args.nets)?;
    let (locked, gone) = locked_nets(&manifest, &nets)?;
    let gone = if args.nets.is_empty() { gone } else { Vec::new() };
    let mut checked = Vec::with_capacity(nets.len());
    for (net, locked) in nets.iter().zip(&locked) {
        checked.push(Checked::of(&manifest, net, locked.as_ref(), &ctx)?);
    }
    // Rebuilt files stay until they are compared.
    let below = if args.rebuild { Some(temporary_folder()?) } else { None };
    let rebuilt: Vec<Option<Rebuilt>> = match &below {
        Some(below) => {
            let options = Options { lock_timeout: args.manifest.lock_timeout, ..Options::default() };
            // What is not locked has nothing that a rebuilt file could be held against.
            let known: Vec<_> = nets.iter().zip(&locked).filter(|(_, locked)| locked.is_some()).map(|(net, _)| *net).collect();
            let mut rebuilt = rebuild(&manifest, &known, below.path(), &options, &ctx)?.into_iter();
            locked.iter().map(|locked| locked.as_ref().and_then(|_| rebuilt.next())).collect()
        }
        None => nets.iter().map(|_| None).collect(),
    };
    let reports = checked.into_iter().zip(rebuilt).map(|(checked, rebuilt)| report(&manifest, checked, rebuilt, &ctx));
    let report = Report { schema: 1, nets: reports.collect::<Result<_>>()?, gone };
    if args.json {
        global.print_json(&report)?;
    } else {
        global.print(&report.text(&lock::name_of(&manifest)))?;
    }
    let broken = report.nets.iter().any(|net| net.rebuilt.as_ref().is_some_and(|rebuilt| rebuilt.error.is_some()));
    let same = report.gone.is_empty() && report.nets.iter().all(|net| net.same);
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
    let folder = folder.inspect(|folder| note_unfinished(folder.path()));
    folder.map_err(|error| Error::new("cannot make a temporary folder").because(error).help("set TMPDIR to a folder with space"))
}

fn report(manifest: &Manifest, checked: Checked, rebuilt: Option<Rebuilt>, ctx: &Ctx) -> Result<NetReport> {
    let mut differences = Vec::new();
    let mut other_provenance = Vec::new();
    for RebuiltFile { path, sha256, provenance, place } in rebuilt.iter().flat_map(|rebuilt| &rebuilt.outputs) {
        // A file that is missing has been reported as such.
        if let Some(name) = provenance
            && let Ok(published) = provenance::read(&manifest.folder.join(name))
            && provenance::read(&manifest::provenance_path(place)).ok() != Some(published)
        {
            other_provenance.push(name.clone());
        }
        // In a folder a file's name follows its content: the locked file of that folder which nothing else became is the one.
        let parent = |path: &str| Path::new(path).parent().map(Path::to_owned);
        let is_rebuilt = |path: &str| rebuilt.iter().flat_map(|rebuilt| &rebuilt.outputs).any(|other| other.path == path);
        let same_place = checked.outputs.iter().find(|file| file.path == *path);
        let renamed = || checked.outputs.iter().find(|file| parent(&file.path) == parent(path) && !is_rebuilt(&file.path));
        let locked = same_place.or_else(renamed);
        let as_locked = locked.is_some_and(|file| file.path == *path && file.locked == *sha256);
        let found = locked.and_then(|file| file.found.as_ref());
        if as_locked && found == Some(sha256) {
            continue;
        }
        ctx.check()?;
        let mut difference = Difference {
            path: path.clone(),
            locked: locked.map(|file| file.locked.clone()),
            rebuilt: sha256.clone(),
            as_locked,
            published: found.cloned(),
            bytes: None,
            comparison: None,
            not_compared: None,
        };
        if let Some(file) = locked.filter(|file| file.found.as_ref().is_some_and(|found| found != sha256)) {
            let published = manifest.folder.join(&file.path);
            difference.bytes = byte_difference(&published, place).ok().flatten();
            // What cannot be compared as networks still differs in its bytes.
            match diff::compare(&published, place, &Load::default(), ctx) {
                Ok(comparison) => difference.comparison = Some(comparison),
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => difference.not_compared = Some(error.to_string()),
            }
        }
        differences.push(difference);
    }
    let failed = rebuilt.as_ref().is_some_and(|rebuilt| rebuilt.error.is_some());
    let proofs = checked.proof.as_ref().zip(rebuilt.as_ref().and_then(|rebuilt| rebuilt.proof.as_ref()));
    let proof_as_locked = proofs.map(|(locked, rebuilt)| locked == rebuilt);
    let same = checked.is_same() && differences.is_empty() && other_provenance.is_empty() && proof_as_locked != Some(false) && !failed;
    Ok(NetReport { same, checked, rebuilt, differences, proof_as_locked, other_provenance })
}

/// Where the bytes of two files part; `None` where they are equal.
fn byte_difference(published: &Path, rebuilt: &Path) -> Result<Option<ByteDifference>> {
    let (published, rebuilt) = (Bytes::map(published)?, Bytes::map(rebuilt)?);
    if published[..] == rebuilt[..] {
        return Ok(None);
    }
    let first = published.iter().zip(&rebuilt[..]).take_while(|(a, b)| a == b).count();
    Ok(Some(ByteDifference { published: published.len() as u64, rebuilt: rebuilt.len() as u64, first: first as u64 }))
}

impl Report {
    /// For people; `lock` is the name of the lock.
    fn text(&self, lock: &str) -> String {
        let mut text: String = self.nets.iter().map(|net| net.text(lock)).collect();
        for name in &self.gone {
            let _ = writeln!(text, "{name}: `{lock}` has it, but it is no longer in the manifest: `nnue build` drops it");
        }
        text
    }
}

impl NetReport {
    fn text(&self, lock: &str) -> String {
        if !self.checked.locked {
            return format!("{0}: not locked: `{lock}` does not have it\n  build first: `nnue build {0}`\n", self.checked.net);
        }
        let mut text = format!("{}: {}\n", self.checked.net, if self.same { "as locked" } else { "different" });
        let mut line = |message: String| {
            let _ = writeln!(text, "  {message}");
        };
        for file in self.checked.outputs.iter().filter(|file| !file.is_same()) {
            match &file.found {
                Some(found) => line(format!("`{}`: sha256 {} is locked, the file has {found}", file.path, file.locked)),
                None => line(format!("`{}` (sha256 {}) is missing or cannot be read", file.path, file.locked)),
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
        for file in self.checked.inputs.iter().filter(|file| !file.is_same()) {
            line(format!(
                "note: input `{}`: sha256 {} is locked, now {}",
                file.path,
                file.locked,
                file.found.as_deref().unwrap_or("it is missing")
            ));
        }
        let Some(rebuilt) = &self.rebuilt else { return text };
        if let Some(error) = &rebuilt.error {
            line(format!("cannot be built again: {error}"));
        }
        for difference in &self.differences {
            difference.lines(&mut line);
        }
        if let (Some(false), Some(locked), Some(found)) = (self.proof_as_locked, &self.checked.proof, &rebuilt.proof) {
            line(format!("the proof differs: {locked} is locked, now {found}"));
        }
        for path in &self.other_provenance {
            line(format!("`{path}` differs from what a build writes now: the manifest, an input or nnue changed since"));
        }
        if let Some(stage) = &rebuilt.first_different_stage {
            line(format!("the first stage with a different result from the last build's is {stage}"));
        } else if self.differences.iter().any(|difference| !difference.as_locked) {
            line(match rebuilt.same_stages {
                Some(_) => "all stages gave the results that the last build recorded: the lock is of another build".to_owned(),
                None => "no build of these stages is recorded here: which of them differs is not known".to_owned(),
            });
        }
        if self.same {
            line("built again with the same bytes".to_owned());
        } else if rebuilt.error.is_none() && self.differences.iter().all(|difference| difference.as_locked) {
            line("built again with the locked bytes".to_owned());
        }
        text
    }
}

impl Difference {
    fn lines(&self, line: &mut impl FnMut(String)) {
        if self.as_locked {
            line(format!("`{}` built again: the locked bytes", self.path));
        } else {
            line(format!("`{}` built again: sha256 {}, locked is {}", self.path, self.rebuilt, self.locked.as_deref().unwrap_or("none")));
        }
        if self.published.is_none() {
            return;
        }
        match &self.bytes {
            Some(ByteDifference { published, rebuilt, first }) => {
                line(format!("  the published file has {published} bytes, the rebuilt one {rebuilt}; they part at byte {first}"));
            }
            None if self.published.as_ref() == Some(&self.rebuilt) => line("  the published file has the rebuilt bytes".to_owned()),
            None => {}
        }
        if let Some(why) = &self.not_compared {
            line(format!("  they cannot be compared as networks: {why}"));
        }
        if let Some(comparison) = &self.comparison {
            for part in comparison.text(Path::new("the published file"), Path::new("built again")).lines() {
                line(format!("  {part}"));
            }
        }
    }
}
