//! Progress, notes and warnings on stderr: bars on a terminal, lines elsewhere, or JSON.
//!
//! Lines are few unless `-v` is given: a task that is over soon is not mentioned, a long one says every now and then how far it is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::log::{self, LogFormat};
use super::terminal::{Style, Verbosity, to_stderr};
use crate::ctx::Progress;
use crate::shown;

/// Without `-v`, a task that is shorter is not worth a line.
const SHORT: Duration = Duration::from_secs(3);

/// Between two lines that say how far a task is.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Likewise in JSON.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

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
    done: u64,
    total: Option<u64>,
    unit: &'static str,
    started: Instant,
    /// When something was said of it last.
    said: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Task {
    fn seen(&self, now: Instant) -> log::Task<'_> {
        let seconds = now.saturating_duration_since(self.started).as_secs_f64();
        log::Task { name: &self.name, done: self.done, total: self.total, unit: self.unit, seconds }
    }

    fn start_line(&self, style: Style) -> String {
        match (style.format, self.total) {
            (LogFormat::Json, _) => log::task("start", &self.seen(self.started)),
            (LogFormat::Text | LogFormat::Github, Some(total)) => format!("{}: {total} {}", self.name, self.unit),
            (LogFormat::Text | LogFormat::Github, None) => format!("{}: started", self.name),
        }
    }

    fn progress_line(&self, style: Style, now: Instant) -> String {
        let seen = self.seen(now);
        if style.format == LogFormat::Json {
            return log::task("progress", &seen);
        }
        let total = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let left = seen.left().map(|left| format!(", {left:.0} s left")).unwrap_or_default();
        format!("{}: {}{total} {}, {:.0} a second{left}", self.name, self.done, self.unit, seen.rate())
    }

    fn finish_line(&self, style: Style, now: Instant) -> String {
        let seen = self.seen(now);
        match style.format {
            LogFormat::Json => log::task("finish", &seen),
            LogFormat::Text | LogFormat::Github => format!("{}: done in {:.2} s", self.name, seen.seconds),
        }
    }
}

impl Reporter {
    pub(super) fn new(verbosity: Verbosity, style: Style) -> Self {
        let shows_bars = style.terminal && style.format != LogFormat::Json && verbosity != Verbosity::Quiet;
        Self { verbosity, style, bars: shows_bars.then(MultiProgress::new), state: Mutex::default() }
    }

    /// The distinct warnings so far, in order.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    /// Says what goes on.
    pub(super) fn note(&self, message: &str) {
        if self.verbosity != Verbosity::Quiet {
            self.line(&match self.style.format {
                LogFormat::Json => log::message("note", message),
                LogFormat::Text | LogFormat::Github => shown::clean(message).into_owned(),
            });
        }
    }

    /// Prints text that has its form already, above the bars.
    pub(super) fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| to_stderr(text)),
            None => to_stderr(text),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is behind the lock is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether steps are said where no bar shows them.
    fn says_steps(&self) -> bool {
        self.bars.is_none() && self.verbosity != Verbosity::Quiet
    }

    /// Whether also the start and the end of a short task are worth a line.
    fn says_all_steps(&self) -> bool {
        self.says_steps() && (self.verbosity == Verbosity::Verbose || self.style.format == LogFormat::Json)
    }

    /// What is to be said of a task that went on. Called some thousand times a second.
    fn news(&self, task: &mut Task, now: Instant) -> Option<String> {
        if !self.says_steps() {
            return None;
        }
        let between = if self.style.format == LogFormat::Json { BETWEEN_EVENTS } else { BETWEEN_LINES };
        let line = match task.said {
            Some(said) if now.saturating_duration_since(said) >= between => task.progress_line(self.style, now),
            None if now.saturating_duration_since(task.started) >= SHORT => task.start_line(self.style),
            _ => return None,
        };
        task.said = Some(now);
        Some(line)
    }
}

