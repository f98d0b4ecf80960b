//! Filters of positions: what they may change and what not, whichever are on.

use std::path::PathBuf;
use std::sync::LazyLock;

use nnue::internals::ctx::Ctx;
use nnue::internals::positions::{Filters, Position, Sampled, Selection, generate, select};
use nnue::internals::words::PieceWeights;
use proptest::prelude::*;

/// Lines of FEN; those in check are among them.
struct Lines {
    _folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
    positions: Vec<Position>,
}

static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let positions = generate(3, 600);
    let path = folder.path().join("p.fen");
    let text: String = positions.iter().map(|position| position.to_fen() + "\n").collect();
    std::fs::write(&path, text).unwrap();
    Lines { _folder: folder, paths: vec![path], positions }
});

fn select_all(filters: &Filters, seed: u64) -> nnue::internals::error::Result<Sampled> {
    let selection = Selection { count: None, held_out: 0, seed, filters: filters.clone() };
    select(&LINES.paths, &selection, &Ctx::silent())
}

/// Filters that lines of FEN can answer.
fn of_lines() -> impl Strategy<Value = Filters> {
    let weight = || prop::option::of(0.0..4.0f64);
    let old = (weight(), weight(), weight()).prop_map(|(pc_y1, pc_y2, pc_y3)| Filters {
        pc: (pc_y1.is_some() || pc_y2.is_some() || pc_y3.is_some()).then_some(PieceWeights::January2026),
        pc_y1,
        pc_y2,
        pc_y3,
        ..Filters::default()
    });
    let new = (0.0..4.0f64, weight(), weight(), weight(), weight()).prop_map(|(pc_y0, pc_y1, pc_y2, pc_y3, pc_y4)| Filters {
        pc_y0: Some(pc_y0),
        pc_y1,
        pc_y2,
        pc_y3,
        pc_y4,
        ..Filters::default()
    });
    (0..4u32, -1..2000i32, prop_oneof![old, new]).prop_map(|(random, simple, weights)| Filters {
        random_fen_skipping: random,
        simple_eval_skipping: simple,
        ..weights
    })
}

/// All filters, each on or off.
fn all_filters() -> impl Strategy<Value = Filters> {
    let limit = || prop::option::of(any::<u16>());
    (of_lines(), prop::bool::ANY, prop::bool::ANY, -1..300i32, -1..60i32, limit(), limit()).prop_map(
        |(filters, filtered, wld_filtered, early_fen_skipping, soft_early_fen_skipping, max_score, max_ply)| Filters {
            filtered,
            wld_filtered,
            early_fen_skipping,
            soft_early_fen_skipping,
            ply_x2: (soft_early_fen_skipping > 30).then_some(7.5),
            max_score,
            max_ply,
            ..filters
        },
    )
}

proptest! {
    #[test]
    fn toml_gives_back_what_was_written(filters in all_filters()) {
        let text = toml::to_string(&filters).unwrap();
        prop_assert_eq!(toml::from_str::<Filters>(&text).unwrap(), filters);
    }

    /// A function of seed and place: the same again, in the order of the stream, nothing that was not there.
    #[test]
    fn what_stays_is_a_part_of_the_stream_and_always_the_same(filters in of_lines(), seed in any::<u64>()) {
        prop_assume!(filters.validate().is_ok());
        let found = select_all(&filters, seed).unwrap();
        let mut stream = LINES.positions.iter();
        prop_assert!(found.positions.iter().all(|position| stream.any(|other| other == position)), "not in the stream's order");
        prop_assert!(found.positions.iter().all(|position| !position.is_in_check()));
        let stats = found.stats;
        prop_assert_eq!(stats.entries, LINES.positions.len() as u64);
        prop_assert_eq!(stats.remaining(), found.positions.len() as u64);
        prop_assert_eq!(select_all(&filters, seed).unwrap(), found);
    }

    /// A stricter limit of material keeps a part of what a laxer one keeps.
    #[test]
    fn a_stricter_limit_keeps_less(limits in (0..3000i32, 0..3000i32)) {
        let kept = |limit| {
            let filters = Filters { simple_eval_skipping: limit, ..Filters::default() };
            select_all(&filters, 0).unwrap().positions
        };
        let (lax, strict) = (kept(limits.0.min(limits.1)), kept(limits.0.max(limits.1)));
        let mut rest = lax.iter();
        prop_assert!(strict.iter().all(|position| rest.any(|other| other == position)));
    }

    /// Lines have no moves, scores and plies: a filter that asks for them is an error and never ignored.
    #[test]
    fn filters_that_lines_cannot_answer_are_errors(filters in all_filters()) {
        prop_assume!(filters.validate().is_ok());
        let needs_facts = filters.filtered
            || filters.wld_filtered
            || filters.early_fen_skipping >= 0
            || filters.soft_early_fen_skipping >= 0
            || filters.max_score.is_some()
            || filters.max_ply.is_some();
        // Where the others drop everything, no line is asked.
        let others = Filters { random_fen_skipping: 0, simple_eval_skipping: -1, ..filters };
        prop_assert_eq!(select_all(&others, 1).is_err(), needs_facts);
    }
}
