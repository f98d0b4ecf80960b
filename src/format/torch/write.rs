//! Writes PyTorch files: the same tensors give the same bytes, and nothing in them needs trust to be read.
//!
//! The archive has what `torch.save` writes (`data.pkl`, `.format_version`, `.storage_alignment`, `byteorder`, `data/N`,
//! `version`), stored, each storage at a multiple of 64 bytes so that `torch.load(mmap=True)` works. Left out is
//! `.data/serialization_id`, a hash that PyTorch writes and never reads.
//!
//! # Limitations
//! The memo is not used: a text that occurs twice is written twice.

use std::io::Write;

use crate::{
    error::{Error, Result},
    format::{
        tensor::{DType, TensorOut},
        zip::{self, cannot_write},
    },
};

/// A value to be pickled. The names are Python's.
#[derive(Debug, Clone, PartialEq)]
pub enum PickleValue {
    /// `None`.
    None,
    /// A `bool`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `float`.
    Float(f64),
    /// A `str`.
    Str(String),
    /// A `tuple`.
    Tuple(Vec<Self>),
    /// A `list`.
    List(Vec<Self>),
    /// A `dict`, in this order.
    Dict(Vec<(Self, Self)>),
    /// A `collections.OrderedDict`.
    OrderedDict(Vec<(Self, Self)>),
    /// A class or function, by module and name.
    Global {
        /// Module, such as `model.config`.
        module: String,
        /// Name in it.
        name: String,
    },
    /// The result of a call.
    Reduce {
        /// Who is called.
        callee: Box<Self>,
        /// With which arguments.
        args: Vec<Self>,
    },
    /// An object whose `__setstate__` or `__dict__` is given a state.
    Build {
        /// The object, usually a [`PickleValue::Reduce`].
        object: Box<Self>,
        /// Usually a dict of attributes.
        state: Box<Self>,
    },
    /// An object of which a method is called for its effect, once it is complete; the result is dropped and the object
    /// is the value.
    Call {
        /// The object.
        object: Box<Self>,
        /// Name of the method.
        method: String,
        /// Its arguments.
        args: Vec<Self>,
    },
    /// The tensor of this index in the list that [`write_archive`] is given.
    Tensor(usize),
}

impl PickleValue {
    /// Text.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// A class or function.
    pub fn global(module: impl Into<String>, name: impl Into<String>) -> Self {
        Self::Global { module: module.into(), name: name.into() }
    }

    /// The result of calling `self`.
    #[must_use]
    pub fn reduce(self, args: Vec<Self>) -> Self {
        Self::Reduce { callee: Box::new(self), args }
    }

    /// `self` with the attributes `state`.
    #[must_use]
    pub fn build(self, state: Vec<(&str, Self)>) -> Self {
        let state = state.into_iter().map(|(name, value)| (Self::str(name), value)).collect();
        Self::Build { object: Box::new(self), state: Box::new(Self::Dict(state)) }
    }

    /// `self` after its method was called.
    #[must_use]
    pub fn call(self, method: impl Into<String>, args: Vec<Self>) -> Self {
        Self::Call { object: Box::new(self), method: method.into(), args }
    }
}

/// Writes `tensors` as a state_dict (an ordered dict of dense tensors) that `torch.load(weights_only=True)` reads.
///
/// # Errors
/// Those of `out` and of the sources; when a name occurs twice or a source does not fit its shape.
pub fn write_state_dict(out: &mut impl Write, tensors: &[TensorOut]) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        return Err(Error::new(format!("the tensor name `{}` occurs twice", twice.name.escape_debug())));
    }
    let items = tensors.iter().enumerate().map(|(i, tensor)| (PickleValue::str(&*tensor.name), PickleValue::Tensor(i)));
    write_archive(out, &PickleValue::OrderedDict(items.collect()), tensors)
}

/// Writes `root` as a PyTorch file. [`PickleValue::Tensor`] refers to `tensors`, whose names do not matter here.
///
/// # Errors
/// Those of `out` and of the sources; when a source does not fit its shape, or `root` refers to a tensor that is not there.
pub fn write_archive(out: &mut impl Write, root: &PickleValue, tensors: &[TensorOut]) -> Result<()> {
    let mut emitter = Emitter { out: vec![0x80, 2], tensors, memo: 0 };
    emitter.value(root)?;
    emitter.out.push(b'.');
    let pickle = emitter.out;
    let mut zip = zip::Writer::new(out);
    let small = |zip: &mut zip::Writer<_>, name: &str, content: &[u8]| {
        zip.entry(&format!("archive/{name}"), content.len() as u64, 64, &mut |out| out.write_all(content).map_err(cannot_write))
    };
    small(&mut zip, "data.pkl", &pickle)?;
    small(&mut zip, ".format_version", b"1")?;
    small(&mut zip, ".storage_alignment", b"64")?;
    small(&mut zip, "byteorder", b"little")?;
    for (i, tensor) in tensors.iter().enumerate() {
        zip.entry(&format!("archive/data/{i}"), tensor.len()?, 64, &mut |out| tensor.write_to(out))?;
    }
    small(&mut zip, "version", b"3\n")?;
    zip.finish()?;
    Ok(())
}

