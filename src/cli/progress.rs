//! Progress and warnings on stderr: bars on a terminal, lines with `-v` elsewhere, nothing otherwise.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::global::Verbosity;
use super::report::Style;
use crate::ctx::Progress;

/// The command line's [`Progress`].
pub(super) struct Reporter {
    verbosity: Verbosity,
    style: Style,
    /// Only on a terminal.
    bars: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Vec<Task>,
    warnings: Vec<String>,
}

struct Task {
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Reporter {
    pub(super) fn new(verbosity: Verbosity, style: Style) -> Self {
        let bars = (style.terminal && verbosity != Verbosity::Quiet).then(MultiProgress::new);
        Self { verbosity, style, bars, state: Mutex::default() }
    }

    /// The distinct warnings so far, in order.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    /// Says what goes on.
    pub(super) fn note(&self, message: &str) {
        if self.verbosity != Verbosity::Quiet {
            self.line(message);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is behind the lock is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| to_stderr(text)),
            None => to_stderr(text),
        }
    }

    /// Steps are said line by line with `-v` where no bar shows them.
    fn says_steps(&self) -> bool {
        self.bars.is_none() && self.verbosity == Verbosity::Verbose
    }
}

impl Progress for Reporter {
    fn start(&self, task: &str, total: Option<u64>, unit: &'static str) {
        let bar = self.bars.as_ref().map(|bars| {
            let (bar, template) = match total {
                Some(total) => (
                    ProgressBar::new(total),
                    format!("{{prefix:>12}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"),
                ),
                None => (ProgressBar::new_spinner(), format!("{{prefix:>12}} {{spinner}} {{human_pos}} {unit}, {{per_sec}}, {{elapsed}}")),
            };
            let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bars.add(bar.with_style(style.progress_chars("=> ")).with_prefix(task.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if self.says_steps() {
            self.line(&match total {
                Some(total) => format!("{task}: {total} {unit}"),
                None => format!("{task}: started"),
            });
        }
        self.state().running.push(Task { name: task.to_owned(), started: Instant::now(), bar });
    }

    fn advance(&self, task: &str, done: u64) {
        if let Some(Task { bar: Some(bar), .. }) = self.state().running.iter().rev().find(|running| running.name == task) {
            bar.inc(done);
        }
    }

    fn finish(&self, task: &str) {
        let ended = {
            let running = &mut self.state().running;
            running.iter().rposition(|running| running.name == task).map(|index| running.remove(index))
        };
        let Some(ended) = ended else { return };
        if let Some(bar) = &ended.bar {
            bar.finish_and_clear();
        }
        if self.says_steps() {
            self.line(&format!("{task}: done in {:.2} s", ended.started.elapsed().as_secs_f64()));
        }
    }

    fn warn(&self, message: &str) {
        {
            let warnings = &mut self.state().warnings;
            if warnings.iter().any(|earlier| earlier == message) {
                return;
            }
            warnings.push(message.to_owned());
        }
        if self.verbosity != Verbosity::Quiet {
            self.line(&format!("{} {message}", self.style.paint("warning:", "1;33")));
        }
    }
}

/// Writes a line to stderr; where that fails there is nobody left to tell.
pub(super) fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_kept_once_each_and_tasks_may_share_a_name() {
        let reporter = Reporter::new(Verbosity::Quiet, Style { terminal: false, color: false });
        for message in ["a", "b", "a"] {
            reporter.warn(message);
        }
        assert_eq!(reporter.warnings(), ["a", "b"]);
        reporter.start("gather", Some(3), "positions");
        reporter.start("gather", None, "positions");
        reporter.advance("gather", 1);
        reporter.finish("gather");
        assert_eq!(reporter.state().running.len(), 1);
        reporter.finish("gather");
        reporter.finish("gather");
        assert!(reporter.state().running.is_empty());
    }
}
