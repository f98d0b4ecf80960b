//! Which entries of a stream count, under the names and defaults of the trainer's data loader.
//!
//! The trainer decides with random numbers and with counts kept by each of its threads, so that no two of its runs agree. Here the
//! decisions are a function of the seed and of the entry's place (chunk `c`, entry `i`): `mix([tag, seed, c, i])`, with a tag of its
//! own for each filter.
//!
//! [`FILTERS`] lists the filters once: manifest, schema, reference, options, keys and messages take them from there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    entry::{Entry, Facts},
    position::Position,
};
use crate::error::{Error, Result};
use crate::random::{happens, mix};
use crate::words::{FilterSet, PieceWeights, Word};

/// Which entries are dropped, besides those in check, which always are. The default drops none.
///
/// While any filter is on, entries whose score is 32002 ("no value") are dropped too, as the trainer does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Drop entries whose move is a capture (the trainer's `filtered` also drops those in check).
    pub filtered: bool,
    /// Drop entries with probability 1 − p, p being how likely the game's result is for the score and ply, by Stockfish's
    /// win-rate model.
    pub wld_filtered: bool,
    /// Drop N of N + 1 entries, at random; 0: none.
    pub random_fen_skipping: u32,
    /// Drop entries of ply N and below; −1: none.
    pub early_fen_skipping: i32,
    /// Drop entries whose material differs by less than N (pawn 208, knight 781, bishop 825, rook 1276, queen 2538); −1: none.
    pub simple_eval_skipping: i32,
    /// Drop entries whose score is more than N for either side.
    pub max_score: Option<u16>,
    /// Drop entries after ply N.
    pub max_ply: Option<u16>,
    /// Drop, at random, most entries before ply N; 0 and −1: none. The straight lines through (`ply_x1`, `ply_y1`) to
    /// (`ply_x4`, `ply_y4`) and (N, 1) are the probability with which an entry of each ply stays.
    pub soft_early_fen_skipping: i32,
    /// Plies of the four points, which do not fall. Defaults 0, 6, 10, 18.
    pub ply_x1: Option<f64>,
    /// Probability at `ply_x1`. Defaults of the four points: 0.1, 0.15, 0.25, 0.75.
    pub ply_y1: Option<f64>,
    /// See `ply_x1`.
    pub ply_x2: Option<f64>,
    /// See `ply_y1`.
    pub ply_y2: Option<f64>,
    /// See `ply_x1`.
    pub ply_x3: Option<f64>,
    /// See `ply_y1`.
    pub ply_y3: Option<f64>,
    /// See `ply_x1`.
    pub ply_x4: Option<f64>,
    /// See `ply_y1`.
    pub ply_y4: Option<f64>,
    /// Weigh by the number of pieces, as the trainer of that time did: what `pc_y0` to `pc_y4` mean. Within each chunk entries are
    /// dropped so that the wanted distribution of piece counts is approached. `None` with `pc_y0` or `pc_y4`: the newest.
    pub pc: Option<PieceWeights>,
    /// Wanted share of positions with 0 pieces, since May 2026.
    pub pc_y0: Option<f64>,
    /// Wanted share of positions with 8 pieces since May 2026, with 0 before.
    pub pc_y1: Option<f64>,
    /// Wanted share of positions with 16 pieces.
    pub pc_y2: Option<f64>,
    /// Wanted share of positions with 24 pieces since May 2026, with 32 before.
    pub pc_y3: Option<f64>,
    /// Wanted share of positions with 32 pieces, since May 2026.
    pub pc_y4: Option<f64>,
}

impl std::hash::Hash for Filters {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Every finite number is told apart in this form, and others are refused where filters are read.
        serde_json::to_string(self).unwrap_or_default().hash(state);
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            filtered: false,
            wld_filtered: false,
            random_fen_skipping: 0,
            early_fen_skipping: -1,
            simple_eval_skipping: -1,
            max_score: None,
            max_ply: None,
            soft_early_fen_skipping: -1,
            ply_x1: None,
            ply_y1: None,
            ply_x2: None,
            ply_y2: None,
            ply_x3: None,
            ply_y3: None,
            ply_x4: None,
            ply_y4: None,
            pc: None,
            pc_y0: None,
            pc_y1: None,
            pc_y2: None,
            pc_y3: None,
            pc_y4: None,
        }
    }
}

