//! `[cache]`: where results are kept besides the local cache.

use super::{
    super::{
        keys::{self, REMOTE_SCHEMES},
        text::{Located, Problem},
        tree::Item,
    },
    reader::Reader,
};
use crate::words::RemoteMode;

/// A cache that machines share. How results are kept is part of no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCache {
    /// `http://`, `https://`, `s3://`, `gs://`, `az://`, `grpc://` or `grpcs://` with a host or a bucket; without credentials.
    pub url: Located<String>,
    /// What may be done with it.
    pub mode: Located<RemoteMode>,
}

impl Reader<'_> {
    pub(super) fn cache(&mut self, item: &Item) -> Option<RemoteCache> {
        let fields = self.table(&keys::CACHE, "cache", item)?;
        let remote = fields.get("remote").map(|item| self.remote_cache(&fields.path_of("remote"), item));
        self.finish(fields);
        remote?
    }

    fn remote_cache(&mut self, path: &str, item: &Item) -> Option<RemoteCache> {
        let fields = self.table(&keys::REMOTE, path, item)?;
        let url = self.required(&fields, "url").and_then(|(key, item)| self.remote_url(&key, item));
        let mode = self.word(&fields, "mode").unwrap_or_else(|| fields.default(RemoteMode::default()));
        self.finish(fields);
        Some(RemoteCache { url: url?, mode })
    }

    /// The address of a remote cache: a scheme, a host or bucket, a folder; nothing that could be a secret.
    fn remote_url(&mut self, key: &str, item: &Item) -> Option<Located<String>> {
        let text = self.string(key, item)?;
        let url = text.value.as_str();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') || rest.contains(['?', '#']) {
            let what = if host.contains('@') { "credentials" } else { "a part behind `?` or `#`" };
            let cause = "it may be a secret, and the address is shown in messages";
            let help = "remove them; credentials come from the environment: `NNUE_REMOTE_CACHE_TOKEN`, or `NNUE_REMOTE_CACHE_USER` and \
                        `NNUE_REMOTE_CACHE_PASSWORD`, or what the cloud's own tools take";
            // Without its place: that would show them.
            self.problems.push(Problem::without_place(format!("{}: `{key}` has {what} in it", self.texts.line(text.span)), cause, help));
            return None;
        }
        let known = REMOTE_SCHEMES.map(|scheme| format!("`{scheme}://`")).join(", ");
        let (label, cause, help) = if !url.contains("://") {
            ("this text", "it has no scheme".to_owned(), format!("start it with one of {known}"))
        } else if !REMOTE_SCHEMES.contains(&scheme) {
            ("this address", format!("`{scheme}://` is not known"), format!("start it with one of {known}"))
        } else if host.is_empty() {
            let what = if scheme.starts_with("http") || scheme.starts_with("grpc") { "host" } else { "bucket" };
            ("this address", format!("it has no {what}"), "write it as `https://host/folder` or `s3://bucket/folder`".to_owned())
        } else if url.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')) {
            ("this address", "it has characters that are not allowed in a URL".to_owned(), "percent-encode them".to_owned())
        } else {
            return Some(text);
        };
        self.problems.push(Problem::new(format!("`{key}` is not the address of a remote cache"), text.span, label, cause, help));
        None
    }
}
