use super::*;

#[test]
fn endings_decide() {
    assert_eq!(ending("x/y.NNUE").as_deref(), Some("nnue"));
    assert_eq!(ending("x.nnue/"), None);
    assert_eq!(ending("x/.nnue"), None);
    assert_eq!(OutputKind::of_text("x.PB.gz"), Some(OutputKind::Gzip));
    assert_eq!(OutputKind::of_text("x.gz"), None);
    assert!(names_file("x.pt") && !holds_nnue("x.pt") && holds_nnue("dist/") && !names_file("dist"));
}

#[test]
fn provenance_is_beside_the_file() {
    assert_eq!(provenance_path(Path::new("d/x.nnue")), Path::new("d/x.nnue.provenance.json"));
}
