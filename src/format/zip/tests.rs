use super::*;

fn archive(saturation: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.saturation = saturation;
    for (name, content) in [("a/data.pkl", &b"hello"[..]), ("a/data/0", &[7; 100]), ("a/data/1", b""), ("a/ünï", b"x")] {
        writer.entry(name, content.len() as u64, 64, &mut |out| out.write_all(content).map_err(cannot_write)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn what_is_written_is_read_back_aligned() {
    for saturation in [u64::from(u32::MAX), 1, 50, 150] {
        let bytes = archive(saturation);
        let entries = read(&bytes).unwrap();
        assert_eq!(entries.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a/data.pkl", "a/data/0", "a/data/1", "a/ünï"]);
        for entry in &entries {
            assert_eq!(entry.range.start % 64, 0);
            assert!(!entry.deflated && entry.size == entry.range.len() as u64);
            assert!(entry.matches_crc(&bytes[entry.range.clone()]));
        }
        assert_eq!(&bytes[entries[0].range.clone()], b"hello");
    }
    assert_eq!(archive(9), archive(9));
}

#[test]
fn a_wrong_size_is_an_error_of_the_writer() {
    let mut writer = Writer::new(Vec::new());
    assert!(writer.entry("a", 3, 1, &mut |out| out.write_all(b"ab").map_err(cannot_write)).is_err());
}

#[test]
fn every_truncation_extension_and_changed_header_byte_is_refused() {
    let bytes = archive(u64::from(u32::MAX));
    let entries = read(&bytes).unwrap();
    for cut in 0..bytes.len() {
        assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
        assert!(read(&bytes[cut + 1..]).is_err(), "begins at {}", cut + 1);
    }
    assert!(read(&[&bytes[..], &[0]].concat()).is_err());
    assert!(read(&[&[0], &bytes[..]].concat()).is_err());
    let mut accepted = 0;
    for at in (0..bytes.len()).filter(|at| !entries.iter().any(|e| e.range.contains(at))) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        if let Ok(read) = read(&changed) {
            // Versions, times, attributes and padding say nothing about the content.
            let ranges = |entries: &[Entry]| entries.iter().map(|e| (e.range.clone(), e.crc, e.name.clone())).collect::<Vec<_>>();
            assert_eq!(ranges(&read), ranges(&entries), "byte {at}");
            accepted += 1;
        }
    }
    assert!(accepted < bytes.len() / 2, "{accepted}");
}
