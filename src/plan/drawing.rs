//! The graph as a picture. Nodes that do the same in different nets are drawn once where there are many: a sweep of a thousand nets has
//! the shape of one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use petgraph::visit::EdgeRef;

use super::{Graph, Node};
use crate::draw::scene::grouped;
use crate::draw::{Anchor, Area, Ink, Item, Scene};

/// So many nodes are drawn one by one.
const SINGLE: usize = 60;

const BOX: [f32; 2] = [210.0, 46.0];
const GAP: [f32; 2] = [70.0, 18.0];
/// Letters of a box's text: it has a fixed width.
const LETTERS: usize = 25;

/// A box: one node, or several that do the same.
struct Drawn {
    title: String,
    /// Below the title.
    detail: String,
    is_file: bool,
    count: usize,
    column: usize,
}

/// Draws the graph.
pub fn drawing(graph: &Graph) -> Scene {
    let (boxes, edges) = boxes(graph);
    let rows = rows(&boxes, &edges);
    let columns = boxes.iter().map(|one| one.column + 1).max().unwrap_or(1);
    let most = rows.iter().max().map_or(1, |row| row + 1);
    let nets = graph.nets.len();
    let title =
        format!("{} {}, {} nodes", grouped(nets as u64), if nets == 1 { "net" } else { "nets" }, grouped(graph.dag.node_count() as u64));
    let mut scene = Scene::new("graph", title.clone(), 0.0, 0.0);
    scene.width = 20.0 + columns as f32 * (BOX[0] + GAP[0]) - GAP[0];
    scene.height = 50.0 + most as f32 * (BOX[1] + GAP[1]);
    scene.heading([10.0, 22.0], title);
    let place = |index: usize| [10.0 + boxes[index].column as f32 * (BOX[0] + GAP[0]), 40.0 + rows[index] as f32 * (BOX[1] + GAP[1])];
    for ((from, to), (name, _)) in &edges {
        let ([x, y], [to_x, to_y]) = (place(*from), place(*to));
        let (start, end) = ([x + BOX[0], y + BOX[1] / 2.0], [to_x, to_y + BOX[1] / 2.0]);
        let reach = ((end[0] - start[0]) / 2.0).max(30.0);
        let point = |step: usize| {
            let t = step as f32 / 16.0;
            let (a, b, c, d) = ((1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3));
            [a * start[0] + b * (start[0] + reach) + c * (end[0] - reach) + d * end[0], (a + b) * start[1] + (c + d) * end[1]]
        };
        scene.items.push(Item::Curve { points: (0..=16).map(point).collect(), ink: Ink::Muted, width: 1.2 });
        scene.items.push(Item::Curve {
            points: vec![[end[0] - 7.0, end[1] - 4.0], end, [end[0] - 7.0, end[1] + 4.0]],
            ink: Ink::Muted,
            width: 1.2,
        });
        // Where nothing lies in between, there is room for the role.
        if boxes[*to].column == boxes[*from].column + 1 {
            let [x, y] = point(11);
            scene.label([x - 4.0, y - 5.0], Anchor::Middle, Ink::Muted, name.chars().take(9).collect::<String>());
        }
    }
    for (index, one) in boxes.iter().enumerate() {
        let [x, y] = place(index);
        let hover = if one.detail.is_empty() { one.title.clone() } else { format!("{}\n{}", one.title, one.detail) };
        if one.count > 1 {
            scene.fill(Area::new(x + 4.0, y + 4.0, BOX[0], BOX[1]), Ink::Muted);
            scene.fill(Area::new(x + 5.0, y + 5.0, BOX[0] - 2.0, BOX[1] - 2.0), Ink::Paper);
        }
        let frame = if one.is_file { Ink::Muted } else { Ink::Series(0) };
        scene.fill(Area::new(x, y, BOX[0], BOX[1]), frame);
        scene.bar(Area::new(x + 1.0, y + 1.0, BOX[0] - 2.0, BOX[1] - 2.0), if one.is_file { Ink::Paper } else { Ink::Line }, hover);
        let middle = if one.detail.is_empty() { 28.0 } else { 19.0 };
        scene.label([x + 8.0, y + middle], Anchor::Start, Ink::Text, shortened(&one.title));
        if !one.detail.is_empty() {
            scene.label([x + 8.0, y + 37.0], Anchor::Start, Ink::Muted, shortened(&one.detail));
        }
    }
    scene
}

/// A text that fits a box: of a path the end tells more.
fn shortened(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= LETTERS {
        return text.to_owned();
    }
    if text.contains('/') && !text.contains('=') {
        return std::iter::once('…').chain(letters[letters.len() - LETTERS + 1..].iter().copied()).collect();
    }
    letters[..LETTERS - 1].iter().copied().chain(std::iter::once('…')).collect()
}

/// Edges between boxes, with the role and their number.
type Edges = BTreeMap<(usize, usize), (String, usize)>;

