use super::*;

#[test]
fn text_and_serde_round_trip_and_known_digests_hold() {
    let empty = Sha256::of(b"");
    assert_eq!(empty.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(empty.short(), "e3b0c44298fc");
    assert_eq!(Blake3::of(b"").to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    assert_eq!(empty.to_string().to_uppercase().parse::<Sha256>().unwrap(), empty);
    let json = serde_json::to_string(&empty).unwrap();
    assert_eq!(serde_json::from_str::<Sha256>(&json).unwrap(), empty);
    for bad in ["", "e3", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
        assert!(bad.parse::<Sha256>().is_err(), "{bad}");
        assert!(serde_json::from_str::<Blake3>(&format!("\"{bad}\"")).is_err(), "{bad}");
    }
}

/// Takes at most so many bytes a call, as a writer may.
struct Short {
    most: usize,
    taken: Vec<u8>,
}
impl Write for Short {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.most);
        self.taken.extend_from_slice(&bytes[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_has_the_digest_of_its_bytes_even_under_short_writes() {
    let data: Vec<u8> = (0..2 * SIDE_BY_SIDE_FROM as u32 / 4).flat_map(u32::to_le_bytes).collect();
    let digests = (Blake3::of(&data), Sha256::of(&data));
    let mut inner = Short { most: 3, taken: Vec::new() };
    for (most, length) in [(3, SIDE_BY_SIDE_FROM + 9), (100_000, data.len()), (usize::MAX, data.len()), (3, 10_000)] {
        (inner.most, inner.taken) = (most, Vec::new());
        let data = &data[..length];
        let mut out = HashingWriter::<_, (Blake3, Sha256)>::new(&mut inner);
        out.write_all(data).unwrap();
        let (_, found, len) = out.finish();
        let digests = if length == 2 * SIDE_BY_SIDE_FROM { digests } else { (Blake3::of(data), Sha256::of(data)) };
        assert_eq!((found, len), (digests, length as u64));
        assert!(inner.taken == data);
    }
}
