//! The reference form of the inner loop: plain Rust, any processor. Written as plain loops, which the compiler inlines into the forms that
//! enable a processor's features; the same as chains of iterators were compiled apart, without the features.

use super::{Square, Tile};

/// Words of a slice that are best given at once: eight slices then take half of the first-level cache.
pub(super) const WORDS_AT_ONCE: usize = 256;

#[inline(always)]
pub(super) fn count_shared(rows: [&[u64]; 4], columns: [&[u64]; 4]) -> Tile {
    let mut tile = Tile::default();
    for i in 0..4 {
        for j in 0..4 {
            let (row, column) = (rows[i], columns[j]);
            let mut count = 0;
            for w in 0..row.len().min(column.len()) {
                count += u64::from((row[w] & column[w]).count_ones());
            }
            tile[i][j] = count;
        }
    }
    tile
}

#[inline(always)]
pub(super) fn count_common([a, b, c, d]: [&[u64]; 4]) -> u64 {
    let mut count = 0;
    for w in 0..a.len().min(b.len()).min(c.len()).min(d.len()) {
        count += u64::from((a[w] & b[w] & c[w] & d[w]).count_ones());
    }
    count
}

#[inline(always)]
pub(super) fn best_rotation(ab: &Square, bc: &Square, ca: &Square, least: i32) -> Option<(i32, [usize; 3])> {
    let mut best = (least, None);
    for i in 0..4 {
        for j in 0..4 {
            for k in 0..4 {
                let gain = ab[4 * i + j] + bc[4 * j + k] + ca[4 * k + i];
                if gain > best.0 {
                    best = (gain, Some([i, j, k]));
                }
            }
        }
    }
    best.1.map(|places| (best.0, places))
}

#[inline(always)]
pub(super) fn above(a: &[i32], b: &[i32], least: i32) -> u64 {
    let mut bits = 0;
    for k in 0..a.len().min(b.len()) {
        bits |= u64::from(a[k] + b[k] > least) << k;
    }
    bits
}
