//! Damage and lies: whatever the server says, the result is the right one.

use crate::*;

/// Builds from nothing against a server whose answers for `name` are `value`.
#[track_caller]
fn survives(filled: &Filled, project: &Project, what: &str) -> (BTreeMap<String, String>, Ran) {
    let (stages, ran) = project.build_anew();
    assert_eq!(project.output(), expected(), "{what}: {}", ran.transcript());
    assert!(warnings(&ran).len() <= 1, "{what}: {}", ran.transcript());
    filled.server.requests();
    (stages, ran)
}

#[test]
fn a_changed_bit_is_noticed_wherever_it_is() {
    let filled = filled();
    let good = filled.server.values();
    let project = client(&filled.server.url, "read");
    let mut noticed = 0;
    // Without the search's record the matrix is fetched.
    for (damaged, without) in
        [(&filled.gather, None), (&filled.search, None), (&filled.permutation, None), (&filled.matrix, Some(&filled.search))]
    {
        if let Some(without) = without {
            filled.server.put(without, b"".to_vec());
        }
        let value = &good[damaged];
        for step in 0..16 {
            let bit = (value.len() * 8 - 1) * step / 15;
            let mut bad = value.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            filled.server.put(damaged, bad);
            let what = format!("bit {bit} of {damaged}");
            let (stages, ran) = survives(&filled, &project, &what);
            if warnings(&ran).is_empty() {
                // A few bits of a record are of no meaning, such as those of the worker's name.
                assert!(damaged.starts_with("ac/"), "{what}");
                assert_stages(&stages, "cached", "cached");
            } else {
                assert!(ran.err.contains("cannot be used"), "{what}: {}", ran.err);
                noticed += 1;
            }
        }
        filled.server.put(damaged, value.clone());
    }
    assert!(noticed >= 60, "{noticed}");
}

#[test]
fn wrong_answers_are_misses_with_one_warning() {
    let filled = filled();
    let good = filled.server.values();
    let project = client(&filled.server.url, "read");
    let page = b"<!DOCTYPE html><title>Sign in</title>".to_vec();
    for name in [&filled.gather, &filled.search, &filled.permutation] {
        let value = &good[name];
        let long: Vec<u8> = value.iter().copied().cycle().take(value.len() * 3).collect();
        for bad in [Vec::new(), page.clone(), value[..value.len() / 2].to_vec(), long, vec![0xff; 5 << 20], good[&filled.matrix].clone()] {
            let what = format!("{} bytes for {name}", bad.len());
            filled.server.put(name, bad);
            let (_, ran) = survives(&filled, &project, &what);
            assert_warned_once(&ran, name);
        }
        // Another action's record, whole as it is, and another blob.
        let other = if *name == filled.gather { &filled.search } else { &filled.gather };
        filled.server.put(name, good[other].clone());
        let (_, ran) = survives(&filled, &project, "another value");
        assert_warned_once(&ran, name);
        filled.server.put(name, value.clone());
    }
    let (stages, ran) = survives(&filled, &project, "all is well again");
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
}

