//! Ctrl-C ends whatever the program waits for.

use crate::*;

/// Starts a build in the background.
fn spawn(project: &Project) -> std::process::Child {
    let mut command = project.command(&["build"]);
    // Far longer than anybody waits for a test: only Ctrl-C ends it.
    command.env("NNUE_REMOTE_CACHE_TIMEOUT", "86400");
    command.spawn().unwrap()
}

fn interrupt(child: &std::process::Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

fn wait_for(server: &Server, method: &str) {
    let mut seen = Vec::new();
    while !seen.iter().any(|request: &servers::Request| request.method == method) {
        std::thread::sleep(std::time::Duration::from_millis(10));
        seen.extend(server.requests());
    }
}

#[test]
fn ctrl_c_ends_a_look_up() {
    let server = Server::start();
    server.answer(|_, _| Reply::Silence(Vec::new()));
    let project = client(&server.url, "read");
    let mut child = spawn(&project);
    wait_for(&server, "GET");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn results_are_published_and_reported_before_uploads_are_waited_for() {
    let server = Server::start();
    server.answer(|request, _| if request.method == "PUT" { Reply::Silence(Vec::new()) } else { Reply::Honest });
    let project = client(&server.url, "read-write");
    let mut child = spawn(&project);
    wait_for(&server, "PUT");
    let (mut out, mut text) = (child.stdout.take().unwrap(), Vec::new());
    while !String::from_utf8_lossy(&text).contains("big.nnue") {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    assert_eq!(project.output(), expected());
    // A net is told of as soon as it is finished, and locked at the end of the build.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !project.path.join("nnue.lock").exists() {
        assert!(std::time::Instant::now() < end, "the net was not locked");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    interrupt(&child);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(err.contains("not uploaded") && err.contains("the build itself is done"), "{err}");
    assert!(Path::new(&project.path).join(".nnue/cache").is_dir());
}
