//! `nnue explain`: what the key of each stage is made of, and what of it changed. Changes nothing.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::build::{ManifestArgs, load_manifest};
use super::{Exit, Global};
use crate::build::{Explanation, Options, StageExplanation, StageStatus, Workspace, select_nets};
use crate::ctx::{Backend, read_file};
use crate::error::{Error, Kind, Result};
use crate::shown;

/// Show what each stage of a net is made of, and what changed since its last build
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The net
    #[arg(value_name = "NET", add = super::completions::net_names())]
    net: String,
    /// Compare with this output of `nnue explain NET --json`, for example of another machine, instead of the last build here
    #[arg(long, value_name = "RECORD.json")]
    against: Option<PathBuf>,
    /// Print a JSON record on stdout, which --against reads
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let nets = select_nets(&manifest, std::slice::from_ref(&args.net))?;
    let [net] = nets.as_slice() else {
        let names: Vec<&str> = nets.iter().map(|net| net.name.as_str()).take(20).collect();
        return Err(Error::usage(format!("`{}` stands for {} nets", args.net, nets.len())).help(format!("name one: {}", names.join(", "))));
    };
    let (paranoid, lock_timeout) = (args.manifest.paranoid, args.manifest.lock_timeout);
    let options = Options { dry_run: true, paranoid, lock_timeout, ..Options::default() };
    let mut explanation = Workspace::open(&manifest, &options, &ctx)?.explain(net, &options, &ctx)?;
    if let Some(path) = &args.against {
        let text = read_record(path).map_err(|error| Error::io("cannot read", path, error).kind_is(Kind::Usage))?;
        let other = Explanation::from_json(&text).map_err(|error| error.context(format!("cannot compare with `{}`", path.display())))?;
        if other.net != explanation.net {
            return Err(Error::usage(format!("`{}` is a record of the net `{}`, not of `{}`", path.display(), other.net, explanation.net))
                .help(format!("make one where you want to compare with: `nnue explain {} --json`", explanation.net)));
        }
        explanation.compare_with(&other)?;
    }
    if args.json {
        global.print_json(&explanation)?;
    } else {
        global.print(&text(&explanation, args.against.is_some()))?;
    }
    let failed = explanation.stages.iter().any(|stage| stage.status == StageStatus::Failed);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// The text of a record; a file without end is none.
fn read_record(path: &Path) -> io::Result<String> {
    const MOST: u64 = 64 << 20;
    let bytes = read_file(path, MOST)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn text(explanation: &Explanation, against: bool) -> String {
    let mut text = format!("{}: nnue {}, key schema {}\n", explanation.net, explanation.tool, explanation.key_schema);
    for stage in &explanation.stages {
        stage_text(stage, against, &mut text);
    }
    let than = if against { "the record" } else { "the last build" };
    for stage in &explanation.gone {
        let _ = writeln!(text, "  {:<15} only {than} has this stage", shown::line(stage));
    }
    if against && explanation.gone.is_empty() && explanation.stages.iter().all(|stage| stage.changes.is_empty()) {
        let known = explanation.stages.iter().all(|stage| stage.digest.is_some());
        let results = if known { "keys and results are the same" } else { "the keys are the same, results are not known until all ran" };
        let _ = writeln!(text, "nothing differs from the record: {results}");
    }
    text
}

fn stage_text(stage: &StageExplanation, against: bool, text: &mut String) {
    let reason = stage.reason.as_ref().map(|reason| format!(": {}", reason.text())).unwrap_or_default();
    let unknown = "not known until earlier stages ran";
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<15} {}", shown::line(value));
    };
    line(&stage.stage, &format!("{}{reason}", stage.status.name()));
    line("  key", stage.key.as_deref().unwrap_or(unknown));
    line("  stage version", &stage.preimage["stage_version"].to_string());
    for (name, value) in stage.preimage["params"].as_object().into_iter().flatten() {
        line("  parameter", &format!("{name} = {value}"));
    }
    for (name, value) in stage.preimage["inputs"].as_object().into_iter().flatten() {
        let file = stage.files.get(name).and_then(Value::as_str).map(|path| format!("  (`{path}`)")).unwrap_or_default();
        line("  input", &format!("{name} = {}{file}", value.as_str().unwrap_or(unknown)));
    }
    line("  result", stage.digest.as_deref().unwrap_or("not known until it ran"));
    let than = if against { "the record" } else { "the last build" };
    for change in &stage.changes {
        line("  changed", &format!("since {than}: {}", change.text()));
    }
}
