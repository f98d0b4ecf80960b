use super::*;

#[test]
fn the_path_of_an_address_is_the_instance() {
    for (url, instance) in [
        ("grpc://127.0.0.1:1", ""),
        ("grpc://127.0.0.1:1/", ""),
        ("grpcs://rbe.example.org/main", "main"),
        ("grpc://[::1]:8980/a/b/", "a/b"),
    ] {
        assert_eq!(read(url, For::Cluster, None).unwrap().instance, instance, "{url}");
    }
    for url in ["http://a", "grpc://", "grpc://a b", "a"] {
        assert_eq!(read(url, For::Cluster, None).map(|_| ()).unwrap_err().kind(), Kind::Usage, "{url}");
    }
}
