//! Reading files of strangers without the rights of the user: where the kernel has Landlock (Linux 5.13 and later), the process gives them
//! up before it parses, and opens from then on only what the command line names, writes only in the folder of its target, and connects to
//! nothing. It is a second wall: the parsers run nothing of a file anyway.
//!
//! Threads inherit the walls of the thread that starts them, so this happens before any thread that works is started. Where the kernel has
//! no Landlock, or not all of it, the command goes on without; `-v` says which.

use std::path::{Path, PathBuf};

use super::Global;
use super::terminal::Verbosity;
use crate::files::folder_of;
use crate::format::sources::{Holds, probe};
use crate::format::wasm::other_parts;

/// What a command still opens once it is confined.
#[derive(Debug, Default)]
pub(super) struct Needs {
    reads: Vec<PathBuf>,
    /// Files are made, replaced and removed in it, and folders made.
    writes: Option<PathBuf>,
}

impl Needs {
    /// A network with its other parts; `None` for files that hold none: training data may be unpacked into temporary files, and whatever
    /// else is unknown may be anything.
    pub(super) fn network(path: &Path) -> Option<Self> {
        match probe(path).ok()?.kind.holds() {
            Holds::Tensors(_) | Holds::Integers | Holds::Program | Holds::Array => {}
            Holds::Positions | Holds::Packed(_) | Holds::Unmarked | Holds::Nothing => return None,
        }
        let mut reads = other_parts(path).unwrap_or_default();
        reads.push(path.to_owned());
        Some(Self { reads, writes: None })
    }

    /// This file, too, if it is there.
    pub(super) fn and(mut self, path: &Path) -> Self {
        self.reads.push(path.to_owned());
        self
    }

    /// Files are made in this folder, which is made where it is missing.
    pub(super) fn writing_in(mut self, folder: &Path) -> Self {
        let is_there = |folder: &&Path| folder.is_dir();
        self.writes = folder
            .ancestors()
            .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
            .find(is_there)
            .map(Path::to_owned);
        self
    }

    /// A file is made, or replaced: through links, that which they lead to.
    pub(super) fn writing(self, file: &Path) -> Self {
        let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        self.writing_in(folder_of(&real))
    }

    /// Gives up all other rights, for good. With `-v` it says what came of it.
    pub(super) fn confine(&self, global: &Global) {
        let said = match walls::build(&self.reads, self.writes.as_deref()) {
            Ok(what) => {
                let writes = match &self.writes {
                    Some(folder) => format!("writes only in `{}`", folder.display()),
                    None => "writes nothing".to_owned(),
                };
                format!("confined by the kernel ({what}): reads only the files that were named, {writes}, and connects to nothing")
            }
            Err(why) => format!("not confined by the kernel: {why}"),
        };
        if global.verbosity == Verbosity::Verbose {
            global.note(&said);
        }
    }
}

#[cfg(target_os = "linux")]
mod walls {
    use std::path::{Path, PathBuf};

    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, RulesetStatus, Scope,
    };

    /// The rights that are known here. A kernel that knows fewer restricts those.
    const KNOWN: ABI = ABI::V6;

    /// How many processors there are is asked for when threads are started; and what is in the way of a panic's backtrace.
    const SYSTEM: [&str; 3] = ["/proc/self", "/sys/fs/cgroup", "/sys/devices/system/cpu"];

    /// Restricts this thread and those that it starts. Says how well.
    pub(super) fn build(reads: &[PathBuf], writes: Option<&Path>) -> Result<&'static str, String> {
        match restrict(reads, writes) {
            Ok(RestrictionStatus { ruleset: RulesetStatus::FullyEnforced, .. }) => Ok("Landlock"),
            Ok(RestrictionStatus { ruleset: RulesetStatus::PartiallyEnforced, .. }) => Ok("Landlock, of which it knows a part"),
            Ok(_) => Err("it has no Landlock".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn restrict(reads: &[PathBuf], writes: Option<&Path>) -> Result<RestrictionStatus, RulesetError> {
        let rules = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?.handle_access(AccessNet::from_all(KNOWN))?;
        let mut rules = rules.scope(Scope::from_all(KNOWN))?.create()?;
        let system = SYSTEM.iter().map(Path::new);
        for path in reads.iter().map(PathBuf::as_path).chain(system) {
            // What is missing needs no rule.
            let Ok(handle) = PathFd::new(path) else { continue };
            let rights = if path.is_dir() { AccessFs::ReadFile | AccessFs::ReadDir } else { AccessFs::ReadFile.into() };
            rules = rules.add_rule(PathBeneath::new(handle, rights))?;
        }
        if let Some(handle) = writes.and_then(|folder| PathFd::new(folder).ok()) {
            let rights: BitFlags<AccessFs> = AccessFs::ReadFile
                | AccessFs::ReadDir
                | AccessFs::WriteFile
                | AccessFs::Truncate
                | AccessFs::MakeReg
                | AccessFs::MakeDir
                | AccessFs::RemoveFile;
            rules = rules.add_rule(PathBeneath::new(handle, rights))?;
        }
        rules.restrict_self()
    }

    #[cfg(test)]
    mod tests {
        use std::{fs, io, net::TcpListener, net::TcpStream, thread};

        use super::*;

        /// On a thread of its own: what is given up does not come back.
        #[test]
        fn what_is_not_named_is_out_of_reach() {
            let folder = tempfile::tempdir().unwrap();
            let (named, other, target) = (folder.path().join("named"), folder.path().join("other"), folder.path().join("target"));
            fs::write(&named, "1").unwrap();
            fs::write(&other, "2").unwrap();
            fs::create_dir(&target).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let work = || {
                let said = build(&[named.clone(), folder.path().join("missing")], Some(&target));
                if let Err(why) = &said {
                    assert!(std::env::var_os("CI").is_none(), "{why}");
                    println!("skipped: {why}");
                    return;
                }
                let denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
                assert_eq!(fs::read(&named).unwrap(), b"1");
                assert!(denied(fs::read(&other).unwrap_err()) && denied(fs::read("/etc/hostname").unwrap_err()));
                assert!(denied(fs::write(&named, "3").unwrap_err()) && denied(fs::remove_file(&named).unwrap_err()));
                assert!(denied(fs::write(folder.path().join("new"), "").unwrap_err()));
                assert!(denied(fs::create_dir(folder.path().join("new")).unwrap_err()));
                fs::write(target.join(".temporary"), "4").unwrap();
                fs::rename(target.join(".temporary"), target.join("net")).unwrap();
                fs::write(target.join(".temporary"), "5").unwrap();
                fs::rename(target.join(".temporary"), target.join("net")).unwrap();
                assert_eq!(fs::read(target.join("net")).unwrap(), b"5");
                fs::remove_file(target.join("net")).unwrap();
                assert!(std::process::Command::new("/bin/true").status().is_err());
                // Threads that come later are behind the same walls.
                thread::scope(|scope| scope.spawn(|| assert!(denied(fs::read(&other).unwrap_err()))).join().unwrap());
                if said == Ok("Landlock") {
                    assert!(denied(TcpStream::connect(address).unwrap_err()));
                }
            };
            thread::scope(|scope| scope.spawn(work).join().unwrap());
            assert_eq!(fs::read(&other).unwrap(), b"2");
            TcpStream::connect(address).unwrap();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod walls {
    use std::path::{Path, PathBuf};

    /// Other systems have nothing of the kind that a process can ask for.
    pub(super) fn build(_: &[PathBuf], _: Option<&Path>) -> Result<&'static str, String> {
        Err("that needs Linux".to_owned())
    }
}