/// What a filter is set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// Of a filter that is on or off.
    Flag(bool),
    /// Of a filter with a bound.
    Whole(i64),
    /// Of a point of a curve.
    Number(f64),
    /// Of what the weights by pieces mean.
    PieceWeights(PieceWeights),
}

/// Which settings a filter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// On or off.
    Flag,
    /// A whole number in this range.
    Whole {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number of at most [`Filters::MAX_WEIGHT`] by magnitude.
    Number,
    /// A word.
    PieceWeights,
}

/// One field of [`Filters`]: its name for users, what it takes, and how it is read and set.
#[derive(Debug)]
pub struct Filter {
    /// The field's name, which is that of the trainer's data loader.
    pub name: &'static str,
    /// The name with `-` for `_`, as an option may be spelled.
    pub dashed: &'static str,
    /// What it does, as one sentence without a period; `N` is its setting.
    pub about: &'static str,
    /// What it takes.
    pub kind: FilterKind,
    /// What holds where it is not set, as users read it.
    pub default: &'static str,
    /// It looks at scores, moves or plies, which lines of FEN do not have.
    needs_facts: bool,
    get: fn(&Filters) -> Option<Setting>,
    set: fn(&mut Filters, Setting) -> bool,
}

/// A type that a filter's setting is kept in.
trait Slot {
    fn load(&self) -> Option<Setting>;
    /// False for a setting that does not fit.
    fn store(&mut self, setting: Setting) -> bool;
}

impl Slot for bool {
    fn load(&self) -> Option<Setting> {
        Some(Setting::Flag(*self))
    }

    fn store(&mut self, setting: Setting) -> bool {
        let Setting::Flag(on) = setting else { return false };
        *self = on;
        true
    }
}

impl Slot for Option<f64> {
    fn load(&self) -> Option<Setting> {
        self.map(Setting::Number)
    }

    fn store(&mut self, setting: Setting) -> bool {
        let Setting::Number(number) = setting else { return false };
        *self = Some(number);
        true
    }
}

impl Slot for Option<PieceWeights> {
    fn load(&self) -> Option<Setting> {
        self.map(Setting::PieceWeights)
    }

    fn store(&mut self, setting: Setting) -> bool {
        let Setting::PieceWeights(meaning) = setting else { return false };
        *self = Some(meaning);
        true
    }
}

macro_rules! whole_slots {
    ($($type:ty)*) => {$(
        impl Slot for $type {
            fn load(&self) -> Option<Setting> {
                Some(Setting::Whole((*self).into()))
            }

            fn store(&mut self, setting: Setting) -> bool {
                let Setting::Whole(number) = setting else { return false };
                number.try_into().map(|number| *self = number).is_ok()
            }
        }
    )*};
}

whole_slots! { u32 i32 }

impl Slot for Option<u16> {
    fn load(&self) -> Option<Setting> {
        self.map(|number| Setting::Whole(number.into()))
    }

    fn store(&mut self, setting: Setting) -> bool {
        let Setting::Whole(number) = setting else { return false };
        number.try_into().map(|number| *self = Some(number)).is_ok()
    }
}

/// A row of [`FILTERS`] for the field of that name.
macro_rules! filter {
    ($field:ident, $dashed:literal, $kind:expr, needs_facts: $needs_facts:literal, default: $default:literal, $about:literal) => {
        Filter {
            name: stringify!($field),
            dashed: $dashed,
            about: $about,
            kind: $kind,
            default: $default,
            needs_facts: $needs_facts,
            get: |filters| filters.$field.load(),
            set: |filters, setting| filters.$field.store(setting),
        }
    };
}

const fn whole(min: i64, max: i64) -> FilterKind {
    FilterKind::Whole { min, max }
}

