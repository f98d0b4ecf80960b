//! `[remote]`: a cluster that runs expensive stages.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        identity::FilePath,
        keys::{self, CLUSTER_SCHEMES, DEFAULT_JOBS},
        text::{Located, Problem, Span, listed, suggestion},
        tree::{Item, Value},
    },
    reader::Reader,
    values::Fields,
};
use crate::error::{Error, Result};
use crate::words::{RemoteStage, Word, names};

/// A cluster that runs stages. Where a stage runs is part of no key.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// `grpc://` or `grpcs://` with a host; `None` where only the command line or the environment names one.
    pub url: Option<Located<String>>,
    /// Where files and results are kept, if elsewhere.
    pub cas: Option<Located<String>>,
    /// The name of the instance.
    pub instance: Option<String>,
    /// What a worker must have.
    pub properties: BTreeMap<String, String>,
    /// Which stages may run there.
    pub stages: Vec<RemoteStage>,
    /// Actions under way there, at least 1.
    pub jobs: usize,
    /// How long one may run.
    pub timeout: Duration,
    /// How long one may wait for a worker.
    pub queue_timeout: Duration,
    /// How often a silent connection is pinged; `None`: never.
    pub keepalive: Option<Duration>,
    /// What takes less time here is not sent, seconds; 0: everything is.
    pub min_seconds: f64,
    /// What the cluster cannot do is done here.
    pub fallback: bool,
    /// The program that is sent; `None`: this one.
    pub tool: Option<Located<FilePath>>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            url: None,
            cas: None,
            instance: None,
            properties: BTreeMap::new(),
            stages: RemoteStage::ALL.to_vec(),
            jobs: DEFAULT_JOBS,
            timeout: Duration::from_secs(30 * 60),
            queue_timeout: Duration::from_secs(10 * 60),
            keepalive: None,
            min_seconds: 5.0,
            fallback: true,
            tool: None,
        }
    }
}

/// What is wrong with an address: what it is called, why, what to do, and whether it may be shown.
struct Fault {
    label: &'static str,
    cause: String,
    help: String,
    is_secret: bool,
}

/// Looks at the address of a cluster: a scheme, a host, an instance; nothing that could be a secret.
fn fault_of(url: &str) -> Option<Fault> {
    let fault = |label, cause: &str, help: &str| Some(Fault { label, cause: cause.to_owned(), help: help.to_owned(), is_secret: false });
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or_default();
    let known = listed(CLUSTER_SCHEMES.map(|scheme| format!("{scheme}://")).iter().map(String::as_str));
    if host.contains('@') || rest.contains(['?', '#']) {
        return Some(Fault {
            label: "this address",
            cause: "it may be a secret, and the address is shown in messages".to_owned(),
            help: "remove it; credentials come from the environment: `NNUE_REMOTE_TOKEN`, `NNUE_REMOTE_HEADER`, or `NNUE_REMOTE_CERT` and \
                   `NNUE_REMOTE_CLIENT_KEY`"
                .to_owned(),
            is_secret: true,
        });
    }
    if !url.contains("://") {
        fault("this text", "it has no scheme", &format!("start it with one of {known}"))
    } else if !CLUSTER_SCHEMES.contains(&scheme) {
        fault("this address", &format!("`{scheme}://` is not known here"), &format!("start it with one of {known}"))
    } else if host.is_empty() || host.starts_with(':') {
        fault("this address", "it has no host", "write it as `grpcs://host:port`")
    } else if url.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')) {
        fault("this address", "it has characters that are not allowed in a URL", "percent-encode them")
    } else {
        None
    }
}

/// Checks an address that did not come from a manifest but from `place`, such as `--remote`.
///
/// # Errors
/// When it is not the address of a cluster.
pub fn check_cluster_url(url: &str, place: &str) -> Result<()> {
    let Some(Fault { cause, help, is_secret, .. }) = fault_of(url) else { return Ok(()) };
    let message = if is_secret {
        format!("`{place}` has credentials, or a part behind `?` or `#`, in it")
    } else {
        format!("`{url}` of `{place}` is not the address of a cluster")
    };
    Err(Error::usage(message).because(cause).help(help))
}

/// `250ms`, `30s`, `10m`, `12h`, `2d`, or several together: `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = |of: u64| number.checked_mul(of).map(Duration::from_secs);
        let part = match &rest[..end] {
            "ms" => Some(Duration::from_millis(number)),
            "s" => seconds(1),
            "m" => seconds(60),
            "h" => seconds(3600),
            "d" => seconds(86_400),
            _ => None,
        };
        sum = sum.checked_add(part?)?;
        rest = &rest[end..];
    }
    Some(sum).filter(|_| !text.is_empty())
}

