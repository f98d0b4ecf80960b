use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use super::*;
use crate::files::testing::Listener;

/// Answers by a function of the number of the request.
struct Scripted<F>(F, Mutex<u32>);

impl<F: Fn(u32, &Moved) -> Result<Vec<u8>, Failure> + Send + Sync> Transport for Scripted<F> {
    fn get(&self, _: &Place, _: u64, moved: &Moved) -> Result<Vec<u8>, Failure> {
        let number = {
            let mut number = self.1.lock().unwrap();
            *number += 1;
            *number
        };
        (self.0)(number, moved)
    }

    fn length(&self, place: &Place) -> Result<Option<u64>, Failure> {
        self.get(place, 0, &Moved::default()).map(|bytes| Some(bytes.len() as u64))
    }

    fn put(&self, place: &Place, _: Body, moved: &Moved) -> Result<(), Failure> {
        self.get(place, 0, moved).map(drop)
    }
}

/// One that is never too slow, on however busy a machine.
fn client(answer: impl Fn(u32, &Moved) -> Result<Vec<u8>, Failure> + Send + Sync + 'static, ctx: &Ctx) -> Client {
    Client::new("http://a/", Box::new(Scripted(answer, Mutex::new(0))), Duration::from_secs(600), ctx)
}

fn impatient(answer: impl Fn(u32, &Moved) -> Result<Vec<u8>, Failure> + Send + Sync + 'static, ctx: &Ctx) -> Client {
    Client::new("http://a/", Box::new(Scripted(answer, Mutex::new(0))), Duration::from_millis(200), ctx)
}

/// Some place.
fn x() -> Place {
    Place::entry("x")
}

fn broken() -> Failure {
    Failure::Unavailable("broken".to_owned())
}

#[test]
fn downloads_try_twice_and_uploads_three_times_where_it_may_help() {
    let fails_until = |good: u32| move |number: u32, _: &Moved| if number < good { Err(broken()) } else { Ok(vec![1, 2]) };
    let ctx = Ctx::silent();
    assert_eq!(client(fails_until(2), &ctx).get(&x(), 9), Ok(vec![1, 2]));
    assert_eq!(client(fails_until(3), &ctx).get(&x(), 9), Err(broken()));
    assert_eq!(client(fails_until(3), &ctx).length(&x()), Ok(Some(2)));
    let body: Body = Arc::new(Vec::new());
    assert_eq!(client(fails_until(3), &ctx).put(&x(), &body), Ok(()));
    let refused = |number: u32, _: &Moved| if number == 1 { Err(Failure::Refused("no".to_owned())) } else { Ok(Vec::new()) };
    assert_eq!(client(refused, &ctx).put(&x(), &body), Err(Failure::Refused("no".to_owned())));
    assert_eq!(client(|_, _| Err(Failure::Absent), &ctx).length(&x()), Err(Failure::Absent));
}

#[test]
fn silence_ends_and_a_transfer_that_moves_does_not() {
    let ctx = Ctx::silent();
    let silent = impatient(
        |_, _| {
            thread::sleep(Duration::from_secs(20));
            Ok(Vec::new())
        },
        &ctx,
    );
    assert!(matches!(silent.get(&x(), 9), Err(Failure::TimedOut(_))));
    // Whoever waits for an upload waits once.
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let swallows = impatient(
        move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_secs(20));
            Ok(Vec::new())
        },
        &ctx,
    );
    assert!(matches!(swallows.put(&x(), &(Arc::new(Vec::new()) as Body)), Err(Failure::TimedOut(_))));
    assert!(matches!(swallows.length(&x()), Err(Failure::TimedOut(_))));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let moving = impatient(
        |_, moved| {
            moved.add(1 << 20);
            thread::sleep(Duration::from_millis(600));
            Ok(vec![7])
        },
        &ctx,
    );
    assert_eq!(moving.get(&x(), 9), Ok(vec![7]));
}

#[test]
fn ctrl_c_does_not_wait_for_the_network() {
    let cancel = Arc::new(AtomicBool::new(true));
    let ctx = Ctx::new(cancel, Arc::new(crate::ctx::Silent), crate::ctx::Backend::Cpu);
    let client = Client::new(
        "http://a",
        Box::new(Scripted(
            |_, _: &Moved| {
                thread::sleep(Duration::from_secs(20));
                Ok(Vec::new())
            },
            Mutex::new(0),
        )),
        Duration::from_secs(60),
        &ctx,
    );
    assert_eq!(client.get(&x(), 9), Err(Failure::Interrupted));
}

#[test]
fn each_kind_of_warning_is_said_once_and_a_broken_remote_is_left_alone() {
    let listener = Listener::new();
    let client = client(|_, _| Err(Failure::Absent), &listener.ctx());
    client.report(&Place::entry("1"), Failure::Absent);
    assert!(listener.warnings().is_empty() && !client.is_off());
    client.report(&Place::entry("1"), Failure::Refused("the server answered 403 Forbidden".to_owned()));
    client.report(&Place::entry("2"), Failure::Refused("another".to_owned()));
    assert!(!client.is_off());
    client.report(&Place::entry("3"), broken());
    assert!(client.is_off());
    let said = listener.warnings();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains(&format!("`http://a/{}`", Place::entry("1"))) && said[0].contains("403"), "{said:?}");
    assert!(said[1].contains("disabling the remote cache") && said[1].contains(&Place::entry("3").to_string()), "{said:?}");
    client.report(&Place::entry("4"), broken());
    client.report(&Place::entry("5"), Failure::Refused("another".to_owned()));
    assert!(listener.warnings().is_empty());
}
