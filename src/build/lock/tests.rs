use super::*;

fn net(name: &str, digit: char) -> LockedNet {
    let file = |path: &str| LockedFile { path: path.to_owned(), sha256: digit.to_string().repeat(64) };
    LockedNet::new(name, vec![file("a \"b\".nnue")], vec![file("dist/nn.nnue")])
}

#[test]
fn what_is_written_is_read_back_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let mut lock = Lock::default();
    for name in ["z", "a", "nightly/epoch=1"] {
        let proof = (name == "a").then(|| LockedProof { positions: 9, seed: u64::MAX >> 1, values: "3".repeat(64) });
        lock.nets.insert(name.to_owned(), net(name, '1').proven(proof));
    }
    lock.write(&path).unwrap();
    assert_eq!(Lock::read(&path).unwrap(), lock);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.find("\"a\"").unwrap() < text.find("\"z\"").unwrap());
}

#[test]
fn the_files_of_a_block_are_sorted() {
    let file = |path: &str| LockedFile { path: path.to_owned(), sha256: "1".repeat(64) };
    let files = |paths: [&str; 2]| paths.map(file).to_vec();
    let net = LockedNet::new("a", files(["z", "b"]), files(["latest.nnue", "dist/nn.nnue"]));
    assert_eq!((net.inputs, net.outputs), (files(["b", "z"]), files(["dist/nn.nnue", "latest.nnue"])));
}

#[test]
fn two_blocks_of_one_net_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let block = |digit| Lock { nets: BTreeMap::from([("big".to_owned(), net("big", digit))]) }.text();
    let (head, both) = (block('1'), block('2'));
    let second = both.split_once("version = 1\n").unwrap().1;
    std::fs::write(&path, format!("{head}{second}")).unwrap();
    let error = Lock::read(&path).unwrap_err();
    assert_eq!((error.kind(), error.causes()), (Kind::Usage, &["it has the net `big` twice".to_owned()][..]));
}

#[test]
fn differences_name_both_digests() {
    let lines = net("a", '1').differences(&net("a", '2'));
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(&"1".repeat(64)) && lines[0].contains(&"2".repeat(64)));
    let proven = |digit: &str| net("a", '1').proven(Some(LockedProof { positions: 9, seed: 0, values: digit.repeat(64) }));
    let lines = proven("1").differences(&proven("2"));
    assert!(lines.len() == 1 && lines[0].contains(&"1".repeat(64)) && lines[0].contains(&"2".repeat(64)), "{lines:?}");
    assert!(net("a", '1').differences(&proven("2")).is_empty() && proven("1").differences(&net("a", '1')).is_empty());
    let mut other = net("a", '1');
    other.tool = "9".into();
    assert!(net("a", '1').differences(&other).is_empty());
}

#[test]
fn a_damaged_file_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    for text in [&b"version = 1\n<<<<<<< HEAD\n"[..], b"version = 1 # \xff\n", b"version = 2\n"] {
        std::fs::write(&path, text).unwrap();
        let error = Lock::read(&path).unwrap_err();
        assert_eq!(error.to_string().contains("conflict markers"), text.contains(&b'<'));
        assert!(
            error.kind() == Kind::Usage && error.message().ends_with("is not a valid lock file") && error.help_text().is_some(),
            "{error:?}"
        );
    }
}
