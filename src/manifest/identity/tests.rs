use super::*;

#[test]
fn normalised_by_text() {
    for (from, to) in [("a/../b", "b"), ("./a//b/.", "a/b"), ("../x", "../x"), ("a/../../x", "../x"), ("/../x", "/x"), ("a/..", ".")] {
        assert_eq!(normalise(Path::new(from)), Path::new(to), "{from}");
    }
}

#[test]
fn case_and_dots_do_not_make_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(folder.path());
    let mut identity = |path: &str| disk.identity(&folder.path().join(path));
    assert_eq!(identity("a/b.nnue"), identity("A/./B.NNUE"));
    assert_eq!(identity("a/../b.nnue"), identity("b.nnue"));
    assert_ne!(identity("a/b.nnue"), identity("b.nnue"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_lead_out() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("real")).unwrap();
    std::os::unix::fs::symlink("real", path("inner")).unwrap();
    std::os::unix::fs::symlink(outside.path(), path("outer")).unwrap();
    let mut disk = Disk::new(folder.path());
    assert_eq!(disk.identity(&path("inner/x")), disk.identity(&path("real/x")));
    assert_eq!(disk.escape(&path("inner/x"), false), None);
    let (link, target) = disk.escape(&path("outer/sub"), true).unwrap();
    assert_eq!((link, target), (path("outer/sub"), outside.path().canonicalize().unwrap().join("sub")));
    // What is said to lie elsewhere does not escape.
    assert_eq!(disk.escape(&outside.path().join("x"), false), None);
}
