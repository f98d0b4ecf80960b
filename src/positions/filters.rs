//! Which entries of a stream count, under the names and defaults of the trainer's data loader.
//!
//! The trainer decides with random numbers and with counts kept by each of its threads, so that no two of its runs agree. Here the
//! decisions are a function of the seed and of the entry's place (chunk `c`, entry `i`): `mix([tag, seed, c, i])`, with a tag of its
//! own for each filter.

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

    /// Checks numbers that no filter can mean.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`]: piece-count weights beyond ±[`Self::MAX_WEIGHT`], not finite or nowhere positive.
    pub fn validate(&self) -> Result<()> {
        for (name, weight) in [("pc_y1", self.pc_y1), ("pc_y2", self.pc_y2), ("pc_y3", self.pc_y3)] {
            // Written so that NaN is refused, too.
            if let Some(weight) = weight.filter(|weight| !matches!(weight.abs(), 0.0..=Self::MAX_WEIGHT)) {
                let cause = format!("it is {weight} and must be from -{max} to {max}", max = Self::MAX_WEIGHT);
                return Err(Error::usage(format!("`{name}` is out of range"))
                    .because(cause)
                    .help("only the proportions of the weights matter"));
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
        [
            ("filtered", self.filtered),
            ("wld_filtered", self.wld_filtered),
            ("early_fen_skipping", self.early_fen_skipping >= 0),
            ("max_score", self.max_score.is_some()),
            ("max_ply", self.max_ply.is_some()),
        ]
        .into_iter()
        .find_map(|(name, on)| on.then_some(name))
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
    let Filters {
        filtered,
        wld_filtered,
        random_fen_skipping,
        early_fen_skipping,
        simple_eval_skipping,
        max_score,
        max_ply,
        pc_y1,
        pc_y2,
        pc_y3,
    } = filters;
    let none = Filters::default();
    // Keys hold no floats: the shortest decimal that gives the number back stands for it. Adding 0 makes -0 the 0 that it acts as.
    let decimal = |weight: &Option<f64>| weight.map(|weight| json!(format!("{}", weight + 0.0)));
    let members = [
        ("filtered", filtered.then(|| json!(true))),
        ("wld_filtered", wld_filtered.then(|| json!(true))),
        ("random_fen_skipping", (*random_fen_skipping != none.random_fen_skipping).then(|| json!(random_fen_skipping))),
        ("early_fen_skipping", (*early_fen_skipping != none.early_fen_skipping).then(|| json!(early_fen_skipping))),
        ("simple_eval_skipping", (*simple_eval_skipping != none.simple_eval_skipping).then(|| json!(simple_eval_skipping))),
        ("max_score", max_score.map(|limit| json!(limit))),
        ("max_ply", max_ply.map(|limit| json!(limit))),
        ("pc_y1", decimal(pc_y1)),
        ("pc_y2", decimal(pc_y2)),
        ("pc_y3", decimal(pc_y3)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
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
