use std::fs;

use super::*;

#[test]
fn files_and_folders_are_made_read_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let base = OwnPath::new(folder.path(), "");
    let file = base.join("a/b/c.json");
    assert_eq!(file.as_path(), folder.path().join("a/b/c.json"));
    assert_eq!((file.folder(), base.folder()), (base.join("a/b"), base.clone()));
    assert_eq!(file.open().unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(!file.remove().unwrap() && !file.is_file());
    file.folder().create_folder().unwrap();
    file.folder().create_folder().unwrap();
    file.write_bytes(Durability::Fast, b"one").unwrap();
    assert_eq!(file.read(3).unwrap(), b"one");
    assert!(file.read(2).unwrap_err().to_string().contains("more than 2 bytes"));
    assert!(!file.write_if_different(b"one").unwrap() && file.write_if_different(b"two").unwrap());
    assert_eq!(file.metadata().unwrap().len(), 3);
    assert!(file.is_file() && file.folder().is_folder() && !file.is_folder() && !file.folder().is_file());
    file.with_extension("lock").open_lock().unwrap();
    assert!(folder.path().join("a/b/c.lock").is_file());
    assert!(file.remove().unwrap() && !folder.path().join("a/b/c.json").exists());
    assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1, "no temporary file is left");
    for outside in ["../x", "/etc/passwd", "a/../../x"] {
        let error = OwnPath::new(folder.path(), outside).open().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{outside}");
    }
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_to_read_write_lock_or_remove() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let victims = tempfile::tempdir().unwrap();
    let victim = victims.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, folder.path().join("file")).unwrap();
    symlink(victims.path().join("new"), folder.path().join("dangling")).unwrap();
    symlink(victims.path(), folder.path().join("folder")).unwrap();
    let base = OwnPath::new(folder.path(), "");
    for name in ["file", "dangling", "folder/victim", "folder/new", "folder/deep/new"] {
        let path = base.join(name);
        let error = path.open().unwrap_err();
        assert!(is_link(&error) && error.to_string().contains("is a symbolic link"), "{name}: {error}");
        assert!(path.open_lock().is_err() && path.metadata().is_err() && path.read(100).is_err(), "{name}");
        if name.starts_with("folder/") {
            assert!(path.write_bytes(Durability::Fast, b"x").is_err() && path.remove().is_err(), "{name}");
            assert!(path.create_folder().unwrap_err().to_string().contains("symbolic link"), "{name}");
        } else {
            // The link is what is replaced and removed.
            path.write_bytes(Durability::Fast, b"x").unwrap();
            assert_eq!((path.read(1).unwrap(), path.remove().unwrap()), (b"x".to_vec(), true));
        }
    }
    assert!(base.join("folder").create_folder().is_err() && OwnTemp::new(&base.join("folder"), NewFile::Usual).is_err());
    assert_eq!(fs::read_dir(victims.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    // The user's own folder may be one.
    OwnPath::new(&folder.path().join("folder"), "mine").write_bytes(Durability::Durable, b"x").unwrap();
    assert_eq!(fs::read(victims.path().join("mine")).unwrap(), b"x");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_neither_keep_us_waiting_nor_are_read() {
    let folder = tempfile::tempdir().unwrap();
    use std::process::Command;
    let pipe = OwnPath::from(&folder.path().join("pipe"));
    assert!(Command::new("mkfifo").arg(pipe.as_path()).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let files = [pipe, OwnPath::from(&folder.path().join("socket")), OwnPath::from(Path::new("/dev/zero"))];
    for path in files {
        for error in [path.open().unwrap_err(), path.read(9).unwrap_err(), path.open_lock().unwrap_err(), path.metadata().unwrap_err()] {
            assert!(!error.to_string().is_empty());
        }
    }
}
