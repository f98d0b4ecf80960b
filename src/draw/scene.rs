//! What a picture consists of. Units are pixels of the picture's own size, from its upper left corner.

use super::color::{Ink, Ramp};

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Area {
    /// A rectangle by its upper left corner and its size.
    pub const fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height }
    }
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How large a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Labels.
    Small,
    /// Titles.
    Title,
}

impl Size {
    /// Height of the letters' box.
    pub const fn pixels(self) -> f32 {
        match self {
            Self::Small => 13.0,
            Self::Title => 16.0,
        }
    }
}

/// What the cells of a heat map's tile are, in words: `template` with `{r0}`, `{r1}` … replaced by the parts of the cell's row and `{c0}`
/// … by those of its column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Such as `{c0} {r0} on {c1}{r1}`.
    pub template: String,
    /// Parts of each row of a tile.
    pub rows: Vec<Vec<String>>,
    /// Parts of each column of a tile.
    pub columns: Vec<Vec<String>>,
}

impl Labels {
    /// What the cell at `column`, `row` of a tile is.
    pub fn text(&self, column: usize, row: usize) -> String {
        let mut text = self.template.clone();
        for (sign, parts) in [('r', self.rows.get(row)), ('c', self.columns.get(column))] {
            for (index, part) in parts.into_iter().flatten().enumerate() {
                text = text.replace(&format!("{{{sign}{index}}}"), part);
            }
        }
        text
    }

    /// Rows and columns that are numbered from 0.
    pub fn numbered(template: &str, columns: usize, rows: usize) -> Self {
        let numbers = |count: usize| (0..count).map(|index| vec![index.to_string()]).collect();
        Self { template: template.to_owned(), rows: numbers(rows), columns: numbers(columns) }
    }
}

/// No number: the cell stands for nothing.
pub const BLANK: i32 = i32::MIN;

/// A heat map: equal tiles beside and below each other, each a grid of cells with a number each.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Cells of a tile: columns, rows.
    pub tile: [usize; 2],
    /// Tiles beside each other.
    pub across: usize,
    /// What each tile is, in reading order; the last row of tiles may be short.
    pub names: Vec<String>,
    /// What the cells of a tile are.
    pub labels: Labels,
    /// Row by row over the whole map; [`BLANK`] where there is nothing.
    pub numbers: Vec<i32>,
    /// The stored integer that a number means is `number / divisor`: means of integers keep fractions so.
    pub divisor: i32,
    /// What stands for 1.0: the value that is coloured is `number / divisor / one`.
    pub one: f64,
    /// Colours of the values.
    pub ramp: Ramp,
}

impl Heat {
    /// Cells in a row of the whole map.
    pub fn width(&self) -> usize {
        self.tile[0] * self.across
    }

    /// Cells in a column of the whole map.
    pub fn height(&self) -> usize {
        self.tile[1] * self.names.len().div_ceil(self.across.max(1))
    }

    /// The number of a cell of the whole map; [`BLANK`] outside.
    pub fn number(&self, x: usize, y: usize) -> i32 {
        if x < self.width() { self.numbers.get(y * self.width() + x).copied().unwrap_or(BLANK) } else { BLANK }
    }

    /// The value of a number; `None` for [`BLANK`].
    pub fn value(&self, number: i32) -> Option<f64> {
        (number != BLANK).then(|| f64::from(number) / f64::from(self.divisor) / self.one)
    }

