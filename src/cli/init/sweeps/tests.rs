use super::*;

fn source(path: &str, summary: &str) -> Source {
    let (open, signs, output) = (Vec::new(), Vec::new(), String::new());
    let (path, name, summary) = (path.to_owned(), path.to_owned(), summary.to_owned());
    Source { path, name, open, signs, summary, can_optimize: true, output, described: None }
}

/// The sweeps of these paths, and what is left; `/!` at the end of a path is another kind of network.
fn swept(paths: &[&str]) -> (Vec<(String, String, usize)>, Vec<String>) {
    let of = |path: &&str| path.strip_suffix("/!").map_or_else(|| source(path, "a"), |path| source(path, "b"));
    let mut sources: Vec<Source> = paths.iter().map(of).collect();
    let sweeps = take(&mut sources).into_iter().map(|sweep| (sweep.glob, sweep.name, sweep.count)).collect();
    (sweeps, sources.into_iter().map(|source| source.path).collect())
}

fn one(glob: &str, name: &str, count: usize) -> Vec<(String, String, usize)> {
    vec![(glob.to_owned(), name.to_owned(), count)]
}

#[test]
fn checkpoints_that_lie_alike_are_one_sweep() {
    let in_run = |run: &str, file: &str| format!("runs/{run}/lightning_logs/version_0/checkpoints/{file}.ckpt");
    let files = [("r0", "epoch=1"), ("r0", "epoch=2"), ("r0", "last"), ("r1", "epoch=1")].map(|(run, file)| in_run(run, file));
    let mut files: Vec<&str> = files.iter().map(String::as_str).collect();
    let expected = one("runs/*/lightning_logs/version_0/checkpoints/epoch=*.ckpt", "{1}/{stem}", 3);
    assert_eq!(swept(&files), (expected.clone(), vec![]));
    files.push("best.ckpt");
    assert_eq!(swept(&files), (expected, vec!["best.ckpt".to_owned()]));
    // Another kind of network that the glob would match, too.
    let other = in_run("r2", "epoch=1") + "/!";
    files.push(&other);
    assert_eq!(swept(&files).0, []);
    assert_eq!(swept(&files).1.len(), files.len());

    assert_eq!(swept(&["a/1.ckpt", "a/2.ckpt"]).0, [], "two are listed");
    assert_eq!(swept(&["1.ckpt", "2.ckpt", "3.ckpt"]).0, one("*.ckpt", "{stem}", 3));
    assert_eq!(swept(&["a/1.nnue", "a/2.nnue", "a/3.nnue"]).0, [], "only checkpoints");
    assert_eq!(swept(&["a/last.ckpt", "b/last.ckpt", "c/last.ckpt"]).0, one("*/*.ckpt", "{1}/{stem}", 3));
    assert_eq!(swept(&["[a]/1.ckpt", "[a]/2.ckpt", "[a]/3.ckpt"]).0, []);
    let two = ["a/b/1.ckpt", "a/b/2.ckpt", "a/b/3.ckpt", "c/1.ckpt", "c/2.ckpt", "c/3.ckpt"];
    let names: Vec<String> = swept(&two).0.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["{stem}", "2/{stem}"]);
}
