//! The shortest command lines, understood without clap: `nnue build` with a few flags, as scripts and editors call it all day.
//!
//! Setting up clap for 16 commands takes longer than finding that nothing is to be done. What is read here must mean exactly what clap
//! makes of it (a test compares the two); anything else, mistakes and `--help` included, is clap's.

use std::ffi::OsString;

use super::build;
use super::global::GlobalArgs;
use super::{Cli, Command};

/// The command line that `arguments` (the program's name first) are, if they are one of the simple ones.
pub(super) fn parse(arguments: &[OsString]) -> Option<Cli> {
    let [_, command, flags @ ..] = arguments else { return None };
    if command != "build" {
        return None;
    }
    let (mut global, mut args) = (GlobalArgs::default(), build::Args::default());
    for flag in flags {
        let flag = match flag.to_str()? {
            "-q" | "--quiet" => &mut global.quiet,
            "-n" | "--dry-run" => &mut args.dry_run,
            "-k" | "--keep-going" => &mut args.keep_going,
            "--locked" => &mut args.locked,
            "--json" => &mut args.json,
            _ => return None,
        };
        // Said twice, it is a mistake, which clap explains.
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    Some(Cli { global, command: Command::Build(args) })
}

#[cfg(test)]
mod tests;
