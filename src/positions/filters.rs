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
    /// Wanted share of positions with few pieces. Any of `pc_y1` to `pc_y3` turns the piece-count weighting on: the parabola through
    /// (0, `pc_y1`), (16, `pc_y2`), (32, `pc_y3`) is the wanted distribution of piece counts; within each chunk entries are dropped so
    /// that it is approached, none with more than probability 0.9. Defaults 1, 2, 1.
    pub pc_y1: Option<f64>,
    /// Wanted share of positions with 16 pieces.
    pub pc_y2: Option<f64>,
    /// Wanted share of positions with 32 pieces.
    pub pc_y3: Option<f64>,
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
            pc_y1: None,
            pc_y2: None,
            pc_y3: None,
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
    /// Of a weight: a wanted share.
    Share(f64),
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
    Share,
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
        self.map(Setting::Share)
    }

    fn store(&mut self, setting: Setting) -> bool {
        let Setting::Share(share) = setting else { return false };
        *self = Some(share);
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
pub static FILTERS: [Filter; 10] = [
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
    filter!(pc_y1, "pc-y1", FilterKind::Share, needs_facts: false, default: "1 if another weight is set",
        "Wanted share of positions with 0 pieces; any of pc_y1 to pc_y3 turns the weighting by pieces on"),
    filter!(pc_y2, "pc-y2", FilterKind::Share, needs_facts: false, default: "2 if another weight is set",
        "Wanted share of positions with 16 pieces"),
    filter!(pc_y3, "pc-y3", FilterKind::Share, needs_facts: false, default: "1 if another weight is set",
        "Wanted share of positions with 32 pieces"),
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
            (FilterKind::Share, Setting::Share(share)) => share.abs() <= Filters::MAX_WEIGHT,
            (FilterKind::Flag, Setting::Flag(_)) => true,
            _ => false,
        };
        fits && (self.set)(filters, setting)
    }

    /// The error for a weight that is too large or not a number.
    pub(crate) fn out_of_range(&self, weight: f64) -> Error {
        Error::usage(format!("`{}` is out of range", self.name))
            .because(format!("it is {weight} and must be from -{max} to {max}", max = Filters::MAX_WEIGHT))
            .help("only the proportions of the weights matter")
    }
}

const NO_VALUE: i16 = 32002;
/// The trainer keeps at least one in ten positions of the most frequent piece count.
const MAX_SKIPPING_RATE: f64 = 10.0;
const MATERIAL: [i64; 5] = [208, 781, 825, 1276, 2538];

/// Tags of the hashes: those of `select` are 1 and 2.
const RANDOM_TAG: u64 = 3;
const WLD_TAG: u64 = 4;
const PIECE_COUNT_TAG: u64 = 5;

impl Filters {
    /// The largest of `pc_y1` to `pc_y3` by magnitude. Only their proportions matter, and sums of such numbers stay finite.
    pub const MAX_WEIGHT: f64 = 1e6;

    /// The filters that are set to something else than their defaults, with their settings, in the order of [`FILTERS`].
    pub fn on(&self) -> impl Iterator<Item = (&'static Filter, Setting)> {
        let none = Self::default();
        FILTERS.iter().filter_map(move |filter| {
            let setting = filter.setting(self)?;
            (filter.setting(&none) != Some(setting)).then_some((filter, setting))
        })
    }

