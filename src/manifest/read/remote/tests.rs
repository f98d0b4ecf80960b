use super::*;

#[test]
fn times_are_read() {
    for (text, millis) in [("250ms", 250), ("30s", 30_000), ("10m", 600_000), ("1h30m", 5_400_000), ("2d", 172_800_000), ("0s", 0)] {
        assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "30", "s", "1.5h", "-1s", "1 h", "1w", "99999999999999999999s", "18446744073709551615d", "1s2"] {
        assert_eq!(duration(text), None, "{text}");
    }
}

#[test]
fn addresses_from_elsewhere_are_checked_alike_and_secrets_are_not_shown() {
    for good in ["grpc://127.0.0.1:8980", "grpcs://rbe.example.org", "grpcs://a/main/b"] {
        assert!(check_cluster_url(good, "--remote").is_ok(), "{good}");
    }
    for (bad, part) in [
        ("rbe.example.org", "no scheme"),
        ("https://a", "`https://` is not known"),
        ("grpc://", "no host"),
        ("grpc://:80", "no host"),
        ("grpc://a b", "characters"),
    ] {
        let error = check_cluster_url(bad, "NNUE_REMOTE").unwrap_err();
        assert!(format!("{error}").contains(part) && error.message().contains(bad), "{bad}: {error}");
    }
    for secret in ["grpcs://me:hunter2@a", "grpcs://a?token=hunter2"] {
        let error = check_cluster_url(secret, "--remote").unwrap_err();
        assert!(!error.to_string().contains("hunter2") && error.message().contains("credentials"), "{error}");
    }
}