/// Every filter, in the order in which they are listed.
#[rustfmt::skip]
pub static FILTERS: [Filter; 22] = [
    filter!(filtered, "filtered", FilterKind::Flag, needs_facts: true, default: "false", "Leave out positions whose move is a capture"),
    filter!(wld_filtered, "wld-filtered", FilterKind::Flag, needs_facts: true, default: "false",
        "Leave out, at random, positions whose game did not end as their score predicts"),
    filter!(random_fen_skipping, "random-fen-skipping", whole(0, u32::MAX as i64), needs_facts: false, default: "0",
        "Leave out N of N + 1 positions, at random"),
    filter!(early_fen_skipping, "early-fen-skipping", whole(-1, u16::MAX as i64), needs_facts: true, default: "-1",
        "Leave out positions of ply N and below; -1 leaves out none"),
    filter!(simple_eval_skipping, "simple-eval-skipping", whole(-1, i32::MAX as i64), needs_facts: false, default: "-1",
        "Leave out positions whose material differs by less than N (a pawn is 208, a queen 2538); -1 leaves out none"),
    filter!(max_score, "max-score", whole(0, u16::MAX as i64), needs_facts: true, default: "no limit",
        "Leave out positions whose score is beyond N for either side"),
    filter!(max_ply, "max-ply", whole(0, u16::MAX as i64), needs_facts: true, default: "no limit", "Leave out positions after ply N"),
    filter!(soft_early_fen_skipping, "soft-early-fen-skipping", whole(-1, u16::MAX as i64), needs_facts: true, default: "-1",
        "Leave out, at random, most positions before ply N, the earlier the more; 0 and -1 leave out none"),
    filter!(ply_x1, "ply-x1", FilterKind::Number, needs_facts: false, default: "0",
        "Ply of the first point of the curve of soft_early_fen_skipping; it ends at ply N with probability 1"),
    filter!(ply_y1, "ply-y1", FilterKind::Number, needs_facts: false, default: "0.1",
        "Probability that a position of ply ply_x1 stays, from 0 to 1"),
    filter!(ply_x2, "ply-x2", FilterKind::Number, needs_facts: false, default: "6",
        "Ply of the second point of the curve of soft_early_fen_skipping; it ends at ply N with probability 1"),
    filter!(ply_y2, "ply-y2", FilterKind::Number, needs_facts: false, default: "0.15",
        "Probability that a position of ply ply_x2 stays, from 0 to 1"),
    filter!(ply_x3, "ply-x3", FilterKind::Number, needs_facts: false, default: "10",
        "Ply of the third point of the curve of soft_early_fen_skipping; it ends at ply N with probability 1"),
    filter!(ply_y3, "ply-y3", FilterKind::Number, needs_facts: false, default: "0.25",
        "Probability that a position of ply ply_x3 stays, from 0 to 1"),
    filter!(ply_x4, "ply-x4", FilterKind::Number, needs_facts: false, default: "18",
        "Ply of the fourth point of the curve of soft_early_fen_skipping; it ends at ply N with probability 1"),
    filter!(ply_y4, "ply-y4", FilterKind::Number, needs_facts: false, default: "0.75",
        "Probability that a position of ply ply_x4 stays, from 0 to 1"),
    filter!(pc, "pc", FilterKind::PieceWeights, needs_facts: false, default: "2026-05 with pc_y0 or pc_y4",
        "Weigh by the number of pieces as the trainer of that time: the weights pc_y0 to pc_y4 at 0, 8, 16, 24 and 32 pieces (2026-05), or pc_y1 to pc_y3 at 0, 16 and 32 (2026-01)"),
    filter!(pc_y0, "pc-y0", FilterKind::Number, needs_facts: false, default: "0",
        "Wanted share of positions with 0 pieces (2026-05)"),
    filter!(pc_y1, "pc-y1", FilterKind::Number, needs_facts: false, default: "0.4, or 1 with 2026-01",
        "Wanted share of positions with 8 pieces (2026-05), or with 0 (2026-01)"),
    filter!(pc_y2, "pc-y2", FilterKind::Number, needs_facts: false, default: "1, or 2 with 2026-01",
        "Wanted share of positions with 16 pieces"),
    filter!(pc_y3, "pc-y3", FilterKind::Number, needs_facts: false, default: "1",
        "Wanted share of positions with 24 pieces (2026-05), or with 32 (2026-01)"),
    filter!(pc_y4, "pc-y4", FilterKind::Number, needs_facts: false, default: "0.75",
        "Wanted share of positions with 32 pieces (2026-05)"),
];

impl Filter {
    /// What the filter is set to; `None` where nothing is set and nothing holds by default.
    pub fn setting(&self, filters: &Filters) -> Option<Setting> {
        (self.get)(filters)
    }

