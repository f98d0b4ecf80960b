use std::io::Write;

use super::*;

#[test]
fn only_names_of_published_nets_claim_anything() {
    let digits = |name: &str| claimed(Path::new(name));
    assert_eq!(digits("dist/nn-0123456789ab.nnue").as_deref(), Some("0123456789ab"));
    assert_eq!(digits("nn-0123456789AB.nnue").as_deref(), Some("0123456789ab"));
    for name in ["nn-0123456789a.nnue", "nn-0123456789abc.nnue", "nn-0123456789ag.nnue", "nn-0123456789ab.bin", "a.nnue", ""] {
        assert_eq!(digits(name), None, "{name}");
    }
    let sha256 = Sha256::of(b"x");
    assert_eq!(claimed(Path::new(&net_name(&sha256))), Some(sha256.short()));
    assert_eq!(claimed(Path::new(&weights_name(&sha256))), Some(sha256.to_string()));
    assert_eq!(digits(&format!("{}.pb", "0123456789ABCDEF".repeat(4))), Some("0123456789abcdef".repeat(4)));
    // Other files are named by other sums.
    for name in ["0".repeat(64), format!("{}.pb.gz", "0".repeat(63)), format!("{}.nnue", "0".repeat(64))] {
        assert_eq!(digits(&name), None, "{name}");
    }
}

#[test]
fn a_name_is_checked_against_the_content_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let ctx = Ctx::silent();
    for name in [net_name, weights_name] {
        let path = folder.path().join(name(&Sha256::of(b"a net")));
        std::fs::write(&path, b"a net").unwrap();
        assert!(check(&path, &ctx).unwrap().is_none());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"a net").unwrap();
        std::fs::write(&path, gzip.finish().unwrap()).unwrap();
        assert!(check(&path, &ctx).unwrap().is_none());
        std::fs::write(&path, b"another").unwrap();
        let error = check(&path, &ctx).unwrap().unwrap();
        let causes = error.causes().join("\n");
        assert!(causes.contains(&Sha256::of(b"a net").short()) && causes.contains(&Sha256::of(b"another").short()), "{error}");
    }
}
