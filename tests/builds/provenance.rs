//! Provenance files and the check of `publish = "fishtest"`, as a user meets them: the real binary on small projects.
//!
//! `statement` below is a validator written from the specifications, not from this program: in-toto Statement v1 with its field types
//! (ResourceDescriptor, DigestSet, ResourceURI, TypeURI) and the predicate SLSA Provenance v1.

use crate::cli_support;
use crate::common;
use std::path::Path;

use crate::cli_support::{Ran, names, nnue, write_net};
use crate::project::Project;
use serde_json::{Value, json};

const MANIFEST: &str = r#"version = 1

[source.run]
path = "the run #1/größe.nnue"
quantization = "ft127"

[data.fens]
path = ["a.fen", "b.fen"]

[net.big]
source = "run"
description = "first"
outputs = ["dist/", "latest.nnue"]
provenance = true
license = "CC0-1.0"

[net.big.optimize]
data = "fens"
positions = 100
filters = { simple_eval_skipping = 0 }

[net.plain]
source = "run"
compression = "none"
outputs = ["plain.nnue", "plain.pt"]
"#;

/// A net that is published, and nothing else.
const PUBLISHED: &str = r#"version = 1
[net.big]
source = "the run #1/größe.nnue"
outputs = ["dist/"]
publish = "fishtest"
license = "CC0-1.0"
"#;

fn project() -> Project {
    project_with(MANIFEST)
}

fn project_with(manifest: &str) -> Project {
    let project = Project::empty().with_net("the run #1/größe.nnue", 64, 5).with_fens("a.fen", 9, 200).with_fens("b.fen", 10, 100);
    project.with_manifest(manifest)
}

/// What tests here ask of a project.
trait Published {
    /// The report of a net, by `build` or `status`.
    fn report(&self, args: &[&str], net: &str) -> Value;

    /// Status of the net, and of its last stage with the kind and name of the reason.
    fn last_stage(&self, args: &[&str], net: &str) -> (String, String, String, String) {
        let report = self.report(args, net);
        let stage = report["stages"].as_array().unwrap().last().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&report["status"]), text(&stage["status"]), text(&stage["reason"]["kind"]), text(&stage["reason"]["name"]))
    }

    fn statement(&self, name: &str) -> Value;
}

impl Published for Project {
    fn report(&self, args: &[&str], net: &str) -> Value {
        crate::project::net(&self.json(args), net).clone()
    }

    fn statement(&self, name: &str) -> Value {
        common::json(&self.at(name))
    }
}

const LATEST: &str = "latest.nnue.provenance.json";

// ── The specifications ───────────────────────────────────────────────────────────────────────────────────────────────

type Checked<T = ()> = Result<T, String>;

/// The members of an object: all `required` ones, no others than those and the `optional` ones, none null.
fn members<'v>(value: &'v Value, place: &str, required: &[&str], optional: &[&str]) -> Checked<&'v serde_json::Map<String, Value>> {
    let object = value.as_object().ok_or_else(|| format!("{place} is no object"))?;
    if let Some(name) = required.iter().find(|name| !object.contains_key(**name)) {
        return Err(format!("{place} has no `{name}`"));
    }
    match object.iter().find(|(name, value)| value.is_null() || ![required, optional].concat().contains(&name.as_str())) {
        Some((name, _)) => Err(format!("{place} has `{name}`")),
        None => Ok(object),
    }
}

fn string<'v>(value: &'v Value, place: &str) -> Checked<&'v str> {
    value.as_str().ok_or_else(|| format!("{place} is no string"))
}

/// RFC 3986 with a scheme; scheme and authority in lower case, as in-toto asks for.
fn uri(value: &Value, place: &str) -> Checked {
    let text = string(value, place)?;
    let wrong = |why: &str| Err(format!("{place}: {why} in `{text}`"));
    let Some((scheme, rest)) = text.split_once(':') else { return wrong("no scheme") };
    let mut letters = scheme.bytes();
    if !letters.next().is_some_and(|c| c.is_ascii_lowercase())
        || !letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+-.".contains(&c))
    {
        return wrong("a bad scheme");
    }
    if let Some(authority) = rest.strip_prefix("//")
        && authority.split('/').next().unwrap_or_default().bytes().any(|c| c.is_ascii_uppercase())
    {
        return wrong("an authority in capitals");
    }
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        let is_encoded = byte == b'%' && [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|c| c.is_ascii_hexdigit()));
        if !(is_encoded || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?#".contains(&byte)) {
            return wrong("a character that must be encoded");
        }
    }
    if rest.is_empty() { wrong("nothing behind the scheme") } else { Ok(()) }
}

/// Lower-case hexadecimal digits, as many as the algorithm gives.
fn digest_set(value: &Value, place: &str) -> Checked {
    let object = value.as_object().filter(|object| !object.is_empty()).ok_or_else(|| format!("{place} is no set of digests"))?;
    for (algorithm, digest) in object {
        let digits = match algorithm.as_str() {
            "sha256" | "blake3" => 64,
            other => return Err(format!("{place} has the algorithm `{other}`")),
        };
        let digest = string(digest, place)?;
        if digest.len() != digits || !digest.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("{place}.{algorithm} is `{digest}`"));
        }
    }
    Ok(())
}

