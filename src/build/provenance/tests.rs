use super::*;

#[test]
fn paths_become_uris() {
    for (path, expected) in [
        ("runs/epoch=799.ckpt", "file:runs/epoch=799.ckpt"),
        ("../a b/%41.nnue", "file:../a%20b/%2541.nnue"),
        ("näher#1?.nnue", "file:n%C3%A4her%231%3F.nnue"),
        ("/data/x.binpack", "file:///data/x.binpack"),
        ("a:b[c]\"\\", "file:a:b%5Bc%5D%22%5C"),
    ] {
        assert_eq!(uri(path), expected);
    }
}

fn statement(sha256: &str) -> Json {
    json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "a.nnue", "digest": {"sha256": "aa"}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"net": "a"},
                "resolvedDependencies": [
                    {"name": "nnue.toml", "digest": {"sha256": "00"}, "annotations": {"role": "manifest"}},
                    {"name": "run.nnue", "digest": {"sha256": sha256}, "annotations": {"role": "source"}},
                ],
            },
            "runDetails": {"builder": {"version": {"nnue": "1.0.0"}}},
        },
    })
}

#[test]
fn a_statement_is_held_against_the_lock() {
    let inputs = [LockedFile { path: "run.nnue".into(), sha256: "bb".into() }];
    let check = |statement: &Json, inputs: &[LockedFile]| super::check(statement.to_string().as_bytes(), "a.nnue", "aa", inputs);
    check(&statement("bb"), &inputs).unwrap();
    assert!(check(&statement("cc"), &inputs).unwrap_err().contains("`run.nnue`: sha256 bb is locked, the statement has cc"));
    assert!(check(&statement("bb"), &[]).unwrap_err().contains("`run.nnue` (sha256 bb) is not locked"));
    let more = [inputs[0].clone(), LockedFile { path: "b".into(), sha256: "dd".into() }];
    assert!(check(&statement("bb"), &more).unwrap_err().ends_with("is locked, the statement does not name it"));
    for (pointer, value, part) in [
        ("/_type", json!("x"), "`_type`"),
        ("/predicateType", Json::Null, "`predicateType`"),
        ("/predicate/buildDefinition/buildType", json!(1), "`buildType`"),
        ("/subject", json!([]), "not about one file"),
        ("/subject/0/digest/sha256", json!("ee"), "sha256 ee, not about"),
        ("/subject/0/name", json!("b.nnue"), "about `b.nnue`"),
        ("/predicate/buildDefinition/resolvedDependencies", json!({}), "no materials"),
    ] {
        let mut wrong = statement("bb");
        *wrong.pointer_mut(pointer).unwrap() = value;
        let problem = check(&wrong, &inputs).unwrap_err();
        assert!(problem.contains(part), "{pointer}: {problem}");
    }
    for text in [&b""[..], b"{", b"\xff", b"[1]"] {
        assert!(super::check(text, "a.nnue", "aa", &inputs).is_err());
    }
}

#[test]
fn what_changed_is_told_by_the_most_telling_difference() {
    let change = |edit: &dyn Fn(&mut Json)| {
        let mut new = statement("bb");
        edit(&mut new);
        change(&statement("bb").to_string(), &new.to_string()).map(|reason| (reason.kind().to_owned(), reason.text()))
    };
    let definition = |new: &mut Json, pointer: &str, value: Json| {
        *new.pointer_mut(&format!("/predicate/{pointer}")).unwrap() = value;
    };
    assert_eq!(change(&|_| ()), None);
    let manifest = |new: &mut Json| definition(new, "buildDefinition/resolvedDependencies/0/digest", json!({"sha256": "11"}));
    assert_eq!(change(&manifest).unwrap(), ("input_changed".into(), "`nnue.toml` changed: 00 → 11".into()));
    let license = |new: &mut Json| {
        manifest(new);
        definition(new, "buildDefinition/externalParameters", json!({"net": "a", "license": "CC0-1.0"}));
    };
    assert_eq!(change(&license).unwrap(), ("param_changed".into(), "`license` changed: none → CC0-1.0".into()));
    let version = |new: &mut Json| definition(new, "runDetails/builder/version/nnue", json!("2.0.0"));
    assert_eq!(change(&version).unwrap().1, "`nnue` changed: 1.0.0 → 2.0.0");
    assert_eq!(super::change("no JSON", "{}"), None);
}