impl Progress for Reporter {
    fn start(&self, task: &str, total: Option<u64>, unit: &'static str) {
        let shown = shown::shortened(task, 40);
        let bar = self.bars.as_ref().map(|bars| {
            let (bar, template) = match total {
                Some(total) => (
                    ProgressBar::new(total),
                    format!("{{prefix:>12}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"),
                ),
                None => (ProgressBar::new_spinner(), format!("{{prefix:>12}} {{spinner}} {{human_pos}} {unit}, {{per_sec}}, {{elapsed}}")),
            };
            let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bars.add(bar.with_style(style.progress_chars("=> ")).with_prefix(shown.clone()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let started = Instant::now();
        let said = self.says_all_steps().then_some(started);
        let task = Task { name: task.to_owned(), done: 0, total, unit, started, said, bar };
        if said.is_some() {
            self.line(&task.start_line(self.style));
        }
        self.state().running.push(task);
    }

    fn advance(&self, task: &str, done: u64) {
        let news = {
            let mut state = self.state();
            let Some(task) = state.running.iter_mut().rev().find(|running| running.name == task) else { return };
            task.done = task.done.saturating_add(done);
            if let Some(bar) = &task.bar {
                bar.inc(done);
            }
            self.news(task, Instant::now())
        };
        if let Some(line) = news {
            self.line(&line);
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
        let now = Instant::now();
        if self.says_steps() && (ended.said.is_some() || now.saturating_duration_since(ended.started) >= SHORT) {
            self.line(&ended.finish_line(self.style, now));
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
            self.line(&match self.style.format {
                LogFormat::Json => log::message("warning", message),
                LogFormat::Text => format!("{} {}", self.style.paint("warning:", "1;33"), shown::clean(message)),
                LogFormat::Github => log::github::message("warning", message),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_kept_once_each_and_tasks_may_share_a_name() {
        let reporter = Reporter::new(Verbosity::Quiet, Style { terminal: false, color: false, format: LogFormat::Text });
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

    #[test]
    fn long_tasks_say_now_and_then_how_far_they_are() {
        let style = |format| Style { terminal: false, color: false, format };
        let started = Instant::now();
        let task = |said| Task { name: "gather".into(), done: 50, total: Some(200), unit: "positions", started, said, bar: None };
        let news = |verbosity, format, said: Option<u64>, after: u64| {
            let said = said.map(|seconds| started + Duration::from_secs(seconds));
            Reporter::new(verbosity, style(format)).news(&mut task(said), started + Duration::from_secs(after))
        };
        let text = |said, after| news(Verbosity::Normal, LogFormat::Text, said, after);
        assert_eq!(text(None, 2), None);
        assert_eq!(text(None, 3).as_deref(), Some("gather: 200 positions"));
        assert_eq!(text(Some(3), 12), None);
        assert_eq!(text(Some(3), 25).as_deref(), Some("gather: 50 of 200 positions, 2 a second, 75 s left"));
        assert_eq!(news(Verbosity::Quiet, LogFormat::Text, Some(3), 25), None);
        assert_eq!(news(Verbosity::Quiet, LogFormat::Json, Some(3), 25), None);
        assert_eq!(news(Verbosity::Normal, LogFormat::Json, Some(24), 24), None);
        assert!(news(Verbosity::Normal, LogFormat::Json, Some(24), 25).unwrap().contains(r#""event":"progress""#));
        assert_eq!(task(None).finish_line(style(LogFormat::Text), started + Duration::from_millis(4320)), "gather: done in 4.32 s");
    }

    #[test]
    fn what_was_said_is_not_said_again_at_once() {
        let reporter = Reporter::new(Verbosity::Normal, Style { terminal: false, color: false, format: LogFormat::Json });
        let started = Instant::now();
        let mut task = Task { name: "a".into(), done: 0, total: None, unit: "things", started, said: Some(started), bar: None };
        let said = (0..10_000).filter(|step| reporter.news(&mut task, started + Duration::from_millis(*step)).is_some()).count();
        assert_eq!(said, 9);
    }
}
