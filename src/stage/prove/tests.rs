use super::*;
use crate::stage::{Action, key};

#[test]
fn what_is_asked_besides_is_in_the_key_only_where_it_is_asked() {
    let params = Prove { positions: 200, seed: 0, max_error: None, mean_error: None, sums: false };
    assert_eq!(key(&Action::Prove(params)), r#"{"positions":200,"seed":0,"selection":1}"#);
    assert_eq!(key(&Action::Prove(Prove { sums: true, ..params })), r#"{"positions":200,"seed":0,"selection":1,"sums":true}"#);
    let params = Prove { max_error: Some(12.0), mean_error: Some(0.5), ..params };
    assert_eq!(key(&Action::Prove(params)), r#"{"max_error":"12","mean_error":"0.5","positions":200,"seed":0,"selection":1}"#);
}
