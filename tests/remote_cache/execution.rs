//! Programs on clusters: two real ones, and one that lies. What becomes of the program of `worker.c` there, and what of the connection.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use nnue::internals::cache::remote::execute::{self, Blob, Execute, Failure, Finished, Input, Progress, Request, Settings, Source};
use nnue::internals::ctx::{Backend, Ctx, Silent};

use crate::liar::{Call, End, Liar, Say, all, value};
use crate::servers::{digest, field, number};
use crate::*;

/// The program of `worker.c`, which needs nothing of the file system that it runs in.
fn worker() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) =
            (PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/remote_cache/worker.c"), folder.path().join("worker"));
        assert!(Command::new("cc").args(["-static", "-O1", "-o"]).args([&program, &source]).status().unwrap().success());
        std::fs::read(program).unwrap()
    })
}

fn open(url: &str) -> Box<dyn Execute> {
    open_with(url, &Ctx::silent())
}

fn open_with(url: &str, ctx: &Ctx) -> Box<dyn Execute> {
    let settings = Settings { url: url.to_owned(), cas: None, instance: None, keepalive: None };
    execute::open(&settings, ctx).unwrap()
}

/// What the program does with these words, over `data`.
fn request(words: &[&str], data: &[u8]) -> Request {
    let program = Input { executable: true, ..Input::memory("worker", worker()) };
    Request {
        arguments: std::iter::once("./worker").chain(words.iter().copied()).map(str::to_owned).collect(),
        inputs: vec![program, Input::memory("in/data", data.to_vec()), Input::memory("in/deep/er/empty", Vec::new())],
        outputs: vec!["out/artifact".to_owned(), "out/record".to_owned()],
        timeout: Duration::from_secs(60),
        queue_timeout: Duration::from_secs(60),
        properties: BTreeMap::new(),
        skip_cache: false,
        net: "big".to_owned(),
        stage: "gather".to_owned(),
    }
}

fn run(cluster: &dyn Execute, request: &Request) -> Result<Finished, Failure> {
    cluster.run(request, &mut |_| {})
}

/// Data that no other test has.
fn fresh() -> Vec<u8> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("data {} {}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)).into_bytes()
}

/// What every cluster must do.
fn runs_programs(url: &str) {
    let cluster = open(url);
    let data = fresh();
    let first = request(&["copy"], &data);
    assert_eq!(cluster.cached(&first), Ok(None));
    let mut seen = Vec::new();
    let finished = cluster.run(&first, &mut |progress| seen.push(progress)).unwrap();
    assert!(matches!(seen.first(), Some(Progress::Uploading { .. })), "{seen:?}");
    assert!(!finished.from_cache && finished.uploaded > worker().len() as u64, "{finished:?}");
    assert_eq!(finished.outputs.keys().collect::<Vec<_>>(), ["out/artifact", "out/record"]);
    let blob = finished.outputs["out/artifact"];
    assert_eq!(blob, Blob::of(&data));
    assert_eq!(cluster.fetch(blob, 1000), Ok(data.clone()));
    assert!(matches!(cluster.fetch(blob, 3), Err(Failure::Refused(_))));
    assert_eq!(cluster.missing(&[blob, Blob::of(b"nobody has this")]), Ok(vec![Blob::of(b"nobody has this")]));

    // Another build finds it, and sends nothing.
    let other = open(url);
    let found = run(&*other, &first).unwrap();
    assert!(found.from_cache && found.uploaded == 0 && found.outputs == finished.outputs, "{found:?}");
    assert_eq!(other.cached(&first).unwrap().unwrap().outputs, finished.outputs);
    let again = run(&*other, &Request { skip_cache: true, ..first.clone() }).unwrap();
    assert!(again.outputs == finished.outputs && again.uploaded == 0, "{again:?}");
    // Not every cluster can be told to run it all the same; then it says so.
    assert_eq!(other.totals().from_cache, 2 + u64::from(again.from_cache));

    // The output of one is the input of the next, and does not come here.
    let mut second = request(&["copy", "second"], &data);
    second.inputs[1].source = Source::There;
    let before = cluster.totals();
    let finished = run(&*cluster, &second).unwrap();
    assert_eq!(finished.outputs["out/artifact"], blob);
    assert!(finished.uploaded < 1000, "{finished:?}");
    assert_eq!((cluster.totals().ran, cluster.totals().downloaded), (before.ran + 1, before.downloaded));

    // Files go up as they lie; a large one in pieces.
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<u8> = fresh().into_iter().cycle().take(9 << 20).collect();
    std::fs::write(folder.path().join("large"), &large).unwrap();
    let mut third = request(&["copy"], &large);
    third.inputs[1].source = Source::File(folder.path().join("large"));
    let finished = run(&*cluster, &third).unwrap();
    assert_eq!(finished.outputs["out/record"], Blob::of(&large));
    assert!(cluster.fetch(Blob::of(&large), 9 << 20).unwrap() == large);
    assert!(cluster.totals().up_per_s.is_some() && cluster.totals().down_per_s.is_some());

    fails_as_it_should(url);
}

