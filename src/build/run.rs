//! Running one action: inputs from memory, from the cache or made again, the stage, and its result's digest.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::Workspace;
use super::values::{Gathered, Value, Values};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{self, Blake3, HashingWriter, Sha256, Signature};
use crate::format::bytes::{Bytes, check_regular};
use crate::format::nnue::Compression;
use crate::graph::{FileNode, Graph, Node};
use crate::manifest::{Output, OutputKind};
use crate::net::{Factorized, Network, Permutation, QuantizedNetwork};
use crate::permutation::{self, SearchParams, ZeroBlocks};
use crate::positions::{Selection, held_out, select};
use crate::stage::{
    Action, Counts, Gather, Load, Outcome, Quantize, Quantized, Role, Sampled, Search, Searched, Write as WriteParams, Written,
};
use crate::stages::dequantize::dequantize;
use crate::stages::load::{Loaded, load_file};
use crate::stages::write_float::{FloatTarget, write_float};
use crate::stages::{gather, permute, quantize, write};
use crate::words::FileFormat;

/// What came of running an action.
pub(super) struct Ran {
    pub digest: Blake3,
    pub bytes: u64,
    pub stored: bool,
    /// What the stage says of it.
    pub outcome: Outcome,
    pub value: Option<Value>,
}

/// What running needs to know of the build around it.
pub(super) struct Runner<'a> {
    pub workspace: &'a Workspace<'a>,
    pub graph: &'a Graph,
    pub values: &'a Values,
    pub ctx: &'a Ctx,
    /// Digests of files and of settled actions.
    pub digest: &'a (dyn Fn(NodeIndex) -> Option<Blake3> + Sync),
    /// Whether a file of this digest, complete at the path, may be published as that output; asked before it gets its name.
    pub accept: &'a (dyn Fn(&Output, &Sha256, &Path) -> Result<()> + Sync),
}

