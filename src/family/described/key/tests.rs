use super::super::plan::plan;
use super::*;

fn keys(text: &str) -> Vec<Params> {
    let architecture = Architecture::parse("a", text, &[]).unwrap();
    let from = architecture.readable("raw").unwrap();
    let to = architecture.writable("published").unwrap();
    let steps = plan(&architecture, from, to).unwrap();
    vec![
        of_load(&architecture, from, &steps.undo),
        of_steps(&architecture, &steps.moves),
        of_gather(&architecture),
        of_permute(&architecture),
        of_write(&architecture, to, &[]),
    ]
}

#[test]
fn comments_and_names_re_key_nothing_and_values_do() {
    let text = crate::net::shipped::find("plentychess").unwrap().text;
    let known = keys(text);
    assert_eq!(keys(&format!("# first\n{}", text.replace("step.narrow", "step.slim").replace("\"narrow\"", "\"slim\""))), known);
    for (old, new, changed) in [
        ("scale = 64", "scale = 63", [false, true, false, false, false]),
        ("shift = 9", "shift = 10", [false, false, true, false, false]),
        ("l3 = 32", "l3 = 16", [true, false, false, false, true]),
    ] {
        assert!(text.contains(old), "{old}");
        let other = keys(&text.replacen(old, new, 1));
        let differ: Vec<bool> = known.iter().zip(&other).map(|(a, b)| a != b).collect();
        assert_eq!(differ, changed, "{old}");
    }
}