    /// Checks numbers that no filter can mean.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`]: piece-count weights beyond ±[`Self::MAX_WEIGHT`], not finite or nowhere positive.
    pub fn validate(&self) -> Result<()> {
        for (filter, setting) in self.on() {
            if let Setting::Share(weight) = setting
                && !filter.set(&mut self.clone(), setting)
            {
                return Err(filter.out_of_range(weight));
            }
        }
        // The distribution is looked at where there are pieces: two kings at least.
        match self.piece_count_weights() {
            Some(weights) if !weights[2..].iter().any(|&weight| weight > 0.0) => {
                Err(Error::usage("`pc_y1`, `pc_y2` and `pc_y3` give no distribution of piece counts")
                    .because("the parabola through them must be positive for some number of pieces")
                    .help("give positive weights, for example 1, 2 and 1"))
            }
            _ => Ok(()),
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
            || self.filtered && facts.is_capture
            || self.max_score.is_some_and(|limit| facts.score.unsigned_abs() > limit)
            || self.max_ply.is_some_and(|limit| facts.ply > limit)
            || self.wld_filtered && !happens(place(WLD_TAG), result_probability(facts))))
    }

    /// The probability with which a position of each piece count stays, for a chunk with these counts; `None`: all stay.
    pub(super) fn piece_count_rates(&self, counts: &[u64; 33]) -> Option<[f64; 33]> {
        let weights = self.piece_count_weights()?;
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
        Some(ratios.map(|ratio| (ratio / (least * MAX_SKIPPING_RATE)).min(1.0)))
    }

    /// Whether the entry at this place stays at the rate of its piece count.
    pub(super) fn keeps_at_rate(rate: f64, seed: u64, chunk: u64, number: u32) -> bool {
        happens(mix([PIECE_COUNT_TAG, seed, chunk, u64::from(number)]), rate)
    }

    fn piece_count_weights(&self) -> Option<[f64; 33]> {
        if [self.pc_y1, self.pc_y2, self.pc_y3].iter().all(Option::is_none) {
            return None;
        }
        let (y1, y2, y3) = (self.pc_y1.unwrap_or(1.0), self.pc_y2.unwrap_or(2.0), self.pc_y3.unwrap_or(1.0));
        let weight = |pieces: usize| {
            let x = pieces as f64;
            let l1 = (x - 16.0) * (x - 32.0) / 512.0;
            let l2 = x * (x - 32.0) / -256.0;
            let l3 = x * (x - 16.0) / 512.0;
            let weight = l1 * y1 + l2 * y2 + l3 * y3;
            if weight < 0.0 { 0.0 } else { weight }
        };
        Some(std::array::from_fn(weight))
    }

    fn first_that_needs_facts(&self) -> Option<&'static str> {
        self.on().find_map(|(filter, _)| filter.needs_facts.then_some(filter.name))
    }
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
        Setting::Share(share) => json!(format!("{}", share + 0.0)),
    };
    filters.on().map(|(filter, setting)| (filter.name.to_owned(), value(setting))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::{Position, bin::tests::entries};

    fn kept(filters: &Filters, entries: &[Entry]) -> Vec<usize> {
        (0..entries.len()).filter(|&i| filters.keeps(&entries[i], 9, 0, i as u32).unwrap()).collect()
    }

    #[test]
    fn each_filter_drops_what_it_says() {
        let entries = entries(1, 2000);
        let facts = |i: &usize| entries[*i].facts.unwrap();
        let none = Filters::default();
        assert_eq!(kept(&none, &entries).len(), 2000);
        assert!(kept(&Filters { filtered: true, ..none.clone() }, &entries).iter().all(|i| !facts(i).is_capture));
        assert!(kept(&Filters { early_fen_skipping: 99, ..none.clone() }, &entries).iter().all(|i| facts(i).ply > 99));
        assert!(kept(&Filters { max_ply: Some(50), ..none.clone() }, &entries).len() == 51);
        let quiet = kept(&Filters { max_score: Some(400), ..none.clone() }, &entries);
        assert!(!quiet.is_empty() && quiet.iter().all(|i| facts(i).score.abs() <= 400));
        let quarter = kept(&Filters { random_fen_skipping: 3, ..none.clone() }, &entries).len();
        assert!((400..600).contains(&quarter), "{quarter}");
        let uneven = kept(&Filters { simple_eval_skipping: 1000, ..none.clone() }, &entries);
        assert!(uneven.iter().all(|&i| material(&entries[i].position).abs() >= 1000));
        let likely = kept(&Filters { wld_filtered: true, ..none }, &entries).len();
        assert!((100..1900).contains(&likely), "{likely}");
    }

    #[test]
    fn scores_of_no_value_go_once_any_filter_is_on() {
        let mut entry = entries(1, 1)[0];
        entry.facts.as_mut().unwrap().score = NO_VALUE;
        assert!(Filters::default().keeps(&entry, 0, 0, 0).unwrap());
        assert!(!Filters { max_ply: Some(1000), ..Filters::default() }.keeps(&entry, 0, 0, 0).unwrap());
    }

    #[test]
    fn fen_lines_cannot_be_filtered_by_facts() {
        let position = Position::from_fen("4k3/8/8/8/8/8/4P3/4K3 w - -").unwrap();
        let entry = Entry { position, facts: None };
        let error = Filters { max_ply: Some(3), ..Filters::default() }.keeps(&entry, 0, 0, 0).unwrap_err();
        assert_eq!(error.message(), "the filter `max_ply` needs the scores, moves and plies of training data");
        assert!(!Filters { simple_eval_skipping: 300, ..Filters::default() }.keeps(&entry, 0, 0, 0).unwrap());
    }

    #[test]
    fn piece_counts_approach_the_parabola() {
        let filters = Filters { pc_y1: Some(1.0), ..Filters::default() };
        let mut counts = [0; 33];
        (counts[8], counts[16], counts[32]) = (100, 1000, 10);
        let rates = filters.piece_count_rates(&counts).unwrap();
        // Weights 1.75, 2 and 1: shares are least for 16 pieces, which stay at one in ten.
        assert!((rates[16] - 0.1).abs() < 1e-12 && (rates[8] - 0.875).abs() < 1e-12 && rates[32] == 1.0);
        for weight in [f64::NAN, f64::INFINITY, 1.1e6, -1e300] {
            let error = Filters { pc_y2: Some(weight), ..Filters::default() }.validate().unwrap_err();
            assert_eq!(error.message(), "`pc_y2` is out of range");
        }
        let never = Filters { pc_y1: Some(0.0), pc_y2: Some(-1.0), pc_y3: Some(0.0), ..Filters::default() };
        assert!(never.validate().unwrap_err().message().contains("no distribution"));
        assert!(Filters { pc_y1: Some(-1e6), ..Filters::default() }.validate().is_ok());
        assert!(Filters::default().piece_count_rates(&counts).is_none());
    }

    #[test]
    fn the_table_has_every_field_and_its_default() {
        let json = serde_json::to_value(Filters::default()).unwrap();
        let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(FILTERS.each_ref().map(|filter| filter.name).to_vec(), fields);
        for filter in &FILTERS {
            assert_eq!(filter.dashed, filter.name.replace('_', "-"));
            let default = match filter.setting(&Filters::default()) {
                Some(Setting::Flag(on)) => on.to_string(),
                Some(Setting::Whole(number)) => number.to_string(),
                Some(Setting::Share(share)) => share.to_string(),
                None => continue,
            };
            assert_eq!(filter.default, default, "{}", filter.name);
        }
        assert_eq!(Filters::default().on().count(), 0);
    }

    #[test]
    fn what_is_set_is_read_back_and_what_does_not_fit_changes_nothing() {
        for filter in &FILTERS {
            let (good, bad) = match filter.kind {
                FilterKind::Flag => (vec![Setting::Flag(true)], vec![Setting::Whole(1)]),
                FilterKind::Whole { min, max } => (
                    vec![Setting::Whole(min.max(1)), Setting::Whole(max)],
                    vec![Setting::Whole(min - 1), Setting::Whole(max + 1), Setting::Flag(true), Setting::Share(1.0)],
                ),
                FilterKind::Share => (vec![Setting::Share(-1e6)], vec![Setting::Share(f64::NAN), Setting::Share(1.1e6), Setting::Whole(1)]),
            };
            let mut filters = Filters::default();
            for setting in bad {
                assert!(!filter.set(&mut filters, setting), "{} {setting:?}", filter.name);
            }
            assert_eq!(filters, Filters::default());
            for setting in good {
                assert!(filter.set(&mut filters, setting));
                let on: Vec<_> = filters.on().map(|(on, setting)| (on.name, setting)).collect();
                assert_eq!(on, [(filter.name, setting)]);
            }
        }
    }

    #[test]
    fn own_exp_is_exp() {
        for i in -6000..6000 {
            let x = f64::from(i) / 100.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "{x}");
        }
    }

    /// The same bits on every machine: a platform with another arithmetic fails here, not by giving other positions.
    #[test]
    fn the_win_rate_model_is_pinned_to_the_bit() {
        let mut hash = 0;
        for ply in 0..260 {
            for score in (-32768..32768).step_by(509) {
                for result in -1..=1 {
                    let facts = Facts { score: score as i16, ply, result, is_capture: false };
                    hash = mix([hash, result_probability(&facts).to_bits()]);
                }
            }
        }
        assert_eq!(hash, 0xA0F8_05B8_C8B6_C556);
    }

    #[test]
    fn the_win_rate_model_is_near_even_where_it_should_be() {
        let at = |score, result| result_probability(&Facts { score, ply: 64, result, is_capture: false });
        assert!((at(0, 1) - at(0, -1)).abs() < 1e-12);
        assert!((at(100, 1) + at(100, 0) + at(100, -1) - 1.0).abs() < 1e-12);
        assert!(at(2000, 1) > 0.99 && at(2000, -1) < 0.01);
    }
}
