//! Uploads: what is tried again, what is given up.

use crate::*;

#[test]
fn uploads_are_tried_again_and_given_up() {
    let server = Server::start();
    let failures = std::sync::atomic::AtomicU32::new(0);
    server.answer(move |request, _| {
        let fails = request.method == "PUT" && failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
        if fails { Reply::Raw(http("503 Service Unavailable", b"")) } else { Reply::Honest }
    });
    let (_, ran) = client(&server.url, "read-write").build();
    assert_eq!(ran.err, "", "the third try went well");
    assert_eq!(server.values().len(), 4);
    let puts: Vec<String> =
        server.requests().iter().filter(|request| request.method == "PUT").map(|request| request.path.clone()).collect();
    assert!(puts[0].contains("/cas/") && puts.last().unwrap().contains("/ac/"), "blobs first: {puts:?}");

    for status in ["403 Forbidden", "413 Payload Too Large", "500 Internal Server Error"] {
        let server = Server::start();
        server.answer(move |request, _| if request.method == "PUT" { Reply::Raw(http(status, b"")) } else { Reply::Honest });
        let project = client(&server.url, "read-write");
        let (_, ran) = project.build();
        assert_warned_once(&ran, status);
        assert!(ran.err.contains("not uploaded to the remote cache"), "{}", ran.err);
        assert_eq!(project.output(), expected());
        let puts = server.requests().iter().filter(|request| request.method == "PUT").count();
        assert_eq!(puts, if status.starts_with('5') { 3 } else { 2 }, "{status}");
        assert!(server.values().is_empty());
    }
}

#[test]
fn a_damaged_value_is_replaced_by_who_may_write() {
    let filled = filled();
    let good = filled.server.values();
    for (damaged, without) in [(&filled.gather, None), (&filled.permutation, None), (&filled.matrix, Some(&filled.search))] {
        let mut bad = good[damaged].clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        filled.server.put(damaged, bad);
        if let Some(without) = without {
            filled.server.put(without, Vec::new());
        }
        let (_, ran) = client(&filled.server.url, "read-write").build();
        assert_eq!(warnings(&ran).len(), 1, "{}", ran.err);
        let (stages, ran) = client(&filled.server.url, "read").build();
        assert_stages(&stages, "cached", "cached");
        assert_eq!(ran.err, "", "{damaged}");
    }
}
