use super::*;
use crate::stage::{Action, key};

/// "Nothing was seen" is not what a record says that was made before anybody looked.
#[test]
fn a_record_that_does_not_tell_of_sums_is_not_understood() {
    let told = r#"{"entries":9,"in_check":1,"filtered":2,"chunks_visited":3,"chunks":4,"looked_at":0}"#;
    assert!(serde_json::from_str::<Sampled>(told).unwrap().overflow.is_none());
    assert!(serde_json::from_str::<Sampled>(&told.replace(r#","looked_at":0"#, "")).is_err());
}

#[test]
fn filters_are_in_the_key_only_where_they_are_on() {
    let gather = |filters| key(&Action::Gather(Box::new(Gather { positions: 200, seed: 7, filters })));
    // As it was before there were filters: caches and lock files stay good.
    assert_eq!(gather(Filters::default()), r#"{"held_out":200,"positions":200,"seed":7,"selection":1}"#);
    let filtered = Filters { filtered: true, ..Filters::default() };
    assert_eq!(gather(filtered), r#"{"filters":{"filtered":true},"held_out":200,"positions":200,"seed":7,"selection":1}"#);
}
