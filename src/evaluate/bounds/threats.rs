//! Threats, as bounds see them: in each direction a man attacks at most one other.

use super::men::{SQUARES, Worth};
use crate::net::ThreatTable;
use crate::positions::{ThreatFeature, threat_features};

/// The rows of a threat block by attacker, square and direction: at most one row of each is active at a time.
pub(super) struct Directions(Vec<Direction>);

struct Direction {
    attacker: usize,
    from: usize,
    rows: Vec<usize>,
}

impl Directions {
    /// Of a generation's block.
    pub(super) fn of(table: ThreatTable) -> Self {
        let mut features = threat_features(table);
        features.sort_by_key(|feature| (feature.attacker, feature.from, direction(feature)));
        let mut directions: Vec<Direction> = Vec::new();
        let mut last = None;
        for feature in &features {
            let key = (feature.attacker, feature.from, direction(feature));
            if last != Some(key) {
                directions.push(Direction { attacker: feature.attacker, from: feature.from, rows: Vec::new() });
            }
            last = Some(key);
            if let Some(direction) = directions.last_mut() {
                direction.rows.push(feature.row);
            }
        }
        Self(directions)
    }

    /// Adds to each man's worth the largest weight of each direction that is above 0, for each column.
    pub(super) fn add_to(&self, worths: &mut [Worth], weight: impl Fn(usize, usize) -> i32) {
        let mut largest = vec![0i32; worths.len()];
        for direction in &self.0 {
            largest.fill(0);
            for row in &direction.rows {
                largest.iter_mut().enumerate().for_each(|(column, largest)| *largest = weight(*row, column).max(*largest));
            }
            for (worth, largest) in worths.iter_mut().zip(&largest) {
                worth.0[direction.attacker][direction.from] += 2 * largest;
            }
        }
    }
}

/// For sliders the direction of a line, so that squares of one line share it; for others the square itself.
fn direction(feature: &ThreatFeature) -> usize {
    let step = |from: usize, to: usize| match to.cmp(&from) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => 1,
        std::cmp::Ordering::Greater => 2,
    };
    if matches!(feature.attacker % 6, 2..=4) {
        SQUARES + 3 * step(feature.from % 8, feature.to % 8) + step(feature.from / 8, feature.to / 8)
    } else {
        feature.to
    }
}