impl Runner<'_> {
    /// Runs an action. A write action writes to `outputs`.
    pub(super) fn run(&self, node: NodeIndex, outputs: &[Output]) -> Result<Ran> {
        self.ctx.check()?;
        let Some(action) = self.graph.action(node) else {
            return Err(Error::new("a file is no action"));
        };
        let plain = |digest: blake3::Hash, bytes: usize, outcome: Outcome, value: Value| Ran {
            digest: Blake3(digest.into()),
            bytes: bytes as u64,
            stored: false,
            outcome,
            value: Some(value),
        };
        match action {
            Action::Load(load) => {
                let Load { expected } = &**load;
                let file = self.file(node, Role::Source)?;
                let path = &file.path.resolved;
                check_regular(path)?;
                let bytes = Bytes::of_file(self.guarded(&[file])?.open(path)?, path)?;
                let ran = match load_file(bytes, path, expected)? {
                    Loaded::Quantized(parsed) => {
                        let network = parsed.network;
                        let (digest, bytes) = (network.digest(), network.weight_bytes());
                        plain(digest, bytes, Outcome::Load, Value::Quantized(Arc::new(network)))
                    }
                    Loaded::Float(network) => {
                        let digest = network.digest()?;
                        plain(digest, 0, Outcome::Load, Value::Factorized(Arc::from(network)))
                    }
                };
                // Float rows are read when they are digested: only now the file has been read.
                self.check_unchanged(node)?;
                Ok(ran)
            }
            Action::Coalesce => {
                let network = match self.value(node, Role::Network)? {
                    Value::Factorized(network) => Arc::unwrap_or_clone(network).coalesce(),
                    _ => return Err(wrong_value("coalesce")),
                };
                // Rows are folded in when they are read: the result is named by what it is made of.
                let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 coalesced network");
                hasher.update(&self.input_digest(node, Role::Network)?.0);
                Ok(plain(hasher.finalize(), 0, Outcome::Coalesce, Value::Coalesced(Arc::new(network))))
            }
            Action::Quantize(Quantize { overflow }) => {
                let Value::Coalesced(network) = self.value(node, Role::Network)? else { return Err(wrong_value("quantize")) };
                let (network, report) = quantize::quantize(&network, *overflow, self.ctx)?;
                self.check_unchanged(node)?;
                for (tensor, count) in &report.overflowed {
                    let how = overflow.name();
                    self.ctx.warn(format!("{count} values of `{tensor}` did not fit and were handled by overflow = \"{how}\""));
                }
                let outcome = Outcome::Quantize(Quantized { clamped: report.clamped, overflowed: report.overflowed });
                let (digest, bytes) = (network.digest(), network.weight_bytes());
                Ok(plain(digest, bytes, outcome, Value::Quantized(Arc::new(network))))
            }
            Action::Gather(params) => self.gather(node, params),
            Action::Search(params) => self.search(node, params),
            Action::Permute => {
                let permutation = match self.value(node, Role::Permutation) {
                    Ok(Value::Permutation(permutation)) => permutation,
                    Ok(_) => return Err(wrong_value("permute")),
                    Err(error) => return Err(error),
                };
                let Value::Quantized(network) = self.value(node, Role::Network)? else { return Err(wrong_value("permute")) };
                // The last user owns the network; only a shared one is copied.
                let mut network = Arc::unwrap_or_clone(network);
                permute::permute(&mut network, &permutation)?;
                let (digest, bytes) = (network.digest(), network.weight_bytes());
                Ok(plain(digest, bytes, Outcome::Permute, Value::Quantized(Arc::new(network))))
            }
            Action::Write(params) => self.publish(node, params, outputs),
        }
    }

    /// Positions of the data files → the matrices of the search and of its judgement.
    fn gather(&self, node: NodeIndex, params: &Gather) -> Result<Ran> {
        let Gather { positions, seed, ref filters } = *params;
        let data = self.data(node);
        let paths: Vec<PathBuf> = data.iter().map(|file| file.path.resolved.clone()).collect();
        let selection = Selection { count: Some(positions), held_out: held_out(positions), seed, filters: filters.clone() };
        let sampled = select(&paths, &selection, &self.guarded(&data)?)?;
        let Value::Quantized(network) = self.value(node, Role::Network)? else { return Err(wrong_value("gather")) };
        self.warn_assumed_scales(node, &network, "the zero rule");
        let matrix = gather::gather(&network, &sampled.positions, None, self.ctx)?;
        let held_out = match sampled.held_out.as_slice() {
            [] => None,
            positions => Some(gather::gather(&network, positions, None, self.ctx)?),
        };
        self.check_unchanged(node)?;
        let gathered = Gathered { matrix, held_out };
        let (stored, ()) = self
            .workspace
            .cache
            .put_blob(|out| gathered.write(out).map_err(|error| Error::new("cannot store the activation matrix").because(error)))?;
        let stats = sampled.stats;
        let outcome = Outcome::Gather(Sampled {
            entries: stats.entries,
            in_check: stats.in_check,
            filtered: stats.filtered,
            chunks_visited: stats.chunks_visited,
            chunks: stats.chunks,
        });
        let value = Some(Value::Gathered(Arc::new(gathered)));
        Ok(Ran { digest: stored.digest, bytes: stored.bytes, stored: stored.stored, outcome, value })
    }

    /// The matrix → a permutation, with its zero blocks on both samples.
    fn search(&self, node: NodeIndex, params: &Search) -> Result<Ran> {
        let Value::Gathered(gathered) = self.value(node, Role::Matrix)? else { return Err(wrong_value("search")) };
        let found = permutation::search(&gathered.matrix, &search_params(params), self.ctx)?;
        let mut bytes = Vec::new();
        let written = permutation::write_permutation(&found.permutation, &mut bytes);
        written.map_err(|error| Error::new("cannot store the permutation").because(error))?;
        let stored = self.workspace.cache.put_bytes(&bytes);
        let counts = |before: ZeroBlocks, after: ZeroBlocks| Counts {
            positions: before.positions,
            blocks: before.total,
            zero_before: before.zero,
            zero_after: after.zero,
        };
        let held_out = match &gathered.held_out {
            Some(matrix) => {
                let identity = Permutation::identity(matrix.half())?;
                let after = permutation::zero_blocks(matrix, &found.permutation)?;
                Some(counts(permutation::zero_blocks(matrix, &identity)?, after))
            }
            None => None,
        };
        let train = counts(found.before, found.after);
        let outcome = Outcome::Search(Box::new(Searched { train, held_out, swaps: found.swaps, cycles: found.cycles, moves: found.moves }));
        let value = Some(Value::Permutation(Arc::new(found.permutation)));
        Ok(Ran { digest: stored.digest, bytes: stored.bytes, stored: stored.stored, outcome, value })
    }

    /// Writes the network to every output of a write action.
    fn publish(&self, node: NodeIndex, params: &WriteParams, outputs: &[Output]) -> Result<Ran> {
        let description = params.description.as_deref();
        let content = match (self.value(node, Role::Network)?, params.format) {
            (Value::Quantized(network), FileFormat::Nnue) => Content::Integers(network, params.compression),
            (Value::Quantized(network), format) => {
                self.warn_assumed_scales(node, &network, "the float weights");
                Content::Floats(Box::new(described(dequantize(&network, self.ctx)?, description)), float_target(format))
            }
            (Value::Factorized(network), format) if format != FileFormat::Nnue => {
                Content::Floats(Box::new(described(Arc::unwrap_or_clone(network), description)), float_target(format))
            }
            _ => return Err(wrong_value("write")),
        };
        let mut written: Option<(Blake3, Sha256, u64)> = None;
        for output in outputs {
            let mut last = (Blake3([0; 32]), Sha256([0; 32]), 0);
            let mut write = |out: &mut dyn Write| {
                let mut out = HashingWriter::<_, (Blake3, Sha256)>::new(out);
                match &content {
                    Content::Integers(network, compression) => write::write_nnue(&mut out, network, description, *compression)?,
                    Content::Floats(network, target) => {
                        write_float(&mut out, network, *target, self.ctx)?;
                        self.check_unchanged(node)?;
                    }
                }
                self.ctx.check()?;
                let (_, (blake3, sha256), bytes) = out.finish();
                last = (blake3, sha256, bytes);
                Ok(sha256)
            };
            let path = &output.path.value.resolved;
            let accept = |sha256: &Sha256, content: &Path| (self.accept)(output, sha256, content);
            if output.kind == OutputKind::Folder {
                files::create_dir_all(path)?;
                files::write_named_if_accepted(path, &mut write, net_name, accept)?;
            } else {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    files::create_dir_all(folder)?;
                }
                files::write_if_accepted(path, &mut write, accept)?;
            }
            let (blake3, sha256, bytes) = last;
            if written.is_some_and(|(other, _, _)| other != blake3) {
                return Err(Error::new("two writings of one network differ: this is a bug in nnue, please report it"));
            }
            written = Some((blake3, sha256, bytes));
        }
        let Some((digest, sha256, bytes)) = written else { return Err(Error::new("a write action without an output")) };
        Ok(Ran { digest, bytes, stored: false, outcome: Outcome::Write(Written { sha256 }), value: None })
    }

    /// Says which scales were taken, where the file records none and nobody said.
    fn warn_assumed_scales(&self, node: NodeIndex, network: &QuantizedNetwork, purpose: &str) {
        let source = self.graph.input(node, Role::Network).and_then(|input| self.graph.action(input));
        let Some(Action::Load(load)) = source else { return };
        let (assumed, possible) = (network.architecture.quantization.name, network.architecture.generation.quantizations);
        let others: Vec<&str> = possible.iter().map(|scales| scales.name).filter(|name| *name != assumed).collect();
        if load.expected.quantization.is_none() && !others.is_empty() {
            self.ctx.warn(format!(
                "a `.nnue` file does not record its scales: {assumed} is assumed for {purpose} (also possible: {}); \
                 `quantization` in the source's table says which",
                others.join(", ")
            ));
        }
    }

    /// The result of an input: from memory, from the cache, or by running its stage again.
    pub(super) fn value(&self, node: NodeIndex, role: Role) -> Result<Value> {
        let input = self.graph.input(node, role).ok_or_else(|| Error::new(format!("an action without its input `{role}`")))?;
        if let Node::File(file) = &self.graph.dag[input] {
            return self.read_permutation(file, self.input_digest(node, role)?);
        }
        if let Some(value) = self.values.get(input) {
            return Ok(value);
        }
        let digest = self.input_digest(node, role)?;
        let action = self.graph.action(input).ok_or_else(|| Error::new("a file is no action"))?;
        if action.stage().is_stored()
            && self.workspace.cache.has_blob(digest)
            && let Some(blob) = self.workspace.cache.get_blob(digest)
        {
            let value = match action {
                Action::Gather(_) => Gathered::read(&blob).map(|gathered| Value::Gathered(Arc::new(gathered))),
                _ => permutation::read_permutation(&blob).map(|permutation| Value::Permutation(Arc::new(permutation))),
            };
            if let Ok(value) = value {
                self.values.put(input, &value);
                return Ok(value);
            }
        }
        if action.stage().is_stored() {
            if let Some(value) = self.remote_value(input)? {
                return Ok(value);
            }
            self.ctx.warn(format!("the result of {} is missing from the cache and is made again", action.stage().name()));
        }
        let ran = self.run(input, &[])?;
        if ran.digest != digest {
            return Err(Error::new(format!("{} gave another result than before from the same inputs", action.stage().name()))
                .because(format!("{} before, {} now", digest, ran.digest))
                .help("an input changed while it was read, or this is a bug in nnue: run again with `--force`, and please report it"));
        }
        let value = ran.value.ok_or_else(|| Error::new("a stage without a result"))?;
        self.values.put(input, &value);
        Ok(value)
    }

    fn input_digest(&self, node: NodeIndex, role: Role) -> Result<Blake3> {
        let input = self.graph.input(node, role).and_then(|input| (self.digest)(input));
        input.ok_or_else(|| Error::new(format!("the input `{role}` has no digest yet")))
    }

    /// The file behind an input.
    fn file(&self, node: NodeIndex, role: Role) -> Result<&FileNode> {
        match self.graph.input(node, role).map(|input| &self.graph.dag[input]) {
            Some(Node::File(file)) => Ok(file),
            _ => Err(Error::new(format!("the input `{role}` is not a file"))),
        }
    }

    /// The files of positions, in order.
    fn data(&self, node: NodeIndex) -> Vec<&FileNode> {
        let inputs = self.graph.inputs(node).into_iter().filter(|(role, _)| matches!(role, Role::Data(_)));
        inputs.filter_map(|(_, input)| if let Node::File(file) = &self.graph.dag[input] { Some(file) } else { None }).collect()
    }

    /// What was read must be what was digested: a file that is being written to makes no record.
    ///
    /// Float networks are read from their file until they are quantized or written, so the files behind them are looked at, too.
    fn check_unchanged(&self, node: NodeIndex) -> Result<()> {
        for (_, input) in self.graph.inputs(node) {
            match &self.graph.dag[input] {
                Node::File(file) => {
                    let now = self.workspace.files.blake3(&file.path.resolved)?.digest;
                    if (self.digest)(input) != Some(now) || self.workspace.files.stable_signature(&file.path.resolved).is_none() {
                        return Err(changed(file));
                    }
                }
                Node::Action(Action::Load(_) | Action::Coalesce) => self.check_unchanged(input)?,
                Node::Action(_) => {}
            }
        }
        Ok(())
    }

    /// A context in which these files are opened only as the ones that were digested: a link may lead elsewhere by now.
    fn guarded(&self, files: &[&FileNode]) -> Result<Ctx> {
        let mut digested = HashMap::with_capacity(files.len());
        for file in files {
            let signature = self.workspace.files.stable_signature(&file.path.resolved).ok_or_else(|| changed(file))?;
            digested.insert(file.path.resolved.clone(), (signature, (*file).clone()));
        }
        Ok(self.ctx.guarded(Arc::new(move |path, opened| {
            let Some((signature, file)) = digested.get(path) else { return Ok(()) };
            let metadata = opened.metadata().map_err(|error| Error::io("cannot read", path, error))?;
            if Signature::of(&metadata) == *signature { Ok(()) } else { Err(changed(file)) }
        })))
    }

    /// A permutation file: the very bytes that were digested.
    fn read_permutation(&self, file: &FileNode, digest: Blake3) -> Result<Value> {
        let path = &file.path.resolved;
        let bytes = std::fs::read(path).map_err(|error| Error::io("cannot read the permutation", path, error))?;
        if Blake3::of(&bytes) != digest {
            return Err(changed(file));
        }
        let read: Result<Permutation> = permutation::read_permutation(&bytes);
        let permutation = read.map_err(|error| error.context(format!("cannot use the permutation `{}`", path.display())))?;
        Ok(Value::Permutation(Arc::new(permutation)))
    }
}