    /// Sets the filter. False for a setting of another kind or out of range, which changes nothing.
    #[must_use]
    pub fn set(&self, filters: &mut Filters, setting: Setting) -> bool {
        let fits = match (self.kind, setting) {
            (FilterKind::Whole { min, max }, Setting::Whole(number)) => (min..=max).contains(&number),
            // Written so that NaN does not fit.
            (FilterKind::Number, Setting::Number(number)) => number.abs() <= Filters::MAX_WEIGHT,
            (FilterKind::Flag, Setting::Flag(_)) | (FilterKind::PieceWeights, Setting::PieceWeights(_)) => true,
            _ => false,
        };
        fits && (self.set)(filters, setting)
    }

    /// The error for a number that is too large or not a number.
    pub(crate) fn out_of_range(&self, number: f64) -> Error {
        let error = Error::usage(format!("`{}` is out of range", self.name))
            .because(format!("it is {number} and must be from -{max} to {max}", max = Filters::MAX_WEIGHT));
        error.help(if self.name.starts_with("pc") { "only the proportions of the weights matter" } else { "write a smaller number" })
    }
}

const NO_VALUE: i16 = 32002;
const MATERIAL: [i64; 5] = [208, 781, 825, 1276, 2538];

/// Tags of the hashes: those of `select` are 1 and 2.
const RANDOM_TAG: u64 = 3;
const WLD_TAG: u64 = 4;
const PIECE_COUNT_TAG: u64 = 5;
const SOFT_EARLY_TAG: u64 = 6;

/// Where the trainer of May 2026 puts the points of the curve of early plies, and their probabilities.
const EARLY_POINTS: [(f64, f64); 4] = [(0.0, 0.1), (6.0, 0.15), (10.0, 0.25), (18.0, 0.75)];

impl FilterSet {
    /// The settings that the set stands for.
    pub fn filters(self) -> Filters {
        match self {
            Self::Trainer202605 => Filters {
                filtered: true,
                wld_filtered: true,
                random_fen_skipping: 10,
                soft_early_fen_skipping: 20,
                pc: Some(PieceWeights::May2026),
                ..Filters::default()
            },
        }
    }
}

impl PieceWeights {
    /// The trainer keeps at least one in so many positions of the most frequent piece count.
    fn max_skipping_rate(self) -> f64 {
        match self {
            Self::January2026 => 10.0,
            Self::May2026 => 40.0,
        }
    }
}

impl Filters {
    /// The largest number by magnitude. Of the weights only the proportions matter, and sums of such numbers stay finite.
    pub const MAX_WEIGHT: f64 = 1e6;

    /// The filters that are set to something else than their defaults, with their settings, in the order of [`FILTERS`].
    pub fn on(&self) -> impl Iterator<Item = (&'static Filter, Setting)> {
        let none = Self::default();
        FILTERS.iter().filter_map(move |filter| {
            let setting = filter.setting(self)?;
            (filter.setting(&none) != Some(setting)).then_some((filter, setting))
        })
    }

    /// Checks settings that no filter can mean.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`]: numbers beyond ±[`Self::MAX_WEIGHT`] or not finite; weights by pieces that have two meanings, none
    /// in the one that was chosen, or are nowhere positive; a curve of early plies that is not used or goes back.
    pub fn validate(&self) -> Result<()> {
        for (filter, setting) in self.on() {
            if let Setting::Number(number) = setting
                && !filter.set(&mut self.clone(), setting)
            {
                return Err(filter.out_of_range(number));
            }
        }
        self.validate_early()?;
        self.validate_meaning()?;
        // The distribution is looked at where there are pieces: two kings at least.
        match self.piece_count_weights() {
            Some((meaning, weights)) if !weights[2..].iter().any(|&weight| weight > 0.0) => Err(match meaning {
                PieceWeights::January2026 => Error::usage("`pc_y1`, `pc_y2` and `pc_y3` give no distribution of piece counts")
                    .because("the parabola through them must be positive for some number of pieces")
                    .help("give positive weights, for example 1, 2 and 1"),
                PieceWeights::May2026 => Error::usage("`pc_y0` to `pc_y4` give no distribution of piece counts")
                    .because("the curve through them must be positive for some number of pieces")
                    .help("give positive weights, for example 0, 0.4, 1, 1 and 0.75"),
            }),
            _ => Ok(()),
        }
    }

