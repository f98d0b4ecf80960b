use super::*;

#[test]
fn times_are_those_of_the_standard_library() {
    assert_eq!(since_1970(116_444_736_000_000_001), (0, 100));
    assert_eq!(since_1970(116_444_735_999_999_999), (-1, 999_999_900));
    let metadata = fs::metadata(".").unwrap();
    let since = metadata.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(stat_of(&metadata).modified, (since.as_secs() as i64, since.subsec_nanos()));
}

#[test]
fn a_folder_that_is_held_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    let held = Folder::open(folder.path(), Path::new("a/b")).unwrap();
    assert!(fs::rename(folder.path().join("a/b"), folder.path().join("c")).is_err());
    drop(held);
    fs::rename(folder.path().join("a/b"), folder.path().join("c")).unwrap();
}

#[test]
fn a_file_has_a_writer_while_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = create_new(&path, NewFile::Usual).unwrap();
    let opened = || open_below(folder.path(), Path::new("file"), Purpose::Inherit);
    assert!(opened().is_err());
    drop(file);
    assert!(has_no_writer(&opened().unwrap()));
}