fn changed(file: &FileNode) -> Error {
    Error::new(format!("`{}` changed while it was read", file.path.typed))
        .help("wait until whoever writes it is done, then run the same command again")
}

/// `nn-<first 12 digits>.nnue`: the name under which the testing framework and the engine know a net.
pub(crate) fn net_name(sha256: &Sha256) -> String {
    format!("nn-{}.nnue", sha256.short())
}

/// What a write action writes.
enum Content {
    Integers(Arc<QuantizedNetwork>, Compression),
    Floats(Box<Network<Factorized>>, FloatTarget),
}

/// The network with the manifest's description, if there is one.
fn described(mut network: Network<Factorized>, description: Option<&str>) -> Network<Factorized> {
    if let Some(description) = description {
        network.description = description.as_bytes().to_vec();
    }
    network
}

fn float_target(format: FileFormat) -> FloatTarget {
    match format {
        FileFormat::Safetensors => FloatTarget::Safetensors,
        FileFormat::Npz => FloatTarget::Npz,
        FileFormat::Pt | FileFormat::Nnue => FloatTarget::StateDict,
    }
}

fn search_params(params: &Search) -> SearchParams {
    let Search { algorithm, seed, moves } = *params;
    SearchParams { algorithm, seed, moves, time_limit: None }
}

fn wrong_value(stage: &str) -> Error {
    Error::new(format!("{stage} got a result of another kind: the source changed its kind while it was read"))
        .help("run the same command again")
}
