use super::*;

#[test]
fn public_names_have_twelve_small_digits() {
    assert!(is_public_name("nn-0123456789ab.nnue") && is_public_name("nn-ffffffffffff.nnue"));
    let bad = ["nn-0123456789AB.nnue", "nn-0123456789a.nnue", "nn-0123456789abc.nnue", "nn-0123456789ag.nnue", "NN-0123456789ab.nnue"];
    let more = ["nn-0123456789ab.nnue.gz", "latest.nnue", "", "nn-.nnue", "dist/nn-0123456789ab.nnue", "nn-0123456789ab.nnue\n"];
    for name in bad.into_iter().chain(more) {
        assert!(!is_public_name(name), "{name:?}");
    }
}
