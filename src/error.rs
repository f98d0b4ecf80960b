//! One error type for the whole tool: what went wrong, where, why, and what to do.
//!
//! Every room builds an [`Error`] with [`Error::new`] (or [`Error::usage`] …) and adds context as it travels up.
//! Rendering (colour, wrapping) is the command line's business; exit codes are decided from [`Kind`] in `cli` alone.

use std::{borrow::Cow, fmt, io, path::Path};

use crate::{platform, shown};

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of failure this is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A build or a check failed (exit code 1).
    Failed,
    /// The command line or the manifest is wrong (exit code 2).
    Usage,
    /// `--locked` or `verify` found a difference (exit code 3).
    Difference,
    /// Ctrl-C or a cancelled [`crate::ctx::Ctx`] (exit code 130).
    Interrupted,
}

/// A failure that a user can act on.
///
/// `message` says what is wrong and where (paths and names in backticks, no trailing period); `causes` is the chain of
/// reasons, outermost first; `help` says what to do. The struct is boxed inside so that `Result` stays small.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    /// The key of the value that is wrong, where it is one that the user wrote.
    key: Option<&'static str>,
    /// A pre-built diagnostic with source spans (manifest errors); rendered instead of the message.
    report: Option<Box<dyn miette::Diagnostic + Send + Sync>>,
}

impl Error {
    /// A failure of class [`Kind::Failed`].
    pub fn new(message: impl Into<String>) -> Self {
        Self::with_kind(Kind::Failed, message)
    }

    /// A wrong command line or manifest.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::with_kind(Kind::Usage, message)
    }

    /// The work was cancelled.
    pub fn interrupted() -> Self {
        Self::with_kind(Kind::Interrupted, "interrupted")
    }

    /// A failure of any class.
    pub fn with_kind(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: shown(message.into()), causes: Vec::new(), help: None, key: None, report: None }))
    }

    /// A failed file operation: `what` is a verb phrase such as `cannot read`.
    pub fn io(what: &str, path: &Path, source: io::Error) -> Self {
        let help = platform::help_for(&source).or_else(|| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("free some space, then run the same command again"),
            io::ErrorKind::ReadOnlyFilesystem => Some("the file system there is read-only: mount it for writing, or name another place"),
            io::ErrorKind::OutOfMemory => Some("there is not enough memory for it now: free some, then run the same command again"),
            io::ErrorKind::Interrupted => Some("the system broke it off, which is no fault of the file: run the same command again"),
            io::ErrorKind::PermissionDenied => Some("check the owner and the permissions of the file and its folder"),
            _ => None,
        });
        let mut error = Self::new(format!("{what} `{}`", path.display())).because(source);
        error.0.help = help.map(str::to_owned);
        error
    }

    /// Wraps a diagnostic that knows its source text (a manifest with spans).
    pub fn from_report(kind: Kind, report: impl miette::Diagnostic + Send + Sync + 'static) -> Self {
        let mut error = Self::with_kind(kind, report.to_string());
        error.0.report = Some(Box::new(report));
        error
    }

    /// Adds a reason at the end of the chain of causes.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.causes.push(shown(cause.to_string()));
        self
    }

    /// Puts a new outermost message in front; the old message becomes the first cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let old = std::mem::replace(&mut self.0.message, shown(message.into()));
        self.0.causes.insert(0, old);
        self
    }

    /// A copy with a new outermost message; one with source text stays as it is, since that says more.
    #[must_use]
    pub fn in_context(&self, message: impl Into<String>) -> Option<Self> {
        if self.0.report.is_some() {
            return None;
        }
        let inner = &self.0;
        let copy = Inner {
            kind: inner.kind,
            message: inner.message.clone(),
            causes: inner.causes.clone(),
            help: inner.help.clone(),
            key: inner.key,
            report: None,
        };
        Some(Self(Box::new(copy)).context(message))
    }

    /// Says what to do. A help that is already there stays: it was given nearer to the fault.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        if self.0.help.is_none() {
            self.0.help = Some(shown(help.into()));
        }
        self
    }

    /// As [`help`](Self::help), in place of one that is already there: of somebody who knows how the user speaks of it.
    #[must_use]
    pub fn help_instead(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(shown(help.into()));
        self
    }

    /// Changes the class, for example of a bad file named on the command line.
    #[must_use]
    pub fn kind_is(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Says which value of the user's is wrong, by its key in the manifest: whoever knows where it was written can point there.
    #[must_use]
    pub fn about(mut self, key: &'static str) -> Self {
        self.0.key = Some(key);
        self
    }

    /// The manifest's key of the value that is wrong.
    pub fn key(&self) -> Option<&'static str> {
        self.0.key
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What is wrong and where, without causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The chain of reasons, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// What to do, where something can be done.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The diagnostic with source spans, for errors that have one.
    pub fn report(&self) -> Option<&(dyn miette::Diagnostic + Send + Sync)> {
        self.0.report.as_deref()
    }
}

/// A text that may hold what stands in files of others: nothing in it does anything to a terminal, and it has an end.
fn shown(text: String) -> String {
    let text = shown::bounded(text, shown::MESSAGE);
    match shown::clean(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for cause in &self.0.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        if let Some(help) = &self.0.help {
            write!(f, " (help: {help})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
