use super::*;

#[test]
fn buckets_and_king_squares_are_inverse() {
    assert_eq!((king_bucket(4), king_bucket(7), king_bucket(63), king_bucket(0)), (Some(31), Some(28), Some(0), None));
    for bucket in 0..32 {
        assert_eq!(king_bucket(bucket_square(bucket)), Some(bucket));
    }
}

fn block(block: Block, virtual_rows: usize) -> FloatBlock {
    let rows = block.rows() + virtual_rows;
    let tensor: Arc<dyn Tensor> = Arc::new(Owned::new(vec![rows, 1], (0..rows).map(|row| row as f32).collect()));
    FloatBlock { block, recipe: RowRecipe::Factorized { tensor, first: 0, virtual_first: block.rows() }, columns: 1 }
}

#[test]
fn unused_slots_add_the_row_before_the_virtual_ones() {
    assert_eq!(block(Block::HalfKp, 704).terms(641), Terms { real: 641, added: [Some(41024 + 1), Some(41087)] });
    assert_eq!(block(Block::HalfKa, 768).terms(769 * 3), Terms { real: 769 * 3, added: [Some(49215), None] });
}

#[test]
fn the_shared_king_plane_adds_the_right_kings_factor() {
    let hm = block(Block::HalfKaV2Hm, 768);
    let own = 704 * 31 + 640 + 4;
    assert_eq!(hm.terms(own).added[0], Some(22528 + 640 + 4), "own king on e1 in the bucket of e1");
    assert_eq!(hm.terms(own + 1).added[0], Some(22528 + 704 + 5), "opponent's king elsewhere");
}

#[test]
fn rows_are_sums_in_order() {
    let kp = block(Block::HalfKp, 704);
    let mut out = vec![0.0; 3];
    kp.read_rows(1000..1003, &mut out).unwrap();
    let expected: Vec<f32> = (1000..1003).map(|r| r as f32 + (41024 + r / 641) as f32 + (41088 + r % 641 - 1) as f32).collect();
    assert_eq!(out, expected);
}
