//! PyTorch files: zip and legacy containers, a pickle machine that calls nothing, tensor views, writers.
//!
//! ```text
//! bytes ─ container (zip | legacy) ─ pickle machine ─ inert values ─┬─ Value: a cursor for the layer above
//!                                                                   ├─ state_dict(): names and TensorViews
//!                                                                   └─ attributes(): scalars of pickled modules
//! ```
//!
//! Nothing of a file is executed or imported. Tensors are read where they lie in the mapped file; their checksum is checked
//! when their data is first taken. Whatever is wrong with one tensor is an error of that tensor, not of the file.
//!
//! # Limitations
//! TorchScript archives, tar files and zip archives with compressed entries are refused. Sparse, nested and `meta` tensors
//! are errors when they are asked for. The modules of the pickle machine and the legacy
//! container name theirs.

mod legacy;
mod pickle;
mod value;
mod write;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use self::pickle::{Id, Node, Persistent, Pickle};
pub use self::{
    pickle::limits,
    value::{Scalar, Value},
    write::{PickleValue, write_archive, write_state_dict},
};
pub use crate::format::tensor::{DType, Source, TensorOut, TensorView};
use crate::{
    error::{Error, Result},
    format::{bytes::Bytes, tensor::Storage, zip},
};

/// How the file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// A zip archive (PyTorch 1.6 and later).
    Zip,
    /// Pickles and storages in a row.
    Legacy,
}

/// A parsed file: its values, and where its tensors' bytes lie.
#[derive(Debug)]
pub struct TorchFile {
    container: Container,
    big_endian: bool,
    pickle: Pickle,
    storages: HashMap<Box<str>, Arc<Storage>>,
}

/// Depth to which modules, attributes and containers are followed.
const MAX_DEPTH: usize = 100;
/// Values that one walk visits; shared references can make a small file look endless.
const MAX_VISITS: usize = 1 << 20;

impl TorchFile {
    /// Maps and parses the file at `path`.
    ///
    /// # Errors
    /// Those of [`Bytes::map`] and [`TorchFile::open`], with the path.
    pub fn open_path(path: &Path) -> Result<Self> {
        Self::open(Bytes::map(path)?).map_err(|error| error.context(format!("cannot read `{}` as a PyTorch file", path.display())))
    }

    /// Parses a file; the container is told by its content. Tensor data is not touched.
    ///
    /// # Errors
    /// When the container or the pickle is damaged, hostile or unknown; the message names the place and the reason.
    pub fn open(bytes: Bytes) -> Result<Self> {
        if bytes.starts_with(zip::MAGIC) {
            Self::open_zip(bytes)
        } else if legacy::is_legacy(&bytes) {
            let (pickle, ranges) = legacy::read(&bytes)?;
            let storage = |(key, range): (Box<str>, _)| {
                let name = format!("storage `{}`", key.escape_debug());
                Ok((key, Arc::new(Storage::new(bytes.clone(), range, false, None, name)?)))
            };
            let storages = ranges.into_iter().map(storage).collect::<Result<_>>()?;
            Ok(Self { container: Container::Legacy, big_endian: false, pickle, storages })
        } else {
            Err(Error::new(format!("this is no PyTorch file but {}", guess(&bytes))).help("expected a file that `torch.save` wrote"))
        }
    }

