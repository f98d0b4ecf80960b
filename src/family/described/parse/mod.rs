//! The text of an architecture file → [`Architecture`]: every key, its type and default, all mistakes at once.
//!
//! This file: the whole file, sizes, tensors, inputs and what else is small. Layouts and steps have files of their own; whether steps
//! lead from one layout to the other is [`super::plan`]'s.

mod fields;
mod layout;
mod step;

use std::collections::BTreeMap;

use super::diagnose::{Name, Problem, Texts, report};
use super::features::{Input, Mirror, PieceSquares};
use super::model::{Activation, ActivationKind, Architecture, Buckets, InputBlock, Moves, TensorSpec};
use super::tree::{self, Node, Value};
use super::{plan, sizes};
use crate::error::{Error, Result};
use crate::net::{Block, Description, shipped};
use fields::Fields;

/// The only version of the vocabulary.
const SCHEMA: &str = "engine-net-1";

/// A file that is longer describes no network.
const LONGEST: usize = 4 << 20;

/// Values that a tensor may have, before its file says how many there are.
const MOST_VALUES: usize = 1 << 38;

/// Reads an architecture.
///
/// # Errors
/// [`crate::error::Kind::Usage`], with every mistake and its place.
pub(super) fn parse(description: &Description) -> Result<Architecture> {
    let Description { name, file, text, .. } = description;
    if text.len() > LONGEST {
        return Err(Error::usage(format!("`{name}` is not an architecture file")).because(format!("it is longer than {LONGEST} bytes")));
    }
    let mut problems = Vec::new();
    let mut texts = Texts::new(file, text);
    let root = tree_of(description, &mut texts, &mut problems);
    let architecture = if problems.is_empty() { Reader { problems: &mut problems }.file(name, &root) } else { None };
    if let Some(architecture) = &architecture
        && problems.is_empty()
    {
        plan::check(architecture, &mut problems);
    }
    match architecture {
        Some(architecture) if problems.is_empty() => Ok(architecture),
        _ => Err(report(&texts, name, problems)),
    }
}

/// All that is said of an architecture, with what it is like and what was set.
fn tree_of(description: &Description, texts: &mut Texts, problems: &mut Vec<Problem>) -> Node {
    let mut root = tree::below(tree::parse(&description.text, 0, problems), &description.table);
    if problems.is_empty() {
        root = like(root, texts, problems);
    }
    for argument in &description.overrides {
        tree::set(&mut root, argument, texts, problems);
    }
    root
}

/// The words of an architecture that gathering needs, as an architecture of its own: one whose only layout has the tensors of these roles, with
/// their types. `None` for a description that is none.
pub(super) fn words_of_gather(description: &Description, tensors: &[(&str, &str)]) -> Option<String> {
    let (mut texts, mut problems) = (Texts::new(&description.file, &description.text), Vec::new());
    let root = tree_of(description, &mut texts, &mut problems);
    let Value::Table(entries) = root.value else { return None };
    let wanted = ["schema", "sizes", "tensors", "inputs", "activation", "permutation"];
    let kept = entries.into_iter().filter(|(name, _)| wanted.contains(&name.text.as_str()));
    let mut words = toml::Table::new();
    for (name, node) in kept {
        words.insert(name.text, tree::to_toml(node)?);
    }
    let is_sent = |role: &str| tensors.iter().any(|(sent, _)| *sent == role);
    words.get_mut("tensors")?.as_table_mut()?.retain(|role, _| is_sent(role));
    // What moves with the neurons is nothing that they are gathered from.
    words.get_mut("permutation")?.as_table_mut()?.remove("also");
    let stored = tensors.iter().map(|(role, dtype)| toml::Table::from_iter([("role", *role), ("dtype", *dtype)].map(text_entry)).into());
    let layout = toml::Table::from_iter([("tensors".to_owned(), toml::Value::Array(stored.collect()))]);
    words.insert("layout".to_owned(), toml::Table::from_iter([("gathered".to_owned(), layout.into())]).into());
    toml::to_string(&words).ok().filter(|_| problems.is_empty())
}

