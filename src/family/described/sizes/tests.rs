use super::*;

fn compute(text: &str) -> Result<i128, String> {
    evaluate(text, &mut |name| if name == "out" { Ok(16) } else { Err(format!("no size is named `{name}`")) })
}

#[test]
fn arithmetic_is_pythons() {
    for (text, value) in [("32+2*out", 64), ("2*(out+1)", 34), ("out//3", 5), ("out/4", 4), ("out % 5", 1), (" 7 ", 7), ("1-2-3", -4)] {
        assert_eq!(compute(text), Ok(value), "{text}");
    }
    for text in ["", "out+", "(1", "1)", "out/3", "out//0", "inn", "99999999999999999", "3x", "1099511627776*2"] {
        assert!(compute(text).is_err(), "{text}");
    }
}
