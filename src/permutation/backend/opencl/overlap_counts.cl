// Counts, for each place of each block and each neuron, the samples in which the neuron and the other three of the block are zero.
//
// A group of 16 x 16 work items does 16 blocks (64 places) with 64 neurons. Sixteen words of these 128 columns at a time go through local
// memory, where neighbouring work items read neighbouring words of one column. Each work item does one block with four neurons: eight
// words read make sixteen counts.

#define SIDE 16
#define WIDE 64
#define STEP 16
// One word more than needed moves the rows to different banks.
#define ROW (STEP + 1)

__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void overlap_counts(__global const ulong *columns, // neurons x pitch words
                    const uint pitch,
                    const uint first,              // words to look at
                    const uint length,
                    const uint neurons,
                    __global const uint *blocks,   // four neurons each
                    const uint block_count,
                    __global uint *counts,         // 4 * block_count x neurons; added to
                    __local ulong *held,           // WIDE x ROW
                    __local ulong *moving)         // WIDE x ROW
{
    const uint x = get_local_id(0);
    const uint y = get_local_id(1);
    const uint left = get_group_id(0) * WIDE;
    const uint top = get_group_id(1) * WIDE;
    uint sums[4][4] = {{0}};

    for (uint w = 0; w < length; w += STEP) {
        for (uint k = 0; k < WIDE; k += SIDE) {
            const uint row = y + k;
            const int inside = w + x < length;
            const size_t word = (size_t)first + w + x;
            held[row * ROW + x] = inside && top + row < 4 * block_count ? columns[(size_t)blocks[top + row] * pitch + word] : 0;
            moving[row * ROW + x] = inside && left + row < neurons ? columns[(size_t)(left + row) * pitch + word] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint s = 0; s < STEP; s++) {
            const ulong a = held[(4 * y + 0) * ROW + s];
            const ulong b = held[(4 * y + 1) * ROW + s];
            const ulong c = held[(4 * y + 2) * ROW + s];
            const ulong d = held[(4 * y + 3) * ROW + s];
            const ulong ab = a & b;
            const ulong cd = c & d;
            for (uint n = 0; n < 4; n++) {
                const ulong neuron = moving[(x + SIDE * n) * ROW + s];
                sums[0][n] += (uint)popcount(b & cd & neuron);
                sums[1][n] += (uint)popcount(a & cd & neuron);
                sums[2][n] += (uint)popcount(ab & d & neuron);
                sums[3][n] += (uint)popcount(ab & c & neuron);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    for (uint p = 0; p < 4; p++) {
        for (uint n = 0; n < 4; n++) {
            const uint place = top + 4 * y + p;
            const uint neuron = left + x + SIDE * n;
            if (place < 4 * block_count && neuron < neurons) {
                counts[(size_t)place * neurons + neuron] += sums[p][n];
            }
        }
    }
}
