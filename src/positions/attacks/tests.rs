use super::*;

#[test]
fn tables_have_the_known_sizes() {
    let total = |table: &[u64; 64]| table.iter().map(|bits| bits.count_ones()).sum::<u32>();
    assert_eq!(total(&KNIGHT), 336);
    assert_eq!(total(&KING), 420);
    let sliders = |rays: &[usize]| -> u32 { rays.iter().map(|&r| (0..64).map(|s| ray(r, s).count_ones()).sum::<u32>()).sum() };
    assert_eq!((sliders(&BISHOP_RAYS), sliders(&ROOK_RAYS), sliders(&QUEEN_RAYS)), (560, 896, 1456));
    assert_eq!(PAWN[0][8..56].iter().map(|bits| bits.count_ones()).sum::<u32>(), 84);
}

#[test]
fn rays_stop_at_the_nearest_piece() {
    let occupied = 1 << 3 | 1 << 6 | 1 << 35;
    assert_eq!(first_on_ray(1, 0, occupied), Some(3)); // east from a1
    assert_eq!(first_on_ray(5, 7, occupied), Some(6)); // west from h1
    assert_eq!(first_on_ray(0, 3, occupied), Some(35)); // north from d1
    assert_eq!(first_on_ray(4, 35, occupied), Some(3)); // south from d5
    assert_eq!(first_on_ray(2, 0, occupied), None);
}
