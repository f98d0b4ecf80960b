//! The reader of lc0's weight files: containers, protobuf, text nets, views, what is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nnue::internals::{
    ctx::Ctx,
    family::lc0::{Decode, Net, OnnxOptions, View, read_tensors, read_text, sniff, write_onnx},
    files::Bytes,
};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::from_vec(data.to_vec());
    let ctx = Ctx::silent();
    let _ = (sniff(data), read_text(data), read_tensors(&bytes, None, &ctx));
    for net in [Net::read(&bytes), Net::read_embedded(&bytes, Decode::Lc0V033)].into_iter().flatten() {
        let mut written = Vec::new();
        net.write_pb(&mut written).unwrap();
        assert_eq!(Some(&written[..]), net.protobuf().map(|protobuf| &protobuf[..]));
        let _ = (net.describe(Decode::Lc0V033), write_onnx(&mut Vec::new(), &net, &OnnxOptions::default(), Decode::Lc0V033, &ctx));
        for (view, decode) in View::ALL.iter().flat_map(|view| Decode::ALL.iter().map(|decode| (*view, *decode))) {
            let Ok(tensors) = net.tensors(view, decode) else { continue };
            assert!(tensors.tensors.iter().all(|tensor| tensor.values().is_ok_and(|values| values.len() == tensor.len)));
        }
        // The canonical form is stable.
        let mut fixed = net.clone();
        fixed.fixup();
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        fixed.message().write(&mut once, true).unwrap();
        Net::parse(&Bytes::from_vec(once.clone()), false).unwrap().message().write(&mut twice, true).unwrap();
        assert_eq!(once, twice);
    }
});
