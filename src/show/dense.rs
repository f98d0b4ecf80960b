//! Pictures of the dense layers: weights and biases of every bucket.

use super::{Inputs, Limits, Options, Subject};
use crate::draw::{Anchor, Area, Heat, Ink, Labels, Scene};
use crate::net::{Dense, LAYER_NAMES};

/// A weight, or its difference to the reference's.
fn weight(layer: &Dense, reference: Option<&Dense>, output: usize, input: usize) -> i32 {
    let one = |layer: &Dense| i32::from(layer.weights[output * crate::net::padded(layer.inputs) + input]);
    reference.map_or(one(layer), |other| one(layer) - one(other))
}

/// The layer and its reference in every bucket.
fn buckets<'a>(subject: &Subject<'a>, layer: usize) -> Vec<(&'a Dense, Option<&'a Dense>)> {
    let other = |bucket: usize| subject.reference.map(|net| &net.stacks[bucket].layers[layer]);
    subject.network.stacks.iter().enumerate().map(|(bucket, stack)| (&stack.layers[layer], other(bucket))).collect()
}

fn bucket_names(count: usize) -> Vec<String> {
    (0..count).map(|bucket| if count == 1 { String::new() } else { format!("bucket {bucket}") }).collect()
}

/// The first layer: two lines for each output, as the trainer's script has them: what comes from the side to move, and from the other.
fn first_layer(subject: &Subject<'_>, inputs: &Inputs<'_>, options: &Options) -> Heat {
    let layers = buckets(subject, 0);
    let (outputs, half) = layers.first().map_or((0, 0), |(layer, _)| (layer.bias.len(), layer.inputs / 2));
    let is_pairwise = subject.network.architecture.generation.wiring.pairwise;
    // Inputs in the order of the neurons they come from; those that are products in the order of the pairs.
    let norms: Vec<u64> =
        if is_pairwise { (0..half).map(|pair| inputs.norms[pair] + inputs.norms[pair + half]).collect() } else { inputs.norms.clone() };
    let order = if options.sort_neurons { super::order_of_neurons(&norms) } else { (0..half).collect() };
    let mut numbers = Vec::with_capacity(layers.len() * outputs * 2 * half);
    for (layer, reference) in &layers {
        for output in 0..outputs {
            for side in 0..2 {
                numbers.extend(order.iter().map(|input| weight(layer, *reference, output, side * half + input)));
            }
        }
    }
    let from = |input: &usize| if is_pairwise { format!("pair {input}, {}", input + half) } else { format!("neuron {input}") };
    let rows = (0..outputs).flat_map(|output| ["side to move", "other side"].map(|side| vec![output.to_string(), side.to_owned()]));
    let labels = Labels {
        template: "l1 output {r0}, {r1}, {c0}".to_owned(),
        rows: rows.collect(),
        columns: order.iter().map(|input| vec![from(input)]).collect(),
    };
    heat(subject, 0, [half, 2 * outputs], 1, labels, numbers, options.dense)
}

fn heat(subject: &Subject<'_>, layer: usize, tile: [usize; 2], across: usize, labels: Labels, numbers: Vec<i32>, limits: Limits) -> Heat {
    let one = subject.network.architecture.quantization.dense[layer].weight;
    let ramp = limits.ramp(numbers.iter().copied(), one);
    Heat { tile, across, names: bucket_names(subject.network.stacks.len()), labels, numbers, divisor: 1, one, ramp }
}

/// A layer behind the first, its buckets `across` beside each other.
fn later_layer(subject: &Subject<'_>, layer: usize, across: usize, options: &Options) -> Heat {
    let layers = buckets(subject, layer);
    let (outputs, inputs) = layers.first().map_or((0, 0), |(layer, _)| (layer.bias.len(), layer.inputs));
    let mut numbers = Vec::with_capacity(layers.len() * outputs * inputs);
    for group in layers.chunks(across) {
        for output in 0..outputs {
            for (layer, reference) in group {
                numbers.extend((0..inputs).map(|input| weight(layer, *reference, output, input)));
            }
        }
    }
    let labels = Labels::numbered(&format!("{} output {{r0}}, input {{c0}}", LAYER_NAMES[layer]), inputs, outputs);
    heat(subject, layer, [inputs, outputs], across, labels, numbers, options.dense)
}

