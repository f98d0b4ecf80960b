//! A read-only cursor over what a pickle holds, and the allow-list that turns inert objects into tensors.
//!
//! Boundary: knows how PyTorch describes tensors and containers; what a network is, others decide.

use std::sync::Arc;

use super::{
    TorchFile,
    pickle::{Id, Node, ObjectNode, Pickle, StorageNode, kind},
};
use crate::{
    error::{Error, Result},
    format::tensor::{DType, MAX_RANK, Storage, TensorView},
};

/// A value of the file. Copying it copies an index.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    file: &'a TorchFile,
    id: Id,
}

/// A plain number or text.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A bool.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
}

impl<'a> Value<'a> {
    pub(super) fn new(file: &'a TorchFile, id: Id) -> Self {
        Self { file, id }
    }

    pub(super) fn id(self) -> Id {
        self.id
    }

    fn at(self, id: Id) -> Self {
        Self { id, ..self }
    }

    fn node(self) -> &'a Node {
        self.file.pickle.node(self.id)
    }

    fn object(self) -> Option<&'a ObjectNode> {
        match self.node() {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// What it is, for messages: `a dict`, or ``a `model.nnue.NNUE` object``.
    pub fn kind(self) -> String {
        match self.class() {
            Some(class) => format!("a `{}` object", class.chars().take(200).collect::<String>().escape_debug()),
            None => kind(self.node()).to_owned(),
        }
    }

    /// True for `None`.
    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// The bool, where it is one.
    pub fn as_bool(self) -> Option<bool> {
        match *self.node() {
            Node::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, where it is one of at most 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        match *self.node() {
            Node::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The number, where it is a float or an integer that a float holds exactly.
    pub fn as_f64(self) -> Option<f64> {
        match *self.node() {
            Node::Float(value) => Some(value),
            Node::Int(value) if value.unsigned_abs() <= 1 << 53 => Some(value as f64),
            _ => None,
        }
    }

    /// The text, where it is text.
    pub fn as_str(self) -> Option<&'a str> {
        match self.node() {
            Node::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, where it is a `bytes` or `bytearray` object, or a text of Python 2 that is not UTF-8.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.node() {
            Node::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number or text, where it is one.
    pub fn as_scalar(self) -> Option<Scalar> {
        match self.node() {
            Node::Bool(value) => Some(Scalar::Bool(*value)),
            Node::Int(value) => Some(Scalar::Int(*value)),
            Node::Float(value) => Some(Scalar::Float(*value)),
            Node::Str(text) => Some(Scalar::Str(text.to_string())),
            _ => None,
        }
    }

    /// Module and name, where it is a class or function.
    pub fn as_global(self) -> Option<(&'a str, &'a str)> {
        match self.node() {
            &Node::Global(module, name) => Some((self.file.pickle.text(module), self.file.pickle.text(name))),
            _ => None,
        }
    }

    /// `module.Class` of an object, or of the function that would have made it.
    pub fn class(self) -> Option<String> {
        let mut callee = self.at(self.object()?.callee);
        // A callee may itself be the result of a call; a few steps are enough to name one.
        for _ in 0..8 {
            match (callee.as_global(), callee.object()) {
                (Some((module, name)), _) => return Some(format!("{module}.{name}")),
                (None, Some(object)) => callee = self.at(object.callee),
                (None, None) => break,
            }
        }
        Some("?".into())
    }

    /// Module and name of an object's class or maker, where that is a plain name.
    pub(super) fn callee(self) -> Option<(&'a str, &'a str)> {
        self.at(self.object()?.callee).as_global()
    }

    /// What was called to make this object.
    pub(super) fn callee_value(self) -> Option<Self> {
        Some(self.at(self.object()?.callee))
    }

    /// Constructor arguments of an object; empty for anything else.
    pub fn args(self) -> Vec<Self> {
        self.arg_ids().iter().map(|&id| self.at(id)).collect()
    }

    /// Constructor argument `i`.
    pub(super) fn arg(self, i: usize) -> Option<Self> {
        self.arg_ids().get(i).map(|&id| self.at(id))
    }

    fn arg_ids(self) -> &'a [Id] {
        match self.object().map(|object| self.at(object.args).node()) {
            Some(Node::Tuple(ids)) => ids,
            _ => &[],
        }
    }

    /// True for what a call would have made.
    pub(super) fn is_object(self) -> bool {
        self.object().is_some()
    }

    /// The state that an object was given: usually the dict of its attributes.
    pub fn state(self) -> Option<Self> {
        Some(self.at(self.object()?.state?))
    }

    /// An object's attribute.
    pub fn attr(self, name: &str) -> Option<Self> {
        let state = self.state()?;
        match state.node() {
            // A class with slots has the state (dict or None, dict of slots).
            Node::Tuple(parts) if parts.len() == 2 => parts.iter().rev().find_map(|&part| self.at(part).get(name)),
            _ => state.get(name),
        }
    }

    /// All attributes of an object, in order.
    pub(super) fn attrs(self) -> Vec<(Self, Self)> {
        let Some(state) = self.state() else { return Vec::new() };
        match state.node() {
            Node::Tuple(parts) if parts.len() == 2 => parts.iter().filter_map(|&part| self.at(part).items()).flatten().collect(),
            _ => state.items().unwrap_or_default(),
        }
    }

    /// Keys and values in order, where it is a dict or an instance of a subclass of `dict`.
    pub fn items(self) -> Option<Vec<(Self, Self)>> {
        let pairs = |pairs: &[(Id, Id)]| pairs.iter().map(|&(key, value)| (self.at(key), self.at(value))).collect::<Vec<_>>();
        match self.node() {
            Node::Dict(items) => Some(pairs(items)),
            Node::Object(object) if !object.items.is_empty() => Some(pairs(&object.items)),
            Node::Object(_) => match self.callee()? {
                ("collections", "OrderedDict" | "Counter") | ("builtins" | "__builtin__", "dict") => {
                    // Python 2 handed the items to the constructor, as a list of pairs.
                    let given = self.arg(0).and_then(|list| list.members()).unwrap_or_default();
                    {
                        let pair = |pair: Self| match pair.member_ids() {
                            Some(&[key, value]) => Some((self.at(key), self.at(value))),
                            _ => None,
                        };
                        given.into_iter().map(pair).collect()
                    }
                }
                ("collections", "defaultdict") => Some(Vec::new()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a text key, where it is a dict that has it. Of equal keys the last counts, as in Python.
    pub fn get(self, key: &str) -> Option<Self> {
        let found = |items: &[(Id, Id)]| items.iter().rev().find(|&&(k, _)| self.at(k).as_str() == Some(key)).map(|&(_, v)| self.at(v));
        match self.node() {
            Node::Dict(items) => found(items),
            Node::Object(object) if !object.items.is_empty() => found(&object.items),
            Node::Object(_) => self.items()?.into_iter().rev().find(|(k, _)| k.as_str() == Some(key)).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Members in order, where it is a list, tuple, set or an instance of a subclass of `list`.
    pub fn members(self) -> Option<Vec<Self>> {
        Some(self.member_ids()?.iter().map(|&id| self.at(id)).collect())
    }

    fn member_ids(self) -> Option<&'a [Id]> {
        match self.node() {
            Node::List(ids) | Node::Set(ids) => Some(ids),
            Node::Tuple(ids) => Some(ids),
            Node::Object(object) if !object.appended.is_empty() => Some(&object.appended),
            Node::Object(_) => match self.callee()? {
                ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "tuple") | ("torch", "Size") => match self.arg(0)?.node() {
                    Node::List(ids) => Some(ids),
                    Node::Tuple(ids) => Some(ids),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// True for data that cannot hide weights or code: numbers, text, containers, and a few harmless classes.
    pub(super) fn is_plain(self) -> bool {
        match self.node() {
            Node::Object(_) => matches!(
                self.callee(),
                Some(
                    ("collections", "OrderedDict" | "defaultdict" | "Counter")
                        | ("builtins" | "__builtin__", "set" | "frozenset" | "list" | "dict" | "bytearray" | "complex")
                        | ("torch", "Size" | "device")
                        | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar")
                        | ("_codecs", "encode")
                )
            ),
            Node::Global(..) => self.as_global().is_some_and(|(module, _)| module == "torch"),
            _ => true,
        }
    }

    /// The tensor, where it is one: `None` for anything that PyTorch would not rebuild as a tensor.
    ///
    /// An error inside says why this one tensor cannot be read; others of the file may be fine.
    pub fn tensor(self) -> Option<Result<TensorView>> {
        self.rebuild(8)
    }

    fn rebuild(self, depth: usize) -> Option<Result<TensorView>> {
        /// More arguments than any function of PyTorch that rebuilds tensors takes.
        const MAX_ARGS: usize = 16;
        let (module, name) = self.callee()?;
        let args = if self.arg_ids().len() <= MAX_ARGS { self.args() } else { Vec::new() };
        match (module, name) {
            ("torch._utils", "_rebuild_tensor") if args.len() == 4 => Some(self.rebuild_strided(&args, None, None)),
            ("torch._utils", "_rebuild_tensor_v2") if matches!(args.len(), 6 | 7) => {
                Some(self.rebuild_strided(&args, None, args.get(6).copied()))
            }
            ("torch._utils", "_rebuild_tensor_v3") if matches!(args.len(), 7 | 8) => {
                let dtype = args.get(6).and_then(|dtype| dtype.as_global());
                Some(match dtype.and_then(|(module, name)| (module == "torch").then(|| DType::from_name(name)).flatten()) {
                    Some(dtype) => self.rebuild_strided(&args, Some(dtype), args.get(7).copied()),
                    None => Err(Error::new("the tensor's element type is unknown")),
                })
            }
            ("torch._utils", "_rebuild_qtensor") if args.len() == 7 => Some(self.rebuild_strided(&args, None, None)),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") if matches!(args.len(), 3 | 4) => {
                let data = args.first()?;
                Some(match data.rebuild(depth.checked_sub(1)?) {
                    Some(tensor) => tensor,
                    None => Err(Error::new(format!("the parameter holds {}, no tensor", data.kind()))),
                })
            }
            ("torch._tensor", "_rebuild_from_type_v2") if args.len() == 4 => {
                // (function, class, arguments, state): a tensor of a subclass or with attributes.
                let (function, inner) = (args.first()?.as_global()?, args.get(2)?);
                let inner = inner.members().filter(|_| inner.member_ids().is_some_and(|ids| ids.len() <= MAX_ARGS))?;
                Some(match function {
                    ("torch._utils", "_rebuild_tensor_v2") if matches!(inner.len(), 6 | 7) => {
                        self.rebuild_strided(&inner, None, inner.get(6).copied())
                    }
                    ("torch._utils", "_rebuild_wrapper_subclass")
                        if args.get(1).is_some_and(|class| class.as_global().is_some_and(|(_, class)| is_sharded(class))) =>
                    {
                        Err(one_shard())
                    }
                    (_, other) => Err(Error::new(format!("a tensor that `{}` makes cannot be read", other.escape_debug()))),
                })
            }
            ("torch._utils", "_rebuild_meta_tensor_no_storage") => {
                Some(Err(Error::new("the tensor was saved without its data (device `meta`)")))
            }
            ("torch._utils", name) if name.starts_with("_rebuild_") => {
                Some(Err(Error::new(format!("a tensor that `torch._utils.{}` makes cannot be read", name.escape_debug()))
                    .because(format!("it has {} arguments; only dense tensors are supported", args.len()))))
            }
            _ => None,
        }
    }

    /// `args` begins with storage, offset, size, stride; `bits` is the metadata with PyTorch's lazy signs.
    fn rebuild_strided(self, args: &[Self], dtype: Option<DType>, bits: Option<Self>) -> Result<TensorView> {
        let wrong = |what: &str, found: Self| Error::new(format!("the tensor's {what} is {}", found.kind()));
        let (storage, offset, size, stride) = match args {
            [storage, offset, size, stride, ..] => (*storage, *offset, *size, *stride),
            _ => return Err(Error::new("the tensor has too few arguments")),
        };
        let Node::Storage(node) = storage.node() else { return Err(wrong("storage", storage)) };
        let (storage, stored, base) = self.file.storage(node)?;
        let dims = |what: &str, value: Self| -> Result<Vec<usize>> {
            let Some(members) = value.member_ids() else { return Err(wrong(what, value)) };
            // One more than a tensor may have, so that too many are noticed without reading them all.
            members.iter().take(MAX_RANK + 1).map(|&n| dimension(what, value.at(n))).collect()
        };
        let offset = dimension("storage offset", offset)?.checked_add(base);
        let offset = offset.ok_or_else(|| Error::new("the tensor's storage offset overflows"))?;
        let view = TensorView::new(storage, dtype.unwrap_or(stored), dims("size", size)?, dims("stride", stride)?, offset)?;
        let bits = match bits.map(|bits| (bits, bits.node())) {
            Some((bits, Node::Dict(items))) if items.len() <= 16 => Some(bits),
            None | Some((_, Node::None)) => None,
            Some((bits, _)) => return Err(wrong("metadata", bits)),
        };
        let bit = |name: &str| bits.and_then(|bits| bits.get(name)).and_then(|bit| bit.as_bool()).unwrap_or(false);
        Ok(view.with_bits(bit("neg"), bit("conj")))
    }
}

/// Classes of tensors that are spread over the processes of a training.
pub(super) fn is_sharded(class: &str) -> bool {
    matches!(class, "DTensor" | "ShardedTensor")
}

/// Of a tensor of such a class a file holds what one process had.
pub(super) fn one_shard() -> Error {
    Error::new("the tensor is one of a training that is spread over several processes (DTensor), and the file holds one part of it").help(
        "save whole tensors: `get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))` of \
         `torch.distributed.checkpoint.state_dict`",
    )
}

fn dimension(what: &str, value: Value) -> Result<usize> {
    match value.as_i64() {
        Some(n) => usize::try_from(n).map_err(|_| Error::new(format!("the tensor's {what} is negative ({n})"))),
        None => Err(Error::new(format!("the tensor's {what} holds {}, no integer of 64 bits", value.kind()))),
    }
}

impl TorchFile {
    /// The storage that a node refers to, the type of its elements, and the element at which it begins.
    fn storage(&self, node: &StorageNode) -> Result<(Arc<Storage>, DType, usize)> {
        let dtype = storage_dtype(&self.pickle, node)?;
        let key = self.pickle.text(node.key);
        if self.pickle.text(node.location) == "meta" {
            return Err(Error::new("the tensor was saved without its data (device `meta`)"));
        }
        let storage = self.storages.get(key);
        let key = key.chars().take(100).collect::<String>().escape_debug().to_string();
        let storage = storage.ok_or_else(|| Error::new(format!("the file has no storage `{key}`")))?;
        let needed = node.numel.checked_mul(dtype.size());
        if needed != Some(storage.len()) {
            return Err(Error::new(format!("storage `{key}` has the wrong size")).because(format!(
                "{} elements of `{}` were announced, {} bytes are there",
                node.numel,
                dtype.name(),
                storage.len()
            )));
        }
        let base = match node.part {
            Some((offset, len)) if offset.checked_add(len).is_none_or(|end| end > node.numel) => {
                return Err(Error::new(format!("a part of storage `{key}` lies outside of it")));
            }
            Some((offset, _)) => offset,
            None => 0,
        };
        Ok((storage.clone(), dtype, base))
    }
}

/// The type of the elements that the class of `node` holds.
pub(super) fn storage_dtype(pickle: &Pickle, node: &StorageNode) -> Result<DType> {
    let &Node::Global(module, name) = pickle.node(node.class) else {
        return Err(Error::new("a storage has no class"));
    };
    let (module, name) = (pickle.text(module), pickle.text(name));
    let dtype = match (module, name) {
        ("torch" | "torch.storage", "UntypedStorage") => Some(DType::U8),
        ("torch" | "torch.cuda" | "torch.storage", class) => DType::from_storage_class(class),
        _ => None,
    };
    dtype.ok_or_else(|| Error::new(format!("the storage class `{}.{}` is unknown", module.escape_debug(), name.escape_debug())))
}