/// What programs do wrong, and what is gone.
fn fails_as_it_should(url: &str) {
    let cluster = open(url);
    // What failed is run again, although some clusters keep failures.
    let failing = request(&["fail"], &fresh());
    for _ in 0..2 {
        let Err(Failure::Failed { exit_code: 3, stderr, .. }) = run(&*cluster, &failing) else { panic!("it did not fail") };
        assert_eq!(stderr, "this went \\u{1b}[31mwrong");
        assert_eq!(cluster.cached(&failing), Ok(None));
    }
    // An exit code of 0 says nothing of files.
    let forgetful = request(&["forget"], &fresh());
    for _ in 0..2 {
        let failed = run(&*cluster, &forgetful);
        assert!(matches!(&failed, Err(Failure::Failed { exit_code: 0, stderr, .. }) if stderr.contains("what record?")), "{failed:?}");
        assert_eq!(cluster.cached(&forgetful), Ok(None));
    }
    // What nobody here has must be made again.
    let mut lost = request(&["copy"], &fresh());
    lost.inputs[1].source = Source::There;
    assert_eq!(run(&*cluster, &lost), Err(Failure::Evicted(vec![lost.inputs[1].blob])));
    assert_eq!(cluster.fetch(lost.inputs[1].blob, 1000), Err(Failure::Evicted(vec![lost.inputs[1].blob])));
    // A file that changed meanwhile.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), "other").unwrap();
    let mut changed = request(&["copy"], &fresh());
    changed.inputs[1].source = Source::File(folder.path().join("x"));
    assert!(matches!(run(&*cluster, &changed), Err(Failure::Refused(why)) if why.contains("changed")));
    // The cluster's clock, or ours where it has none.
    let mut slow = request(&["sleep", "600"], &fresh());
    slow.timeout = Duration::from_secs(1);
    slow.queue_timeout = Duration::from_secs(1);
    let late = run(&*cluster, &slow);
    assert!(matches!(&late, Err(Failure::Refused(why)) if why.contains("longer than 1 seconds")), "{late:?}");
    // Ctrl-C ends the wait, whatever the cluster makes of it.
    let cancel = Arc::new(AtomicBool::new(false));
    let cluster = open_with(url, &Ctx::new(cancel.clone(), Arc::new(Silent), Backend::Cpu));
    let slow = request(&["sleep", "601"], &fresh());
    let interrupted = std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&*cluster, &slow));
        std::thread::sleep(Duration::from_secs(1));
        cancel.store(true, Ordering::Relaxed);
        waits.join().unwrap()
    });
    assert_eq!(interrupted, Err(Failure::Interrupted));
}

#[test]
fn casd_runs_programs() {
    let Some(casd) = servers::casd() else { return };
    runs_programs(&casd.url);
}

#[test]
fn justbuild_runs_programs() {
    let Some(justbuild) = servers::justbuild() else { return };
    runs_programs(&justbuild.url);
}

#[test]
#[ignore = "nightly: `.ci/nightly-buildgrid`"]
fn buildgrid_runs_programs() {
    runs_programs(&servers::buildgrid());
}

