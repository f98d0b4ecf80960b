//! Caches that speak gRPC: two real servers, proxies before them, and a liar.

use crate::liar::{End, Liar, Say, all, resource};
use crate::real_servers::{is_shared, moves_blobs, stored};
use crate::*;

#[test]
fn casd_serves_it() {
    let Some(casd) = servers::casd() else { return };
    is_shared(&casd.url, &[]);
    moves_blobs(&casd.url);
}

#[test]
fn justbuild_keeps_blobs_and_takes_no_results() {
    let Some(justbuild) = servers::justbuild() else { return };
    let project = client(&justbuild.url, "read-write");
    let (stages, ran) = project.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "takes no results");
    assert_eq!(project.output(), expected());
    // It wants an instance for large blobs; what it says of that is shown with the address.
    let without = client(justbuild.url.strip_suffix("/main").unwrap(), "read-write");
    let (_, ran) = without.build();
    assert_eq!(warnings(&ran).len(), 1, "{}", ran.err);
    assert_eq!(without.output(), expected());
}

#[test]
fn what_a_server_gets_is_what_the_protocol_asks_for() {
    let liar = Liar::start();
    let project = client(&format!("{}/some/instance", liar.url), "read-write");
    let (stages, ran) = project.build();
    assert_stages(&stages, "ran", "ran");
    assert_eq!(ran.err, "");
    assert_eq!((liar.entries().len(), liar.blobs().len()), (2, 4), "two results, each with the blob of what was asked for it");
    for (action, value) in liar.entries() {
        let entry = entry(&value);
        let asked = serde_json::to_string(&entry.record["preimage"]).unwrap();
        assert_eq!(common::sha256(asked.as_bytes()), action);
        assert_eq!(liar.blobs()[&action], asked.as_bytes());
        assert_eq!(liar.blobs()[&entry.hash].len() as u64, entry.size);
    }
    let calls = liar.calls();
    for call in &calls {
        // Of all of them but `WaitExecution`, the first field is the instance.
        assert_eq!(all(&call.messages[0], 1).concat(), b"some/instance", "{}", call.method);
        assert!(call.headers["user-agent"].starts_with("nnue/"), "{:?}", call.headers);
    }
    let methods: Vec<&str> = calls.iter().map(|call| call.method.as_str()).filter(|method| *method != "GetActionResult").collect();
    let upload = ["FindMissingBlobs", "BatchUpdateBlobs", "BatchUpdateBlobs", "UpdateActionResult"];
    assert_eq!(methods, [upload, upload].concat(), "blobs first, entries last");

    let (stages, ran) = client(&format!("{}/some/instance", liar.url), "read").build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
    // Nothing is sent that is there.
    let forced = client(&format!("{}/some/instance", liar.url), "read-write");
    liar.calls();
    let ran = forced.nnue(&["build", "--force", "-v"]).ok();
    assert!(ran.err.contains("0 missed, 2 uploaded"), "{}", ran.err);
    let batches = liar.calls().into_iter().filter(|call| call.method == "BatchUpdateBlobs").count();
    assert_eq!(batches, 2, "what was asked, with each result");
}

#[test]
fn large_blobs_go_on_where_they_were_cut_off() {
    let bytes: Vec<u8> = (0..(20 << 20) + 123).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let folder = tempfile::tempdir().unwrap();
    let (cache, record) = stored(&bytes, folder.path());
    let liar = Liar::start();
    let ctx = nnue::internals::ctx::Ctx::silent();
    let open = || Remote::open(&liar.url, RemoteOptions { reads: true, writes: true }, &cache, &ctx).unwrap();
    liar.break_after(&[3 << 20, 5 << 20, 4 << 20]);
    let writer = open();
    writer.upload(&record);
    writer.finish().unwrap();
    assert_eq!(writer.traffic_so_far().uploaded, 1);
    let calls = liar.calls();
    let writes: Vec<&liar::Call> = calls.iter().filter(|call| call.method == "Write").collect();
    assert_eq!(writes.len(), 4);
    assert!(writes.iter().all(|write| resource(write) == resource(writes[0])), "one upload, in four parts");
    let sent: usize = writes.iter().flat_map(|write| &write.messages).map(|piece| all(piece, 10).concat().len()).sum();
    assert_eq!(sent, bytes.len(), "no byte twice");

    liar.break_after(&[1, 7 << 20, 2 << 20]);
    let reader = open();
    let found = reader.find(&record.preimage, Stage::Gather).unwrap();
    assert!(reader.fetch(&found, bytes.len() as u64).unwrap() == bytes);
    assert_eq!(liar.calls().iter().filter(|call| call.method == "Read").count(), 4);

    // Where nothing at all gets through, it ends.
    liar.break_after(&[0; 64]);
    assert!(open().fetch(&found, bytes.len() as u64).is_none());
}

