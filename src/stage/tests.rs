use super::*;
use crate::files::{Blake3, Sha256};

#[test]
fn every_stage_is_found_by_its_name() {
    for stage in Stage::ALL {
        assert_eq!(Stage::named(stage.name()), Some(*stage));
        assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
    }
    assert_eq!(Stage::named("load "), None);
}

#[test]
fn what_runs_anywhere_is_known_by_its_parameters_alone() {
    let filters = crate::positions::Filters { filtered: true, pc_y1: Some(0.5), ..Default::default() };
    let gather = |filters| Action::Gather(Box::new(Gather { positions: 9, seed: 3, filters }));
    let search = |algorithm, seed, budget| Action::Search(Search { algorithm, seed, budget });
    let prove = |sums| Action::Prove(Prove { positions: 9, seed: 3, max_error: None, mean_error: None, sums });
    let actions = [
        prove(false),
        prove(true),
        gather(filters),
        gather(Default::default()),
        search(crate::words::Algorithm::Greedy, 0, None),
        search(crate::words::Algorithm::Anneal, 4, None),
        search(crate::words::Algorithm::Anneal, 4, Some(1)),
        search(crate::words::Algorithm::Assign, 5, Some(0)),
    ];
    for action in actions {
        let read = Action::of_params(action.stage(), &action.params()).unwrap();
        assert_eq!((format!("{read:?}"), read.runs_anywhere()), (format!("{action:?}"), true));
        let with = |name: &str, value: Value| {
            let mut params = action.params();
            params.insert(name.to_owned(), value);
            Action::of_params(action.stage(), &params)
        };
        assert!(with("rule", json!(1)).is_none() && with("selection", json!(99)).is_none(), "{action:?}");
        for name in action.params().keys().filter(|name| !["filters", "moves", "effort", "sums"].contains(&name.as_str())) {
            let mut params = action.params();
            params.shift_remove(name);
            assert!(Action::of_params(action.stage(), &params).is_none(), "{action:?} without {name}");
            assert!(with(name, json!("x")).is_none(), "{action:?} with another {name}");
        }
    }
    assert!(Action::of_params(Stage::Coalesce, &Map::new()).is_none());
    // Of floats nothing is asked elsewhere.
    let limited = Action::Prove(Prove { positions: 9, seed: 3, max_error: Some(1.0), mean_error: None, sums: true });
    assert!(Action::of_params(Stage::Prove, &limited.params()).is_none());
    assert_eq!(limited.elsewhere().params(), prove(true).params());
}

#[test]
fn what_records_keep_reads_back() {
    let counts = Counts { positions: 10, blocks: 2560, zero_before: 1200, zero_after: 1300 };
    let outcomes = [
        Outcome::Load,
        Outcome::Blend,
        Outcome::Heads,
        Outcome::Fold,
        Outcome::Encode,
        Outcome::Coalesce,
        Outcome::Quantize(Quantized { clamped: vec![("l1.weight".into(), 2)], overflowed: Vec::new() }),
        Outcome::Gather(Sampled { entries: 9, in_check: 1, filtered: 2, chunks_visited: 3, chunks: 4, looked_at: 5, overflow: None }),
        Outcome::Gather(Sampled {
            overflow: Some(Overflow { positions: 9, neurons: 2, neuron: 1, low: -40_000, high: 3 }),
            ..Sampled::default()
        }),
        Outcome::Search(Box::new(Searched { train: counts, held_out: None, swaps: 1, cycles: 2, moves: 3 })),
        Outcome::Search(Box::new(Searched { train: counts, held_out: Some(counts), swaps: 1, cycles: 2, moves: 3 })),
        Outcome::Permute(Permuted::default()),
        Outcome::Permute(Permuted { largest_sum: Some(64_516) }),
        Outcome::Write(Written::new(Sha256::of(b""))),
        Outcome::Write(Written { sha256: Sha256::of(b""), content: Some(Sha256::of(b"x")) }),
        Outcome::Prove(Box::new(Proved { positions: 7, seed: 1, digest: Blake3::of(b""), error: None, looked_at: 0, overflow: None })),
        Outcome::Prove(Box::new(Proved {
            positions: 7,
            seed: 1,
            digest: Blake3::of(b""),
            error: Some(Deviation { positions: 5, mean: 0.123, max: 17.25 }),
            looked_at: 7,
            overflow: Some(Overflow { positions: 7, neurons: 1, neuron: 0, low: 0, high: 40_000 }),
        })),
        Outcome::Engine(Box::new(Played { name: "Fish 1".into(), nodes: None, against: None, exported: None, speed: None })),
        Outcome::Engine(Box::new(Played {
            name: "Fish 1".into(),
            nodes: Some(u64::MAX),
            against: Some(Against::Unpermuted),
            exported: Some(Exported::Content),
            speed: Some(Speed { pairs: 20, ratio: 1.0625, low: 1.03125, high: 1.125 }),
        })),
    ];
    for outcome in outcomes {
        assert_eq!(Outcome::from_json(outcome.stage(), &outcome.to_json()).unwrap(), outcome);
    }
    assert_eq!(Outcome::from_json(Stage::Permute, &json!({})).unwrap(), Outcome::Permute(Permuted::default()), "as it once was");
    assert!(Outcome::from_json(Stage::Write, &json!({"sha256": "12"})).is_err());
    assert!(Outcome::from_json(Stage::Search, &json!({})).is_err());
}
