use super::*;
use crate::positions::{Position, bin::tests::entries};

fn kept(filters: &Filters, entries: &[Entry]) -> Vec<usize> {
    (0..entries.len()).filter(|&i| filters.keeps(&entries[i], 9, 0, i as u32).unwrap()).collect()
}

#[test]
fn each_filter_drops_what_it_says() {
    let entries = entries(1, 2000);
    let facts = |i: &usize| entries[*i].facts.unwrap();
    let none = Filters::default();
    assert_eq!(kept(&none, &entries).len(), 2000);
    assert!(kept(&Filters { filtered: true, ..none.clone() }, &entries).iter().all(|i| !facts(i).is_capture));
    assert!(kept(&Filters { early_fen_skipping: 99, ..none.clone() }, &entries).iter().all(|i| facts(i).ply > 99));
    assert!(kept(&Filters { max_ply: Some(50), ..none.clone() }, &entries).len() == 51);
    let quiet = kept(&Filters { max_score: Some(400), ..none.clone() }, &entries);
    assert!(!quiet.is_empty() && quiet.iter().all(|i| facts(i).score.abs() <= 400));
    let quarter = kept(&Filters { random_fen_skipping: 3, ..none.clone() }, &entries).len();
    assert!((400..600).contains(&quarter), "{quarter}");
    let uneven = kept(&Filters { simple_eval_skipping: 1000, ..none.clone() }, &entries);
    assert!(uneven.iter().all(|&i| material(&entries[i].position).abs() >= 1000));
    let likely = kept(&Filters { wld_filtered: true, ..none }, &entries).len();
    assert!((100..1900).contains(&likely), "{likely}");
}

#[test]
fn scores_of_no_value_go_once_any_filter_is_on() {
    let mut entry = entries(1, 1)[0];
    entry.facts.as_mut().unwrap().score = NO_VALUE;
    assert!(Filters::default().keeps(&entry, 0, 0, 0).unwrap());
    assert!(!Filters { max_ply: Some(1000), ..Filters::default() }.keeps(&entry, 0, 0, 0).unwrap());
}

#[test]
fn fen_lines_cannot_be_filtered_by_facts() {
    let position = Position::from_fen("4k3/8/8/8/8/8/4P3/4K3 w - -").unwrap();
    let entry = Entry { position, facts: None };
    let error = Filters { max_ply: Some(3), ..Filters::default() }.keeps(&entry, 0, 0, 0).unwrap_err();
    assert_eq!(error.message(), "the filter `max_ply` needs the scores, moves and plies of training data");
    assert!(!Filters { simple_eval_skipping: 300, ..Filters::default() }.keeps(&entry, 0, 0, 0).unwrap());
}

#[test]
fn piece_counts_approach_the_parabola() {
    let old = Filters { pc: Some(PieceWeights::January2026), ..Filters::default() };
    let filters = Filters { pc_y1: Some(1.0), ..old.clone() };
    let mut counts = [0; 33];
    (counts[8], counts[16], counts[32]) = (100, 1000, 10);
    let rates = filters.piece_count_rates(&counts).unwrap();
    // Weights 1.75, 2 and 1: shares are least for 16 pieces, which stay at one in ten.
    assert!((rates[16] - 0.1).abs() < 1e-12 && (rates[8] - 0.875).abs() < 1e-12 && rates[32] == 1.0);
    for weight in [f64::NAN, f64::INFINITY, 1.1e6, -1e300] {
        let error = Filters { pc_y2: Some(weight), ..Filters::default() }.validate().unwrap_err();
        assert_eq!(error.message(), "`pc_y2` is out of range");
    }
    let never = Filters { pc_y1: Some(0.0), pc_y2: Some(-1.0), pc_y3: Some(0.0), ..old.clone() };
    assert!(never.validate().unwrap_err().message().contains("no distribution"));
    assert!(Filters { pc_y1: Some(-1e6), ..old }.validate().is_ok());
    assert!(Filters::default().piece_count_rates(&counts).is_none());
}