#[test]
fn lies_and_breaks_are_misses_with_one_warning() {
    let liar = Liar::start();
    let first = client(&liar.url, "read-write");
    first.build();
    let project = client(&liar.url, "read").with_env("NNUE_REMOTE_CACHE_TIMEOUT", "1");
    let (stages, _) = project.build();
    assert_stages(&stages, "cached", "cached");
    let reply = |method: &'static str, say: fn() -> Say| move |call: &liar::Call| if call.method == method { say() } else { Say::Honest };
    type Case = (&'static str, fn() -> Say);
    let cases: [Case; 14] = [
        ("401", || Say::Page(401)),
        ("404", || Say::Page(404)),
        ("instead of gRPC", || Say::Page(200)),
        ("502", || Say::Page(502)),
        ("PermissionDenied", || Say::Messages(Vec::new(), End::Status(7, "no"))),
        ("Internal", || Say::Messages(Vec::new(), End::Status(13, "oops"))),
        ("Unavailable", || Say::Messages(Vec::new(), End::Status(14, "later"))),
        ("FailedPrecondition", || Say::Messages(Vec::new(), End::Details("no base64 at all!"))),
        ("cut off", || Say::Messages(Vec::new(), End::Abrupt)),
        ("", || Say::Messages(Vec::new(), End::Reset)),
        ("", || Say::Messages(Vec::new(), End::Broken)),
        ("moved", || Say::Messages(Vec::new(), End::Silence)),
        ("", || Say::Messages(vec![vec![0xff; 100]], End::Status(0, ""))),
        ("too large", || Say::Messages(vec![vec![0; 16 << 20]], End::Status(0, ""))),
    ];
    for (method, cases) in [("GetCapabilities", &cases[..5]), ("GetActionResult", &cases), ("Read", &cases)] {
        for &(said, say) in cases {
            liar.answer(reply(method, say));
            let (stages, ran) = project.build_anew();
            assert_eq!(stages["search"], "ran", "{method}: {said}");
            assert_warned_once(&ran, said);
            assert!(!ran.err.contains("panicked"), "{}", ran.err);
            assert_eq!(project.output(), expected(), "{method}: {said}");
            println!("{method}: {}", warnings(&ran)[0]);
        }
    }
    // Other bytes than those that were asked for: more, less, none, changed.
    for lie in [&b""[..], b"too short", &[7; 1 << 16]] {
        liar.answer(move |call| match call.method.as_str() {
            "Read" => Say::Messages(vec![field(10, lie)], End::Status(0, "")),
            _ => Say::Honest,
        });
        let (stages, ran) = project.build_anew();
        assert_eq!(stages["search"], "ran");
        assert_warned_once(&ran, "cannot be used");
        assert_eq!(project.output(), expected());
    }
    liar.answer(|call| if call.method == "Read" { Say::Messages(vec![field(10, vec![7; 1 << 20]); 6], End::Silence) } else { Say::Honest });
    let (_, ran) = project.build_anew();
    assert_warned_once(&ran, "longer than the limit");
}

#[test]
fn servers_that_name_blobs_otherwise_or_take_nothing_are_left_alone() {
    let liar = Liar::start();
    // BLAKE3 alone.
    liar.answer(|call| match call.method.as_str() {
        "GetCapabilities" => Say::Messages(vec![field(1, field(1, [9]))], End::Status(0, "")),
        _ => Say::Honest,
    });
    let (_, ran) = client(&liar.url, "read").build();
    assert_warned_once(&ran, "other digests than SHA-256");
    assert!(liar.calls().is_empty());
    liar.answer(|call| match call.method.as_str() {
        "BatchUpdateBlobs" => Say::Messages(Vec::new(), End::Status(7, "read only")),
        _ => Say::Honest,
    });
    let project = client(&liar.url, "read-write");
    let (_, ran) = project.build();
    assert_warned_once(&ran, "read only");
    assert!(ran.err.contains("not uploaded to the remote cache"), "{}", ran.err);
    assert_eq!(project.output(), expected());
    // A status for one blob of a batch, and an answer for another blob.
    for answer in
        [[field(1, digest(&"0".repeat(64), 1)), field(2, [])].concat(), [field(1, digest(&"0".repeat(64), 1)), field(2, [8, 8])].concat()]
    {
        let answer = field(1, answer);
        liar.answer(move |call| match call.method.as_str() {
            "BatchUpdateBlobs" => Say::Messages(vec![answer.clone()], End::Status(0, "")),
            _ => Say::Honest,
        });
        let (_, ran) = client(&liar.url, "read-write").build();
        assert_warned_once(&ran, "not sent");
    }
}

#[test]
fn nobody_and_silence_end_soon() {
    let nobody = client("grpc://127.0.0.1:1", "read-write");
    let (stages, ran) = nobody.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "disabling the remote cache `grpc://127.0.0.1:1`");
    assert!(ran.err.contains("refused"), "{}", ran.err);
    assert_eq!(nobody.output(), expected());
    // No gRPC at all, and a TLS that nobody speaks.
    let http = Server::start();
    for (url, scheme) in [(&http.url, "grpc"), (&http.url, "grpcs")] {
        let url = url.replace("http://", &format!("{scheme}://"));
        let project = client(&url, "read").with_env("NNUE_REMOTE_CACHE_TIMEOUT", "2");
        let (stages, ran) = project.build();
        assert_stages(&stages, "ran", "ran");
        assert_warned_once(&ran, "disabling the remote cache");
        println!("{}", ran.err);
    }
}

