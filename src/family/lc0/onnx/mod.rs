//! A net → an ONNX model: opset 17, one policy and one value head, with lc0's names of inputs, outputs and constants.
//!
//! The graph computes what lc0's `leela2onnx` computes; constants are equal to its bit for bit, node names between them are our own.
//! A net that carries a model gives that model.

mod body;
mod heads;
mod proto;
mod tables;

use std::io::Write;

use super::{
    layer::Decode,
    net::Net,
    schema::{DATA_TYPE, PE_DENSE},
    verdict::{Backend, unknown_format},
    view::{Tensor, Tensors, View},
    wire::Message,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
    words::OnnxType,
};
use proto::{Attribute, Model};

/// Which heads the model gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxOptions {
    /// Name of a policy head of the multi-head view.
    pub policy_head: String,
    /// Name of a value head.
    pub value_head: String,
    /// The type of all numbers, also of input and outputs; single precision where it is not said.
    pub numbers: Option<OnnxType>,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self { policy_head: "vanilla".into(), value_head: "winner".into(), numbers: None }
    }
}

/// Writes the model of a net.
///
/// # Errors
/// lc0's words where it has some: no weights, a format that has no model, no such head, an empty head. When the sizes of layers do not fit
/// together (lc0 reads beyond their ends there); those of `out`; on cancellation.
pub fn write_onnx(out: &mut dyn Write, net: &Net, options: &OnnxOptions, decode: Decode, ctx: &Ctx) -> Result<()> {
    if net.plays_model()
        && let Some(model) = net.onnx_model()
    {
        check_carried(net, options)?;
        return out.write_all(model).map_err(|error| Error::new("cannot write the model").because(error));
    }
    if net.message().has("onnx_model") {
        return Err(Error::new("The network already has ONNX section."));
    }
    let mut graph = Graph::of(net, options, decode)?;
    graph.build()?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, out);
    graph.model.write(&mut out, ctx)?;
    out.flush().map_err(|error| Error::new("cannot write the model").because(error))
}

/// Why lc0's converter makes no model of a net that its other backends play, in its words.
pub(super) fn refusal(net: &Net, decode: Decode) -> Option<String> {
    if net.message().has("onnx_model") {
        return None;
    }
    if let Some(format) = unknown_format(&net.format(), Backend::Onnx) {
        return Some(not_supported(&format));
    }
    let options = OnnxOptions::default();
    // What else stops us stops us alone.
    let graph = Graph::of(net, &options, decode).ok()?;
    let checked = graph.check_heads().and_then(|()| graph.check_embedding());
    checked.err().map(|error| error.message().to_owned())
}

fn not_supported(format: &str) -> String {
    format!("{format} is not supported by the ONNX converter.")
}

/// Refuses to give a model as it is where another one was asked for.
fn check_carried(net: &Net, options: &OnnxOptions) -> Result<()> {
    let carries = |why: String, help: &str| {
        Err(Error::usage("the network carries an ONNX model, which is written as it is").because(why).help(help.to_owned()))
    };
    let OnnxOptions { policy_head, value_head, numbers } = options;
    let default = OnnxOptions::default();
    for (head, usual) in [(policy_head, default.policy_head), (value_head, default.value_head)] {
        if *head != usual {
            return carries(format!("its heads cannot be chosen, and `{head}` was asked for"), "leave out which heads it gets");
        }
    }
    let stated = net.message().message("onnx_model").and_then(|model| model.enumerated("data_type")).unwrap_or(0);
    match numbers {
        Some(numbers) if i32::try_from(proto::type_of(*numbers).0) != Ok(stated) => {
            carries(format!("its numbers are {}, and {numbers} was asked for", DATA_TYPE.show(stated)), "leave out the type of its numbers")
        }
        Some(_) | None => Ok(()),
    }
}

/// What follows a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activation {
    Relu,
    Mish,
    None,
    Tanh,
    Sigmoid,
    Selu,
    Swish,
    Relu2,
}

impl Activation {
    /// Of the numbers of `smolgen_activation` and `ffn_activation`.
    fn of(number: i32, default: Self) -> Result<Self> {
        Ok(match number {
            0 => default,
            1 => Self::Mish,
            2 => Self::Relu,
            3 => Self::None,
            4 => Self::Tanh,
            5 => Self::Sigmoid,
            6 => Self::Selu,
            7 => Self::Swish,
            8 => Self::Relu2,
            other => return Err(Error::new(format!("activation {other} has no place in an ONNX model"))),
        })
    }
}

