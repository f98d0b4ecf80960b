//! The console blocks of the README and of the pages in `docs/` are what the program prints.
//!
//! `trycmd` runs them in a copy of `examples/`. Times differ between machines and between runs: in the expectation a number of seconds
//! stands for any other.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The pages that have such blocks.
fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(Path::new(ROOT).join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let all = docs.chain([Path::new(ROOT).join("README.md")]).filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    all.filter(|path| std::fs::read_to_string(path).unwrap().contains("```console")).collect()
}

/// `0.01 s` between blanks becomes a pattern.
fn any_time(line: &str) -> String {
    let parts: Vec<&str> = line.split(' ').collect();
    let is_time = |at: usize| parts.get(at + 1) == Some(&"s") && parts[at].contains('.') && parts[at].parse::<f64>().is_ok();
    let parts: Vec<&str> = (0..parts.len()).map(|at| if is_time(at) { "[..]" } else { parts[at] }).collect();
    parts.join(" ") + "\n"
}

/// The page as `trycmd` wants it: an output's last newline is an empty line, and times are patterns.
fn expectation(page: &str) -> String {
    let mut out = String::new();
    let (mut in_block, mut is_first) = (false, false);
    for line in page.lines() {
        let is_fence = line.starts_with("```");
        if in_block && (is_fence || line.starts_with("$ ")) && !is_first {
            out.push('\n');
        }
        is_first = is_fence && !in_block;
        in_block = if is_fence { line == "```console" } else { in_block };
        out.push_str(&if in_block { any_time(line) } else { format!("{line}\n") });
    }
    out
}

#[test]
fn console_blocks_are_what_the_program_prints() {
    let folder = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases.register_bin("nnue", assert_cmd::cargo::cargo_bin!("nnue"));
    let pages = pages();
    assert!(pages.iter().any(|page| page.ends_with("README.md")), "{pages:?}");
    for page in pages {
        let copy = folder.path().join(page.file_name().unwrap());
        let text = std::fs::read_to_string(&page).unwrap();
        std::fs::write(&copy, expectation(&text)).unwrap();
        // Where the blocks of this page run.
        let example = copy.with_extension("in").join("examples/quickstart");
        std::fs::create_dir_all(&example).unwrap();
        for name in ["nnue.toml", "nnue.lock", "random.nnue", "positions.fen"] {
            std::fs::copy(Path::new(ROOT).join("examples/quickstart").join(name), example.join(name)).unwrap();
        }
        cases.case(copy);
    }
    cases.run();
}
