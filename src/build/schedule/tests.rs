use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::ctx::{Backend, Silent};

/// Notes which tasks ran in which order.
struct Fake<F> {
    run: F,
    ran: Mutex<Vec<usize>>,
    failed: Mutex<Vec<(usize, String)>>,
}

impl<F: Fn(usize, &Slot<'_>) -> Result<()> + Sync> Work for Fake<F> {
    fn run(&self, task: usize, slot: &Slot<'_>) -> Result<()> {
        let result = (self.run)(task, slot);
        self.ran.lock().unwrap().push(task);
        result
    }

    fn failed(&self, task: usize, error: Error) {
        self.failed.lock().unwrap().push((task, error.to_string()));
    }

    fn panicked(&self, task: usize) -> String {
        format!("task {task} panicked")
    }
}

type Ran = (Vec<usize>, Vec<(usize, String)>);

fn run_in(ctx: &Ctx, tasks: &Tasks, limits: Limits, run: impl Fn(usize, &Slot<'_>) -> Result<()> + Sync) -> Ran {
    let fake = Fake { run, ran: Mutex::default(), failed: Mutex::default() };
    tasks.run(limits, ctx, &fake);
    (fake.ran.into_inner().unwrap(), fake.failed.into_inner().unwrap())
}

fn run(tasks: &Tasks, workers: usize, keep_going: bool, run: impl Fn(usize) -> Result<()> + Sync) -> Ran {
    run_in(&Ctx::silent(), tasks, Limits { workers, away: 0, keep_going }, |task, _| run(task))
}

/// Two nets of three stages: 0 → 1 → 2 and 3 → 4 → 5.
fn two_nets() -> Tasks {
    Tasks::new(6, [(0, 1), (1, 2), (3, 4), (4, 5)])
}

#[test]
fn what_waits_for_a_task_runs_before_unrelated_tasks() {
    assert_eq!(run(&two_nets(), 1, false, |_| Ok(())).0, [0, 1, 2, 3, 4, 5]);
    let fan_out = Tasks::new(5, [(0, 1), (0, 2), (1, 3)]);
    assert_eq!(run(&fan_out, 1, false, |_| Ok(())).0, [0, 1, 3, 2, 4]);
    assert_eq!(run(&Tasks::new(0, []), 3, false, |_| Ok(())).0, [0; 0]);
}

#[test]
fn a_task_waits_for_all_its_inputs() {
    let fan_in = Tasks::new(5, [(4, 0), (3, 0), (2, 0), (1, 4)]);
    for workers in [1, 2, 8] {
        let (ran, _) = run(&fan_in, workers, false, |_| Ok(()));
        assert_eq!(ran.last(), Some(&0), "{ran:?}");
        assert_eq!(ran.len(), 5);
    }
}

#[test]
fn a_failure_stops_the_rest_unless_it_is_to_go_on() {
    let fail = |task: usize| if task == 1 { Err(Error::new("no")) } else { Ok(()) };
    let (ran, failed) = run(&two_nets(), 1, false, fail);
    assert_eq!((ran, failed), (vec![0, 1], vec![(1, "no".to_owned())]));
    let (ran, failed) = run(&two_nets(), 1, true, fail);
    assert_eq!((ran, failed), (vec![0, 1, 2, 3, 4, 5], vec![(1, "no".to_owned())]), "it is told of a failed input's end");
}

#[test]
fn a_panic_is_a_failure_that_keeps_its_message() {
    let panic = |task: usize| if task == 3 { panic!("index {task} is out of bounds") } else { Ok(()) };
    for workers in [1, 4] {
        let (ran, failed) = run(&two_nets(), workers, true, panic);
        assert_eq!(ran.len(), 5);
        assert_eq!(failed.len(), 1);
        assert!(failed[0].1.starts_with("task 3 panicked: index 3 is out of bounds"), "{failed:?}");
    }
}

#[test]
fn a_cancellation_ends_the_run_and_nobody_keeps_waiting() {
    for workers in [1, 4] {
        let cancel = Arc::new(AtomicBool::new(false));
        let ctx = Ctx::new(cancel.clone(), Arc::new(Silent), Backend::Cpu);
        let chain = Tasks::new(4, [(0, 1), (1, 2), (2, 3)]);
        let (ran, failed) = run_in(&ctx, &chain, Limits { workers, away: 0, keep_going: true }, |task, _| {
            if task == 1 {
                cancel.store(true, Ordering::Relaxed);
            }
            ctx.check()
        });
        assert_eq!(ran, [0, 1]);
        assert_eq!(failed.len(), 1);
    }
}

/// Of six tasks that all go away, all are away at once beside the two that could compute; and never more than two compute.
#[test]
fn who_is_away_leaves_its_place_to_others_and_gets_one_back() {
    let tasks = Tasks::new(7, (0..6).map(|task| (task, 6)));
    let all_away = std::sync::Barrier::new(6);
    let computing = std::sync::atomic::AtomicUsize::new(0);
    let count = |change: usize| {
        let now = computing.fetch_add(change, Ordering::SeqCst).wrapping_add(change);
        assert!(now <= 2, "{now} compute");
    };
    let limits = Limits { workers: 2, away: 4, keep_going: false };
    let (ran, failed) = run_in(&Ctx::silent(), &tasks, limits, |task, slot| {
        count(1);
        if task < 6 {
            count(usize::MAX);
            slot.away(|| all_away.wait());
            count(1);
        }
        count(usize::MAX);
        Ok(())
    });
    assert_eq!((ran.len(), ran.last(), failed.len()), (7, Some(&6), 0));
}

/// One place only: whoever waits for another task's end must not keep that one from it.
#[test]
fn a_panic_while_away_takes_no_place_from_others() {
    let (ran, failed) = run_in(&Ctx::silent(), &Tasks::new(4, []), Limits { workers: 1, away: 2, keep_going: true }, |task, slot| {
        slot.away(|| assert!(task != 1, "lost"));
        Ok(())
    });
    assert_eq!((ran.len(), failed.len()), (3, 1));
}

proptest! {
    #[test]
    fn every_task_of_any_graph_runs_once_after_its_inputs(
        count in 1usize..40,
        pairs in proptest::collection::vec((0usize..40, 0usize..40), 0..120),
        workers in 1usize..5,
    ) {
        let edges: Vec<(usize, usize)> =
            pairs.into_iter().filter(|(a, b)| a != b && *a < count && *b < count).map(|(a, b)| (a.min(b), a.max(b))).collect();
        let (ran, failed) = run(&Tasks::new(count, edges.iter().copied()), workers, false, |_| Ok(()));
        prop_assert!(failed.is_empty());
        let mut sorted = ran.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..count).collect::<Vec<_>>());
        let place = |task: usize| ran.iter().position(|other| *other == task);
        for (input, user) in edges {
            prop_assert!(place(input) < place(user));
        }
    }
}
