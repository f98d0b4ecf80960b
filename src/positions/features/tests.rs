use std::io::BufReader;

use proptest::prelude::*;

use super::*;
use crate::{
    files::testing::golden,
    net::ThreatTable,
    positions::{attacks, generate},
};

fn all_blocks() -> Vec<Block> {
    let mut blocks = vec![Block::HalfKp, Block::HalfKa, Block::HalfKaV2, Block::HalfKaV2Hm, Block::Pp3Wide];
    blocks.extend(ThreatTable::ALL.map(Block::FullThreats));
    blocks
}

/// Sorted indices of blocks laid one after the other.
fn indices(blocks: &[Block], position: &Position, perspective: Color) -> Vec<u32> {
    let mut all = Vec::new();
    let mut base = 0;
    for &block in blocks {
        let mut out = Vec::new();
        active_features(block, position, perspective, &mut out);
        all.extend(out.into_iter().map(|index| base + index));
        base += block.rows() as u32;
    }
    all.sort_unstable();
    all
}

/// Training numbers twelve planes of 64 squares a king bucket, files eleven: both kings share the last.
fn to_file_rows(index: u32, first_hm_row: u32) -> u32 {
    if index < first_hm_row {
        return index;
    }
    let (bucket, within) = ((index - first_hm_row) / 768, (index - first_hm_row) % 768);
    first_hm_row + bucket * 704 + within % 64 + 64 * (within / 64).min(10)
}

#[test]
fn indices_are_those_of_the_trainers_loader() {
    let hm = Block::HalfKaV2Hm;
    let seed: &[(&str, &[Block])] = &[
        ("HalfKP", &[Block::HalfKp]),
        ("HalfKA", &[Block::HalfKa]),
        ("HalfKAv2", &[Block::HalfKaV2]),
        ("HalfKAv2_hm", &[hm]),
        ("Full_Threats", &[Block::FullThreats(ThreatTable::T79856), hm]),
    ];
    let newest = Block::FullThreats(ThreatTable::T59808);
    let head: &[(&str, &[Block])] = &[
        ("HalfKAv2_hm", &[hm]),
        ("Full_Threats", &[newest]),
        ("PP_3Wide", &[Block::Pp3Wide]),
        ("Full_Threats+HalfKAv2_hm", &[newest, hm]),
        ("Full_Threats+PP_3Wide+HalfKAv2_hm", &[newest, Block::Pp3Wide, hm]),
    ];
    for (file, sets) in [("seed", seed), ("head", head)] {
        let Some(path) = golden(&format!("public/D_features/{file}.jsonl.xz")) else { return };
        let mut text = Vec::new();
        lzma_rs::xz_decompress(&mut BufReader::new(std::fs::File::open(path).unwrap()), &mut text).unwrap();
        let lines: Vec<serde_json::Value> =
            String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 200);
        for line in lines {
            let fen = line["fen"].as_str().unwrap();
            let position = Position::from_fen(fen).unwrap();
            for (name, blocks) in sets {
                for (color, key) in [(Color::White, "white"), (Color::Black, "black")] {
                    let expected = line["sets"][name][key].as_array().unwrap_or_else(|| panic!("{file} {name}"));
                    let mut expected: Vec<u32> = expected.iter().map(|index| index.as_u64().unwrap() as u32).collect();
                    if file == "head" {
                        let hm_at = blocks.iter().take_while(|&&block| block != hm).map(|block| block.rows() as u32).sum();
                        expected.iter_mut().for_each(|index| *index = to_file_rows(*index, hm_at));
                    }
                    expected.sort_unstable();
                    assert_eq!(indices(blocks, &position, color), expected, "{file} {name} {key} {fen}");
                }
            }
        }
    }
}

