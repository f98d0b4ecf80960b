use serde_json::json;

use super::*;
use crate::files::Blake3;

fn entry() -> Entry {
    let record = crate::cache::record::tests::record("gather", 10, Blake3::of(b"abc"));
    Entry { record, blob: Sha256::of(b"abc") }
}

#[test]
fn a_value_comes_back_and_belongs_to_its_preimage() {
    let entry = entry();
    let bytes = encode(&entry, None).unwrap();
    assert_eq!(decode(&bytes, &entry.record.preimage, None).unwrap(), entry);
    let other = Preimage::of(&json!({"stage": "search"})).unwrap();
    assert!(decode(&bytes, &other, None).unwrap_err().contains("does not have its key"));
}

#[test]
fn fields_that_a_cache_adds_are_skipped() {
    let entry = entry();
    let mut bytes = encode(&entry, None).unwrap();
    // stdout_raw = "x", and a field that no version knows
    bytes.extend_from_slice(&[0x2a, 1, b'x', 0xf8, 0x07, 5]);
    assert_eq!(decode(&bytes, &entry.record.preimage, None).unwrap(), entry);
}

#[test]
fn no_changed_bit_gives_another_record() {
    let entry = entry();
    let key = MacKey::of_secret("secret");
    let bytes = encode(&entry, Some(&key)).unwrap();
    let mut unharmed = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = decode(&bad, &entry.record.preimage, None) {
            // The worker's name, the MAC and the blob's name are outside the seal; another blob is noticed by its digest.
            assert_eq!(read.record, entry.record, "bit {bit}");
            unharmed += 1;
        }
        if let Ok(read) = decode(&bad, &entry.record.preimage, Some(&key)) {
            assert_eq!(read.record, entry.record, "bit {bit}");
        }
    }
    assert!(unharmed > 0 && unharmed < bytes.len() * 2, "{unharmed}");
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut], &entry.record.preimage, Some(&key)).is_err(), "cut at {cut}");
    }
}

#[test]
fn noise_gives_no_record_and_no_panic() {
    let entry = entry();
    let good = encode(&entry, None).unwrap();
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let mut bad = good.clone();
        for _ in 0..=random(4) {
            if bad.is_empty() {
                break;
            }
            let at = random(bad.len());
            match random(4) {
                0 => bad[at] = random(256) as u8,
                1 => drop(bad.remove(at)),
                2 => bad.insert(at, [0, 0xff, 0x80, 0x12][random(4)]),
                _ => bad.truncate(at + 1),
            }
        }
        if let Ok(read) = decode(&bad, &entry.record.preimage, None) {
            assert_eq!(read.record, entry.record);
        }
        let noise: Vec<u8> = (0..random(200)).map(|_| random(256) as u8).collect();
        assert!(decode(&noise, &entry.record.preimage, None).is_err());
    }
}

#[test]
fn with_a_secret_only_what_it_sealed_is_taken() {
    let entry = entry();
    let (ours, theirs) = (MacKey::of_secret("ours"), MacKey::of_secret("theirs"));
    let preimage = &entry.record.preimage;
    let sealed = encode(&entry, Some(&ours)).unwrap();
    assert_eq!(decode(&sealed, preimage, Some(&ours)).unwrap(), entry);
    assert_eq!(decode(&sealed, preimage, None).unwrap(), entry, "who has no secret does not ask for one");
    for bytes in [encode(&entry, Some(&theirs)).unwrap(), encode(&entry, None).unwrap()] {
        assert!(decode(&bytes, preimage, Some(&ours)).unwrap_err().contains("not sealed"));
    }
}
