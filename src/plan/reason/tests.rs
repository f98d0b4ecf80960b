use super::*;
use serde_json::json;

#[test]
fn parameters_come_first_with_old_and_new_values() {
    let old = Preimage::of(
        &json!({"params": {"positions": 10, "seed": 0, "held_out": 10}, "inputs": {"network": "aa", "data.0": "bb"}, "stage_version": 1}),
    )
    .unwrap();
    let new = Preimage::of(
        &json!({"params": {"positions": 20, "seed": 0, "held_out": 20}, "inputs": {"network": "ac", "data.0": "bc"}, "stage_version": 1}),
    )
    .unwrap();
    let reasons = compare(&old, &new, |name| name.starts_with("data").then(|| "fish.binpack".to_owned()));
    let kinds: Vec<(&str, &str)> = reasons.iter().map(|reason| (reason.kind(), reason.name().unwrap())).collect();
    let params = [("param_changed", "positions"), ("param_changed", "held_out")];
    assert_eq!(kinds[..2], params, "what the manifest has comes first");
    assert_eq!(kinds[2..], [("input_changed", "fish.binpack"), ("upstream_changed", "network")]);
    assert_eq!(reasons[0].change(), (Some("10"), Some("20")));
    assert!(compare(&new, &new, |_| None).is_empty());
}
#[test]
fn reasons_are_objects_of_four_members_in_json_and_read_back() {
    let change = || Change { name: "seed".into(), old: None, new: Some("7".into()) };
    let reasons = [
        Reason::NeverBuilt,
        Reason::InputChanged(change()),
        Reason::UpstreamChanged(change()),
        Reason::UpstreamStale("load".into()),
        Reason::ParamChanged(change()),
        Reason::StageVersionChanged(change()),
        Reason::RecordMissing,
        Reason::BlobMissing,
        Reason::BlobCorrupt,
        Reason::OutputMissing("a.nnue".into()),
        Reason::OutputModified(change()),
        Reason::Unchecked("a.nnue".into()),
        Reason::ResultChanged { old: Some("aa".into()), new: None },
        Reason::Forced,
        Reason::Failed("cannot open `a`".into()),
    ];
    for reason in reasons {
        let value = serde_json::to_value(&reason).unwrap();
        assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["kind", "name", "old", "new"]);
        assert_eq!(serde_json::from_value::<Reason>(value).unwrap(), reason);
    }
    let param = serde_json::to_value(Reason::ParamChanged(change())).unwrap();
    assert_eq!(param, json!({"kind": "param_changed", "name": "seed", "old": null, "new": "7"}));
}

#[test]
fn reasons_of_another_version_stay_what_they_are() {
    for value in [
        json!({"kind": "moon_phase", "name": "a", "old": "b", "new": null}),
        json!({"kind": "param_changed", "name": null, "old": null, "new": null}),
    ] {
        let reason: Reason = serde_json::from_value(value.clone()).unwrap();
        assert!(matches!(reason, Reason::Foreign(_)), "{reason:?}");
        assert_eq!(serde_json::to_value(reason).unwrap(), value);
    }
}
