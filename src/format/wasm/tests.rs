use super::*;

/// A number as WebAssembly writes it.
fn leb(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

/// An `i32.const`, whose number is signed.
fn i32_const(value: u32) -> Vec<u8> {
    let mut out = vec![0x41];
    let mut value = i64::from(value.cast_signed());
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len() as u64), body].concat()
}

fn head() -> Vec<u8> {
    [&MAGIC[..], &1u32.to_le_bytes()].concat()
}

/// One segment at each address.
fn active(segments: &[(u32, &[u8])]) -> Vec<u8> {
    let mut body = leb(segments.len() as u64);
    for (address, bytes) in segments {
        body.extend([&[0][..], &i32_const(*address), &[0x0B], &leb(bytes.len() as u64), bytes].concat());
    }
    [head(), section(11, &body)].concat()
}

#[test]
fn active_segments_lie_at_their_addresses_with_zeros_between() {
    let module = active(&[(1024, b"abc"), (1030, b"de"), (1027, b"x")]);
    assert_eq!(memory(&module).unwrap(), b"abcx\0\0de");
    assert_eq!(memory(&head()).unwrap(), b"");
}

#[test]
fn passive_segments_are_placed_by_the_code() {
    // One function: memory.init of segment 0 to 2000, and of its last two bytes to 2006.
    let init =
        |address: u32, from: u32, length: u32| [i32_const(address), i32_const(from), i32_const(length), vec![0xFC, 0x08, 0, 0]].concat();
    let body = [&[0][..], &init(2000, 0, 4), &init(2006, 2, 2), &[0x0B]].concat();
    let code = [&[1][..], &leb(body.len() as u64), &body].concat();
    let data = [&[1, 1][..], &leb(4), b"wxyz"].concat();
    let module = [head(), section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0]), section(10, &code), section(11, &data)].concat();
    assert_eq!(memory(&module).unwrap(), b"wxyz\0\0yz");
}

#[test]
fn damage_is_an_error() {
    let module = active(&[(1024, b"abcdefgh")]);
    for end in 8..module.len() {
        if end > 8 {
            let error = memory(&module[..end]).unwrap_err();
            assert!(error.to_string().contains("at byte"), "{error}");
        }
    }
    let error = memory(&active(&[(0, b"a"), (0xFFFF_FFFF, b"b")])).unwrap_err();
    assert!(error.to_string().contains("spans 4294967296 bytes"), "{error}");
}
