//! A net in pictures: how the weights of each kind of layer are distributed, the filters of the first convolution, what the gates do on
//! each square, and where smolgen looks.

use std::collections::BTreeMap;

use super::{
    fold::Part,
    layer::Decode,
    net::Net,
    view::{Tensor, View},
};
use crate::ctx::Ctx;
use crate::draw::Labels;
use crate::error::Result;
use crate::show::{Body, Limits, Section, Spread, Tiles};

/// Outputs, channels and maps that a picture has at most: more would be a picture that nobody opens.
const MOST: [usize; 3] = [128, 256, 64];
const PLANES: usize = 112;
const SQUARES: usize = 64;

/// The sections of a page about a net, `label` in titles.
///
/// # Errors
/// When the net has no layers or no such view; on cancellation.
pub fn sections(net: &Net, label: &str, decode: Decode, ctx: &Ctx) -> Result<Vec<Section>> {
    net.check_has_layers()?;
    let tensors = net.tensors(View::Multi, decode)?;
    let mut sections = Vec::new();
    let find = |name: &str| tensors.get(name);
    if let Some(kernel) = find(&format!("input.{}", Part::Weights.name())) {
        let picture = filters(kernel, label)?;
        let words = "A row for each filter of the first convolution, a tile of three by three squares for each of the 112 input planes: eight \
                     positions of 13 planes (own pieces, the other's, repetitions), then castling, side, rule 50, zeros and ones.";
        sections.push(Section::new("filters", "Filters").text(words).picture(picture));
    }
    let gates = [("ip_mult_gate", "multiplied with"), ("ip_add_gate", "added to")];
    let mut section = Section::new("gates", "Gates")
        .text("A board for each channel of the embedding: what each square is multiplied with, and what is added.");
    for (name, what) in gates {
        if let Some(gate) = find(name) {
            section.body.push(Body::Picture(boards(gate, name, &format!("{name}: {what} each square"), label)?));
        }
    }
    if section.body.len() > 1 {
        sections.push(section);
    }
    if let Some(maps) = find("smolgen_w") {
        let words = "What each generated number adds to the attention of one square (row) to another (column), a tile for each number.";
        sections.push(Section::new("attention", "Attention").text(words).picture(attention(maps, label)?));
    }
    sections.push(histograms(&tensors.tensors, label, ctx)?);
    Ok(sections)
}

/// A layer's name, whichever block it is of.
fn kind_of(name: &str) -> String {
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').map(|part| if is_number(&part) { "*" } else { part }).collect::<Vec<_>>().join(".")
}

fn histograms(tensors: &[Tensor<'_>], label: &str, ctx: &Ctx) -> Result<Section> {
    let mut kinds: BTreeMap<String, (Vec<&Tensor<'_>>, usize)> = BTreeMap::new();
    for (place, tensor) in tensors.iter().enumerate() {
        kinds.entry(kind_of(&tensor.name)).or_insert_with(|| (Vec::new(), place)).0.push(tensor);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, (_, place))| *place);
    let words = "How many weights have which value, for each kind of layer; those of all blocks together. Batch norms are folded in.";
    let mut section = Section::new("histograms", "Histograms").text(words);
    for (kind, (tensors, _)) in kinds {
        let mut range: Option<[f32; 2]> = None;
        let mut look = |values: &[f32]| {
            for value in values.iter().filter(|value| value.is_finite()) {
                let [low, high] = range.unwrap_or([*value; 2]);
                range = Some([low.min(*value), high.max(*value)]);
            }
        };
        for tensor in &tensors {
            ctx.check()?;
            look(&tensor.values()?);
        }
        let Some(range) = range else { continue };
        let name = format!("histogram-{}", kind.replace(['.', '_'], "-").replace('*', "all"));
        let mut spread = Spread::new(name, kind, range);
        for tensor in &tensors {
            ctx.check()?;
            spread.count(&tensor.values()?);
        }
        section.body.push(Body::Scales(spread.picture(label, false), spread.picture(label, true)));
    }
    Ok(section)
}

fn filters(kernel: &Tensor<'_>, label: &str) -> Result<crate::draw::Scene> {
    let values = kernel.values()?;
    let outputs = (values.len() / (PLANES * 9)).min(MOST[0]);
    let all = values.len() / (PLANES * 9);
    let names = (0..outputs * PLANES).map(|tile| format!("filter {}, plane {}", tile / PLANES, tile % PLANES)).collect();
    let title = format!("Filters of the first convolution, {outputs} of {all} [{label}]");
    let tiles = Tiles {
        name: "filters",
        title,
        tile: [3, 3],
        across: PLANES,
        names,
        labels: Labels::numbered("row {r0}, column {c0}", 3, 3),
        zoom: 3.0,
        limits: Limits::default(),
    };
    // Ranks go up.
    Ok(tiles.picture(|tile, [column, row]| values.get(tile * 9 + (2 - row) * 3 + column).copied().unwrap_or(f32::NAN)))
}

fn board_labels(template: &str) -> Labels {
    let files = "abcdefgh".chars().map(|file| vec![file.to_string()]).collect();
    Labels { template: template.to_owned(), rows: (1..=8).rev().map(|rank| vec![rank.to_string()]).collect(), columns: files }
}

fn boards(gate: &Tensor<'_>, name: &str, title: &str, label: &str) -> Result<crate::draw::Scene> {
    let values = gate.values()?;
    let all = values.len() / SQUARES;
    let channels = all.min(MOST[1]);
    let names = (0..channels).map(|channel| format!("channel {channel}")).collect();
    let title = format!("{title}, {channels} of {all} channels [{label}]");
    let name = name.replace('_', "-");
    let tiles = Tiles {
        name: &name,
        title,
        tile: [8, 8],
        across: 16,
        names,
        labels: board_labels("{c0}{r0}"),
        zoom: 6.0,
        limits: Limits::default(),
    };
    Ok(tiles.picture(|channel, [file, row]| values.get(channel * SQUARES + (7 - row) * 8 + file).copied().unwrap_or(f32::NAN)))
}

fn attention(maps: &Tensor<'_>, label: &str) -> Result<crate::draw::Scene> {
    let values = maps.values()?;
    let all = values.len() / (SQUARES * SQUARES);
    let shown = all.min(MOST[2]);
    let square = |index: usize| format!("{}{}", char::from(b'a' + (index % 8) as u8), index / 8 + 1);
    let squares: Vec<Vec<String>> = (0..SQUARES).map(|index| vec![square(index)]).collect();
    let labels = Labels { template: "{r0} to {c0}".to_owned(), rows: squares.clone(), columns: squares };
    let names = (0..shown).map(|map| format!("number {map}")).collect();
    let title = format!("Smolgen's maps, {shown} of {all} [{label}]");
    let tiles =
        Tiles { name: "attention", title, tile: [SQUARES, SQUARES], across: 8, names, labels, zoom: 2.0, limits: Limits::default() };
    // Row-major `[query·64 + key, number]`.
    Ok(tiles.picture(|map, [key, query]| values.get((query * SQUARES + key) * all + map).copied().unwrap_or(f32::NAN)))
}

#[cfg(test)]
mod tests;
