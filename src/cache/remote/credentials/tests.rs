use super::*;

#[test]
fn loopback_is_told_from_other_hosts() {
    for url in
        ["http://localhost/a", "http://localhost:8080", "http://127.0.0.1:1/x", "http://127.1.2.3", "http://[::1]:80/x", "http://[::1]"]
    {
        assert!(is_loopback(url), "{url}");
    }
    for url in ["http://localhost.example.org/", "http://10.0.0.1:80", "http://[fe80::1]:80/", "http://127.0.0.1.example.org"] {
        assert!(!is_loopback(url), "{url}");
    }
}

#[test]
fn a_token_with_a_newline_inside_is_refused_and_not_shown() {
    assert_eq!(printable("abc\n", TOKEN).unwrap(), "abc");
    let error = printable("geheim\r\nx: y", TOKEN).unwrap_err().to_string();
    assert!(error.contains(TOKEN) && !error.contains("geheim"), "{error}");
}
