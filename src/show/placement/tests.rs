use super::*;

const BLOCKS: [Block; 4] = [Block::HalfKp, Block::HalfKa, Block::HalfKaV2, Block::HalfKaV2Hm];
const ORDERS: [NeuronOrder; 2] = [NeuronOrder::PieceCentricFlippedKing, NeuronOrder::KingCentric];

/// The trainer's formula for a row of HalfKAv2_hm, written from its script: both cells, as column and row of a neuron's tile.
fn trainers(order: NeuronOrder, row: usize) -> [[i64; 2]; 2] {
    let (mut piece_square, bucket) = ((row % 704) as i64, (row / 704) as i64);
    let bucket_of = |square: i64| if square % 8 < 4 { -1 } else { 31 - (4 * (square / 8) + square % 8 - 4) };
    if piece_square / 64 == 10 && bucket != bucket_of(piece_square % 64) {
        piece_square += 64;
    }
    let (piece, rank) = (piece_square / 64, piece_square % 64 / 8);
    let king_square = 8 * (bucket / 4) + bucket % 4;
    let (king, at) = ([king_square % 8, king_square / 8], [piece_square % 8, rank]);
    let (cells, down) = match order {
        NeuronOrder::PieceCentricFlippedKing => (
            [[(7 - king[0]) + at[0] * 8, king[1] + (7 - at[1]) * 8], [(7 - (king[0] ^ 7)) + (at[0] ^ 7) * 8, king[1] + (7 - at[1]) * 8]],
            if piece < 2 { -8 } else { 48 + (piece / 2 - 1) * 64 },
        ),
        NeuronOrder::KingCentric => (
            [[8 * king[0] + at[0], 8 * (7 - king[1]) + (7 - at[1])], [8 * (king[0] ^ 7) + (at[0] ^ 7), 8 * (7 - king[1]) + (7 - at[1])]],
            if piece < 2 { -2 * (7 - king[1]) - 1 } else { 48 + (piece / 2 - 1) * 64 },
        ),
    };
    cells.map(|[x, y]| [x + (piece % 2) * 64, y + down])
}

#[test]
fn every_weight_stands_where_the_trainers_script_puts_it() {
    let set = PieceSquares::of(Block::HalfKaV2Hm).unwrap();
    for order in ORDERS {
        let cells = set.cells(order);
        let mut seen = 0;
        for row in (0..22528).filter(|row| !(row % 704 < 128 && matches!(row % 64 / 8, 0 | 7))) {
            for [x, y] in trainers(order, row) {
                let (x, y) = (usize::try_from(x).unwrap(), usize::try_from(y).unwrap());
                assert_eq!(cells[y * WIDTH + x], Some(row), "{order:?} row {row} at {x}, {y}");
                seen += 1;
            }
        }
        assert_eq!(cells.iter().flatten().count(), seen, "no cell shows anything else");
    }
}

/// Ten features by name, with the row that engines give them and the cell that the trainer's script gives that row.
#[test]
fn ten_features_stand_in_the_trainers_place() {
    let set = PieceSquares::of(Block::HalfKaV2Hm).unwrap();
    let square = |name: &str| usize::from(name.as_bytes()[0] - b'a') + 8 * usize::from(name.as_bytes()[1] - b'1');
    let cases = [
        (0, "e4", "e1", 31 * 704 + 28),
        (0, "a2", "h8", 8),
        (1, "d5", "g1", 29 * 704 + 64 + 35),
        (2, "f3", "g1", 29 * 704 + 128 + 21),
        (3, "b8", "e1", 31 * 704 + 192 + 57),
        (5, "g7", "f2", 26 * 704 + 320 + 54),
        (6, "a1", "h1", 28 * 704 + 384),
        (9, "d8", "e1", 31 * 704 + 576 + 59),
        (10, "e1", "e1", 31 * 704 + 640 + 4),
        (11, "g8", "g1", 29 * 704 + 640 + 62),
    ];
    for (piece, at, king, row) in cases {
        assert_eq!(set.row(piece, square(at), square(king)), Some(row), "{piece} {at} {king}");
        for order in ORDERS {
            let [x, y] = place(order, piece, square(at), square(king)).map(|at| i64::try_from(at).unwrap());
            let [own, mirrored] = trainers(order, row);
            assert_eq!([x, y], own, "{piece} {at} {king}");
            let [x, y] = place(order, piece, square(at) ^ 7, square(king) ^ 7).map(|at| i64::try_from(at).unwrap());
            assert_eq!([x, y], mirrored, "{piece} {at} {king}, mirrored");
        }
    }
}

#[test]
fn names_are_those_of_the_place() {
    let set = PieceSquares::of(Block::HalfKaV2Hm).unwrap();
    for order in ORDERS {
        let labels = set.labels(order, 1);
        let [x, y] = place(order, 5, 54, 13);
        assert_eq!(labels.text(x, y), "black bishop on g7, white king on f2");
        let [x, y] = place(order, 0, 12, 3);
        assert_eq!(labels.text(x, y), "white pawn on e2, white king on d1");
    }
    let labels = set.labels(NeuronOrder::PieceCentricFlippedKing, 8);
    let [x, y] = place(NeuronOrder::PieceCentricFlippedKing, 11, 62, 4).map(|at| at / 8);
    assert_eq!(labels.text(x, y), "black king on g8, mean over king squares");
}

#[test]
fn no_two_features_of_any_set_share_a_cell() {
    for block in BLOCKS {
        let set = PieceSquares::of(block).unwrap();
        for order in ORDERS {
            let cells = set.cells(order);
            assert_eq!(cells.len() % WIDTH, 0);
            let mut times = vec![0; block.rows()];
            cells.iter().flatten().for_each(|row| times[*row] += 1);
            let expected = if set.mirrors() { 2 } else { 1 };
            assert!(times.iter().all(|times| [0, expected].contains(times)), "{block:?}");
            let shown = times.iter().filter(|times| **times > 0).count();
            let pawns = 32 * if set.mirrors() { 32 } else { 64 };
            let unused = 64 * set.first;
            assert_eq!(shown, block.rows() - pawns - unused, "{block:?}: all but pawns on the first and last rank, and slot 0");
        }
    }
}
