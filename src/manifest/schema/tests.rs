use super::super::keys::TABLES;
use super::*;

#[test]
fn every_table_is_defined() {
    let schema = schema();
    for table in TABLES {
        let found = if table.name.is_empty() { &schema } else { &schema["definitions"][table.name] };
        let properties: Vec<&String> = found["properties"].as_object().unwrap().keys().collect();
        assert_eq!(properties, table.keys().map(|key| key.name).collect::<Vec<_>>(), "{}", table.header);
    }
}

#[test]
fn names_are_matched_in_any_case() {
    assert_eq!(any_case("v14.1-x"), r"[Vv]14\.1-[Xx]");
}