fn resource_descriptor(value: &Value, place: &str) -> Checked {
    let all = ["name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"];
    let object = members(value, place, &[], &all)?;
    if !["uri", "digest", "content"].iter().any(|name| object.contains_key(*name)) {
        return Err(format!("{place} describes nothing"));
    }
    for (name, value) in object {
        let place = format!("{place}.{name}");
        match name.as_str() {
            "uri" | "downloadLocation" => uri(value, &place)?,
            "digest" => digest_set(value, &place)?,
            "annotations" => drop(value.as_object().ok_or_else(|| format!("{place} is no object"))?),
            _ => drop(string(value, &place)?),
        }
    }
    Ok(())
}

fn resource_descriptors<'v>(value: &'v Value, place: &str) -> Checked<&'v [Value]> {
    let list = value.as_array().ok_or_else(|| format!("{place} is no list"))?;
    for (index, each) in list.iter().enumerate() {
        resource_descriptor(each, &format!("{place}[{index}]"))?;
    }
    Ok(list)
}

/// The whole: Statement v1, predicate Provenance v1.
fn statement(statement: &Value) -> Checked {
    let object = members(statement, "statement", &["_type", "subject", "predicateType", "predicate"], &[])?;
    for (name, expected) in [("_type", "https://in-toto.io/Statement/v1"), ("predicateType", "https://slsa.dev/provenance/v1")] {
        uri(&object[name], name)?;
        if object[name] != expected {
            return Err(format!("{name} is {}", object[name]));
        }
    }
    let subjects = resource_descriptors(&object["subject"], "subject")?;
    if subjects.is_empty() || subjects.iter().any(|subject| subject.get("digest").is_none()) {
        return Err("a subject without a digest".into());
    }
    let predicate = members(&object["predicate"], "predicate", &["buildDefinition", "runDetails"], &[])?;
    let optional = ["internalParameters", "resolvedDependencies"];
    let definition = members(&predicate["buildDefinition"], "buildDefinition", &["buildType", "externalParameters"], &optional)?;
    uri(&definition["buildType"], "buildType")?;
    let external = definition["externalParameters"].as_object().ok_or("externalParameters is no object")?;
    if let Some(internal) = definition.get("internalParameters") {
        let internal = internal.as_object().ok_or("internalParameters is no object")?;
        if let Some(name) = internal.keys().find(|name| external.contains_key(*name)) {
            return Err(format!("`{name}` is an external and an internal parameter"));
        }
    }
    if let Some(dependencies) = definition.get("resolvedDependencies") {
        resource_descriptors(dependencies, "resolvedDependencies")?;
    }
    let details = members(&predicate["runDetails"], "runDetails", &["builder"], &["metadata", "byproducts"])?;
    let builder = members(&details["builder"], "builder", &["id"], &["builderDependencies", "version"])?;
    uri(&builder["id"], "builder.id")?;
    if let Some(versions) = builder.get("version") {
        for (name, version) in versions.as_object().ok_or("builder.version is no object")? {
            string(version, &format!("builder.version.{name}"))?;
        }
    }
    if let Some(metadata) = details.get("metadata") {
        members(metadata, "metadata", &[], &["invocationId", "startedOn", "finishedOn"])?;
    }
    if let Some(byproducts) = details.get("byproducts") {
        resource_descriptors(byproducts, "byproducts")?;
    }
    Ok(())
}

/// The validator finds what is wrong: one fault at a time in a good statement.
#[test]
fn the_validator_refuses_what_the_specifications_do_not_allow() {
    let project = project();
    project.nnue(&["build", "big"]).ok();
    let good = project.statement(LATEST);
    statement(&good).unwrap();
    let definition = "/predicate/buildDefinition";
    let faults = [
        ("/_type", json!("https://in-toto.io/Statement/v0.1")),
        ("/subject", json!([])),
        ("/subject/0/digest", json!({})),
        ("/subject/0/digest/sha256", json!("ABC")),
        ("/subject/0/name", json!(1)),
        ("/predicateType", json!("https://slsa.dev/provenance/v0.2")),
        ("/predicate", json!({})),
        ("/predicate/runDetails/builder", json!({"version": {}})),
        ("/predicate/runDetails/builder/id", json!("nnue")),
        ("/predicate/runDetails/builder/version/nnue", json!(1)),
        ("/predicate/runDetails/byproducts/0", json!({"name": "load"})),
        ("/predicate/runDetails/byproducts/0/digest/blake3", json!("0".repeat(63))),
        ("/predicate/buildDefinition/buildType", json!("an own type")),
        ("/predicate/buildDefinition/externalParameters", json!([])),
        ("/predicate/buildDefinition/internalParameters", json!({"net": "big"})),
        ("/predicate/buildDefinition/resolvedDependencies/1/uri", json!("file:the run #1/größe.nnue")),
        ("/predicate/buildDefinition/resolvedDependencies/1/uri", json!("file:%4x")),
        ("/predicate/buildDefinition/resolvedDependencies/1/uri", json!("the-run.nnue")),
        ("/predicate/buildDefinition/resolvedDependencies/1/annotations", json!("source")),
    ];
    for (pointer, value) in faults {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value.clone();
        assert!(statement(&bad).is_err(), "{pointer} = {value}");
    }
    for pointer in ["", "/predicate", definition, "/predicate/runDetails", "/predicate/runDetails/builder", "/subject/0"] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert("more".into(), json!("x"));
        assert!(statement(&bad).is_err(), "an unknown member in `{pointer}`");
    }
}

