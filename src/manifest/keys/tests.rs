use super::*;

#[test]
fn names_are_unique_and_words_say_what_they_are() {
    for table in TABLES {
        let mut names: Vec<&str> = table.keys().map(|key| key.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{}", table.header);
        for key in table.keys() {
            assert!(!key.about.is_empty() && !key.about.ends_with('.'), "{}", key.name);
        }
    }
}

#[test]
fn defaults_are_the_keys_of_a_net_without_its_source() {
    let names = |table: &Table| table.keys().map(|key| key.name).collect::<Vec<_>>();
    assert_eq!(names(&DEFAULTS), names(&NET)[1..]);
}

#[test]
fn default_words_are_those_of_their_types() {
    let of_types =
        [Overflow::default().name(), CompressionChoice::default().name(), Algorithm::default().name(), RemoteMode::default().name()];
    let keys = [SOURCE.key("overflow"), NET.key("compression"), OPTIMIZE.key("algorithm"), REMOTE.key("mode")];
    assert_eq!(keys.map(|key| key.unwrap().default), of_types);
}