/// Puts heat maps below each other, each with its name and colours.
fn stacked(name: &str, title: String, maps: Vec<(String, Heat, [f32; 2])>) -> Scene {
    const LEFT: f32 = 10.0;
    let width = maps.iter().map(|(_, heat, zoom)| heat.width() as f32 * zoom[0]).fold(600.0, f32::max);
    let mut scene = Scene::new(name, title.clone(), width + LEFT + 90.0, 0.0);
    scene.heading([0.0, 18.0], title);
    let mut y = 32.0;
    for (what, heat, zoom) in maps {
        let (across, down) = (heat.across, heat.names.len().div_ceil(heat.across.max(1)));
        let area = Area::new(LEFT, y + 22.0, heat.width() as f32 * zoom[0], heat.height() as f32 * zoom[1]);
        scene.label([LEFT, y + 14.0], Anchor::Start, Ink::Text, what);
        // Tiles of one cell need no lines between them.
        let has_lines = heat.tile != [1, 1];
        let (tile, ramp) = ([heat.tile[0] as f32 * zoom[0], heat.tile[1] as f32 * zoom[1]], heat.ramp);
        scene.heat(area, heat);
        for column in (1..across).filter(|_| has_lines) {
            let x = area.x + column as f32 * tile[0];
            scene.line([x, area.y], [x, area.y + area.height], Ink::Text, 1.0);
        }
        for row in (1..down).filter(|_| has_lines) {
            let at = area.y + row as f32 * tile[1];
            scene.line([area.x, at], [area.x + area.width, at], Ink::Text, if tile[1] > 8.0 { 1.0 } else { 0.3 });
        }
        scene.key(Area::new(area.x + area.width + 10.0, area.y, 14.0, area.height.max(44.0)), ramp);
        y = area.y + area.height.max(50.0) + 16.0;
    }
    scene.height = y;
    scene
}

/// The weights of all three layers, a tile a bucket.
pub fn dense_pictures(subject: &Subject<'_>, inputs: &Inputs<'_>, options: &Options) -> Scene {
    let count = subject.network.stacks.len();
    let several = if count == 1 { "" } else { ", a strip for each bucket" };
    let first = first_layer(subject, inputs, options);
    let wide = options.size[0] as f32 - 100.0;
    let zoom = |heat: &Heat, most: f32| (wide / heat.width().max(1) as f32).floor().clamp(1.0, most);
    let (second, output) = (later_layer(subject, 1, count.max(1), options), later_layer(subject, 2, 1, options));
    let zooms = [zoom(&first, 2.0), zoom(&second, 8.0), zoom(&output, 8.0)];
    let maps = vec![
        (format!("l1{several}; two lines for each output: side to move, other side"), first, [zooms[0]; 2]),
        ("l2, buckets beside each other; a line for each output".to_owned(), second, [zooms[1]; 2]),
        (format!("output{several}"), output, [zooms[2], 10.0]),
    ];
    stacked("fc-weights", subject.title("weights"), maps)
}

/// The biases of the transformer and of all layers.
pub fn bias_picture(subject: &Subject<'_>, options: &Options) -> Scene {
    let scales = subject.network.architecture.quantization;
    let across = 64.min(subject.network.ft_bias.len()).max(1);
    let mut transformer: Vec<i32> = subject.network.ft_bias.iter().map(|bias| i32::from(*bias)).collect();
    if let Some(reference) = subject.reference {
        transformer.iter_mut().zip(&reference.ft_bias).for_each(|(bias, other)| *bias -= i32::from(*other));
    }
    let names: Vec<String> = (0..transformer.len()).map(|neuron| format!("neuron {neuron}")).collect();
    transformer.resize(transformer.len().div_ceil(across) * across, crate::draw::scene::BLANK);
    let ramp = Limits::default().ramp(transformer.iter().copied(), scales.ft);
    let labels = Labels { template: "bias".to_owned(), rows: vec![Vec::new()], columns: vec![Vec::new()] };
    let heat = Heat { tile: [1, 1], across, names, labels, numbers: transformer, divisor: 1, one: scales.ft, ramp };
    let mut maps = vec![("feature transformer, 64 neurons a line".to_owned(), heat, [12.0, 12.0])];
    for (layer, name) in LAYER_NAMES.into_iter().enumerate() {
        let layers = buckets(subject, layer);
        let outputs = layers.first().map_or(0, |(layer, _)| layer.bias.len());
        let number = |(layer, reference): &(&Dense, Option<&Dense>), output: usize| {
            reference.map_or(layer.bias[output], |other| layer.bias[output].saturating_sub(other.bias[output]))
        };
        let numbers: Vec<i32> = layers.iter().flat_map(|layer| (0..outputs).map(move |output| number(layer, output))).collect();
        let one = scales.dense[layer].bias;
        let ramp = options.dense.ramp(numbers.iter().copied(), one);
        let labels = Labels::numbered(&format!("{name} output {{c0}}, bias"), outputs, 1);
        let heat = Heat { tile: [outputs, 1], across: 1, names: bucket_names(layers.len()), labels, numbers, divisor: 1, one, ramp };
        let zoom = (760.0 / outputs.max(1) as f32).floor().clamp(4.0, 24.0);
        maps.push((format!("{name}, a line for each bucket"), heat, [zoom, 12.0]));
    }
    stacked("biases", subject.title("biases"), maps)
}

#[cfg(test)]
mod tests;
