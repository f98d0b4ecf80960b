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