/// Known properties that no worker has wait for one, unknown ones are refused.
#[test]
#[ignore = "nightly: `.ci/nightly-buildgrid`"]
fn buildgrid_schedules_by_properties() {
    let cluster = open(&servers::buildgrid());
    let asks = |name: &str, value: &str| {
        let properties = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        run(&*cluster, &Request { properties, queue_timeout: Duration::from_secs(3), ..request(&["copy"], &fresh()) })
    };
    assert!(asks("OSFamily", "Linux").is_ok());
    let never = asks("OSFamily", "Plan9");
    assert!(matches!(&never, Err(Failure::Refused(why)) if why.contains("no worker took it for 3 seconds")), "{never:?}");
    let unknown = asks("Moon", "full");
    assert!(matches!(&unknown, Err(Failure::Refused(_))), "{unknown:?}");
    let elsewhere = run(&*open(&servers::buildgrid().replace("/main", "/nowhere")), &request(&["copy"], &fresh()));
    assert!(matches!(&elsewhere, Err(Failure::Refused(_) | Failure::Off(_))), "{elsewhere:?}");
}

/// The worker that has it is killed: another one gets it, and nobody notices but who looks. Comes last: one worker is left.
#[test]
#[ignore = "nightly: `.ci/nightly-buildgrid`"]
fn buildgrid_z_gives_the_work_of_a_dead_worker_to_another() {
    let bots = PathBuf::from(std::env::var_os("NNUE_TEST_BUILDGRID_BOTS").unwrap());
    let cluster = open(&servers::buildgrid());
    let data = fresh();
    // The one that has a program has a child.
    let busy = || {
        std::fs::read_dir(&bots).unwrap().map(|entry| entry.unwrap()).find_map(|entry| {
            let id = std::fs::read_to_string(entry.path()).unwrap().trim().to_owned();
            let is_busy = Command::new("pgrep").args(["-P", &id]).output().unwrap().status.success();
            is_busy.then(|| (entry.file_name().into_string().unwrap(), id))
        })
    };
    let mut killed = None;
    let mut seen = Vec::new();
    let finished = cluster.run(&request(&["sleep", "5"], &data), &mut |progress| {
        if matches!(progress, Progress::Running { .. }) && killed.is_none() {
            let (name, id) = (0..200)
                .find_map(|_| {
                    std::thread::sleep(Duration::from_millis(50));
                    busy()
                })
                .unwrap();
            assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
            killed = Some(name);
        }
        seen.push(progress);
    });
    let finished = finished.unwrap();
    assert_eq!(finished.outputs["out/artifact"], Blob::of(&data));
    assert!(killed.is_some() && finished.worker != killed, "{finished:?}");
    assert!(seen.contains(&Progress::QueuedAgain), "{seen:?}");
}

#[test]
fn a_result_whose_files_are_gone_is_made_again() {
    let Some(casd) = servers::casd() else { return };
    let cluster = open(&casd.url);
    let data = fresh();
    let request = request(&["copy"], &data);
    run(&*cluster, &request).unwrap();
    // Input and output are the same bytes: both are gone.
    let hash = common::sha256(&data);
    let mut removed = 0;
    for (name, _) in files(&casd.folder.path().join("store/cas/objects")) {
        if name.replace('/', "") == hash {
            std::fs::remove_file(casd.folder.path().join("store/cas/objects").join(name)).unwrap();
            removed += 1;
        }
    }
    assert_eq!(removed, 1);
    let finished = run(&*cluster, &request).unwrap();
    assert!(finished.uploaded >= data.len() as u64, "{finished:?}");
    assert_eq!(cluster.fetch(finished.outputs["out/artifact"], 1000), Ok(data));
}

#[test]
fn a_program_is_waited_for_again_where_a_proxy_hangs_up() {
    for server in [servers::casd, servers::justbuild] {
        let Some(server) = server() else { return };
        let Some(nginx) = servers::nginx_before(&server.url, "grpc", "", "grpc_read_timeout 1s;") else { return };
        let cluster = open(&nginx.url);
        let data = fresh();
        let mut seen = Vec::new();
        let finished = cluster.run(&request(&["sleep", "4"], &data), &mut |progress| seen.push(progress)).unwrap();
        assert_eq!(finished.outputs["out/artifact"], Blob::of(&data));
        assert!(seen.contains(&Progress::Reconnecting), "{seen:?}");
    }
}

