//! Progress, notes and warnings on stderr: bars on a terminal, lines elsewhere, or JSON.
//!
//! Lines are few unless `-v` is given: a task that is over soon is not mentioned, a long one says every now and then how far it is. Bars
//! come for what takes longer than a blink, so that a build of many small nets does not flicker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::log::{self, LogFormat};
use super::terminal::{Style, Verbosity, annotations_to_stderr, to_stderr, width_of_stderr};
use super::units::{clock, figures};
use crate::build::NetReport;
use crate::ctx::{self, Progress, Scope};
use crate::shown;

/// Without `-v`, a task that is shorter is not worth a line.
const SHORT: Duration = Duration::from_secs(3);

/// Between two lines that say how far a task is.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Likewise in JSON.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

/// Between two looks at the bars; a task that is shorter has none.
const BETWEEN_BARS: Duration = Duration::from_millis(120);

/// Columns of a terminal that does not say.
const COLUMNS: usize = 80;

/// The command line's [`Progress`].
pub(super) struct Reporter {
    verbosity: Verbosity,
    style: Style,
    /// Only on a terminal.
    bars: Option<MultiProgress>,
    state: Arc<Mutex<State>>,
    drawn: Once,
    /// What Ctrl-C sets: what ends after it is not done.
    stopped: OnceLock<Arc<AtomicBool>>,
}

#[derive(Default)]
struct State {
    running: Vec<Task>,
    warnings: Vec<String>,
}

struct Task {
    scope: Option<Scope>,
    name: String,
    /// A stage as a whole: what it counts under its own name is its progress, and it is over when the stage is.
    whole: bool,
    done: u64,
    total: Option<u64>,
    unit: &'static str,
    /// What it does where it counts nothing.
    state: String,
    started: Instant,
    /// Since when units are counted.
    counted: Instant,
    /// When something was said of it last.
    said: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Task {
    fn new(task: ctx::Task<'_>, total: Option<u64>, unit: &'static str, now: Instant) -> Self {
        let name = task.name.or(task.scope.map(|scope| scope.stage)).unwrap_or_default().to_owned();
        let (scope, whole) = (task.scope.cloned(), task.name.is_none());
        Self { scope, name, whole, done: 0, total, unit, state: String::new(), started: now, counted: now, said: None, bar: None }
    }

    fn is(&self, task: ctx::Task<'_>) -> bool {
        let name = task.name.or(task.scope.map(|scope| scope.stage));
        self.scope.as_ref() == task.scope && Some(self.name.as_str()) == name
    }

    fn seen(&self, now: Instant) -> log::Task<'_> {
        let since = |then| now.saturating_duration_since(then).as_secs_f64();
        let (seconds, counting) = (since(self.started), since(self.counted));
        let (scope, name) = (self.scope.as_ref(), self.name.as_str());
        log::Task { scope, name, done: self.done, total: self.total, unit: self.unit, seconds, counting }
    }

    /// What it is called on a line, in this many columns: of what is too long first the part of the stage goes, then the middle of the
    /// net's name, never the stage.
    fn label(&self, most: usize) -> String {
        let Some(Scope { net, stage }) = &self.scope else { return shown::shortened(&self.name, most) };
        let part = if self.name == *stage { String::new() } else { format!(" ({})", self.name) };
        let of_net = |what: &str| most.saturating_sub(shown::columns(what));
        let what = [format!(" {stage}{part}"), format!(" {stage}")];
        let fits = |what: &&String| of_net(what) >= shown::columns(net).min(6);
        match what.iter().find(fits) {
            Some(what) => shown::shortened(net, of_net(what)) + what,
            None => shown::shortened(&format!("{net} {stage}"), most),
        }
    }

    fn start_line(&self, style: Style) -> String {
        let label = self.label(shown::NAME);
        match (style.format, self.total) {
            (LogFormat::Json, _) => log::task("start", &self.seen(self.started)),
            (LogFormat::Text | LogFormat::Github, Some(total)) => format!("{label}: {} {}", figures(total as f64), self.unit),
            (LogFormat::Text | LogFormat::Github, None) => format!("{label}: started"),
        }
    }

