//! The kinds of networks. A family is one folder: how its files are recognized, its stages, its artifacts, what can be done with them.
//!
//! Manifest, graph, build and cache name none of them. They ask here: `of` for what a family makes of a net, `stages` for what runs
//! an action and reads its results, `publication` for what a place of publication asks of a file. A new family or a
//! new place does not compile until it stands there.
//!
//! What families share lies below: positions, permutations, containers of tensors.

mod artifact;
pub mod described;
pub mod lc0;
pub mod nnue;

use std::path::Path;

use petgraph::graph::NodeIndex;
use serde_json::{Map, Value as Json};

pub(crate) use artifact::{Content, Inputs, Product, Value};

use crate::ctx::Ctx;
use crate::draw::Scene;
use crate::error::Result;
use crate::files::{Blake3, Bytes};
use crate::format::autodiscover::AUTODISCOVER;
use crate::format::sources::{FileKind, probe};
use crate::manifest::{FilePath, Located, Manifest, Output, OutputKind, Publish, ResolvedNet, Source};
use crate::stage::{Action, Outcome, Owner, Role, Stage};
use crate::words::{Compression, CompressionChoice};

/// Which family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The trainer's own: `.nnue` files and what they are made from.
    Nnue,
    /// lc0's.
    Lc0,
    /// Any engine's, as an architecture file describes them.
    Described,
}

impl Kind {
    /// All of them. The last speaks for files that none knows.
    pub const ALL: [Self; 3] = [Self::Lc0, Self::Described, Self::Nnue];
}

/// What is known of a source before anything runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFacts {
    /// Whose network it is.
    pub family: Kind,
    /// What its content is; `None` for what cannot be read: that fails later, with a reason.
    pub content: Option<FileKind>,
    /// How it is packed, where its family can tell: what `compression = "auto"` comes to.
    pub compression: Option<Compression>,
}

/// A kind of networks, as the graph sees it.
pub(crate) trait Family: Sync {
    /// Whether the file at `path`, whose beginning says that it is `content`, holds a network of this family. Asked of every source of
    /// every build, so it reads no more than it must.
    fn recognizes(&self, content: FileKind, path: &FilePath) -> bool;

    /// How a source of this family is packed, where its files can be packed in several ways. Of the file only the head is read.
    fn compression(&self, _content: FileKind, _path: &FilePath) -> Option<Compression> {
        None
    }

    /// The actions of one net, in the order in which they are made here. Looks at no file.
    ///
    /// # Errors
    /// When the net asks for what no file can hold, or what this family has not; as a diagnostic in the manifest.
    fn plan(&self, manifest: &Manifest, net: &ResolvedNet, facts: SourceFacts, steps: &mut dyn Steps) -> Result<Planned>;

    /// What the net's source leaves open, the net's result depends on, and a build would therefore assume: a line for the user. What
    /// cannot be read says so when it is built.
    fn assumption(&self, net: &ResolvedNet, facts: SourceFacts, ctx: &Ctx) -> Option<String>;
}

/// Makes nodes of the graph for one net; equal ones are shared with other nets.
pub(crate) trait Steps {
    /// The file of a source, or what another net writes.
    fn source(&mut self, source: &Source) -> NodeIndex;

    /// A file, with the SHA-256 that it must have.
    fn file(&mut self, path: &Located<FilePath>, pin: Option<&Located<String>>) -> NodeIndex;

    /// An action on these inputs. Write actions are the net's own, also where another net writes the same bytes.
    fn action(&mut self, action: Action, inputs: &[(Role, NodeIndex)]) -> NodeIndex;
}

/// What a family makes of a net.
pub(crate) struct Planned {
    /// The files that it publishes, with the write action that makes each.
    pub(crate) outputs: Vec<(Output, NodeIndex)>,
    /// The search whose result it uses, if it is optimized.
    pub(crate) search: Option<NodeIndex>,
}

/// Runs actions, and knows their results.
pub(crate) trait Stages: Sync {
    /// Runs one action.
    ///
    /// # Errors
    /// The stage's, and those of its inputs.
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product>;