/// The longest time that a manifest may give.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl Reader<'_> {
    pub(super) fn cluster(&mut self, item: &Item) -> Option<Cluster> {
        let fields = self.table(&keys::CLUSTER, "remote", item)?;
        let usual = Cluster::default();
        let cluster = Cluster {
            url: self.cluster_url(&fields, "url"),
            cas: self.cluster_url(&fields, "cas"),
            instance: self.text(&fields, "instance").map(|text| text.value),
            properties: self.properties(&fields),
            stages: self.remote_stages(&fields).unwrap_or(usual.stages),
            jobs: self.integer(&fields, "jobs").map_or(usual.jobs, |jobs| jobs.value),
            timeout: self.duration(&fields, "timeout").unwrap_or(usual.timeout),
            queue_timeout: self.duration(&fields, "queue-timeout").unwrap_or(usual.queue_timeout),
            keepalive: self.duration(&fields, "keepalive"),
            min_seconds: self.number(&fields, "min-seconds").unwrap_or(usual.min_seconds),
            fallback: self.boolean(&fields, "fallback").unwrap_or(usual.fallback),
            tool: fields.get("tool").and_then(|item| self.file("remote.tool", item)),
        };
        self.finish(fields);
        Some(cluster)
    }

    fn cluster_url(&mut self, fields: &Fields<'_>, key: &str) -> Option<Located<String>> {
        let text = self.text(fields, key)?;
        let path = fields.path_of(key);
        let Some(Fault { label, cause, help, is_secret }) = fault_of(&text.value) else { return Some(text) };
        self.problems.push(if is_secret {
            // Without its place: that would show it.
            let message = format!("{}: `{path}` has credentials, or a part behind `?` or `#`, in it", self.texts.line(text.span));
            Problem::without_place(message, cause, help)
        } else {
            Problem::new(format!("`{path}` is not the address of a cluster"), text.span, label, cause, help)
        });
        None
    }

    fn properties(&mut self, fields: &Fields<'_>) -> BTreeMap<String, String> {
        let path = fields.path_of("properties");
        let Some(item) = fields.get("properties") else { return BTreeMap::new() };
        let Value::Table(entries) = &item.value else {
            self.wrong_type(&path, item, "a table", "write `{ OSFamily = \"Linux\" }`, with the names that the cluster's owners gave");
            return BTreeMap::new();
        };
        let read = |reader: &mut Self, name: &str, item: &Item| Some(reader.string(&format!("{path}.{name}"), item)?.value);
        let values = entries.iter().filter_map(|entry| Some((entry.key.value.clone(), read(self, &entry.key.value, &entry.item)?)));
        values.collect()
    }

    fn remote_stages(&mut self, fields: &Fields<'_>) -> Option<Vec<RemoteStage>> {
        let item = fields.get("stages")?;
        let mut stages = self.list(&fields.path_of("stages"), item, |reader, path, item| {
            let text = reader.string(path, item)?;
            let stage = RemoteStage::named(&text.value);
            if stage.is_none() {
                let known = names::<RemoteStage>();
                let help = suggestion(&text.value, &known) + &format!("known: {}", listed(known.iter().copied()));
                let cause = format!("expected {}; the others need files that are here, or end here", RemoteStage::KIND);
                let message = format!("invalid value `{}` for `{path}`", text.value);
                reader.problems.push(Problem::new(message, text.span, "this value", cause, help));
            }
            stage
        })?;
        stages.sort_unstable();
        stages.dedup();
        Some(stages)
    }

    fn duration(&mut self, fields: &Fields<'_>, key: &str) -> Option<Duration> {
        let text = self.text(fields, key)?;
        let path = fields.path_of(key);
        let found = duration(&text.value);
        if let Some(found) = found.filter(|found| (Duration::from_secs(1)..=LONGEST).contains(found)) {
            return Some(found);
        }
        let cause = match found {
            Some(_) => "it must be from 1s to 30d",
            None => "a time is a whole number with ms, s, m, h or d, or several of these",
        };
        self.not_a_time(&path, text.span, cause);
        None
    }

    fn not_a_time(&mut self, path: &str, span: Span, cause: &str) {
        let help = "write it as `30s`, `10m` or `1h30m`";
        self.problems.push(Problem::new(format!("`{path}` is not a time"), span, "this text", cause, help));
    }
}

#[cfg(test)]
mod tests;
