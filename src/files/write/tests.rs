#[cfg(unix)]
use std::{
    fs::Permissions,
    os::unix::fs::{PermissionsExt, symlink},
};

use super::*;
#[cfg(unix)]
use crate::files::testing::permissions_bind;
use crate::files::testing::{Tmpfs, child_argument, set_age, spawn, temp_files};

fn put(bytes: &[u8]) -> impl FnOnce(&mut dyn Write) -> Result<()> + '_ {
    move |out| out.write_all(bytes).map_err(|error| Error::new("wrapped").because(error))
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
#[test]
fn a_new_file_has_the_usual_mode_and_a_replaced_one_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (usual, path) = (folder.path().join("usual"), folder.path().join("file"));
    fs::write(&usual, b"").unwrap();
    write_atomic(&path, Durability::Durable, put(b"one")).unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), mode(&usual)));
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    write_atomic(&path, Durability::Fast, put(b"two")).unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o640));
    assert!(temp_files(folder.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_file_that_nobody_named_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (victim, link) = (folder.path().join("victim"), folder.path().join("nn-1.nnue"));
    fs::write(&victim, b"theirs").unwrap();
    // The last one leads to the very bytes: it is still no file of its own.
    for bytes in [&b"ours"[..], b"theirs"] {
        symlink("victim", &link).unwrap();
        assert!(write_atomic_named(folder.path(), put(bytes), |()| "nn-1.nnue".to_owned()).unwrap().wrote);
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read(&link).unwrap(), bytes);
        fs::remove_file(&link).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"theirs");
    }
    assert!(temp_files(folder.path()).is_empty());
}

#[test]
fn failure_and_panic_leave_the_old_file_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_atomic(&path, Durability::Durable, put(b"old")).unwrap();
    let failed: Result<()> = write_atomic(&path, Durability::Durable, |out| {
        out.write_all(&[1; 1_000_000]).unwrap();
        Err(Error::interrupted())
    });
    assert_eq!(failed.unwrap_err().kind(), crate::error::Kind::Interrupted);
    let panicked = std::panic::catch_unwind(|| write_atomic::<()>(&path, Durability::Durable, |_| panic!("on purpose")));
    assert!(panicked.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(temp_files(folder.path()).is_empty());
    let error = write_atomic(&folder.path().join("no/such"), Durability::Durable, put(b"x")).unwrap_err();
    assert!(error.message().contains("no/such"), "{error}");
}

#[test]
fn identical_bytes_are_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    assert!(write_if_different(&path, put(&[7; 600_000])).unwrap().1);
    set_age(&path, Duration::from_secs(1000));
    let before = Signature::of(&fs::metadata(&path).unwrap());
    assert!(!write_if_different(&path, put(&[7; 600_000])).unwrap().1);
    assert_eq!(Signature::of(&fs::metadata(&path).unwrap()), before);
    let mut other = vec![7; 600_000];
    other[599_999] = 8;
    assert!(write_if_different(&path, put(&other)).unwrap().1);
    assert_eq!(fs::read(&path).unwrap(), other);
    assert!(temp_files(folder.path()).is_empty());
}

