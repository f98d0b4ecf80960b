use super::*;

#[test]
fn lines_are_split_as_a_shell_does() {
    const BREAKS: &str = " \t\n\"'><=;|&(:";
    for (line, words, quoted, kept) in [
        ("nnue ", &["nnue", ""][..], false, 0),
        ("nnue build epo", &["nnue", "build", "epo"], false, 0),
        ("nnue build nightly/epoch=1", &["nnue", "build", "nightly/epoch=1"], false, 14),
        ("nnue build 'a b=", &["nnue", "build", "a b="], true, 0),
        ("nnue build a\\ b=c\\=d", &["nnue", "build", "a b=c=d"], false, 4),
        ("nnue -f \"x y.toml\" build \"", &["nnue", "-f", "x y.toml", "build", ""], true, 0),
        ("nnue '' größe=", &["nnue", "", "größe="], false, 8),
        ("nnue a\\", &["nnue", "a"], false, 0),
        ("", &[""], false, 0),
    ] {
        let (found, last) = split(line, BREAKS);
        assert_eq!((found, last.quoted, last.kept), (words.iter().map(ToString::to_string).collect(), quoted, kept), "{line}");
    }
}
