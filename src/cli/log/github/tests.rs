use super::*;

#[test]
fn an_annotation_is_one_line_whatever_it_says() {
    let plain = Error::new("50 % of `a`\r").because("truncated").help("fetch it\nagain");
    assert_eq!(error(&plain), ["::error title=nnue::50 %25 of `a`\\r%0Abecause: truncated%0Ahelp: fetch it%0Aagain"]);
    assert_eq!(message("warning", "a, b: c"), "::warning title=nnue::a, b: c");
    assert_eq!(usage("error: unexpected argument\n\n  tip: no\n"), "::error title=nnue::unexpected argument%0A%0A  tip: no");
}

#[test]
fn mistakes_of_a_manifest_stand_at_their_lines() {
    let text = "version = 1\n[net.a]\nsource = \"x.nnue\"\noutputs = \"d/\"\nx = 1\ncompression = \"no\"\n";
    let broken = crate::manifest::parse(text, "so,me/nnue.toml".as_ref(), &[]).unwrap_err();
    let lines = error(&broken);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("::error file=so%2Cme/nnue.toml,line=5,col=1,title=nnue::unknown key `x`"), "{lines:?}");
    assert!(lines[1].starts_with("::error file=so%2Cme/nnue.toml,line=6,col=15,title=nnue::"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
}