    fn progress_line(&self, style: Style, now: Instant) -> String {
        let seen = self.seen(now);
        if style.format == LogFormat::Json {
            return log::task("progress", &seen);
        }
        let total = self.total.map(|total| format!(" of {}", figures(total as f64))).unwrap_or_default();
        let left = seen.left().map(|left| format!(", {} left", clock(left))).unwrap_or_default();
        let (label, done, rate) = (self.label(shown::NAME), figures(self.done as f64), figures(seen.rate()));
        format!("{label}: {done}{total} {}, {rate} a second{left}", self.unit)
    }

    fn finish_line(&self, style: Style, now: Instant) -> String {
        let seen = self.seen(now);
        match style.format {
            LogFormat::Json => log::task("finish", &seen),
            LogFormat::Text | LogFormat::Github => format!("{}: done in {:.2} s", self.label(shown::NAME), seen.seconds),
        }
    }

    fn state_line(&self, style: Style, now: Instant) -> String {
        match style.format {
            LogFormat::Json => log::state(&self.seen(now), &self.state),
            LogFormat::Text | LogFormat::Github => format!("{}: {}", self.label(shown::NAME), shown::line(&self.state)),
        }
    }

    /// The line that a terminal of this many columns shows.
    fn bar_line(&self, columns: usize, now: Instant) -> String {
        let seen = self.seen(now);
        let width = (columns * 2 / 5).clamp(12, 44);
        let label = shown::left(&self.label(width), width);
        let rate = format!("{}/s", figures(seen.rate()));
        let Some(total) = self.total else {
            let count = match (self.unit, &self.state) {
                ("", state) if state.is_empty() => String::new(),
                ("", state) => format!(" {}", shown::shortened(state, columns.saturating_sub(width + 8))),
                (unit, _) => format!(" {} {unit} {rate}", figures(self.done as f64)),
            };
            return format!("{label}{count} {}", clock(seen.seconds));
        };
        let share = if total == 0 { 1.0 } else { (self.done as f64 / total as f64).min(1.0) };
        let left = seen.left().map(clock).unwrap_or_default();
        let mut tail = format!(" {:>3.0}% {rate:>7} {left:>6}", (100.0 * share).floor());
        let room = |tail: &str| columns.saturating_sub(width + shown::columns(tail) + " []".len() + 1);
        let count = format!(" {:>5}/{} {}", figures(self.done as f64), figures(total as f64), self.unit);
        if room(&tail) >= 20 + shown::columns(&count) {
            tail.insert_str(0, &count);
        }
        let room = room(&tail).min(30);
        let full = (share * room as f64) as usize;
        let bar: String = (0..room)
            .map(|at| {
                if at < full {
                    '='
                } else if at == full {
                    '>'
                } else {
                    ' '
                }
            })
            .collect();
        format!("{label} [{bar}]{tail}")
    }
}

impl State {
    fn find(&mut self, task: ctx::Task<'_>) -> Option<&mut Task> {
        self.running.iter_mut().rev().find(|running| running.is(task))
    }

    /// Draws the bars of what takes a while. Of a stage and what it does only the latter is shown.
    fn draw(&mut self, bars: &MultiProgress, columns: usize, now: Instant) {
        let parts: Vec<Option<Scope>> = self.running.iter().filter(|task| !task.whole).map(|task| task.scope.clone()).collect();
        for task in &mut self.running {
            if task.whole && parts.contains(&task.scope) {
                task.bar.take().iter().for_each(ProgressBar::finish_and_clear);
            } else if now.saturating_duration_since(task.started) >= BETWEEN_BARS {
                let style = || ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar = task.bar.get_or_insert_with(|| bars.add(ProgressBar::new_spinner().with_style(style())));
                // The line borrows the task as a whole.
                let bar = bar.clone();
                bar.set_message(task.bar_line(columns, now));
            }
        }
    }
}

impl Reporter {
    pub(super) fn new(verbosity: Verbosity, style: Style) -> Self {
        let shows_bars = style.terminal && style.format != LogFormat::Json && verbosity != Verbosity::Quiet;
        Self {
            verbosity,
            style,
            bars: shows_bars.then(MultiProgress::new),
            state: Arc::default(),
            drawn: Once::new(),
            stopped: OnceLock::new(),
        }
    }

