//! The part of ONNX's protobuf that an export needs. Tensors are made one at a time, while the file is written.

use std::io::Write;

use rayon::prelude::*;

use super::super::{layer::write_floats, view::Tensor, wire::write_varint};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    words::OnnxType,
};

/// ONNX's number of `FLOAT`.
const FLOAT: u64 = 1;
/// Of `FLOAT16`.
const FLOAT16: u64 = 10;
/// Of `BFLOAT16`.
const BFLOAT16: u64 = 16;
/// Of `INT32`.
const INT32: u64 = 6;
/// Of `INT64`.
const INT64: u64 = 7;
const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;

/// ONNX's number of a type, and its bytes.
pub(super) const fn type_of(numbers: OnnxType) -> (u64, usize) {
    match numbers {
        OnnxType::Float32 => (FLOAT, 4),
        OnnxType::Float16 => (FLOAT16, 2),
        OnnxType::Bfloat16 => (BFLOAT16, 2),
    }
}

/// A model under construction.
pub struct Model<'a> {
    numbers: OnnxType,
    nodes: Vec<u8>,
    initializers: Vec<Initializer<'a>>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
}

/// A constant of the graph.
struct Initializer<'a> {
    name: String,
    dims: Vec<usize>,
    data: Data<'a>,
}

enum Data<'a> {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Floats(Vec<f32>),
    /// A tensor of the net.
    Tensor(Tensor<'a>),
    /// The same in single precision, whatever the model's numbers are.
    Single(Tensor<'a>),
    /// A matrix of this many rows and columns, to be turned around.
    Transposed(Tensor<'a>, usize, usize),
}

/// An attribute of a node.
pub enum Attribute {
    /// A number.
    Int(i64),
    /// A float.
    Float(f32),
    /// Numbers.
    Ints(Vec<i64>),
}

/// A record of wire type 2.
fn bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, value: u64) {
    // A vector takes everything.
    let _ = write_varint(out, value);
}

fn packed<T>(values: &[T], bytes: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    values.iter().flat_map(bytes).collect()
}

impl<'a> Model<'a> {
    /// An empty model of such numbers.
    pub fn new(numbers: OnnxType) -> Self {
        Self { numbers, nodes: Vec::new(), initializers: Vec::new(), inputs: Vec::new(), outputs: Vec::new() }
    }

    /// Adds a node; gives its first output's name.
    pub fn node(&mut self, op: &str, name: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.node_with(op, name, inputs, &[name], attributes);
        name.to_owned()
    }

    /// Adds a node with outputs of other names.
    pub fn node_with(&mut self, op: &str, name: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attribute)]) {
        let mut node = Vec::new();
        inputs.iter().for_each(|input| bytes(&mut node, 1, input.as_bytes()));
        outputs.iter().for_each(|output| bytes(&mut node, 2, output.as_bytes()));
        bytes(&mut node, 3, name.as_bytes());
        bytes(&mut node, 4, op.as_bytes());
        for (key, value) in attributes {
            let mut attribute = Vec::new();
            bytes(&mut attribute, 1, key.as_bytes());
            let kind = match value {
                Attribute::Float(value) => {
                    varint(&mut attribute, 2 << 3 | 5);
                    attribute.extend(value.to_le_bytes());
                    1
                }
                Attribute::Int(value) => {
                    number(&mut attribute, 3, *value as u64);
                    2
                }
                Attribute::Ints(values) => {
                    values.iter().for_each(|value| number(&mut attribute, 8, *value as u64));
                    7
                }
            };
            number(&mut attribute, 20, kind);
            bytes(&mut node, 5, &attribute);
        }
        bytes(&mut self.nodes, 1, &node);
    }

    /// Adds a constant, once for each name; gives the name.
    fn initializer(&mut self, name: &str, dims: Vec<usize>, data: Data<'a>) -> String {
        if !self.initializers.iter().any(|other| other.name == name) {
            self.initializers.push(Initializer { name: name.to_owned(), dims, data });
        }
        name.to_owned()
    }

    /// A list of whole numbers, as shapes are.
    pub fn int64(&mut self, name: &str, values: &[i64]) -> String {
        self.initializer(name, vec![values.len()], Data::Int64(values.to_vec()))
    }

    /// A list of 32-bit numbers, as indices are.
    pub fn int32(&mut self, name: &str, values: &[i32]) -> String {
        self.initializer(name, vec![values.len()], Data::Int32(values.to_vec()))
    }

    /// Floats of a shape.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: Vec<f32>) -> String {
        self.initializer(name, dims.to_vec(), Data::Floats(values))
    }

    /// A tensor of the net as it is.
    pub fn tensor(&mut self, name: &str, dims: &[usize], tensor: Tensor<'a>) -> String {
        self.initializer(name, dims.to_vec(), Data::Tensor(tensor))
    }

    /// As [`Self::tensor`], for an operator that the set does not have for the model's numbers.
    pub fn single(&mut self, name: &str, dims: &[usize], tensor: Tensor<'a>) -> String {
        self.initializer(name, dims.to_vec(), Data::Single(tensor))
    }

    /// A node whose operator the set does not have for bfloat16: there it works in single precision, between two conversions.
    pub fn wide_node(&mut self, op: &str, name: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let Some((first, rest)) = inputs.split_first().filter(|_| self.numbers == OnnxType::Bfloat16) else {
            return self.node(op, name, inputs, attributes);
        };
        let to = |kind: u64| [("to", Attribute::Int(kind as i64))];
        let wide = self.node("Cast", &format!("{name}/to_fp32"), &[first], &to(FLOAT));
        let inputs: Vec<&str> = std::iter::once(wide.as_str()).chain(rest.iter().copied()).collect();
        let inner = self.node(op, &format!("{name}/fp32"), &inputs, attributes);
        self.node("Cast", name, &[&inner], &to(BFLOAT16))
    }

    /// A matrix `[rows, columns]` of the net, stored as `[columns, rows]`.
    pub fn transposed(&mut self, name: &str, rows: usize, columns: usize, tensor: Tensor<'a>) -> String {
        self.initializer(name, vec![columns, rows], Data::Transposed(tensor, rows, columns))
    }

    /// Declares an input or output of floats whose first dimension is the batch.
    pub fn interface(&mut self, output: bool, name: &str, dims: &[u64]) {
        let mut shape = Vec::new();
        let mut batch = Vec::new();
        bytes(&mut batch, 2, b"batch");
        bytes(&mut shape, 1, &batch);
        for size in dims {
            let mut dim = Vec::new();
            number(&mut dim, 1, *size);
            bytes(&mut shape, 1, &dim);
        }
        let (mut tensor, mut kind, mut info) = (Vec::new(), Vec::new(), Vec::new());
        number(&mut tensor, 1, type_of(self.numbers).0);
        bytes(&mut tensor, 2, &shape);
        bytes(&mut kind, 1, &tensor);
        bytes(&mut info, 1, name.as_bytes());
        bytes(&mut info, 2, &kind);
        if output { bytes(&mut self.outputs, 12, &info) } else { bytes(&mut self.inputs, 11, &info) }
    }

    /// Writes the model.
    ///
    /// # Errors
    /// Those of `out`; when the model is larger than protobuf allows; on cancellation.
    pub fn write(&self, out: &mut dyn Write, ctx: &Ctx) -> Result<()> {
        let failed = |error| Error::new("cannot write the model").because(error);
        let mut name = Vec::new();
        bytes(&mut name, 2, b"lc0");
        let heads: Vec<(Vec<u8>, u64)> = self.initializers.iter().map(|initializer| initializer.head(self.numbers)).collect();
        let tensors: u64 = heads.iter().map(|(head, data)| head.len() as u64 + data).sum();
        let graph = (self.nodes.len() + name.len() + self.inputs.len() + self.outputs.len()) as u64 + tensors;
        if graph > i32::MAX as u64 - 1024 {
            return Err(Error::new("the model is too large for ONNX").because(format!("{graph} bytes, 2 GiB is protobuf's limit")));
        }
        let mut model = Vec::new();
        number(&mut model, 1, IR_VERSION);
        bytes(&mut model, 2, b"nnue");
        bytes(&mut model, 3, env!("CARGO_PKG_VERSION").as_bytes());
        varint(&mut model, 7 << 3 | 2);
        varint(&mut model, graph);
        for piece in [&model, &self.nodes, &name] {
            out.write_all(piece).map_err(failed)?;
        }
        for ((head, _), initializer) in heads.iter().zip(&self.initializers) {
            ctx.check()?;
            out.write_all(head).map_err(failed)?;
            initializer.write(out, self.numbers)?;
        }
        let (mut opset, mut tail) = (Vec::new(), Vec::new());
        number(&mut opset, 2, OPSET);
        bytes(&mut tail, 8, &opset);
        for piece in [&self.inputs, &self.outputs, &tail] {
            out.write_all(piece).map_err(failed)?;
        }
        Ok(())
    }
}

