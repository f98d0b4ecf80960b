use super::*;

#[test]
fn reads_in_order_and_stays_where_it_is_after_a_failure() {
    let bytes: Vec<u8> = (1..=20).collect();
    let mut reader = Reader::new(&bytes);
    assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Ok(1), Ok(0x0302), Ok(0x0706_0504)));
    assert_eq!(reader.u64(), Ok(0x0F0E_0D0C_0B0A_0908));
    assert_eq!(reader.u64(), Err(CutOff { at: 15, needed: 8, left: 5 }));
    assert_eq!((reader.position(), reader.rest()), (15, &[16, 17, 18, 19, 20][..]));
    assert_eq!(reader.take(5), Ok(&[16, 17, 18, 19, 20][..]));
    assert_eq!((reader.take(0), reader.u8().is_err()), (Ok(&[][..]), true));
    assert_eq!(reader.take(usize::MAX), Err(CutOff { at: 20, needed: usize::MAX, left: 0 }));
    let mut far = reader.at(usize::MAX);
    assert_eq!((far.u8(), far.rest()), (Err(CutOff { at: usize::MAX, needed: 1, left: 0 }), &[][..]));
    let mut named = Reader::failing(&bytes, |cut| format!("cut at {}", cut.at)).at(18);
    assert_eq!((named.u16(), named.u16()), (Ok(0x1413), Err("cut at 20".to_owned())));
}