    fn validate_early(&self) -> Result<()> {
        if self.soft_early_fen_skipping <= 0 {
            let points = [self.ply_x1, self.ply_y1, self.ply_x2, self.ply_y2, self.ply_x3, self.ply_y3, self.ply_x4, self.ply_y4];
            if points.iter().any(Option::is_some) {
                return Err(Error::usage("`ply_x1` to `ply_y4` do nothing without `soft_early_fen_skipping`")
                    .because("they are the curve of that filter, which is off")
                    .help("set `soft_early_fen_skipping`, for example to 20, or remove them"));
            }
        } else if !self.early_points().is_sorted_by(|(a, _), (b, _)| a <= b) {
            return Err(Error::usage("`ply_x1` to `ply_x4` go back")
                .because("they are the plies of points from left to right")
                .help("write them in ascending order"));
        }
        Ok(())
    }

    /// The names `pc_y1` to `pc_y3` changed their meaning in May 2026; alone they do not say which is meant.
    fn validate_meaning(&self) -> Result<()> {
        let is_new = self.pc_y0.is_some() || self.pc_y4.is_some();
        let is_set = is_new || [self.pc_y1, self.pc_y2, self.pc_y3].iter().any(Option::is_some);
        match self.pc {
            Some(PieceWeights::January2026) if is_new => Err(Error::usage("`pc_y0` and `pc_y4` mean nothing with `pc = \"2026-01\"`")
                .because("until May 2026 the trainer had `pc_y1` to `pc_y3` alone, at 0, 16 and 32 pieces")
                .help("remove them, or choose `pc = \"2026-05\"`")),
            None if is_set && !is_new => Err(Error::usage("`pc_y1` to `pc_y3` have two meanings; `pc` chooses one")
                .because("until May 2026 they were the trainer's weights at 0, 16 and 32 pieces; since then they are those at 8, 16 and 24")
                .help("add `pc = \"2026-05\"` for 8, 16 and 24 pieces, or `pc = \"2026-01\"` for 0, 16 and 32")),
            Some(PieceWeights::January2026 | PieceWeights::May2026) | None => Ok(()),
        }
    }

    /// Whether an entry stays, by all filters but the piece-count weighting.
    ///
    /// # Errors
    /// A filter that asks for facts which the entry (a FEN line) does not have.
    pub(super) fn keeps(&self, entry: &Entry, seed: u64, chunk: u64, number: u32) -> Result<bool> {
        if *self == Self::default() {
            return Ok(true);
        }
        let place = |tag| mix([tag, seed, chunk, u64::from(number)]);
        if self.random_fen_skipping > 0 && !happens(place(RANDOM_TAG), 1.0 / (f64::from(self.random_fen_skipping) + 1.0)) {
            return Ok(false);
        }
        if self.simple_eval_skipping > 0 && material(&entry.position).abs() < i64::from(self.simple_eval_skipping) {
            return Ok(false);
        }
        let Some(facts) = &entry.facts else {
            return match self.first_that_needs_facts() {
                None => Ok(true),
                Some(name) => Err(Error::usage(format!("the filter `{name}` needs the scores, moves and plies of training data"))
                    .because("lines of FEN have none")
                    .help(format!("remove `{name}`, or take positions from a `.binpack` or `.bin`"))),
            };
        };
        Ok(!(facts.score == NO_VALUE
            || i32::from(facts.ply) <= self.early_fen_skipping
            || i32::from(facts.ply) < self.soft_early_fen_skipping && !happens(place(SOFT_EARLY_TAG), self.early_rate(facts.ply))
            || self.filtered && facts.is_capture
            || self.max_score.is_some_and(|limit| facts.score.unsigned_abs() > limit)
            || self.max_ply.is_some_and(|limit| facts.ply > limit)
            || self.wld_filtered && !happens(place(WLD_TAG), result_probability(facts))))
    }