    /// Gets to know the flag that stops the work.
    pub(super) fn stopped_by(&self, flag: &Arc<AtomicBool>) {
        self.stopped.get_or_init(|| flag.clone());
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

    /// Says what became of a net, to programs: people are told on stdout.
    pub(super) fn net(&self, report: &NetReport) {
        if self.style.format == LogFormat::Json && self.verbosity != Verbosity::Quiet {
            self.line(&log::net(report));
        }
    }

    /// Prints text that has its form already, above the bars.
    pub(super) fn line(&self, text: &str) {
        self.above(|| to_stderr(text));
    }

    /// Does what writes to a terminal while no bar is there.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
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

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // What is behind the lock is whole after every statement.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws bars as long as there is somebody to draw them for. Where the thread cannot be started there are none.
fn draw_in_background(bars: MultiProgress, state: Weak<Mutex<State>>) {
    let draw = move || {
        while let Some(state) = state.upgrade() {
            lock(&state).draw(&bars, width_of_stderr().unwrap_or(COLUMNS), Instant::now());
            drop(state);
            std::thread::sleep(BETWEEN_BARS);
        }
    };
    let _ = std::thread::Builder::new().name("progress".to_owned()).spawn(draw);
}

impl Progress for Reporter {
    fn start(&self, task: ctx::Task<'_>, total: Option<u64>, unit: &'static str) {
        if let Some(bars) = &self.bars {
            self.drawn.call_once(|| draw_in_background(bars.clone(), Arc::downgrade(&self.state)));
        }
        let now = Instant::now();
        if let Some(whole) = self.state().find(task).filter(|running| running.whole && task.name.is_some()) {
            (whole.done, whole.total, whole.unit, whole.counted) = (0, total, unit, now);
            return;
        }
        let mut task = Task::new(task, total, unit, now);
        if self.says_all_steps() {
            task.said = Some(now);
            self.line(&task.start_line(self.style));
        }
        self.state().running.push(task);
    }

    fn advance(&self, task: ctx::Task<'_>, done: u64) {
        let news = {
            let mut state = self.state();
            let Some(task) = state.find(task) else { return };
            task.done = task.done.saturating_add(done);
            self.news(task, Instant::now())
        };
        if let Some(line) = news {
            self.line(&line);
        }
    }

    fn finish(&self, task: ctx::Task<'_>) {
        let ended = {
            let running = &mut self.state().running;
            // What a stage counts under its own name ends with the stage.
            let ends = |running: &Task| running.is(task) && running.whole == task.name.is_none();
            running.iter().rposition(ends).map(|index| running.remove(index))
        };
        let Some(ended) = ended else { return };
        if let Some(bar) = &ended.bar {
            bar.finish_and_clear();
        }
        let now = Instant::now();
        if self.style.format != LogFormat::Json && self.stopped.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return;
        }
        if self.says_steps() && (ended.said.is_some() || now.saturating_duration_since(ended.started) >= SHORT) {
            self.line(&ended.finish_line(self.style, now));
        }
    }

    fn doing(&self, task: ctx::Task<'_>, state: &str) {
        let line = {
            let mut running = self.state();
            let Some(task) = running.find(task).filter(|task| task.state != state) else { return };
            task.state = state.to_owned();
            let now = Instant::now();
            let says = self.says_all_steps() || (self.says_steps() && task.said.is_some());
            says.then(|| task.state_line(self.style, now))
        };
        if let Some(line) = line {
            self.line(&line);
        }
    }

    fn note(&self, message: &str) {
        Self::note(self, message);
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
            match self.style.format {
                LogFormat::Json => self.line(&log::message("warning", message)),
                LogFormat::Text => self.line(&format!("{} {}", self.style.paint("warning:", "1;33"), shown::clean(message))),
                LogFormat::Github => self.above(|| annotations_to_stderr(&[log::github::message("warning", message)])),
            }
        }
    }
}

#[cfg(test)]
mod tests;