#[test]
fn servers_that_refuse_or_fail_are_misses_with_one_warning() {
    let filled = filled();
    let project = client(&filled.server.url, "read-write").with_env("NNUE_REMOTE_CACHE_TIMEOUT", "1");
    const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc";
    const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc";
    type Case = (&'static str, fn() -> Reply);
    let replies: [Case; 14] = [
        ("401", || Reply::Raw(http("401 Unauthorized", b"no"))),
        ("403", || Reply::Raw(http("403 Forbidden", b"no"))),
        ("418", || Reply::Raw(http("418 I'm a teapot", b""))),
        ("204", || Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ("500", || Reply::Raw(http("500 Internal Server Error", b"oops"))),
        ("503", || Reply::Raw(http("503 Service Unavailable", b""))),
        ("a redirect to nowhere", || Reply::Raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec())),
        ("a redirect to itself", || Reply::Raw(b"HTTP/1.1 302 Found\r\nLocation: x\r\nContent-Length: 0\r\n\r\n".to_vec())),
        ("nothing", || Reply::Raw(Vec::new())),
        ("no HTTP", || Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
        ("an end in the middle", || Reply::Raw(SHORT.to_vec())),
        ("silence", || Reply::Silence(Vec::new())),
        ("silence in the middle", || Reply::Silence(ENDLESS.to_vec())),
        ("a byte now and then", || Reply::Drip(SHORT.to_vec())),
    ];
    for (what, reply) in replies {
        filled.server.answer(move |_, _| reply());
        let (stages, ran) = project.build_anew();
        assert_stages(&stages, "ran", "ran");
        assert_eq!(project.output(), expected(), "{what}");
        // Uploads that are refused may be worth a second one, of their own.
        let (reading, writing): (Vec<&str>, Vec<&str>) = warnings(&ran).into_iter().partition(|warning| !warning.contains("not uploaded"));
        assert_eq!(reading.len(), 1, "{what}: {}", ran.transcript());
        assert!(writing.len() <= 1, "{what}: {}", ran.transcript());
        println!("{what}: {}", reading[0]);
    }
    for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"] {
        filled.server.reset_after(bytes);
        let (stages, ran) = project.build_anew();
        assert_stages(&stages, "ran", "ran");
        assert_warned_once(&ran, "disabling the remote cache");
        assert_eq!(project.output(), expected());
    }
}

#[test]
fn a_broken_remote_is_asked_no_more() {
    let server = Server::start();
    server.answer(|_, _| Reply::Raw(http("500 Internal Server Error", b"")));
    let project = client(&server.url, "read-write");
    let (_, ran) = project.build();
    assert_warned_once(&ran, "500");
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "the second is a second try: {requests:?}");

    let nobody = client("http://127.0.0.1:1/cache", "read-write");
    let (stages, ran) = nobody.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "http://127.0.0.1:1/cache");
    assert_eq!(nobody.output(), expected());
}

/// Records and blobs that fit together and are not what the stage gives: size and shape are still looked at.
#[test]
fn a_whole_result_of_the_wrong_shape_is_a_miss() {
    // Another net has a matrix and a permutation of 256 neurons; its honest results are put under this one's names.
    let filled = filled();
    let server = Server::start();
    let other = client(&server.url, "read-write");
    write_net(&other.path.join("run.nnue"), "small", 128, 5);
    other.build();
    let project = client(&filled.server.url, "read");
    let wide: Vec<(String, Vec<u8>)> = server.values().into_iter().filter(|(name, _)| name.starts_with("cas/")).collect();
    for (name, value) in &wide {
        filled.server.put(name, value.clone());
    }
    for name in [&filled.gather, &filled.search] {
        let stage = if *name == filled.gather { "gather" } else { "search" };
        let good = filled.server.values()[name].clone();
        let honest = entry(&good);
        for (blob_name, blob) in &wide {
            filled.server.put(name, forged(&honest.record, blob_name.strip_prefix("cas/").unwrap(), blob));
            let (stages, ran) = survives(&filled, &project, stage);
            if stage == "gather" {
                // The search over the forged matrix has another key: both have to be looked at, and the forged one is found out.
                assert_stages(&stages, "ran", "cached");
            } else {
                assert_stages(&stages, "cached", "ran");
            }
            assert_warned_once(&ran, "cannot be used");
        }
        filled.server.put(name, good);
    }
}

#[test]
fn with_a_secret_only_results_of_those_who_know_it_are_taken() {
    let server = Server::start();
    let project = |secret: &str| client(&server.url, "read").with_env("NNUE_REMOTE_CACHE_KEY", secret);
    let mut writer = project("open sesame");
    let manifest = std::fs::read_to_string(writer.path.join("nnue.toml")).unwrap().replace("\"read\"", "\"read-write\"");
    std::fs::write(writer.path.join("nnue.toml"), &manifest).unwrap();
    writer.build();
    let (stages, ran) = project("open sesame").build();
    assert_stages(&stages, "cached", "cached");
    assert_eq!(ran.err, "");
    let (stages, ran) = project("another").build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "not sealed with the secret in `NNUE_REMOTE_CACHE_KEY`");
    assert!(!ran.err.contains("another") && !ran.err.contains("sesame"));
    let (stages, _) = client(&server.url, "read").build();
    assert_stages(&stages, "cached", "cached");
    assert!(server.values().values().all(|value| !value.windows(6).any(|part| part == b"sesame")));

    // What somebody without the secret uploaded is not taken by those who have it.
    server.clear();
    writer.environment.clear();
    writer.build_anew();
    let (stages, ran) = project("open sesame").build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "not sealed");
}
