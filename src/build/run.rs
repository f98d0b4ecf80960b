//! Running one action: its inputs from memory, from the cache or made again, an executor, and where the result goes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::Workspace;
use super::earlier::Earlier;
use super::schedule::Slot;
use super::values::Values;
use crate::ctx::{Ctx, read_file};
use crate::error::{Error, Result};
use crate::exec::Executor;
use crate::family::{self, Inputs, Product, Value};
use crate::files::{Blake3, Bytes, Signature, typed};
use crate::manifest::{FilePath, Output};
use crate::plan::{FileNode, Graph, Node};
use crate::stage::{Outcome, Role, Written};

/// What came of running an action.
pub(super) struct Ran {
    pub digest: Blake3,
    pub bytes: u64,
    pub stored: bool,
    /// What the stage says of it.
    pub outcome: Outcome,
    /// The result; `None` for published files and for findings.
    pub value: Option<Value>,
}

/// A file that was written and has no name yet.
pub(super) struct Candidate<'a> {
    /// Digest of its bytes.
    pub blake3: Blake3,
    /// The digests that decide its name.
    pub written: Written,
    /// Where it is for now.
    pub path: &'a Path,
}

/// What running needs to know of the build around it.
pub(super) struct Runner<'a> {
    pub workspace: &'a Workspace<'a>,
    pub graph: &'a Graph,
    pub values: &'a Values,
    pub ctx: &'a Ctx,
    pub executor: &'a dyn Executor,
    /// Digests of files and of settled actions.
    pub digest: &'a (dyn Fn(NodeIndex) -> Option<Blake3> + Sync),
    /// Whether a file may be published as that output; asked before it gets its name.
    pub accept: &'a (dyn Fn(&Output, &Candidate<'_>) -> Result<()> + Sync),
    /// Where the file of a write action is.
    pub published: &'a (dyn Fn(NodeIndex) -> Option<PathBuf> + Sync),
    /// What the last build left behind.
    pub earlier: Earlier<'a>,
    /// Its action's place among those that run at a time.
    pub slot: &'a Slot<'a>,
}

/// The inputs of one action of a build.
pub(super) struct NodeInputs<'a> {
    pub(super) runner: &'a Runner<'a>,
    pub(super) node: NodeIndex,
}

impl Inputs for NodeInputs<'_> {
    fn files(&self) -> Vec<(Role, PathBuf)> {
        self.runner.files(self.node).into_iter().map(|(role, file)| (role, file.path.resolved.clone())).collect()
    }

    fn has(&self, role: Role) -> bool {
        self.runner.graph.input(self.node, role).is_some()
    }

    fn guarded(&self) -> Result<Ctx> {
        self.runner.check_made(self.node)?;
        self.runner.guarded(&self.runner.files(self.node).into_iter().map(|(_, file)| file).collect::<Vec<_>>())
    }

    fn value(&self, role: Role) -> Result<Value> {
        self.runner.value(self.node, role)
    }

    fn published(&self) -> Result<PathBuf> {
        let published = self.runner.graph.input(self.node, Role::Published).and_then(|write| (self.runner.published)(write));
        published.ok_or_else(|| Error::new("no file was published: this is a bug in nnue, please report it"))
    }

    fn digest(&self, role: Role) -> Result<Blake3> {
        self.runner.input_digest(self.node, role)
    }

    fn check_unchanged(&self) -> Result<()> {
        self.runner.check_unchanged(self.node)
    }
}

