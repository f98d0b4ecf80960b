use super::*;

#[test]
fn every_float_is_counted_once() {
    let mut spread = Spread::new("x", "x", [-1.0, 1.0]);
    spread.count(&[-1.0, -0.999, 0.0, 0.0, 1.0, f32::NAN, 2.0]);
    assert_eq!((spread.total(), spread.odd), (7, 2));
    assert_eq!((spread.counts[0], spread.counts[BINS / 2], spread.counts[BINS - 1]), (2, 2, 1));
    for is_log in [false, true] {
        assert_eq!(spread.picture("net", is_log).name, if is_log { "x-log" } else { "x" });
    }
    let mut flat = Spread::new("x", "x", [0.5, 0.5]);
    flat.count(&[0.5; 3]);
    assert_eq!(flat.counts[0], 3);
}

#[test]
fn tiles_stand_beside_and_below_each_other() {
    let names = (0..3).map(|tile| tile.to_string()).collect();
    let tiles = Tiles {
        name: "t",
        title: "t".into(),
        tile: [2, 1],
        across: 2,
        names,
        labels: Labels::default(),
        zoom: 1.0,
        limits: Limits::default(),
    };
    let scene = tiles.picture(|tile, [column, _]| tile as f32 + column as f32 / 2.0);
    let (_, heat) = scene.heats().next().unwrap();
    assert_eq!((heat.width(), heat.height()), (4, 2));
    let values: Vec<Option<f64>> =
        (0..8).map(|at| heat.value(heat.number(at % 4, at / 4)).map(|value| (value * 100.0).round() / 100.0)).collect();
    assert_eq!(values, [Some(0.0), Some(0.5), Some(1.0), Some(1.5), Some(2.0), Some(2.5), None, None]);
}
