use super::*;

#[test]
fn warnings_are_kept_once_each_and_tasks_may_share_a_name() {
    let reporter = Reporter::new(Verbosity::Quiet, Style { terminal: false, color: false, format: LogFormat::Text });
    for message in ["a", "b", "a"] {
        reporter.warn(message);
    }
    assert_eq!(reporter.warnings(), ["a", "b"]);
    let gather = ctx::Task { scope: None, name: Some("gather") };
    reporter.start(gather, Some(3), "positions");
    reporter.start(gather, None, "positions");
    reporter.advance(gather, 1);
    reporter.finish(gather);
    assert_eq!(reporter.state().running.len(), 1);
    reporter.finish(gather);
    reporter.finish(gather);
    assert!(reporter.state().running.is_empty());
}

/// A task of this name, of a stage where one is given, that did 50 of 200 units.
fn task(scope: Option<&Scope>, name: Option<&str>, started: Instant) -> Task {
    Task { done: 50, ..Task::new(ctx::Task { scope, name }, Some(200), "positions", started) }
}

#[test]
fn long_tasks_say_now_and_then_how_far_they_are() {
    let style = |format| Style { terminal: false, color: false, format };
    let started = Instant::now();
    let news = |verbosity, format, said: Option<u64>, after: u64| {
        let said = said.map(|seconds| started + Duration::from_secs(seconds));
        let mut task = Task { said, ..task(None, Some("gather"), started) };
        Reporter::new(verbosity, style(format)).news(&mut task, started + Duration::from_secs(after))
    };
    let text = |said, after| news(Verbosity::Normal, LogFormat::Text, said, after);
    assert_eq!(text(None, 2), None);
    assert_eq!(text(None, 3).as_deref(), Some("gather: 200 positions"));
    assert_eq!(text(Some(3), 12), None);
    assert_eq!(text(Some(3), 25).as_deref(), Some("gather: 50 of 200 positions, 2 a second, 1m15s left"));
    assert_eq!(text(Some(3), 400).as_deref(), Some("gather: 50 of 200 positions, 0.12 a second, 20m00s left"));
    assert_eq!(news(Verbosity::Quiet, LogFormat::Text, Some(3), 25), None);
    assert_eq!(news(Verbosity::Quiet, LogFormat::Json, Some(3), 25), None);
    assert_eq!(news(Verbosity::Normal, LogFormat::Json, Some(24), 24), None);
    assert!(news(Verbosity::Normal, LogFormat::Json, Some(24), 25).unwrap().contains(r#""event":"progress""#));
    let line = task(None, Some("gather"), started).finish_line(style(LogFormat::Text), started + Duration::from_millis(4320));
    assert_eq!(line, "gather: done in 4.32 s");
}

fn scope(net: &str) -> Scope {
    Scope { net: net.to_owned(), stage: "gather" }
}

#[test]
fn a_stage_and_what_it_counts_are_one_task() {
    let reporter = Reporter::new(Verbosity::Quiet, Style { terminal: false, color: false, format: LogFormat::Text });
    let (big, other) = (scope("big"), scope("other"));
    let of = |scope, name| ctx::Task { scope: Some(scope), name };
    reporter.start(of(&big, None), None, "");
    reporter.start(of(&other, None), None, "");
    reporter.start(of(&big, Some("positions")), None, "entries");
    reporter.finish(of(&big, Some("positions")));
    reporter.start(of(&big, Some("gather")), Some(7), "positions");
    reporter.advance(of(&big, Some("gather")), 5);
    reporter.finish(of(&big, Some("gather")));
    let seen: Vec<_> = reporter.state().running.iter().map(|task| (task.label(40), task.done, task.total)).collect();
    assert_eq!(seen, [("big gather".to_owned(), 5, Some(7)), ("other gather".to_owned(), 0, None)], "it ends with its stage");
    reporter.finish(of(&big, None));
    reporter.finish(of(&other, None));
    assert!(reporter.state().running.is_empty());
}

#[test]
fn bars_fit_and_always_name_the_stage() {
    let started = Instant::now();
    let now = started + Duration::from_secs(25);
    let long = scope("nightly/run_0/lightning_logs/version_0/epoch=10-step=500");
    let tasks = [
        (task(Some(&scope("big")), None, started), "big gather           [=>    ]  25%     2/s  1m15s"),
        (task(Some(&long), None, started), "nightl…ep=500 gather"),
        (task(Some(&long), Some("positions"), started), "nightl…ep=500 gather"),
        (task(Some(&scope("big")), Some("positions"), started), "big gather  "),
        (task(None, Some("hash a/very/long/path/to/training/data.binpack"), started), "hash "),
    ];
    for (mut task, part) in tasks {
        for columns in [20, 50, 80, 120, 200] {
            let line = task.bar_line(columns, now);
            assert!(columns < 50 || shown::columns(&line) <= columns, "{columns}: {line}");
        }
        let line = task.bar_line(50, now);
        assert!(line.contains(part), "{line}");
        assert!(task.scope.is_none() || line.contains(" gather "), "{line}");
        assert!(task.bar_line(120, now).contains("    50/200 positions "), "{}", task.bar_line(120, now));
        (task.total, task.done) = (None, 12_345_678);
        let line = task.bar_line(50, now);
        assert!(shown::columns(&line) <= 50 && line.ends_with(" 12.3M positions 494k/s 25s"), "{line}");
        (task.total, task.done, task.unit) = (Some(u64::MAX), u64::MAX / 2, "bytes");
        assert!(shown::columns(&task.bar_line(50, now)) <= 50, "{}", task.bar_line(50, now));
    }
}

#[test]
fn a_stage_elsewhere_says_what_it_waits_for() {
    let reporter = Reporter::new(Verbosity::Quiet, Style { terminal: false, color: false, format: LogFormat::Text });
    let big = scope("big");
    let whole = ctx::Task { scope: Some(&big), name: None };
    reporter.start(whole, None, "");
    reporter.doing(whole, "running on worker-3");
    let state = reporter.state();
    let [task] = state.running.as_slice() else { panic!("one task") };
    let now = task.started + Duration::from_secs(41);
    assert!(task.bar_line(80, now).ends_with(" running on worker-3 41s"), "{}", task.bar_line(80, now));
    assert!(shown::columns(&task.bar_line(50, now)) <= 50, "{}", task.bar_line(50, now));
    let style = |format| Style { terminal: false, color: false, format };
    assert_eq!(task.state_line(style(LogFormat::Text), now), "big gather: running on worker-3");
    let expected =
        r#"{"schema":1,"event":"state","net":"big","stage":"gather","task":"gather","state":"running on worker-3","seconds":41.0}"#;
    assert_eq!(task.state_line(style(LogFormat::Json), now), expected);
}

#[test]
fn what_was_said_is_not_said_again_at_once() {
    let reporter = Reporter::new(Verbosity::Normal, Style { terminal: false, color: false, format: LogFormat::Json });
    let started = Instant::now();
    let mut task = Task { said: Some(started), ..task(None, Some("a"), started) };
    let said = (0..10_000).filter(|step| reporter.news(&mut task, started + Duration::from_millis(*step)).is_some()).count();
    assert_eq!(said, 9);
}
