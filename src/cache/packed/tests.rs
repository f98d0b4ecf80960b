use super::*;

const KIND: Kind = Kind { magic: b"NNUETEST", version: 3 };

fn round_trip<T: Packed + PartialEq + std::fmt::Debug>(value: T) {
    let mut bytes = Vec::new();
    value.pack(&mut bytes);
    assert!(bytes.len() >= T::LEAST);
    let mut fields = Reader::new(&bytes);
    assert_eq!(T::unpack(&mut fields), Ok(value));
    assert!(fields.rest().is_empty());
    for length in 0..bytes.len() {
        assert_eq!(T::unpack(&mut Reader::new(&bytes[..length])).unwrap_err(), Unusable::Damaged, "{length} bytes");
    }
}

#[test]
fn values_round_trip_and_a_cut_one_is_damaged() {
    let at = |seconds, nanos| Timestamp { seconds, nanos };
    round_trip(Signature { len: 1 << 40, mtime: at(-7, 999_999_999), ctime: at(i64::MAX, 3), inode: u64::MAX, device: 5 });
    round_trip((Some(Blake3([1; 32])), (None::<Sha256>, Key([3; 32]))));
    #[cfg(unix)]
    round_trip((platform::path_of(b"a/\xff").unwrap(), 7u8));
    round_trip((PathBuf::new(), u32::MAX));
}

#[test]
fn lists_round_trip_and_a_huge_count_takes_no_memory() {
    let items = [(1u64, [2u8; 16]), (3, [4; 16])];
    let file = KIND.seal(|out| pack_list(&items, out));
    let mut fields = KIND.unseal(&file).unwrap();
    assert_eq!(unpack_list::<(u64, [u8; 16]), Vec<_>>(&mut fields), Ok(items.to_vec()));
    for count in [3, u64::MAX, u64::MAX / 24] {
        let file = KIND.seal(|out| (count, items[0]).pack(out));
        assert_eq!(unpack_list::<(u64, [u8; 16]), Vec<_>>(&mut KIND.unseal(&file).unwrap()), Err(Unusable::Damaged), "{count}");
    }
}

#[test]
fn no_damage_passes_and_another_version_is_told_apart() {
    let file = KIND.seal(|out| 5u64.pack(out));
    let why = |kind: &Kind, file: &[u8]| kind.unseal(file).err();
    assert_eq!(why(&KIND, &file), None);
    assert_eq!(why(&Kind { version: 2, ..KIND }, &file), Some(Unusable::OtherVersion));
    assert_eq!(why(&Kind { magic: b"NNUEXXXX", ..KIND }, &file), Some(Unusable::Damaged));
    for bit in 0..file.len() * 8 {
        let mut bad = file.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(why(&KIND, &bad), Some(Unusable::Damaged), "bit {bit}");
    }
    for length in 0..file.len() {
        assert_eq!(why(&KIND, &file[..length]), Some(Unusable::Damaged), "{length} bytes");
    }
}
