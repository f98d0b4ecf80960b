//! Pages: one HTML file that asks for nothing outside itself. Its content security policy forbids it.
//!
//! Drawings stand in it as SVG with the numbers of their heat maps beside them, packed; the script says what is under the pointer, and
//! draws single neurons weight by weight. Markup is written directly: what there is of it is tables and figures.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::input::Arrangement;
use super::{Inputs, Options, Subject, order_of_neurons};
use crate::draw::svg::{element, escaped, style};
use crate::draw::{Heat, Labels, Ramp, Scene};
use crate::net::OUTPUT_DIVISOR;
use crate::words::NeuronOrder;

/// Bytes of a page that single neurons take, at most, where nothing else is asked for.
const DETAIL_BYTES: usize = 4 << 20;
/// Bytes of a packed number.
const PLANES: usize = 4;

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Of the columns; none for a table of facts.
    pub heads: Vec<String>,
    /// Rows of cells.
    pub rows: Vec<Vec<Cell>>,
    /// Whether a click on a head sorts it.
    pub sortable: bool,
    /// What is shown instead until it is clicked; `None`: the table stands open.
    pub folded: Option<String>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// Text that is read letter by letter, such as a digest.
    Code(String),
    /// A number: what is sorted by, and what is shown.
    Number(f64, String),
    /// A link into the same folder or page: address and text.
    Link(String, String),
    /// Something bad.
    Bad(String),
}

impl Cell {
    fn write(&self, out: &mut String) {
        let _ = match self {
            Self::Text(text) => write!(out, "<td>{}</td>", escaped(text)),
            Self::Code(text) => write!(out, "<td><code>{}</code></td>", escaped(text)),
            Self::Number(value, text) => write!(out, "<td class=\"n\" data-value=\"{value}\">{}</td>", escaped(text)),
            Self::Link(address, text) => write!(out, "<td><a href=\"{}\">{}</a></td>", escaped(address), escaped(text)),
            Self::Bad(text) => write!(out, "<td class=\"bad\">{}</td>", escaped(text)),
        };
    }
}

/// A part of a page.
pub enum Body {
    /// A paragraph.
    Text(String),
    /// A picture.
    Picture(Scene),
    /// A histogram, linear and logarithmic.
    Scales(Scene, Scene),
    /// A table.
    Table(Table),
    /// Single neurons.
    Detail,
}

/// A part of a page with a heading.
pub struct Section {
    /// For links to it.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// What it has.
    pub body: Vec<Body>,
}

impl Section {
    /// An empty one.
    pub fn new(id: &'static str, title: impl Into<String>) -> Self {
        Self { id, title: title.into(), body: Vec::new() }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.body.push(Body::Text(text.into()));
        self
    }

    /// Adds a picture.
    #[must_use]
    pub fn picture(mut self, scene: Scene) -> Self {
        self.body.push(Body::Picture(scene));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.body.push(Body::Table(table));
        self
    }
}

/// Single neurons and buckets, weight by weight.
pub struct Detail {
    blocks: Vec<Value>,
    columns: Vec<Value>,
    order: NeuronOrder,
    /// Neurons that the page has, of all.
    pub neurons: [usize; 2],
}

