use super::*;

fn work(core_s: f64, up: u64) -> Work {
    Work { core_s, up, down: 0 }
}

/// Rows of the study that this follows: who has it sooner.
#[test]
fn what_is_cheaper_here_stays_here() {
    let few = Model::new(2, 64, 5.0);
    assert!(few.admit(work(1.0, 50_000_000), None, None).is_none(), "L1 = 1024, greedy: half a second here");
    assert!(few.admit(work(72.0, 140_000_000), Some(125e6), None).is_some(), "L1 = 3072, a million positions, on the LAN");
    let many = Model::new(16, 64, 1.0);
    assert!(many.admit(work(72.0, 140_000_000), Some(12.5e6), None).is_none(), "the same with 16 cores behind 100 Mbit/s");
    assert!(!many.may_be_worth(0.5) && few.may_be_worth(72.0));
}

#[test]
fn places_there_are_counted_and_what_runs_here_makes_here_slower() {
    let model = Model::new(4, 2, 1.0);
    let first = model.admit(work(100.0, 0), None, None);
    assert!(first.is_none(), "an idle machine like a worker does it itself");
    let here = model.here("search greedy".to_owned(), 100.0);
    let places = [model.admit(work(100.0, 0), None, None), model.admit(work(100.0, 0), None, None)];
    assert!(places.iter().all(Option::is_some));
    assert!(model.admit(work(100.0, 0), None, None).is_none(), "there is no third place");
    drop(places);
    assert!(model.admit(work(100.0, 0), None, None).is_some());
    drop(here);
    assert!(model.admit(work(100.0, 0), None, None).is_none());
}

#[test]
fn all_is_sent_to_whom_wants_it_as_far_as_there_is_room() {
    let model = Model::new(64, 1, 0.0);
    assert!(model.may_be_worth(0.0));
    let place = model.admit(work(0.0, u64::MAX), Some(1.0), Some(1.0));
    assert!(place.is_some() && model.admit(work(0.0, 0), None, None).is_none());
}

#[test]
fn what_was_reckoned_is_corrected_by_what_was_measured() {
    let model = Model::new(2, 8, 1.0);
    assert_eq!(model.expected("gather", 3.0), 3.0);
    model.learn("gather", 1.0, 2.0);
    assert_eq!((model.expected("gather", 3.0), model.expected("search greedy", 3.0)), (12.0, 3.0), "two cores for two seconds");
    // What ran here in this build counts as well; what took no time, or was wrong beyond measure, does not.
    model.here("gather".to_owned(), 12.0).took(6.0);
    model.learn("gather", 5.0, 0.01);
    assert_eq!(model.expected("gather", 3.0), 12.0);
    model.learn("prove", 1e-9, 1e9);
    assert_eq!(model.expected("prove", 1.0), 16.0);
}

#[test]
fn workers_are_believed_by_their_answers() {
    let model = Model::new(4, 8, 1.0);
    (0..20).for_each(|_| model.seen(100.0, 100.3 / 32.0));
    assert!(model.admit(work(100.0, 0), None, None).is_some(), "they have more cores than was thought");
    (0..20).for_each(|_| model.seen(100.0, 100.3));
    assert!(model.admit(work(100.0, 0), None, None).is_none(), "they have one core");
    (0..20).for_each(|_| model.seen(0.1, 1e-9));
    assert!(model.admit(work(100.0, 0), None, None).is_none(), "what takes no time tells nothing");
}