fn text_entry((key, text): (&str, &str)) -> (String, toml::Value) {
    (key.to_owned(), text.into())
}

/// What is said of an architecture, laid over the shipped one that `like` names.
fn like(mut root: Node, texts: &mut Texts, problems: &mut Vec<Problem>) -> Node {
    let Value::Table(entries) = &mut root.value else { return root };
    let Some(index) = entries.iter().position(|(name, _)| name.text == "like") else { return root };
    let (_, named) = entries.remove(index);
    let Value::Text(name) = named.value else {
        problems.push(Problem::new("`like` is a string", named.span, format!("this is {}", named.value.kind())));
        return root;
    };
    let Some(shipped) = shipped::find(&name) else {
        let names: Vec<&str> = shipped::ALL.iter().map(|shipped| shipped.name).collect();
        problems.push(Problem::unknown("shipped architecture", &Name { text: name, span: named.span }, &names));
        return root;
    };
    let text = texts.add(shipped.name, shipped.text);
    let mut base = tree::parse(shipped.text, text, problems);
    let sizes = |root: &Node| match tree::find(root, "sizes").map(|node| &node.value) {
        Some(Value::Table(sizes)) => sizes.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    };
    let known: Vec<Name> = sizes(&base);
    let known: Vec<&str> = known.iter().map(|name| name.text.as_str()).collect();
    // A size that is new and that nothing uses is a slip of a name.
    for size in sizes(&root).iter().filter(|size| !known.contains(&size.text.as_str()) && !tree::mentions(&root, &size.text)) {
        problems.push(Problem::unknown("size", size, &known));
    }
    tree::lay_over(&mut base, root);
    base
}

/// What is being read, and what was found wrong so far.
struct Reader<'p> {
    problems: &'p mut Vec<Problem>,
}

/// Sizes by name, with the place of each.
type Sizes = BTreeMap<String, usize>;

/// What layouts and steps may refer to.
struct Known<'a> {
    sizes: &'a Sizes,
    tensors: &'a [TensorSpec],
}

