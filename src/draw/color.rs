//! Colours: of numbers ([`Ramp`]), and of text, lines and series ([`Ink`]).

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// Which colours numbers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Blue over grey to red, for values around 0.
    CoolWarm,
    /// Violet over green to yellow, for values from 0 on.
    Viridis,
}

/// How numbers become colours: `low` and what is below has the first colour, `high` and what is above the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The colours.
    pub scheme: Scheme,
    /// Number of the first colour.
    pub low: f64,
    /// Number of the last colour.
    pub high: f64,
    /// Numbers count without their sign.
    pub absolute: bool,
}

/// Steps of a ramp. One more index stands for "no number".
pub const STEPS: usize = 255;

impl Ramp {
    /// From `-limit` to `limit`, blue to red.
    pub fn around_zero(limit: f64) -> Self {
        Self { scheme: Scheme::CoolWarm, low: -limit, high: limit, absolute: false }
    }

    /// The step, 0 to [`STEPS`] − 1, of a number.
    pub fn step(&self, number: f64) -> u8 {
        let number = if self.absolute { number.abs() } else { number };
        let width = self.high - self.low;
        let share = if width > 0.0 { (number - self.low) / width } else { 0.5 };
        // A cast of a float saturates, and one of NaN gives 0.
        (share.clamp(0.0, 1.0) * (STEPS - 1) as f64).round() as u8
    }

    /// The colours of all steps.
    pub fn palette(&self) -> Vec<Rgb> {
        let stops: &[[f64; 3]] = match self.scheme {
            Scheme::CoolWarm => &COOL_WARM,
            Scheme::Viridis => &VIRIDIS,
        };
        (0..STEPS).map(|step| between(stops, step as f64 / (STEPS - 1) as f64)).collect()
    }
}

/// Evenly spaced colours of the field's usual diverging map.
const COOL_WARM: [[f64; 3]; 9] = [
    [59.0, 76.0, 192.0],
    [98.0, 130.0, 234.0],
    [141.0, 176.0, 254.0],
    [184.0, 208.0, 249.0],
    [221.0, 221.0, 221.0],
    [245.0, 196.0, 173.0],
    [244.0, 154.0, 123.0],
    [222.0, 96.0, 77.0],
    [180.0, 4.0, 38.0],
];

/// Evenly spaced colours of matplotlib's usual map.
const VIRIDIS: [[f64; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

fn between(stops: &[[f64; 3]], share: f64) -> Rgb {
    let at = share * (stops.len() - 1) as f64;
    let first = (at as usize).min(stops.len() - 2);
    let part = at - first as f64;
    std::array::from_fn(|channel| {
        let (from, to) = (stops[first][channel], stops[first + 1][channel]);
        (from + (to - from) * part).round() as u8
    })
}

/// What is drawn that is not a number: every ink has a colour on light and one on dark paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The background.
    Paper,
    /// Titles, names, numbers.
    Text,
    /// What is less important.
    Muted,
    /// Grid lines and frames.
    Line,
    /// Limits that should not be passed.
    Limit,
    /// One of several things that are compared, counted from 0.
    Series(usize),
}

/// How many series have a colour of their own; further ones begin again.
pub const SERIES: usize = 8;

const LIGHT_SERIES: [Rgb; SERIES] =
    [[31, 111, 180], [214, 96, 24], [34, 139, 84], [168, 56, 143], [140, 110, 20], [20, 140, 160], [190, 50, 60], [100, 100, 110]];
const DARK_SERIES: [Rgb; SERIES] =
    [[102, 170, 235], [245, 150, 85], [95, 200, 140], [220, 130, 205], [215, 185, 90], [90, 205, 220], [245, 120, 125], [170, 170, 180]];

impl Ink {
    /// On light paper.
    pub fn light(self) -> Rgb {
        match self {
            Self::Paper => [255, 255, 255],
            Self::Text => [28, 32, 38],
            Self::Muted => [98, 106, 118],
            Self::Line => [216, 220, 226],
            Self::Limit => [200, 30, 50],
            Self::Series(index) => LIGHT_SERIES[index % SERIES],
        }
    }

    /// On dark paper.
    pub fn dark(self) -> Rgb {
        match self {
            Self::Paper => [20, 22, 26],
            Self::Text => [230, 233, 238],
            Self::Muted => [154, 162, 174],
            Self::Line => [56, 61, 70],
            Self::Limit => [255, 105, 115],
            Self::Series(index) => DARK_SERIES[index % SERIES],
        }
    }

    /// Its class in SVG and HTML.
    pub fn class(self) -> String {
        match self {
            Self::Paper => "paper".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Muted => "muted".to_owned(),
            Self::Line => "line".to_owned(),
            Self::Limit => "limit".to_owned(),
            Self::Series(index) => format!("s{}", index % SERIES),
        }
    }

    /// Every ink once.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Paper, Self::Text, Self::Muted, Self::Line, Self::Limit].into_iter().chain((0..SERIES).map(Self::Series))
    }
}

/// `#rrggbb`.
pub fn hex(color: Rgb) -> String {
    format!("#{:02x}{:02x}{:02x}", color[0], color[1], color[2])
}

#[cfg(test)]
mod tests;
