//! Whether published files are those of `nnue.lock`, what is said beside them is true, and whether a build from nothing gives them
//! again. Changes nothing in the project.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::execute::Said;
use super::lock::{self, LockedFile, LockedNet, LockedProof};
use super::{Options, StageReport, Workspace, execute, provenance};
use crate::cache::{BuildLog, OutputState};
use crate::ctx::Ctx;
use crate::error::{Kind, Result};
use crate::family::publication;
use crate::files::{OwnPath, Sha256, hash_file_sha256};
use crate::manifest::{Manifest, Output, OutputKind, ResolvedNet, provenance_path};
use crate::plan::{self, Facts, Graph};
use crate::stage::Stage;

/// How the files of one net stand to its block in the lock.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The net's name.
    pub net: String,
    /// Whether the lock has the net; if not, the lists below but `not_locked` are empty.
    pub locked: bool,
    /// Locked outputs.
    pub outputs: Vec<CheckedFile>,
    /// Locked inputs.
    pub inputs: Vec<CheckedFile>,
    /// Outputs of the manifest that the lock does not know, as typed.
    pub not_locked: Vec<String>,
    /// The provenance file of each locked output, for nets that have them.
    pub provenance: Vec<CheckedClaim>,
    /// Locked outputs that are to be published, by the rules of the place.
    pub publish: Vec<CheckedClaim>,
    /// What the lock says was proven of the `.nnue` file; null where nothing was.
    pub proof: Option<LockedProof>,
}

/// A file that has to be true, or fit, rather than equal to another.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedClaim {
    /// As a build reports it.
    pub path: String,
    /// What is wrong with it; null where nothing is.
    pub problem: Option<String>,
}

/// One file.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedFile {
    /// As in the lock.
    pub path: String,
    /// SHA-256 in the lock.
    pub locked: String,
    /// SHA-256 of the file that is there; null where there is none that can be read.
    pub found: Option<String>,
}

impl CheckedFile {
    /// Whether the file is the locked one.
    pub fn is_same(&self) -> bool {
        self.found.as_ref() == Some(&self.locked)
    }
}

impl Checked {
    /// Reads every file of `net` that its block of the lock names; without a block nothing is read.
    ///
    /// # Errors
    /// When the work was interrupted.
    pub fn of(manifest: &Manifest, net: &ResolvedNet, locked: Option<&LockedNet>, ctx: &Ctx) -> Result<Self> {
        let Some(locked) = locked else {
            return Ok(Self {
                net: net.name.clone(),
                locked: false,
                outputs: Vec::new(),
                inputs: Vec::new(),
                not_locked: net.outputs.iter().map(|output| output.path.value.typed.clone()).collect(),
                provenance: Vec::new(),
                publish: Vec::new(),
                proof: None,
            });
        };
        let check = |files: &[LockedFile]| -> Result<Vec<CheckedFile>> {
            let mut checked = Vec::with_capacity(files.len());
            for LockedFile { path, sha256 } in files {
                ctx.check()?;
                let found =
                    unless_interrupted(hash_file_sha256(&manifest.folder.join(path), ctx))?.ok().map(|(digest, _)| digest.to_string());
                checked.push(CheckedFile { path: path.clone(), locked: sha256.clone(), found });
            }
            Ok(checked)
        };
        let is_locked = |output: &&Output| locked.outputs.iter().any(|file| file.is_of(output));
        let not_locked = net.outputs.iter().filter(|output| !is_locked(output)).map(|output| output.path.value.typed.clone()).collect();
        Ok(Self {
            net: net.name.clone(),
            locked: true,
            outputs: check(&locked.outputs)?,
            inputs: check(&locked.inputs)?,
            not_locked,
            provenance: if net.release.provenance.value { check_provenance(manifest, net, locked, ctx)? } else { Vec::new() },
            publish: check_publication(manifest, net, locked, ctx)?,
            proof: locked.proof.clone(),
        })
    }

    /// Whether every output is there as locked, no other is to be, and nothing is wrong with what is said of them.
    pub fn is_same(&self) -> bool {
        let claims = || self.provenance.iter().chain(&self.publish);
        self.locked
            && self.not_locked.is_empty()
            && self.outputs.iter().all(CheckedFile::is_same)
            && claims().all(|claim| claim.problem.is_none())
    }
}

/// A failure is a finding; an interruption is not.
fn unless_interrupted<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        other => Ok(other),
    }
}

