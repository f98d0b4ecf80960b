//! The best choice of men on the board, given what each is worth on each square.

/// Squares of the board.
pub(super) const SQUARES: usize = 64;
/// Men that a side has without promotions: knights, bishops, rooks, queens.
const OFFICERS: [usize; 5] = [0, 2, 2, 2, 1];
/// Pawns and promoted pieces of a side.
const PAWNS: usize = 8;
/// Men of both sides without the kings.
const ALL_MEN: usize = 30;

/// What each man is worth on each square, doubled: own pawn to king, then the other side's. For one column, and one sign of its weights.
#[derive(Clone)]
pub(super) struct Worth(pub(super) [[i32; SQUARES]; 12]);

impl Default for Worth {
    fn default() -> Self {
        Self([[0; SQUARES]; 12])
    }
}

impl Worth {
    /// The same with the files turned round if the own king stands on files e to h: threats are seen with it on files a to d.
    pub(super) fn turned(&self, king: usize) -> Self {
        if king & 4 == 0 {
            return self.clone();
        }
        Self(self.0.map(|of_man| std::array::from_fn(|square| of_man[square ^ 7])))
    }
}

/// The largest worth of a legal placement with the own king on `king`.
pub(super) fn best(worth: &Worth, king: usize) -> i32 {
    let own_king = worth.0[5][king];
    let other_king = (0..SQUARES).filter(|square| *square != king).map(|square| worth.0[11][square]).max().unwrap_or(0);
    let by_number = side(&worth.0[..5]) + side(&worth.0[6..11]);
    own_king + other_king + by_number.min(by_square(worth, king))
}

/// The best men of one side by their number, squares shared.
fn side(men: &[[i32; SQUARES]]) -> i32 {
    let mut sum = 0;
    let mut spare = Largest::<PAWNS>::default();
    for (squares, officers) in men.iter().zip(OFFICERS) {
        let mut largest = Largest::<{ PAWNS + 2 }>::default();
        squares.iter().for_each(|worth| largest.push(*worth));
        let (first, rest) = largest.0.split_at(officers);
        sum += first.iter().sum::<i32>();
        rest.iter().for_each(|worth| spare.push(*worth));
    }
    sum + spare.0.iter().sum::<i32>()
}

/// The best man of each square, on the best squares.
fn by_square(worth: &Worth, king: usize) -> i32 {
    let mut squares: [i32; SQUARES] = std::array::from_fn(|square| {
        let men = worth.0[..5].iter().chain(&worth.0[6..11]).map(|of_man| of_man[square]);
        if square == king { 0 } else { men.max().unwrap_or(0).max(0) }
    });
    squares.sort_unstable_by(|a, b| b.cmp(a));
    squares[..ALL_MEN].iter().sum()
}

/// The N largest of the values above 0, largest first.
pub(super) struct Largest<const N: usize>(pub(super) [i32; N]);

impl<const N: usize> Default for Largest<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Largest<N> {
    /// Takes a value in, if it is large enough.
    #[inline]
    pub(super) fn push(&mut self, value: i32) {
        if value <= self.0[N - 1] {
            return;
        }
        let mut at = N - 1;
        while at > 0 && self.0[at - 1] < value {
            self.0[at] = self.0[at - 1];
            at -= 1;
        }
        self.0[at] = value;
    }
}

#[cfg(test)]
mod tests;
