//! Why each stage of a net has the key it has, and how that differs from another build. Runs nothing, changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::execute::{Build, Said};
use super::state::State;
use super::{Options, StageStatus, Workspace};
use crate::cache::Preimage;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::Blake3;
use crate::manifest::ResolvedNet;
use crate::plan::{self, Change, Facts, Graph, KEY_SCHEMA, NetPlan, Node, Reason, compare};
use crate::stage::Stage;

/// Version of [`Explanation`] as JSON.
const SCHEMA: u32 = 1;

/// All that the stages of one net are made of: shown to people, and kept to be compared with another machine's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    /// Version of this format.
    pub schema: u32,
    /// The net's name.
    pub net: String,
    /// Version of the program.
    pub tool: String,
    /// What keys are made of.
    pub key_schema: u32,
    /// Its stages, in order.
    pub stages: Vec<StageExplanation>,
    /// Stages that only the other build has.
    #[serde(default)]
    pub gone: Vec<String>,
}

/// One stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageExplanation {
    /// The stage's name.
    pub stage: String,
    /// Fresh, stale or failed.
    pub status: StageStatus,
    /// The action's key, once all inputs are known.
    pub key: Option<String>,
    /// All that the key depends on; an input is null while the stage that makes it is stale.
    pub preimage: Value,
    /// BLAKE3 of the result, where it is known.
    pub digest: Option<String>,
    /// The files among the inputs: input's name → path as the manifest has it.
    pub files: serde_json::Map<String, Value>,
    /// Why it has to run, if it has to.
    pub reason: Option<Reason>,
    /// What differs from the build that this was compared with: all of it, the most telling first.
    pub changes: Vec<Reason>,
}

impl Workspace<'_> {
    /// Explains `net`: each stage's preimage, and its difference to the last build's.
    ///
    /// # Errors
    /// When the graph cannot be made, or the work was interrupted.
    pub fn explain(&self, net: &ResolvedNet, options: &Options, ctx: &Ctx) -> Result<Explanation> {
        let nets = self.manifest.with_needed(&[net]);
        let graph: Graph = plan::plan(self.manifest, &nets, &Facts::probe(&nets))?;
        let plan = graph
            .nets
            .iter()
            .find(|plan| plan.name == net.name)
            .ok_or_else(|| Error::new("the graph lacks its net: this is a bug in nnue, please report it"))?;
        let build = Build::new(self, &graph, options, None, ctx, &Said { on_error: &|_, _| {}, finished: &|_| {}, assume: &|_| {} });
        let states = build.resolve(&graph.order()?);
        ctx.check()?;
        let mut stages = Vec::with_capacity(plan.actions.len());
        for &node in &plan.actions {
            let stage = graph.action(node).map_or(Stage::Load, |action| action.stage());
            let state = &states[node.index()];
            let (status, reason) = match state {
                State::Settled(_) => (StageStatus::Fresh, None),
                State::Stale { reason, .. } => (StageStatus::Stale, Some(reason.clone())),
                State::Failed(error) => (StageStatus::Failed, Some(Reason::Failed(error.to_string()))),
                State::Open | State::File(_) => (StageStatus::Stale, None),
            };
            let preimage = graph.partial_preimage(node, |input| states[input.index()].digest())?;
            let files = graph.inputs(node).into_iter().filter_map(|(name, input)| match &graph.dag[input] {
                Node::File(file) => Some((name.to_string(), Value::String(file.path.typed.clone()))),
                Node::Action(_) => graph.net_behind(plan, input).map(|other| (name.to_string(), Value::String(other))),
            });
            let is_whole = graph.inputs(node).iter().all(|(_, input)| states[input.index()].digest().is_some());
            stages.push(StageExplanation {
                stage: stage.name().to_owned(),
                status,
                key: is_whole.then(|| preimage.key().to_string()),
                preimage: preimage.to_value(),
                digest: state.digest().map(|digest| digest.to_string()),
                files: files.collect(),
                reason,
                changes: Vec::new(),
            });
        }
        let tool = env!("CARGO_PKG_VERSION").to_owned();
        let mut explanation =
            Explanation { schema: SCHEMA, net: plan.name.clone(), tool, key_schema: KEY_SCHEMA, stages, gone: Vec::new() };
        if let Some(last) = self.last_build(plan, ctx) {
            explanation.compare_with(&last)?;
        }
        Ok(explanation)
    }

    /// What is known of the last build, in the same form.
    fn last_build(&self, plan: &NetPlan, ctx: &Ctx) -> Option<Explanation> {
        let last = self.log.load(&plan.name, ctx)?;
        let stages = last.stages.into_iter().map(|stage| StageExplanation {
            key: Some(stage.key().to_string()),
            preimage: stage.preimage.to_value(),
            stage: stage.stage,
            status: StageStatus::Fresh,
            digest: Some(stage.output_digest.to_string()),
            files: serde_json::Map::new(),
            reason: None,
            changes: Vec::new(),
        });
        Some(Explanation {
            schema: SCHEMA,
            net: last.net,
            tool: last.tool_version,
            key_schema: KEY_SCHEMA,
            stages: stages.collect(),
            gone: Vec::new(),
        })
    }
}

impl Explanation {
    /// Reads the JSON that `nnue explain --json` printed.
    ///
    /// # Errors
    /// When it is something else, or of another version.
    pub fn from_json(text: &str) -> Result<Self> {
        let wrong = |why: String| Error::usage("this is not a record of `nnue explain NET --json`").because(why);
        let record: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if record.schema == SCHEMA {
            Ok(record)
        } else {
            Err(wrong(format!("its schema is {}, this program knows {SCHEMA}", record.schema)))
        }
    }

    /// Fills in what each stage has other than in `other`: `old` values are the other's, `new` ones this one's.
    ///
    /// # Errors
    /// When a preimage holds a value that none may hold, such as a float.
    pub fn compare_with(&mut self, other: &Self) -> Result<()> {
        let mut seen: Vec<String> = Vec::new();
        for stage in &mut self.stages {
            let position = seen.iter().filter(|name| **name == stage.stage).count();
            seen.push(stage.stage.clone());
            let Some(old) = other.stages.iter().filter(|old| old.stage == stage.stage).nth(position) else {
                stage.changes = vec![Reason::NeverBuilt];
                continue;
            };
            let file = |name: &str| stage.files.get(name).and_then(Value::as_str).map(str::to_owned);
            let mut changes = compare(&Preimage::of(&old.preimage)?, &Preimage::of(&stage.preimage)?, file);
            for change in &mut changes {
                if let Reason::UpstreamChanged(Change { name, new: None, .. }) = change {
                    *change = Reason::UpstreamStale(std::mem::take(name));
                }
            }
            let short =
                |digest: &Option<String>| digest.as_ref().and_then(|digest| digest.parse::<Blake3>().ok()).map(|it| format!("{it:.12}"));
            if stage.key.is_some() && stage.key == old.key && stage.digest.is_some() && old.digest.is_some() && stage.digest != old.digest {
                changes.push(Reason::ResultChanged { old: short(&old.digest), new: short(&stage.digest) });
            }
            stage.changes = changes;
        }
        self.gone.clear();
        for (index, old) in other.stages.iter().enumerate() {
            let position = other.stages.iter().take(index).filter(|earlier| earlier.stage == old.stage).count();
            if seen.iter().filter(|name| **name == old.stage).count() <= position {
                self.gone.push(old.stage.clone());
            }
        }
        Ok(())
    }
}