/// Reads the provenance file of every locked output, and holds it against the lock and what the last build here wrote.
fn check_provenance(manifest: &Manifest, net: &ResolvedNet, locked: &LockedNet, ctx: &Ctx) -> Result<Vec<CheckedClaim>> {
    let last = BuildLog::new(super::state_folder(&manifest.path).join("nets")).load(&net.name, ctx);
    let last = last.map_or_else(Vec::new, |last| last.outputs);
    // What another version of the file was said to be made of tells nothing of this one.
    let written = |output: &LockedFile| {
        let of_output = |last: &&OutputState| last.path == Path::new(&output.path) && last.sha256.to_string() == output.sha256;
        last.iter().find(of_output).and_then(|last| last.provenance)
    };
    let mut checked = Vec::with_capacity(locked.outputs.len());
    for output in &locked.outputs {
        ctx.check()?;
        let path = provenance_path(Path::new(&output.path));
        let name = Path::new(&output.path).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let problem = match provenance::read(&manifest.folder.join(&path)) {
            Ok(text) => provenance::check(&text, &name, &output.sha256, &locked.inputs).err().or_else(|| {
                let (written, found) = (written(output)?, Sha256::of(&text));
                let problem =
                    format!("it differs from the statement that the last build wrote: that has sha256 {written}, the file {found}");
                (found != written).then_some(problem)
            }),
            Err(error) => Some(format!("it is missing or cannot be read: {error}")),
        };
        checked.push(CheckedClaim { path: path.display().to_string(), problem });
    }
    Ok(checked)
}

/// Checks every locked output that is to be published again.
fn check_publication(manifest: &Manifest, net: &ResolvedNet, locked: &LockedNet, ctx: &Ctx) -> Result<Vec<CheckedClaim>> {
    let Some(place) = net.release.publish.as_ref().map(|publish| publish.value) else { return Ok(Vec::new()) };
    let license = net.release.license.as_ref().map(|license| license.value.as_str());
    let mut checked = Vec::new();
    for LockedFile { path, .. } in locked.outputs.iter().filter(|output| output.path.ends_with(".nnue")) {
        ctx.check()?;
        let checking = unless_interrupted(publication(place).check(path, &manifest.folder.join(path), license, ctx))?;
        let problem = checking.err().map(|error| error.to_string());
        checked.push(CheckedClaim { path: path.clone(), problem });
    }
    Ok(checked)
}

/// One net, built from nothing.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuilt {
    /// The net's name.
    pub net: String,
    /// What came out.
    pub outputs: Vec<RebuiltFile>,
    /// What was proven of the `.nnue` file; null for nets without `prove`.
    pub proof: Option<LockedProof>,
    /// The first stage whose result is not that of the last build, where both are known.
    pub first_different_stage: Option<String>,
    /// Whether every stage gave what the last build recorded; null where a stage gave nothing, or no build of these stages is recorded.
    pub same_stages: Option<bool>,
    /// Why nothing came out.
    pub error: Option<String>,
}

/// One file that was built from nothing.
#[derive(Debug, Clone, Serialize)]
pub struct RebuiltFile {
    /// Where a build would publish it.
    pub path: String,
    /// SHA-256 of what came out.
    pub sha256: String,
    /// Its provenance file, in the same form; null for nets without one.
    pub provenance: Option<String>,
    /// Where it is for now; its provenance file is beside it.
    #[serde(skip)]
    pub place: PathBuf,
}