    /// The probability with which a position of each piece count stays, for a chunk with these counts; `None`: all stay.
    pub(super) fn piece_count_rates(&self, counts: &[u64; 33]) -> Option<[f64; 33]> {
        let (meaning, weights) = self.piece_count_weights()?;
        let total: u64 = counts.iter().sum();
        let weight_total: f64 = weights.iter().sum();
        // Wanted share over found share, for the piece counts that occur.
        let mut ratios = [0.0; 33];
        let mut least = f64::INFINITY;
        for (ratio, (&count, &weight)) in ratios.iter_mut().zip(counts.iter().zip(&weights)) {
            if count > 0 && weight > 0.0 {
                *ratio = total as f64 * weight / (weight_total * count as f64);
                least = least.min(*ratio);
            }
        }
        Some(ratios.map(|ratio| (ratio / (least * meaning.max_skipping_rate())).min(1.0)))
    }

    /// Whether the entry at this place stays at the rate of its piece count.
    pub(super) fn keeps_at_rate(rate: f64, seed: u64, chunk: u64, number: u32) -> bool {
        happens(mix([PIECE_COUNT_TAG, seed, chunk, u64::from(number)]), rate)
    }

    /// The points of the curve of early plies but the last.
    fn early_points(&self) -> [(f64, f64); 4] {
        let set = [(self.ply_x1, self.ply_y1), (self.ply_x2, self.ply_y2), (self.ply_x3, self.ply_y3), (self.ply_x4, self.ply_y4)];
        std::array::from_fn(|i| (set[i].0.unwrap_or(EARLY_POINTS[i].0), set[i].1.unwrap_or(EARLY_POINTS[i].1)))
    }

    /// The probability with which an entry before ply `soft_early_fen_skipping` stays: straight lines between the points, which a point
    /// beyond the last one cuts off.
    fn early_rate(&self, ply: u16) -> f64 {
        let ply = f64::from(ply);
        let points = self.early_points();
        if ply <= points[0].0 {
            return points[0].1.clamp(0.0, 1.0);
        }
        let end = (f64::from(self.soft_early_fen_skipping), 1.0);
        let ends = points.iter().skip(1).chain([&end]);
        let line = points.iter().zip(ends).find(|(left, right)| (left.0..=right.0).contains(&ply));
        let rate = match line {
            Some((left, right)) if right.0 == left.0 => left.1,
            Some((left, right)) => left.1 + (ply - left.0) / (right.0 - left.0) * (right.1 - left.1),
            None => 1.0,
        };
        rate.clamp(0.0, 1.0)
    }

    /// The weights by pieces that are meant; `None` where there are none.
    fn meaning(&self) -> Option<PieceWeights> {
        self.pc.or_else(|| (self.pc_y0.is_some() || self.pc_y4.is_some()).then_some(PieceWeights::May2026))
    }

    fn piece_count_weights(&self) -> Option<(PieceWeights, [f64; 33])> {
        let meaning = self.meaning()?;
        let weight: &dyn Fn(f64) -> f64 = match meaning {
            PieceWeights::January2026 => {
                let (y1, y2, y3) = (self.pc_y1.unwrap_or(1.0), self.pc_y2.unwrap_or(2.0), self.pc_y3.unwrap_or(1.0));
                &move |x| {
                    let l1 = (x - 16.0) * (x - 32.0) / 512.0;
                    let l2 = x * (x - 32.0) / -256.0;
                    let l3 = x * (x - 16.0) / 512.0;
                    l1 * y1 + l2 * y2 + l3 * y3
                }
            }
            PieceWeights::May2026 => {
                let set = [self.pc_y0, self.pc_y1, self.pc_y2, self.pc_y3, self.pc_y4];
                let usual = [0.0, 0.4, 1.0, 1.0, 0.75];
                let y: [f64; 5] = std::array::from_fn(|i| set[i].unwrap_or(usual[i]));
                &move |x| cubic(&y, x)
            }
        };
        Some((meaning, std::array::from_fn(|pieces| weight(pieces as f64).max(0.0))))
    }

    fn first_that_needs_facts(&self) -> Option<&'static str> {
        self.on().find_map(|(filter, _)| filter.needs_facts.then_some(filter.name))
    }
}

