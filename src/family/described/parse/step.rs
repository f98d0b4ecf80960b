//! `[step.NAME]`: what is done between two layouts.

use super::{Known, Reader};
use crate::family::described::diagnose::{Name, Problem};
use crate::family::described::model::{Action, DType, Lanes, Overflow, Precision, Quantize, Rounding, Step};
use crate::family::described::sizes::evaluate;
use crate::family::described::tree::{Node, Value};

const ACTIONS: [&str; 5] = ["quantize", "merge", "merge-kings", "permute", "lanes"];

impl Reader<'_> {
    pub(super) fn steps(&mut self, node: &Node, known: &Known<'_>) -> Vec<Step> {
        let Some(fields) = self.table("step", node) else { return Vec::new() };
        let mut steps = Vec::new();
        for (name, node) in fields.entries() {
            let action = self.action(&format!("step.{}", name.text), node, known);
            // A step with a mistake stays a name that layouts may use.
            steps.push(Step { name: name.clone(), action: action.unwrap_or(Action::Permute) });
        }
        steps
    }

    fn action(&mut self, path: &str, node: &Node, known: &Known<'_>) -> Option<Action> {
        let mut fields = self.table(path, node)?;
        let what = self.required(&mut fields, "do").and_then(|node| self.choice("do", node, &ACTIONS));
        let overflow = |reader: &mut Self, node| {
            let choice = reader.choice("overflow", node, &["error", "saturate", "wrap"]);
            choice.map(|choice| [Overflow::Error, Overflow::Saturate, Overflow::Wrap][choice])
        };
        let role = |reader: &mut Self, fields: &mut super::Fields<'_>, key| {
            let name = reader.required(fields, key).and_then(|node| reader.text(key, node))?;
            reader.role(&name, known);
            Some(name)
        };
        let action = match what? {
            0 => {
                let roles = self.required(&mut fields, "roles").map(|node| self.texts("roles", node)).unwrap_or_default();
                roles.iter().for_each(|name| self.role(name, known));
                let scale = self.required(&mut fields, "scale").and_then(|node| self.scale(node, known));
                let clip = fields.get("clip").and_then(|node| self.clip(node));
                let clip_after = fields.get("clip_when").and_then(|node| self.choice("clip_when", node, &["before", "after"])) == Some(1);
                let rounding = fields.get("rounding").map_or(Some(0), |node| self.choice("rounding", node, &["away", "even", "truncate"]));
                let precision = fields.get("precision").map_or(Some(0), |node| self.choice("precision", node, &["f32", "f64"]));
                let dtype = self.required(&mut fields, "dtype").and_then(|node| self.integer_type(node));
                let overflow = fields.get("overflow").and_then(|node| overflow(self, node)).unwrap_or(Overflow::Error);
                let rounding = [Rounding::Away, Rounding::Even, Rounding::Truncate][rounding.unwrap_or(0)];
                let precision = [Precision::F32, Precision::F64][precision.unwrap_or(0)];
                let parts = scale.zip(dtype);
                parts.map(|(scale, dtype)| {
                    Action::Quantize(Quantize { roles, scale, clip, clip_after, rounding, precision, dtype, overflow })
                })
            }
            1 => {
                let into = role(self, &mut fields, "into");
                let add = role(self, &mut fields, "add");
                let overflow = fields.get("overflow").and_then(|node| overflow(self, node));
                into.zip(add).and_then(|(into, add)| self.merge(into, add, overflow, known))
            }
            2 => role(self, &mut fields, "into").map(|into| Action::MergeKings { into }),
            3 => Some(Action::Permute),
            _ => self.required(&mut fields, "for").and_then(|node| self.lanes(node)).map(Action::Lanes),
        };
        self.finish(fields);
        action
    }

    /// The axes of what is added are among those it is added to, in the same order.
    fn merge(&mut self, into: Name, add: Name, overflow: Option<Overflow>, known: &Known<'_>) -> Option<Action> {
        let axes = |name: &Name| known.tensors.iter().find(|tensor| tensor.role.text == name.text).map(|tensor| &tensor.axes);
        let (wide, narrow) = (axes(&into)?, axes(&add)?);
        let mut rest = wide.iter();
        if into.text == add.text || !narrow.iter().all(|axis| rest.any(|other| other == axis)) {
            let message = format!("`{}` cannot be added to `{}`", add.text, into.text);
            self.problem(Problem::new(message, add.span, "its axes are not among those, in their order"));
        }
        Some(Action::Merge { into, add, overflow })
    }

    /// Reports a role that is not there.
    pub(super) fn role(&mut self, name: &Name, known: &Known<'_>) {
        if !known.tensors.iter().any(|tensor| tensor.role.text == name.text) {
            let roles: Vec<&str> = known.tensors.iter().map(|tensor| tensor.role.text.as_str()).collect();
            self.problem(Problem::unknown("tensor", name, &roles));
        }
    }

    fn scale(&mut self, node: &Node, known: &Known<'_>) -> Option<f64> {
        let scale = match &node.value {
            Value::Text(expression) => {
                let mut lookup =
                    |name: &str| known.sizes.get(name).map(|size| *size as i128).ok_or_else(|| format!("no size is named `{name}`"));
                match evaluate(expression, &mut lookup) {
                    Ok(value) => value as f64,
                    Err(why) => {
                        self.problem(Problem::new("`scale` cannot be computed", node.span, why));
                        return None;
                    }
                }
            }
            _ => self.float("scale", node)?,
        };
        if scale == 0.0 {
            self.problem(Problem::new("`scale` is 0", node.span, "every value would be lost"));
            return None;
        }
        Some(scale)
    }

    fn clip(&mut self, node: &Node) -> Option<[f64; 2]> {
        let limits: Vec<f64> = self.list("clip", node).iter().filter_map(|item| self.float("clip", item)).collect();
        match limits[..] {
            [low, high] if low <= high => Some([low, high]),
            _ => {
                self.problem(Problem::new("`clip` has two limits", node.span, "the lower one first, such as `[-1.98, 1.98]`"));
                None
            }
        }
    }

    pub(super) fn dtype(&mut self, node: &Node) -> Option<DType> {
        self.choice("dtype", node, &DType::NAMES).and_then(|index| DType::named(DType::NAMES[index]))
    }

    fn integer_type(&mut self, node: &Node) -> Option<DType> {
        let dtype = self.dtype(node)?;
        if dtype.limits().is_none() {
            self.problem(
                Problem::new("`quantize` makes integers", node.span, "this is no integer type").help("`i8`, `i16`, `i32` or `u8`"),
            );
            return None;
        }
        Some(dtype)
    }

    fn lanes(&mut self, node: &Node) -> Option<Lanes> {
        let names = ["none", "sse", "avx2", "avx512"];
        let kinds = [Lanes::None, Lanes::None, Lanes::Avx2, Lanes::Avx512];
        self.choice("for", node, &names).map(|index| kinds[index])
    }
}
