//! The linear program behind the bound: packing blocks of four so that no neuron is in more than one. Knows nothing of neurons.
//!
//! `max Σ value·x` so that for each row the `x` of its columns add up to 1 at most, `x ≥ 0`; its dual prices the rows. Solved by an interior
//! point method (Mehrotra's predictor and corrector): prices from the middle of the optimal face, which change less from round to round than
//! those of a corner. Operations follow each other in a fixed order, so that the result is always the same.

/// Blocks of a row more than the others would make no difference: so close to the optimum it ends.
const PRECISION: f64 = 1e-7;
/// Iterations; about 25 are made.
const MOST: usize = 80;

/// A block that may be taken: its four rows, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    pub(super) rows: [u16; 4],
    pub(super) value: f64,
}

/// A price for each row, and the sum of the values that fractions of the columns reach: the optimum lies between this and the sum of prices.
pub(super) struct Prices {
    pub(super) prices: Vec<f64>,
    pub(super) reached: f64,
}

/// Solves the program with `rows` rows. Every price is at least 0, and those of a column's rows are together at least its value, but for
/// errors of rounding.
pub(super) fn solve(rows: usize, columns: &[Column]) -> Prices {
    let scale = columns.iter().map(|column| column.value).fold(1.0, f64::max);
    let mut degree = vec![0u32; rows];
    columns.iter().flat_map(|column| column.rows).for_each(|row| degree[usize::from(row)] += 1);
    let most = degree.iter().copied().max().unwrap_or(0).max(1);
    // Both programs begin inside: no row is filled by more than a half, and no column is worth more than its rows cost.
    let mut state = State {
        x: vec![0.5 / f64::from(most); columns.len()],
        slack: degree.iter().map(|degree| 1.0 - 0.5 * f64::from(*degree) / f64::from(most)).collect(),
        price: vec![1.0; rows],
        reduced: columns.iter().map(|column| 4.0 - column.value / scale).collect(),
    };
    let mut system = System { rows, matrix: vec![0.0; rows * rows] };
    for _ in 0..MOST {
        let costs: f64 = state.price.iter().sum();
        let reached: f64 = columns.iter().zip(&state.x).map(|(column, x)| column.value / scale * x).sum();
        if costs - reached <= PRECISION * costs || !state.improve(columns, scale, &mut system) {
            break;
        }
    }
    let reached = columns.iter().zip(&state.x).map(|(column, x)| column.value * x).sum();
    Prices { prices: state.price.iter().map(|price| price * scale).collect(), reached }
}

/// Both programs' variables: shares of columns, what is left of rows; prices of rows, and how much more than their value columns cost.
/// Slacks and prices belong together, as shares and reduced values do.
struct State {
    x: Vec<f64>,
    slack: Vec<f64>,
    price: Vec<f64>,
    reduced: Vec<f64>,
}

/// A direction in the same variables.
struct Direction {
    x: Vec<f64>,
    slack: Vec<f64>,
    price: Vec<f64>,
    reduced: Vec<f64>,
}

impl State {
    /// A step to the optimum. `false` if no more is gained.
    fn improve(&mut self, columns: &[Column], scale: f64, system: &mut System) -> bool {
        let count = (self.x.len() + self.slack.len()) as f64;
        let mean = (dot(&self.x, &self.reduced) + dot(&self.slack, &self.price)) / count;
        system.fill(columns, self);
        if !system.factor() {
            return false;
        }
        let straight_x: Vec<f64> = self.x.iter().zip(&self.reduced).map(|(x, reduced)| -x * reduced).collect();
        let straight_slack: Vec<f64> = self.slack.iter().zip(&self.price).map(|(slack, price)| -slack * price).collect();
        let residuals = self.residuals(columns, scale);
        let straight = self.direction(columns, system, &residuals, &straight_x, &straight_slack);
        let (primal, dual) = self.lengths(&straight);
        let after = |a: &[f64], da: &[f64], b: &[f64], db: &[f64]| -> f64 {
            a.iter().zip(da).zip(b.iter().zip(db)).map(|((a, da), (b, db))| (a + primal * da) * (b + dual * db)).sum()
        };
        let mean_after = (after(&self.x, &straight.x, &self.reduced, &straight.reduced)
            + after(&self.slack, &straight.slack, &self.price, &straight.price))
            / count;
        let target = (mean_after / mean).powi(3) * mean;
        let corrected = |own: &[f64], a: &[f64], b: &[f64]| -> Vec<f64> {
            own.iter().zip(a.iter().zip(b)).map(|(own, (a, b))| own - a * b + target).collect()
        };
        let centre_x = corrected(&straight_x, &straight.x, &straight.reduced);
        let centre_slack = corrected(&straight_slack, &straight.slack, &straight.price);
        let direction = self.direction(columns, system, &residuals, &centre_x, &centre_slack);
        let (primal, dual) = self.lengths(&direction);
        let (primal, dual) = ((0.995 * primal).min(1.0), (0.995 * dual).min(1.0));
        if !(primal.is_finite() && dual.is_finite()) || primal.max(dual) < 1e-9 {
            return false;
        }
        let go = |values: &mut [f64], by: &[f64], length: f64| values.iter_mut().zip(by).for_each(|(value, by)| *value += length * by);
        go(&mut self.x, &direction.x, primal);
        go(&mut self.slack, &direction.slack, primal);
        go(&mut self.price, &direction.price, dual);
        go(&mut self.reduced, &direction.reduced, dual);
        true
    }

