//! Which steps lead from a file in one layout to a file in another, and what type and shape every tensor has on the way.
//!
//! A layout names the one its steps start from. From there all of them are taken, and each must find what it needs; likewise from the
//! layout that this one starts from, with the steps between the two first. From any other layout those are left out that the file has behind it: what is an integer already is not quantized again, what was merged is not
//! merged again. The order of lanes is undone when a file is read, so every plan starts from neurons in their own order.

use super::diagnose::{Name, Problem};
use super::model::{Action, Architecture, DType, Header, Lanes, Layout, Overflow, Part, Quantize, Step, Use};

/// Rows of a king bucket with a king plane for each side, and with one for both.
pub(crate) const SEPARATE_ROWS: usize = 768;
/// See [`SEPARATE_ROWS`].
pub(crate) const MERGED_ROWS: usize = 704;

/// Neurons of a 128-bit piece, which lanes move as a whole.
pub(crate) const LANE: usize = 8;

/// The layout that steps start from where none is named.
const USUAL_SOURCE: &str = "raw";

/// Layouts that start from each other.
const CHAIN: usize = 8;

/// Type and shape of each tensor of the architecture; `None` for those that are not there.
pub(crate) type State = Vec<Option<(DType, Vec<usize>)>>;

/// One step to take.
#[derive(Debug, Clone)]
pub(crate) enum Move<'a> {
    Merge { into: usize, add: usize, overflow: Overflow },
    MergeKings { into: usize },
    Quantize { tensor: usize, how: &'a Quantize, step: &'a str },
    Permute,
    Lanes(Lanes),
}

/// How a file in one layout becomes one in another.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Lanes that the source is in.
    pub undo: Vec<Lanes>,
    pub moves: Vec<Move<'a>>,
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) struct Fault {
    pub name: Name,
    pub message: String,
    pub why: String,
}

impl Fault {
    fn new(name: &Name, message: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.clone(), message: message.into(), why: why.into() }
    }
}

/// The layout that the steps of `layout` start from; `None` where it is read only, or has no steps and names none.
pub(crate) fn source_of<'a>(architecture: &'a Architecture, layout: &Layout) -> Option<&'a Layout> {
    let has_source = layout.used == Use::Write || layout.from.is_some() || !layout.steps.is_empty();
    let name = layout.from.as_ref().map_or(USUAL_SOURCE, |name| name.text.as_str());
    (layout.used != Use::Read && has_source).then(|| architecture.readable(name)).flatten()
}

/// A layout, the one that it is made from, the one that this is made from …
fn chain<'a>(architecture: &'a Architecture, layout: &'a Layout) -> Vec<&'a Layout> {
    let mut chain = vec![layout];
    while let Some(source) = chain.last().and_then(|last| source_of(architecture, last))
        && chain.len() < CHAIN
    {
        chain.push(source);
    }
    chain
}

/// All steps that a file in this layout has behind it, first to last.
fn behind<'a>(architecture: &'a Architecture, layout: &'a Layout) -> Vec<&'a Step> {
    chain(architecture, layout).iter().rev().flat_map(|layout| &layout.steps).filter_map(|name| architecture.step(&name.text)).collect()
}

/// What a file in `layout` holds.
pub(crate) fn state_of(architecture: &Architecture, layout: &Layout) -> State {
    let steps = behind(architecture, layout);
    let mut state: State = vec![None; architecture.tensors.len()];
    for stored in &layout.tensors {
        let spec = &architecture.tensors[stored.tensor];
        let mut shape = spec.shape.clone();
        let merged = steps.iter().any(|step| matches!(&step.action, Action::MergeKings { into } if into.text == spec.role.text));
        if merged && shape.get(1) == Some(&SEPARATE_ROWS) {
            shape[1] = MERGED_ROWS;
        }
        state[stored.tensor] = Some((stored.dtype, shape));
    }
    state
}

/// The layout whose header `layout` has: its own, or that of the source it keeps it from.
pub(crate) fn header_of<'a>(architecture: &'a Architecture, layout: &'a Layout) -> &'a Header {
    let mut layout = layout;
    for _ in 0..CHAIN {
        match (&layout.header, source_of(architecture, layout)) {
            (Header::Keep, Some(source)) => layout = source,
            (header, _) => return header,
        }
    }
    &Header::None
}

