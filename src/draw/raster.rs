//! Scenes as pixels, on light paper.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use rayon::prelude::*;

use super::color::{Ink, Rgb, STEPS};
use super::png;
use super::scene::{Anchor, Area, Heat, Item, Scene, Size};

/// The colour numbers of a heat map, a pixel a cell; [`STEPS`] where there is nothing.
pub fn heat_pixels(heat: &Heat) -> Vec<u8> {
    let (ramp, scale) = (heat.ramp, f64::from(heat.divisor) * heat.one);
    let mut pixels = vec![STEPS as u8; heat.width() * heat.height()];
    pixels.par_chunks_mut(1 << 14).zip(heat.numbers.par_chunks(1 << 14)).for_each(|(pixels, numbers)| {
        for (pixel, number) in pixels.iter_mut().zip(numbers) {
            if *number != super::scene::BLANK {
                *pixel = ramp.step(f64::from(*number) / scale);
            }
        }
    });
    pixels
}

/// The picture as a PNG file, `zoom` pixels for each unit of the scene.
pub fn png(scene: &Scene, zoom: usize) -> Vec<u8> {
    let canvas = paint(scene, zoom);
    png::rgb(canvas.width, canvas.height, canvas.pixels.as_flattened())
}

/// Pixels, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The colours.
    pub pixels: Vec<Rgb>,
}

/// The picture in pixels, `zoom` for each unit of the scene.
pub fn paint(scene: &Scene, zoom: usize) -> Canvas {
    let zoom = zoom.max(1) as f32;
    let (width, height) = ((scene.width * zoom).ceil() as usize, (scene.height * zoom).ceil() as usize);
    let mut canvas = Canvas { width, height, pixels: vec![Ink::Paper.light(); width * height] };
    for item in &scene.items {
        canvas.draw(item, zoom);
    }
    canvas
}

impl Canvas {
    fn draw(&mut self, item: &Item, zoom: f32) {
        let scaled = |area: &Area| Area::new(area.x * zoom, area.y * zoom, area.width * zoom, area.height * zoom);
        match item {
            Item::Fill { area, ink, .. } => self.fill(scaled(area), ink.light()),
            Item::Curve { points, ink, width } => {
                for pair in points.windows(2) {
                    let [from, to] = [pair[0], pair[1]].map(|[x, y]| [x * zoom, y * zoom]);
                    self.segment(from, to, width * zoom, ink.light());
                }
            }
            Item::Text { at, anchor, size, ink, text } => self.text(at.map(|at| at * zoom), *anchor, *size, zoom, ink.light(), text),
            Item::Heat { area, heat } => {
                let (pixels, palette) = (heat_pixels(heat), heat.ramp.palette());
                let color = |x: usize, y: usize| palette.get(usize::from(pixels[y * heat.width() + x])).copied();
                self.cells(scaled(area), heat.width(), heat.height(), color);
            }
            Item::Key { area, ramp } => {
                let palette = ramp.palette();
                let steps = palette.len();
                self.cells(scaled(area), 1, steps, |_, y| palette.get(steps - 1 - y).copied());
            }
        }
    }

    /// The pixels whose middles lie in a range of coordinates.
    fn span(from: f32, length: f32, limit: usize) -> std::ops::Range<usize> {
        let place = |at: f32| (at - 0.5).ceil().clamp(0.0, limit as f32) as usize;
        place(from)..place(from + length)
    }

    fn fill(&mut self, area: Area, color: Rgb) {
        let columns = Self::span(area.x, area.width, self.width);
        for y in Self::span(area.y, area.height, self.height) {
            self.pixels[y * self.width..][columns.clone()].fill(color);
        }
    }