/// What the trainer's loader of May 2026 weighs piece counts with by default, worked out by hand at the points and between them.
#[test]
fn weights_of_may_2026_are_at_0_8_16_24_and_32_pieces() {
    let (meaning, weights) = Filters { pc: Some(PieceWeights::May2026), ..Filters::default() }.piece_count_weights().unwrap();
    assert_eq!(meaning, PieceWeights::May2026);
    assert_eq!([0, 8, 16, 24, 32].map(|pieces| weights[pieces]), [0.0, 0.4, 1.0, 1.0, 0.75]);
    // Halfway: the mean of the ends, and an eighth of the difference of the slopes.
    let halfway = |a: f64, b: f64, slopes: [f64; 2]| (a + b) / 2.0 + (slopes[0] - slopes[1]) / 8.0;
    let expected = [halfway(0.0, 0.4, [0.4, 0.5]), halfway(0.4, 1.0, [0.5, 0.3]), halfway(1.0, 0.75, [-0.125, -0.25])];
    for (pieces, expected) in [4, 12, 28].into_iter().zip(expected) {
        assert!((weights[pieces] - expected).abs() < 1e-12, "{pieces}: {} {expected}", weights[pieces]);
    }
    let mut counts = [0; 33];
    (counts[8], counts[16]) = (10, 1000);
    let rates = Filters { pc_y0: Some(0.0), ..Filters::default() }.piece_count_rates(&counts).unwrap();
    assert!((rates[16] - 0.025).abs() < 1e-12 && rates[8] == 1.0, "{rates:?}");
}

#[test]
fn weights_with_two_meanings_are_refused() {
    let bare = Filters { pc_y1: Some(0.4), pc_y2: Some(1.0), pc_y3: Some(1.0), ..Filters::default() };
    let error = bare.validate().unwrap_err();
    assert!(error.message().contains("two meanings") && error.help_text().unwrap().contains("2026-01"), "{error:?}");
    for pc in [PieceWeights::January2026, PieceWeights::May2026] {
        assert!(Filters { pc: Some(pc), ..bare.clone() }.validate().is_ok());
    }
    assert!(Filters { pc_y4: Some(0.75), ..bare.clone() }.validate().is_ok());
    assert!(Filters { pc_y4: Some(0.75), pc: Some(PieceWeights::January2026), ..bare }.validate().is_err());
}

#[test]
fn early_plies_follow_the_curve() {
    let filters = Filters { soft_early_fen_skipping: 20, ..Filters::default() };
    for (ply, rate) in [(0, 0.1), (3, 0.125), (6, 0.15), (8, 0.2), (10, 0.25), (14, 0.5), (18, 0.75), (19, 0.875)] {
        assert!((filters.early_rate(ply) - rate).abs() < 1e-12, "{ply}");
    }
    let entries = entries(1, 2000);
    let early = |i: &usize| entries[*i].facts.unwrap().ply < 100;
    let all = (0..2000).filter(early).count();
    let none = Filters {
        soft_early_fen_skipping: 100,
        ply_y1: Some(0.0),
        ply_y2: Some(0.0),
        ply_y3: Some(0.0),
        ply_y4: Some(0.0),
        ..filters.clone()
    };
    let none = Filters { ply_x4: Some(100.0), ..none };
    let stay = kept(&none, &entries);
    assert!(all > 0 && !stay.iter().any(early) && stay.len() == 2000 - all);
    assert!(Filters { ply_x2: Some(3.0), ..Filters::default() }.validate().unwrap_err().message().contains("do nothing"));
    assert!(Filters { ply_x2: Some(11.0), ..filters.clone() }.validate().unwrap_err().message().contains("go back"));
    assert!(filters.validate().is_ok());
}

