//! The actions of a described net: load → merge → quantize → gather → search → permute → write, as far as the steps of its layouts ask
//! for them. Several outputs share what is the same on the way to them, and one permutation.

use std::ops::Range;
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use serde_json::{Map, Value};

use super::model::{Architecture, Layout};
use super::plan::{self, Move, Plan, source_of};
use super::{key, relaxed};
use crate::error::{Error, Kind, Result};
use crate::family::nnue::plan::find;
use crate::family::{Planned, Steps};
use crate::format::autodiscover::AUTODISCOVER;
use crate::manifest::{Located, Manifest, Output, ResolvedNet, Span};
use crate::net::Description;
use crate::stage::{Action, Described, Role, Stage, Work};
use crate::words::{Allow, Overflow, suggest};

/// As [`Family::plan`](crate::family::Family::plan).
pub(super) fn plan(manifest: &Manifest, net: &ResolvedNet, steps: &mut dyn Steps) -> Result<Planned> {
    let description = net.described.as_ref().ok_or_else(|| Error::new("a net without an architecture: this is a bug in nnue"))?;
    refuse_foreign(manifest, net)?;
    let overflow = net.source.claims.overflow.value;
    let architecture = relaxed(description, overflow)?;
    let targets = net.outputs.iter().map(|output| target(manifest, &architecture, output)).collect::<Result<Vec<_>>>()?;
    let source = source(manifest, &architecture, net, &targets)?;
    let mut planner = Planner { manifest, net, description, overflow, architecture: &architecture, source, steps, order: Order::Unknown };
    let outputs = net.outputs.iter().zip(targets).map(|(output, target)| Ok((output.clone(), planner.output(output, target)?)));
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let search = match planner.order {
        Order::Found(search) => Some(search),
        Order::Unknown | Order::Given(_) => None,
    };
    Ok(Planned { outputs, search })
}

/// Refuses what can only be said of networks of the trainer or of lc0.
fn refuse_foreign(manifest: &Manifest, net: &ResolvedNet) -> Result<()> {
    if let Some(prove) = &net.prove {
        let help = "remove `prove` from this net; where `[defaults]` has it, write `prove = false`";
        return Err(refusal(manifest, net, prove.span, "a proof evaluates the integers of `.nnue` networks", help));
    }
    if let Some(engine) = &net.engine {
        let help = "remove `engine` from this net; where `[defaults]` has it, write `engine = false`";
        return Err(refusal(manifest, net, engine.span, "an engine is asked about `.nnue` networks", help));
    }
    if let Some((key, span)) = net.edits.places().next() {
        return Err(refusal(manifest, net, span, &format!("`{key}` is of networks of lc0"), &format!("remove `{key}`")));
    }
    let source = &net.source;
    if source.embedded || source.path.value.typed == AUTODISCOVER {
        let why = "only networks of lc0 are searched for, or found at the end of a program";
        return Err(refusal(manifest, net, source.path.span, why, "name the network's file: `path = \"…\"`"));
    }
    Ok(())
}

fn refusal(manifest: &Manifest, net: &ResolvedNet, span: Span, why: &str, help: &str) -> Error {
    let source = &net.source.path.value.typed;
    let message = format!("net `{}` has a described architecture: {why}", net.name);
    let cause = format!("the manifest says so of `{source}`");
    manifest.diagnostic(span, &message, "not for described architectures", &cause, help).kind_is(Kind::Usage)
}

/// The layout of an output.
fn target<'a>(manifest: &Manifest, architecture: &'a Architecture, output: &Output) -> Result<&'a Layout> {
    let Some(named) = &output.layout else { return Err(Error::new("an output without a layout: this is a bug in nnue")) };
    architecture.writable(&named.value).ok_or_else(|| no_layout(manifest, architecture, named))
}