impl Detail {
    /// The PSQT buckets, and the neurons with the largest weights: `wanted` of them, or as many as do not make the page too large.
    pub fn of(subject: &Subject<'_>, inputs: &Inputs<'_>, options: &Options, wanted: Option<usize>) -> Self {
        let blocks = inputs.matrices.iter().map(|(matrix, _)| {
            let name = matrix.block.name();
            let layout = |order: NeuronOrder| {
                let layout = Arrangement::whole(matrix.block, order);
                let mut rows = vec![crate::draw::scene::BLANK; layout.tile[0] * layout.tile[1]];
                layout.shown.iter().for_each(|(row, cell)| rows[*cell as usize] = *row as i32);
                json!({"key": order.name(), "tile": layout.tile, "cells": packed(&rows), "labels": labels(&layout.labels)})
            };
            let orders: &[NeuronOrder] =
                if super::PieceSquares::of(matrix.block).is_some() { NeuronOrder::ALL } else { &NeuronOrder::ALL[..1] };
            let layouts: serde_json::Map<String, Value> = orders.iter().map(|order| (order.name().to_owned(), layout(*order))).collect();
            json!({"name": name, "title": name, "one": matrix.one, "layouts": layouts})
        });
        let blocks = blocks.collect();
        let mut columns = Vec::new();
        let buckets = inputs.matrices.iter().find_map(|(_, psqt)| psqt.as_ref()).map_or(0, |psqt| psqt.columns);
        let column = |name: String, is_psqt: bool, column: usize| {
            let data = inputs.matrices.iter().map(|(weights, psqt)| {
                let matrix = if is_psqt { psqt.as_ref() } else { Some(weights) };
                matrix.map_or(Value::Null, |matrix| Value::String(packed(&matrix.column(column))))
            });
            json!({"name": name, "psqt": is_psqt, "data": data.collect::<Vec<_>>()})
        };
        let by_size = order_of_neurons(&inputs.norms);
        let mut bytes = 0;
        let limit = wanted.unwrap_or(usize::MAX).min(by_size.len());
        for batch in by_size[..limit].chunks(16) {
            let made: Vec<(usize, Value)> = batch
                .par_iter()
                .map(|neuron| (*neuron, column(format!("neuron {neuron} (L1 norm {})", inputs.norms[*neuron]), false, *neuron)))
                .collect();
            bytes += made.iter().map(|(_, column)| size_of_column(column)).sum::<usize>();
            if wanted.is_none() && bytes > DETAIL_BYTES && !columns.is_empty() {
                break;
            }
            columns.extend(made);
        }
        if options.sort_neurons {
            columns.sort_by_key(|(neuron, _)| (std::cmp::Reverse(inputs.norms[*neuron]), *neuron));
        } else {
            columns.sort_by_key(|(neuron, _)| *neuron);
        }
        let neurons = [columns.len(), subject.network.architecture.l1];
        let mut columns: Vec<Value> = columns.into_iter().map(|(_, column)| column).collect();
        columns.extend((0..buckets).map(|bucket| column(format!("PSQT bucket {bucket}"), true, bucket)));
        Self { blocks, columns, order: options.order, neurons }
    }

    fn json(&self) -> Value {
        json!({
            "blocks": self.blocks,
            "columns": self.columns,
            "order": self.order.name(),
            "psqtOne": OUTPUT_DIVISOR,
            "palette": Ramp::around_zero(1.0).palette(),
        })
    }
}

fn size_of_column(column: &Value) -> usize {
    column["data"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::len).sum()
}

