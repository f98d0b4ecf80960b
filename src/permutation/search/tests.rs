use std::{fmt::Write, fs};

use super::*;
use crate::{
    ctx::Backend,
    files::testing::golden,
    permutation::{Cpu, Move, read_matrix, read_permutation},
};

/// The log that `find_perm_impl` prints, less its times; `moves` is how it prints gains (head counts in floats), or not at all.
fn log_of(matrix: &ActivationMatrix, iterations: &[Iteration], moves: Option<&str>) -> String {
    let mut log = String::new();
    let mut total = 0.0f64;
    for (k, iteration) in iterations.iter().enumerate() {
        let name = if iteration.round == Round::Swaps { "make_swaps_2" } else { "make_swaps_3" };
        writeln!(log, "Iteration {}\nStarting {name}", k + 1).unwrap();
        for (one, end) in iteration.moves.iter().zip(moves.iter().cycle()) {
            match one {
                Move::Swap { i, j, gain } => writeln!(log, "Swapping {i} and {j} for improvement {gain}{end}"),
                Move::Rotate { i, j, k, gain } => writeln!(log, "Right-rotating {i}, {j}, {k} for improvement {gain}{end}"),
            }
            .unwrap();
        }
        let improvement = iteration.gain() as f64 / matrix.samples() as f64 / (matrix.half() / 4) as f64 * 100.0;
        total += improvement;
        writeln!(log, "Improvement this iteration: {improvement:.3}\nTotal improvement: {total:?}\n").unwrap();
        if iteration.moves.is_empty() {
            log.push_str(if iteration.round == Round::Swaps { "Switching to stage 1\n" } else { "No more improvement possible.\n" });
        }
    }
    log
}

fn check(backend: Backend, matrix: &[u8], l1: usize, permutation: &[u8], log: &str, what: &str) -> SearchOutcome {
    let matrix = read_matrix(matrix, Some(l1)).unwrap();
    let mut iterations = Vec::new();
    let outcome = search_with(
        &*select_backend(backend, &matrix, &Ctx::silent()).unwrap(),
        &matrix,
        &SearchParams::default(),
        &Ctx::silent(),
        |one| iterations.push(one.clone()),
    )
    .unwrap();
    let moves = log.contains("for improvement").then_some(if what.contains("B_head") { ".0" } else { "" });
    let ours = log_of(&matrix, &iterations, moves);
    for (line, (ours, theirs)) in ours.lines().zip(log.lines()).enumerate() {
        // Python and Rust differ in the last digit where a double lies halfway between two shortest decimals.
        let number = |line: &str| line.strip_prefix("Total improvement: ").map(|number| number.parse::<f64>().unwrap().to_bits());
        assert!(ours == theirs || number(ours).is_some_and(|bits| number(theirs) == Some(bits)), "{what}, line {line}:\n{ours}\n{theirs}");
    }
    assert_eq!(ours.lines().count(), log.lines().count(), "{what}");
    assert_eq!(outcome.permutation, read_permutation(permutation).unwrap(), "{what}");
    outcome
}

#[test]
fn makes_every_move_that_the_trainer_made() {
    check_golden(Backend::Cpu);
}

#[test]
fn makes_the_same_moves_on_every_device() {
    let tiny = ActivationMatrix::from_word_rows(1, 4, &[0; 4]).unwrap();
    for backend in [Backend::OpenCl, Backend::Torch] {
        match select_backend(backend, &tiny, &Ctx::silent()) {
            Ok(_) => check_golden(backend),
            Err(error) => println!("skipped {}: {error:?}", backend.name()),
        }
    }
}

fn check_golden(backend: Backend) {
    let Some(golden) = golden("public") else { return };
    let mut cases = 0;
    for folder in ["C_ftperm/sf151", "C_ftperm/baff1ede1f90", "C_ftperm/sf151_trainer_of_its_time", "C_ftperm/synthetic"] {
        let folder = golden.join(folder);
        let manifest: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(name) = name.strip_suffix(".actmat_packed.npy") else { continue };
            let read = |ending: &str| fs::read(folder.join(format!("{name}{ending}"))).unwrap();
            let facts = manifest.pointer(&format!("/cases/{name}")).or(manifest.get("find_perm")).unwrap_or(&manifest);
            let l1 = facts["L1"].as_u64().unwrap() as usize;
            let log = String::from_utf8(read(".log")).unwrap();
            let outcome = check(backend, &read(".actmat_packed.npy"), l1, &read(".perm.npy"), &log, name);
            let printed = [
                format!("Combined zeros in base matrix: {}", outcome.before.percent()),
                format!("Combined zeros in perm matrix: {}", outcome.after.percent()),
            ];
            assert_eq!(facts["eval_perm_output"], serde_json::json!(printed), "{name}");
            cases += 1;
        }
    }
    for folder in fs::read_dir(golden.join("B_head")).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(log) = fs::read_to_string(folder.join("eval_ft_300.find_perm.log")) else { continue };
        let what = folder.display().to_string();
        let l1: usize = what.rsplit_once("_L").unwrap().1.split('-').next().unwrap().parse().unwrap();
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        check(backend, &read("eval_ft_300.actmat_packed.npy"), l1, &read("eval_ft_300.perm.npy"), &log, &what);
        cases += 1;
    }
    println!("{cases} recorded runs");
    assert!(cases >= 20);
}