    fn open_zip(bytes: Bytes) -> Result<Self> {
        let entries = zip::read(&bytes)?;
        let root = entries.first().and_then(|entry| entry.name.split_once('/')).map(|(root, _)| format!("{root}/"));
        let root = root.ok_or_else(|| Error::new("the zip archive is no PyTorch file").because("its first entry lies in no folder"))?;
        let mut records: HashMap<&str, &zip::Entry> = HashMap::new();
        let mut storages = HashMap::new();
        for entry in &entries {
            let name = entry.name.as_str();
            let Some(inner) = name.strip_prefix(&root) else {
                return Err(Error::new("the zip archive is no PyTorch file").because(format!(
                    "entry `{}` is not in the folder `{}`",
                    name.escape_debug(),
                    root.escape_debug()
                )));
            };
            if entry.deflated {
                return Err(Error::new(format!("entry `{}` of the PyTorch file is compressed", name.escape_debug()))
                    .because("PyTorch stores its entries without compression; someone packed this archive anew")
                    .help("unpack it and pack it again with `zip -0 -r`, or load and save it with PyTorch"));
            }
            let shown = format!("record `{}`", name.escape_debug());
            if let Some(key) = inner.strip_prefix("data/") {
                storages.insert(Box::from(key), (entry, shown));
                continue;
            }
            let content = bytes.get(entry.range.clone()).unwrap_or_default();
            if !entry.matches_crc(content) {
                return Err(Error::new(format!("{shown} is damaged"))
                    .because(format!("it does not have the checksum {:08x} that the file states (CRC-32)", entry.crc))
                    .help("copy or download the file again"));
            }
            records.insert(inner, entry);
        }
        if records.keys().any(|name| *name == "constants.pkl" || name.starts_with("code/")) {
            return Err(Error::new("this is a TorchScript archive, which holds a program")
                .help("save the module's `state_dict()` with `torch.save` instead of the scripted module"));
        }
        let record = |name: &str| records.get(name).and_then(|entry| bytes.get(entry.range.clone()));
        if let Some(version) = record("version").or_else(|| record(".data/version")) {
            let known = std::str::from_utf8(version).ok().and_then(|text| text.trim().parse::<u32>().ok()).filter(|v| (1..=10).contains(v));
            known.ok_or_else(|| {
                let shown = String::from_utf8_lossy(version.get(..20).unwrap_or(version)).trim().escape_debug().to_string();
                Error::new(format!("version `{shown}` of PyTorch's file format is unknown")).because("versions 1 to 10 are known")
            })?;
        }
        let big_endian = match record("byteorder") {
            None | Some(b"little") => false,
            Some(b"big") => true,
            Some(other) => {
                let shown = String::from_utf8_lossy(other.get(..20).unwrap_or(other)).escape_debug().to_string();
                return Err(Error::new(format!("the byte order `{shown}` of the PyTorch file is neither `little` nor `big`")));
            }
        };
        let data = record("data.pkl").ok_or_else(|| {
            Error::new("the zip archive is no PyTorch file").because(format!("it has no entry `{}data.pkl`", root.escape_debug()))
        })?;
        let pickle = pickle::run(data, 0, Persistent::Zip)?;
        if pickle.len != data.len() {
            return Err(Error::new("cannot read the pickle").because(format!("{} bytes follow its `STOP`", data.len() - pickle.len)));
        }
        let storages = storages.into_iter().map(|(key, (entry, name))| {
            Ok((key, Arc::new(Storage::new(bytes.clone(), entry.range.clone(), big_endian, Some(entry.crc), name)?)))
        });
        let storages = storages.collect::<Result<_>>()?;
        Ok(Self { container: Container::Zip, big_endian, pickle, storages })
    }

    /// How the file is laid out.
    pub fn container(&self) -> Container {
        self.container
    }