// ── What is in it ────────────────────────────────────────────────────────────────────────────────────────────────────

/// Nobody typed these names, so that a link in their place is nobody's wish: it goes, and what it leads to stays.
#[test]
fn links_in_the_places_of_generated_names_are_replaced_and_not_followed() {
    let project = project();
    project.nnue(&["build", "big"]).ok();
    let name = format!("nn-{}.nnue", &project.sha256("latest.nnue")[..12]);
    let generated = [format!("dist/{name}"), format!("dist/{name}.provenance.json"), LATEST.to_owned()];
    let good = generated.clone().map(|name| project.bytes(&name));
    let victim = project.path.parent().unwrap().join("victim");
    std::fs::write(&victim, "somebody's").unwrap();
    for path in &generated[..2] {
        let path = project.path.join(path);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
    }
    std::fs::remove_file(project.path.join(LATEST)).unwrap();
    std::fs::write(project.path.join("notes"), "notes").unwrap();
    std::os::unix::fs::symlink("notes", project.path.join(LATEST)).unwrap();
    project.nnue(&["build", "big"]).ok();
    assert!(std::fs::read(&victim).unwrap() == b"somebody's" && project.bytes("notes") == b"notes", "written through a link");
    for (path, bytes) in generated.iter().zip(good) {
        assert!(std::fs::symlink_metadata(project.path.join(path)).unwrap().is_file(), "{path}");
        assert!(project.bytes(path) == bytes, "{path}");
    }
}

#[test]
fn an_optimized_net_says_all_that_it_was_made_from() {
    let project = project();
    let report = project.report(&["build"], "big");
    let name = format!("nn-{}.nnue", &project.sha256("latest.nnue")[..12]);
    assert_eq!(names(&project.path.join("dist")), [name.clone(), format!("{name}.provenance.json")]);
    assert_eq!(report["outputs"][0]["provenance"], format!("dist/{name}.provenance.json"));
    assert_eq!(report["outputs"][1]["provenance"], LATEST);
    assert!(!project.path.join("plain.nnue.provenance.json").exists());
    assert_eq!(project.report(&["status"], "plain")["outputs"][0]["provenance"], Value::Null);

    for (file, subject) in [(format!("dist/{name}.provenance.json"), &*name), (LATEST.to_owned(), "latest.nnue")] {
        let text = String::from_utf8(project.bytes(&file)).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        statement(&found).unwrap();
        assert_eq!(found["subject"], json!([{"name": subject, "digest": {"sha256": project.sha256("latest.nnue")}}]));
        assert!(text.ends_with("}\n"));
        for part in [project.path.to_str().unwrap(), std::env::temp_dir().to_str().unwrap()] {
            assert!(!text.contains(part), "{part}");
        }
    }
    let found = project.statement(LATEST);
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(definition["buildType"], nnue::build::provenance::BUILD_TYPE);
    let expected = json!({
        "net": "big",
        "manifest": "nnue.toml",
        "source": {"path": "the run #1/größe.nnue", "quantization": "ft127", "overflow": "error"},
        "description": "first",
        "compression": "leb128",
        "outputs": ["dist/", "latest.nnue"],
        "optimize": {"data": ["a.fen", "b.fen"], "positions": 100, "seed": 0, "algorithm": "greedy", "filters": {"simple_eval_skipping": 0}},
        "license": "CC0-1.0",
    });
    assert_eq!(definition["externalParameters"], expected);

    let stages = definition["internalParameters"]["stages"].as_array().unwrap();
    let of_report = report["stages"].as_array().unwrap();
    assert_eq!(stages.len(), of_report.len());
    let byproducts = found["predicate"]["runDetails"]["byproducts"].as_array().unwrap();
    for ((stage, byproduct), reported) in stages.iter().zip(byproducts).zip(of_report) {
        assert_eq!((&stage["stage"], &stage["key"]), (&reported["stage"], &reported["key"]));
        assert_eq!(stage["version"], 1);
        assert_eq!((&byproduct["name"], &byproduct["digest"]), (&reported["stage"], &json!({"blake3": reported["digest"]})));
    }
    assert_eq!(byproducts.last().unwrap()["digest"]["blake3"], blake3::hash(&project.bytes("latest.nnue")).to_string());
    let zero = |name: &str| byproducts[2]["annotations"]["train"][name].as_u64().unwrap() as f64;
    assert_eq!(report["zero_blocks"]["before"].as_f64().unwrap(), zero("zeroBefore") / zero("blocks"));
    assert_eq!(report["zero_blocks"]["after"].as_f64().unwrap(), zero("zeroAfter") / zero("blocks"));
    assert_eq!((byproducts[1]["annotations"]["entries"].as_u64(), zero("positions")), (Some(300), 100.0));

    let selection = json!({"rule": 1, "positions": 100, "heldOut": 100, "seed": 0, "filters": {"simple_eval_skipping": 0}});
    let dependency = |name: &str, uri: &str, annotations: Value| json!({"name": name, "uri": uri, "digest": {"sha256": project.sha256(name)}, "annotations": annotations});
    let expected = json!([
        dependency("nnue.toml", "file:nnue.toml", json!({"role": "manifest"})),
        dependency("the run #1/größe.nnue", "file:the%20run%20%231/gr%C3%B6%C3%9Fe.nnue", json!({"role": "source"})),
        dependency("a.fen", "file:a.fen", json!({"role": "data", "order": 0, "selection": selection})),
        dependency("b.fen", "file:b.fen", json!({"role": "data", "order": 1, "selection": selection})),
    ]);
    assert_eq!(definition["resolvedDependencies"], expected);
    assert_eq!(found["predicate"]["runDetails"]["builder"]["version"], json!({"nnue": env!("CARGO_PKG_VERSION")}));
}

