use std::os::unix::fs::symlink;

use super::*;

/// Each way of opening, by the call that knows links and folder by folder.
fn both(base: &Path, rest: &str, flags: OFlags) -> [bool; 2] {
    let base = rustix::fs::open(base, FOLDER, Mode::empty()).unwrap();
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o600) } else { Mode::empty() };
    let rest = Path::new(rest);
    [open_in(base.as_fd(), rest, flags, mode).is_ok(), walk(base.as_fd(), rest, flags, mode).is_ok()]
}

#[test]
fn both_ways_to_open_follow_no_link() {
    let folder = tempfile::tempdir().unwrap();
    let victims = tempfile::tempdir().unwrap();
    fs::write(victims.path().join("victim"), "untouched").unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::write(folder.path().join("a/b/file"), "x").unwrap();
    assert_eq!(both(folder.path(), "a/b/file", READ), [true; 2]);
    assert_eq!(both(folder.path(), "", FOLDER), [true; 2]);
    symlink(victims.path().join("victim"), folder.path().join("file")).unwrap();
    symlink(victims.path().join("new"), folder.path().join("dangling")).unwrap();
    symlink(victims.path(), folder.path().join("folder")).unwrap();
    for name in ["file", "dangling", "folder/victim", "folder/new", "folder/deep/new"] {
        for flags in [READ, FOLDER, OFlags::RDWR | OFlags::CREATE] {
            assert_eq!(both(folder.path(), name, flags), [false; 2], "{name}");
        }
    }
    assert_eq!(fs::read_dir(victims.path()).unwrap().count(), 1);
}

#[test]
fn both_ways_to_ask_give_one_answer() {
    for path in [file!(), "src", "."] {
        let path = Path::new(path);
        assert_eq!(stat(path).unwrap(), stat_of(&fs::metadata(path).unwrap()), "{}", path.display());
    }
}
