use super::*;

fn hash(blocks: &[Block], composed: bool) -> u32 {
    FeatureSet::of_blocks(blocks, composed).unwrap().hash
}

#[test]
fn hashes_are_the_trainers() {
    let threats = Block::FullThreats(ThreatTable::T60144);
    assert_eq!(hash(&[threats, Block::HalfKaV2Hm], false), 0x8F23_4CB8);
    assert_eq!(hash(&[threats, Block::HalfKaV2Hm], true), 0x6165_D5C9);
    assert_eq!(hash(&[Block::HalfKaV2Hm, threats], true), 0x7165_D5C8);
    assert_eq!(hash(&[Block::FullThreats(ThreatTable::T59808), Block::Pp3Wide, Block::HalfKaV2Hm], true), 0xCB68_5B13);
    assert_eq!(hash(&[Block::HalfKp, Block::HalfKa], false), 0xCCC6_EA94);
    assert_eq!(hash(&[Block::HalfKp, Block::HalfKaV2Hm], false), 0x9CBE_EA94);
    assert_eq!(hash(&[Block::HalfKaV2, Block::HalfKaV2Hm], false), 0x9EF4_7394);
    assert_eq!(hash(&[Block::HalfKaV2Hm, Block::HalfKp], false), 0xEB44_0D14);
    assert!(FeatureSet::of_blocks(&[Block::HalfKaV2Hm, threats, Block::HalfKaV2Hm], false).is_err());
    assert_eq!(recursive_hash(&[0x7F23_4CB8, 0x8F23_4CB8]), None, "needs 33 bits");
}

#[test]
fn the_mistaken_hash_of_one_day_is_known() {
    assert!(FeatureSet::known().iter().any(|set| set.hash == 0x4165_D5C9));
}

#[test]
fn names_are_the_trainers() {
    let threats = Block::FullThreats(ThreatTable::T79856);
    assert_eq!(FeatureSet::of_blocks(&[threats, Block::HalfKaV2Hm], false).unwrap().name(), "Full_Threats");
    assert_eq!(FeatureSet::of_blocks(&[threats, Block::HalfKaV2Hm], true).unwrap().name(), "Full_Threats+HalfKAv2_hm");
}