impl Initializer<'_> {
    /// The record up to its data, and how many bytes of data follow.
    fn head(&self, numbers: OnnxType) -> (Vec<u8>, u64) {
        let (float, width) = type_of(numbers);
        let (kind, size) = match &self.data {
            Data::Int32(values) => (INT32, 4 * values.len()),
            Data::Int64(values) => (INT64, 8 * values.len()),
            Data::Floats(values) => (float, width * values.len()),
            Data::Tensor(tensor) | Data::Transposed(tensor, ..) => (float, width * tensor.len),
            Data::Single(tensor) => (FLOAT, 4 * tensor.len),
        };
        let mut tensor = Vec::new();
        self.dims.iter().for_each(|size| number(&mut tensor, 1, *size as u64));
        number(&mut tensor, 2, kind);
        bytes(&mut tensor, 8, self.name.as_bytes());
        varint(&mut tensor, 9 << 3 | 2);
        varint(&mut tensor, size as u64);
        let mut head = Vec::new();
        varint(&mut head, 5 << 3 | 2);
        varint(&mut head, (tensor.len() + size) as u64);
        head.extend(tensor);
        (head, size as u64)
    }

    fn write(&self, out: &mut dyn Write, numbers: OnnxType) -> Result<()> {
        let named = |error: Error| error.context(format!("`{}` cannot be written", self.name));
        let failed = |error| Error::new("cannot write the model").because(error);
        if let Data::Tensor(tensor) | Data::Single(tensor) | Data::Transposed(tensor, ..) = &self.data {
            tensor.check_range()?;
        }
        match &self.data {
            Data::Int32(values) => out.write_all(&packed(values, |value| value.to_le_bytes().to_vec())).map_err(failed),
            Data::Int64(values) => out.write_all(&packed(values, |value| value.to_le_bytes().to_vec())).map_err(failed),
            Data::Floats(values) => write_as(out, values, numbers).map_err(named),
            Data::Single(tensor) => tensor.write(out),
            Data::Tensor(tensor) if numbers == OnnxType::Float32 => tensor.write(out),
            Data::Tensor(tensor) => write_as(out, &tensor.values()?, numbers).map_err(named),
            Data::Transposed(tensor, rows, columns) => {
                let turned = turned(&tensor.values()?, *rows, *columns);
                write_as(out, &turned, numbers).map_err(named)
            }
        }
    }
}

