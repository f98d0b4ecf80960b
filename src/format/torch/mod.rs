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
    files::Bytes,
    format::{tensor::Storage, zip},
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

/// What one walk over the values may take. Shared references can make a small file look endless.
mod walk_limits {
    /// Levels of modules, attributes and containers.
    pub const DEPTH: usize = 100;
    /// References that are followed in any file …
    pub const VISITS: usize = 1 << 16;
    /// … and besides for each value of the pickle: an honest file has few values with more than one parent.
    pub const VISITS_PER_VALUE: usize = 4;
    /// Tensors or attributes that are found.
    pub const FOUND: usize = 1 << 14;
    /// Bytes of names, paths and texts.
    pub const TEXT: usize = 16 << 20;
}

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
            Err(Error::new(format!("this is not a PyTorch file but {}", guess(&bytes))).help("expected a file that `torch.save` wrote"))
        }
    }

    fn open_zip(bytes: Bytes) -> Result<Self> {
        let entries = zip::read(&bytes)?;
        let root = entries.first().and_then(|entry| entry.name.split_once('/')).map(|(root, _)| format!("{root}/"));
        let root = root.ok_or_else(|| Error::new("the zip archive is not a PyTorch file").because("its first entry lies in no folder"))?;
        let script =
            |entry: &zip::Entry| entry.name.strip_prefix(&root).is_some_and(|inner| inner == "constants.pkl" || inner.starts_with("code/"));
        if entries.iter().any(script) {
            return Err(Error::new("this is a TorchScript archive, which holds a program")
                .help("save the module's `state_dict()` with `torch.save` instead of the scripted module"));
        }
        // Not computed: `torch.serialization.set_crc32_options(False)`.
        let has_crc = entries.iter().any(|entry| entry.crc != 0);
        let mut records: HashMap<&str, &zip::Entry> = HashMap::new();
        let mut storages = HashMap::new();
        for entry in &entries {
            let name = entry.name.as_str();
            let Some(inner) = name.strip_prefix(&root) else {
                return Err(Error::new("the zip archive is not a PyTorch file").because(format!(
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
            if has_crc && !entry.matches_crc(content) {
                return Err(Error::new(format!("{shown} is damaged"))
                    .because(format!("it does not have the checksum {:08x} that the file states (CRC-32)", entry.crc))
                    .help("copy or download the file again"));
            }
            records.insert(inner, entry);
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
            Error::new("the zip archive is not a PyTorch file").because(format!("it has no entry `{}data.pkl`", root.escape_debug()))
        })?;
        let pickle = pickle::run(data, 0, Persistent::Zip)?;
        if pickle.len != data.len() {
            return Err(Error::new("cannot read the pickle").because(format!("{} bytes follow its `STOP`", data.len() - pickle.len)));
        }
        let storages = storages.into_iter().map(|(key, (entry, name))| {
            Ok((key, Arc::new(Storage::new(bytes.clone(), entry.range.clone(), big_endian, has_crc.then_some(entry.crc), name)?)))
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
        let global = |node: &Node| match *node {
            Node::Global(module, name) => Some((self.pickle.text(module), self.pickle.text(name))),
            _ => None,
        };
        let globals: BTreeSet<_> = self.pickle.nodes.iter().filter_map(global).collect();
        globals.into_iter().map(|(module, name)| format!("{module}.{name}")).collect()
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
    /// Understands a plain state_dict, one under any name where no other entry holds tensors, a training checkpoint with the key `state_dict` (plain data inside it is skipped:
    /// newer trainers keep optimizer and scheduler states there), a whole pickled module, and a module in constructor form
    /// as [`write_archive`] can write it.
    ///
    /// # Errors
    /// When the file is none of these, a name occurs twice, an entry is an object that is not a tensor, or one of the tensors
    /// cannot be read.
    pub fn state_dict(&self) -> Result<Vec<(String, TensorView)>> {
        self.state_dict_at(None)
    }

    /// As [`state_dict`](Self::state_dict), or the tensors of the dict or module to which the keys `chosen` lead, joined by `/`.
    ///
    /// # Errors
    /// As [`state_dict`](Self::state_dict), and when there is nothing at `chosen`.
    pub fn state_dict_at(&self, chosen: Option<&str>) -> Result<Vec<(String, TensorView)>> {
        let root = self.root();
        if let Some(path) = chosen {
            let found = self.at(root, path)?;
            if is_module(found) {
                let mut tensors = Vec::new();
                Walk::new(self).module(found, "", &mut tensors)?;
                return self.unique(tensors);
            }
            let shown = path.escape_debug();
            let items = found.items();
            let items =
                items.ok_or_else(|| Error::new(format!("`{shown}` in the file is {}, not a dict", found.kind())).about("state_dict"))?;
            return self.tensors_of(items).map_err(|error| error.context(format!("`{shown}` is not a dict of tensors")));
        }
        if let Some(items) = root.items() {
            return match root.get("state_dict") {
                Some(inner) => match inner.items() {
                    Some(items) => self.tensors_of(items),
                    None => Err(Error::new(format!("the entry `state_dict` is {}, not a dict", inner.kind()))),
                },
                None => self.tensors_of(only_dict_of_tensors(items)?),
            };
        }
        if let Some(given) = self.constructed_with(root) {
            let items = given.items().ok_or_else(|| Error::new(format!("the module's `state_dict` is {}, not a dict", given.kind())))?;
            return self.tensors_of(items);
        }
        if is_module(root) {
            let mut found = Vec::new();
            Walk::new(self).module(root, "", &mut found)?;
            if found.is_empty() {
                return Err(Error::new(format!("no network was found: the module, {}, holds no tensors", root.kind())));
            }
            return self.unique(found);
        }
        Err(Error::new(format!("no network was found: the file holds {}", root.kind()))
            .help("expected a state_dict, a training checkpoint with the key `state_dict`, or a pickled module"))
    }

    /// The value to which keys lead. A key may itself hold `/`.
    fn at<'a>(&'a self, root: Value<'a>, path: &str) -> Result<Value<'a>> {
        let mut value = root;
        let mut rest = path;
        loop {
            if let Some(found) = value.get(rest) {
                return Ok(found);
            }
            let step = rest.match_indices('/').find_map(|(at, _)| Some((value.get(&rest[..at])?, &rest[at + 1..])));
            let Some((inner, behind)) = step else { break };
            (value, rest) = (inner, behind);
        }
        let keys: Vec<_> = value.items().unwrap_or_default().iter().filter_map(|(key, _)| key.as_str()).take(12).map(shown_key).collect();
        Err(Error::new(format!("the file has no `{}`", path.escape_debug()))
            .because(format!("where `{}` is looked for, the keys are {}", rest.escape_debug(), list_of(&keys)))
            .help("correct or remove `state_dict`")
            .about("state_dict"))
    }

    fn tensors_of(&self, items: Vec<(Value<'_>, Value<'_>)>) -> Result<Vec<(String, TensorView)>> {
        let mut found = Vec::new();
        let mut walk = Walk::new(self);
        for (key, value) in &items {
            let Some(tensor) = value.tensor() else {
                if value.is_plain() {
                    continue;
                }
                let name = key.as_str().unwrap_or("?").escape_debug();
                if value.callee().is_some_and(|(_, class)| value::is_sharded(class)) {
                    return Err(in_tensor(key.as_str().unwrap_or("?"), value::one_shard()));
                }
                return Err(Error::new(format!("the entry `{name}` of the state_dict is {}, not a tensor", value.kind()))
                    .because("its class is not known to be harmless; nothing of it was executed")
                    .help("do not load this file with `torch.load(weights_only=False)` unless you trust who made it"));
            };
            let Some(name) = key.as_str() else {
                return Err(Error::new(format!("a tensor's name is {}, not text", key.kind())));
            };
            walk.found(name.len(), found.len())?;
            found.push((name.to_owned(), tensor.map_err(|error| in_tensor(name, error))?));
        }
        if found.is_empty() {
            let keys: Vec<_> = items.iter().filter_map(|(key, _)| key.as_str()).take(8).map(shown_key).collect();
            return Err(Error::new("no network was found: the file's dict holds no tensors")
                .because(format!("its keys are {}", list_of(&keys)))
                .help("where they lie deeper, `state_dict` says where: keys joined by `/`, such as `model/weights`"));
        }
        self.unique(found)
    }

    /// Refuses names that occur twice (which one counts would depend on the reader), and tensors far larger than the file.
    fn unique(&self, found: Vec<(String, TensorView)>) -> Result<Vec<(String, TensorView)>> {
        let mut budget = Budget::of(self);
        for (name, view) in &found {
            budget.take(view).map_err(|error| in_tensor(name, error))?;
        }
        let mut names = HashSet::new();
        match found.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((name, _)) => Err(Error::new(format!("the tensor `{}` occurs twice", name.escape_debug()))),
            None => Ok(found),
        }
    }

    /// The argument of `getattr(root, "load_state_dict")(…)`, where the pickle makes that call.
    fn constructed_with(&self, root: Value<'_>) -> Option<Value<'_>> {
        let ids = 0..self.pickle.nodes.len() as Id;
        ids.map(|id| Value::new(self, id)).find_map(|call| {
            let getattr = call.callee_value()?;
            let ("builtins" | "__builtin__", "getattr") = getattr.callee()? else { return None };
            let (object, name) = (getattr.arg(0)?, getattr.arg(1)?);
            (object.id() == root.id() && name.as_str() == Some("load_state_dict")).then(|| call.arg(0)).flatten()
        })
    }

    /// Every tensor of the file with the path of keys, indices and attributes that leads to it, joined by `/`.
    ///
    /// # Errors
    /// When shared references make far more paths than there are values, more than 16,384 tensors or 16 MiB of names are found, or values are nested deeper than 100 levels.
    pub fn tensors(&self) -> Result<Vec<(String, Result<TensorView>)>> {
        let mut found = Vec::new();
        let mut walk = Walk::new(self);
        walk.tensors(self.root(), String::new(), &mut found)?;
        let mut budget = Budget::of(self);
        let found = found.into_iter().map(|(name, view)| (name, view.and_then(|view| budget.take(&view).map(|()| view))));
        Ok(found.collect())
    }

    /// Numbers and texts that describe the network: the attributes of a pickled module by their path
    /// (`model.L1`, `config.features`; constructor arguments as `args.0.features`), or the top-level scalars and
    /// `hyper_parameters` of a checkpoint.
    ///
    /// # Errors
    /// Those of [`TorchFile::tensors`].
    pub fn attributes(&self) -> Result<Vec<(String, Scalar)>> {
        let mut found = Vec::new();
        let mut walk = Walk::new(self);
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

/// Bytes that the tensors of any file may have together …
const SMALL: u64 = 64 << 20;

/// … and how many times those of the file's storages, where that is more. Tensors that share weights have a few times as many.
const SHARED: u64 = 8;

/// What the tensors of one file may still become. A view repeats stored numbers as often as its strides say, and many views may be of one
/// storage: a file of some kilobytes can describe terabytes.
struct Budget {
    all: u64,
    left: u64,
}

impl Budget {
    fn of(file: &TorchFile) -> Self {
        let stored = file.storages.values().fold(0, |sum: u64, storage| sum.saturating_add(storage.len() as u64));
        let all = stored.saturating_mul(SHARED).max(SMALL);
        Self { all, left: all }
    }

    fn take(&mut self, view: &TensorView) -> Result<()> {
        let bytes = (view.numel() as u64).saturating_mul(view.dtype().size() as u64);
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => {
                return Err(Error::new("the tensors of the file are larger than what it holds")
                    .because(format!("they repeat stored numbers; together they may have {} bytes, this one has {bytes}", self.all))
                    .help("save the tensors as `tensor.clone()`, without shared or expanded storages"));
            }
        }
        Ok(())
    }
}

/// What trainers put around a state_dict: `{"model_state_dict": …, "optimizer": …}`. The items themselves where they hold tensors, or
/// where nothing below them does.
fn only_dict_of_tensors<'a>(items: Vec<(Value<'a>, Value<'a>)>) -> Result<Vec<(Value<'a>, Value<'a>)>> {
    /// Entries that are looked at; no honest file has more around its tensors.
    const ENTRIES: usize = 64;
    /// Entries among which one must be a tensor.
    const INNER: usize = 1024;
    let is_named_tensor = |(key, value): &(Value<'_>, Value<'_>)| key.as_str().is_some() && value.tensor().is_some();
    if items.iter().any(is_named_tensor) {
        return Ok(items);
    }
    let inner = items.iter().take(ENTRIES).filter_map(|(key, value)| Some((key.as_str()?, value.items()?)));
    let mut found: Vec<(&str, _)> = inner.filter(|(_, items)| items.iter().take(INNER).any(is_named_tensor)).collect();
    match (found.pop(), found.as_slice()) {
        (None, _) => Ok(items),
        (Some((_, only)), []) => Ok(only),
        (Some(last), others) => {
            let names: Vec<String> = others.iter().map(|(name, _)| *name).chain([last.0]).map(shown_key).collect();
            let example = others.first().map_or(last.0, |(name, _)| *name).escape_debug();
            Err(Error::new("the file holds several dicts of tensors, and nothing says which is the network")
                .because(format!("they are {}", names.join(", ")))
                .help(format!("say which is meant: `state_dict = \"{example}\"`"))
                .about("state_dict"))
        }
    }
}

/// A key as messages show it.
fn shown_key(key: &str) -> String {
    format!("`{}`", key.chars().take(100).collect::<String>().escape_debug())
}

fn list_of(keys: &[String]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

fn is_module(value: Value) -> bool {
    ["_parameters", "_modules"].iter().any(|name| value.attr(name).is_some_and(|members| members.items().is_some()))
}

/// A walk over values that ends on cycles and on files that are small but have endlessly many paths.
struct Walk {
    visits: usize,
    max_visits: usize,
    text: usize,
    ancestors: Vec<Id>,
}

impl Walk {
    fn new(file: &TorchFile) -> Self {
        let max_visits = walk_limits::VISITS + walk_limits::VISITS_PER_VALUE * file.pickle.nodes.len();
        Self { visits: 0, max_visits, text: 0, ancestors: Vec::new() }
    }

    /// Runs `f` one level deeper; does nothing where `value` is its own ancestor.
    fn inside(&mut self, value: Value, f: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.ancestors.contains(&value.id()) {
            return Ok(());
        }
        if self.ancestors.len() >= walk_limits::DEPTH {
            return Err(Error::new(format!("values are nested deeper than {} levels", walk_limits::DEPTH)));
        }
        self.ancestors.push(value.id());
        f(self)?;
        self.ancestors.pop();
        Ok(())
    }

    /// Accounts for `references` that are about to be followed.
    fn visit(&mut self, references: usize) -> Result<()> {
        self.visits = self.visits.saturating_add(references);
        if self.visits > self.max_visits {
            return Err(Error::new("the file's values refer to each other in too many ways"));
        }
        Ok(())
    }

    /// Accounts for `bytes` of text.
    fn text(&mut self, bytes: usize) -> Result<()> {
        self.text = self.text.saturating_add(bytes);
        if self.text > walk_limits::TEXT {
            return Err(Error::new("the names in the file have more than 16 MiB together"));
        }
        Ok(())
    }

    /// Accounts for one find with `bytes` of text, after `others`.
    fn found(&mut self, bytes: usize, others: usize) -> Result<()> {
        if others >= walk_limits::FOUND {
            return Err(Error::new(format!("the file seems to hold more than {} tensors or attributes", walk_limits::FOUND)));
        }
        self.text(bytes)
    }

    fn join(&mut self, path: &str, separator: &str, part: &str) -> Result<String> {
        self.text(path.len() + separator.len() + part.len())?;
        Ok(if path.is_empty() { part.to_owned() } else { format!("{path}{separator}{part}") })
    }

    /// Entries of a dict (or of an object that is one) and attributes, accounted for.
    fn entries<'a>(&mut self, value: Value<'a>) -> Result<Vec<(Value<'a>, Value<'a>)>> {
        let mut entries = value.items().unwrap_or_default();
        entries.extend(value.attrs());
        self.visit(entries.len() + 1)?;
        Ok(entries)
    }

    fn members<'a>(&mut self, value: Value<'a>) -> Result<Vec<Value<'a>>> {
        let members = value.members().unwrap_or_default();
        self.visit(members.len())?;
        Ok(members)
    }

    /// Collects what `Module.state_dict()` would: parameters, persistent buffers, then the modules inside, depth first.
    fn module(&mut self, module: Value, prefix: &str, found: &mut Vec<(String, TensorView)>) -> Result<()> {
        if self.ancestors.contains(&module.id()) {
            return Err(Error::new(format!("the module `{}` contains itself", prefix.escape_debug())));
        }
        self.inside(module, |walk| {
            // Each table is looked up among the attributes, so each lookup costs as much as there are attributes.
            walk.entries(module)?;
            let transient = match module.attr("_non_persistent_buffers_set") {
                Some(set) => walk.members(set)?.into_iter().filter_map(|name| name.as_str()).collect(),
                None => HashSet::new(),
            };
            for table in ["_parameters", "_buffers", "_modules"] {
                let Some(members) = module.attr(table) else { continue };
                for (key, value) in walk.entries(members)? {
                    let Some(key) = key.as_str() else {
                        return Err(Error::new(format!("a name in `{table}` of the module is {}, not text", key.kind())));
                    };
                    if value.is_none() || table == "_buffers" && transient.contains(key) {
                        continue;
                    }
                    let name = walk.join(prefix, ".", key)?;
                    if table == "_modules" {
                        walk.module(value, &name, found)?;
                        continue;
                    }
                    let Some(tensor) = value.tensor() else {
                        let found = format!("`{}` in `{table}` of the module is {}, not a tensor", name.escape_debug(), value.kind());
                        return Err(Error::new(found));
                    };
                    let tensor = tensor.map_err(|error| in_tensor(&name, error))?;
                    walk.found(0, found.len())?;
                    found.push((name, tensor));
                }
            }
            Ok(())
        })
    }

    fn tensors(&mut self, value: Value, path: String, found: &mut Vec<(String, Result<TensorView>)>) -> Result<()> {
        if let Some(tensor) = value.tensor() {
            self.found(0, found.len())?;
            found.push((path, tensor));
            return Ok(());
        }
        self.inside(value, |walk| {
            let holds_none =
                |value: Value| value.is_none() || value.as_bool().is_some() || value.as_f64().is_some() || value.as_str().is_some();
            for (key, member) in walk.entries(value)? {
                if holds_none(member) {
                    continue;
                }
                let path = walk.join(&path, "/", &key_text(key))?;
                walk.tensors(member, path, found)?;
            }
            for (i, member) in walk.members(value)?.into_iter().enumerate() {
                if holds_none(member) {
                    continue;
                }
                let path = walk.join(&path, "/", &i.to_string())?;
                walk.tensors(member, path, found)?;
            }
            Ok(())
        })
    }

    fn attributes(&mut self, value: Value, path: String, found: &mut Vec<(String, Scalar)>) -> Result<()> {
        if let Some(scalar) = value.as_scalar() {
            self.found(value.as_str().map_or(0, str::len), found.len())?;
            found.push((path, scalar));
            return Ok(());
        }
        if value.tensor().is_some() {
            return Ok(());
        }
        self.inside(value, |walk| {
            for (key, member) in walk.entries(value)? {
                let Some(key) = key.as_str() else { continue };
                match key {
                    "_parameters" | "_buffers" | "_non_persistent_buffers_set" => {}
                    "_modules" => walk.attributes(member, path.clone(), found)?,
                    _ => {
                        let path = walk.join(&path, ".", key)?;
                        walk.attributes(member, path, found)?;
                    }
                }
            }
            let (members, prefix) = if value.is_object() { (value.args(), "args.") } else { (value.members().unwrap_or_default(), "") };
            walk.visit(members.len())?;
            for (i, member) in members.into_iter().enumerate() {
                let path = walk.join(&path, ".", &format!("{prefix}{i}"))?;
                walk.attributes(member, path, found)?;
            }
            Ok(())
        })
    }
}

/// A key as a part of a path; texts are not longer than a walk can take.
fn key_text(key: Value) -> String {
    if let Some(text) = key.as_str() {
        let end = (0..=text.len().min(walk_limits::TEXT)).rev().find(|&end| text.is_char_boundary(end));
        return text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned();
    }
    match key.as_scalar() {
        Some(Scalar::Int(value)) => value.to_string(),
        Some(Scalar::Float(value)) => value.to_string(),
        Some(Scalar::Bool(true)) => "True".into(),
        Some(Scalar::Bool(false)) => "False".into(),
        _ => key.kind(),
    }
}

/// What bytes that are not a PyTorch file seem to be.
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