/// Finds the plan.
///
/// # Errors
/// The first step or tensor that cannot be.
pub(crate) fn plan<'a>(architecture: &'a Architecture, from: &'a Layout, to: &'a Layout) -> Result<Plan<'a>, Fault> {
    let chain = chain(architecture, to);
    // Layouts after `from` on the way to `to`; `to` alone where `from` is not on it.
    let length = chain.iter().skip(1).position(|layout| layout.name.text == from.name.text && layout.used == from.used);
    let (direct, length) = (length.is_some(), length.map_or(1, |place| place + 1));
    let behind = behind(architecture, from);
    let undo: Vec<Lanes> = behind.iter().filter_map(|step| lanes_of(step)).collect();
    let mut planner = Planner { architecture, direct, state: state_of(architecture, from), moves: Vec::new() };
    for name in chain.iter().take(length).rev().flat_map(|layout| &layout.steps) {
        let Some(step) = architecture.step(&name.text) else { continue };
        let done = !direct && behind.iter().any(|other| other.name.text == name.text);
        if !done || matches!(step.action, Action::Permute | Action::Lanes(_)) {
            planner.step(name, step)?;
        }
    }
    let Planner { state, moves, .. } = planner;
    for stored in &to.tensors {
        let role = &stored.role;
        match &state[stored.tensor] {
            None => {
                return Err(Fault::new(role, format!("the layout `{}` has no `{}` to write", to.name.text, role.text), absent(from, role)));
            }
            Some((dtype, _)) if *dtype != stored.dtype => {
                let message = format!("the layout `{}` cannot take `{}` as {}", to.name.text, role.text, stored.dtype.name());
                return Err(Fault::new(role, message, format!("it is {} after the steps from `{}`", dtype.name(), from.name.text)));
            }
            Some(_) => {}
        }
    }
    Ok(Plan { undo, moves })
}

fn absent(from: &Layout, role: &Name) -> String {
    if from.tensors.iter().any(|stored| stored.role.text == role.text) {
        "it was merged into another".to_owned()
    } else {
        format!("the layout `{}` does not hold it", from.name.text)
    }
}

fn lanes_of(step: &Step) -> Option<Lanes> {
    match step.action {
        Action::Lanes(lanes) => Some(lanes),
        _ => None,
    }
}

struct Planner<'a> {
    architecture: &'a Architecture,
    /// All steps must be taken.
    direct: bool,
    state: State,
    moves: Vec<Move<'a>>,
}

impl<'a> Planner<'a> {
    fn index(&self, role: &Name) -> Result<usize, Fault> {
        let found = self.architecture.tensors.iter().position(|spec| spec.role.text == role.text);
        found.ok_or_else(|| Fault::new(role, format!("no tensor is named `{}`", role.text), "this name"))
    }

    fn step(&mut self, place: &Name, step: &'a Step) -> Result<(), Fault> {
        let fault = |message: String, why: &str| Err(Fault::new(place, message, why));
        match &step.action {
            Action::Quantize(how) => {
                for role in &how.roles {
                    let tensor = self.index(role)?;
                    match &mut self.state[tensor] {
                        Some((dtype @ DType::F32, _)) => *dtype = how.dtype,
                        Some((dtype, _)) if *dtype == how.dtype && !self.direct => continue,
                        None if !self.direct => continue,
                        Some((dtype, _)) => {
                            return fault(format!("`{}` cannot be quantized", role.text), &format!("it is {}", dtype.name()));
                        }
                        None => return fault(format!("`{}` cannot be quantized", role.text), "it is not there at this step"),
                    }
                    self.moves.push(Move::Quantize { tensor, how, step: &step.name.text });
                }
            }
            Action::Merge { into, add, overflow } => self.merge(place, into, add, *overflow)?,
            Action::MergeKings { into } => self.merge_kings(place, into)?,
            Action::Permute => {
                self.neurons(place)?;
                // One order is applied once, also where two layouts on the way ask for it.
                if !self.moves.iter().any(|step| matches!(step, Move::Permute)) {
                    self.moves.push(Move::Permute);
                }
            }
            Action::Lanes(lanes) => {
                let neurons = self.neurons(place)?;
                let piece = LANE * lanes.order().len();
                if lanes.order().len() > 1 && neurons % piece != 0 {
                    return fault(format!("{neurons} neurons cannot be put in lanes"), &format!("a multiple of {piece} is needed"));
                }
                self.moves.push(Move::Lanes(*lanes));
            }
        }
        Ok(())
    }

    fn merge(&mut self, place: &Name, into: &Name, add: &Name, overflow: Option<Overflow>) -> Result<(), Fault> {
        let fault = |message: String, why: &str| Err(Fault::new(place, message, why));
        let (to, what) = (self.index(into)?, self.index(add)?);
        match (&self.state[to], &self.state[what]) {
            (Some(_), None) if !self.direct => return Ok(()),
            (Some((a, _)), Some((b, _))) if a == b => {}
            (Some((a, _)), Some((b, _))) => {
                let message = format!("`{}` cannot be added to `{}`", add.text, into.text);
                return fault(message, &format!("one is {}, the other {}", b.name(), a.name()));
            }
            _ => {
                return fault(format!("`{}` cannot be added to `{}`", add.text, into.text), "one of them is not there at this step");
            }
        }
        if !self.axes_agree(to, what) {
            let message = format!("`{}` cannot be added to `{}`", add.text, into.text);
            return fault(message, "an axis that both have is not of one size at this step");
        }
        self.state[what] = None;
        let overflow = overflow.unwrap_or_else(|| self.overflow_of(to));
        self.moves.push(Move::Merge { into: to, add: what, overflow });
        Ok(())
    }