/// A matrix of this many rows and columns, its columns as rows.
fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    /// Columns that are turned at a time: a cache line of each row.
    const TILE: usize = 16;
    let mut out = vec![0.0; values.len()];
    if rows > 0 && columns > 0 {
        out.par_chunks_mut(TILE * rows).enumerate().for_each(|(tile, out)| {
            for (row, values) in values.chunks_exact(columns).enumerate() {
                let values = values.get(tile * TILE..).unwrap_or_default();
                out.chunks_exact_mut(rows).zip(values).for_each(|(column, value)| column[row] = *value);
            }
        });
    }
    out
}

/// Writes floats in single precision, or rounded to the nearest of fewer bits, ties to even.
fn write_as(out: &mut dyn Write, values: &[f32], numbers: OnnxType) -> Result<()> {
    let round: fn(f32) -> (u16, f32) = match numbers {
        OnnxType::Float32 => return write_floats(out, values),
        OnnxType::Float16 => |value| (half::f16::from_f32(value).to_bits(), half::f16::from_f32(value).to_f32()),
        OnnxType::Bfloat16 => |value| (half::bf16::from_f32(value).to_bits(), half::bf16::from_f32(value).to_f32()),
    };
    let mut rounded = Vec::with_capacity(2 * values.len());
    for (at, value) in values.iter().enumerate() {
        let (bits, back) = round(*value);
        if value.is_finite() && back.is_infinite() {
            return Err(
                Error::new(format!("element {at}, {value}, is too large for {numbers}")).help("write the model in single precision")
            );
        }
        rounded.extend(bits.to_le_bytes());
    }
    out.write_all(&rounded).map_err(|error| Error::new("cannot write the model").because(error))
}

#[cfg(test)]
mod tests;
