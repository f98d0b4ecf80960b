use super::*;

#[test]
fn files_are_known_by_path_and_forgotten_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let log = PublishedLog::new(&OwnPath::new(folder.path(), "state"));
    let ctx = Ctx::silent();
    let file = |path: &str, content: &str, provenance: Option<&str>| PublishedFile {
        path: path.into(),
        net: "big".into(),
        sha256: Sha256::of(content.as_bytes()),
        bytes: 1,
        provenance: provenance.map(|text| Sha256::of(text.as_bytes())),
    };
    assert_eq!(log.load().unwrap(), []);
    log.add(vec![file("b", "1", Some("p")), file("a", "2", None)], &ctx).unwrap();
    // The same again keeps what is known of it, another content does not.
    log.add(vec![file("b", "1", None)], &ctx).unwrap();
    assert_eq!(log.load().unwrap(), [file("a", "2", None), file("b", "1", Some("p"))]);
    log.add(vec![file("b", "3", None)], &ctx).unwrap();
    log.remove(&[file("b", "1", Some("p")), file("a", "2", None)], None, &ctx).unwrap();
    assert_eq!(log.load().unwrap(), [file("b", "3", None)]);
    std::fs::write(folder.path().join("state/published.json"), "{").unwrap();
    assert!(log.load().unwrap_err().help_text().is_some());
    assert!(log.add(vec![file("c", "1", None)], &ctx).is_err(), "what is damaged is not written over");
}
