//! The reference form of the inner loop: plain Rust, any processor. Written as plain loops, which the compiler inlines into the forms that
//! enable a processor's features; the same as chains of iterators were compiled apart, without the features.

use super::Tile;

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
