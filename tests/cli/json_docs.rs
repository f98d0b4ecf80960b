//! `docs/json.md` tells what the program prints: its tables are held against real output, both ways.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli_support::Ran;
use crate::project::{ENGINE, Project, files_below, manifest};
use serde_json::Value;

const MANIFEST: &str = manifest!(
    r#"[net.big]
source = "run"
outputs = ["latest.nnue"]
provenance = true
[net.big.optimize]
data = "fens"
positions = 100
[net.big.engine]
path = "./fish"
speed = 2
[net.plain]
source = "run"
compression = "none"
description = "plain"
publish = "fishtest"
license = "CC0-1.0"
outputs = ["dist/"]
"#
);

/// Member → type, of each report and event by its name.
type Tables = BTreeMap<String, BTreeMap<String, String>>;

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap()
}

/// The cells of a row, without backticks.
fn cells(line: &str) -> Option<Vec<String>> {
    let row = line.strip_prefix("| `")?;
    Some(format!("`{row}").trim_end_matches(" |").split(" | ").map(|cell| cell.replace('`', "")).collect())
}

fn tables() -> Tables {
    let mut tables = Tables::new();
    let mut names: Vec<String> = Vec::new();
    for line in page().lines() {
        if line.starts_with('#') {
            let title = line.trim_start_matches('#').trim();
            let is_table = title.starts_with("Report ") || title.starts_with("Event ");
            names = if is_table { title.split('`').skip(1).step_by(2).map(str::to_owned).collect() } else { Vec::new() };
        } else if let Some(row) = cells(line) {
            for name in &names {
                let before = tables.entry(name.clone()).or_default().insert(row[0].clone(), row[1].clone());
                assert_eq!(before, None, "`{}` stands twice in `{name}`", row[0]);
            }
        }
    }
    tables
}

struct Check<'t> {
    tables: &'t Tables,
    name: &'t str,
    seen: BTreeSet<String>,
}

impl Check<'_> {
    /// `value` is the member `path` of the report `table`.
    fn value(&mut self, table: &str, path: &str, value: &Value) {
        let members = &self.tables[table];
        let Some(types) = members.get(path) else { panic!("`{}`: the page has no `{path}` in `{table}`: {value}", self.name) };
        self.seen.insert(format!("{table} {path}"));
        let fits = types.split(" or ").any(|kind| match kind {
            "any" => true,
            "null" => value.is_null(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "object" | "reason" | "diff" => value.is_object(),
            "list" | "list of reasons" => value.is_array(),
            "list of strings" => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            other => panic!("`{other}` is not a type"),
        });
        assert!(fits, "`{}`: `{path}` is to be {types}: {value}", self.name);
        if types == "any" {
            return;
        }
        if types.contains("reason") {
            let all = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
            all.into_iter().filter(|value| !value.is_null()).for_each(|value| self.members("reason", "", value));
        } else if types.starts_with("diff") {
            self.members("diff", "", value);
        } else if let Some(list) = value.as_array() {
            list.iter().filter(|each| each.is_object()).for_each(|each| self.members(table, &format!("{path}[]."), each));
        } else {
            self.members(table, &format!("{path}."), value);
        }
    }

    fn members(&mut self, table: &str, prefix: &str, value: &Value) {
        let free = self.tables[table].keys().any(|path| path.starts_with(&format!("{prefix}*.")));
        for (name, value) in value.as_object().into_iter().flatten() {
            if free { self.members(table, &format!("{prefix}*."), value) } else { self.value(table, &format!("{prefix}{name}"), value) }
        }
    }
}

/// The table has all that the outputs have, of the types that it says, and nothing that none of them has.
#[track_caller]
fn check(tables: &Tables, name: &str, outputs: &[Value]) {
    let mut check = Check { tables, name, seen: BTreeSet::new() };
    for output in outputs {
        assert_eq!(output["schema"], 1);
        check.members(name, "", output);
    }
    for path in tables[name].keys() {
        assert!(check.seen.contains(&format!("{name} {path}")), "`{name}`: no output has `{path}`");
    }
}

fn documented() -> (Tables, Project) {
    let project = Project::new(MANIFEST).with_net("other.nnue", 64, 6);
    project.write_engine(ENGINE);
    (tables(), project)
}

