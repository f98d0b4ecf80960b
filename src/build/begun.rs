//! What builds have begun: in which folders they make temporary files, noted for as long as they run. A note that nobody holds is of a
//! build that was killed, and the next one looks into its folders, whether or not it has anything to write there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ctx::Ctx;
use crate::error::Result;
use crate::files::lock::{self, FileLock, Sharing, Waiting};
use crate::files::{self, Durability, OwnPath, TEMP_PREFIX};

/// Name of the folder of notes, in the state.
const FOLDER: &str = "begun";

/// How old a temporary file must be whose writer is gone: another one needs a moment to lock the file that it made.
const GRACE: Duration = Duration::from_secs(1);

/// A longer note is not one of these.
const MAX_BYTES: u64 = 16 << 20;

/// A note, until this is dropped.
pub(super) struct Begun {
    note: OwnPath,
    held: Option<FileLock>,
}

impl Begun {
    /// Notes the folders of a build that begins. Where that fails, what a kill leaves lies there until something is written beside it.
    pub(super) fn note(state: &OwnPath, folders: &BTreeSet<PathBuf>) -> Option<Self> {
        let folder = state.join(FOLDER);
        folder.create_folder().ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let note = folder.join(format!("{}-{now}.json", std::process::id()));
        // Held before there is a note to be found.
        let held = lock::try_acquire(&note.with_extension("lock"), Sharing::Exclusive).ok()??;
        let begun = Self { note, held: Some(held) };
        let folders: Vec<&str> = folders.iter().filter_map(|folder| folder.to_str()).collect();
        begun.note.write_bytes(Durability::Fast, &serde_json::to_vec(&folders).ok()?).ok()?;
        Some(begun)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        forget(&self.note);
        self.held = None;
    }
}

fn forget(note: &OwnPath) {
    let _ = note.remove();
    let _ = note.with_extension("lock").remove();
}

/// Waits for the builds that are under way.
///
/// # Errors
/// When the wait was interrupted or took longer than allowed.
pub(super) fn wait(state: &OwnPath, timeout: Option<Duration>, ctx: &Ctx) -> Result<()> {
    let folder = state.join(FOLDER);
    for name in folder.names().unwrap_or_default() {
        if Path::new(&name).extension().is_some_and(|ending| ending == "lock") {
            let waiting = Waiting { message: "waiting for a build that is under way", timeout };
            lock::acquire(&folder.join(&name), Sharing::Shared, waiting, ctx)?;
        }
    }
    Ok(())
}

/// Removes the temporary files of killed builds: from folders below `manifests`, and from those of `outputs` that are elsewhere.
pub(super) fn sweep(state: &OwnPath, manifests: &Path, outputs: &BTreeSet<PathBuf>) {
    let folder = state.join(FOLDER);
    let _ = files::sweep_own(&folder, GRACE);
    for name in folder.names().unwrap_or_default() {
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".lock")) else { continue };
        let note = folder.join(format!("{name}.json"));
        let Ok(Some(_held)) = lock::try_acquire(&note.with_extension("lock"), Sharing::Exclusive) else { continue };
        let folders: Vec<PathBuf> = note.read(MAX_BYTES).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let mut is_clean = true;
        for path in folders {
            // A note may have come with the project: it decides nothing about folders elsewhere.
            let place = if outputs.contains(&path) {
                OwnPath::new(&path, "")
            } else if path.is_relative() && manifests == Path::new(".") {
                OwnPath::new(manifests, &path)
            } else if let Ok(below) = path.strip_prefix(manifests) {
                OwnPath::new(manifests, below)
            } else {
                continue;
            };
            let _ = files::sweep_own(&place, GRACE);
            let left = place.names().unwrap_or_default();
            is_clean &= !left.iter().any(|name| name.as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes()));
        }
        if is_clean {
            forget(&note);
        }
    }
}