    /// Reads the artifact of an action whose results are stored.
    ///
    /// # Errors
    /// When it is damaged, or results of this action are not stored.
    fn read_stored(&self, action: &Action, bytes: &[u8]) -> Result<Value>;

    /// Reads a file that stands where a result could: a permutation of the user's, or a matrix that came to a worker.
    ///
    /// # Errors
    /// When it is damaged, or no file is read in this role.
    fn read_file(&self, role: Role, bytes: &[u8]) -> Result<Value>;

    /// More bytes no artifact of this action has; `network` is the one that it, or what it depends on, works on.
    ///
    /// # Errors
    /// When no such action works on such a network.
    fn most_bytes(&self, action: &Action, network: &Value) -> Result<u64>;

    /// Whether a result that was made elsewhere can be this action's, for this network.
    ///
    /// # Errors
    /// When it cannot: why.
    fn check_fits(&self, action: &Action, result: &Value, network: &Value) -> Result<()>;

    /// Seconds that one core takes for an action, as far as that can be told beforehand: what decides where it runs, and nothing else.
    /// A search reads matrices of `matrix` bytes.
    ///
    /// # Errors
    /// When no such action works on such a network.
    fn core_seconds(&self, action: &Action, network: &Value, matrix: u64) -> Result<f64>;

    /// A network for a machine that runs this action on it; `None` where no such action runs elsewhere.
    fn packed(&self, action: &Action, network: &Value) -> Option<Packed>;

    /// The network of this digest that [`Self::packed`] gave these bytes for.
    ///
    /// # Errors
    /// When it is another one.
    fn unpacked(&self, bytes: &[u8], digest: Blake3) -> Result<Value>;

    /// The network of this digest, a result of [`Action::is_read_back`], from a file that was written of it; `None` where it is not told
    /// from the file.
    fn read_back(&self, _bytes: &[u8], _digest: Blake3) -> Option<Value> {
        None
    }

    /// What an action comes to, of which [`Action::elsewhere`] came to `outcome` on another machine: what was left out there is done here.
    ///
    /// # Errors
    /// Those of the action that are of what was left out.
    fn completed(&self, _action: &Action, outcome: Outcome, _inputs: &dyn Inputs, _ctx: &Ctx) -> Result<Outcome> {
        Ok(outcome)
    }

    /// Whether a file that an action loads, the one at `path`, holds a whole network; true of actions that load none.
    ///
    /// # Errors
    /// When it does not: what the action would say.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "`nnue watch` looks at sources before it builds"))]
    fn check_source(&self, action: &Action, path: &Path, ctx: &Ctx, input: Bytes) -> Result<()>;
}

/// A network for another machine.
pub(crate) struct Packed {
    /// What is sent.
    pub(crate) bytes: Vec<u8>,
    /// What a request names it by, where that is not the digest of the network: whoever gets the bytes could not tell that of them.
    pub(crate) digest: Option<Blake3>,
}

/// What a place of publication asks of a file.
pub(crate) trait Publication: Sync {
    /// Names the rules. Builds remember which files passed them; changed rules get a new name.
    fn rules(&self) -> &'static str;

    /// Checks the file at `content`, which is or will be published as `shown`: a path as the manifest has it.
    ///
    /// # Errors
    /// When the place would refuse the file; when it cannot be read, and when the work was interrupted.
    fn check(&self, shown: &str, content: &Path, license: Option<&str>, ctx: &Ctx) -> Result<()>;
}

/// The family.
pub(crate) const fn of(kind: Kind) -> &'static dyn Family {
    match kind {
        Kind::Nnue => &nnue::Nnue,
        Kind::Lc0 => &lc0::Lc0,
        Kind::Described => &described::Described,
    }
}

/// What runs this action.
pub(crate) const fn stages(action: &Action) -> &'static dyn Stages {
    match action.owner() {
        Owner::Trainer => &nnue::Nnue,
        Owner::Lc0 => &lc0::Lc0,
        Owner::Described => &described::Described,
    }
}