#[test]
fn reports_of_builds() {
    let (tables, project) = documented();
    let json = |args: &[&str]| project.json(args);
    let not_locked = json(&["verify"]);
    let first = json(&["build"]);
    let same = json(&["verify", "--rebuild"]);
    let record = json(&["explain", "big"]);
    project.nnue(&["convert", "run.nnue", "run.safetensors", "--quantization", "ft127"]).ok();
    project.manifest(&MANIFEST.replace("run.nnue", "run.safetensors"));
    let trained = json(&["build", "big"]);
    project.manifest(MANIFEST);
    json(&["build"]);
    project.manifest(&MANIFEST.replace("positions = 100", "positions = 90"));
    let other = json(&["verify", "--rebuild"]);
    let stale = json(&["status"]);
    let explained = json(&["explain", "big"]);
    check(&tables, "explain", &[record, explained]);
    project.manifest(&MANIFEST.replace("run.nnue", "nowhere.nnue"));
    let failed = json(&["build", "--keep-going"]);
    check(&tables, "build", &[first, failed, trained, stale.clone()]);
    assert!(tables["status"] == tables["build"] && tables["watch"] == tables["build"]);
    check(&tables, "verify", &[not_locked, same, other, json(&["verify", "--rebuild"])]);
    project.manifest(MANIFEST);
    check(&tables, "graph", &[json(&["graph"])]);
    let mut check = Check { tables: &tables, name: "status", seen: BTreeSet::new() };
    check.members("status", "", &stale);
    let reason: Vec<&String> = tables["reason"].keys().filter(|path| !check.seen.contains(&format!("reason {path}"))).collect();
    assert!(reason.is_empty(), "no output has {reason:?} of a reason");
}

#[test]
fn reports_of_networks() {
    let (tables, project) = documented();
    let run = |args: &[&str]| project.nnue(args);
    run(&["build"]).ok();
    let permuted = run(&["diff", "run.nnue", "latest.nnue", "--json"]).json();
    let different = run(&["diff", "run.nnue", "other.nnue", "--json"]).json();
    let shapes = run(&["build", "--set", "net.big.description=x", "big"]).ok();
    drop(shapes);
    let described = run(&["diff", "run.nnue", "latest.nnue", "--json"]).json();
    let evaluated = run(&["diff", "run.nnue", "other.nnue", "--data", "positions.fen", "--json"]).json();
    for (name, seed) in [("a.pb", 1), ("b.pb", 2)] {
        let mut bytes = Vec::new();
        crate::lc0_net::net(&crate::lc0_net::SMALL, seed).write_pb(&mut bytes).unwrap();
        project.write(name, bytes);
    }
    let of_lc0 = run(&["diff", "a.pb", "b.pb", "--json"]).json();
    check(&tables, "diff", &[permuted, different, described, evaluated, of_lc0]);
    let inspected = ["inspect", "run.nnue", "--histogram", "--bounds", "--data", "positions.fen", "--count", "50", "--json"];
    let network = std::fs::read(project.path.join("run.nnue")).unwrap();
    project.write("engine", [&b"\x7FELF"[..], &[0; 996], &network].concat());
    check(&tables, "inspect", &[run(&inspected).ok().json(), run(&["inspect", "engine", "--json"]).ok().json()]);
    let shown = ["show", "run.nnue", "--out", "run.html", "--json"];
    check(&tables, "show", &[run(&shown).ok().json()]);
    let eval =
        |more: &[&str]| run(&[&["eval", "run.nnue", "--data", "positions.fen", "--count", "20", "--json"], more].concat()).ok().json();
    check(&tables, "eval", &[eval(&[]), eval(&["--float"]), eval(&["--both"])]);
    let args =
        ["perm", "gather", "--net", "run.nnue", "--data", "positions.fen", "--out", "act.npy", "--count", "100", "--quantization", "ft127"];
    run(&args).ok();
    let found = run(&["perm", "find", "--data", "act.npy", "--out", "perm.npy", "--json"]).ok().json();
    check(&tables, "perm find", &[found]);
    let bare = run(&["perm", "eval", "--data", "act.npy", "--json"]).ok().json();
    let with = run(&["perm", "eval", "--data", "act.npy", "--perm", "perm.npy", "--json"]).ok().json();
    check(&tables, "perm eval", &[bare, with]);
    check(&tables, "perm bound", &[run(&["perm", "bound", "--data", "act.npy", "--json"]).ok().json()]);
    let args = ["convert", "run.nnue", "out.nnue", "--quantization", "ft127", "--json"];
    let bare = run(&args).ok().json();
    let optimized = run(&[
        "convert",
        "run.nnue",
        "opt.nnue",
        "--quantization",
        "ft127",
        "--ft_optimize",
        "--ft_optimize_data",
        "positions.fen",
        "--ft_optimize_count",
        "100",
        "--json",
    ]);
    check(&tables, "convert", &[bare, optimized.ok().json()]);
}