#[test]
fn the_entries_of_a_single_data_file_are_stated() {
    let project = project_with(&MANIFEST.replace("[\"a.fen\", \"b.fen\"]", "\"a.fen\""));
    project.nnue(&["build", "big"]).ok();
    let data = &project.statement(LATEST)["predicate"]["buildDefinition"]["resolvedDependencies"][2];
    assert_eq!((&data["name"], &data["annotations"]["entries"]), (&json!("a.fen"), &json!(200)));
}

#[test]
fn each_output_names_the_stages_that_made_it_and_a_permutation_file_is_a_material() {
    let project = project();
    project.nnue(&["build", "plain", "--set", "net.plain.provenance=true"]).ok();
    let stages = |file: &str| -> Vec<String> {
        let found = project.statement(file);
        statement(&found).unwrap();
        let stages = found["predicate"]["buildDefinition"]["internalParameters"]["stages"].as_array().unwrap().clone();
        stages.iter().map(|stage| format!("{} {}", stage["stage"].as_str().unwrap(), stage["params"]["format"])).collect()
    };
    assert_eq!(stages("plain.nnue.provenance.json"), ["load null", "write \"nnue\""]);
    assert_eq!(stages("plain.pt.provenance.json"), ["load null", "write \"pt\""]);

    let permutation = nnue::net::Permutation::identity(32).unwrap();
    let mut bytes = Vec::new();
    nnue::permutation::write_permutation(&permutation, &mut bytes).unwrap();
    std::fs::write(project.path.join("p.npy"), bytes).unwrap();
    project.manifest(
        &MANIFEST
            .replace("outputs = [\"plain.nnue\", \"plain.pt\"]", "outputs = \"plain.nnue\"\npermutation = \"p.npy\"\nprovenance = true"),
    );
    project.nnue(&["build", "plain"]).ok();
    let found = project.statement("plain.nnue.provenance.json");
    statement(&found).unwrap();
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["permutation"], "p.npy");
    let last = definition["resolvedDependencies"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["annotations"]["role"], &last["digest"]["sha256"]), (&json!("permutation"), &json!(project.sha256("p.npy"))));
    project.nnue(&["verify", "plain"]).ok();
}

#[test]
fn a_checkpoint_names_its_clamped_weights() {
    let Some(golden) = common::golden() else { return };
    let golden = golden.join("public/A_seed/Full_Threats_fact_L8_overflow");
    let project = project_with(
        "version = 1\n[source.run]\npath = \"net.ckpt\"\nfeatures = \"Full_Threats^\"\nquantization = \"ft255\"\noverflow = \"clamp\"\n[net.a]\nsource = \"run\"\noutputs = \"a.nnue\"\nprovenance = true\n",
    );
    std::fs::write(project.path.join("net.ckpt"), common::read_maybe_xz(&golden.join("net.ckpt"))).unwrap();
    project.nnue(&["build"]).ok();
    let found = project.statement("a.nnue.provenance.json");
    statement(&found).unwrap();
    let byproducts = found["predicate"]["runDetails"]["byproducts"].as_array().unwrap();
    let names: Vec<&Value> = byproducts.iter().map(|each| &each["name"]).collect();
    assert_eq!(names, ["load", "coalesce", "quantize", "write"]);
    let overflowed = byproducts[2]["annotations"]["overflowed"].as_object().unwrap();
    assert!(!overflowed.is_empty() && overflowed.values().all(|count| count.as_u64().unwrap() > 0), "{overflowed:?}");
}

