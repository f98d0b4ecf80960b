//! Credentials, and addresses that are refused.

use crate::*;

#[test]
fn credentials_come_from_the_environment_and_go_nowhere_else() {
    let Filled { server, .. } = filled();
    let basic = client(&server.url, "read").with_env("NNUE_REMOTE_CACHE_USER", "anna").with_env("NNUE_REMOTE_CACHE_PASSWORD", "geheim");
    basic.build();
    assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some("Basic YW5uYTpnZWhlaW0=")));

    // A server that keeps its values elsewhere.
    let elsewhere = Server::start();
    for (name, value) in server.values() {
        elsewhere.put(&name, value);
    }
    let target = elsewhere.url.clone();
    server.answer(move |request, _| {
        let name = request.path.strip_prefix("/cache/").unwrap();
        Reply::Raw(format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}/{name}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    });
    let project = client(&server.url, "read").with_env("NNUE_REMOTE_CACHE_TOKEN", "s3cret\n");
    let (stages, ran) = project.build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
    assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some("Bearer s3cret")));
    let there = elsewhere.requests();
    assert!(!there.is_empty() && there.iter().all(|request| request.authorization.is_none()), "{there:?}");

    // An upload is not sent on.
    let writer = client(&server.url, "read-write").with_env("NNUE_REMOTE_CACHE_TOKEN", "s3cret");
    let ran = writer.nnue(&["build", "--force", "-vv"]).ok();
    assert_warned_once(&ran, "307");
    assert!(elsewhere.requests().iter().all(|request| request.method != "PUT"));
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}

#[test]
fn credentials_in_the_open_are_worth_a_warning() {
    // An address that is reserved for documentation: nobody answers, or nobody is reached.
    let project =
        client("http://192.0.2.1:9/cache", "read").with_env("NNUE_REMOTE_CACHE_TOKEN", "s3cret").with_env("NNUE_REMOTE_CACHE_TIMEOUT", "1");
    let (_, ran) = project.build();
    assert!(ran.err.contains("are sent without encryption") && !ran.err.contains("s3cret"), "{}", ran.err);
    assert_eq!(project.output(), expected());
    for (name, value) in
        [("NNUE_REMOTE_CACHE_TOKEN", "s3c ret"), ("NNUE_REMOTE_CACHE_PASSWORD", "s3c ret"), ("NNUE_REMOTE_CACHE_TIMEOUT", "soon")]
    {
        let ran = client("http://127.0.0.1:1", "read").with_env(name, value).nnue(&["build"]).fails(2, &[name]);
        assert!(!ran.err.contains("s3c ret"), "{}", ran.err);
    }
}
