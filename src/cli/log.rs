//! How messages on stderr are written for programs. Only their shape; who says what is elsewhere.
//!
//! `--log-format json`: each message as one JSON object on a line of its own. `--log-format github` is in [`github`].
//!
//! Every object has `schema` (1) and `event`:
//!
//! | event | members |
//! | --- | --- |
//! | `start` | `net` and `stage` (null outside of builds), `task` (the stage itself, or a part of it), `total` (null where it is not known), `unit` |
//! | `progress` | as `start`, and `done`, `seconds`, `rate` (units a second), `left` (seconds, or null); at most one a second for a task |
//! | `finish` | as `start`, and `done`, `seconds` |
//! | `state` | `net`, `stage`, `task`, `state`, `seconds`: on a cluster it is `uploading`, `queued`, `running on WORKER` … |
//! | `net` | `net`, `status`, `outputs`, `error`: a net of a build is finished, or failed |
//! | `note`, `warning` | `message` |
//! | `error` | `kind`, `message`, `causes`, `help`, `file`, `line`, `column`; one for each mistake of a manifest |

pub(super) mod github;

use std::ffi::OsString;
use std::iter;

use clap::ValueEnum;
use miette::Diagnostic;
use serde_json::{Value, json};

use crate::build::NetReport;
use crate::ctx::Scope;
use crate::error::{Error, Kind};
use crate::shown;

/// Version of the members; raised when one changes its meaning or goes.
const SCHEMA: u32 = 1;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For programs: one JSON object a line
    Json,
    /// For people, with annotations for GitHub's workflows
    Github,
}

impl LogFormat {
    /// What is meant where the command line says nothing.
    pub(super) fn of_environment() -> Self {
        if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") { Self::Github } else { Self::Text }
    }

    /// What the command line says before it is understood.
    pub(super) fn asked_for(arguments: &[OsString]) -> Self {
        let value = arguments.iter().enumerate().find_map(|(index, argument)| match argument.to_str()?.strip_prefix("--log-format")? {
            "" => arguments.get(index + 1)?.to_str(),
            value => value.strip_prefix('='),
        });
        match value {
            Some("json") => Self::Json,
            Some("github") => Self::Github,
            Some(_) => Self::Text,
            None => Self::of_environment(),
        }
    }
}

/// An object of this kind with these members.
fn event(kind: &str, members: Value) -> String {
    let mut object = json!({"schema": SCHEMA, "event": kind});
    if let (Some(object), Value::Object(members)) = (object.as_object_mut(), members) {
        object.extend(members);
    }
    shown::clean_json(&object.to_string()).into_owned()
}

/// What goes on, or should be known: `note` or `warning`.
pub(super) fn message(kind: &str, text: &str) -> String {
    event(kind, json!({"message": text}))
}

/// How far a task is: `start`, `progress` or `finish`.
pub(super) fn task(kind: &str, task: &Task<'_>) -> String {
    let Task { scope, name, done, total, unit, seconds, .. } = task;
    let (net, stage) = (scope.map(|scope| &scope.net), scope.map(|scope| scope.stage));
    let mut members = json!({"net": net, "stage": stage, "task": name});
    let more = match kind {
        "start" => json!({"total": total, "unit": unit}),
        "finish" => json!({"done": done, "total": total, "unit": unit, "seconds": round(*seconds)}),
        _ => json!({
            "done": done, "total": total, "unit": unit, "seconds": round(*seconds),
            "rate": four_figures(task.rate()), "left": task.left().map(round),
        }),
    };
    if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
        members.extend(more);
    }
    event(kind, members)
}

/// A task that does something else from now on.
pub(super) fn state(task: &Task<'_>, state: &str) -> String {
    let (net, stage) = (task.scope.map(|scope| &scope.net), task.scope.map(|scope| scope.stage));
    event("state", json!({"net": net, "stage": stage, "task": task.name, "state": state, "seconds": round(task.seconds)}))
}

/// A net of a build that is finished, or failed.
pub(super) fn net(report: &NetReport) -> String {
    let NetReport { net, status, outputs, error, .. } = report;
    event("net", json!({"net": net, "status": status, "outputs": outputs, "error": error}))
}

/// A running task.
pub(super) struct Task<'a> {
    /// The net and the stage.
    pub(super) scope: Option<&'a Scope>,
    /// Its name.
    pub(super) name: &'a str,
    /// Units that are finished.
    pub(super) done: u64,
    /// All of them, where known.
    pub(super) total: Option<u64>,
    /// What is counted.
    pub(super) unit: &'a str,
    /// Since it began.
    pub(super) seconds: f64,
    /// Since units are counted.
    pub(super) counting: f64,
}

impl Task<'_> {
    /// Units a second so far.
    pub(super) fn rate(&self) -> f64 {
        if self.counting > 0.0 { self.done as f64 / self.counting } else { 0.0 }
    }

    /// Seconds until it is over, if it goes on like this.
    pub(super) fn left(&self) -> Option<f64> {
        let rate = self.rate();
        self.total.filter(|_| rate > 0.0).map(|total| total.saturating_sub(self.done) as f64 / rate)
    }
}

/// Milliseconds are all that anybody wants to know.
fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// A rate may be tiny or huge.
fn four_figures(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

/// An error: a line for each of its findings.
pub(super) fn error(error: &Error) -> Vec<String> {
    let kind = match error.kind() {
        Kind::Failed => "failed",
        Kind::Usage => "usage",
        Kind::Difference => "difference",
        Kind::Interrupted => "interrupted",
    };
    let Some(report) = error.report() else {
        let (causes, help) = (error.causes(), error.help_text());
        let none = Value::Null;
        let members = json!({
            "kind": kind, "message": error.message(), "causes": causes, "help": help, "file": none, "line": none, "column": none,
        });
        return vec![event("error", members)];
    };
    findings(report).into_iter().map(|report| finding(kind, report)).collect()
}

/// The diagnostics that a report is made of: itself, or those that it gathers.
fn findings(report: &dyn Diagnostic) -> Vec<&dyn Diagnostic> {
    let related: Vec<&dyn Diagnostic> = report.related().map(Iterator::collect).unwrap_or_default();
    if related.is_empty() { vec![report] } else { related }
}

/// Where a diagnostic points to: file, line and column, from 1.
fn place(report: &dyn Diagnostic) -> Option<(Option<String>, usize, usize)> {
    let label = report.labels()?.next()?;
    let text = report.source_code()?.read_span(label.inner(), 0, 0).ok()?;
    Some((text.name().map(str::to_owned), text.line() + 1, text.column() + 1))
}

fn causes(report: &dyn Diagnostic) -> Vec<String> {
    iter::successors(report.source(), |cause| cause.source()).map(ToString::to_string).collect()
}

/// A diagnostic with source text.
fn finding(kind: &str, report: &dyn Diagnostic) -> String {
    let causes = causes(report);
    let (file, line, column) = place(report).map_or((None, None, None), |(file, line, column)| (file, Some(line), Some(column)));
    let help = report.help().map(|help| help.to_string());
    event(
        "error",
        json!({
            "kind": kind, "message": report.to_string(), "causes": causes, "help": help, "file": file, "line": line, "column": column,
        }),
    )
}

/// A command line that clap refused, by the text that it would print.
pub(super) fn usage(text: &str) -> String {
    let (message, rest) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
    let help: Vec<&str> = rest.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let none = Value::Null;
    event(
        "error",
        json!({
            "kind": "usage", "message": message.trim_start_matches("error: "), "causes": [], "help": help.join("\n"),
            "file": none, "line": none, "column": none,
        }),
    )
}

#[cfg(test)]
mod tests;