#[test]
fn a_name_can_depend_on_the_contents() {
    let folder = tempfile::tempdir().unwrap();
    let write = |out: &mut dyn Write| {
        out.write_all(b"net").unwrap();
        Ok("0123")
    };
    let named = write_atomic_named(folder.path(), write, |digest| format!("nn-{digest}.nnue")).unwrap();
    assert_eq!(named, Named { value: "0123", path: folder.path().join("nn-0123.nnue"), wrote: true });
    assert!(!write_atomic_named(folder.path(), write, |digest| format!("nn-{digest}.nnue")).unwrap().wrote);
    for bad in ["", ".", "..", "a/b", "/etc/passwd", "a/"] {
        assert!(write_atomic_named(folder.path(), write, |_| bad.to_owned()).is_err(), "{bad:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_complete_file_without_a_name_can_be_read_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_if_different(&path, put(b"old")).unwrap();
    let (file, ()) = Complete::write(&path, put(b"new")).unwrap();
    let (named, ()) = Complete::write_named(folder.path(), put(b"new"), |()| "named".into()).unwrap();
    for file in [file, named] {
        assert_eq!(fs::read(file.path()).unwrap(), b"new", "the whole file can be read");
    }
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn files_of_several_folders_get_their_names_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("other")).unwrap();
    fs::write(path("same"), b"same").unwrap();
    fs::write(path("old"), b"old").unwrap();
    fs::set_permissions(path("old"), Permissions::from_mode(0o640)).unwrap();
    let bytes = [("new", "new"), ("other/new", "new"), ("same", "same"), ("old", "changed")];
    let complete = || bytes.map(|(name, bytes)| Complete::write(&path(name), put(bytes.as_bytes())).unwrap().0).into();
    assert_eq!(publish_all(complete()).unwrap(), 3);
    assert_eq!(publish_all(complete()).unwrap(), 0, "all have these bytes");
    for (name, bytes) in bytes {
        assert_eq!(fs::read_to_string(path(name)).unwrap(), bytes);
    }
    assert_eq!(mode(&path("old")), 0o640);
    let files = complete();
    for (name, _) in bytes {
        fs::write(path(name), b"edited meanwhile").unwrap();
    }
    fs::remove_dir_all(path("other")).unwrap();
    let error = publish_all(files).unwrap_err();
    assert!(error.message().contains("other/new"), "{error}");
    assert!(temp_files(folder.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("real")).unwrap();
    fs::write(path("real/file"), b"old").unwrap();
    symlink("real/file", path("link")).unwrap();
    write_atomic(&path("link"), Durability::Durable, put(b"new")).unwrap();
    assert_eq!(fs::read(path("real/file")).unwrap(), b"new");
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    symlink("nowhere", path("dangling")).unwrap();
    symlink("/dev/null", path("null")).unwrap();
    for bad in ["dangling", "null", "real"] {
        let error = write_atomic(&path(bad), Durability::Durable, put(b"x")).unwrap_err();
        assert!(error.message().contains(bad), "{error}");
    }
    assert!(write_atomic(Path::new("/dev/null"), Durability::Durable, put(b"x")).is_err());
    assert!(!fs::symlink_metadata("/dev/null").unwrap().is_file());
}

#[test]
fn the_sweep_takes_only_old_temporary_files_that_nobody_holds() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, age: u64| {
        let path = folder.path().join(name);
        fs::write(&path, b"x").unwrap();
        set_age(&path, Duration::from_secs(age));
        path
    };
    let old = make(".nnue-tmp-old", 100);
    let young = make(".nnue-tmp-young", 10);
    let other = make(".other", 100);
    let held = make_temp(folder.path(), |path| platform::create_new(path, NewFile::Usual)).unwrap();
    set_age(held.path(), Duration::from_secs(100));
    assert_eq!(sweep_temp(folder.path(), Duration::from_secs(60)).unwrap(), 1);
    assert!(!old.exists() && young.exists() && other.exists() && held.path().exists());
    assert_eq!(sweep_temp(&folder.path().join("missing"), Duration::ZERO).unwrap(), 0);
}

#[test]
fn a_full_disk_keeps_the_old_file() {
    let Some(disk) = Tmpfs::mount(256) else { return };
    let path = disk.0.path().join("file");
    write_atomic(&path, Durability::Durable, put(&[1; 100_000])).unwrap();
    let error = write_atomic(&path, Durability::Durable, put(&[2; 300_000])).unwrap_err();
    assert!(error.message().contains(path.to_str().unwrap()) && error.help_text().unwrap().contains("space"), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), [1; 100_000]);
    assert!(temp_files(disk.0.path()).is_empty());
    write_atomic(&path, Durability::Durable, put(&[3; 100_000])).unwrap();
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_an_error_with_help() {
    if !permissions_bind() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let error = write_atomic(&folder.path().join("file"), Durability::Durable, put(b"x")).unwrap_err();
    assert!(error.help_text().unwrap().contains("permissions"), "{error:?}");
}

/// The contents that [`child_writes_in_a_loop`] writes: one byte, many times.
const LOOP_BYTES: usize = 400_000;

#[test]
fn child_writes_in_a_loop() {
    let Some(folder) = child_argument() else { return };
    for round in 0u32.. {
        let byte = (round % 251) as u8;
        write_atomic(&Path::new(&folder).join("file"), Durability::Fast, put(&[byte; LOOP_BYTES])).unwrap();
        write_atomic_named(Path::new(&folder), put(&[byte; LOOP_BYTES]), |()| format!("nn-{byte}")).unwrap();
    }
}

#[test]
fn kill_9_leaves_no_half_file_under_a_real_name_and_the_sweep_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut leftovers = 0;
    for round in 0..40u64 {
        let mut child = spawn("files::write::tests::child_writes_in_a_loop", folder.path().to_str().unwrap());
        thread::sleep(Duration::from_millis(20 + round * 7 % 60));
        child.kill().unwrap();
        child.wait().unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with(TEMP_PREFIX) {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            assert!(bytes.len() == LOOP_BYTES && bytes.iter().all(|&byte| byte == bytes[0]), "{} is torn", path.display());
        }
        leftovers += temp_files(folder.path()).len();
        sweep_temp(folder.path(), Duration::ZERO).unwrap();
        assert!(temp_files(folder.path()).is_empty());
    }
    assert!(folder.path().join("file").exists(), "the children wrote something");
    println!("{leftovers} leftovers of 40 kills were swept");
}