/// Hands bytes on to the server at `url`, and counts the pings of HTTP/2 that go there.
fn counting_pings(url: &str) -> (String, Arc<AtomicU32>) {
    let target = url.strip_prefix("grpc://").unwrap().split('/').next().unwrap().to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, pings) = (url.replace(&target, &listener.local_addr().unwrap().to_string()), Arc::new(AtomicU32::new(0)));
    let counted = pings.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), std::net::TcpStream::connect(&target).unwrap());
            let (mut up, mut down, pings) = (client.try_clone().unwrap(), server.try_clone().unwrap(), counted.clone());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
            std::thread::spawn(move || {
                // The preface, then frames: a length of three bytes, a type, flags, the stream.
                let mut frame = vec![0; 24];
                while up.read_exact(&mut frame).is_ok() && down.write_all(&frame).is_ok() {
                    let mut head = [0; 9];
                    if up.read_exact(&mut head).is_err() {
                        break;
                    }
                    let is_ping = head[3] == 6 && head[4] & 1 == 0;
                    pings.fetch_add(u32::from(is_ping), Ordering::Relaxed);
                    frame = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                    if down.write_all(&head).is_err() {
                        break;
                    }
                }
                let _ = down.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (url, pings)
}

/// Servers that do not like pings hang up; whoever needs them says so.
#[test]
fn pings_go_to_whom_wants_them() {
    for server in [servers::casd, servers::justbuild] {
        let Some(server) = server() else { return };
        for keepalive in [None, Some(Duration::from_secs(1))] {
            let (url, pings) = counting_pings(&server.url);
            let settings = Settings { url, cas: None, instance: None, keepalive };
            let cluster = execute::open(&settings, &Ctx::silent()).unwrap();
            let data = fresh();
            let finished = run(&*cluster, &request(&["sleep", "5"], &data)).unwrap();
            assert_eq!(finished.outputs["out/artifact"], Blob::of(&data));
            assert_eq!(pings.load(Ordering::Relaxed) > 0, keepalive.is_some(), "{}", pings.load(Ordering::Relaxed));
        }
    }
}

#[test]
fn a_cluster_that_dies_is_given_up() {
    let Some(casd) = servers::casd() else { return };
    let cluster = open(&casd.url);
    let slow = request(&["sleep", "600"], &fresh());
    let ended = std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&*cluster, &slow));
        std::thread::sleep(Duration::from_millis(1500));
        drop(casd);
        waits.join().unwrap()
    });
    assert!(matches!(ended, Err(Failure::Off(_))), "{ended:?}");
}

#[test]
fn nobody_and_refusals_turn_it_off() {
    let off = run(&*open("grpc://127.0.0.1:1"), &request(&["copy"], b"x"));
    assert!(matches!(&off, Err(Failure::Off(why)) if why.contains("refused")), "{off:?}");
    let liar = Liar::start();
    liar.answer(|_| Say::Page(401));
    let off = run(&*open(&liar.url), &request(&["copy"], b"x"));
    assert!(matches!(&off, Err(Failure::Off(why)) if why.contains("401")), "{off:?}");
    assert_eq!(liar.calls().len(), 0, "it asked what the server can do, once");
    liar.answer(|call| match call.method.as_str() {
        "GetCapabilities" => Say::Messages(vec![field(1, field(1, [1]))], End::Status(0, "")),
        _ => Say::Honest,
    });
    let off = run(&*open(&liar.url), &request(&["copy"], b"x"));
    assert!(matches!(&off, Err(Failure::Off(why)) if why.contains("runs no programs")), "{off:?}");
    assert!(liar.calls().iter().all(|call| call.method != "Execute"));
    for url in ["grpc://", "http://127.0.0.1:1", "x"] {
        let settings = Settings { url: url.to_owned(), cas: None, instance: None, keepalive: None };
        assert!(execute::open(&settings, &Ctx::silent()).is_err(), "{url}");
    }
    let twice = Settings { url: "grpc://127.0.0.1:1/a".to_owned(), cas: None, instance: Some("b".to_owned()), keepalive: None };
    assert!(execute::open(&twice, &Ctx::silent()).is_err());
}

/// An `Operation` at this stage, or at its end.
fn operation(name: &str, stage: u64, response: Option<Vec<u8>>) -> Vec<u8> {
    let any = |kind: &str, value: Vec<u8>| {
        [field(1, format!("type.googleapis.com/build.bazel.remote.execution.v2.{kind}")), field(2, value)].concat()
    };
    let mut message = [field(1, name), field(2, any("ExecuteOperationMetadata", number(1, stage)))].concat();
    if let Some(response) = response {
        message.extend([number(3, 1), field(5, any("ExecuteResponse", response))].concat());
    }
    message
}