#[test]
fn overrides_are_stated_where_they_concern_the_net() {
    let project = project();
    let set = ["net.big.optimize.positions=50", "net.plain.compression=leb128", "source.run.quantization=ft127", "data.fens.path=a.fen"];
    let args: Vec<&str> = ["build"].into_iter().chain(set.iter().flat_map(|set| ["--set", set])).collect();
    project.nnue(&args).ok();
    let found = project.statement(LATEST);
    statement(&found).unwrap();
    let external = &found["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(external["overrides"], json!([set[0], set[2], set[3]]));
    assert_eq!((&external["optimize"]["positions"], &external["optimize"]["data"]), (&json!(50), &json!(["a.fen"])));
    // An override of another net makes no other statement.
    project.nnue(&["build"]).ok();
    let status = project.last_stage(&["status", "--set", "net.plain.description=x"], "big");
    assert_eq!(status.0, "fresh");
}

#[test]
fn every_net_of_a_sweep_has_its_own() {
    let project = project_with(
        "version = 1\n[net.\"n/{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = [\"out/{stem}.nnue\"]\nprovenance = true\n",
    );
    std::fs::create_dir(project.path.join("runs")).unwrap();
    for epoch in 1..=3 {
        write_net(&project.path.join(format!("runs/epoch={epoch}.nnue")), "small", 16, epoch);
    }
    project.nnue(&["build"]).ok();
    for epoch in 1..=3 {
        let found = project.statement(&format!("out/epoch={epoch}.nnue.provenance.json"));
        statement(&found).unwrap();
        let source = format!("runs/epoch={epoch}.nnue");
        let definition = &found["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["net"], format!("n/epoch={epoch}"));
        assert_eq!(definition["externalParameters"]["source"]["path"], *source);
        assert_eq!(definition["resolvedDependencies"][1]["digest"]["sha256"], project.sha256(&source));
        assert_eq!(found["subject"][0]["digest"]["sha256"], project.sha256(&format!("out/epoch={epoch}.nnue")));
    }
    // A new file of the sweep changes none of the others' statements.
    write_net(&project.path.join("runs/epoch=4.nnue"), "small", 16, 4);
    let report = project.nnue(&["build", "--json"]).ok().json();
    let built = report["nets"].as_array().unwrap().iter().filter(|net| net["status"] == "built").count();
    assert_eq!(built, 1, "{report}");
    project.nnue(&["verify", "--rebuild"]).ok();
}

// ── The same bytes, whatever the way ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_bytes_depend_on_nothing_but_what_they_speak_of() {
    let (one, two) = (project(), project());
    one.nnue(&["build"]).ok();
    let expected = one.bytes(LATEST);
    let same = |project: &Project, what: &str| assert!(project.bytes(LATEST) == expected, "{what}");

    nnue(two.path.parent().unwrap(), ["build", "-f", "project/nnue.toml", "-j", "1"]).ok();
    same(&two, "another folder, one thread, the manifest by its path");
    for jobs in ["1", "2", "7"] {
        std::fs::remove_file(one.path.join(LATEST)).unwrap();
        one.nnue(&["build", "--force", "-j", jobs]).ok();
        same(&one, "forced");
    }
    std::fs::remove_dir_all(one.path.join(".nnue")).unwrap();
    std::fs::remove_file(one.path.join(LATEST)).unwrap();
    one.nnue(&["build"]).ok();
    same(&one, "without cache");

    // From results that another project left in a common cache.
    let cache = tempfile::tempdir().unwrap();
    for project in [project(), project()] {
        let output = cli_support::command(&project.path).env("NNUE_CACHE_DIR", cache.path()).arg("build").output().unwrap();
        assert!(output.status.success());
        same(&project, "a common cache");
    }
    std::fs::remove_file(two.path.join(LATEST)).unwrap();
    two.nnue(&["build", "--frozen", "--paranoid"]).ok();
    same(&two, "frozen");
}

trait CodeIs {
    fn code_is(self, code: i32);
}

impl CodeIs for Ran {
    #[track_caller]
    fn code_is(self, code: i32) {
        assert_eq!(self.code, code, "{}", self.transcript());
    }
}

// ── When it is written ───────────────────────────────────────────────────────────────────────────────────────────────

fn modified(path: &Path) -> std::time::SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn what_is_missing_or_wrong_is_written_again_and_nothing_else() {
    let project = project();
    project.nnue(&["build"]).ok();
    let good = project.bytes(LATEST);
    let path = project.path.join(LATEST);
    let before = (modified(&path), modified(&project.path.join("latest.nnue")));
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    assert_eq!((modified(&path), modified(&project.path.join("latest.nnue"))), before, "a build without changes writes nothing");

    std::fs::remove_file(&path).unwrap();
    let missing = |status: &str, stage: &str| (status.into(), stage.into(), "output_missing".into(), LATEST.into());
    assert_eq!(project.last_stage(&["status"], "big"), missing("stale", "stale"));
    assert_eq!(project.last_stage(&["build", "--dry-run"], "big"), missing("stale", "stale"));
    assert!(!path.exists(), "a dry run writes nothing");
    assert!(project.nnue(&["status"]).ok().out.contains(&format!("`{LATEST}` is missing")));
    assert_eq!(project.last_stage(&["build"], "big"), missing("built", "ran"));
    assert_eq!(std::fs::read(&path).unwrap(), good);
    assert_eq!(modified(&project.path.join("latest.nnue")), before.1, "the net itself is left alone");
    assert_eq!(project.report(&["status"], "big")["status"], "fresh");

    for bad in [b"".to_vec(), good[..good.len() - 1].to_vec(), [&good[..], b"\n"].concat(), b"{}\n".to_vec(), {
        let mut flipped = good.clone();
        flipped[700] ^= 1;
        flipped
    }] {
        std::fs::write(&path, &bad).unwrap();
        let reason = ("stale".into(), "stale".into(), "output_modified".into(), LATEST.into());
        assert_eq!(project.last_stage(&["status"], "big"), reason);
        project.nnue(&["build"]).ok();
        assert_eq!(std::fs::read(&path).unwrap(), good);
    }
    // What cannot be replaced fails the net; a pipe keeps nobody waiting.
    std::fs::remove_file(&path).unwrap();
    for make in ["mkdir", "mkfifo"] {
        assert!(std::process::Command::new(make).arg(&path).status().unwrap().success());
        let ran = project.nnue(&["build"]);
        assert!(ran.code == 1 && ran.err.contains(LATEST) && ran.err.contains("net `big` failed"), "{}", ran.transcript());
        project.nnue(&["verify"]).code_is(3);
        let remove = if make == "mkdir" { std::fs::remove_dir } else { std::fs::remove_file };
        remove(path.as_path()).unwrap();
    }
}

#[test]
fn a_change_of_the_manifest_is_named_as_what_it_is() {
    let project = project();
    project.nnue(&["build"]).ok();
    let latest = modified(&project.path.join("latest.nnue"));
    project.manifest(&format!("{MANIFEST}# a comment\n"));
    let reason = project.last_stage(&["status"], "big");
    assert_eq!(reason, ("stale".into(), "stale".into(), "input_changed".into(), "nnue.toml".into()));
    project.nnue(&["build"]).ok();
    let dependencies = &project.statement(LATEST)["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(dependencies[0]["digest"]["sha256"], project.sha256("nnue.toml"));

    project.manifest(&MANIFEST.replace("CC0-1.0", "MIT"));
    let report = project.report(&["build"], "big");
    let reason = &report["stages"].as_array().unwrap().last().unwrap()["reason"];
    assert_eq!(*reason, json!({"kind": "param_changed", "name": "license", "old": "CC0-1.0", "new": "MIT"}));
    assert_eq!(modified(&project.path.join("latest.nnue")), latest, "no licence changes a byte of the net");
    let ran = report["stages"].as_array().unwrap().iter().filter(|stage| stage["status"] == "ran").count();
    assert_eq!(ran, 1, "{report}");

    // Switched off, it is neither written nor looked at.
    project.manifest(&MANIFEST.replace("provenance = true", "provenance = false"));
    std::fs::remove_file(project.path.join(LATEST)).unwrap();
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    assert!(!project.path.join(LATEST).exists());
}

#[test]
fn a_locked_build_writes_it_for_a_net_that_is_as_locked() {
    let project = project_with(&MANIFEST.replace("provenance = true", "provenance = false"));
    project.nnue(&["build"]).ok();
    let lock = project.bytes("nnue.lock");
    project.manifest(MANIFEST);
    project.nnue(&["build", "--locked"]).ok();
    statement(&project.statement(LATEST)).unwrap();
    assert_eq!(project.bytes("nnue.lock"), lock, "provenance is not locked: it follows from what is");

    // The cache has both results; what is published is not the locked one.
    project.manifest(&MANIFEST.replace("first", "second"));
    project.nnue(&["build"]).ok();
    std::fs::write(project.path.join("nnue.lock"), &lock).unwrap();
    std::fs::remove_file(project.path.join(LATEST)).unwrap();
    project.nnue(&["build", "--locked"]).fails(3, &["output `latest.nnue`"]);
    assert!(!project.path.join(LATEST).exists());
}

#[test]
fn two_nets_that_come_out_equal_in_one_folder_are_told_so() {
    let project = project_with(
        "version = 1\n[net.a]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\nprovenance = true\n[net.b]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\nprovenance = true\n",
    );
    let ran = project.nnue(&["build"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    for part in ["nets `a` and `b` publish one file", "provenance.json", "a folder of its own"] {
        assert!(ran.err.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert_eq!(project.report(&["status"], "b")["status"], "failed");
    project.manifest("version = 1\n[net.a]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\nprovenance = true\n[net.b]\nsource = \"the run #1/größe.nnue\"\noutputs = \"dist/\"\n");
    project.nnue(&["build"]).ok();
}

// ── verify ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn verify_holds_statements_against_files_and_lock() {
    let project = project();
    project.nnue(&["build"]).ok();
    let checked = project.report(&["verify"], "big");
    assert_eq!(checked["same"], true);
    assert_eq!(checked["provenance"].as_array().unwrap().len(), 2);
    assert_eq!((&checked["provenance"][1], &checked["publish"]), (&json!({"path": LATEST, "problem": null}), &json!([])));
    project.nnue(&["verify", "--rebuild"]).ok();

    let good = project.statement(LATEST);
    let path = project.path.join(LATEST);
    let other = "0".repeat(64);
    for (pointer, value, part) in [
        ("/_type", json!("https://in-toto.io/Statement/v0.1"), "`_type`"),
        ("/subject/0/digest/sha256", json!(other), "it is about `latest.nnue` with sha256 0000"),
        ("/subject/0/name", json!("other.nnue"), "it is about `other.nnue`"),
        ("/predicate/buildDefinition/resolvedDependencies/2/digest/sha256", json!(other), "material `a.fen`"),
        ("/predicate/buildDefinition/resolvedDependencies/3/name", json!("c.fen"), "material `b.fen`"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&path, bad.to_string()).unwrap();
        let ran = project.nnue(&["verify"]);
        assert_eq!(ran.code, 3, "{pointer}: {}", ran.transcript());
        assert!(ran.out.contains("big: different") && ran.out.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    std::fs::write(&path, "{").unwrap();
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("it is no JSON"), "{}", ran.transcript());
    std::fs::remove_file(&path).unwrap();
    let ran = project.nnue(&["verify", "big"]);
    assert!(ran.code == 3 && ran.out.contains("it is not there"), "{}", ran.transcript());
    project.nnue(&["verify", "plain"]).ok();

    // What holds against the lock may still be another statement than the last build wrote, and than a build writes now.
    let mut bad = good.clone();
    bad["predicate"]["buildDefinition"]["externalParameters"]["optimize"]["seed"] = json!(1);
    std::fs::write(&path, bad.to_string()).unwrap();
    let ran = project.nnue(&["verify"]);
    assert!(ran.code == 3 && ran.out.contains("not the statement that the last build wrote"), "{}", ran.transcript());
    std::fs::remove_dir_all(project.path.join(".nnue/state")).unwrap();
    project.nnue(&["verify"]).ok();
    let ran = project.nnue(&["verify", "--rebuild"]);
    assert!(ran.code == 3 && ran.out.contains(&format!("`{LATEST}` is not the statement")), "{}", ran.transcript());
    project.nnue(&["build"]).ok();
    project.nnue(&["verify", "--rebuild"]).ok();
}

// ── fishtest ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_net_for_fishtest_gets_its_public_name_when_it_is_fit_for_it() {
    let project = project_with(PUBLISHED);
    let report = project.report(&["build"], "big");
    let path = report["outputs"][0]["path"].as_str().unwrap();
    assert_eq!(path, format!("dist/nn-{}.nnue", &project.sha256(path)[..12]));
    assert_eq!(report["outputs"][0]["provenance"], Value::Null);
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    let checked = project.report(&["verify"], "big");
    assert_eq!(checked["publish"], json!([{"path": path, "problem": null}]));
    project.nnue(&["verify", "--rebuild"]).ok();

    // A fixed name is good where it is that of the content.
    project.manifest(&PUBLISHED.replace("dist/", &path.replace("dist/", "")));
    project.nnue(&["build"]).ok();
}

#[test]
fn real_nets_pass_under_their_own_names() {
    let Some(golden) = common::golden() else { return };
    for name in ["nn-37f18f62d772.nnue", "nn-baff1ede1f90.nnue"] {
        let project = project_with(&PUBLISHED.replace("the run #1/größe.nnue", "run.nnue"));
        std::fs::copy(golden.join("nets").join(name), project.path.join("run.nnue")).unwrap();
        project.nnue(&["build"]).ok();
        assert_eq!(names(&project.path.join("dist")), [name]);
        project.nnue(&["verify"]).ok();
    }
}

#[test]
fn a_net_beside_a_published_one_is_not_judged() {
    let other = "[net.other]\nsource = \"the run #1/größe.nnue\"\noutputs = [\"other.nnue\"]\n";
    let project = project_with(&format!("{PUBLISHED}{other}"));
    project.nnue(&["build"]).ok();
    assert!(project.path.join("other.nnue").exists(), "one write action serves both nets");
    assert_eq!(project.report(&["verify"], "other")["publish"], json!([]));
    assert_eq!(project.report(&["status"], "big")["status"], "fresh");
}

#[test]
fn a_name_that_is_not_the_contents_is_refused_before_the_file_is_there() {
    let project = project_with(&PUBLISHED.replace("dist/", "nn-000000000000.nnue"));
    let ran = project.nnue(&["build"]);
    assert_eq!(ran.code, 1, "{}", ran.transcript());
    for part in ["fishtest would refuse `nn-000000000000.nnue`", "the SHA-256 is", "help: name a folder", "net `big` failed"] {
        assert!(ran.err.contains(part), "`{part}` is missing: {}", ran.transcript());
    }
    assert_eq!(names(&project.path), [".nnue", "a.fen", "b.fen", "nnue.toml", "the run #1"], "nothing is published, nothing is left");
    // A file that was there stays.
    std::fs::write(project.path.join("nn-000000000000.nnue"), "old").unwrap();
    assert_eq!(project.nnue(&["build"]).code, 1);
    assert_eq!(project.bytes("nn-000000000000.nnue"), b"old");
}

#[test]
fn mistakes_about_publication_are_mistakes_of_the_manifest() {
    for (from, to, parts) in [
        ("license = \"CC0-1.0\"\n", "", ["to be published without a licence", "license = \"CC0-1.0\""]),
        ("CC0-1.0", "MIT", ["under the licence `MIT`", "license = \"CC0-1.0\""]),
        ("dist/", "big.pt", ["nothing that fishtest takes", "add a folder"]),
        ("dist/", "latest.nnue", ["fishtest takes no net named `latest.nnue`", "name a folder"]),
    ] {
        let project = project_with(&PUBLISHED.replace(from, to));
        project.nnue(&["build"]).fails(2, &parts);
        project.nnue(&["verify"]).fails(2, &parts);
    }
    // The names of a sweep are judged when they are known, once for all of them.
    let sweep = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"*/*.nnue\" }\noutputs = \"{stem}.nnue\"\npublish = \"fishtest\"\nlicense = \"CC0-1.0\"\n";
    let project = project_with(sweep);
    write_net(&project.path.join("the run #1/b.nnue"), "small", 16, 4);
    let ran = project.nnue(&["build"]).fails(2, &["fishtest takes no net named"]);
    assert_eq!(ran.err.matches("fishtest takes no net").count(), 1, "{}", ran.err);
}

#[test]
fn a_net_that_is_published_later_is_checked_once() {
    let unpublished = PUBLISHED.replace("publish = \"fishtest\"\n", "");
    let project = project_with(&unpublished);
    project.nnue(&["build"]).ok();
    let state = project.path.join(".nnue/state/nets/big.json");
    assert!(!std::fs::read_to_string(&state).unwrap().contains("checked"), "states of nets without `publish` are as they were");

    project.manifest(PUBLISHED);
    let name = project.report(&["status"], "big")["outputs"][0]["path"].as_str().unwrap().to_owned();
    let unchecked = |status: &str, stage: &str| (status.into(), stage.into(), "unchecked".into(), name.clone());
    assert_eq!(project.last_stage(&["status"], "big"), unchecked("stale", "stale"));
    assert_eq!(project.last_stage(&["build"], "big"), unchecked("built", "ran"));
    assert!(std::fs::read_to_string(&state).unwrap().contains("fishtest 1"));
    assert_eq!(project.report(&["build"], "big")["status"], "fresh");
    assert_eq!(project.report(&["status"], "big")["status"], "fresh");

    // A frozen build remembers nothing, and so checks again. Where the manifest had got old enough meanwhile, the builds above left a
    // proof that nothing changed, which would answer instead.
    std::fs::remove_file(&state).unwrap();
    let _ = std::fs::remove_file(project.at(".nnue/state/unchanged.bin"));
    project.nnue(&["build", "--frozen"]).ok();
    assert!(!state.exists());
    assert_eq!(project.last_stage(&["build"], "big"), unchecked("built", "ran"));
}

#[test]
fn a_published_file_that_is_not_fit_fails_the_net_and_verify() {
    let fixed = PUBLISHED.replace("dist/", "nn-000000000000.nnue");
    let project = project_with(&fixed.replace("publish = \"fishtest\"\n", ""));
    project.nnue(&["build"]).ok();
    project.manifest(&fixed);
    let ran = project.nnue(&["build"]);
    assert!(ran.code == 1 && ran.err.contains("fishtest would refuse `nn-000000000000.nnue`"), "{}", ran.transcript());
    assert_eq!(project.report(&["build"], "big")["status"], "failed", "and again: what failed is not remembered as good");
    let ran = project.nnue(&["verify"]);
    assert_eq!(ran.code, 3, "{}", ran.transcript());
    assert!(ran.out.contains("`nn-000000000000.nnue`: fishtest would refuse"), "{}", ran.transcript());
    let problem = project.report(&["verify"], "big")["publish"][0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("its name is not that of its content"), "{problem}");

    // One that was cut off on the disk.
    let project = project_with(PUBLISHED);
    let path = project.report(&["build"], "big")["outputs"][0]["path"].as_str().unwrap().to_owned();
    let whole = project.bytes(&path);
    std::fs::write(project.path.join(&path), &whole[..whole.len() / 2]).unwrap();
    project.nnue(&["verify"]).code_is(3);
    project.nnue(&["build"]).ok();
    assert_eq!(project.bytes(&path), whole);
}