fn anneal(matrix: &ActivationMatrix, seed: u64, budget: Option<u64>, time_limit: Option<Duration>) -> SearchOutcome {
    let params = SearchParams { algorithm: Algorithm::Anneal, seed, budget, time_limit };
    search_with(&Cpu::new(), matrix, &params, &Ctx::silent(), |_| {}).unwrap()
}

/// 2000 positions of a real net. The figures are what this search finds; the greedy one finds 339392.
#[test]
fn annealing_improves_a_real_net_and_is_never_worse() {
    let Some(golden) = golden("public") else { return };
    let matrix = read_matrix(&fs::read(golden.join("C_ftperm/sf151/sf151_2000.actmat_packed.npy")).unwrap(), Some(1024)).unwrap();
    let greedy = search_with(&Cpu::new(), &matrix, &SearchParams::default(), &Ctx::silent(), |_| {}).unwrap();
    assert_eq!((greedy.after.zero, greedy.moves), (339_392, 0));
    for moves in [0, 1, 1000, 100_000] {
        let short = anneal(&matrix, 0, Some(moves), None);
        assert!(short.after.zero >= greedy.after.zero);
        assert_eq!(short.moves, moves);
    }
    let long = anneal(&matrix, 0, Some(10_000_000), None);
    println!("greedy {}, 10 million moves {}", greedy.after.percent(), long.after.percent());
    assert!(long.after.zero >= 340_000, "{}", long.after.zero);
}

/// As above; the polish alone gives more than annealing does.
#[test]
fn assigning_improves_a_real_net_further() {
    let Some(golden) = golden("public") else { return };
    let matrix = read_matrix(&fs::read(golden.join("C_ftperm/sf151/sf151_2000.actmat_packed.npy")).unwrap(), Some(1024)).unwrap();
    let assign = |budget, time_limit| {
        let params = SearchParams { algorithm: Algorithm::Assign, seed: 1, budget, time_limit };
        search_with(&Cpu::new(), &matrix, &params, &Ctx::silent(), |_| {}).unwrap()
    };
    let (polished, searched) = (assign(Some(0), None), assign(Some(60), None));
    println!("polished {}, 60 steps {}", polished.after.percent(), searched.after.percent());
    assert!(polished.after.zero >= 340_100 && searched.moves == 60 && searched.after.zero >= 340_100, "{polished:?} {searched:?}");
    let stopped = assign(None, Some(Duration::ZERO));
    assert_eq!(stopped, polished);
}

#[test]
fn a_run_that_was_stopped_can_be_repeated() {
    let rows: Vec<u64> = (0..64 * 64u64).map(|k| k.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ k.wrapping_mul(k) << 9).collect();
    let matrix = ActivationMatrix::from_word_rows(2048, 64, &rows).unwrap();
    let stopped = anneal(&matrix, 7, Some(u64::MAX), Some(Duration::from_millis(50)));
    assert_eq!(stopped, anneal(&matrix, 7, Some(stopped.moves), None));
    assert_ne!(anneal(&matrix, 8, Some(100_000), None).permutation, anneal(&matrix, 7, Some(100_000), None).permutation);
}

#[test]
fn refuses_what_does_not_divide_into_blocks() {
    let matrix = ActivationMatrix::from_word_rows(1, 6, &[0; 6]).unwrap();
    let error = search(&matrix, &SearchParams::default(), &Ctx::silent()).unwrap_err();
    assert_eq!(error.to_string(), "L1=12 gives 6 neurons, which do not divide into blocks of 4");
}

#[test]
fn judges_other_positions_too() {
    let rows: Vec<u64> = (0..8u64).map(|k| if k < 4 { 0b1111 } else { u64::MAX }).collect();
    let matrix = ActivationMatrix::from_word_rows(4, 8, &rows).unwrap();
    let zero = zero_blocks(&matrix, &Permutation::identity(8).unwrap()).unwrap();
    assert_eq!((zero.zero, zero.total, zero.percent().as_str(), zero.mean_nonzero()), (12, 16, "75.000000", 1.0));
    let mixed = Permutation::try_from([0i64, 4, 1, 5, 2, 6, 3, 7].as_slice()).unwrap();
    assert_eq!(zero_blocks(&matrix, &mixed).unwrap().zero, 8);
    assert!(zero_blocks(&matrix, &Permutation::identity(4).unwrap()).is_err());
}
