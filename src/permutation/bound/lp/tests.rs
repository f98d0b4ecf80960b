use super::*;
use crate::random::SplitMix;

/// Two blocks that share no neuron and one across them: worth as much as the better choice.
#[test]
fn small_programs_have_known_answers() {
    let column = |rows, value| Column { rows, value };
    let apart = [column([0, 1, 2, 3], 5.0), column([4, 5, 6, 7], 3.0), column([2, 3, 4, 5], 7.0)];
    let solved = solve(8, &apart);
    assert!((solved.reached - 8.0).abs() < 1e-5, "{}", solved.reached);
    let across = [apart[0], apart[1], column([2, 3, 4, 5], 9.0)];
    assert!((solve(8, &across).reached - 9.0).abs() < 1e-5);
    // Three blocks of which any two share neurons: a half of each.
    let odd = [column([0, 1, 2, 3], 2.0), column([2, 3, 4, 5], 2.0), column([0, 1, 4, 5], 2.0)];
    assert!((solve(6, &odd).reached - 3.0).abs() < 1e-5);
    assert!(solve(4, &[]).prices.iter().all(|price| *price < 1e-3));
}

/// The two programs meet: prices cover every column, and cost no more than the columns are worth.
#[test]
fn prices_cover_all_columns_and_cost_what_is_reached() {
    let mut random = SplitMix::new(5);
    for rows in [8usize, 20, 64] {
        let columns: Vec<Column> = (0..rows * 12)
            .map(|_| {
                let mut chosen: Vec<u16> = Vec::new();
                while chosen.len() < 4 {
                    let row = random.centred(0, rows as i64 - 1) as u16;
                    if !chosen.contains(&row) {
                        chosen.push(row);
                    }
                }
                chosen.sort_unstable();
                Column { rows: chosen.try_into().unwrap(), value: random.centred(0, 40_000) as f64 }
            })
            .collect();
        let solved = solve(rows, &columns);
        let costs: f64 = solved.prices.iter().sum();
        assert!((costs - solved.reached).abs() < 1e-5 * costs, "{costs} {}", solved.reached);
        for column in &columns {
            let cost: f64 = column.rows.iter().map(|row| solved.prices[usize::from(*row)]).sum();
            assert!(cost > column.value - 1e-2, "{column:?} costs {cost}");
        }
    }
}
