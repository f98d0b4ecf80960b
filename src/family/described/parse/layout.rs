//! `[layout.NAME]`, `[read.NAME]`, `[write.NAME]`: what stands where in a file.

use super::{Fields, Known, Reader};
use crate::family::described::diagnose::{Name, Problem};
use crate::family::described::model::{AxisPart, DType, Encoding, Field, Header, Layout, Packing, Part, Piece, Stored, TensorSpec, Use};
use crate::family::described::tree::{Node, Value};

/// More pieces than any file has: a stack for each of thousands of buckets.
const MOST_PIECES: usize = 1 << 17;

/// Bytes of header, alignment and padding.
const MOST_BYTES: i64 = 1 << 24;

/// What the entries of a layout have in common.
struct Common {
    align: usize,
    packing: Packing,
    encoding: Encoding,
}

impl Reader<'_> {
    pub(super) fn layouts(&mut self, fields: &mut Fields<'_>, known: &Known<'_>) -> Vec<Layout> {
        let mut layouts: Vec<Layout> = Vec::new();
        let mut all: Vec<(Name, Node)> = Vec::new();
        // Where a layout is both read and written, `like` means how it is written.
        for key in ["write", "layout", "read"] {
            if let Some(Value::Table(entries)) = fields.get(key).map(|node| &node.value) {
                all.extend(entries.iter().cloned());
            }
        }
        for (key, used) in [("read", Use::Read), ("layout", Use::Both), ("write", Use::Write)] {
            let Some(table) = fields.get(key).and_then(|node| self.table(key, node)) else { continue };
            for (name, node) in table.entries() {
                if used == Use::Both && layouts.iter().any(|other| other.name.text == name.text) {
                    self.problem(Problem::new(format!("the layout `{}` is there twice", name.text), name.span, "the second"));
                }
                match self.completed(name, node, &all) {
                    Some(node) => layouts.extend(self.layout(name, used, key, &node, known)),
                    None => layouts.extend(self.layout(name, used, key, node, known)),
                }
            }
        }
        layouts
    }

    /// A layout with `like = "OTHER"` has what OTHER has, but for the steps and their source, and for what it says itself.
    fn completed(&mut self, name: &Name, node: &Node, all: &[(Name, Node)]) -> Option<Node> {
        let Value::Table(own) = &node.value else { return None };
        let like = &own.iter().find(|(key, _)| key.text == "like")?.1;
        let like = self.text("like", like)?;
        let others: Vec<&str> = all.iter().map(|(other, _)| other.text.as_str()).filter(|other| *other != name.text).collect();
        let found = all.iter().filter(|(other, _)| other.text == like.text && other.span != name.span);
        let Some(Value::Table(base)) = found.map(|(_, node)| &node.value).next() else {
            self.problem(Problem::unknown("other layout", &like, &others));
            return None;
        };
        if let Some((_, node)) = base.iter().find(|(key, _)| key.text == "like") {
            let help = "name the layout that has the tensors";
            self.problem(Problem::new(format!("`{}` is like another one itself", like.text), node.span, "this one").help(help));
            return None;
        }
        let mut entries = own.clone();
        let taken = |key: &Name| own.iter().any(|(other, _)| other.text == key.text) || matches!(key.text.as_str(), "from" | "steps");
        entries.extend(base.iter().filter(|(key, _)| !taken(key)).cloned());
        Some(Node { value: Value::Table(entries), span: node.span })
    }

    fn layout(&mut self, name: &Name, used: Use, key: &str, node: &Node, known: &Known<'_>) -> Option<Layout> {
        let mut fields = self.table(&format!("{key}.{}", name.text), node)?;
        fields.get("like");
        let from = fields.get("from").and_then(|node| self.text("from", node));
        let steps = fields.get("steps").map(|node| self.texts("steps", node)).unwrap_or_default();
        let encoding = fields.get("encoding").and_then(|node| self.choice("encoding", node, &["raw", "leb128", "bullet-checkpoint"]));
        let align = fields.get("align").and_then(|node| self.number("align", node, 1..=MOST_BYTES)).unwrap_or(1) as usize;
        let (pad, pad_with) = fields.get("pad").and_then(|node| self.pad(node)).unwrap_or((1, vec![0]));
        let zstd = fields.get("zstd").and_then(|node| self.number("zstd", node, 1..=22)).map(|level| level as i32);
        let header = fields.get("header").map_or(Header::None, |node| self.header(node, known));
        let common = Common {
            align,
            packing: if encoding == Some(1) { Packing::Leb128 } else { Packing::Raw },
            encoding: if encoding == Some(2) { Encoding::Checkpoint } else { Encoding::Sequence },
        };
        let mut layout = Layout {
            name: name.clone(),
            used,
            from,
            steps,
            header,
            encoding: common.encoding,
            align,
            pad,
            pad_with,
            zstd,
            tensors: Vec::new(),
            pieces: Vec::new(),
        };
        if let Some(node) = self.required(&mut fields, "tensors") {
            let items = self.list("tensors", node);
            self.pieces(items, &mut layout, &common, known);
            if items.is_empty() {
                self.problem(Problem::new(format!("the layout `{}` has no tensor", name.text), node.span, "an empty list"));
            }
        }
        self.finish(fields);
        Some(layout)
    }

    fn pieces(&mut self, items: &[Node], layout: &mut Layout, common: &Common, known: &Known<'_>) {
        for item in items {
            let Some(mut fields) = self.table("tensors", item) else { continue };
            if let Some(axis) = fields.get("repeat").and_then(|node| self.text("repeat", node)) {
                self.repeat(&axis, &mut fields, layout, common, known);
                self.finish(fields);
            } else if fields.get("role").is_some() {
                let stored = self.stored(&mut fields, None, common, known);
                self.finish(fields);
                self.add_tensor(stored, layout);
            } else {
                layout.pieces.extend(self.field(item, known).map(Piece::Field));
            }
        }
    }

    fn add_tensor(&mut self, stored: Option<Stored>, layout: &mut Layout) {
        let Some(stored) = stored else { return };
        if layout.tensors.iter().any(|other| other.tensor == stored.tensor) {
            let message = format!("the layout `{}` has `{}` twice", layout.name.text, stored.role.text);
            self.problem(Problem::new(message, stored.role.span, "the second"));
            return;
        }
        layout.pieces.push(Piece::Tensor(layout.tensors.len(), None));
        layout.tensors.push(stored);
    }

    /// `{ repeat = "head", of = […] }`: slice by slice of the axis.
    fn repeat(&mut self, axis: &Name, fields: &mut Fields<'_>, layout: &mut Layout, common: &Common, known: &Known<'_>) {
        let Some(node) = self.required(fields, "of") else { return };
        let Some(&count) = known.sizes.get(&axis.text) else {
            let names: Vec<&str> = known.sizes.keys().map(String::as_str).collect();
            self.problem(Problem::unknown("size", axis, &names));
            return;
        };
        let items = self.list("of", node);
        if count.saturating_mul(items.len()).saturating_add(layout.pieces.len()) > MOST_PIECES {
            self.problem(Problem::new("the layout has too many pieces", axis.span, format!("{count} times {}", items.len())));
            return;
        }
        let mut once: Vec<Piece> = Vec::new();
        for item in items {
            let Some(mut fields) = self.table("of", item) else { continue };
            if fields.get("role").is_none() {
                once.extend(self.field(item, known).map(Piece::Field));
                continue;
            }
            let stored = self.stored(&mut fields, Some(&axis.text), common, known);
            self.finish(fields);
            let before = layout.pieces.len();
            self.add_tensor(stored, layout);
            once.extend(layout.pieces.drain(before..));
        }
        for slice in 0..count {
            layout.pieces.extend(once.iter().map(|piece| match piece {
                Piece::Tensor(index, _) => Piece::Tensor(*index, Some(slice)),
                Piece::Field(field) => Piece::Field(field.clone()),
            }));
        }
    }

    fn stored(&mut self, fields: &mut Fields<'_>, slice_of: Option<&str>, common: &Common, known: &Known<'_>) -> Option<Stored> {
        let role = fields.get("role").and_then(|node| self.text("role", node));
        let dtype = self.required(fields, "dtype").and_then(|node| self.dtype(node));
        let axes = fields.get("axes").map(|node| (node, self.texts("axes", node)));
        let id = fields.get("id").and_then(|node| self.text("id", node));
        let align = fields.get("align").and_then(|node| self.number("align", node, 1..=MOST_BYTES)).map(|align| align as usize);
        let each = fields.get("align_each").is_some_and(|node| self.truth("align_each", node));
        let packing = fields.get("encoding").and_then(|node| self.choice("encoding", node, &["raw", "leb128", "leb128-section"]));
        let (role, dtype) = (role?, dtype?);
        self.role(&role, known);
        let (tensor, spec) = known.tensors.iter().enumerate().find(|(_, spec)| spec.role.text == role.text)?;
        let canonical: Vec<AxisPart> = spec.axes.iter().map(|axis| AxisPart { axis: axis.clone(), part: Part::Whole }).collect();
        let order = match axes {
            None => canonical,
            Some((node, names)) => {
                let mut order: Vec<AxisPart> = names.iter().filter_map(|name| self.axis_part(name)).collect();
                if let Some(axis) = slice_of {
                    order.insert(0, AxisPart { axis: axis.to_owned(), part: Part::Whole });
                }
                self.check_order(node, spec, &order, known)?;
                order
            }
        };
        if let Some(axis) = slice_of
            && order.first().is_none_or(|first| first.axis != axis)
        {
            self.problem(Problem::new(format!("`{}` has no slices of `{axis}`", role.text), role.span, "its outermost axis is another"));
        }
        if common.encoding == Encoding::Checkpoint && (dtype != DType::F32 || id.is_none()) {
            let help = "each tensor has `dtype = \"f32\"` and an `id`, its name in bullet";
            self.problem(Problem::new(format!("`{}` cannot stand in a checkpoint so", role.text), role.span, "here").help(help));
        }
        let packing = match packing {
            Some(0) => Packing::Raw,
            Some(1) => Packing::Leb128,
            Some(2) => Packing::Section,
            _ => common.packing,
        };
        Some(Stored { role, tensor, dtype, order, id: id.map(|id| id.text), align: align.unwrap_or(common.align), each, packing })
    }

    /// `in`, `in/4`, `in%4`.
    fn axis_part(&mut self, name: &Name) -> Option<AxisPart> {
        let Some(at) = name.text.find(['/', '%']) else {
            return Some(AxisPart { axis: name.text.trim().to_owned(), part: Part::Whole });
        };
        let (axis, divisor) = (name.text[..at].trim().to_owned(), name.text[at + 1..].trim());
        match divisor.parse::<usize>() {
            Ok(divisor) if divisor > 0 => {
                let part = if name.text[at..].starts_with('/') { Part::Quotient(divisor) } else { Part::Remainder(divisor) };
                Some(AxisPart { axis, part })
            }
            _ => {
                self.problem(Problem::new(format!("`{}` is no part of an axis", name.text), name.span, "write `in`, `in/4` or `in%4`"));
                None
            }
        }
    }

    /// Each axis of the tensor stands there once: whole, or as both of its parts.
    fn check_order(&mut self, node: &Node, spec: &TensorSpec, order: &[AxisPart], known: &Known<'_>) -> Option<()> {
        let mut wrong = |message: String| {
            let wanted = spec.axes.iter().map(|axis| format!("`{axis}`")).collect::<Vec<_>>().join(", ");
            let help = format!("the axes of `{}` are {wanted}: each whole, or as `axis/n` and `axis%n`", spec.role.text);
            self.problem(Problem::new(message, node.span, "these axes").help(help));
        };
        if let Some(stray) = order.iter().find(|part| !spec.axes.contains(&part.axis)) {
            wrong(format!("`{}` has no axis `{}`", spec.role.text, stray.axis));
            return None;
        }
        for axis in &spec.axes {
            let parts: Vec<Part> = order.iter().filter(|part| part.axis == *axis).map(|part| part.part).collect();
            let divisor = match parts[..] {
                [Part::Whole] => continue,
                [Part::Quotient(a), Part::Remainder(b)] | [Part::Remainder(a), Part::Quotient(b)] if a == b => a,
                [] => {
                    wrong(format!("the axis `{axis}` of `{}` is missing", spec.role.text));
                    return None;
                }
                _ => {
                    wrong(format!("the parts of the axis `{axis}` of `{}` do not make it up once", spec.role.text));
                    return None;
                }
            };
            let size = known.sizes.get(axis).copied().unwrap_or(divisor);
            if size % divisor != 0 {
                wrong(format!("the axis `{axis}` of {size} cannot be split by {divisor}"));
                return None;
            }
        }
        Some(())
    }

    fn pad(&mut self, node: &Node) -> Option<(usize, Vec<u8>)> {
        let mut fields = self.table("pad", node)?;
        let to = self.required(&mut fields, "to").and_then(|node| self.number("to", node, 1..=MOST_BYTES));
        let with = fields.get("with").and_then(|node| self.text("with", node));
        self.finish(fields);
        let bytes = with.map(|with| with.text.into_bytes()).filter(|bytes| !bytes.is_empty()).unwrap_or_else(|| vec![0]);
        Some((to? as usize, bytes))
    }

    fn header(&mut self, node: &Node, known: &Known<'_>) -> Header {
        if let Value::Text(text) = &node.value {
            if text != "keep" {
                self.problem(Problem::new(format!("`header` cannot be `{text}`"), node.span, "`\"keep\"`, or a list of fields"));
            }
            return Header::Keep;
        }
        let items = self.list("header", node);
        Header::Fields(items.iter().filter_map(|item| self.field(item, known)).collect())
    }

    /// `{ bytes = "CBNF" }`, `{ size = 60 }`, `{ u16 = "neuron" }`, `{ counted = "u32" }`.
    fn field(&mut self, node: &Node, known: &Known<'_>) -> Option<Field> {
        let mut fields = self.table("header", node)?;
        let bytes = fields.get("bytes").and_then(|node| self.text("bytes", node));
        let size = fields.get("size").and_then(|node| self.number("size", node, 1..=MOST_BYTES));
        let counted = fields.get("counted").and_then(|node| self.choice("counted", node, &["u32"]));
        let mut number = None;
        for (key, width) in [("u8", 1), ("u16", 2), ("u32", 4)] {
            if let Some(node) = fields.get(key) {
                number = self.field_number(key, node, width, known);
            }
        }
        self.finish(fields);
        match (bytes, size, number, counted) {
            (Some(text), None, None, None) => Some(Field::Fixed(text.text.clone().into_bytes(), format!("`{}`", text.text))),
            // A text in a field of a fixed size is filled up with zeros.
            (Some(text), Some(size), None, None) if text.text.len() <= size as usize => {
                let mut bytes = text.text.clone().into_bytes();
                bytes.resize(size as usize, 0);
                Some(Field::Fixed(bytes, format!("`{}`", text.text)))
            }
            (None, Some(size), None, None) => Some(Field::Opaque(size as usize)),
            (None, None, Some(field), None) => Some(field),
            (None, None, None, Some(_)) => Some(Field::Counted),
            _ => {
                let help = "`bytes = \"TEXT\"`, `size = N`, `u8`, `u16` or `u32 = NUMBER`, or `counted = \"u32\"`";
                self.problem(Problem::new("this is neither a tensor nor a field", node.span, "here").help(help));
                None
            }
        }
    }

    fn field_number(&mut self, key: &str, node: &Node, width: u32, known: &Known<'_>) -> Option<Field> {
        let most = (1i64 << (8 * width)) - 1;
        let value = match &node.value {
            Value::Text(expression) => {
                let mut lookup =
                    |name: &str| known.sizes.get(name).map(|size| *size as i128).ok_or_else(|| format!("no size is named `{name}`"));
                match crate::family::described::sizes::evaluate(expression, &mut lookup) {
                    Ok(value) => i64::try_from(value).ok(),
                    Err(why) => {
                        self.problem(Problem::new(format!("`{key}` cannot be computed"), node.span, why));
                        return None;
                    }
                }
            }
            _ => Some(self.number(key, node, 0..=most)?),
        };
        let Some(value) = value.filter(|value| (0..=most).contains(value)) else {
            self.problem(Problem::new(format!("the value does not fit `{key}`"), node.span, format!("0 to {most} are allowed")));
            return None;
        };
        let bytes = value.to_le_bytes().into_iter().take(width as usize).collect();
        Some(Field::Fixed(bytes, format!("the {key} {value} ({value:#x})")))
    }
}
