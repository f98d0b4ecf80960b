//! Which net lc0 takes when none is named (`<autodiscover>`): the rule of its file search on Linux.
//!
//! Looks at folders, at the times of files and at their first bytes. Whether a file is a whole net is not asked here.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use flate2::read::MultiGzDecoder;

/// What stands for the search in place of a path.
pub const AUTODISCOVER: &str = "<autodiscover>";
use crate::{ctx::open_file, platform};

/// What the search depends on.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The name by which the engine was started.
    pub argv0: PathBuf,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_DATA_DIRS`, with colons.
    pub data_dirs: Option<String>,
}

impl Environment {
    /// That of this process, for an engine started as `argv0`.
    pub fn of_process(argv0: &Path) -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data_dirs = std::env::var("XDG_DATA_DIRS").ok().filter(|value| !value.is_empty());
        Self { argv0: argv0.to_owned(), home: path("HOME"), data_home: path("XDG_DATA_HOME"), data_dirs }
    }

    /// The folders that are searched, in order.
    pub fn folders(&self) -> Vec<PathBuf> {
        let name = self.argv0.as_os_str().as_encoded_bytes();
        let slash = name.iter().rposition(|byte| matches!(byte, b'/' | b'\\'));
        let own = slash.and_then(|slash| platform::path_of(&name[..slash]));
        let mut folders = vec![own.unwrap_or_else(|| PathBuf::from("."))];
        let user = match &self.data_home {
            Some(folder) if folder.is_dir() => Some(folder.clone()),
            _ => self.home.as_ref().map(|home| home.join(".local/share")).filter(|folder| folder.is_dir()),
        };
        folders.extend(user.map(|folder| folder.join("lc0")));
        let system = self.data_dirs.as_deref().unwrap_or("/usr/local/share:/usr/share");
        folders.extend(system.split(':').filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join("lc0")));
        folders
    }
}

/// The help for a search that found nothing: where it looked.
pub fn searched(environment: &Environment) -> String {
    let folders: Vec<String> = environment.folders().iter().map(|folder| format!("`{}`", folder.display())).collect();
    format!("nets of at least {LEAST} bytes are looked for in {}, and in `networks` below each", folders.join(", "))
}

/// Smaller files are not nets to lc0.
const LEAST: u64 = 500_000;

/// The net that lc0 takes: of the first folder that has one, the newest file that begins as a net does; `None` where there is none.
/// Whether it can be loaded is another matter.
pub fn discover(environment: &Environment) -> Option<PathBuf> {
    environment.folders().iter().find_map(|folder| {
        let mut candidates: Vec<(u64, PathBuf)> =
            [folder.clone(), folder.join("networks")].iter().flat_map(|folder| files(folder)).collect();
        // Whole seconds, the newest first; among equals the greater path.
        candidates.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| b.1.as_os_str().as_encoded_bytes().cmp(a.1.as_os_str().as_encoded_bytes())));
        candidates.into_iter().map(|candidate| candidate.1).find(|path| begins_as_net(path))
    })
}

/// Large regular files directly in a folder, with their times.
fn files(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let metadata = std::fs::metadata(entry.path()).ok().filter(|metadata| metadata.is_file() && metadata.len() >= LEAST)?;
            let time = metadata.modified().ok()?.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
            Some((time, entry.path()))
        })
        .collect()
}

/// Bytes 1 to 4 of the content, inflated where it is gzip. The first is not looked at.
fn begins_as_net(path: &Path) -> bool {
    let read = || -> std::io::Result<[u8; 5]> {
        let mut file = open_file(path)?;
        let mut head = [0; 5];
        file.read_exact(&mut head)?;
        if head.starts_with(b"\x1F\x8B") {
            MultiGzDecoder::new(open_file(path)?).read_exact(&mut head)?;
        }
        Ok(head)
    };
    read().is_ok_and(|head| head[1..] == [0xC0, 1, 0, 0])
}
