use super::*;
use crate::build::StageStatus;

#[test]
fn a_stage_that_gave_nothing_is_no_difference() {
    let stage = |stage: &str, digest: Option<&str>| StageReport {
        stage: Stage::named(stage).unwrap(),
        status: StageStatus::Ran,
        seconds: None,
        key: None,
        digest: digest.map(str::to_owned),
        reason: None,
        remote: None,
    };
    let last = [("load", "a"), ("permute", "b"), ("write", "c")].map(|(name, digest)| (name.to_owned(), digest.to_owned()));
    let first = |stages: &[StageReport]| first_different_stage(stages, &last);
    assert_eq!(first(&[stage("load", Some("a")), stage("permute", None), stage("write", None)]), None);
    assert_eq!(first(&[stage("load", Some("a")), stage("permute", Some("x")), stage("write", Some("y"))]).as_deref(), Some("permute"));
    assert_eq!(first(&[stage("load", Some("a")), stage("write", Some("x"))]), None, "another stage says nothing");
}