#[test]
fn proxies_ask_for_tokens_and_certificates() {
    let Some(casd) = servers::casd() else { return };
    let token = "if ($http_authorization != \"Bearer s3cret\") { return 401; }";
    let Some(nginx) = servers::nginx_before(&casd.url, "grpc", token, "") else { return };
    is_shared(&nginx.url, &[("NNUE_REMOTE_TOKEN", "s3cret\n")]);
    let reads = |url: &str, environment: &[(&'static str, &str)]| {
        let project = environment.iter().fold(client(url, "read"), |project, (name, value)| project.with_env(name, value));
        let (stages, ran) = project.build();
        assert_stages(&stages, "cached", "cached");
        assert_eq!(ran.err, "");
    };
    reads(&nginx.url, &[("NNUE_REMOTE_CACHE_TOKEN", "s3cret"), ("NNUE_REMOTE_TOKEN", "wr0ng")]);
    reads(&nginx.url, &[("NNUE_REMOTE_HEADER", "x-other=1\nauthorization=Bearer s3cret")]);
    let (stages, ran) = client(&nginx.url, "read").with_env("NNUE_REMOTE_TOKEN", "wr0ng").build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "401 Unauthorized");
    assert!(!ran.err.contains("wr0ng"), "{}", ran.err);

    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = servers::certificates(folder.path()) else { return };
    let settings = format!("{settings} ssl_verify_client on; ssl_client_certificate {}/authority.pem;", folder.path().display());
    let nginx = servers::nginx_before(&casd.url, "grpcs", &settings, "").unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (authority, certificate, key) = (path("authority.pem"), path("cert.pem"), path("key.pem"));
    let known = [("NNUE_REMOTE_CA", authority.as_str()), ("NNUE_REMOTE_CERT", &certificate), ("NNUE_REMOTE_CLIENT_KEY", &key)];
    reads(&nginx.url, &known);
    // Without a certificate of ours; by authorities that do not know the server's.
    let (_, ran) = client(&nginx.url, "read").with_env("NNUE_REMOTE_CA", &authority).build();
    assert_warned_once(&ran, "400");
    let (_, ran) = client(&nginx.url, "read").build();
    assert_warned_once(&ran, "certificate");
    // What the environment says is looked at before anything runs.
    for (name, value, said) in [
        ("NNUE_REMOTE_CA", key.as_str(), "there is no certificate in"),
        ("NNUE_REMOTE_CA", "/no/such/file", "NNUE_REMOTE_CA"),
        ("NNUE_REMOTE_CERT", &certificate, "is set without `NNUE_REMOTE_CLIENT_KEY`"),
        ("NNUE_REMOTE_CLIENT_KEY", &key, "is set without `NNUE_REMOTE_CERT`"),
        ("NNUE_REMOTE_TOKEN", "s3c ret", "NNUE_REMOTE_TOKEN"),
        ("NNUE_REMOTE_HEADER", "x-s3cret", "has no `=`"),
        ("NNUE_REMOTE_HEADER", "grpc-timeout=1", "not for users to set"),
    ] {
        let ran = client(&nginx.url, "read").with_env(name, value).nnue(&["build"]).fails(2, &[said]);
        assert!(!ran.err.contains("s3c ret") && !ran.err.contains("x-s3cret"), "{}", ran.err);
    }
}

#[test]
fn ctrl_c_ends_a_look_up() {
    let liar = Liar::start();
    let (asked, is_asked) = std::sync::mpsc::channel();
    liar.answer(move |_| {
        let _ = asked.send(());
        Say::Messages(Vec::new(), End::Silence)
    });
    let project = client(&liar.url, "read");
    let mut child = project.command(&["build"]).env("NNUE_REMOTE_CACHE_TIMEOUT", "86400").spawn().unwrap();
    // From then on it waits for what never comes.
    is_asked.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
