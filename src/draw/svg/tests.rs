use super::*;
use crate::draw::{Area, Heat, Labels, Ramp};

#[test]
fn text_of_others_does_nothing_in_a_page() {
    assert_eq!(escaped("a\u{202e}b\u{7}\u{9b}<i>\n"), "a\u{fffd}b  &lt;i&gt; ");
}

#[test]
fn a_scene_becomes_elements() {
    let mut scene = Scene::new("a", "<a & b>", 100.0, 50.0);
    scene.bar(Area::new(1.0, 2.5, 3.0, 4.125), Ink::Series(1), "\"x\"\u{7}".to_owned());
    scene.line([0.0, 0.0], [1.0, 1.0], Ink::Line, 1.0);
    scene.label([5.0, 6.0], Anchor::End, Ink::Muted, "it's");
    let heat = Heat {
        tile: [1, 1],
        across: 1,
        names: vec![String::new()],
        labels: Labels::default(),
        numbers: vec![0],
        divisor: 1,
        one: 1.0,
        ramp: Ramp::around_zero(1.0),
    };
    scene.heat(Area::new(0.0, 0.0, 10.0, 10.0), heat);
    let text = element(&scene, None, &mut |heat| format!(" data-heat=\"{heat}\""));
    assert!(text.contains("<title>&lt;a &amp; b&gt;</title>"), "{text}");
    assert!(text.contains("<rect class=\"s1\" x=\"1\" y=\"2.5\" width=\"3\" height=\"4.12\"><title>&quot;x&quot; </title></rect>"));
    assert!(text.contains("<polyline class=\"line-l\" stroke-width=\"1\" points=\"0,0 1,1\"/>"));
    assert!(text.contains("text-anchor=\"end\">it&#39;s</text>"));
    assert!(text.contains("<image data-heat=\"0\""));
    assert!(document(&scene).contains("prefers-color-scheme:dark"));
}
