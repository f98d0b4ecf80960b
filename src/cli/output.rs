//! Files that commands write: where they go, and that they appear whole or not at all.

use std::path::{Path, PathBuf};

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Durability, HashingWriter, OwnPath, Sha256, folder_of, write_atomic, write_atomic_named};
use crate::format::content_name::{misnamed, net_name};

/// A file that was written.
pub(crate) struct Written {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its digest.
    pub(crate) sha256: Sha256,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Where a file goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// This file, as the user has it: a link of that name is followed.
    File(&'a Path),
    /// This file, whose name the program made: a link of that name is replaced.
    Own(&'a OwnPath),
    /// A file in this folder, named by its SHA-256.
    Folder(&'a Path),
}

/// Writes a file, atomically: whoever reads the old file meanwhile, this program included, keeps reading the old one.
///
/// # Errors
/// Those of the files and of `write`, and cancellation; nothing is left behind then.
pub(crate) fn write_file(place: Place<'_>, ctx: &Ctx, write: impl FnOnce(&mut dyn std::io::Write) -> Result<()>) -> Result<Written> {
    let write = |out: &mut dyn std::io::Write| {
        let mut out = HashingWriter::<_, Sha256>::new(out);
        write(&mut out)?;
        // The last moment at which nothing has happened yet.
        ctx.check()?;
        let (_, sha256, bytes) = out.finish();
        Ok((sha256, bytes))
    };
    match place {
        Place::File(path) => {
            let (sha256, bytes) = write_atomic(path, Durability::Durable, write)?;
            if let Some(error) = misnamed(path, &sha256, ctx) {
                ctx.warn(error.to_string());
            }
            Ok(Written { path: path.to_owned(), sha256, bytes })
        }
        Place::Own(path) => {
            let (sha256, bytes) = path.write(Durability::Durable, write)?;
            Ok(Written { path: path.as_path().to_owned(), sha256, bytes })
        }
        Place::Folder(folder) => {
            let named = write_atomic_named(folder, write, |(sha256, _)| net_name(sha256))?;
            let (sha256, bytes) = named.value;
            Ok(Written { path: named.path, sha256, bytes })
        }
    }
}

/// The folder that a file will be in must be there: a typing mistake should not make one.
///
/// # Errors
/// When it is not.
pub(crate) fn check_folder_of(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::new(format!("cannot write `{}`", path.display()))
        .because(format!("the folder `{}` does not exist", folder.display()))
        .help("make the folder first, or correct the path"))
}
