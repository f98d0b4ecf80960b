use super::*;

fn trained(name: &str) -> Architecture {
    let generation = generation(name).unwrap();
    let features = FeatureSet::of_blocks(generation.blocks, generation.composed).unwrap();
    let (l1, l2, l3) = (generation.l1, generation.l2, generation.l3);
    Architecture { generation, features, l1, l2, l3, quantization: generation.quantizations[0] }
}

#[test]
fn hashes_are_those_of_the_released_nets() {
    for (name, ft, fc, header) in [
        ("SFNNv1", 0x5D69_D7B8, 0x6333_7156, 0x3E5A_A6EE),
        ("SFNNv2", 0x5F23_48B8, 0x6333_76CA, 0x3C10_3E72),
        ("SFNNv3", 0x7F23_44B8, 0x6333_6A54, 0x1C10_2EEC),
        ("SFNNv4", 0x7F23_44B8, 0x6333_6A4A, 0x1C10_2EF2),
        ("SFNNv5", 0x7F23_44B8, 0x6333_6A4A, 0x1C10_2EF2),
        ("SFNNv6", 0x7F23_40B8, 0x6333_6BCA, 0x1C10_2B72),
        ("SFNNv7", 0x7F23_5CB8, 0x6333_6B4A, 0x1C10_37F2),
        ("SFNNv8", 0x7F23_58B8, 0x6333_68CA, 0x1C10_3072),
        ("SFNNv9", 0x7F23_54B8, 0x6333_744A, 0x1C10_20F2),
        ("small", 0x7F23_4DB8, 0x6333_712A, 0x1C10_3C92),
        ("SFNNv10a", 0x8F23_44B8, 0x6333_6A4A, 0xEC10_2EF2),
        ("SFNNv12", 0x8F23_44B8, 0x6333_6A4A, 0xEC10_2EF2),
        ("SFNNv13", 0x8F23_44B8, 0x6333_7116, 0xEC10_35AE),
        ("SFNNv13-newhash", 0x6165_DDC9, 0x6333_7116, 0x0256_ACDF),
        ("SFNNv14", 0x6165_DDC9, 0x6333_7116, 0x0256_ACDF),
        ("SFNNv15", 0x6165_DDC9, 0x6333_7116, 0x0256_ACDF),
        ("SFNNv16", 0xCB68_5313, 0x6333_7116, 0xA85B_2205),
    ] {
        let architecture = trained(name);
        assert_eq!((architecture.ft_hash(), architecture.fc_hash(), architecture.header_hash()), (ft, fc, header), "{name}");
    }
}

#[test]
fn compressions_are_those_that_the_engines_read() {
    use Compression::{Leb128, None as Raw};
    for name in generation_names() {
        let expected: &[Compression] = match name {
            "T0" | "SFNNv1" | "SFNNv2" | "SFNNv3" | "SFNNv4" | "SFNNv5" => &[Raw],
            "SFNNv6" => &[Leb128, Raw],
            _ => &[Leb128],
        };
        let architecture = trained(name);
        assert_eq!(architecture.read_compressions(), expected, "{name}");
        assert_eq!(architecture.usual_compression(), expected[0]);
        for compression in [Leb128, Raw] {
            assert_eq!(architecture.unreadable(compression).is_none(), expected.contains(&compression), "{name}");
        }
    }
    // Of a size that was never trained: of 2022 as well as of 2024, but not where the layers tell.
    for (name, expected) in [("SFNNv5", &[Leb128, Raw][..]), ("SFNNv3", &[Raw]), ("SFNNv4", &[Raw]), ("SFNNv16", &[Leb128])] {
        assert_eq!(Architecture { l1: 64, ..trained(name) }.read_compressions(), expected, "{name}");
    }
    assert_eq!(Architecture { quantization: &FT255, ..trained("SFNNv5") }.read_compressions(), [Leb128]);
}

#[test]
fn every_generation_stores_its_own_set() {
    for name in generation_names() {
        let architecture = trained(name);
        assert!(architecture.generation.stores(&architecture.features), "{name}");
    }
}

#[test]
fn dense_layers_have_the_sizes_of_the_era_table() {
    assert_eq!(trained("SFNNv1").dense_shapes(), [(32, 512), (32, 32), (1, 32)]);
    assert_eq!(trained("SFNNv3").dense_shapes(), [(8, 2048), (32, 8), (1, 32)]);
    assert_eq!(trained("SFNNv4").dense_shapes(), [(16, 1024), (32, 15), (1, 32)]);
    assert_eq!(trained("SFNNv9").dense_shapes(), [(16, 3072), (32, 30), (1, 32)]);
    assert_eq!(trained("SFNNv14.1").dense_shapes(), [(32, 1024), (32, 62), (1, 32)]);
    assert_eq!(trained("SFNNv16").dense_shapes(), [(32, 1024), (32, 64), (1, 128)]);
}
