use super::*;
use crate::draw::{Labels, Ramp};

#[test]
fn a_cell_is_painted_where_it_stands() {
    let heat = Heat {
        tile: [2, 2],
        across: 1,
        names: vec![String::new()],
        labels: Labels::default(),
        numbers: vec![-1, 1, 0, super::super::scene::BLANK],
        divisor: 1,
        one: 1.0,
        ramp: Ramp::around_zero(1.0),
    };
    assert_eq!(heat_pixels(&heat), [0, 254, 127, 255]);
    let mut scene = Scene::new("a", "a", 6.0, 4.0);
    scene.fill(Area::new(0.0, 0.0, 1.0, 4.0), Ink::Limit);
    scene.heat(Area::new(1.0, 0.0, 4.0, 4.0), heat);
    let canvas = paint(&scene, 1);
    assert_eq!((canvas.width, canvas.height), (6, 4));
    let at = |x: usize, y: usize| canvas.pixels[y * 6 + x];
    assert_eq!(at(0, 3), Ink::Limit.light());
    assert_eq!((at(1, 0), at(2, 1), at(3, 1), at(2, 2)), ([59, 76, 192], [59, 76, 192], [180, 4, 38], [221, 221, 221]));
    assert_eq!((at(4, 3), at(5, 0)), ([255, 255, 255], [255, 255, 255]));
    let twice = paint(&scene, 2);
    assert_eq!((twice.width, twice.pixels[2], twice.pixels[5]), (12, [59, 76, 192], [59, 76, 192]));
}

#[test]
fn lines_and_letters_leave_ink_and_nothing_outside() {
    let mut scene = Scene::new("a", "a", 40.0, 20.0);
    scene.line([-5.0, 10.0], [50.0, 10.0], Ink::Text, 1.0);
    scene.label([38.0, 9.0], Anchor::End, Ink::Text, "x−☃");
    scene.label([-100.0, -100.0], Anchor::Start, Ink::Text, "far away");
    let canvas = paint(&scene, 1);
    let inked = |rows: std::ops::Range<usize>| canvas.pixels[rows.start * 40..rows.end * 40].iter().filter(|p| **p != [255; 3]).count();
    assert_eq!(inked(9..11), 80, "half of the line above, half below its middle");
    assert!(inked(0..9) > 20);
    assert_eq!(inked(11..20), 0);
}