/// The action of a request on another machine, which has these parameters; `network` gives the bytes of its network, where it has one. `None` for
/// what is not run on its own.
///
/// # Errors
/// Those of `network`; and when that names an architecture that is none.
pub(crate) fn requested(stage: Stage, params: &Map<String, Json>, network: impl FnOnce() -> Result<Bytes>) -> Result<Option<Action>> {
    match (Action::of_params(stage, params), stage) {
        (Some(action), _) => Ok(Some(action)),
        // What is gathered of other networks, their own words say.
        (None, Stage::Gather) => described::requested(params, &network()?),
        (None, _) => Ok(None),
    }
}

/// The place of publication.
pub(crate) const fn publication(place: Publish) -> &'static dyn Publication {
    match place {
        Publish::Fishtest => &nnue::Fishtest,
    }
}

/// The pictures of a published file that a report links to; none of files that are of another kind than networks that are shown.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn pictures(path: &Path) -> Result<Vec<Scene>> {
    match probe(path)?.kind {
        FileKind::Nnue => nnue::pictures(path),
        _ => Ok(Vec::new()),
    }
}

/// Whose network the source of a net is: described where the manifest says so; else by its content, and where that cannot be read, by what
/// the manifest says of it.
pub(crate) fn recognize_source(source: &Source, net: &ResolvedNet) -> SourceFacts {
    if net.described.is_some() {
        let content = probe(&source.path.value.resolved).ok().map(|found| found.kind);
        return SourceFacts { family: Kind::Described, content, compression: None };
    }
    let facts = recognize(&source.path.value);
    // lc0 alone finds a network at the end of a program whatever else the file is.
    let is_said = source.embedded || source.path.value.typed == AUTODISCOVER || (facts.content.is_none() && lc0::is_meant(source, net));
    if is_said { SourceFacts { family: Kind::Lc0, compression: None, ..facts } } else { facts }
}

/// What the first output of a net will be, of whose source `facts` are known: for nets that are made from it.
pub(crate) fn recognize_output(net: &ResolvedNet, facts: SourceFacts) -> SourceFacts {
    let kind = net.outputs.first().map(|output| output.kind);
    let content = kind.and_then(|kind| match kind {
        OutputKind::Folder if facts.family == Kind::Lc0 => Some(FileKind::Gzip),
        OutputKind::Folder | OutputKind::Nnue => Some(FileKind::Nnue),
        OutputKind::Pt => Some(FileKind::TorchZip),
        OutputKind::Safetensors => Some(FileKind::Safetensors),
        OutputKind::Npz => Some(FileKind::Npz),
        OutputKind::Gzip => Some(FileKind::Gzip),
        // Nothing in their first bytes tells what they are.
        OutputKind::Protobuf | OutputKind::Onnx | OutputKind::Layout | OutputKind::Program => None,
    });
    let compression = match net.compression.value {
        CompressionChoice::Auto => facts.compression,
        CompressionChoice::Leb128 => Some(Compression::Leb128),
        CompressionChoice::None => Some(Compression::None),
    };
    SourceFacts { family: facts.family, content, compression: compression.filter(|_| content == Some(FileKind::Nnue)) }
}

/// Looks at the head of a source: whose network it is. What no family knows is left to the trainer's, which says what it is instead.
pub(crate) fn recognize(path: &FilePath) -> SourceFacts {
    // What cannot be read, a pipe for example, is refused later, with its name.
    let content = probe(&path.resolved).ok().map(|found| found.kind);
    let knows = |kind: &Kind| content.is_some_and(|content| of(*kind).recognizes(content, path));
    let family = Kind::ALL.into_iter().find(knows).unwrap_or(Kind::Nnue);
    let compression = content.and_then(|content| of(family).compression(content, path));
    SourceFacts { family, content, compression }
}

/// Nets for tests of the rooms above.
#[cfg(test)]
pub(crate) mod testing {
    /// The bytes of a small source.
    pub(crate) fn small_source() -> Vec<u8> {
        super::nnue::small_source()
    }

    /// The bytes of a small checkpoint.
    pub(crate) fn small_checkpoint() -> Vec<u8> {
        super::nnue::small_checkpoint()
    }
}

#[cfg(test)]
mod tests;
