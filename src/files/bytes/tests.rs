use super::*;

#[test]
fn files_of_all_sizes_are_read_and_what_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let large = vec![7; MAP_FROM as usize];
    for (content, mapped) in [(&b""[..], false), (b"abc", false), (&large[1..], false), (&large, cfg!(unix))] {
        std::fs::write(&path, content).unwrap();
        let bytes = Bytes::map(&path).unwrap();
        assert_eq!((&*bytes, matches!(*bytes.0, Owner::Map(_))), (content, mapped));
        let input = Bytes::input(&path, &Ctx::silent()).unwrap();
        assert_eq!((&*input, matches!(*input.0, Owner::Map(_))), (content, mapped));
        let copied = Bytes::input(&path, &Ctx::silent().copying_inputs()).unwrap();
        assert!(*copied == *content && matches!(*copied.0, Owner::Vec(_)));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(&*bytes, content);
        for range in [0..content.len(), 1..content.len() / 2, 0..content.len() + 1] {
            bytes.let_go(range);
            assert!(*bytes == *content);
        }
    }
    let error = Bytes::map(&folder.path().join("missing")).unwrap_err();
    assert!(error.message().contains("missing"), "{error}");
    assert!(Bytes::map(folder.path()).unwrap_err().message().contains("folder"));
}
