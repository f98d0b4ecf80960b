//! Real servers: nginx with and without TLS, and an S3 server.

use crate::*;

/// The same for every kind of server: one machine fills it, others take from it.
pub fn is_shared(url: &str, environment: &[(&'static str, &str)]) {
    let project = |mode: &str| {
        let project = client(url, mode);
        environment.iter().fold(project, |project, (name, value)| project.with_env(name, value))
    };
    let first = project("read-write");
    let (stages, ran) = first.build();
    assert_stages(&stages, "ran", "ran");
    assert_eq!(ran.err, "");
    assert_eq!(first.output(), expected());

    // The same machine without its local cache, then another one.
    let other = project("read");
    for project in [&first, &other] {
        let (stages, ran) = project.build_anew();
        assert_stages(&stages, "cached", "cached");
        assert_eq!(ran.err, "");
        assert_eq!(project.output(), expected());
        let (stages, _) = project.build();
        assert_stages(&stages, "fresh", "fresh");
    }

    // The matrix was not fetched; another search needs it.
    let ran =
        other.nnue(&["build", "-v", "--json", "--set", "net.big.optimize.algorithm=anneal", "--set", "net.big.optimize.moves=1000"]).ok();
    assert_stages(&statuses(&ran.json()), "fresh", "ran");
    assert!(ran.err.contains("remote cache: gather taken"), "{}", ran.err);
    assert!(warnings(&ran).is_empty(), "{}", ran.err);
}

#[test]
fn nginx_with_webdav_serves_it() {
    let Some(nginx) = servers::nginx() else { return };
    is_shared(&nginx.url, &[]);
    let values = files(&nginx.folder.path().join("data/some/cache"));
    assert_eq!(values.keys().filter(|name| name.starts_with("ac/")).count(), 2, "{:?}", values.keys());
    for (name, value) in &values {
        if let Some(hash) = name.strip_prefix("cas/") {
            assert_eq!(common::sha256(value), hash, "a blob is named by its SHA-256");
            continue;
        }
        let entry = entry(value);
        let blob = &values[&format!("cas/{}", entry.hash)];
        assert_eq!((entry.path.as_str(), entry.size), ("artifact", blob.len() as u64));
        // The preimage stands in the record in its canonical form, and its hash is the name.
        let canonical = serde_json::to_string(&entry.record["preimage"]).unwrap();
        assert_eq!(name.strip_prefix("ac/").unwrap(), common::sha256(canonical.as_bytes()));
        assert_eq!(entry.record["result"]["bytes"], blob.len());
    }
    // Nobody uploads in mode "read".
    let reader = client(&nginx.url, "read");
    reader.nnue(&["build", "--set", "net.big.optimize.positions=120"]).ok();
    assert_eq!(files(&nginx.folder.path().join("data/some/cache")).len(), values.len());
    // What is there is not uploaded again.
    let log = || std::fs::read_to_string(nginx.folder.path().join("access.log")).unwrap();
    let before = log().matches("\"PUT /some/cache/cas/").count();
    let forced = client(&nginx.url, "read-write");
    let ran = forced.nnue(&["build", "--force", "-v"]).ok();
    assert!(ran.err.contains("nothing taken (0 bytes), 0 missed, 2 uploaded"), "{}", ran.err);
    assert_eq!(log().matches("\"PUT /some/cache/cas/").count(), before);
    assert!(log().contains("\"HEAD /some/cache/cas/"));
}

#[test]
fn https_is_spoken_with_servers_that_can_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let Some(nginx) = servers::nginx_with_tls(folder.path()) else { return };
    let authority = folder.path().join("authority.pem").to_str().unwrap().to_owned();
    is_shared(&nginx.url, &[("SSL_CERT_FILE", &authority)]);

    // Nobody that the program knows by itself has signed the certificate.
    let stranger = client(&nginx.url, "read");
    let (stages, ran) = stranger.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "certificate");
    assert_eq!(stranger.output(), expected());

    let here = folder.path().join("key.pem").to_str().unwrap().to_owned();
    client(&nginx.url, "read").with_env("SSL_CERT_FILE", &here).nnue(&["build"]).fails(2, &["there is no certificate in", "SSL_CERT_FILE"]);
}