    /// A grid of `across` × `down` cells that fills an area; each pixel has the colour of the cell at its middle.
    fn cells(&mut self, area: Area, across: usize, down: usize, color: impl Fn(usize, usize) -> Option<Rgb> + Sync) {
        if across == 0 || down == 0 {
            return;
        }
        let columns = Self::span(area.x, area.width, self.width);
        let rows = Self::span(area.y, area.height, self.height);
        let cell = |pixel: usize, from: f32, length: f32, count: usize| {
            (((pixel as f32 + 0.5 - from) / length * count as f32) as usize).min(count - 1)
        };
        let places: Vec<usize> = columns.clone().map(|x| cell(x, area.x, area.width, across)).collect();
        let (width, first) = (self.width, rows.start);
        self.pixels[rows.start * width..rows.end * width].par_chunks_mut(width.max(1)).enumerate().for_each(|(row, pixels)| {
            let y = cell(first + row, area.y, area.height, down);
            for (pixel, x) in pixels[columns.clone()].iter_mut().zip(&places) {
                if let Some(color) = color(*x, y) {
                    *pixel = color;
                }
            }
        });
    }

    /// Mixes a colour into a pixel; outside of the picture nothing happens.
    fn blend(&mut self, x: isize, y: isize, color: Rgb, share: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x < self.width && y < self.height {
            for (old, new) in self.pixels[y * self.width + x].iter_mut().zip(color) {
                *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * share).round() as u8;
            }
        }
    }

    /// A line with smooth edges: a pixel is covered by as much as its middle is nearer than half the width.
    fn segment(&mut self, from: [f32; 2], to: [f32; 2], width: f32, color: Rgb) {
        let reach = width / 2.0 + 1.0;
        let bound = |a: f32, b: f32, limit: usize| {
            let low = (a.min(b) - reach).floor().clamp(-1.0, limit as f32) as isize;
            let high = (a.max(b) + reach).ceil().clamp(-1.0, limit as f32) as isize;
            low..high + 1
        };
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0] * along[0] + along[1] * along[1];
        for y in bound(from[1], to[1], self.height) {
            for x in bound(from[0], to[0], self.width) {
                let at = [x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]];
                let share = if length > 0.0 { ((at[0] * along[0] + at[1] * along[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (at[0] - share * along[0]).hypot(at[1] - share * along[1]);
                let covered = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                if covered > 0.0 {
                    self.blend(x, y, color, covered);
                }
            }
        }
    }

    fn text(&mut self, at: [f32; 2], anchor: Anchor, size: Size, zoom: f32, color: Rgb, text: &str) {
        let height = match (size, zoom > 1.0) {
            (Size::Small, false) => RasterHeight::Size16,
            (Size::Title, false) => RasterHeight::Size20,
            (Size::Small, true) => RasterHeight::Size24,
            (Size::Title, true) => RasterHeight::Size32,
        };
        let advance = get_raster_width(FontWeight::Regular, height);
        let width = (advance * text.chars().count()) as f32;
        let left = match anchor {
            Anchor::Start => at[0],
            Anchor::Middle => at[0] - width / 2.0,
            Anchor::End => at[0] - width,
        };
        // The letters' foot is four fifths down their box.
        let top = (at[1] - height.val() as f32 * 0.8).round() as isize;
        for (index, c) in text.chars().enumerate() {
            let drawn = |c: char| get_raster(c, FontWeight::Regular, height);
            let Some(glyph) = drawn(c).or_else(|| drawn(plain(c))).or_else(|| drawn('?')) else { continue };
            let x = left.round() as isize + (index * advance) as isize;
            for (row, shades) in glyph.rows().enumerate() {
                for (column, shade) in shades.iter().enumerate().filter(|(_, shade)| **shade > 0) {
                    self.blend(x + column as isize, top + row as isize, color, f32::from(*shade) / 255.0);
                }
            }
        }
    }
}

/// A letter that the glyphs have, for signs that they lack.
fn plain(c: char) -> char {
    match c {
        '−' | '–' | '—' => '-',
        '→' => '>',
        '…' => '.',
        '“' | '”' => '"',
        '’' => '\'',
        c => c,
    }
}

#[cfg(test)]
mod tests;
