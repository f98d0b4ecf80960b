//! The graph as text, DOT, Mermaid, SVG or JSON.

use petgraph::visit::EdgeRef;
use serde_json::json;

use super::{Graph, Node};
use crate::draw::svg;
use crate::stage::Action;

/// How to show a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One block a net, for reading.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid flowchart.
    Mermaid,
    /// A picture: single nodes of a small graph, kinds of nodes of a large one.
    Svg,
    /// `{"schema": 1, "nodes": […], "edges": […], "nets": […]}`.
    Json,
}

/// Shows the graph; the result ends with a newline.
pub fn render(graph: &Graph, format: Format) -> String {
    match format {
        Format::Text => text(graph),
        Format::Dot => dot(graph),
        Format::Mermaid => mermaid(graph),
        Format::Svg => svg::document(&super::drawing(graph)),
        Format::Json => format!("{:#}\n", as_json(graph)),
    }
}

/// Parameters as `name=value`, in the key's order.
fn params(action: &Action) -> String {
    let params = action.shown_params();
    let members = params.iter();
    members.map(|(name, value)| format!(" {name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

fn label(node: &Node) -> String {
    match node {
        Node::File(file) => file.path.typed.clone(),
        Node::Action(action) => format!("{}{}", action.stage().name(), params(action)),
    }
}

fn text(graph: &Graph) -> String {
    let mut out = String::new();
    for net in &graph.nets {
        out.push_str(&format!("{}\n", net.name));
        for action in &net.actions {
            let inputs: Vec<String> = graph
                .inputs(*action)
                .into_iter()
                .map(|(name, input)| match &graph.dag[input] {
                    Node::File(file) => format!("{name} = {}", file.path.typed),
                    Node::Action(action) => {
                        let what = graph.net_behind(net, input).unwrap_or_else(|| action.stage().name().to_owned());
                        format!("{name} = {what}")
                    }
                })
                .collect();
            out.push_str(&format!("  {}  ← {}\n", label(&graph.dag[*action]), inputs.join(", ")));
        }
        for (output, _) in &net.outputs {
            out.push_str(&format!("  → {}\n", output.path.value.typed));
        }
    }
    out
}

fn dot(graph: &Graph) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut out = String::from("digraph nnue {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    for index in graph.dag.node_indices() {
        let shape = if matches!(graph.dag[index], Node::File(_)) { "note" } else { "box" };
        out.push_str(&format!("  n{} [shape={shape}, label={}];\n", index.index(), quote(&label(&graph.dag[index]))));
    }
    for edge in graph.dag.edge_references() {
        out.push_str(&format!(
            "  n{} -> n{} [label={}];\n",
            edge.source().index(),
            edge.target().index(),
            quote(&edge.weight().to_string())
        ));
    }
    for (number, (net, output, write)) in outputs(graph).enumerate() {
        out.push_str(&format!("  o{number} [shape=note, label={}];\n  n{write} -> o{number} [label={}];\n", quote(output), quote(net)));
    }
    out.push_str("}\n");
    out
}

fn mermaid(graph: &Graph) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('\n', " "));
    let mut out = String::from("flowchart LR\n");
    for index in graph.dag.node_indices() {
        let text = quote(&label(&graph.dag[index]));
        let node = if matches!(graph.dag[index], Node::File(_)) { format!("[/{text}/]") } else { format!("[{text}]") };
        out.push_str(&format!("  n{}{node}\n", index.index()));
    }
    for edge in graph.dag.edge_references() {
        out.push_str(&format!("  n{} -->|{}| n{}\n", edge.source().index(), quote(&edge.weight().to_string()), edge.target().index()));
    }
    for (number, (net, output, write)) in outputs(graph).enumerate() {
        out.push_str(&format!("  o{number}[/{}/]\n  n{write} -->|{}| o{number}\n", quote(output), quote(net)));
    }
    out
}

/// Every published path, with its net and the number of its write action.
fn outputs(graph: &Graph) -> impl Iterator<Item = (&str, &str, usize)> {
    graph
        .nets
        .iter()
        .flat_map(|net| net.outputs.iter().map(|(output, write)| (net.name.as_str(), output.path.value.typed.as_str(), write.index())))
}

fn as_json(graph: &Graph) -> serde_json::Value {
    let nodes: Vec<serde_json::Value> = graph
        .dag
        .node_indices()
        .map(|index| match &graph.dag[index] {
            Node::File(file) => json!({"id": index.index(), "kind": "file", "path": file.path.typed}),
            Node::Action(action) => {
                json!({"id": index.index(), "kind": "action", "stage": action.stage().name(), "params": action.params()})
            }
        })
        .collect();
    let edges: Vec<serde_json::Value> = graph
        .dag
        .edge_references()
        .map(|edge| json!({"from": edge.source().index(), "to": edge.target().index(), "name": edge.weight().to_string()}))
        .collect();
    let nets: Vec<serde_json::Value> = graph
        .nets
        .iter()
        .map(|net| {
            let actions: Vec<usize> = net.actions.iter().map(|action| action.index()).collect();
            let outputs: Vec<serde_json::Value> =
                net.outputs.iter().map(|(output, write)| json!({"path": output.path.value.typed, "action": write.index()})).collect();
            json!({"net": net.name, "actions": actions, "outputs": outputs})
        })
        .collect();
    json!({"schema": 1, "nodes": nodes, "edges": edges, "nets": nets})
}