    /// What a cell of the whole map is and shows: the words that a page shows under the pointer.
    pub fn hover(&self, x: usize, y: usize) -> Option<String> {
        let ([columns, rows], number) = (self.tile, self.number(x, y));
        let name = self.names.get(y / rows * self.across + x / columns)?;
        let value = self.value(number)?;
        let what = self.labels.text(x % columns, y % rows);
        let separator = if name.is_empty() || what.is_empty() { "" } else { ", " };
        let integer = f64::from(number) / f64::from(self.divisor);
        let shown = if self.divisor == 1 { format!("{integer}") } else { format!("{integer:.3}") };
        let value = if self.one == 1.0 { String::new() } else { format!(" ({})", fixed(value, 4)) };
        Some(format!("{name}{separator}{what}: {shown}{value}"))
    }
}

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A filled rectangle.
    Fill {
        /// Where.
        area: Area,
        /// With what.
        ink: Ink,
        /// What is said under the pointer.
        hover: Option<String>,
    },
    /// Lines from point to point.
    Curve {
        /// The points.
        points: Vec<[f32; 2]>,
        /// With what.
        ink: Ink,
        /// Width of the line.
        width: f32,
    },
    /// A line of text.
    Text {
        /// On the base line.
        at: [f32; 2],
        /// Which end of it is there.
        anchor: Anchor,
        /// How large.
        size: Size,
        /// With what.
        ink: Ink,
        /// The text.
        text: String,
    },
    /// A heat map that fills an area.
    Heat {
        /// Where.
        area: Area,
        /// What.
        heat: Box<Heat>,
    },
    /// The colours of a ramp, the lowest one at the bottom.
    Key {
        /// Where.
        area: Area,
        /// Which.
        ramp: Ramp,
    },
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Stable, for file names and addresses: letters, digits and `-`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// From back to front.
    pub items: Vec<Item>,
}

impl Scene {
    /// An empty one.
    pub fn new(name: impl Into<String>, title: impl Into<String>, width: f32, height: f32) -> Self {
        Self { name: name.into(), title: title.into(), width, height, items: Vec::new() }
    }

    /// A rectangle.
    pub fn fill(&mut self, area: Area, ink: Ink) {
        self.items.push(Item::Fill { area, ink, hover: None });
    }

    /// A rectangle with words under the pointer.
    pub fn bar(&mut self, area: Area, ink: Ink, hover: String) {
        self.items.push(Item::Fill { area, ink, hover: Some(hover) });
    }

    /// A straight line.
    pub fn line(&mut self, from: [f32; 2], to: [f32; 2], ink: Ink, width: f32) {
        self.items.push(Item::Curve { points: vec![from, to], ink, width });
    }

    /// A small text.
    pub fn label(&mut self, at: [f32; 2], anchor: Anchor, ink: Ink, text: impl Into<String>) {
        self.items.push(Item::Text { at, anchor, size: Size::Small, ink, text: text.into() });
    }

    /// A title.
    pub fn heading(&mut self, at: [f32; 2], text: impl Into<String>) {
        self.items.push(Item::Text { at, anchor: Anchor::Start, size: Size::Title, ink: Ink::Text, text: text.into() });
    }

    /// A heat map.
    pub fn heat(&mut self, area: Area, heat: Heat) {
        self.items.push(Item::Heat { area, heat: Box::new(heat) });
    }

    /// A ramp with the numbers of its ends and its middle on the right.
    pub fn key(&mut self, area: Area, ramp: Ramp) {
        self.items.push(Item::Key { area, ramp });
        for (share, number) in [(0.0, ramp.high), (0.5, f64::midpoint(ramp.low, ramp.high)), (1.0, ramp.low)] {
            let y = area.y + share * area.height;
            // The text's middle is at the height of the number.
            self.label([area.x + area.width + 6.0, y + 4.0], Anchor::Start, Ink::Muted, short(number));
        }
    }

    /// The heat maps.
    pub fn heats(&self) -> impl Iterator<Item = (&Area, &Heat)> {
        self.items.iter().filter_map(|item| match item {
            Item::Heat { area, heat } => Some((area, &**heat)),
            Item::Fill { .. } | Item::Curve { .. } | Item::Text { .. } | Item::Key { .. } => None,
        })
    }
}

/// A number with so many digits behind the point, halves rounded away from 0, as browsers write it.
fn fixed(number: f64, digits: usize) -> String {
    let scale = 10f64.powi(digits as i32);
    let rounded = (number * scale).round() / scale;
    // No sign before nothing.
    format!("{:.digits$}", if rounded == 0.0 && number >= 0.0 { 0.0 } else { rounded })
}

/// A number in few digits: `-1`, `0.25`, `0.00312`, `12000`.
pub fn short(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let size = number.abs();
    let digits = if size >= 100.0 { 0 } else { (2 - size.log10().floor() as i32).clamp(0, 8) };
    let text = format!("{number:.*}", digits as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.to_owned()
}

/// A count with spaces between groups of three digits.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