    fn merge_kings(&mut self, place: &Name, into: &Name) -> Result<(), Fault> {
        let fault = |message: String, why: &str| Err(Fault::new(place, message, why));
        let tensor = self.index(into)?;
        let rows = self.architecture.tensors[tensor].axes.get(1);
        if let Some(moves) = &self.architecture.moves
            && rows.is_some_and(|rows| *rows == moves.axis || moves.also.contains(rows))
        {
            return fault(format!("the kings of `{}` cannot be merged", into.text), "its second axis is that of the neurons");
        }
        match &mut self.state[tensor] {
            Some((_, shape)) if shape.len() == 3 && shape[1] == SEPARATE_ROWS => shape[1] = MERGED_ROWS,
            Some((_, shape)) if !self.direct && shape.get(1) == Some(&MERGED_ROWS) => return Ok(()),
            _ => {
                return fault(format!("the kings of `{}` cannot be merged", into.text), "its axes are not buckets, 768 rows, neurons");
            }
        }
        self.moves.push(Move::MergeKings { into: tensor });
        Ok(())
    }

    /// Whether the axes that two tensors share have one size.
    fn axes_agree(&self, a: usize, b: usize) -> bool {
        let sizes = |tensor: usize| {
            let shape = self.state[tensor].as_ref().map_or(&[][..], |(_, shape)| shape);
            self.architecture.tensors[tensor].axes.iter().zip(shape)
        };
        sizes(b).all(|(axis, size)| sizes(a).any(|(other, wide)| axis == other && size == wide))
    }

    /// The rule of the step that made these integers; two sums that wrap belong together.
    fn overflow_of(&self, tensor: usize) -> Overflow {
        let by = self.moves.iter().find_map(|made| match made {
            Move::Quantize { tensor: other, how, .. } if *other == tensor => Some(how.overflow),
            _ => None,
        });
        by.unwrap_or(Overflow::Error)
    }

    fn neurons(&self, place: &Name) -> Result<usize, Fault> {
        let moves = self.architecture.moves.as_ref();
        let size = moves.and_then(|moves| self.architecture.sizes.get(&moves.axis)).copied();
        size.ok_or_else(|| Fault::new(place, "neurons cannot be moved", "the file has no `[permutation]` with their axis"))
    }
}

/// Reports every name that is not defined, and every layout that its steps do not lead to.
pub(crate) fn check(architecture: &Architecture, problems: &mut Vec<Problem>) {
    let step_names: Vec<&str> = architecture.steps.iter().map(|step| step.name.text.as_str()).collect();
    let layout_names = architecture.layout_names();
    for layout in &architecture.layouts {
        let mut known = true;
        for name in &layout.steps {
            if !step_names.contains(&name.text.as_str()) {
                problems.push(Problem::unknown("step", name, &step_names));
                known = false;
            }
        }
        if let Some(from) = &layout.from
            && architecture.readable(&from.text).is_none_or(|source| std::ptr::eq(source, layout))
        {
            problems.push(Problem::unknown("other layout", from, &layout_names));
            known = false;
        }
        check_parts(architecture, layout, problems);
        if layout.used == Use::Read {
            if !layout.steps.is_empty() || matches!(layout.header, Header::Keep) {
                let help = "put it under `[layout]` or `[write]`";
                problems
                    .push(Problem::new(format!("`{}` is read only", layout.name.text), layout.name.span, "it has no source").help(help));
            }
            continue;
        }
        match source_of(architecture, layout) {
            Some(source) if known => {
                if let Err(fault) = plan(architecture, source, layout) {
                    problems.push(Problem::new(fault.message, fault.name.span, fault.why));
                }
            }
            None if known && (layout.used == Use::Write || !layout.steps.is_empty()) => {
                let label = format!("no layout is named `{USUAL_SOURCE}`");
                let help = "say from which layout it is made: `from = \"published\"`";
                problems.push(Problem::new(format!("`{}` has no source", layout.name.text), layout.name.span, label).help(help));
            }
            _ => {}
        }
    }
}

/// Merged kings change an axis that a layout may split.
fn check_parts(architecture: &Architecture, layout: &Layout, problems: &mut Vec<Problem>) {
    let state = state_of(architecture, layout);
    for stored in &layout.tensors {
        let Some((_, shape)) = &state[stored.tensor] else { continue };
        for (axis, size) in architecture.tensors[stored.tensor].axes.iter().zip(shape) {
            let divides = stored.order.iter().filter(|part| part.axis == *axis).all(|part| match part.part {
                Part::Whole => true,
                Part::Quotient(divisor) | Part::Remainder(divisor) => size % divisor == 0,
            });
            if !divides {
                let message = format!("the axis `{axis}` of `{}` cannot be split so", stored.role.text);
                problems.push(Problem::new(message, stored.role.span, format!("it has {size} entries in this layout")));
            }
        }
    }
}