/// Where the tensors of a layer are found: a prefix of names in the multi-head view.
struct Graph<'a> {
    model: Model<'a>,
    tensors: Tensors<'a>,
    weights: &'a Message,
    format: Message,
    options: &'a OnnxOptions,
    encoders: usize,
    activation: Activation,
    smolgen: Activation,
    ffn: Activation,
    /// What layer norms add to the variance.
    epsilon: f32,
}

impl<'a> Graph<'a> {
    fn of(net: &'a Net, options: &'a OnnxOptions, decode: Decode) -> Result<Self> {
        let weights = net.weights().ok_or_else(|| Error::new("The network doesn't have weights."))?;
        let format = net.format();
        let number = |name: &str| format.enumerated(name).unwrap_or(0);
        if let Some(format) = unknown_format(&format, Backend::Onnx) {
            return Err(Error::new(not_supported(&format)));
        }
        let tensors = net.tensors(View::Multi, decode)?;
        let activation = if number("default_activation") == 1 { Activation::Mish } else { Activation::Relu };
        Ok(Self {
            model: Model::new(options.numbers.unwrap_or_default()),
            tensors,
            weights,
            options,
            encoders: weights.messages("encoder").count(),
            activation,
            smolgen: Activation::of(number("smolgen_activation"), activation)?,
            ffn: Activation::of(number("ffn_activation"), activation)?,
            epsilon: if number("input_embedding") == PE_DENSE { 1e-3 } else { 1e-6 },
            format,
        })
    }

    fn format_number(&self, name: &str) -> i32 {
        self.format.enumerated(name).unwrap_or(0)
    }

    fn build(&mut self) -> Result<()> {
        self.check_heads()?;
        self.model.interface(false, "/input/planes", &[112, 8, 8]);
        let body = self.body()?;
        self.policy(&body)?;
        self.value(&body)?;
        if self.format_number("moves_left") == 1 {
            self.moves_left(&body)?;
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.get(name).is_some()
    }

    /// Elements of a tensor; 0 where it is absent.
    fn len(&self, name: &str) -> usize {
        self.tensors.get(name).map_or(0, |tensor| tensor.len)
    }

    /// A tensor of this many elements.
    fn tensor(&self, name: &str, len: usize) -> Result<Tensor<'a>> {
        let tensor = self.tensors.get(name).ok_or_else(|| Error::new(format!("the net has no `{name}`, which the model needs")))?;
        if tensor.len != len {
            return Err(Error::new(format!("`{name}` has {} elements, the model needs {len}", tensor.len))
                .because("lc0 reads beyond the end of such a layer, or passes over its rest"));
        }
        Ok(tensor.clone())
    }

    /// `x · W`: a matrix `[outputs, inputs]` of the net.
    fn matmul(&mut self, node: &str, input: &str, weights: &str, inputs: usize, outputs: usize) -> Result<String> {
        let size = inputs.checked_mul(outputs).ok_or_else(|| Error::new(format!("the size of `{weights}` overflows")))?;
        let tensor = self.tensor(weights, size)?;
        let constant = self.model.transposed(&format!("{node}/w"), outputs, inputs, tensor);
        Ok(self.model.node("MatMul", node, &[input, &constant], &[]))
    }

    fn add_bias(&mut self, node: &str, input: &str, biases: &str, size: usize) -> Result<String> {
        let tensor = self.tensor(biases, size)?;
        let constant = self.model.tensor(&format!("{node}/w"), &[size], tensor);
        Ok(self.model.node("Add", node, &[input, &constant], &[]))
    }

    /// Matrix and biases in nodes `NODE/matmul` and `NODE/add`, of tensors `PREFIX_w` and `PREFIX_b`; gives the outputs' number.
    fn dense(&mut self, node: &str, input: &str, prefix: &str, inputs: usize) -> Result<(String, usize)> {
        let outputs = self.len(&format!("{prefix}_b"));
        let flow = self.matmul(&format!("{node}/matmul"), input, &format!("{prefix}_w"), inputs, outputs)?;
        Ok((self.add_bias(&format!("{node}/add"), &flow, &format!("{prefix}_b"), outputs)?, outputs))
    }