/// The cubic Hermite curve through the points (8·i, y[i]) at `x` from 0 to 32; its slope at a point is that between the neighbours.
fn cubic(y: &[f64; 5], x: f64) -> f64 {
    let slope = |i: usize| match i {
        0 => y[1] - y[0],
        4 => y[4] - y[3],
        _ => (y[i + 1] - y[i - 1]) / 2.0,
    };
    let left = (0..3).rev().find(|&i| x >= 8.0 * (i + 1) as f64).map_or(0, |i| i + 1);
    let t = (x - 8.0 * left as f64) / 8.0;
    let (t2, t3) = (t * t, t * t * t);
    (2.0 * t3 - 3.0 * t2 + 1.0) * y[left]
        + (t3 - 2.0 * t2 + t) * slope(left)
        + (3.0 * t2 - 2.0 * t3) * y[left + 1]
        + (t3 - t2) * slope(left + 1)
}

fn material(position: &Position) -> i64 {
    let boards = position.boards();
    let [white, black] = boards.by_color;
    let balance = |of_kind: u64| i64::from((of_kind & white).count_ones()) - i64::from((of_kind & black).count_ones());
    MATERIAL.iter().zip(boards.by_type).map(|(value, of_kind)| value * balance(of_kind)).sum()
}

/// How likely a game ends as it did, by the score and the ply: Stockfish's win-rate model with the trainer's widening by 1.5.
fn result_probability(facts: &Facts) -> f64 {
    const A: [f64; 4] = [-3.683_893_04, 30.070_659_21, -60.528_787_23, 149.533_785_57];
    const B: [f64; 4] = [-2.018_185_7, 15.856_850_38, -29.834_520_23, 47.590_788_27];
    let m = f64::from(facts.ply.min(240)) / 64.0;
    let polynomial = |c: [f64; 4]| ((c[0] * m + c[1]) * m + c[2]) * m + c[3];
    let (a, b) = (polynomial(A), polynomial(B) * 1.5);
    let x = (f64::from(facts.score) * 100.0 / 208.0).clamp(-2000.0, 2000.0);
    let win = 1.0 / (1.0 + exp((a - x) / b));
    let loss = 1.0 / (1.0 + exp((a + x) / b));
    match facts.result {
        1 => win,
        -1 => loss,
        _ => 1.0 - win - loss,
    }
}

/// `e^x` for |x| < 700 from additions, multiplications and divisions alone, which give the same bits on every machine; the standard
/// library's is the platform's.
fn exp(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let power = (x * std::f64::consts::LOG2_E).round_ties_even();
    let rest = x - power * LN_2_HIGH - power * LN_2_LOW;
    let series = (1..=14).rev().fold(1.0, |sum, n| 1.0 + rest / f64::from(n) * sum);
    // 1023 is the exponent's bias; the power is within ±1010 for the arguments above.
    series * f64::from_bits(((power as i64 + 1023).clamp(1, 2046) as u64) << 52)
}

/// The filters that are on. Those that are off are left out, so that a key says nothing of filters which nobody asked for.
pub(crate) fn filter_members(filters: &Filters) -> Map<String, Value> {
    let value = |setting| match setting {
        Setting::Flag(on) => json!(on),
        Setting::Whole(number) => json!(number),
        // Keys hold no floats: the shortest decimal that gives the number back stands for it. Adding 0 makes -0 the 0 that it acts as.
        Setting::Number(number) => json!(format!("{}", number + 0.0)),
        Setting::PieceWeights(meaning) => json!(meaning.name()),
    };
    filters.on().map(|(filter, setting)| (filter.name.to_owned(), value(setting))).collect()
}

/// The filters of which [`filter_members`] gives these members; `None` where there are none such.
pub(crate) fn filters_of(members: &Map<String, Value>) -> Option<Filters> {
    let mut filters = Filters::default();
    for (name, value) in members {
        let filter = FILTERS.iter().find(|filter| filter.name == name)?;
        let setting = match filter.kind {
            FilterKind::Flag => Setting::Flag(value.as_bool()?),
            FilterKind::Whole { .. } => Setting::Whole(value.as_i64()?),
            FilterKind::Number => Setting::Number(value.as_str()?.parse().ok()?),
            FilterKind::PieceWeights => Setting::PieceWeights(PieceWeights::named(value.as_str()?)?),
        };
        filter.set(&mut filters, setting).then_some(())?;
    }
    Some(filters)
}

#[cfg(test)]
mod tests;