    /// True when the file says that its numbers are big-endian.
    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// The value that was saved.
    pub fn root(&self) -> Value<'_> {
        Value::new(self, self.pickle.root)
    }

    /// Every class and function that the file names, as `module.name`, sorted: what Python would import.
    pub fn globals(&self) -> Vec<String> {
        let global = |node: &Node| match node {
            Node::Global(names) => Some(format!("{}.{}", names.0, names.1)),
            _ => None,
        };
        self.pickle.nodes.iter().filter_map(global).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Checks the checksum of every storage, used or not.
    ///
    /// # Errors
    /// Names the first damaged record in the file.
    pub fn verify_storages(&self) -> Result<()> {
        let mut storages: Vec<_> = self.storages.values().collect();
        storages.sort_by_key(|storage| storage.range().start);
        storages.into_iter().try_for_each(|storage| storage.data().map(drop))
    }

    /// The network's tensors by their names, in the file's order.
    ///
    /// Understands a plain state_dict, a training checkpoint with the key `state_dict` (plain data inside it is skipped:
    /// newer trainers keep optimizer and scheduler states there), a whole pickled module, and a module in constructor form
    /// as [`write_archive`] can write it.
    ///
    /// # Errors
    /// When the file is none of these, a name occurs twice, an entry is an object that is no tensor, or one of the tensors
    /// cannot be read.
    pub fn state_dict(&self) -> Result<Vec<(String, TensorView)>> {
        let root = self.root();
        if let Some(items) = root.items() {
            return match root.get("state_dict") {
                Some(inner) => match inner.items() {
                    Some(items) => self.tensors_of(items),
                    None => Err(Error::new(format!("the entry `state_dict` is {}, not a dict", inner.kind()))),
                },
                None => self.tensors_of(items),
            };
        }
        if let Some(given) = self.constructed_with(root) {
            let items = given.items().ok_or_else(|| Error::new(format!("the module's `state_dict` is {}, not a dict", given.kind())))?;
            return self.tensors_of(items);
        }
        if is_module(root) {
            let mut found = Vec::new();
            let mut visits = 0;
            walk_module(root, String::new(), 0, &mut visits, &mut found)?;
            return unique(found);
        }
        Err(Error::new(format!("no network was found: the file holds {}", root.kind()))
            .help("expected a state_dict, a training checkpoint with the key `state_dict`, or a pickled module"))
    }

    fn tensors_of(&self, items: Vec<(Value<'_>, Value<'_>)>) -> Result<Vec<(String, TensorView)>> {
        let mut found = Vec::new();
        for (key, value) in &items {
            let Some(tensor) = value.tensor() else {
                if value.is_plain() {
                    continue;
                }
                let name = key.as_str().unwrap_or("?").escape_debug();
                return Err(Error::new(format!("the entry `{name}` of the state_dict is {}, not a tensor", value.kind()))
                    .because("its class is not known to be harmless; nothing of it was executed")
                    .help("do not load this file with `torch.load(weights_only=False)` unless you trust who made it"));
            };
            let Some(name) = key.as_str() else {
                return Err(Error::new(format!("a tensor's name is {}, not text", key.kind())));
            };
            found.push((name.to_owned(), tensor.map_err(|error| in_tensor(name, error))?));
        }
        if found.is_empty() {
            let keys: Vec<_> =
                items.iter().filter_map(|(key, _)| key.as_str()).take(8).map(|key| format!("`{}`", key.escape_debug())).collect();
            return Err(Error::new("no network was found: the file's dict holds no tensors")
                .because(format!("its keys are {}", if keys.is_empty() { "none".into() } else { keys.join(", ") })));
        }
        unique(found)
    }

    /// The argument of `getattr(root, "load_state_dict")(…)`, where the pickle makes that call.
    fn constructed_with(&self, root: Value<'_>) -> Option<Value<'_>> {
        let ids = 0..self.pickle.nodes.len() as Id;
        ids.map(|id| Value::new(self, id)).find_map(|call| {
            let getattr = call.callee_value()?;
            let ("builtins" | "__builtin__", "getattr") = getattr.callee()? else { return None };
            let args = getattr.args();
            let (object, name) = (args.first()?, args.get(1)?);
            (object.id() == root.id() && name.as_str() == Some("load_state_dict")).then(|| call.args().first().copied()).flatten()
        })
    }

    /// Every tensor of the file with the path of keys, indices and attributes that leads to it, joined by `/`.
    ///
    /// # Errors
    /// When shared references make more than a million paths, or values are nested deeper than 100 levels.
    pub fn tensors(&self) -> Result<Vec<(String, Result<TensorView>)>> {
        let mut found = Vec::new();
        let mut walk = Walk { visits: 0, ancestors: Vec::new() };
        walk.tensors(self.root(), String::new(), &mut found)?;
        Ok(found)
    }

    /// Numbers and texts that describe the network: the attributes of a pickled module by their path
    /// (`model.L1`, `config.features`; constructor arguments as `args.0.features`), or the top-level scalars and
    /// `hyper_parameters` of a checkpoint.
    ///
    /// # Errors
    /// Those of [`TorchFile::tensors`].
    pub fn attributes(&self) -> Result<Vec<(String, Scalar)>> {
        let mut found = Vec::new();
        let mut walk = Walk { visits: 0, ancestors: Vec::new() };
        let root = self.root();
        match root.items() {
            Some(items) => {
                for (key, value) in items {
                    let Some(key) = key.as_str() else { continue };
                    if let Some(scalar) = value.as_scalar() {
                        found.push((key.to_owned(), scalar));
                    } else if key == "hyper_parameters" {
                        walk.attributes(value, key.to_owned(), &mut found)?;
                    }
                }
            }
            None => walk.attributes(root, String::new(), &mut found)?,
        }
        Ok(found)
    }
}

fn in_tensor(name: &str, error: Error) -> Error {
    error.context(format!("tensor `{}` cannot be read", name.escape_debug()))
}

/// Refuses names that occur twice: which one counts would depend on the reader.
fn unique(found: Vec<(String, TensorView)>) -> Result<Vec<(String, TensorView)>> {
    let mut names = HashSet::new();
    match found.iter().find(|(name, _)| !names.insert(name.as_str())) {
        Some((name, _)) => Err(Error::new(format!("the tensor `{}` occurs twice", name.escape_debug()))),
        None => Ok(found),
    }
}

fn is_module(value: Value) -> bool {
    ["_parameters", "_modules"].iter().any(|name| value.attr(name).is_some_and(|members| members.items().is_some()))
}

/// Collects what `Module.state_dict()` would: parameters, persistent buffers, then the modules inside, depth first.
fn walk_module(module: Value, prefix: String, depth: usize, visits: &mut usize, found: &mut Vec<(String, TensorView)>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new(format!("modules are nested deeper than {MAX_DEPTH} levels")));
    }
    let transient: HashSet<&str> = module
        .attr("_non_persistent_buffers_set")
        .and_then(|set| set.members())
        .map(|members| members.into_iter().filter_map(|name| name.as_str()).collect())
        .unwrap_or_default();
    for (table, skips) in [("_parameters", false), ("_buffers", true), ("_modules", false)] {
        for (key, value) in module.attr(table).and_then(|table| table.items()).unwrap_or_default() {
            *visits += 1;
            if *visits > MAX_VISITS {
                return Err(Error::new("the module refers to more than a million parts"));
            }
            let Some(key) = key.as_str() else {
                return Err(Error::new(format!("a name in `{table}` of the module is {}, not text", key.kind())));
            };
            if value.is_none() || skips && transient.contains(key) {
                continue;
            }
            let name = format!("{prefix}{key}");
            if table == "_modules" {
                walk_module(value, format!("{name}."), depth + 1, visits, found)?;
                continue;
            }
            match value.tensor() {
                Some(tensor) => {
                    let tensor = tensor.map_err(|error| in_tensor(&name, error))?;
                    found.push((name, tensor));
                }
                None => {
                    return Err(Error::new(format!(
                        "`{}` in `{table}` of the module is {}, not a tensor",
                        name.escape_debug(),
                        value.kind()
                    )));
                }
            }
        }
    }
    Ok(())
}

