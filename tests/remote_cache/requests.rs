//! What is asked for, and when.

use crate::*;

#[test]
fn only_a_build_that_runs_something_asks() {
    let Filled { server, .. } = filled();
    let project = client(&server.url, "read-write");
    for args in [&["status"][..], &["explain", "big"], &["graph"], &["build", "--dry-run"], &["cache", "stats"]] {
        project.nnue(args).ok();
    }
    assert!(server.requests().is_empty());
    project.build();
    assert!(!server.requests().is_empty());
    for args in [&["build"][..], &["build", "--locked"], &["build", "--frozen"], &["verify"], &["verify", "--rebuild"], &["status"]] {
        project.nnue(args).ok();
        assert!(server.requests().is_empty(), "{args:?}");
    }
}

#[test]
fn a_matrix_that_nobody_needs_stays_where_it_is() {
    let Filled { server, gather, search, matrix, permutation } = filled();
    let asked = |server: &Server| {
        let requests = server.requests();
        requests.iter().map(|request| format!("{} {}", request.method, request.path.strip_prefix("/cache/").unwrap())).collect::<Vec<_>>()
    };
    let project = client(&server.url, "read");
    let (stages, _) = project.build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(asked(&server), [format!("GET {gather}"), format!("GET {search}"), format!("GET {permutation}")]);

    // A search that the remote does not have needs it: from there, and if it is gone from the data.
    let anneal = ["build", "--json", "--set", "net.big.optimize.algorithm=anneal", "--set", "net.big.optimize.moves=1000"];
    let ran = project.nnue(&anneal).ok();
    assert_stages(&statuses(&ran.json()), "fresh", "ran");
    assert_eq!(ran.err, "");
    assert!(asked(&server).contains(&format!("GET {matrix}")));
    let annealed = project.output();

    let other = client(&server.url, "read");
    other.build();
    server.clear();
    let ran = other.nnue(&anneal).ok();
    assert_stages(&statuses(&ran.json()), "ran", "ran");
    assert_eq!(ran.json()["nets"][0]["stages"][1]["reason"]["kind"], "blob_missing");
    assert_eq!(ran.err, "");
    assert_eq!(other.output(), annealed);
    let (stages, _) = other.build();
    assert_stages(&stages, "fresh", "cached");
}

/// A record of gather that belongs to nothing: the search over what it promises fits, and only a later one finds out.
#[test]
fn a_lie_that_shows_later_fails_no_build() {
    let Filled { server, gather, search, permutation, .. } = filled();
    let values = server.values();
    let lie = entry(&values[&gather]).record;
    let blob = b"never seen".to_vec();
    server.put(&gather, forged(&lie, &common::sha256(&blob), &blob));
    let mut preimage = entry(&values[&search]).record;
    preimage["preimage"]["inputs"]["matrix"] = blake3::hash(&blob).to_hex().to_string().into();
    let canonical = serde_json::to_string(&preimage["preimage"]).unwrap();
    let name = permutation.strip_prefix("cas/").unwrap();
    server.put(&format!("ac/{}", common::sha256(canonical.as_bytes())), forged(&preimage, name, &values[&permutation]));
    let project = client(&server.url, "read");
    let (stages, ran) = project.build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");

    let anneal = ["build", "--json", "--set", "net.big.optimize.algorithm=anneal", "--set", "net.big.optimize.moves=1000"];
    let ran = project.nnue(&anneal).ok();
    assert_stages(&statuses(&ran.json()), "ran", "ran");
    assert_warned_once(&ran, "cannot be used");
    let honest = client_with("");
    honest.nnue(&anneal).ok();
    assert_eq!(project.output(), honest.output());
}

#[test]
fn without_its_search_a_matrix_is_fetched() {
    let Filled { server, search, .. } = filled();
    server.answer(move |request, _| if request.path.ends_with(&search) { Reply::Raw(http("404 Not Found", b"")) } else { Reply::Honest });
    let project = client(&server.url, "read");
    let (stages, ran) = project.build();
    assert_stages(&stages, "cached", "ran");
    assert_eq!(ran.err, "", "what is not there is not worth a warning");
    assert_eq!(project.output(), expected());
}

#[test]
fn force_takes_nothing_and_frozen_writes_nothing() {
    let Filled { server, .. } = filled();
    let project = client(&server.url, "read-write");
    let ran = project.nnue(&["build", "--force", "--json"]).ok();
    assert_stages(&statuses(&ran.json()), "ran", "ran");
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.method != "GET") && requests.iter().any(|request| request.method == "PUT"));

    let clone = client(&server.url, "read-write");
    std::fs::copy(project.path.join("nnue.lock"), clone.path.join("nnue.lock")).unwrap();
    let ran = clone.nnue(&["build", "--frozen", "--json"]).ok();
    assert_stages(&statuses(&ran.json()), "cached", "cached");
    assert!(server.requests().iter().all(|request| request.method == "GET"));
    assert!(!clone.path.join(".nnue").exists());
    assert_eq!(clone.output(), expected());
}

#[test]
fn the_address_can_be_given_on_the_command_line() {
    let Filled { server, .. } = filled();
    let project = client_with("");
    let ran = project.nnue(&["build", "--json", "--set", &format!("cache.remote.url={}/", server.url)]).ok();
    assert_stages(&statuses(&ran.json()), "cached", "cached");
    assert!(server.requests().iter().all(|request| !request.path.contains("//")));
}