/// An `ExecuteResponse` of a program that left `data`.
fn response(data: &[u8], cached: bool) -> Vec<u8> {
    let file = |path: &str| field(2, [field(1, path), field(2, digest(&common::sha256(data), data.len()))].concat());
    let result = [file("out/artifact"), file("out/record"), field(9, field(1, "worker-3"))].concat();
    [field(1, result), number(2, u64::from(cached))].concat()
}

/// Answers, each made for the data of a request.
type Script = Vec<fn(&[u8]) -> Say>;

/// What Execute and WaitExecution of a liar say, one after the other; the last one again and again.
fn scripted(liar: &Liar, script: Script, data: &[u8]) {
    let (next, data) = (AtomicU32::new(0), data.to_vec());
    liar.answer(move |call| match call.method.as_str() {
        "Execute" | "WaitExecution" => {
            let at = next.fetch_add(1, Ordering::Relaxed) as usize;
            script[at.min(script.len() - 1)](&data)
        }
        _ => Say::Honest,
    });
}

fn methods(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.method.as_str()).filter(|method| method.contains("xec") || method.contains("Cancel")).collect()
}

fn good(data: &[u8]) -> Say {
    Say::Messages(
        vec![operation("op/1", 2, None), operation("op/1", 3, None), operation("op/1", 4, Some(response(data, false)))],
        End::Status(0, ""),
    )
}

