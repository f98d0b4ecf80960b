use super::*;

#[test]
fn the_order_holds_each_sample_once_and_brings_kings_together() {
    let positions = crate::positions::generate(4, 777);
    let mut order = Order::default();
    // What a longer batch left behind does not matter.
    order.arrange(&crate::positions::generate(5, 900));
    order.arrange(&positions);
    assert_eq!((order.samples.len(), order.places.len()), (1554, 1554));
    assert!(order.places.iter().zip(0..).all(|(&place, sample)| order.samples[place as usize] == sample));
    let squares: Vec<usize> = order
        .samples
        .iter()
        .map(|&sample| {
            let position = &positions[sample as usize / 2];
            let color = if sample % 2 == 0 { position.side_to_move() } else { position.side_to_move().opponent() };
            let king = position.king_square(color) ^ if color == Color::Black { 56 } else { 0 };
            king ^ if king & 4 == 0 { 7 } else { 0 }
        })
        .collect();
    assert!(squares.is_sorted());
}
