use super::*;

fn refusal(body: &[u8]) -> String {
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend_from_slice(body);
    run(&pickle, 0, Persistent::Zip).unwrap_err().to_string()
}

#[test]
fn refusals_name_opcode_offset_and_reason() {
    assert_eq!(refusal(b"NR."), "cannot read the pickle: opcode `REDUCE` at byte 3: the stack holds too few values");
    assert_eq!(refusal(b"h\x09."), "cannot read the pickle: opcode `BINGET` at byte 2: memo slot 9 was never set");
    assert!(refusal(b"X\0\0\0\x80abc.").contains("announces 2147483648 bytes, 4 are left"));
    assert!(refusal(b"}").contains("byte 3 without `STOP`"));
    assert!(refusal(b"I1\n.").contains("protocols 0 and 1"));
    assert!(refusal(b"\xff").contains("`0xff` at byte 2: there is no such opcode"));
    assert!(refusal(b"NN.").contains("left on the stack"));
    assert!(refusal(b"cos\nsystem\nNR.").contains("it needs a tuple of arguments, the stack holds `None`"));
    assert!(refusal(b"K\x01)R.").contains("needs a class or function, the stack holds an integer"));
    assert!(refusal(b"(NN0\x85.").contains("`TUPLE1`") || refusal(b"(N0\x85.").contains("too few"), "a mark is a floor");
    assert!(refusal(b"r\xff\xff\xff\xffN.").contains("too few"));
    assert!(refusal(b"Nr\xff\xff\xff\xff.").contains("beyond the limit"));
    assert!(refusal(&[b'('; 1001]).contains("nested too deeply"));
    assert!(refusal(&vec![b'N'; (1 << 20) + 1]).contains("on the stack"));
    assert!(refusal(b"\x80\x02.").contains("may only come first"));
    assert!(run(b"N.", 7, Persistent::None).unwrap_err().to_string().contains("at byte 7: a pickle begins with `PROTO`"));
    assert!(run(b"\x80\x09N.", 0, Persistent::None).unwrap_err().to_string().contains("protocol 9"));
}

#[test]
fn numbers_have_their_value() {
    let int = |body: &[u8]| {
        let pickle = run(&[b"\x80\x02", body, b"."].concat(), 0, Persistent::None).unwrap();
        match pickle.nodes[pickle.root as usize] {
            Node::Int(value) => value,
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(int(b"\x8a\x00"), 0);
    assert_eq!(int(b"\x8a\x01\xff"), -1);
    assert_eq!(int(b"\x8a\x02\xff\x00"), 255);
    assert_eq!(int(b"\x8a\x08\0\0\0\0\0\0\0\x80"), i64::MIN);
    assert_eq!(int(b"J\xfe\xff\xff\xff"), -2);
    assert_eq!(int(b"M\xff\xff"), 65535);
}

#[test]
fn a_node_stays_small() {
    assert!(size_of::<Node>() <= 32, "the bound on memory in SECURITY.md rests on it");
}
