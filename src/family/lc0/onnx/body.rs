//! The body of a model: residual tower, embedding, encoders.

use super::{Activation, Graph, proto::Attribute, tables};
use crate::{
    error::{Error, Result},
    family::lc0::schema::{PE_DENSE, PE_MAP},
};

/// The end of a slice that takes all.
const ALL: i32 = i32::MAX;

/// The output of the body.
pub(super) struct Body {
    /// Name of the value: `[batch, channels, 8, 8]` of a tower, `[batch·64, channels]` of encoders.
    pub(super) flow: String,
    /// Channels.
    pub(super) channels: usize,
}

impl Graph<'_> {
    pub(super) fn body(&mut self) -> Result<Body> {
        let mut body = Body { flow: "/input/planes".to_owned(), channels: 112 };
        let blocks = self.weights.messages("residual").count();
        if blocks > 0 || self.encoders == 0 {
            body = self.tower(blocks)?;
        }
        if self.encoders > 0 {
            body = self.attention(&body, blocks > 0)?;
        }
        Ok(body)
    }

    fn tower(&mut self, blocks: usize) -> Result<Body> {
        let (flow, filters) = self.conv("/inputconv", "/input/planes", "input", 112, 3)?;
        let mut flow = self.activate("/inputconv", &flow, self.activation);
        for block in 0..blocks {
            let (node, prefix, skip) = (format!("/block{block}"), format!("residual.{block}"), flow);
            let first = format!("{node}/conv1");
            let (convolved, outputs) = self.conv(&first, &skip, &format!("{prefix}.conv1"), filters, 3)?;
            let convolved = self.activate(&first, &convolved, self.activation);
            let second = format!("{node}/conv2");
            let (mut convolved, outputs_2) = self.conv(&second, &convolved, &format!("{prefix}.conv2"), filters, 3)?;
            if outputs != filters || outputs_2 != filters {
                return Err(Error::new(format!("`{prefix}` has {outputs} and {outputs_2} filters, the tower {filters}")));
            }
            if self.weights.messages("residual").nth(block).is_some_and(|block| block.has("se")) {
                convolved = self.squeeze(&format!("{second}/se"), &convolved, &format!("{prefix}.se"), filters)?;
            }
            let mixed = self.model.node("Add", &format!("{second}/mixin"), &[&convolved, &skip], &[]);
            flow = self.activate(&second, &mixed, self.activation);
        }
        Ok(Body { flow, channels: filters })
    }

    /// Squeeze and excite: gates and offsets from the mean of each plane.
    fn squeeze(&mut self, node: &str, input: &str, prefix: &str, filters: usize) -> Result<String> {
        let squeezed = self.len(&format!("{prefix}.b1"));
        let attributes = [("axes", Attribute::Ints(vec![2, 3])), ("keepdims", Attribute::Int(0))];
        let flow = self.model.node("ReduceMean", &format!("{node}/pooled"), &[input], &attributes);
        let flow = self.matmul(&format!("{node}/matmul1"), &flow, &format!("{prefix}.w1"), filters, squeezed)?;
        let flow = self.add_bias(&format!("{node}/add1"), &flow, &format!("{prefix}.b1"), squeezed)?;
        let flow = self.activate(node, &flow, self.activation);
        let flow = self.matmul(&format!("{node}/matmul2"), &flow, &format!("{prefix}.w2"), squeezed, 2 * filters)?;
        let flow = self.add_bias(&format!("{node}/add2"), &flow, &format!("{prefix}.b2"), 2 * filters)?;
        let flow = self.reshape(&format!("{node}/reshape"), &flow, "/const/se_reshape", &[-1, 2 * filters as i64, 1, 1]);
        let (gates, offsets) = (format!("{node}/split/gates"), format!("{node}/split/offsets"));
        self.model.node_with("Split", &format!("{node}/split"), &[&flow], &[&gates, &offsets], &[("axis", Attribute::Int(1))]);
        let gates = self.model.node("Sigmoid", &format!("{node}/sigmoid"), &[&gates], &[]);
        let flow = self.model.node("Mul", &format!("{node}/mul"), &[&gates, input], &[]);
        Ok(self.model.node("Add", &format!("{node}/add3"), &[&flow, &offsets], &[]))
    }

    fn attention(&mut self, body: &Body, tower: bool) -> Result<Body> {
        let (flow, inputs) = self.embedding_input(body, tower)?;
        let size = self.len("ip_emb_b");
        let flow = self.matmul("/attn_body/matmul", &flow, "ip_emb_w", inputs, size)?;
        let flow = self.add_bias("/attn_body/add", &flow, "ip_emb_b", size)?;
        let mut flow = self.activate("/attn_body", &flow, self.activation);
        let dense = self.format_number("input_embedding") == PE_DENSE;
        if dense {
            flow = self.norm("/attn_body/ln", &flow, "ip_emb_ln", size, self.epsilon)?;
        }
        flow = self.gates(&flow, size)?;
        let alpha = (2.0 * self.encoders as f32).powf(-0.25);
        if dense {
            let out = self.feed_forward("/attn_body/ffn", &flow, "ip_emb_ffn", size, self.ffn, alpha)?;
            flow = self.norm("/attn_body/ln2", &out, "ip_emb_ffn_ln", size, self.epsilon)?;
        }
        let heads = self.weights.u32("headcount").unwrap_or(0) as usize;
        for encoder in 0..self.encoders {
            flow = self.encoder(&format!("/encoder{encoder}"), &flow, &format!("encoder.{encoder}"), size, heads, self.ffn, alpha)?;
        }
        Ok(Body { flow, channels: size })
    }

    /// Encoders without a tower below them must know how positions are embedded.
    pub(super) fn check_embedding(&self) -> Result<()> {
        let is_known = matches!(self.format_number("input_embedding"), PE_MAP | PE_DENSE);
        if self.encoders > 0 && !self.weights.has("residual") && !is_known {
            return Err(Error::new("Attention body missing input embedding."));
        }
        Ok(())
    }

    /// What the embedding gets for each square, and how many numbers.
    fn embedding_input(&mut self, body: &Body, tower: bool) -> Result<(String, usize)> {
        self.check_embedding()?;
        let position = self.format_number("input_embedding");
        let flow = self.transpose("/attn_body/transpose", &body.flow, &[0, 2, 3, 1]);
        if tower {
            let flow = self.reshape("/attn_body/reshape", &flow, "/const/att_body_shape", &[-1, body.channels as i64]);
            return Ok((flow, body.channels));
        }
        let flow = self.reshape("/attn_body/reshape", &flow, "/const/att_body_shape", &[-1, 64, 112]);
        let axis = || [("axis", Attribute::Int(2))];
        if position == PE_MAP {
            let shape = self.model.node("Shape", "/attn_body/shape", &["/input/planes"], &[]);
            let batch = self.slice("/attn_body/batch", &shape, &[0], &[1]);
            let squares = self.model.int64("/const/pos_encoding_shape", &[64, 64]);
            let shape = self.model.node("Concat", "/attn_body/pos_encoding_shape", &[&batch, &squares], &[("axis", Attribute::Int(0))]);
            let encoding = self.model.floats("/const/pos_encoding", &[1, 64, 64], tables::position_encoding());
            let expanded = self.model.node("Expand", "/attn_body/expand", &[&encoding, &shape], &[]);
            let padded = self.model.node("Concat", "/attn_body/concat", &[&flow, &expanded], &axis());
            return Ok((self.reshape("/attn_body/reshape2", &padded, "/const/att_body_shape2", &[-1, 176]), 176));
        }
        let outputs = self.len("ip_emb_preproc_b");
        let width = outputs / 64;
        let node = "/attn_body/embedding";
        let pieces = self.slice(&format!("{node}/slice"), &flow, &[0, 0, 0], &[ALL, 64, 12]);
        let pieces = self.reshape(&format!("{node}/reshape"), &pieces, "/const/pos_info_shape", &[-1, 64 * 12]);
        let made = self.matmul(&format!("{node}/preprocess/matmul"), &pieces, "ip_emb_preproc_w", 768, outputs)?;
        let made = self.add_bias(&format!("{node}/preprocess/add"), &made, "ip_emb_preproc_b", outputs)?;
        let made = self.reshape(&format!("{node}/preprocess/reshape"), &made, "/const/pos_info_processed_shape", &[-1, 64, width as i64]);
        let joined = self.model.node("Concat", &format!("{node}/concat"), &[&flow, &made], &axis());
        let inputs = 112 + width;
        Ok((self.reshape(&format!("{node}/out"), &joined, "/const/embedding/out_shape", &[-1, inputs as i64]), inputs))
    }

    /// Gates: a factor and an offset for each channel and square.
    fn gates(&mut self, input: &str, size: usize) -> Result<String> {
        let mut flow = input.to_owned();
        let gates = [("ip_mult_gate", "/ip_mul_gate", "Mul"), ("ip_add_gate", "/ip_add_gate", "Add")];
        if gates.iter().any(|gate| self.has(gate.0)) {
            flow = self.reshape("/attn_body/ma_gating/reshape1", &flow, "/const/ma_gating/shape1", &[-1, 64, size as i64]);
        }
        for (tensor, node, op) in gates {
            if self.has(tensor) {
                let gate = self.tensor(tensor, size * 64)?;
                let constant = self.model.transposed(&format!("{node}/w"), size, 64, gate);
                flow = self.model.node(op, node, &[&flow, &constant], &[]);
            }
        }
        Ok(self.reshape("/attn_body/ma_gating/reshape2", &flow, "/const/ma_gating/shape2", &[-1, size as i64]))
    }

    /// Two dense layers, and the way around them.
    fn feed_forward(&mut self, node: &str, input: &str, prefix: &str, size: usize, activation: Activation, alpha: f32) -> Result<String> {
        let hidden = self.len(&format!("{prefix}.dense1_b"));
        let flow = self.matmul(&format!("{node}/dense1/w"), input, &format!("{prefix}.dense1_w"), size, hidden)?;
        let flow = self.add_bias(&format!("{node}/dense1/b"), &flow, &format!("{prefix}.dense1_b"), hidden)?;
        let flow = self.activate(&format!("{node}/dense1"), &flow, activation);
        let flow = self.matmul(&format!("{node}/dense2/w"), &flow, &format!("{prefix}.dense2_w"), hidden, size)?;
        let mut flow = self.add_bias(&format!("{node}/dense2/b"), &flow, &format!("{prefix}.dense2_b"), size)?;
        if alpha != 1.0 {
            flow = self.scale(&format!("{node}/alpha"), &flow, alpha);
        }
        Ok(self.model.node("Add", &format!("{node}/skip"), &[&flow, input], &[]))
    }

    #[expect(clippy::too_many_arguments, reason = "an encoder is described by that much")]
    pub(super) fn encoder(
        &mut self,
        node: &str,
        input: &str,
        prefix: &str,
        size: usize,
        heads: usize,
        activation: Activation,
        alpha: f32,
    ) -> Result<String> {
        let mha = format!("{prefix}.mha");
        let model = self.len(&format!("{mha}.q_b"));
        let depth = model.checked_div(heads).filter(|depth| depth * heads == model);
        let depth = depth.ok_or_else(|| Error::new(format!("`{mha}` has {model} channels for {heads} heads")))?;
        let shape = [-1, 64, heads as i64, depth as i64];
        let mut parts = Vec::new();
        for (name, order) in [("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])] {
            let part = format!("{node}/mha/{}", name.to_uppercase());
            let flow = self.matmul(&format!("{part}/w"), input, &format!("{mha}.{name}_w"), size, model)?;
            let flow = self.add_bias(&format!("{part}/b"), &flow, &format!("{mha}.{name}_b"), model)?;
            let flow = self.reshape(&format!("{part}/reshape"), &flow, &format!("/const{node}/mha/shape"), &shape);
            parts.push(self.transpose(&format!("{part}/transpose"), &flow, &order));
        }
        let flow = self.model.node("MatMul", &format!("{node}/mha/QK/matmul"), &[&parts[0], &parts[1]], &[]);
        let mut flow = self.scale(&format!("{node}/mha/QK/scale"), &flow, 1.0 / (depth as f32).sqrt());
        if self.has_smolgen(&mha) {
            let weights = self.smolgen(node, input, &mha, size, heads)?;
            flow = self.model.node("Add", &format!("{node}/smolgen_weights"), &[&flow, &weights], &[]);
        }
        let flow = self.model.node("Softmax", &format!("{node}/mha/QK/softmax"), &[&flow], &[("axis", Attribute::Int(3))]);
        let mut flow = self.model.node("MatMul", &format!("{node}/mha/QKV/matmul"), &[&flow, &parts[2]], &[]);
        if heads > 1 {
            flow = self.transpose(&format!("{node}/mha/out/transpose"), &flow, &[0, 2, 1, 3]);
        }
        let flow = self.reshape(&format!("{node}/mha/out/reshape"), &flow, &format!("/const{node}/mha/out/shape"), &[-1, model as i64]);
        let flow = self.matmul(&format!("{node}/mha/out/dense/w"), &flow, &format!("{mha}.dense_w"), model, size)?;
        let mut flow = self.add_bias(&format!("{node}/mha/out/dense/b"), &flow, &format!("{mha}.dense_b"), size)?;
        if alpha != 1.0 {
            flow = self.scale(&format!("{node}/alpha*input"), &flow, alpha);
        }
        let flow = self.model.node("Add", &format!("{node}/mha/out/skip"), &[&flow, input], &[]);
        let flow = self.norm(&format!("{node}/ln1"), &flow, &format!("{prefix}.ln1"), size, self.epsilon)?;
        let flow = self.feed_forward(&format!("{node}/ffn"), &flow, &format!("{prefix}.ffn"), size, activation, alpha)?;
        self.norm(&format!("{node}/ln2"), &flow, &format!("{prefix}.ln2"), size, self.epsilon)
    }

    /// Smolgen counts where the encoder has it and the net has the shared matrix.
    fn has_smolgen(&self, mha: &str) -> bool {
        self.tensors.flags.iter().any(|(name, value)| name.strip_suffix(".#has_smolgen") == Some(mha) && value == "1")
    }

    fn smolgen(&mut self, node: &str, input: &str, mha: &str, size: usize, heads: usize) -> Result<String> {
        let (prefix, shapes) = (format!("{mha}.smolgen"), format!("/const{node}/smolgen"));
        let node = format!("{node}/smolgen");
        let channels = self.len(&format!("{prefix}.compress")).checked_div(size).unwrap_or(0);
        let flow = self.matmul(&format!("{node}/compress"), input, &format!("{prefix}.compress"), size, channels)?;
        let wide = 64 * channels;
        let mut flow = self.reshape(&format!("{node}/compress/reshape"), &flow, &format!("{shapes}/compress/shape"), &[-1, wide as i64]);
        let mut inputs = wide;
        for layer in 1..=2 {
            let (part, tensor) = (format!("{node}/dense{layer}"), format!("{prefix}.dense{layer}"));
            let outputs = self.len(&format!("{tensor}_b"));
            flow = self.matmul(&format!("{part}/w"), &flow, &format!("{tensor}_w"), inputs, outputs)?;
            flow = self.add_bias(&format!("{part}/b"), &flow, &format!("{tensor}_b"), outputs)?;
            flow = self.activate(&part, &flow, self.smolgen);
            flow = self.norm(&format!("{node}/ln{layer}"), &flow, &format!("{prefix}.ln{layer}"), outputs, 1e-3)?;
            inputs = outputs;
        }
        let generated = inputs.checked_div(heads).unwrap_or(0);
        let (heads, made) = (heads as i64, generated as i64);
        let flow = self.reshape(&format!("{node}/gen_from/reshape"), &flow, &format!("{shapes}/gen_from/shape"), &[-1, heads, made]);
        let tensor = self.tensor("smolgen_w", 4096 * generated)?;
        let constant = self.model.transposed("/const/smolgen_w", 4096, generated, tensor);
        let flow = self.model.node("MatMul", &format!("{node}/gen"), &[&flow, &constant], &[]);
        Ok(self.reshape(&format!("{node}/out/reshape"), &flow, &format!("{shapes}/out/shape"), &[-1, heads, 64, 64]))
    }
}
