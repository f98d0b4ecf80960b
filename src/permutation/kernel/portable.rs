//! The reference form of the inner loop: plain Rust, any processor.

use super::Tile;

#[inline(always)]
pub(super) fn count_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    rows.map(|row| columns.map(|column| row.iter().zip(column).map(|(&a, &b)| u64::from((a & b).count_ones())).sum()))
}

#[inline(always)]
pub(super) fn count_common([a, b, c, d]: [&[u64]; 4]) -> u64 {
    let words = a.iter().zip(b).zip(c.iter().zip(d));
    words.map(|((&a, &b), (&c, &d))| u64::from((a & b & c & d).count_ones())).sum()
}