impl Reader<'_> {
    fn file(&mut self, name: &str, root: &Node) -> Option<Architecture> {
        let mut fields = self.table("", root)?;
        if let Some(schema) = self.required(&mut fields, "schema").and_then(|node| self.text("schema", node))
            && schema.text != SCHEMA
        {
            self.problem(
                Problem::new(format!("schema `{}` is not known", schema.text), schema.span, "this text")
                    .help(format!("this `nnue` reads `schema = \"{SCHEMA}\"`")),
            );
            return None;
        }
        let description = fields.get("description").and_then(|node| self.text("description", node)).map_or_else(String::new, |it| it.text);
        let sizes = fields.get("sizes").map(|node| self.sizes(node)).unwrap_or_default();
        let tensors = self.required(&mut fields, "tensors").map(|node| self.tensors(node, &sizes)).unwrap_or_default();
        let known = Known { sizes: &sizes, tensors: &tensors };
        let inputs = fields.get("inputs").map(|node| self.inputs(node, &known)).unwrap_or_default();
        let activation = fields.get("activation").and_then(|node| self.activation(node));
        let moves = fields.get("permutation").and_then(|node| self.moves(node, &known));
        let buckets = fields.get("buckets").and_then(|node| self.buckets(node));
        let steps = fields.get("step").map(|node| self.steps(node, &known)).unwrap_or_default();
        let layouts = self.layouts(&mut fields, &known);
        if layouts.is_empty() {
            let help = "say how a file is laid out: `[layout.published]` with `tensors = [{ role = \"…\", dtype = \"i16\" }]`";
            self.problem(Problem::new("the file has no layout", root.span, "here").help(help));
        }
        self.finish(fields);
        Some(Architecture { name: name.to_owned(), description, sizes, tensors, inputs, activation, moves, buckets, steps, layouts })
    }

    /// `[sizes]`: numbers, or expressions over other sizes.
    fn sizes(&mut self, node: &Node) -> Sizes {
        let Some(fields) = self.table("sizes", node) else { return Sizes::new() };
        let mut values = Sizes::new();
        for (name, node) in fields.entries() {
            let mut visiting = Vec::new();
            match size_of(&name.text, fields.entries(), &mut visiting) {
                Ok(value) => match usize::try_from(value) {
                    Ok(value) if value > 0 => {
                        values.insert(name.text.clone(), value);
                    }
                    _ => self.problem(Problem::new(format!("size `{}` is {value}", name.text), node.span, "at least 1 is needed")),
                },
                Err(why) => self.problem(Problem::new(format!("size `{}` cannot be computed", name.text), node.span, why)),
            }
        }
        values
    }

    fn tensors(&mut self, node: &Node, sizes: &Sizes) -> Vec<TensorSpec> {
        let Some(fields) = self.table("tensors", node) else { return Vec::new() };
        let mut tensors = Vec::new();
        for (role, node) in fields.entries() {
            let axes = self.texts(&role.text, node);
            let mut count = 1usize;
            for (index, axis) in axes.iter().enumerate() {
                if axes[..index].iter().any(|other| other.text == axis.text) {
                    self.problem(Problem::new(format!("`{}` has the axis `{}` twice", role.text, axis.text), axis.span, "the second"));
                }
                match sizes.get(&axis.text) {
                    Some(size) => count = count.saturating_mul(*size),
                    None => {
                        let known: Vec<&str> = sizes.keys().map(String::as_str).collect();
                        self.problem(Problem::unknown("size", axis, &known));
                    }
                }
            }
            if count > MOST_VALUES {
                self.problem(Problem::new(format!("`{}` has too many values", role.text), node.span, "these axes"));
            }
            let shape = axes.iter().map(|axis| sizes.get(&axis.text).copied().unwrap_or(1)).collect();
            tensors.push(TensorSpec { role: role.clone(), axes: axes.into_iter().map(|axis| axis.text).collect(), shape });
        }
        tensors
    }

    fn inputs(&mut self, node: &Node, known: &Known<'_>) -> Vec<InputBlock> {
        let items = self.list("inputs", node);
        items.iter().filter_map(|item| self.input_block(item, known)).collect()
    }

    /// The rows and the tensor with their weights: the one that `tensor` names, or that of the usual name.
    fn input_block(&mut self, node: &Node, known: &Known<'_>) -> Option<InputBlock> {
        let mut fields = self.table("inputs", node)?;
        let given = fields.get("tensor").and_then(|node| self.text("tensor", node));
        if let Some(name) = &given {
            self.role(name, known);
        }
        let input = self.input(fields)?;
        let usual = match &input {
            Input::PieceSquares(_) => "ft.psq",
            Input::Known(Block::FullThreats(_)) => "ft.threats",
            Input::Known(Block::Pp3Wide) => "ft.pairs",
            Input::Known(_) | Input::Opaque(_) => "ft.rows",
        };
        Some(InputBlock { input, tensor: given.map_or_else(|| usual.to_owned(), |name| name.text) })
    }

    fn input(&mut self, mut fields: Fields<'_>) -> Option<Input> {
        let block = self.required(&mut fields, "block").and_then(|node| self.text("block", node))?;
        let opaque = fields.get("opaque").is_some_and(|node| self.truth("opaque", node));
        let mirrors = ["abcd", "efgh", "none"];
        let mirror = fields.get("mirror").and_then(|node| self.choice("mirror", node, &mirrors));
        if block.text != "psq" {
            self.finish(fields);
            if opaque {
                return Some(Input::Opaque(block.text));
            }
            return Input::named(&block.text).or_else(|| {
                let names = Input::names();
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                self.problem(Problem::unknown("block", &block, &known));
                None
            });
        }
        if let Some(rows) = fields.get("rows").and_then(|node| self.text("rows", node))
            && rows.text != "2x6x64"
        {
            let help = "`psq` numbers its rows side, kind, square: `rows = \"2x6x64\"`";
            self.problem(Problem::new(format!("rows `{}` are not known", rows.text), rows.span, "this text").help(help));
        }
        let merged = fields.get("kings").and_then(|node| self.choice("kings", node, &["separate", "merged"])) == Some(1);
        let map = self.required(&mut fields, "buckets");
        let mirror = match mirror {
            Some(1) => Mirror::KingSide,
            Some(2) => Mirror::None,
            _ => Mirror::QueenSide,
        };
        let squares = map.and_then(|node| {
            let numbers = self.numbers("buckets", node, 255);
            let map: Vec<u16> = numbers.iter().map(|number| *number as u16).collect();
            PieceSquares::new(&map, mirror, merged).map_err(|why| self.problem(Problem::new("this is no bucket map", node.span, why))).ok()
        });
        self.finish(fields);
        squares.map(Input::PieceSquares)
    }

    fn activation(&mut self, node: &Node) -> Option<Activation> {
        let mut fields = self.table("activation", node)?;
        let kind = self.required(&mut fields, "kind").and_then(|node| self.choice("kind", node, &["pairwise", "crelu", "screlu"]));
        let clamp = fields.get("clamp").map_or(Some(255), |node| self.number("clamp", node, 1..=32767));
        let shift = fields.get("shift").and_then(|node| self.number("shift", node, 0..=30));
        let product = fields.get("product").and_then(|node| {
            let text = self.text("product", node)?;
            let shift = product_shift(&text.text);
            if shift.is_none() {
                let help = "write the shift as `product = \"a*b >> 9\"`, or `shift = 9`";
                self.problem(Problem::new(format!("`{}` is no product that is known", text.text), text.span, "this text").help(help));
            }
            shift
        });
        self.finish(fields);
        let kind = match kind? {
            0 => ActivationKind::Pairwise,
            1 => ActivationKind::Crelu,
            _ => ActivationKind::Screlu,
        };
        let usual = if kind == ActivationKind::Pairwise { 9 } else { 0 };
        let shift = shift.and_then(|shift| u32::try_from(shift).ok()).or(product).unwrap_or(usual);
        Some(Activation { kind, clamp: i32::try_from(clamp?).ok()?, shift })
    }

    fn moves(&mut self, node: &Node, known: &Known<'_>) -> Option<Moves> {
        let mut fields = self.table("permutation", node)?;
        let axis = self.required(&mut fields, "axis").and_then(|node| self.text("axis", node));
        let also = match fields.get("also") {
            Some(node) if matches!(node.value, Value::List(_)) => self.texts("also", node),
            Some(node) => self.text("also", node).into_iter().collect(),
            None => Vec::new(),
        };
        let pairs = fields.get("pairs").is_none_or(|node| self.truth("pairs", node));
        self.finish(fields);
        let names: Vec<&str> = known.sizes.keys().map(String::as_str).collect();
        for name in axis.iter().chain(&also) {
            if !known.sizes.contains_key(&name.text) {
                self.problem(Problem::unknown("size", name, &names));
            }
        }
        let axis = axis?;
        for other in &also {
            if known.sizes.get(&other.text) != known.sizes.get(&axis.text) {
                let message = format!("`{}` cannot move along with `{}`", other.text, axis.text);
                self.problem(Problem::new(message, other.span, "of another size"));
            }
        }
        if pairs && known.sizes.get(&axis.text).is_some_and(|size| size % 2 != 0) {
            self.problem(Problem::new(format!("`{}` has no pairs", axis.text), axis.span, "an odd size"));
        }
        Some(Moves { axis: axis.text, also: also.into_iter().map(|name| name.text).collect(), pairs })
    }

    fn buckets(&mut self, node: &Node) -> Option<Buckets> {
        let mut fields = self.table("buckets", node)?;
        let count = fields.get("count").and_then(|node| self.number("count", node, 1..=33));
        let table = fields.get("table").map(|node| (node.span, self.numbers("table", node, 32)));
        let formula = fields.get("formula").and_then(|node| self.text("formula", node));
        let given = usize::from(count.is_some()) + usize::from(table.is_some()) + usize::from(formula.is_some());
        let span = fields.span();
        self.finish(fields);
        if given != 1 {
            let help = "`count = 8`, `table = [33 numbers]` or `formula = \"(pieces-2)//4\"`";
            self.problem(Problem::new("output buckets are given in one way", span, "here").help(help));
            return None;
        }
        if let Some((span, table)) = table {
            if table.len() != 33 {
                self.problem(Problem::new(format!("the table has {} numbers", table.len()), span, "33 are needed: for 0 to 32 pieces"));
                return None;
            }
            return Some(Buckets { table: table.into_iter().map(|number| number as u32).collect() });
        }
        if let Some(formula) = formula {
            return self.bucket_formula(&formula);
        }
        let count = u32::try_from(count?).ok()?;
        // As bullet's: the pieces beyond two, in steps of 32/count rounded up.
        let table = (0..=32u32).map(|pieces| pieces.saturating_sub(2) / 32u32.div_ceil(count)).collect();
        Some(Buckets { table })
    }

    /// The formula at every number of pieces; below two, that of two.
    fn bucket_formula(&mut self, formula: &Name) -> Option<Buckets> {
        let mut table = Vec::new();
        for pieces in 0..=32i128 {
            let mut lookup = |name: &str| {
                if name == "pieces" { Ok(pieces.max(2)) } else { Err(format!("`{name}` is not `pieces`")) }
            };
            let terms = formula.text.strip_prefix("min(").and_then(|rest| rest.strip_suffix(')')).map(|inner| inner.split(','));
            let value = match terms {
                Some(terms) => terms.map(|term| sizes::evaluate(term, &mut lookup)).try_fold(i128::MAX, |least, it| Ok(least.min(it?))),
                None => sizes::evaluate(&formula.text, &mut lookup),
            };
            match value.and_then(|value| u32::try_from(value).map_err(|_| format!("bucket {value} for {pieces} pieces"))) {
                Ok(bucket) => table.push(bucket),
                Err(why) => {
                    self.problem(Problem::new("this is no formula for output buckets", formula.span, why));
                    return None;
                }
            }
        }
        Some(Buckets { table })
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The table's fields; what is not asked for is unknown at [`Self::finish`].
    fn table<'t>(&mut self, path: &str, node: &'t Node) -> Option<Fields<'t>> {
        match &node.value {
            Value::Table(entries) => Some(Fields::new(path, node.span, entries)),
            other => {
                self.problem(Problem::new(format!("`{path}` is a table"), node.span, format!("this is {}", other.kind())));
                None
            }
        }
    }

    fn finish(&mut self, fields: Fields<'_>) {
        self.problems.extend(fields.unknown());
    }
}

