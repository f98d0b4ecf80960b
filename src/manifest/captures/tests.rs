use super::*;

#[test]
fn wildcards_are_counted_and_named() {
    for (pattern, path, values) in [
        (
            "runs/run_*/lightning_logs/version_*/x/epoch=*.ckpt",
            "runs/run_3/lightning_logs/version_0/x/epoch=9-step=1.ckpt",
            "1=3 2=0 3=9-step=1",
        ),
        ("runs/{run:*}/v?/{file:epoch=*}.ckpt", "runs/a.b/v7/epoch=1.ckpt", "run=a.b 1=a.b 2=7 file=epoch=1 3=epoch=1"),
        ("**/x/*.pt", "a/b/x/c.pt", "1=a/b 2=c"),
        ("**/*.pt", "c.pt", "1= 2=c"),
        ("a/**", "a/b/c", "1=b/c"),
        ("./a//[!b-d]{1,2*}/\\*{k:{x,y}_?}", "a/e2z/*x_1", "1=e 2=2z k=x_1 3=x_1"),
        ("/tmp/*", "/tmp/q", "1=q"),
        ("plain.pt", "plain.pt", ""),
    ] {
        let found: Vec<String> = Captures::of(pattern).read(path).iter().map(|(word, value)| format!("{word}={value}")).collect();
        assert_eq!(found.join(" "), values, "{pattern}");
    }
    assert_eq!(words_of("{run:*}/*"), ["1", "2", "run"]);
}

#[test]
fn names_are_no_part_of_the_pattern() {
    assert_eq!(without_names("runs/{run:r_*}/*.{pt,ckpt}").unwrap(), "runs/r_*/*.{pt,ckpt}");
    assert_eq!(without_names("{run:{a,b}*}/x/").unwrap(), "{a,b}*/x/");
    assert!(without_names("{a:*}/{a:*}").unwrap_err().contains("two of its wildcards"));
    for word in ["stem", "7"] {
        assert!(without_names(&format!("{{{word}:*}}")).unwrap_err().contains("something else"));
    }
    for broken in ["{", "{a:", "[", "a{b", "\\", "{a:[}", "x]{[", "{a:}", "{{{,", "[!", "{,}{"] {
        let _ = (without_names(broken), Captures::of(broken).read(broken), words_of(broken));
    }
}
