use std::path::Path;

/// Whoever prints must do it through this file.
#[test]
fn nothing_else_writes_to_stdout_or_stderr() {
    const WAYS: [&str; 9] =
        ["io::stdout", "io::stderr", "println!", "print!(", "eprint", "dbg!", "error.print()", "/dev/tty", "/dev/stdout"];
    fn look(folder: &Path, found: &mut Vec<String>, seen: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, found, seen);
                continue;
            }
            *seen += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            // Tests may print what they like: theirs is the terminal of whoever works on the program.
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            if ["cli/terminal.rs", "tests.rs", "cache/model.rs", "files/testing.rs"].iter().any(|known| path.ends_with(known)) {
                continue;
            }
            let lines = || program.lines().filter(|line| !line.trim_start().starts_with("//"));
            let ways = WAYS.iter().filter(|way| lines().any(|line| line.contains(**way)));
            found.extend(ways.map(|way| format!("{}: `{way}`", path.display())));
        }
    }
    let (mut found, mut seen) = (Vec::new(), 0);
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found, &mut seen);
    assert!(found.is_empty() && seen > 100, "{found:?}");
}