    /// What rounding left: of each row how far it is from full, of each column how far from its price.
    fn residuals(&self, columns: &[Column], scale: f64) -> (Vec<f64>, Vec<f64>) {
        let mut rows: Vec<f64> = self.slack.iter().map(|slack| 1.0 - slack).collect();
        for (column, x) in columns.iter().zip(&self.x) {
            column.rows.iter().for_each(|row| rows[usize::from(*row)] -= x);
        }
        let cost = |column: &Column| column.rows.iter().map(|row| self.price[usize::from(*row)]).sum::<f64>();
        let columns = columns.iter().zip(&self.reduced).map(|(column, reduced)| cost(column) - column.value / scale - reduced).collect();
        (rows, columns)
    }

    /// Solves for the change of all variables that changes the products of pairs by `of_x` and `of_slack` and leaves no residual.
    fn direction(
        &self,
        columns: &[Column],
        system: &System,
        residuals: &(Vec<f64>, Vec<f64>),
        of_x: &[f64],
        of_slack: &[f64],
    ) -> Direction {
        // Prices and slacks: slack·Δprice + price·Δslack = of_slack. Shares: x·Δreduced + reduced·Δx = of_x, with Δreduced = cost(Δprice) + residual.
        let mut right = residuals.0.clone();
        for (row, right) in right.iter_mut().enumerate() {
            *right -= of_slack[row] / self.price[row];
        }
        let free: Vec<f64> = (0..columns.len()).map(|at| (of_x[at] - self.x[at] * residuals.1[at]) / self.reduced[at]).collect();
        for (column, free) in columns.iter().zip(&free) {
            column.rows.iter().for_each(|row| right[usize::from(*row)] -= free);
        }
        // Σ x/reduced·cost(Δprice) + slack/price·Δprice = −right.
        right.iter_mut().for_each(|right| *right = -*right);
        system.solve(&mut right);
        let price = right;
        let slack = (0..price.len()).map(|row| (of_slack[row] - self.slack[row] * price[row]) / self.price[row]).collect();
        let cost: Vec<f64> = columns.iter().map(|column| column.rows.iter().map(|row| price[usize::from(*row)]).sum()).collect();
        let x = (0..columns.len()).map(|at| free[at] - self.x[at] / self.reduced[at] * cost[at]).collect();
        let reduced = cost.iter().zip(&residuals.1).map(|(cost, residual)| cost + residual).collect();
        Direction { x, slack, price, reduced }
    }

    /// How far shares and slacks, and prices and reduced values, can go until one of them is 0.
    fn lengths(&self, direction: &Direction) -> (f64, f64) {
        let least = |values: &[f64], by: &[f64]| {
            values.iter().zip(by).filter(|(_, by)| **by < 0.0).map(|(value, by)| -value / by).fold(1.0 / 0.995, f64::min)
        };
        let primal = least(&self.x, &direction.x).min(least(&self.slack, &direction.slack));
        (primal, least(&self.price, &direction.price).min(least(&self.reduced, &direction.reduced)))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The symmetric system of the rows, of which the lower half is used, and then its factor.
struct System {
    rows: usize,
    matrix: Vec<f64>,
}

impl System {
    fn fill(&mut self, columns: &[Column], state: &State) {
        let rows = self.rows;
        self.matrix.fill(0.0);
        for ((column, x), reduced) in columns.iter().zip(&state.x).zip(&state.reduced) {
            let weight = x / reduced;
            for (at, row) in column.rows.iter().enumerate() {
                // Rows of a column ascend.
                column.rows[..=at].iter().for_each(|other| self.matrix[usize::from(*row) * rows + usize::from(*other)] += weight);
            }
        }
        for (row, (slack, price)) in state.slack.iter().zip(&state.price).enumerate() {
            self.matrix[row * rows + row] += slack / price;
        }
    }

    /// Cholesky's factor in place. `false` if rounding left none.
    fn factor(&mut self) -> bool {
        let n = self.rows;
        for row in 0..n {
            let (above, own) = self.matrix.split_at_mut(row * n);
            let own = &mut own[..n];
            for column in 0..row {
                let other = &above[column * n..][..n];
                own[column] = (own[column] - dot(&own[..column], &other[..column])) / other[column];
            }
            let left = own[row] - dot(&own[..row], &own[..row]);
            if !(left > 0.0 && left.is_finite()) {
                return false;
            }
            own[row] = left.sqrt();
        }
        true
    }

    fn solve(&self, right: &mut [f64]) {
        let n = self.rows;
        for row in 0..n {
            let factor = &self.matrix[row * n..][..n];
            right[row] = (right[row] - dot(&factor[..row], &right[..row])) / factor[row];
        }
        for row in (0..n).rev() {
            let factor = &self.matrix[row * n..][..n];
            right[row] /= factor[row];
            let solved = right[row];
            right[..row].iter_mut().zip(factor).for_each(|(right, factor)| *right -= factor * solved);
        }
    }
}

#[cfg(test)]
mod tests;