#[test]
fn a_set_of_filters_is_what_the_trainer_does_by_default() {
    let filters = FilterSet::Trainer202605.filters();
    assert!(filters.validate().is_ok());
    let on: Vec<&str> = filters.on().map(|(filter, _)| filter.name).collect();
    assert_eq!(on, ["filtered", "wld_filtered", "random_fen_skipping", "soft_early_fen_skipping", "pc"]);
}

#[test]
fn the_table_has_every_field_and_its_default() {
    let json = serde_json::to_value(Filters::default()).unwrap();
    let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(FILTERS.each_ref().map(|filter| filter.name).to_vec(), fields);
    for filter in &FILTERS {
        assert_eq!(filter.dashed, filter.name.replace('_', "-"));
        let default = match filter.setting(&Filters::default()) {
            Some(Setting::Flag(on)) => on.to_string(),
            Some(Setting::Whole(number)) => number.to_string(),
            Some(Setting::Number(number)) => number.to_string(),
            Some(Setting::PieceWeights(meaning)) => meaning.to_string(),
            None => continue,
        };
        assert_eq!(filter.default, default, "{}", filter.name);
    }
    assert_eq!(Filters::default().on().count(), 0);
}

#[test]
fn what_is_set_is_read_back_and_what_does_not_fit_changes_nothing() {
    for filter in &FILTERS {
        let (good, bad) = match filter.kind {
            FilterKind::Flag => (vec![Setting::Flag(true)], vec![Setting::Whole(1)]),
            FilterKind::Whole { min, max } => (
                vec![Setting::Whole(min.max(1)), Setting::Whole(max)],
                vec![Setting::Whole(min - 1), Setting::Whole(max + 1), Setting::Flag(true), Setting::Number(1.0)],
            ),
            FilterKind::Number => (vec![Setting::Number(-1e6)], vec![Setting::Number(f64::NAN), Setting::Number(1.1e6), Setting::Whole(1)]),
            FilterKind::PieceWeights => (vec![Setting::PieceWeights(PieceWeights::January2026)], vec![Setting::Whole(1)]),
        };
        let mut filters = Filters::default();
        for setting in bad {
            assert!(!filter.set(&mut filters, setting), "{} {setting:?}", filter.name);
        }
        assert_eq!(filters, Filters::default());
        assert_eq!(filters_of(&[(filter.name.to_owned(), json!([1]))].into_iter().collect()), None);
        for setting in good {
            assert!(filter.set(&mut filters, setting));
            let on: Vec<_> = filters.on().map(|(on, setting)| (on.name, setting)).collect();
            assert_eq!(on, [(filter.name, setting)]);
            assert_eq!(filters_of(&filter_members(&filters)), Some(filters.clone()));
        }
    }
}

#[test]
fn own_exp_is_exp() {
    for i in -6000..6000 {
        let x = f64::from(i) / 100.0;
        assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "{x}");
    }
}

/// The same bits on every machine: a platform with another arithmetic fails here, not by giving other positions.
#[test]
fn the_win_rate_model_is_pinned_to_the_bit() {
    let mut hash = 0;
    for ply in 0..260 {
        for score in (-32768..32768).step_by(509) {
            for result in -1..=1 {
                let facts = Facts { score: score as i16, ply, result, is_capture: false };
                hash = mix([hash, result_probability(&facts).to_bits()]);
            }
        }
    }
    assert_eq!(hash, 0xA0F8_05B8_C8B6_C556);
}

#[test]
fn the_win_rate_model_is_near_even_where_it_should_be() {
    let at = |score, result| result_probability(&Facts { score, ply: 64, result, is_capture: false });
    assert!((at(0, 1) - at(0, -1)).abs() < 1e-12);
    assert!((at(100, 1) + at(100, 0) + at(100, -1) - 1.0).abs() < 1e-12);
    assert!(at(2000, 1) > 0.99 && at(2000, -1) < 0.01);
}
