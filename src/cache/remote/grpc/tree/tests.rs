use super::super::super::execute::Input;
use super::*;

fn request(paths: &[&str]) -> Request {
    Request {
        arguments: vec!["./nnue".to_owned()],
        inputs: paths.iter().map(|path| Input::memory(path, path.as_bytes().to_vec())).collect(),
        outputs: vec!["out/record".to_owned(), "out/artifact".to_owned()],
        timeout: std::time::Duration::from_secs(60),
        queue_timeout: std::time::Duration::from_secs(60),
        properties: BTreeMap::from([("OSFamily".to_owned(), "Linux".to_owned())]),
        skip_cache: false,
        net: String::new(),
        stage: String::new(),
    }
}

#[test]
fn folders_are_sorted_and_the_order_of_inputs_changes_nothing() {
    let built = build(&request(&["nnue", "in/b", "in/a", "in/c/d"])).unwrap();
    assert_eq!(built.action, build(&request(&["in/c/d", "in/a", "in/b", "nnue"])).unwrap().action);
    // `in/c`, `in`, the root, the command, the action.
    assert_eq!(built.messages.len(), 5);
    let inner = Directory::decode(built.messages[1].1.as_slice()).unwrap();
    assert_eq!(inner.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(inner.directories[0].digest, Some(built.messages[0].0.into()));
    let command = Command::decode(built.messages[3].1.as_slice()).unwrap();
    assert_eq!(command.output_paths, ["out/artifact", "out/record"]);
    assert_eq!(command.output_files, command.output_paths);
    let action = Action::decode(built.messages[4].1.as_slice()).unwrap();
    assert_eq!(action.platform, command.platform);
    assert_eq!(action.timeout, Some(Duration { seconds: 60 }));
    for (blob, bytes) in &built.messages {
        assert_eq!(*blob, Blob::of(bytes));
    }
}

#[test]
fn what_decides_the_result_decides_the_name() {
    let name = |change: fn(&mut Request)| {
        let mut request = request(&["nnue", "in/a"]);
        change(&mut request);
        build(&request).unwrap().action
    };
    let changes: [fn(&mut Request); 6] = [
        |_| {},
        |request| request.arguments.push("x".to_owned()),
        |request| request.inputs[0].executable = true,
        |request| request.inputs[1] = Input::memory("in/a", b"b".to_vec()),
        |request| request.outputs.push("x".to_owned()),
        |request| drop(request.properties.insert("a".to_owned(), "b".to_owned())),
    ];
    let names: std::collections::HashSet<_> = changes.into_iter().map(name).collect();
    assert_eq!(names.len(), 6);
    assert_eq!(name(|request| request.net.push('x')), name(|request| request.skip_cache = true));
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for paths in [&["../a"][..], &["/a"], &["a//b"], &["a/./b"], &[""], &["a", "a"], &["a", "a/b"], &["a/b", "a"], &["a/"]] {
        assert!(matches!(build(&request(paths)), Err(Failure::Refused(_))), "{paths:?}");
    }
}
