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
mod tests {
    use clap::Parser;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    /// All that a command line of `build` says.
    fn shown(cli: &Cli) -> String {
        let Command::Build(args) = &cli.command else { panic!("another command") };
        format!("{:?} {args:?}", cli.global)
    }

    #[test]
    fn what_is_read_here_means_what_clap_makes_of_it() {
        const FLAGS: [&str; 8] = ["-q", "--quiet", "-n", "--dry-run", "-k", "--keep-going", "--locked", "--json"];
        let lines = (0..1 << FLAGS.len()).map(|chosen: u32| {
            let flags = FLAGS.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, flag)| *flag);
            ["nnue", "build"].into_iter().chain(flags).collect::<Vec<_>>().join(" ")
        });
        let mut simple = 0;
        for line in lines {
            let clap = Cli::try_parse_from(words(&line));
            match parse(&words(&line)) {
                Some(plain) => {
                    let clap = clap.unwrap_or_else(|error| panic!("{line}: {error}"));
                    assert_eq!(shown(&plain), shown(&clap), "{line}");
                    simple += 1;
                }
                None => assert!(clap.is_err(), "{line}"),
            }
        }
        // Each of three flags in one of two spellings or not at all, and two flags more.
        assert_eq!(simple, 3 * 3 * 3 * 2 * 2);
    }

    #[test]
    fn everything_else_is_left_to_clap() {
        for line in
            ["nnue", "nnue status", "nnue -q build", "nnue build --help", "nnue build big", "nnue build -qn", "nnue build --jso", "build"]
        {
            assert!(parse(&words(line)).is_none(), "{line}");
        }
        assert!(parse(&[]).is_none());
    }
}