/// What is drawn, in the order of the graph.
fn boxes(graph: &Graph) -> (Vec<Drawn>, Edges) {
    let order = graph.order().unwrap_or_else(|_| graph.dag.node_indices().collect());
    let outputs: Vec<(&str, usize)> = graph
        .nets
        .iter()
        .flat_map(|net| net.outputs.iter().map(|(output, write)| (output.path.value.typed.as_str(), write.index())))
        .collect();
    let is_single = graph.dag.node_count() + outputs.len() <= SINGLE;
    // What a node does, and to what: equal words are drawn as one. A file is what it is read as.
    let mut kinds: Vec<String> = vec![String::new(); graph.dag.node_count()];
    let mut boxes: Vec<Drawn> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut of_node = vec![0usize; graph.dag.node_count()];
    let mut members: Vec<BTreeSet<String>> = Vec::new();
    let mut columns = vec![0usize; graph.dag.node_count()];
    for node in order {
        let index = node.index();
        let inputs = graph.inputs(node);
        columns[index] = inputs.iter().map(|(_, input)| columns[input.index()] + 1).max().unwrap_or(0);
        let (kind, title, params, is_file) = match &graph.dag[node] {
            Node::File(file) => {
                let mut roles: Vec<String> = graph
                    .dag
                    .edges(node)
                    .map(|edge| format!("{} {}", graph.action(edge.target()).map_or("", |action| action.stage().name()), edge.weight()))
                    .collect();
                roles.sort();
                roles.dedup();
                (format!("file {}", roles.join(" ")), file.path.typed.clone(), String::new(), true)
            }
            Node::Action(action) => {
                let inputs: Vec<String> = inputs.iter().map(|(role, input)| format!("{role}({})", kinds[input.index()])).collect();
                let params: Vec<String> = action
                    .params()
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                    .collect();
                (format!("{} {}", action.stage().name(), inputs.join(" ")), action.stage().name().to_owned(), params.join(" "), false)
            }
        };
        let key = if is_single { index.to_string() } else { kind.clone() };
        kinds[index] = kind;
        let place = *known.entry(key).or_insert_with(|| {
            boxes.push(Drawn { title: title.clone(), detail: params.clone(), is_file, count: 0, column: 0 });
            members.push(BTreeSet::new());
            boxes.len() - 1
        });
        of_node[index] = place;
        boxes[place].count += 1;
        boxes[place].column = boxes[place].column.max(columns[index]);
        members[place].insert(if is_file { title } else { params });
    }
    let mut edges = Edges::new();
    for edge in graph.dag.edge_references() {
        let key = (of_node[edge.source().index()], of_node[edge.target().index()]);
        edges.entry(key).or_insert_with(|| (edge.weight().to_string(), 0)).1 += 1;
    }
    let mut shown: HashMap<String, usize> = HashMap::new();
    for (number, (output, write)) in outputs.iter().enumerate() {
        let from = of_node[*write];
        let key = if is_single { number.to_string() } else { from.to_string() };
        let place = *shown.entry(key).or_insert_with(|| {
            boxes.push(Drawn {
                title: (*output).to_owned(),
                detail: String::new(),
                is_file: true,
                count: 0,
                column: boxes[from].column + 1,
            });
            members.push(BTreeSet::new());
            boxes.len() - 1
        });
        boxes[place].count += 1;
        members[place].insert((*output).to_owned());
        edges.entry((from, place)).or_insert_with(|| (String::new(), 0)).1 += 1;
    }
    for (one, members) in boxes.iter_mut().zip(&members).filter(|(one, _)| one.count > 1) {
        let first = members.first().cloned().unwrap_or_default();
        let others = match members.len() {
            1 => first,
            count if one.is_file => format!("{first} and {} more", grouped(count as u64 - 1)),
            count => format!("{} different parameters", grouped(count as u64)),
        };
        let what = if one.is_file { "files".to_owned() } else { std::mem::take(&mut one.title) };
        let number = if one.is_file { members.len() } else { one.count };
        one.title =
            if one.is_file { format!("{} {what}", grouped(number as u64)) } else { format!("{what} × {}", grouped(number as u64)) };
        one.detail = others;
    }
    (boxes, edges)
}

/// The row of each box in its column: beside what it is made from, as far as there is room.
fn rows(boxes: &[Drawn], edges: &Edges) -> Vec<usize> {
    let mut rows = vec![0usize; boxes.len()];
    let columns = boxes.iter().map(|one| one.column + 1).max().unwrap_or(0);
    for column in 0..columns {
        let mut wanted: Vec<(f64, usize)> = (0..boxes.len())
            .filter(|index| boxes[*index].column == column)
            .map(|index| {
                let inputs: Vec<usize> = edges.keys().filter(|(_, to)| *to == index).map(|(from, _)| rows[*from]).collect();
                let mean = inputs.iter().sum::<usize>() as f64 / inputs.len().max(1) as f64;
                (if inputs.is_empty() { index as f64 } else { mean }, index)
            })
            .collect();
        wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut next = 0;
        for (row, index) in wanted {
            let at = if column == 0 { next } else { next.max(row.round() as usize) };
            rows[index] = at;
            next = at + 1;
        }
    }
    rows
}
