use super::*;
use crate::stage::{Action, key};

#[test]
fn only_what_decides_the_result_is_in_the_key() {
    let greedy = Search { seed: 3, budget: Some(5), ..Search::default() };
    assert_eq!(key(&Action::Search(greedy)), r#"{"algorithm":"greedy"}"#);
    let anneal = Search { algorithm: Algorithm::Anneal, seed: 3, budget: None };
    assert_eq!(key(&Action::Search(anneal)), r#"{"algorithm":"anneal","seed":3}"#);
    let assign = Search { algorithm: Algorithm::Assign, seed: 3, budget: Some(0) };
    assert_eq!(key(&Action::Search(assign)), r#"{"algorithm":"assign","effort":0,"seed":3}"#);
}