impl Runner<'_> {
    /// Runs an action, stores or publishes what comes out. A write action is published as `outputs`.
    pub(super) fn run(&self, node: NodeIndex, outputs: &[Output]) -> Result<Ran> {
        self.ctx.check()?;
        let Some(action) = self.graph.action(node) else {
            return Err(Error::new("a file is not an action"));
        };
        let inputs = NodeInputs { runner: self, node };
        match self.executor.execute(action, &inputs, self.ctx)? {
            Product::Value { digest, bytes, value, outcome } => Ok(Ran { digest, bytes, stored: false, outcome, value: Some(value) }),
            Product::Stored { value, outcome } => {
                let (stored, ()) = self.workspace.cache.put_blob(|out| value.write(out))?;
                Ok(Ran { digest: stored.digest, bytes: stored.bytes, stored: stored.stored, outcome, value: Some(value) })
            }
            Product::Finding { digest, outcome } => Ok(Ran { digest, bytes: 0, stored: false, outcome, value: None }),
            Product::File(content) => self.publish(content, &inputs, outputs),
        }
    }

    /// The input files of an action, in order; among them what another net published.
    fn files(&self, node: NodeIndex) -> Vec<(Role, Cow<'_, FileNode>)> {
        let file = |(role, input): (Role, NodeIndex)| match &self.graph.dag[input] {
            Node::File(file) => Some((role, Cow::Borrowed(file))),
            Node::Action(_) if role == Role::Source => Some((role, Cow::Owned(self.made(input)?))),
            Node::Action(_) => None,
        };
        self.graph.inputs(node).into_iter().filter_map(file).collect()
    }

    /// The file that a write action published, for another net.
    fn made(&self, write: NodeIndex) -> Option<FileNode> {
        let resolved = (self.published)(write)?;
        let span = self.graph.owner(write)?.span;
        Some(FileNode { path: FilePath { typed: typed(&resolved), resolved }, span, pin: None })
    }

    /// Whether what another net published, and this action reads, is still what it wrote.
    fn check_made(&self, node: NodeIndex) -> Result<()> {
        let Some(write) = self.graph.input(node, Role::Source).filter(|input| self.graph.action(*input).is_some()) else { return Ok(()) };
        let Some(file) = self.made(write) else {
            return Err(Error::new("the net that is read was not published: this is a bug in nnue, please report it"));
        };
        self.check_file(write, &file)
    }

    /// The result of an input: from memory, from the cache, or by running its stage again.
    pub(super) fn value(&self, node: NodeIndex, role: Role) -> Result<Value> {
        let input = self.graph.input(node, role).ok_or_else(|| Error::new(format!("an action lacks its input `{role}`")))?;
        if let Node::File(file) = &self.graph.dag[input] {
            return self.read_file(node, role, file);
        }
        if let Some(value) = self.values.get(input) {
            return Ok(value);
        }
        let digest = self.input_digest(node, role)?;
        let action = self.graph.action(input).ok_or_else(|| Error::new("a file is not an action"))?;
        if action.is_stored()
            && self.workspace.cache.has_blob(digest)
            && let Some(blob) = self.workspace.cache.get_blob(digest)
            && let Ok(value) = family::stages(action).read_stored(action, &blob)
        {
            self.values.put(input, &value);
            return Ok(value);
        }
        if action.is_stored() {
            if let Some(value) = self.value_there(input, digest)? {
                return Ok(value);
            }
            if let Some(value) = self.remote_value(input)? {
                return Ok(value);
            }
            self.ctx.warn(format!("the result of {} is missing from the cache; rebuilding it", action.stage().name()));
        }
        if let Some(value) = self.written_value(input, digest) {
            self.values.put(input, &value);
            return Ok(value);
        }
        let ran = self.run(input, &[])?;
        if ran.digest != digest {
            return Err(Error::new(format!("{} gave a different result from the same inputs", action.stage().name()))
                .because(format!("{} before, {} now", digest, ran.digest))
                .help("an input changed while it was read, or this is a bug in nnue: run again with `--force`, and please report it"));
        }
        let value = ran.value.ok_or_else(|| Error::new("a stage gave no result"))?;
        self.values.put(input, &value);
        Ok(value)
    }

    /// The network that an action gave, read back from a file that was published of it: sooner done than to make it again.
    fn written_value(&self, node: NodeIndex, digest: Blake3) -> Option<Value> {
        let action = self.graph.action(node).filter(|action| action.is_read_back())?;
        let read = |path: PathBuf| family::stages(action).read_back(&Bytes::input(&path, self.ctx).ok()?, digest);
        self.earlier.files_of(node, digest).find_map(read)
    }

    pub(super) fn input_digest(&self, node: NodeIndex, role: Role) -> Result<Blake3> {
        let input = self.graph.input(node, role).and_then(|input| (self.digest)(input));
        input.ok_or_else(|| Error::new(format!("the input `{role}` has no digest yet")))
    }

    /// What was read must be what was digested: a file that is being written to makes no record.
    ///
    /// Float networks are read from their file until they are quantized or written, so the files behind them are looked at, too.
    fn check_unchanged(&self, node: NodeIndex) -> Result<()> {
        for (_, input) in self.graph.inputs(node) {
            match &self.graph.dag[input] {
                Node::File(file) => self.check_file(input, file)?,
                Node::Action(action) if action.reads_late() => self.check_unchanged(input)?,
                Node::Action(_) => {}
            }
        }
        self.check_made(node)
    }

    /// Whether the file of a node has the content whose digest is in keys.
    fn check_file(&self, node: NodeIndex, file: &FileNode) -> Result<()> {
        let now = self.workspace.files.blake3(&file.path.resolved)?.digest;
        if (self.digest)(node) != Some(now) || self.workspace.files.stable_signature(&file.path.resolved).is_none() {
            return Err(changed(file));
        }
        Ok(())
    }

    /// A context in which these files are opened only as the ones that were digested: a link may lead elsewhere meanwhile.
    fn guarded(&self, files: &[Cow<'_, FileNode>]) -> Result<Ctx> {
        let mut digested = HashMap::with_capacity(files.len());
        for file in files {
            let signature = self.workspace.files.stable_signature(&file.path.resolved).ok_or_else(|| changed(file))?;
            digested.insert(file.path.resolved.clone(), (signature, file.clone().into_owned()));
        }
        Ok(self.ctx.guarded(Arc::new(move |path, opened| {
            let Some((signature, file)) = digested.get(path) else { return Ok(()) };
            let metadata = opened.metadata().map_err(|error| Error::io("cannot read", path, error))?;
            if Signature::of(&metadata) == *signature { Ok(()) } else { Err(changed(file)) }
        })))
    }

    /// A file that stands where a result could, such as a permutation: the very bytes that were digested.
    fn read_file(&self, node: NodeIndex, role: Role, file: &FileNode) -> Result<Value> {
        let path = &file.path.resolved;
        let action = self.graph.action(node).ok_or_else(|| Error::new("a file is not an action"))?;
        let bytes = read_file(path, u64::MAX).map_err(|error| Error::io(&format!("cannot read the {role}"), path, error))?;
        if Blake3::of(&bytes) != self.input_digest(node, role)? {
            return Err(changed(file));
        }
        let read = family::stages(action).read_file(role, &bytes);
        read.map_err(|error| error.context(format!("cannot use the {role} `{}`", path.display())))
    }
}

pub(super) fn changed(file: &FileNode) -> Error {
    Error::new(format!("`{}` changed while it was read", file.path.typed))
        .help("wait until nothing writes to it, then run the same command again")
}
