//! Feature blocks: the inputs of the feature transformer, as the field names them.

/// Which of its five generations a threat block has; they differ in which attacks count (see `positions::features`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreatTable {
    /// 79,856 rows: SFNNv10.
    T79856,
    /// 66,864 rows, no king targets: SFNNv11.
    T66864,
    /// 60,144 rows, kings never attack: SFNNv12 and SFNNv13.
    T60144,
    /// 60,720 rows, pawn pushes blocked by a pawn: SFNNv14 to SFNNv15.
    T60720,
    /// 59,808 rows, pawns attack knights and rooks only: SFNNv16.
    T59808,
}

impl ThreatTable {
    /// All generations, oldest first.
    pub const ALL: [Self; 5] = [Self::T79856, Self::T66864, Self::T60144, Self::T60720, Self::T59808];

    /// Number of features.
    pub const fn rows(self) -> usize {
        match self {
            Self::T79856 => 79856,
            Self::T66864 => 66864,
            Self::T60144 => 60144,
            Self::T60720 => 60720,
            Self::T59808 => 59808,
        }
    }
}

/// One block of real (not virtual) features: a range of consecutive rows of the feature transformer.
///
/// The trainer's old single block `Full_Threats` is two of these, a threat block followed by `HalfKAv2_hm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Block {
    /// King square × non-king piece × square, rotated for black: 41,024 rows.
    HalfKp,
    /// King square × any piece × square, flipped for black: 49,216 rows.
    HalfKa,
    /// As `HalfKa` with both kings in one plane: 45,056 rows.
    HalfKaV2,
    /// As `HalfKaV2`, mirrored so that the own king stands on files e to h: 22,528 rows.
    HalfKaV2Hm,
    /// Attacked pieces.
    FullThreats(ThreatTable),
    /// Pairs of pawns on the same or adjacent files: 4,560 rows.
    Pp3Wide,
}

impl Block {
    /// The names that a feature set is written with, joined by `+`; the generations of threats share one.
    pub const NAMES: [&'static str; 6] = [
        Self::HalfKp.name(),
        Self::HalfKa.name(),
        Self::HalfKaV2.name(),
        Self::HalfKaV2Hm.name(),
        Self::FullThreats(ThreatTable::T79856).name(),
        Self::Pp3Wide.name(),
    ];

    /// Number of features (rows of the feature transformer as stored in a file).
    pub const fn rows(self) -> usize {
        match self {
            Self::HalfKp => 41024,
            Self::HalfKa => 49216,
            Self::HalfKaV2 => 45056,
            Self::HalfKaV2Hm => 22528,
            Self::FullThreats(table) => table.rows(),
            Self::Pp3Wide => 4560,
        }
    }

    /// The trainer's name, without `^`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfKp => "HalfKP",
            Self::HalfKa => "HalfKA",
            Self::HalfKaV2 => "HalfKAv2",
            Self::HalfKaV2Hm => "HalfKAv2_hm",
            Self::FullThreats(_) => "Full_Threats",
            Self::Pp3Wide => "PP_3Wide",
        }
    }
}