    fn reshape(&mut self, node: &str, input: &str, constant: &str, shape: &[i64]) -> String {
        let shape = self.model.int64(constant, shape);
        self.model.node("Reshape", node, &[input, &shape], &[])
    }

    fn transpose(&mut self, node: &str, input: &str, order: &[i64]) -> String {
        self.model.node("Transpose", node, &[input], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    fn scale(&mut self, node: &str, input: &str, factor: f32) -> String {
        let constant = self.model.floats(&format!("{node}/w"), &[1], vec![factor]);
        self.model.node("Mul", node, &[input, &constant], &[])
    }

    fn slice(&mut self, node: &str, input: &str, starts: &[i32], ends: &[i32]) -> String {
        let starts = self.model.int32(&format!("{node}/starts"), starts);
        let ends = self.model.int32(&format!("{node}/ends"), ends);
        self.model.node("Slice", node, &[input, &starts, &ends], &[])
    }

    fn norm(&mut self, node: &str, input: &str, prefix: &str, size: usize, epsilon: f32) -> Result<String> {
        let (gammas, betas) = (self.tensor(&format!("{prefix}_gammas"), size)?, self.tensor(&format!("{prefix}_betas"), size)?);
        let scale = self.model.tensor(&format!("{node}/w/scale"), &[size], gammas);
        let bias = self.model.tensor(&format!("{node}/w/bias"), &[size], betas);
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(epsilon))];
        Ok(self.model.node("LayerNormalization", node, &[input, &scale, &bias], &attributes))
    }

    fn activate(&mut self, node: &str, input: &str, activation: Activation) -> String {
        let simple = |model: &mut Model<'a>, op: &str, part: &str, input: &str| model.node(op, &format!("{node}/{part}"), &[input], &[]);
        match activation {
            Activation::None => input.to_owned(),
            Activation::Relu => simple(&mut self.model, "Relu", "relu", input),
            Activation::Tanh => simple(&mut self.model, "Tanh", "tanh", input),
            Activation::Sigmoid => simple(&mut self.model, "Sigmoid", "sigmoid", input),
            Activation::Selu => self.model.wide_node("Selu", &format!("{node}/selu"), &[input], &[]),
            Activation::Mish => {
                let flow = self.model.wide_node("Softplus", &format!("{node}/mish/softplus"), &[input], &[]);
                let flow = simple(&mut self.model, "Tanh", "mish/tanh", &flow);
                self.model.node("Mul", &format!("{node}/mish"), &[&flow, input], &[])
            }
            Activation::Swish => {
                let flow = simple(&mut self.model, "Sigmoid", "swish/sigmoid", input);
                self.model.node("Mul", &format!("{node}/swish"), &[&flow, input], &[])
            }
            Activation::Relu2 => {
                let flow = simple(&mut self.model, "Relu", "relu_2/relu", input);
                self.model.node("Mul", &format!("{node}/relu_2"), &[&flow, &flow], &[])
            }
        }
    }

    /// A convolution of tensors `PREFIX.weights` and `PREFIX.biases`; gives the outputs' number.
    fn conv(&mut self, node: &str, input: &str, prefix: &str, inputs: usize, kernel: usize) -> Result<(String, usize)> {
        let outputs = self.len(&format!("{prefix}.biases"));
        let size = outputs.checked_mul(inputs * kernel * kernel).ok_or_else(|| Error::new(format!("the size of `{prefix}` overflows")))?;
        let weights = self.tensor(&format!("{prefix}.weights"), size)?;
        let biases = self.tensor(&format!("{prefix}.biases"), outputs)?;
        // There are no convolutions of bfloat16 in this set of operators.
        let constant = if self.options.numbers == Some(OnnxType::Bfloat16) { Model::single } else { Model::tensor };
        let weights = constant(&mut self.model, &format!("{node}/w/kernel"), &[outputs, inputs, kernel, kernel], weights);
        let biases = constant(&mut self.model, &format!("{node}/w/bias"), &[outputs], biases);
        let (pad, kernel) = ((kernel / 2) as i64, kernel as i64);
        let attributes = [("pads", Attribute::Ints(vec![pad; 4])), ("kernel_shape", Attribute::Ints(vec![kernel; 2]))];
        Ok((self.model.wide_node("Conv", node, &[input, &weights, &biases], &attributes), outputs))
    }
}