/// The layout of the source: the one that is named, or that the first output is made from.
fn source<'a>(manifest: &Manifest, architecture: &'a Architecture, net: &ResolvedNet, targets: &[&'a Layout]) -> Result<&'a Layout> {
    if let Some(named) = &net.source.claims.layout {
        return architecture.readable(&named.value).ok_or_else(|| no_layout(manifest, architecture, named));
    }
    let first = targets.first().ok_or_else(|| Error::new("a net without outputs: this is a bug in nnue"))?;
    Ok(source_of(architecture, first).unwrap_or(first))
}

fn no_layout(manifest: &Manifest, architecture: &Architecture, named: &Located<String>) -> Error {
    let names = architecture.layout_names();
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let help = suggest(&named.value, names.iter().copied()).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    let message = format!("`{}` has no layout `{}`", architecture.name(), named.value);
    let cause = format!("layouts of `{}`: {list}", architecture.name());
    let help = format!("{help}the layouts are the `[layout.…]`, `[read.…]` and `[write.…]` tables of the architecture");
    manifest.diagnostic(named.span, &message, "this layout", &cause, &help).kind_is(Kind::Usage)
}

/// Where the order of the neurons comes from.
enum Order {
    Unknown,
    Given(NodeIndex),
    Found(NodeIndex),
}

struct Planner<'a, 's> {
    manifest: &'a Manifest,
    net: &'a ResolvedNet,
    description: &'a Arc<Description>,
    overflow: Overflow,
    architecture: &'a Architecture,
    source: &'a Layout,
    steps: &'s mut dyn Steps,
    order: Order,
}

impl<'a> Planner<'a, '_> {
    /// The write action of an output.
    fn output(&mut self, output: &Output, target: &'a Layout) -> Result<NodeIndex> {
        let (net, architecture) = (self.net, self.architecture);
        let span = output.layout.as_ref().map_or(output.path.span, |layout| layout.span);
        let Plan { undo, moves } = plan::plan(architecture, self.source, target).map_err(|fault| {
            let (from, to) = (&self.source.name.text, &target.name.text);
            let message = format!("no steps lead from the layout `{from}` to `{to}`");
            let cause = format!("{}: {}", fault.message, fault.why);
            let help = "say in the source's table which layout the file is in, `layout = \"…\"`, or write another layout";
            self.manifest.diagnostic(span, &message, "this layout", &cause, help).kind_is(Kind::Usage)
        })?;
        let claims = &net.source.claims;
        let load = Work::Load { is_named: claims.layout.is_some() };
        let load = self.action(Stage::Load, key::of_load(architecture, self.source, &undo), target, &[], load);
        let file = self.steps.source(&net.source);
        let mut at = self.steps.action(load, &[(Role::Source, file)]);
        let is_ordered = net.permutation.is_some() || net.optimize.is_some();
        let (segments, rest) = segments(&moves);
        let mut is_permuted = false;
        for (stage, range) in segments {
            at = if stage != Stage::Permute {
                let params = key::of_steps(architecture, &moves[range.clone()]);
                let action = self.action(stage, params, target, &moves[range.clone()], Work::Steps(range));
                self.steps.action(action, &[(Role::Network, at)])
            } else if is_ordered {
                is_permuted = true;
                let permutation = self.permutation(at, target);
                let action = {
                    let work = Work::Permute { allows_wide_sums: net.allow.as_ref().is_some_and(|allow| allow.value == Allow::WideSums) };
                    self.action(Stage::Permute, key::of_permute(architecture), target, &[], work)
                };
                self.steps.action(action, &[(Role::Network, at), (Role::Permutation, permutation)])
            } else {
                at
            };
        }
        if is_ordered && !is_permuted {
            let message = format!("net `{}` is permuted, but the layout `{}` is not", net.name, target.name.text);
            let cause = "none of the layout's steps reorders the neurons";
            let help = "give it a step with `do = \"permute\"`, or give the file a net of its own, without `permutation` and `optimize`";
            return Err(self.manifest.diagnostic(span, &message, "this layout", cause, help).kind_is(Kind::Usage));
        }
        let params = key::of_write(architecture, target, &moves[rest.clone()]);
        let write = self.action(Stage::Write, params, target, &moves[rest.clone()], Work::Write(rest));
        Ok(self.steps.action(write, &[(Role::Network, at)]))
    }

    /// The one permutation of the net: known, or searched for where it is first needed.
    fn permutation(&mut self, network: NodeIndex, target: &Layout) -> NodeIndex {
        let net = self.net;
        match (&self.order, &net.permutation, &net.optimize) {
            (Order::Given(node) | Order::Found(node), ..) => *node,
            (Order::Unknown, None, Some(optimize)) => {
                let params = key::of_gather(self.architecture);
                let (description, overflow) = (self.description.clone(), self.overflow);
                let (from, to) = (self.source.name.text.clone(), target.name.text.clone());
                let gather = |gather| {
                    let (stage, work) = (Stage::Gather, Work::Gather(Box::new(gather)));
                    let (architecture, steps) = (description, Vec::new());
                    Action::Described(Box::new(Described { stage, params, architecture, overflow, from, to, steps, work }))
                };
                let found = find(optimize, network, gather, self.steps);
                self.order = Order::Found(found);
                found
            }
            (Order::Unknown, Some(path), _) => {
                let given = self.steps.file(path, None);
                self.order = Order::Given(given);
                given
            }
            // Not asked for.
            (Order::Unknown, None, None) => network,
        }
    }

    fn action(&self, stage: Stage, params: Map<String, Value>, target: &Layout, moves: &[Move<'_>], work: Work) -> Action {
        let mut steps: Vec<String> = moves.iter().map(|step| self.name_of(step)).collect();
        steps.dedup();
        Action::Described(Box::new(Described {
            stage,
            params,
            architecture: self.description.clone(),
            overflow: self.overflow,
            from: self.source.name.text.clone(),
            to: target.name.text.clone(),
            steps,
            work,
        }))
    }

    /// The name of the step that a move is of.
    fn name_of(&self, step: &Move<'_>) -> String {
        let role = |index: usize| self.architecture.tensors.get(index).map_or("", |spec| spec.role.text.as_str());
        match step {
            Move::Quantize { step, .. } => (*step).to_owned(),
            Move::Merge { into, add, .. } => format!("{} into {}", role(*add), role(*into)),
            Move::MergeKings { into } => format!("kings of {}", role(*into)),
            Move::Permute => "permute".to_owned(),
            Move::Lanes(lanes) => format!("lanes {}", lanes.name()),
        }
    }
}

/// The steps as actions, and those that are left to the write action: lanes, which only one output has.
fn segments(moves: &[Move<'_>]) -> (Vec<(Stage, Range<usize>)>, Range<usize>) {
    let mut segments: Vec<(Stage, Range<usize>)> = Vec::new();
    let mut next = 0;
    for (index, step) in moves.iter().enumerate() {
        let stage = match step {
            Move::Merge { .. } | Move::MergeKings { .. } => Stage::Coalesce,
            Move::Quantize { .. } => Stage::Quantize,
            Move::Permute => Stage::Permute,
            Move::Lanes(_) => continue,
        };
        if stage == Stage::Permute && next < index {
            segments.push((Stage::Coalesce, next..index));
            next = index;
        }
        match segments.last_mut() {
            Some((last, range)) if *last == stage && stage != Stage::Permute && range.end == index => range.end = index + 1,
            _ => segments.push((stage, next..index + 1)),
        }
        next = index + 1;
    }
    (segments, next..moves.len())
}

#[cfg(test)]
mod tests;