/// A record in a local cache whose blob has these bytes.
pub fn stored(bytes: &[u8], folder: &Path) -> (Arc<Cache>, ActionRecord) {
    let ctx = nnue::internals::ctx::Ctx::silent();
    let cache = Arc::new(Cache::open(folder, OpenOptions::default(), &ctx).unwrap());
    let stored = cache.put_bytes(bytes);
    let preimage = Preimage::of(&serde_json::json!({"stage": "gather", "size": bytes.len()})).unwrap();
    let result = ActionResult {
        said: Said::Known(Outcome::Gather(Sampled::default())),
        output_digest: stored.digest,
        stored: true,
        bytes: stored.bytes,
        duration_s: 0.5,
        elsewhere: false,
        created_by: "test".to_owned(),
    };
    (cache, ActionRecord { preimage, result })
}

/// Blobs of all sizes around the pieces in which they go over the network.
pub fn moves_blobs(url: &str) {
    for size in [0, 1, (8 << 20) - 1, 8 << 20, (20 << 20) + 123] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let ctx = nnue::internals::ctx::Ctx::silent();
        let (cache, record) = stored(&bytes, folder.path());
        let open = || Remote::open(url, RemoteOptions { reads: true, writes: true }, &cache, &ctx).unwrap();
        let writer = open();
        writer.upload(&record);
        writer.finish().unwrap();
        assert_eq!(writer.traffic_so_far().uploaded, 1);
        let reader = open();
        let found = reader.find(&record.preimage, Stage::Gather).unwrap();
        assert_eq!(found.record, record);
        assert!(reader.fetch(&found, u64::from(size)).unwrap() == bytes, "{size}");
        assert!(size == 0 || reader.fetch(&found, u64::from(size) - 1).is_none(), "{size}");
        assert!(reader.find(&record.preimage, Stage::Search).is_none());
    }
}

#[test]
fn nginx_moves_blobs_of_all_sizes() {
    let Some(nginx) = servers::nginx() else { return };
    moves_blobs(&nginx.url);
}

/// The library takes credentials from the environment, so this is a process of its own: the test below starts it.
#[cfg(feature = "cloud")]
#[test]
#[ignore = "started by another test"]
fn s3_child() {
    moves_blobs(&std::env::var("NNUE_TEST_URL").unwrap());
}

#[cfg(feature = "cloud")]
#[test]
fn s3_serves_it() {
    let Some(moto) = servers::moto() else { return };
    let environment = [
        ("AWS_ENDPOINT_URL", moto.url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    is_shared("s3://bucket/some/cache", &environment);
    is_shared("s3://bucket", &environment);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "real_servers::s3_child", "--ignored"]).envs(environment).env("NNUE_TEST_URL", "s3://bucket/blobs");
    assert!(child.status().unwrap().success());

    let missing =
        environment.iter().fold(client("s3://no-such-bucket/x", "read-write"), |project, (name, value)| project.with_env(name, value));
    let (stages, ran) = missing.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "s3://no-such-bucket/x");
    assert_eq!(missing.output(), expected());

    let mut gone = environment;
    gone[0].1 = "http://127.0.0.1:1";
    let gone = gone.iter().fold(client("s3://bucket", "read-write"), |project, (name, value)| project.with_env(name, value));
    let (stages, ran) = gone.build();
    assert_stages(&stages, "ran", "ran");
    assert_warned_once(&ran, "disabling the remote cache");
    assert_eq!(gone.output(), expected());
}

#[cfg(not(feature = "remote"))]
#[test]
fn grpc_needs_the_feature_and_only_for_a_build() {
    let project = client("grpcs://cache.example.org/main", "read");
    for args in [&["status"][..], &["graph"], &["explain", "big"], &["build", "--dry-run"]] {
        project.nnue(args).ok();
    }
    let ran =
        project.nnue(&["build"]).fails(2, &["grpcs://cache.example.org/main", "cargo feature `remote`", "--features remote", "nnue.toml"]);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[cfg(not(feature = "cloud"))]
#[test]
fn a_bucket_needs_the_feature_and_only_for_a_build() {
    let project = client("s3://bucket/some/cache", "read");
    for args in [&["status"][..], &["graph"], &["explain", "big"], &["build", "--dry-run"]] {
        project.nnue(args).ok();
    }
    let ran = project.nnue(&["build"]).fails(2, &["s3://bucket/some/cache", "cargo feature `cloud`", "--features cloud", "nnue.toml"]);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}