#[test]
fn what_is_sent_for_a_program_is_what_the_protocol_asks_for() {
    let liar = Liar::start();
    let data = fresh();
    scripted(&liar, vec![good], &data);
    let cluster = open(&format!("{}/main", liar.url));
    let mut request = request(&["copy"], &data);
    request.properties = BTreeMap::from([("OSFamily".to_owned(), "Linux".to_owned()), ("Arch".to_owned(), "x86-64".to_owned())]);
    let mut seen = Vec::new();
    let finished = cluster.run(&request, &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(finished.worker.as_deref(), Some("worker-3"));
    assert_eq!(seen.last(), Some(&Progress::Running { worker: None }));
    let calls = liar.calls();
    let execute = calls.iter().find(|call| call.method == "Execute").unwrap();
    assert_eq!(all(&execute.messages[0], 1).concat(), b"main");
    assert!(execute.headers.contains_key("build.bazel.remote.execution.v2.requestmetadata-bin"));
    // From the action's digest all the way down to the files.
    let blobs = liar.blobs();
    let named = |digest: &[u8]| blobs[std::str::from_utf8(&all(digest, 1).concat()).unwrap()].clone();
    let action = named(&all(&execute.messages[0], 6).concat());
    assert_eq!(value(&all(&action, 6).concat(), 1), 60);
    let command = named(&all(&action, 1).concat());
    let texts =
        |message: &[u8], number: u64| all(message, number).into_iter().map(|text| String::from_utf8(text).unwrap()).collect::<Vec<_>>();
    assert_eq!(texts(&command, 1), ["./worker", "copy"]);
    for outputs in [3, 7] {
        assert_eq!(texts(&command, outputs), ["out/artifact", "out/record"]);
    }
    let platform = all(&all(&action, 10).concat(), 1);
    assert_eq!(platform.iter().map(|property| texts(property, 1).concat()).collect::<Vec<_>>(), ["Arch", "OSFamily"]);
    assert_eq!(all(&command, 5), all(&action, 10));
    let root = named(&all(&action, 2).concat());
    let program = &all(&root, 1)[0];
    assert_eq!((texts(program, 1).concat().as_str(), value(program, 4)), ("worker", 1));
    assert_eq!(named(&all(program, 2).concat()), worker());
    let inner = named(&all(&all(&root, 2)[0], 2).concat());
    assert_eq!(named(&all(&all(&inner, 1)[0], 2).concat()), data);
}

#[test]
fn breaks_while_it_runs_lose_nothing() {
    let data = fresh();
    let cases: [(&str, Script, &[&str]); 6] = [
        (
            "the stream ends",
            vec![|_| Say::Messages(vec![operation("op/1", 3, None)], End::Status(0, "")), good],
            &["Execute", "WaitExecution"],
        ),
        ("the stream is reset", vec![|_| Say::Messages(vec![operation("op/1", 3, None)], End::Reset), good], &["Execute", "WaitExecution"]),
        (
            "the connection breaks",
            vec![|_| Say::Messages(vec![operation("op/1", 3, None)], End::Broken), good],
            &["Execute", "WaitExecution"],
        ),
        ("before its name is known", vec![|_| Say::Messages(Vec::new(), End::Reset), good], &["Execute", "Execute"]),
        (
            "nobody knows it any more",
            vec![
                |_| Say::Messages(vec![operation("op/1", 3, None)], End::Abrupt),
                |_| Say::Messages(Vec::new(), End::Status(5, "no such operation")),
                good,
            ],
            &["Execute", "WaitExecution", "Execute"],
        ),
        ("the server fails, once", vec![|_| Say::Messages(Vec::new(), End::Status(9, "a blob is missing")), good], &["Execute", "Execute"]),
    ];
    for (what, script, called) in cases {
        let liar = Liar::start();
        scripted(&liar, script, &data);
        let finished = run(&*open(&liar.url), &request(&["copy"], &data));
        assert_eq!(finished.unwrap_or_else(|failure| panic!("{what}: {failure:?}")).outputs["out/record"], Blob::of(&data), "{what}");
        assert_eq!(methods(&liar.calls()), called, "{what}");
    }
}

#[test]
fn what_does_not_help_is_not_tried_for_ever() {
    let data = fresh();
    /// A name, what a server says, and what is said of it.
    type Case = (&'static str, fn(&[u8]) -> Say, &'static str);
    let cases: [Case; 7] = [
        ("it refuses", |_| Say::Messages(Vec::new(), End::Status(3, "no such property")), "no such property"),
        ("it fails", |_| Say::Messages(Vec::new(), End::Status(13, "oops")), "oops"),
        (
            "it says so inside",
            |_| Say::Messages(vec![operation("op/1", 4, Some(field(3, [number(1, 13), field(2, "inner")].concat())))], End::Status(0, "")),
            "inner",
        ),
        ("it says nothing", |_| Say::Messages(vec![[field(1, "op"), number(3, 1)].concat()], End::Status(0, "")), "not how"),
        ("it is nonsense", |_| Say::Messages(vec![operation("op/1", 4, Some(vec![0xff; 9]))], End::Status(0, "")), "not the message"),
        (
            "it keeps what is gone",
            |_| Say::Messages(vec![operation("op/1", 4, Some(response(b"gone", true)))], End::Status(0, "")),
            "does not have",
        ),
        ("it breaks off", |_| Say::Messages(Vec::new(), End::Reset), ""),
    ];
    for (what, say, said) in cases {
        let liar = Liar::start();
        scripted(&liar, vec![say], &data);
        let failed = run(&*open(&liar.url), &request(&["copy"], &data));
        let why = match &failed {
            Err(Failure::Refused(why)) if !said.is_empty() => why,
            Err(Failure::Off(why)) if said.is_empty() => why,
            other => panic!("{what}: {other:?}"),
        };
        assert!(why.contains(said), "{what}: {why}");
        let calls = liar.calls();
        assert!((1..=3).contains(&methods(&calls).len()), "{what}: {:?}", methods(&calls));
    }
}

#[test]
fn one_that_is_never_scheduled_is_given_up_and_cancelled() {
    let liar = Liar::start();
    scripted(&liar, vec![|_| Say::Messages(vec![operation("op/1", 2, None)], End::Silence)], b"");
    let mut waiting = request(&["copy"], &fresh());
    waiting.queue_timeout = Duration::from_secs(1);
    let given_up = run(&*open(&liar.url), &waiting);
    assert!(matches!(&given_up, Err(Failure::Refused(why)) if why.contains("no worker took it for 1 seconds")), "{given_up:?}");
    assert_eq!(methods(&liar.calls()), ["Execute", "CancelOperation"]);
    // A worker that is lost is told of.
    let data = fresh();
    scripted(
        &liar,
        vec![|data| {
            let stages = [2, 3, 2, 3].map(|stage| operation("op/1", stage, None));
            Say::Messages([&stages[..], &[operation("op/1", 4, Some(response(data, false)))]].concat(), End::Status(0, ""))
        }],
        &data,
    );
    let mut seen = Vec::new();
    open(&liar.url).run(&request(&["copy"], &data), &mut |progress| seen.push(progress)).unwrap();
    let told: Vec<Progress> = seen.into_iter().filter(|progress| !matches!(progress, Progress::Uploading { .. })).collect();
    let running = || Progress::Running { worker: None };
    assert_eq!(told, [Progress::Queued, running(), Progress::QueuedAgain, running()]);
}

#[test]
fn a_cached_result_that_is_no_good_is_made_again() {
    let data = fresh();
    let liar = Liar::start();
    scripted(
        &liar,
        vec![
            |_| Say::Messages(vec![operation("op/1", 4, Some([field(1, number(4, 3)), number(2, 1)].concat()))], End::Status(0, "")),
            good,
        ],
        &data,
    );
    let finished = run(&*open(&liar.url), &request(&["copy"], &data)).unwrap();
    assert!(!finished.from_cache);
    let calls = liar.calls();
    let skipped: Vec<u64> = calls.iter().filter(|call| call.method == "Execute").map(|call| value(&call.messages[0], 3)).collect();
    assert_eq!(skipped, [0, 1]);
    let asked: BTreeSet<&str> = calls.iter().map(|call| call.method.as_str()).collect();
    assert!(asked.contains("GetActionResult"), "{asked:?}");
}

#[test]
fn inputs_that_several_need_go_up_once() {
    let liar = Liar::start();
    let large: Vec<u8> = fresh().into_iter().cycle().take(8 << 20).collect();
    scripted(&liar, vec![|_| good(b"")], b"");
    let cluster = open(&liar.url);
    std::thread::scope(|scope| {
        for seed in 0..6 {
            let (cluster, large) = (&cluster, &large);
            scope.spawn(move || run(&**cluster, &request(&["copy", &seed.to_string()], large)).unwrap());
        }
    });
    assert_eq!(liar.calls().iter().filter(|call| call.method == "Write").count(), 1);
    let totals = cluster.totals();
    assert_eq!(totals.ran, 6);
    assert!(totals.uploaded < (9 << 20) + worker().len() as u64, "{totals:?}");
    // What was sent to another instance of this program is not sent again.
    liar.lose_blob(&common::sha256(&large));
    run(&*cluster, &Request { skip_cache: true, ..request(&["copy", "0"], &large) }).unwrap();
    assert_eq!(liar.calls().iter().filter(|call| call.method == "Write").count(), 1, "a lost one is");
}

/// What a program costs beside its own time, on both real clusters: medians of 20, printed.
///
/// `cargo test --release --features remote --test remote_cache -- --ignored --nocapture overhead_of_a_program`
#[test]
#[ignore = "it measures"]
fn overhead_of_a_program() {
    type Start = fn() -> Option<servers::Running>;
    let clusters: [(&str, Start); 2] = [("casd", servers::casd), ("justbuild", servers::justbuild)];
    for (name, start) in clusters {
        let Some(server) = start() else { continue };
        let cluster = open(&server.url);
        run(&*cluster, &request(&["copy"], &fresh())).unwrap();
        let median = |mut ask: Box<dyn FnMut() + '_>| {
            let mut times: Vec<f64> = (0..20)
                .map(|_| {
                    let start = std::time::Instant::now();
                    ask();
                    start.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            times.sort_by(f64::total_cmp);
            (times[9] + times[10]) / 2.0
        };
        let anew = median(Box::new(|| drop(run(&*cluster, &request(&["copy"], &fresh())).unwrap())));
        let data = fresh();
        let known = request(&["copy"], &data);
        run(&*cluster, &known).unwrap();
        // Where a cluster does not let itself be told to run it all the same, this is its kept result.
        let again = median(Box::new(|| drop(run(&*cluster, &Request { skip_cache: true, ..known.clone() }).unwrap())));
        let hit = median(Box::new(|| assert!(run(&*cluster, &known).unwrap().from_cache)));
        let fetched = median(Box::new(|| drop(cluster.fetch(Blob::of(&data), 1000).unwrap())));
        println!(
            "{name}: a program with new inputs {anew:.1} ms, with known ones {again:.1} ms; its kept result {hit:.1} ms; a small output {fetched:.1} ms"
        );
    }
}
