use std::fs::{self, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;

/// A moment after which every edit shows, for files that were made before it.
fn later() -> Clock {
    Clock { at: Timestamp { seconds: Timestamp::now().seconds + 3600, nanos: 0 }, device: None }
}

/// As they are now.
fn signed(files: &[Witnessed], cache: &Path) -> Vec<Signed> {
    let folders = Folders::open(&cache.into());
    files.iter().map(|file| (file.clone(), folders.signature(file).unwrap())).collect()
}

fn part(name: u8, files: &[Witnessed], cache: &Path) -> Part {
    Part::new(Blake3([name; 32]), signed(files, cache), vec![name; 3])
}

/// The results, where all of them stand, and the names of those that do.
fn load(path: &Path, context: Blake3, cache: &Path) -> (Option<Vec<Vec<u8>>>, Vec<u8>) {
    let Some(witness) = Witness::read(&path.into(), context) else { return (None, Vec::new()) };
    let whole = witness.whole(&cache.into(), |result| Some(result.to_vec()));
    let mut standing: Vec<u8> = witness.standing(&cache.into()).into_values().map(|part| part.result[0]).collect();
    standing.sort_unstable();
    (whole, standing)
}

#[test]
fn a_result_stands_until_one_of_its_files_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, c, path) = (folder.path().join("a"), folder.path().join("sub"), folder.path().join("c"), folder.path().join("w"));
    let context = Blake3::of(b"context");
    let tries: [(&str, &dyn Fn()); 5] = [
        ("edited", &|| fs::write(&a, "two").unwrap()),
        ("removed", &|| fs::remove_file(&a).unwrap()),
        ("a file came to the folder", &|| fs::write(b.join("new"), "").unwrap()),
        ("replaced, times kept", &|| {
            let modified = fs::metadata(&a).unwrap().modified().unwrap();
            fs::write(folder.path().join("d"), "uno").unwrap();
            fs::File::open(folder.path().join("d")).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
            fs::rename(folder.path().join("d"), &a).unwrap();
        }),
        ("its time set", &|| {
            let past = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
            fs::File::open(&a).unwrap().set_times(past).unwrap();
        }),
    ];
    for (what, touch) in tries {
        fs::write(&a, "one").unwrap();
        fs::write(&c, "other").unwrap();
        fs::create_dir_all(&b).unwrap();
        let files = [Witnessed::Path(a.clone()), Witnessed::Path(b.clone())];
        let parts = [part(1, &files, folder.path()), part(2, &[Witnessed::Path(c.clone())], folder.path())];
        let own = OwnPath::from(&path);
        assert!(save(&own, context, Some(&[]), &parts, later()));
        assert_eq!(load(&path, context, folder.path()), (Some(vec![vec![1; 3], vec![2; 3]]), vec![1, 2]));
        assert_eq!(load(&path, Blake3::of(b"other"), folder.path()), (None, vec![]), "another context");
        touch();
        assert_eq!(load(&path, context, folder.path()), (None, vec![2]), "{what}");
        assert!(!save(&own, context, None, &parts, later()));
        assert_eq!(load(&path, context, folder.path()), (None, vec![2]), "not all that there are");
        let common = signed(&[Witnessed::Path(c.clone())], folder.path());
        assert!(save(&own, context, Some(&common), &parts[1..], later()));
        assert_eq!(load(&path, context, folder.path()), (Some(vec![vec![2; 3]]), vec![2]));
        fs::write(&c, "another").unwrap();
        assert_eq!(load(&path, context, folder.path()), (None, vec![]), "what all rest on");
    }
}

#[test]
fn a_file_that_may_have_changed_since_the_beginning_is_no_witness() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    fs::write(&file, "one").unwrap();
    let began = Clock { at: Timestamp::now(), device: None };
    let path = folder.path().join("w");
    let parts = [part(1, &[Witnessed::Path(file)], folder.path())];
    assert!(!save(&OwnPath::from(&path), Blake3([0; 32]), Some(&[]), &parts, began));
    assert!(!path.exists());
    // Other results are kept without it, but they are not all.
    let parts = [parts[0].clone(), part(2, &[], folder.path())];
    assert!(!save(&OwnPath::from(&path), Blake3([0; 32]), Some(&[]), &parts, began));
    assert_eq!(load(&path, Blake3([0; 32]), folder.path()), (None, vec![2]));
}

#[test]
fn what_was_found_long_ago_is_looked_into_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    for (age, stands) in [(0, true), (SERVES_SECONDS - 60, true), (SERVES_SECONDS + 60, false), (-60, false)] {
        let part = Part { found: Timestamp::now().seconds - age, ..part(1, &[], folder.path()) };
        assert!(save(&OwnPath::from(&path), Blake3([0; 32]), Some(&[]), &[part], later()));
        let (whole, standing) = load(&path, Blake3([0; 32]), folder.path());
        assert_eq!((whole.is_some(), standing.len()), (stands, usize::from(stands)), "{age}");
    }
}

#[test]
fn no_damage_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, path) = (folder.path().join("a"), folder.path().join("w"));
    fs::write(&file, "one").unwrap();
    let context = Blake3::of(b"context");
    let files = [Witnessed::Path(file.clone()), Witnessed::Place(file)];
    let common = signed(&files[..1], folder.path());
    assert!(save(&OwnPath::from(&path), context, Some(&common), &[part(1, &files, folder.path())], later()));
    let good = fs::read(&path).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Witness::decode(bad, context).is_none(), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(Witness::decode(good[..length].to_vec(), context).is_none(), "{length} bytes");
    }
    assert!(Witness::decode(good, context).is_some());
}