struct Emitter<'a> {
    out: Vec<u8>,
    tensors: &'a [TensorOut<'a>],
    memo: u32,
}

impl Emitter<'_> {
    fn value(&mut self, value: &PickleValue) -> Result<()> {
        match value {
            PickleValue::None => self.out.push(b'N'),
            PickleValue::Bool(value) => self.out.push(if *value { 0x88 } else { 0x89 }),
            PickleValue::Int(value) => self.int(*value),
            PickleValue::Float(value) => {
                self.out.push(b'G');
                self.out.extend_from_slice(&value.to_be_bytes());
            }
            PickleValue::Str(text) => self.text(text)?,
            PickleValue::Tuple(members) => self.tuple(members)?,
            PickleValue::List(members) => {
                self.out.extend_from_slice(b"](");
                members.iter().try_for_each(|member| self.value(member))?;
                self.out.push(b'e');
            }
            PickleValue::Dict(items) => {
                self.out.push(b'}');
                self.items(items)?;
            }
            PickleValue::OrderedDict(items) => {
                self.global("collections", "OrderedDict")?;
                self.out.extend_from_slice(b")R");
                self.items(items)?;
            }
            PickleValue::Global { module, name } => self.global(module, name)?,
            PickleValue::Reduce { callee, args } => {
                self.value(callee)?;
                self.tuple(args)?;
                self.out.push(b'R');
            }
            PickleValue::Build { object, state } => {
                self.value(object)?;
                self.value(state)?;
                self.out.push(b'b');
            }
            PickleValue::Call { object, method, args } => {
                self.value(object)?;
                let slot = self.memo.to_le_bytes();
                self.memo += 1;
                self.out.push(b'r');
                self.out.extend_from_slice(&slot);
                self.global("builtins", "getattr")?;
                self.out.push(b'j');
                self.out.extend_from_slice(&slot);
                self.text(method)?;
                self.out.extend_from_slice(b"\x86R");
                self.tuple(args)?;
                self.out.extend_from_slice(b"R0");
            }
            PickleValue::Tensor(index) => self.tensor(*index)?,
        }
        Ok(())
    }

    fn tensor(&mut self, index: usize) -> Result<()> {
        let tensor = self.tensors.get(index).ok_or_else(|| Error::new(format!("there is no tensor {index} to be pickled")))?;
        let (dtype, shape) = (tensor.dtype, &tensor.shape);
        let bytes = tensor.len()?;
        let mut stride = vec![1usize; shape.len()];
        for i in (1..shape.len()).rev() {
            stride[i - 1] = stride[i] * shape[i].max(1);
        }
        let (rebuild, class, numel) = match dtype.storage_class() {
            Some(class) => ("_rebuild_tensor_v2", ("torch", class), bytes / dtype.size() as u64),
            None => ("_rebuild_tensor_v3", ("torch.storage", "UntypedStorage"), bytes),
        };
        if matches!(dtype, DType::QI8 | DType::QU8 | DType::QI32) {
            return Err(Error::new(format!("a tensor of `{}` cannot be written without its scales", dtype.name())));
        }
        self.global("torch._utils", rebuild)?;
        self.out.extend_from_slice(b"((");
        self.text("storage")?;
        self.global(class.0, class.1)?;
        self.text(&index.to_string())?;
        self.text("cpu")?;
        self.int(i64::try_from(numel).map_err(|_| Error::new("the tensor is too large"))?);
        self.out.extend_from_slice(b"tQK\0");
        for dims in [shape, &stride] {
            self.out.push(b'(');
            dims.iter().for_each(|&n| self.int(n as i64));
            self.out.push(b't');
        }
        self.out.push(0x89);
        self.global("collections", "OrderedDict")?;
        self.out.extend_from_slice(b")R");
        if dtype.storage_class().is_none() {
            self.global("torch", dtype.name())?;
        }
        self.out.extend_from_slice(b"tR");
        Ok(())
    }

    fn items(&mut self, items: &[(PickleValue, PickleValue)]) -> Result<()> {
        self.out.push(b'(');
        for (key, value) in items {
            self.value(key)?;
            self.value(value)?;
        }
        self.out.push(b'u');
        Ok(())
    }

    fn tuple(&mut self, members: &[PickleValue]) -> Result<()> {
        if members.is_empty() {
            self.out.push(b')');
            return Ok(());
        }
        self.out.push(b'(');
        members.iter().try_for_each(|member| self.value(member))?;
        self.out.push(b't');
        Ok(())
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u8::try_from(value) {
            self.out.extend_from_slice(&[b'K', value]);
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(b'J');
            self.out.extend_from_slice(&value.to_le_bytes());
        } else {
            self.out.extend_from_slice(&[0x8a, 8]);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        let len = u32::try_from(text.len()).map_err(|_| Error::new("a text is too long to be pickled"))?;
        self.out.push(b'X');
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        if [module, name].iter().any(|part| part.is_empty() || part.contains('\n')) {
            return Err(Error::new(format!("`{}.{}` is not the name of a class or function", module.escape_debug(), name.escape_debug())));
        }
        self.out.push(b'c');
        for part in [module, name] {
            self.out.extend_from_slice(part.as_bytes());
            self.out.push(b'\n');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