/// Builds `nets` again, without the cache and what else is remembered, below the empty folder `below`.
///
/// # Errors
/// When the graph cannot be made or the work was interrupted; failures of nets stand in the result.
pub fn rebuild(manifest: &Manifest, nets: &[&ResolvedNet], below: &Path, options: &Options, ctx: &Ctx) -> Result<Vec<Rebuilt>> {
    let builds = BuildLog::new(super::state_folder(&manifest.path).join("nets"));
    let options = Options { keep_going: true, paranoid: true, ..options.clone() };
    let workspace = Workspace::open_in(manifest, &OwnPath::new(below, "cache"), &OwnPath::new(below, "state"), &options, ctx)?;
    // What they are made from is made, too, and not reported.
    let reported: HashSet<&str> = nets.iter().map(|net| net.name.as_str()).collect();
    let moved: Vec<ResolvedNet> = manifest
        .with_needed(nets)
        .into_iter()
        .enumerate()
        .map(|(index, net)| {
            let mut net = net.clone();
            // What comes out is compared with what came out before: an engine has no part in it.
            net.engine = None;
            for (number, output) in net.outputs.iter_mut().enumerate() {
                let folder = below.join(index.to_string()).join(number.to_string());
                let name = output.path.value.resolved.file_name().map(PathBuf::from);
                output.path.value.resolved = if output.kind == OutputKind::Folder { folder } else { folder.join(name.unwrap_or_default()) };
            }
            net
        })
        .collect();
    let nets: Vec<&ResolvedNet> = moved.iter().collect();
    let facts = Facts::probe(&nets);
    let graph: Graph = plan::plan(manifest, &nets, &facts)?;
    let assume = |stale: &[usize]| super::say_assumptions(stale, &nets, &facts, ctx);
    let said = Said { on_error: &|_, _| {}, finished: &|_| {}, assume: &assume };
    let report = execute::execute(&workspace, &graph, &options, None, ctx, &said, HashMap::new())?.report;
    let mut rebuilt = Vec::with_capacity(moved.len());
    for (net, report) in moved.iter().zip(&report.nets).filter(|(net, _)| reported.contains(net.name.as_str())) {
        // Where a write action failed its outputs are not reported: the others are told by their paths.
        let outputs = report.outputs.iter().filter_map(|file| {
            let place = net.outputs.iter().find_map(|output| place_of(&workspace, output, &file.path))?;
            Some(RebuiltFile { path: file.path.clone(), sha256: file.sha256.clone(), provenance: file.provenance.clone(), place })
        });
        let last = builds.load(&net.name, ctx).map_or_else(Vec::new, |last| last.stages);
        let is_rebuilt = |stage: &str| Stage::named(stage).is_none_or(Stage::is_reproducible);
        let last = last.into_iter().filter(|stage| is_rebuilt(&stage.stage));
        let last: Vec<(String, String)> = last.map(|stage| (stage.stage, stage.output_digest.to_string())).collect();
        let first_different_stage = first_different_stage(&report.stages, &last);
        let all_known = report.stages.len() == last.len() && report.stages.iter().all(|stage| stage.digest.is_some());
        rebuilt.push(Rebuilt {
            net: net.name.clone(),
            outputs: outputs.collect(),
            proof: report.proof.as_ref().map(LockedProof::from),
            same_stages: all_known.then_some(first_different_stage.is_none()),
            first_different_stage,
            error: report.error.clone(),
        });
    }
    Ok(rebuilt)
}

/// The first stage whose result differs from the recorded one; a stage that gave none says nothing of what it would give.
fn first_different_stage(stages: &[StageReport], last: &[(String, String)]) -> Option<String> {
    let compared = stages.iter().zip(last).take_while(|(stage, (name, _))| stage.stage.name() == name);
    let mut known = compared.filter_map(|(stage, (_, last))| Some((stage, stage.digest.as_ref()?, last)));
    known.find(|(_, digest, last)| digest != last).map(|(stage, _, _)| stage.stage.name().to_owned())
}

/// Where the file is that is reported as `path`, if it is this output's.
fn place_of(workspace: &Workspace<'_>, output: &Output, path: &str) -> Option<PathBuf> {
    let resolved = &output.path.value.resolved;
    let place = match output.kind {
        OutputKind::Folder => resolved.join(Path::new(path).file_name()?),
        _ => resolved.clone(),
    };
    let shown = workspace.display(&output.path.value.typed, (output.kind == OutputKind::Folder).then_some(&*place));
    (shown == path).then_some(place)
}

/// The block of each net in the lock, `None` for nets that it does not have; and the names in the lock that are no longer in the manifest.
///
/// # Errors
/// When the lock cannot be read.
pub fn locked_nets(manifest: &Manifest, nets: &[&ResolvedNet]) -> Result<(Vec<Option<LockedNet>>, Vec<String>)> {
    let lock = lock::Lock::read(lock::path_of(manifest))?;
    let blocks = nets.iter().map(|net| lock.nets.get(&net.name).cloned()).collect();
    let names: HashSet<&str> = manifest.nets.iter().map(|net| net.name.as_str()).collect();
    let gone = lock.nets.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
    Ok((blocks, gone))
}

#[cfg(test)]
mod tests;
