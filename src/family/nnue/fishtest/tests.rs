use super::*;
use crate::files::Sha256;
use crate::format::nnue::Compression;
use crate::net::random_network;

fn refusal(result: Result<()>) -> (String, String) {
    let error = result.unwrap_err();
    (error.to_string(), error.help_text().unwrap().to_owned())
}

#[test]
fn the_limit_itself_is_too_much() {
    for bytes in [0, 47_001_499, 199_999_999] {
        check_size(bytes).unwrap();
    }
    for bytes in [200_000_000, 200_000_001, u64::MAX] {
        let (message, help) = refusal(check_size(bytes));
        assert!(message.contains(&bytes.to_string()) && message.contains("fewer than 200000000"), "{message}");
        assert!(help.contains("compression = \"leb128\""), "{help}");
    }
}

#[test]
fn a_file_is_judged_by_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("temporary");
    let mut bytes = Vec::new();
    nnue::write(&mut bytes, &random_network("small", 16, 1), Compression::Leb128).unwrap();
    let check_as = |bytes: &[u8], license: Option<&str>| {
        std::fs::write(&path, bytes).unwrap();
        Fishtest.check(&format!("dist/nn-{}.nnue", Sha256::of(bytes).short()), &path, license, &Ctx::silent())
    };
    check_as(&bytes, Some("CC0-1.0")).unwrap();

    assert!(refusal(check_as(&bytes, None)).0.contains("no licence is stated"));
    let (message, help) = refusal(check_as(&bytes, Some("GPL-3.0-only")));
    assert!(message.contains("`GPL-3.0-only`") && help.contains("license = \"CC0-1.0\""), "{message} {help}");

    let mut raw = Vec::new();
    nnue::write(&mut raw, &random_network("small", 128, 1), Compression::None).unwrap();
    let (message, help) = refusal(check_as(&raw, Some("CC0-1.0")));
    assert!(message.contains("no engine of its generation reads it") && help.contains("leb128"), "{message} {help}");

    let cut = refusal(check_as(&bytes[..bytes.len() - 1], Some("CC0-1.0"))).0;
    assert!(cut.contains("fishtest would refuse `dist/nn-") && cut.contains("truncated at byte"), "{cut}");
    bytes.push(0);
    assert!(refusal(check_as(&bytes, Some("CC0-1.0"))).0.contains("cannot be read back"));

    let (message, help) = refusal(Fishtest.check("dist/nn-000000000000.nnue", &path, Some("CC0-1.0"), &Ctx::silent()));
    assert!(message.contains(&Sha256::of(&bytes).to_string()) && help.contains("name a folder"), "{message}");
    assert!(refusal(Fishtest.check("dist/latest.nnue", &path, Some("CC0-1.0"), &Ctx::silent())).0.contains("its name is not"));
    assert!(
        Fishtest
            .check("dist/nn-000000000000.nnue", &folder.path().join("none"), Some("CC0-1.0"), &Ctx::silent())
            .unwrap_err()
            .to_string()
            .contains("none")
    );
}