/// The threat formula again, in the plainest way: walks squares, counts attacks one by one.
fn plain_threats(table: ThreatTable, position: &Position, perspective: Color) -> Vec<u32> {
    const NONE: i32 = -1;
    let (counts, maps): ([u32; 6], [[i32; 6]; 6]) = {
        let wide = [0, 1, 2, 3, 4, 5];
        let slider = [0, 1, 2, 3, NONE, 4];
        let pawn = [0, 1, NONE, 2, NONE, NONE];
        let no_king = |mut map: [i32; 6]| {
            map[5] = NONE;
            map
        };
        let v10 = [pawn, wide, slider, slider, wide, [0, 1, 2, 3, NONE, NONE]];
        let v11 = v10.map(no_king);
        let mut v12 = v11;
        v12[5] = [NONE; 6];
        let mut v16 = v12;
        v16[0] = [NONE, 0, NONE, 1, NONE, NONE];
        match table {
            ThreatTable::T79856 => ([6, 12, 10, 10, 12, 8], v10),
            ThreatTable::T66864 => ([6, 10, 8, 8, 10, 8], v11),
            ThreatTable::T60144 | ThreatTable::T60720 => ([6, 10, 8, 8, 10, 0], v12),
            ThreatTable::T59808 => ([4, 10, 8, 8, 10, 0], v16),
        }
    };
    let empty_attacks = |color: usize, kind: usize, square: usize| -> u64 {
        match kind {
            0 if !(8..56).contains(&square) => 0,
            0 => {
                let push = if color == 0 { 1u64 << (square + 8) } else { 1u64 << (square - 8) };
                attacks::PAWN[color][square] | if table == ThreatTable::T60720 { push } else { 0 }
            }
            1 => attacks::KNIGHT[square],
            2 => attacks::BISHOP_RAYS.iter().map(|&ray| attacks::ray(ray, square)).sum(),
            3 => attacks::ROOK_RAYS.iter().map(|&ray| attacks::ray(ray, square)).sum(),
            4 => attacks::QUEEN_RAYS.iter().map(|&ray| attacks::ray(ray, square)).sum(),
            _ => attacks::KING[square],
        }
    };
    let boards = position.boards();
    let king = position.king_square(perspective);
    let flip = (56 * usize::from(perspective == Color::Black)) ^ if king % 8 >= 4 { 7 } else { 0 };
    let at = |square: usize| -> Option<(usize, usize)> {
        let bit = 1u64 << (square ^ flip);
        let kind = boards.by_type.iter().position(|bits| bits & bit != 0)?;
        Some((usize::from(boards.by_color[perspective as usize] & bit == 0), kind))
    };
    let mut out = Vec::new();
    let mut base = 0;
    for color in 0..2 {
        for kind in 0..6 {
            let total: u32 = (0..64).map(|square| empty_attacks(color, kind, square).count_ones()).sum();
            let mut before = 0;
            for from in 0..64 {
                let reach = empty_attacks(color, kind, from);
                for to in squares(reach) {
                    let (Some(attacker), Some((victim_color, victim))) = (at(from), at(to)) else { continue };
                    let step = |a: usize, b: usize| (b as i32 - a as i32).signum();
                    let (df, dr) = (step(from % 8, to % 8), step(from / 8, to / 8));
                    let mut square = (from as i32 + df + 8 * dr) as usize;
                    while (2..=4).contains(&kind) && square != to && at(square).is_none() {
                        square = (square as i32 + df + 8 * dr) as usize;
                    }
                    let pushed = kind == 0 && from % 8 == to % 8;
                    if attacker != (color, kind)
                        || (2..=4).contains(&kind) && square != to
                        || pushed && victim != 0
                        || maps[kind][victim] < 0
                        || kind == victim && (color != victim_color || kind != 0) && from < to
                    {
                        continue;
                    }
                    let plane = victim_color as u32 * counts[kind] / 2 + maps[kind][victim] as u32;
                    out.push(base + plane * total + before + (reach & ((1 << to) - 1)).count_ones());
                }
                before += reach.count_ones();
            }
            base += counts[kind] * total;
        }
    }
    assert_eq!(base as usize, table.rows());
    out.sort_unstable();
    out
}

#[test]
fn all_five_threat_tables_follow_the_plain_formula() {
    for position in generate(7, 300) {
        for table in ThreatTable::ALL {
            for color in Color::BOTH {
                assert_eq!(
                    indices(&[Block::FullThreats(table)], &position, color),
                    plain_threats(table, &position, color),
                    "{table:?} {position:?}"
                );
            }
        }
    }
}

#[test]
fn a_blocked_pawn_counts_from_sfnnv14_to_v15_only() {
    let position = Position::from_fen("4k3/8/8/4p3/4P3/8/8/4K3 w - - 0 1").unwrap();
    for table in ThreatTable::ALL {
        // Each pawn faces the other: of the two, the one towards the lower square is kept.
        let expected = usize::from(table == ThreatTable::T60720);
        assert_eq!(indices(&[Block::FullThreats(table)], &position, Color::White).len(), expected, "{table:?}");
    }
}

#[test]
fn both_perspectives_at_once_are_the_two_alone_and_the_mirror_image_swaps_them() {
    for position in generate(11, 200) {
        let boards = position.boards();
        let [white, black] = boards.by_color.map(u64::swap_bytes);
        let turned =
            Boards { by_type: boards.by_type.map(u64::swap_bytes), by_color: [black, white], side_to_move: boards.side_to_move.opponent() };
        let turned = Position::try_from(&turned).unwrap();
        for block in all_blocks() {
            let mut both = [Vec::new(), Vec::new()];
            active_features_both(block, &position, &mut both);
            for (color, mut list) in Color::BOTH.into_iter().zip(both) {
                list.sort_unstable();
                assert_eq!(list, indices(&[block], &position, color));
                if block != Block::HalfKp {
                    assert_eq!(list, indices(&[block], &turned, color.opponent()), "{block:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn indices_are_in_range_and_unique(seed in any::<u64>()) {
        for position in generate(seed, 5) {
            for block in all_blocks() {
                for color in Color::BOTH {
                    let list = indices(&[block], &position, color);
                    prop_assert!(list.iter().all(|&index| (index as usize) < block.rows()));
                    prop_assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
                    prop_assert!(orientation(block, &position, color) < orientations(block));
                }
            }
        }
    }
}
