//! A scheduler of tasks that wait for each other: which may run, in which order, by how many threads, and when to stop.
//!
//! Knows nothing of what a task is. Tasks are numbers; what they do and what their inputs left is [`Work`]'s. Nothing polls: a thread
//! that has nothing to do sleeps until another one is done with a task. Whoever waits does so for a running task, which notices a
//! cancellation itself and wakes the others by ending.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::panics;

/// Which tasks wait for which.
pub(super) struct Tasks {
    /// How many others each waits for.
    inputs: Vec<usize>,
    /// Which others wait for each, in the order in which they are to run.
    users: Vec<Vec<usize>>,
}

/// What tasks do.
pub(super) trait Work: Sync {
    /// Runs a task. All its inputs are over, whether they succeeded or not.
    ///
    /// # Errors
    /// Its failure; [`Work::failed`] gets it.
    fn run(&self, task: usize, slot: &Slot<'_>) -> Result<()>;

    /// Hears of the failure of a task, a panic in it included, before anything that waits for it runs.
    fn failed(&self, task: usize, error: Error);

    /// What a panic in this task is called.
    fn panicked(&self, task: usize) -> String;
}

/// How to run.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Tasks that compute at a time; at least 1.
    pub(super) workers: usize,
    /// Tasks that may be [away](Slot::away) besides.
    pub(super) away: usize,
    /// Whether to start more tasks after one failed.
    pub(super) keep_going: bool,
}

impl Tasks {
    /// This many tasks; an edge leads from an input to a task that waits for it.
    pub(super) fn new(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut tasks = Self { inputs: vec![0; count], users: vec![Vec::new(); count] };
        for (input, user) in edges {
            tasks.users[input].push(user);
            tasks.inputs[user] += 1;
        }
        tasks
    }

    /// Runs each task once after its inputs. Of those that may run the youngest goes first: what waited for a task that just ended runs
    /// before tasks that have nothing to do with it, so that little is kept between them. Returns when all ran, or when a failure or
    /// a cancellation stopped the rest and what was running is over.
    pub(super) fn run(&self, limits: Limits, ctx: &Ctx, work: &impl Work) {
        let ready: Vec<usize> = (0..self.inputs.len()).rev().filter(|task| self.inputs[*task] == 0).collect();
        let queue = Queue {
            waiting: self.inputs.clone(),
            ready,
            left: self.inputs.len(),
            stop: false,
            computing: 0,
            returning: 0,
            idle: Vec::new(),
        };
        let shared = Shared { queue: Mutex::new(queue), place: Condvar::new(), workers: limits.workers.max(1), has_away: limits.away > 0 };
        thread::scope(|scope| {
            for _ in 0..limits.workers.saturating_add(limits.away).clamp(1, self.inputs.len().max(1)) {
                scope.spawn(|| self.work(&shared, limits, ctx, work));
            }
        });
    }

    /// One worker: takes ready tasks until none is left.
    fn work(&self, shared: &Shared, limits: Limits, ctx: &Ctx, work: &impl Work) {
        while let Some(task) = shared.next(ctx) {
            let error = match panics::caught(|| work.run(task, &Slot(shared))) {
                Ok(result) => result.err(),
                // A panic must not leave the other workers waiting for this one.
                Err(panic) => Some(panic.into_error(work.panicked(task))),
            };
            let stop = error.is_some() && !limits.keep_going;
            if let Some(error) = error {
                work.failed(task, error);
            }
            shared.over(&self.users[task], stop);
        }
    }
}

/// The right to compute, which a task has while it runs. There are [`Limits::workers`] of them.
pub(super) struct Slot<'a>(&'a Shared);

impl Slot<'_> {
    /// Waits for something that costs nothing here: meanwhile another task computes.
    pub(super) fn away<T>(&self, wait: impl FnOnce() -> T) -> T {
        /// Comes back also from a panic.
        struct Back<'a>(&'a Shared);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.come_back();
            }
        }
        // Without threads to spare nobody else would take the place.
        let _back = self.0.has_away.then(|| {
            self.0.leave();
            Back(self.0)
        });
        wait()
    }
}

/// What the workers share.
struct Shared {
    queue: Mutex<Queue>,
    /// Signalled when tasks that return may get a place.
    place: Condvar,
    workers: usize,
    has_away: bool,
}

struct Queue {
    /// How many inputs of each task are not over.
    waiting: Vec<usize>,
    /// Tasks that may run, the next one last.
    ready: Vec<usize>,
    /// Tasks that are not over.
    left: usize,
    stop: bool,
    /// Tasks that compute.
    computing: usize,
    /// Tasks that want to go on: they come before those that did not begin.
    returning: usize,
    /// Threads that have nothing to do. The last one is the first to be woken: what it has freed is used again, and threads that are rarely
    /// needed take no memory.
    idle: Vec<Thread>,
}

impl Queue {
    fn is_over(&self) -> bool {
        self.stop || self.left == 0
    }

    /// Wakes so many threads.
    fn wake(&mut self, count: usize) {
        let first = self.idle.len().saturating_sub(count);
        self.idle.drain(first..).for_each(|thread| thread.unpark());
    }
}

impl Shared {
    /// The lock is held for a few instructions only, never while anything is read or computed.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others have the places that are free, but for as many as the caller is going to take itself.
    fn hand_out(&self, queue: &mut Queue, taken: usize) {
        let free = self.workers.saturating_sub(queue.computing);
        if queue.is_over() {
            queue.wake(usize::MAX);
        } else if queue.returning == 0 {
            queue.wake(free.min(queue.ready.len()).saturating_sub(taken));
        }
        if queue.returning > 0 && free > 0 {
            self.place.notify_all();
        }
    }

    /// The next task, once there is one; `None` at the end.
    fn next(&self, ctx: &Ctx) -> Option<usize> {
        let mut queue = self.lock();
        loop {
            queue.stop |= ctx.check().is_err();
            if queue.is_over() {
                self.hand_out(&mut queue, 0);
                return None;
            }
            if queue.computing < self.workers
                && queue.returning == 0
                && let Some(task) = queue.ready.pop()
            {
                queue.computing += 1;
                return Some(task);
            }
            let this = thread::current();
            queue.idle.push(this.clone());
            drop(queue);
            thread::park();
            queue = self.lock();
            // It may have woken by itself.
            queue.idle.retain(|thread| thread.id() != this.id());
        }
    }

    /// A task gives its place to others for a while.
    fn leave(&self) {
        let mut queue = self.lock();
        queue.computing -= 1;
        self.hand_out(&mut queue, 0);
    }

    /// It wants one again.
    fn come_back(&self) {
        let mut queue = self.lock();
        queue.returning += 1;
        while queue.computing >= self.workers {
            queue = self.place.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.returning -= 1;
        queue.computing += 1;
        // Whoever waited for those that return.
        self.hand_out(&mut queue, 0);
    }

    /// A task is over that `users` wait for. Its thread goes on to the next one.
    fn over(&self, users: &[usize], stop: bool) {
        let mut queue = self.lock();
        queue.left -= 1;
        queue.computing -= 1;
        queue.stop |= stop;
        for &user in users.iter().rev() {
            queue.waiting[user] -= 1;
            if queue.waiting[user] == 0 {
                queue.ready.push(user);
            }
        }
        self.hand_out(&mut queue, 1);
    }
}

#[cfg(test)]
mod tests;
