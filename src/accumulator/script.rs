//! What leads from one accumulator to the next, written down before any sum is made. Knows row numbers, not what is in the rows.

/// What a run of samples does to an accumulator, one step a sample.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// For each step and each block: row numbers to add, then row numbers to subtract.
    pub(super) rows: Vec<u32>,
    /// For each step and each block: how many rows to add, and how many to subtract.
    pub(super) counts: Vec<[u16; 2]>,
    /// For each step: whether it begins with the bias instead of the sums of the step before.
    pub(super) fresh: Vec<bool>,
}

impl Script {
    /// Forgets all steps.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.counts.clear();
        self.fresh.clear();
    }

    /// Number of steps.
    pub(crate) fn steps(&self) -> usize {
        self.fresh.len()
    }

    /// Begins a step; [`Self::block`] must follow once for each block.
    pub(crate) fn step(&mut self, fresh: bool) {
        self.fresh.push(fresh);
    }

    /// The rows of the next block of this step.
    pub(crate) fn block(&mut self, added: &[u32], removed: &[u32]) {
        // A position has at most 32 pieces, each of which attacks less than 32 others: far below 2^16.
        self.counts.push([added.len() as u16, removed.len() as u16]);
        self.rows.extend_from_slice(added);
        self.rows.extend_from_slice(removed);
    }
}

/// The piece-square sums after each step: `buckets` values a step, in 32 bits that wrap.
///
/// `blocks` holds `[rows][buckets]` each.
///
/// # Panics
/// When a row is out of range or `out` has another length.
pub(crate) fn piece_square_sums(script: &Script, blocks: &[&[i32]], buckets: usize, out: &mut [i32]) {
    assert_eq!(out.len(), script.steps() * buckets, "values for each step");
    if buckets == 0 {
        return;
    }
    // The one number of buckets that nets have is worth its own loop, in which the sums stay in registers.
    match buckets {
        8 => sums_of::<8>(script, blocks, out),
        _ => (0..buckets).for_each(|bucket| one_bucket(script, blocks, (bucket, buckets), out)),
    }
}

fn sums_of<const N: usize>(script: &Script, blocks: &[&[i32]], out: &mut [i32]) {
    let mut sums = [0i32; N];
    let mut rows = script.rows.as_slice();
    let steps = script.fresh.iter().zip(script.counts.chunks_exact(blocks.len().max(1)));
    for ((&fresh, counts), out) in steps.zip(out.as_chunks_mut::<N>().0) {
        if fresh {
            sums = [0; N];
        }
        for (block, &[added, removed]) in blocks.iter().zip(counts) {
            let (block, _) = block.as_chunks::<N>();
            let (these, rest) = rows.split_at(usize::from(added));
            for &row in these {
                sums.iter_mut().zip(&block[row as usize]).for_each(|(sum, weight)| *sum = sum.wrapping_add(*weight));
            }
            let (these, rest) = rest.split_at(usize::from(removed));
            for &row in these {
                sums.iter_mut().zip(&block[row as usize]).for_each(|(sum, weight)| *sum = sum.wrapping_sub(*weight));
            }
            rows = rest;
        }
        *out = sums;
    }
}

fn one_bucket(script: &Script, blocks: &[&[i32]], (bucket, buckets): (usize, usize), out: &mut [i32]) {
    let mut sum = 0i32;
    let mut rows = script.rows.as_slice();
    let steps = script.fresh.iter().zip(script.counts.chunks_exact(blocks.len().max(1)));
    for ((&fresh, counts), out) in steps.zip(out.chunks_exact_mut(buckets)) {
        if fresh {
            sum = 0;
        }
        for (block, &[added, removed]) in blocks.iter().zip(counts) {
            let (these, rest) = rows.split_at(usize::from(added));
            let of = |sum: i32, row: &u32| sum.wrapping_add(block[*row as usize * buckets + bucket]);
            sum = these.iter().fold(sum, of);
            let (these, rest) = rest.split_at(usize::from(removed));
            sum = these.iter().fold(sum, |sum, row| sum.wrapping_sub(block[*row as usize * buckets + bucket]));
            rows = rest;
        }
        out[bucket] = sum;
    }
}
