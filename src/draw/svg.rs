//! Scenes as SVG. In a page the inks are classes, so that the page's colours hold; alone a picture brings them along, light and dark.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::color::{Ink, hex};
use super::png;
use super::raster::heat_pixels;
use super::scene::{Anchor, Item, Scene};
use crate::shown::is_harmful;

/// A file of its own.
pub fn document(scene: &Scene) -> String {
    let style = style(":root");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", element(scene, Some(&style), &mut |_| String::new()))
}

/// The colours of all inks under `root`, with those of dark surroundings.
pub fn style(root: &str) -> String {
    let mut style = String::new();
    let list = |color: fn(Ink) -> super::Rgb| Ink::all().map(|ink| format!("--{}:{};", ink.class(), hex(color(ink)))).collect::<String>();
    let _ = write!(style, "{root}{{{}}}", list(Ink::light));
    let _ = write!(style, "@media (prefers-color-scheme:dark){{{root}{{{}}}}}", list(Ink::dark));
    let _ = write!(style, "@media print{{{root}{{{}}}}}", list(Ink::light));
    for ink in Ink::all() {
        let class = ink.class();
        let _ = write!(style, "svg .{class}{{fill:var(--{class})}}svg .{class}-l{{stroke:var(--{class});fill:none}}");
    }
    style
}

/// An element to stand in a page. `attributes` gives what is added to the element of each heat map, by its number in the scene.
pub fn element(scene: &Scene, style: Option<&str>, attributes: &mut dyn FnMut(usize) -> String) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         font-family=\"ui-monospace,'Noto Sans Mono','DejaVu Sans Mono',monospace\"><title>{}</title>",
        escaped(&scene.title)
    );
    if let Some(style) = style {
        let _ = write!(out, "<style>{style}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
    }
    let mut heats = 0;
    for item in &scene.items {
        write_item(&mut out, item, &mut heats, attributes);
    }
    out.push_str("</svg>");
    out
}

fn write_item(out: &mut String, item: &Item, heats: &mut usize, attributes: &mut dyn FnMut(usize) -> String) {
    match item {
        Item::Fill { area, ink, hover } => {
            let _ = write!(
                out,
                "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
                ink.class(),
                number(area.x),
                number(area.y),
                number(area.width),
                number(area.height)
            );
            match hover {
                Some(hover) => {
                    let _ = write!(out, "><title>{}</title></rect>", escaped(hover));
                }
                None => out.push_str("/>"),
            }
        }
        Item::Curve { points, ink, width } => {
            let points: Vec<String> = points.iter().map(|[x, y]| format!("{},{}", number(*x), number(*y))).collect();
            let _ =
                write!(out, "<polyline class=\"{}-l\" stroke-width=\"{}\" points=\"{}\"/>", ink.class(), number(*width), points.join(" "));
        }
        Item::Text { at: [x, y], anchor, size, ink, text } => {
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let _ = write!(
                out,
                "<text class=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{anchor}>{}</text>",
                ink.class(),
                number(*x),
                number(*y),
                number(size.pixels()),
                escaped(text)
            );
        }
        Item::Heat { area, heat } => {
            let (pixels, mut palette) = (heat_pixels(heat), heat.ramp.palette());
            // What stands for nothing lets the paper through.
            palette.push(Ink::Paper.light());
            let clear = u8::try_from(palette.len() - 1).ok();
            let file = png::indexed(heat.width(), heat.height(), &pixels, &palette, clear);
            let more = attributes(*heats);
            *heats += 1;
            image(out, [area.x, area.y, area.width, area.height], &more, &file);
        }
        Item::Key { area, ramp } => {
            let palette = ramp.palette();
            let column: Vec<u8> = (0..palette.len()).rev().map(|step| step as u8).collect();
            let file = png::indexed(1, palette.len(), &column, &palette, None);
            image(out, [area.x, area.y, area.width, area.height], "", &file);
        }
    }
}

fn image(out: &mut String, [x, y, width, height]: [f32; 4], attributes: &str, file: &[u8]) {
    let _ = write!(
        out,
        "<image{attributes} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
         href=\"data:image/png;base64,{}\"/>",
        number(x),
        number(y),
        number(width),
        number(height),
        STANDARD.encode(file)
    );
}

/// At most two digits behind the point.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text that means nothing to a reader of XML or HTML. Control characters, which XML forbids, become spaces; marks of direction, which
/// turn around what is beside them, the character that stands for what cannot be shown.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push(' '),
            c if is_harmful(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