/// A walk over values that ends on cycles and on files that are small but have endlessly many paths.
struct Walk {
    visits: usize,
    ancestors: Vec<Id>,
}

impl Walk {
    /// Runs `f` one level deeper; does nothing where `value` is its own ancestor.
    fn inside(&mut self, value: Value, f: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.ancestors.contains(&value.id()) {
            return Ok(());
        }
        if self.ancestors.len() >= MAX_DEPTH {
            return Err(Error::new(format!("values are nested deeper than {MAX_DEPTH} levels")));
        }
        self.ancestors.push(value.id());
        f(self)?;
        self.ancestors.pop();
        Ok(())
    }

    fn visit(&mut self) -> Result<()> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(Error::new("values refer to each other in more than a million ways"));
        }
        Ok(())
    }

    fn tensors(&mut self, value: Value, path: String, found: &mut Vec<(String, Result<TensorView>)>) -> Result<()> {
        self.visit()?;
        if let Some(tensor) = value.tensor() {
            found.push((path, tensor));
            return Ok(());
        }
        self.inside(value, |walk| {
            for (key, member) in value.items().into_iter().flatten().chain(value.attrs()) {
                walk.tensors(member, join(&path, '/', &key_text(key)), found)?;
            }
            for (i, member) in value.members().into_iter().flatten().enumerate() {
                walk.tensors(member, join(&path, '/', &i.to_string()), found)?;
            }
            Ok(())
        })
    }

    fn attributes(&mut self, value: Value, path: String, found: &mut Vec<(String, Scalar)>) -> Result<()> {
        self.visit()?;
        if let Some(scalar) = value.as_scalar() {
            found.push((path, scalar));
            return Ok(());
        }
        if value.tensor().is_some() {
            return Ok(());
        }
        self.inside(value, |walk| {
            for (key, member) in value.items().into_iter().flatten().chain(value.attrs()) {
                let Some(key) = key.as_str() else { continue };
                match key {
                    "_parameters" | "_buffers" | "_non_persistent_buffers_set" => {}
                    "_modules" => walk.attributes(member, path.clone(), found)?,
                    _ => walk.attributes(member, join(&path, '.', key), found)?,
                }
            }
            if value.class().is_some() {
                for (i, member) in value.args().into_iter().enumerate() {
                    walk.attributes(member, join(&path, '.', &format!("args.{i}")), found)?;
                }
            } else {
                for (i, member) in value.members().into_iter().flatten().enumerate() {
                    walk.attributes(member, join(&path, '.', &i.to_string()), found)?;
                }
            }
            Ok(())
        })
    }
}

fn join(path: &str, separator: char, part: &str) -> String {
    if path.is_empty() { part.to_owned() } else { format!("{path}{separator}{part}") }
}

fn key_text(key: Value) -> String {
    match key.as_scalar() {
        Some(Scalar::Str(text)) => text,
        Some(Scalar::Int(value)) => value.to_string(),
        Some(Scalar::Float(value)) => value.to_string(),
        Some(Scalar::Bool(true)) => "True".into(),
        Some(Scalar::Bool(false)) => "False".into(),
        None => key.kind(),
    }
}

/// What bytes that are no PyTorch file seem to be.
fn guess(bytes: &[u8]) -> &'static str {
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let text = head.trim_ascii_start().to_ascii_lowercase();
    if bytes.is_empty() {
        "an empty file"
    } else if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") {
        "an HTML page"
    } else if text.starts_with(b"version https://git-lfs") {
        "a git-lfs pointer: the content was never fetched (`git lfs pull`)"
    } else if bytes.get(257..262) == Some(b"ustar") {
        "a tar archive, the container of PyTorch before 0.1.10"
    } else if bytes.starts_with(b"PK") {
        "a zip archive that does not begin with an entry"
    } else if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        "a text file"
    } else {
        "something else"
    }
}
