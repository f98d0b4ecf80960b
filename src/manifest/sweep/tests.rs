use super::*;

fn file(pattern: &str, path: &str) -> Option<Match> {
    Match::new(path, Path::new(path), &Captures::of(pattern))
}

#[test]
fn a_file_gives_its_names() {
    let one = file("/m/runs/*/epoch=*.ckpt", "/m/runs/x/epoch=1.ckpt").unwrap();
    assert_eq!(one.fill("{parent}-{stem}{other}"), "x-epoch=1{other}");
    assert_eq!(one.fill("{parent.2}/{parent.3}/{1}.{2}"), "runs/m/x.1");
    assert_eq!((one.missing("{stem}{3}{parent.4}"), one.missing("{step}")), (Some("3"), Some("step")));
    assert_eq!(file("/*", "/a.ckpt").unwrap().fill("[{parent}]"), "[]");
    assert!(file("x/*", "x/a\n.ckpt").is_none());
    let lightning = file("/{run:*}/*", "/7/epoch=009-step=00500.ckpt").unwrap();
    assert_eq!(lightning.fill("{run}: {epoch} {step}"), "7: 9 500");
    assert_eq!(number_behind("last_epoch=3-val=0.5", "epoch"), Some(3));
    assert_eq!((number_behind("xepoch=3", "epoch"), number_behind("epoch=", "epoch")), (None, None));
}

#[test]
fn numbers_in_names_count_as_numbers() {
    let mut names = ["net10", "net9b", "net9", "a", "net"];
    names.sort_by_key(|name| natural(name));
    assert_eq!(names, ["a", "net", "net9", "net9b", "net10"]);
}