/// A net with one bucket of rows, eight neurons and two outputs.
const DESCRIBED: &str = r#"
schema = "engine-net-1"
sizes = { row = 768, neuron = 8, in = "neuron", out = 2 }
inputs = [{ block = "psq", mirror = "none", buckets = [
    0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0, 0,0,0,0,0,0,0,0,
] }]
activation = { kind = "pairwise", shift = 9 }
permutation = { axis = "neuron", also = "in" }
[tensors]
"ft.psq" = ["row", "neuron"]
"ft.bias" = ["neuron"]
"l1.w" = ["out", "in"]
[step.order]
do = "permute"
[layout.plain]
tensors = [{ role = "ft.psq", dtype = "i16" }, { role = "ft.bias", dtype = "i16" }, { role = "l1.w", dtype = "i8" }]
[layout.sparse]
like = "plain"
from = "plain"
steps = ["order"]
"#;

#[test]
fn described_architectures_print_what_the_page_says() {
    let project = Project::empty().with_fens("positions.fen", 1, 100);
    let tables = tables();
    check(&tables, "architecture list", &[project.nnue(&["architecture", "list", "--json"]).ok().json()]);
    project.write("mine.toml", DESCRIBED);
    project.write("net.bin", vec![0; 2 * 768 * 8 + 2 * 8 + 2 * 8]);
    let convert = ["convert", "net.bin", "out.bin", "--architecture", "mine.toml", "--from", "plain", "--to", "sparse", "--json"];
    let search = ["--ft_optimize", "--ft_optimize_data", "positions.fen", "--ft_optimize_count", "50"];
    let bare = project.nnue(&convert).ok().json();
    let optimized = project.nnue(&[&convert[..], &search].concat()).ok().json();
    // Behind no pairs.
    project.write("simple.bin", vec![0; 4 * (768 * 8 + 8 + 2 * 8 + 1)]);
    let simple = ["convert", "simple.bin", "simple.out", "--architecture", "bullet-simple", "--from", "raw", "--to", "quantised"];
    let simple = project.nnue(&[&simple[..], &["--set", "sizes.neuron=8", "--json"]].concat()).ok().json();
    check(&tables, "convert described", &[bare, optimized, simple]);
}

#[test]
fn reports_of_the_cache() {
    let (tables, project) = documented();
    let json = |args: &[&str]| project.json(args);
    project.nnue(&["build"]).ok();
    check(&tables, "cache stats", &[json(&["cache", "stats"])]);
    check(&tables, "cache gc", &[json(&["cache", "gc", "--unreachable", "--grace", "0s"])]);
    let blob = files_below(&project.at(".nnue/cache")).into_iter().find(|file| file.to_str().unwrap().contains("/cas/")).unwrap();
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "damaged").unwrap();
    check(&tables, "cache verify", &[json(&["cache", "verify"])]);
}

#[test]
fn reports_of_clean() {
    let (tables, project) = documented();
    project.nnue(&["build"]).ok();
    project.write("latest.nnue", "mine");
    project.manifest("version = 1\n");
    check(&tables, "clean", &[project.json(&["clean"]), project.json(&["clean", "--dry-run"])]);
}

#[test]
fn events() {
    let (tables, project) = documented();
    let parse = |ran: &Ran| ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    project.manifest(&MANIFEST.replace("[net.big]\n", "[source.unused]\npath = \"x.nnue\"\n[net.big]\n"));
    let mut events = parse(&project.nnue(&["build", "--log-format", "json"]).ok());
    project.manifest("version = 1\nnets = 1\n");
    events.extend(parse(&project.nnue(&["build", "--log-format", "json"])));
    for name in ["start", "finish", "net", "warning", "error"] {
        let of_name: Vec<Value> = events.iter().filter(|event| event["event"] == name).cloned().collect();
        check(&tables, name, &of_name);
    }
    // It takes a second until there is one: what is in it is tested where it is made.
    let members: Vec<&str> = tables["progress"].keys().map(String::as_str).collect();
    assert_eq!(members, ["done", "event", "left", "net", "rate", "schema", "seconds", "stage", "task", "total", "unit"]);
    assert_eq!(tables["note"], tables["warning"]);
}

/// All kinds of reasons that the program's own table has, and `failed`.
#[test]
fn kinds_of_reasons() {
    let kinds = |text: &str, from: &str| -> BTreeSet<String> {
        let rows = text.split_once(from).unwrap().1.lines().map(|line| line.trim_start_matches("/// "));
        let table = rows.skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with('|'));
        table.map(|line| line.split('`').nth(1).unwrap().to_owned()).collect()
    };
    let mut expected = kinds(include_str!("../../src/plan/reason.rs"), "/// One reason.");
    expected.insert("failed".to_owned());
    assert_eq!(kinds(&page(), "### Kinds of reasons"), expected);
}