/// The size `name`, with those it is computed from.
fn size_of(name: &str, entries: &[(Name, Node)], visiting: &mut Vec<String>) -> Result<i128, String> {
    let Some((_, node)) = entries.iter().find(|(known, _)| known.text == name) else {
        let known: Vec<&str> = entries.iter().map(|(known, _)| known.text.as_str()).collect();
        let near = crate::words::suggest(name, known.iter().copied()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(format!("no size is named `{name}`{near}"));
    };
    match &node.value {
        Value::Integer(number) if i128::from(*number) <= sizes::LARGEST => Ok(i128::from(*number)),
        Value::Integer(number) => Err(format!("{number} is beyond {}", sizes::LARGEST)),
        Value::Text(expression) => {
            if visiting.iter().any(|other| other == name) {
                return Err(format!("`{name}` is computed from itself"));
            }
            if visiting.len() > 32 {
                return Err("more than 32 sizes are computed from each other".to_owned());
            }
            visiting.push(name.to_owned());
            let value = sizes::evaluate(expression, &mut |other| size_of(other, entries, visiting));
            visiting.pop();
            value
        }
        other => Err(format!("{} is no size", other.kind())),
    }
}

/// The 9 of `a*b >> 9`.
fn product_shift(text: &str) -> Option<u32> {
    let (product, shift) = text.split_once(">>")?;
    let product: String = product.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')')).collect();
    let shift: u32 = shift.trim().parse().ok()?;
    (product == "a*b" && shift <= 30).then_some(shift)
}