/// Numbers as text: the bytes of all of them, lowest bytes first, deflated, in base 64.
fn packed(numbers: &[i32]) -> String {
    use std::io::Write as _;
    let mut bytes = Vec::with_capacity(PLANES * numbers.len());
    for plane in 0..PLANES {
        bytes.extend(numbers.iter().map(|number| number.to_le_bytes()[plane]));
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::new(6));
    // Writing into memory cannot fail.
    let packed = encoder.write_all(&bytes).and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

fn labels(labels: &Labels) -> Value {
    json!({"template": labels.template, "rows": labels.rows, "columns": labels.columns})
}

fn heat_json(heat: &Heat) -> Value {
    json!({
        "tile": heat.tile,
        "across": heat.across,
        "names": heat.names,
        "labels": labels(&heat.labels),
        "divisor": heat.divisor,
        "one": heat.one,
        "data": packed(&heat.numbers),
    })
}

/// A page.
pub struct Page {
    /// Of the window, and above everything.
    pub title: String,
    /// Below the title.
    pub subtitle: String,
    /// Its parts.
    pub sections: Vec<Section>,
    /// What [`Body::Detail`] shows.
    pub detail: Option<Detail>,
}

impl Page {
    /// All pictures, in their order.
    pub fn pictures(&self) -> impl Iterator<Item = &Scene> {
        self.sections.iter().flat_map(|section| &section.body).flat_map(|body| match body {
            Body::Picture(scene) => vec![scene],
            Body::Scales(linear, log) => vec![linear, log],
            Body::Text(_) | Body::Table(_) | Body::Detail => Vec::new(),
        })
    }

    /// The whole file. Equal pages give equal bytes.
    pub fn html(&self) -> String {
        let mut heats: Vec<&Heat> = Vec::new();
        let mut parts = Vec::new();
        for scene in self.pictures() {
            parts.push((scene, heats.len()));
            heats.extend(scene.heats().map(|(_, heat)| heat));
        }
        // Both take time where networks are large.
        let (drawn, heats): (Vec<String>, Vec<Value>) = rayon::join(
            || {
                let draw = |(scene, first): &(&Scene, usize)| element(scene, None, &mut |heat| format!(" data-heat=\"{}\"", first + heat));
                parts.par_iter().map(draw).collect()
            },
            || heats.par_iter().map(|heat| heat_json(heat)).collect(),
        );
        let mut drawn = drawn.into_iter();
        let mut main = String::new();
        for section in &self.sections {
            let _ = write!(main, "<section id=\"{}\"><h2>{}</h2>", section.id, escaped(&section.title));
            for body in &section.body {
                self.write_body(&mut main, body, &mut drawn);
            }
            main.push_str("</section>\n");
        }
        let data = json!({"planes": PLANES, "heats": heats, "detail": self.detail.as_ref().map(Detail::json)});
        // Inside a script element only `</` could end it.
        let data = data.to_string().replace("</", "<\\/");
        let links = self.sections.iter().map(|section| format!("<a href=\"#{}\">{}</a>", section.id, escaped(&section.title)));
        let has_scales = self.sections.iter().any(|section| section.body.iter().any(|body| matches!(body, Body::Scales(..))));
        let toggle =
            if has_scales { "<label><input type=\"checkbox\" id=\"logarithmic\" checked> logarithmic histograms</label>" } else { "" };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             <meta name=\"generator\" content=\"nnue {version}\"><title>{title}</title>\n<style>{inks}{css}</style></head>\n<body{class}>\n\
             <header><h1>{title}</h1><p class=\"note\">{subtitle}</p><nav>{links}{toggle}</nav></header>\n\
             <noscript><p class=\"bad\">Without JavaScript the pictures are here, but not the numbers under the pointer.</p></noscript>\n\
             <main>{main}</main>\n<div id=\"tip\" role=\"status\"></div>\n\
             <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{script}</script>\n</body></html>\n",
            version = env!("CARGO_PKG_VERSION"),
            title = escaped(&self.title),
            subtitle = escaped(&self.subtitle),
            inks = style(":root"),
            css = include_str!("style.css"),
            class = if has_scales { " class=\"log\"" } else { "" },
            links = links.collect::<String>(),
            script = include_str!("script.js"),
        )
    }

    fn write_body(&self, out: &mut String, body: &Body, drawn: &mut impl Iterator<Item = String>) {
        let mut figure = |out: &mut String, scene: &Scene, class: &str| {
            let _ = write!(
                out,
                "<figure class=\"{class}\" id=\"picture-{}\">{}</figure>",
                escaped(&scene.name),
                drawn.next().unwrap_or_default()
            );
        };
        match body {
            Body::Text(text) => {
                let _ = write!(out, "<p class=\"note\">{}</p>", escaped(text));
            }
            Body::Picture(scene) => figure(out, scene, ""),
            Body::Scales(linear, log) => {
                figure(out, linear, "is-linear");
                figure(out, log, "is-log");
            }
            Body::Table(table) => table.write(out),
            Body::Detail => {
                let options = NeuronOrder::ALL.iter().map(|order| format!("<option>{}</option>", order.name())).collect::<String>();
                let _ = write!(
                    out,
                    "<div id=\"detail\" class=\"controls\"><label>show <select id=\"column\"></select></label>\
                     <button id=\"previous\" type=\"button\">previous</button><button id=\"next\" type=\"button\">next</button>\
                     <label>order <select id=\"order\">{options}</select></label>\
                     <label>colours up to <input id=\"scale\" type=\"number\" min=\"0\" step=\"any\" placeholder=\"fit\"></label></div>\
                     <div id=\"boards\" class=\"boards\"></div>"
                );
            }
        }
    }
}

impl Table {
    fn write(&self, out: &mut String) {
        let class = match (self.heads.is_empty(), self.sortable) {
            (true, _) => "facts",
            (false, true) => "sortable",
            (false, false) => "plain",
        };
        if let Some(words) = &self.folded {
            let _ = write!(out, "<details><summary>{}</summary>", escaped(words));
        }
        let _ = write!(out, "<div class=\"scroll\"><table class=\"{class}\">");
        if !self.heads.is_empty() {
            out.push_str("<thead><tr>");
            for (column, head) in self.heads.iter().enumerate() {
                let is_number = self.rows.first().is_some_and(|row| matches!(row.get(column), Some(Cell::Number(..))));
                let _ = write!(out, "<th{}>{}</th>", if is_number { " class=\"n\"" } else { "" }, escaped(head));
            }
            out.push_str("</tr></thead>");
        }
        out.push_str("<tbody>");
        for row in &self.rows {
            out.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                match cell {
                    Cell::Text(text) if column == 0 && self.heads.is_empty() => {
                        let _ = write!(out, "<th>{}</th>", escaped(text));
                    }
                    cell => cell.write(out),
                }
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>");
        if self.folded.is_some() {
            out.push_str("</details>");
        }
    }
}

#[cfg(test)]
mod tests;
