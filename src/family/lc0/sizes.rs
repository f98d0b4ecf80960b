//! The shapes that lc0 gives a net's layers, derived from its biases and counts. lc0 itself compares no size with another: a layer
//! that is too short makes it read beyond the end.

use std::collections::HashMap;

use super::{
    layer::{Decode, Layer},
    net::Net,
    view::{POLICY_HEADS, VALUE_HEADS},
    wire::Message,
};

/// A layer's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sized {
    /// Its path in the protobuf.
    pub path: String,
    /// What the rest of the net makes it.
    pub shape: Vec<usize>,
    /// Elements that it has.
    pub len: usize,
}

impl Sized {
    /// Whether there are as many elements as the shape needs.
    pub fn fits(&self) -> bool {
        self.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size)) == Some(self.len)
    }
}

/// Input planes.
const PLANES: usize = 112;
const SQUARES: usize = 64;
/// Moves of the policy output.
pub(super) const MOVES: usize = 1858;
const PE_MAP: i32 = 1;
const PE_DENSE: i32 = 2;

impl Net {
    /// The shapes of all layers that lc0 uses.
    pub fn sizes(&self, decode: Decode) -> Vec<Sized> {
        let Some(weights) = self.weights() else { return Vec::new() };
        let mut walk = Walk::new(weights, decode);
        walk.tower(self.format_number("input_embedding"));
        walk.heads();
        walk.out
    }

    /// The shapes of all layers whose sizes fit, by path.
    pub fn shapes(&self, decode: Decode) -> HashMap<String, Vec<usize>> {
        self.sizes(decode).into_iter().filter(Sized::fits).map(|layer| (layer.path, layer.shape)).collect()
    }
}

struct Walk<'a> {
    weights: &'a Message,
    decode: Decode,
    out: Vec<Sized>,
    filters: usize,
    embedding: usize,
}

impl<'a> Walk<'a> {
    fn new(weights: &'a Message, decode: Decode) -> Self {
        let mut walk = Self { weights, decode, out: Vec::new(), filters: 0, embedding: 0 };
        walk.filters = weights.message("input").map_or(0, |input| walk.outputs(input, PLANES * 9));
        walk.embedding = walk.count(weights, "ip_emb_b");
        walk
    }

    fn count(&self, message: &Message, name: &str) -> usize {
        Layer::find(message, name).and_then(|layer| layer.count(self.decode).ok()).unwrap_or(0)
    }

    /// Outputs of a convolution of this many inputs times kernel squares.
    fn outputs(&self, block: &Message, inputs: usize) -> usize {
        let counts = ["biases", "bn_means"].map(|name| self.count(block, name));
        counts.into_iter().find(|count| *count > 0).unwrap_or_else(|| self.count(block, "weights").checked_div(inputs).unwrap_or(0))
    }

    fn put(&mut self, message: &Message, path: &str, name: &str, shape: &[usize]) {
        if let Some(len) = Layer::find(message, name).and_then(|layer| layer.count(self.decode).ok()) {
            self.out.push(Sized { path: format!("{path}{name}"), shape: shape.to_vec(), len });
        }
    }

    /// A convolution; gives its outputs.
    fn conv(&mut self, message: &Message, path: &str, field: &str, inputs: usize, kernel: usize) -> usize {
        let Some(block) = message.message(field) else { return 0 };
        let path = format!("{path}{field}.");
        let outputs = self.outputs(block, inputs * kernel * kernel);
        self.put(block, &path, "weights", &[outputs, inputs, kernel, kernel]);
        for name in ["biases", "bn_means", "bn_stddivs", "bn_gammas", "bn_betas"] {
            self.put(block, &path, name, &[outputs]);
        }
        outputs
    }

    /// A dense layer `PREFIX_w`, `PREFIX_b`; gives its outputs.
    fn dense(&mut self, message: &Message, path: &str, prefix: &str, inputs: usize) -> usize {
        let (weights, biases) = (format!("{prefix}_w"), format!("{prefix}_b"));
        let outputs = match self.count(message, &biases) {
            0 => self.count(message, &weights).checked_div(inputs).unwrap_or(0),
            outputs => outputs,
        };
        self.put(message, path, &weights, &[outputs, inputs]);
        self.put(message, path, &biases, &[outputs]);
        outputs
    }

    fn norm(&mut self, message: &Message, path: &str, prefix: &str, size: usize) {
        self.put(message, path, &format!("{prefix}_gammas"), &[size]);
        self.put(message, path, &format!("{prefix}_betas"), &[size]);
    }

    fn ffn(&mut self, parent: &Message, path: &str, field: &str, size: usize) {
        if let Some(ffn) = parent.message(field) {
            let path = format!("{path}{field}.");
            let hidden = self.dense(ffn, &path, "dense1", size);
            self.put(ffn, &path, "dense2_w", &[size, hidden]);
            self.put(ffn, &path, "dense2_b", &[size]);
        }
    }

    fn encoder(&mut self, encoder: &Message, path: &str, size: usize, heads: usize) {
        if let Some(mha) = encoder.message("mha") {
            let path = format!("{path}mha.");
            let model = self.count(mha, "q_b");
            for name in ["q", "k", "v"] {
                self.put(mha, &path, &format!("{name}_w"), &[model, size]);
                self.put(mha, &path, &format!("{name}_b"), &[model]);
            }
            self.put(mha, &path, "dense_w", &[size, model]);
            self.put(mha, &path, "dense_b", &[size]);
            if let Some(smolgen) = mha.message("smolgen") {
                let path = format!("{path}smolgen.");
                let channels = self.count(smolgen, "compress").checked_div(size).unwrap_or(0);
                self.put(smolgen, &path, "compress", &[channels, size]);
                let hidden = self.dense(smolgen, &path, "dense1", SQUARES * channels);
                self.norm(smolgen, &path, "ln1", hidden);
                let generated = self.generated(heads).map_or_else(|| self.count(smolgen, "dense2_b"), |generated| generated * heads);
                self.put(smolgen, &path, "dense2_w", &[generated, hidden]);
                self.put(smolgen, &path, "dense2_b", &[generated]);
                self.norm(smolgen, &path, "ln2", generated);
            }
        }
        self.norm(encoder, path, "ln1", size);
        self.ffn(encoder, path, "ffn", size);
        self.norm(encoder, path, "ln2", size);
    }

    /// Numbers that smolgen makes for a head; `None` without the shared matrix.
    fn generated(&self, heads: usize) -> Option<usize> {
        let count = self.count(self.weights, "smolgen_w");
        (count > 0 && heads > 0).then_some(count / (SQUARES * SQUARES))
    }

    fn tower(&mut self, position: i32) {
        let (weights, filters, size) = (self.weights, self.filters, self.embedding);
        self.conv(weights, "", "input", PLANES, 3);
        for (at, block) in weights.messages("residual").enumerate() {
            let path = format!("residual.{at}.");
            self.conv(block, &path, "conv1", filters, 3);
            self.conv(block, &path, "conv2", filters, 3);
            if let Some(se) = block.message("se") {
                let path = format!("{path}se.");
                let squeezed = self.count(se, "b1");
                self.put(se, &path, "w1", &[squeezed, filters]);
                self.put(se, &path, "b1", &[squeezed]);
                self.put(se, &path, "w2", &[2 * filters, squeezed]);
                self.put(se, &path, "b2", &[2 * filters]);
            }
        }
        let dense = self.count(weights, "ip_emb_preproc_b") / SQUARES;
        self.put(weights, "", "ip_emb_preproc_w", &[SQUARES * dense, SQUARES * 12]);
        self.put(weights, "", "ip_emb_preproc_b", &[SQUARES * dense]);
        let inputs = match position {
            _ if weights.has("residual") => filters,
            PE_MAP => PLANES + SQUARES,
            PE_DENSE => PLANES + dense,
            _ => PLANES,
        };
        self.dense(weights, "", "ip_emb", inputs);
        self.norm(weights, "", "ip_emb_ln", size);
        self.put(weights, "", "ip_mult_gate", &[size, SQUARES]);
        self.put(weights, "", "ip_add_gate", &[size, SQUARES]);
        self.ffn(weights, "", "ip_emb_ffn", size);
        self.norm(weights, "", "ip_emb_ffn_ln", size);
        let heads = weights.u32("headcount").unwrap_or(0) as usize;
        for (at, encoder) in weights.messages("encoder").enumerate() {
            self.encoder(encoder, &format!("encoder.{at}."), size, heads);
        }
        let generated = self.count(weights, "smolgen_w") / (SQUARES * SQUARES);
        self.put(weights, "", "smolgen_w", &[SQUARES * SQUARES, generated]);
    }

    fn heads(&mut self) {
        let weights = self.weights;
        let shared = self.shared_embedding();
        match weights.message("policy_heads") {
            None => self.policy(weights, "", 0),
            Some(group) => {
                let inputs = self.head_inputs();
                self.dense(group, "policy_heads.", "ip_pol", inputs);
                for (_, field) in POLICY_HEADS {
                    if let Some(head) = group.message(field) {
                        self.policy(head, &format!("policy_heads.{field}."), shared);
                    }
                }
                self.dense(weights, "", "ip_pol", inputs);
            }
        }
        match weights.message("value_heads") {
            None => self.value(weights, "", "value", "val"),
            Some(group) => {
                for (_, field) in VALUE_HEADS {
                    if let Some(head) = group.message(field) {
                        self.value(head, &format!("value_heads.{field}."), "value", "val");
                    }
                }
            }
        }
        self.value(weights, "", "moves_left", "mov");
    }

    fn shared_embedding(&self) -> usize {
        let group = self.weights.message("policy_heads");
        match group.filter(|group| group.has("ip_pol_b")) {
            Some(group) => self.count(group, "ip_pol_b"),
            None => self.count(self.weights, "ip_pol_b"),
        }
    }

    /// What heads get a square: the body's embedding, or the tower's filters.
    fn head_inputs(&self) -> usize {
        if self.embedding > 0 { self.embedding } else { self.filters }
    }

    fn policy(&mut self, head: &Message, path: &str, shared: usize) {
        let filters = self.filters;
        self.conv(head, path, "policy1", filters, 3);
        let kernel = if head.has("policy1") { 3 } else { 1 };
        let channels = self.conv(head, path, "policy", filters, kernel);
        if head.has("policy") && !head.has("policy1") {
            self.put(head, path, "ip_pol_w", &[MOVES, SQUARES * channels]);
            self.put(head, path, "ip_pol_b", &[MOVES]);
            return;
        }
        let inputs = self.head_inputs();
        let own = self.dense(head, path, "ip_pol", inputs);
        let embedding = if own > 0 { own } else { shared };
        let heads = head.u32("pol_headcount").unwrap_or(0) as usize;
        for (at, encoder) in head.messages("pol_encoder").enumerate() {
            self.encoder(encoder, &format!("{path}pol_encoder.{at}."), embedding, heads);
        }
        let queries = self.dense(head, path, "ip2_pol", embedding);
        self.put(head, path, "ip3_pol_w", &[queries, embedding]);
        self.put(head, path, "ip3_pol_b", &[queries]);
        self.put(head, path, "ip4_pol_w", &[4, queries]);
    }

    /// A value head or the moves-left head: `block` is its convolution, `kind` the middle of its layers' names.
    fn value(&mut self, head: &Message, path: &str, block: &str, kind: &str) {
        let filters = self.filters;
        let channels = match self.conv(head, path, block, filters, 1) {
            0 => {
                let inputs = self.head_inputs();
                self.dense(head, path, &format!("ip_{kind}"), inputs)
            }
            channels => channels,
        };
        let hidden = self.dense(head, path, &format!("ip1_{kind}"), SQUARES * channels);
        for name in ["ip2_{}", "ip_{}_err", "ip_{}_cat"] {
            self.dense(head, path, &name.replace("{}", kind), hidden);
        }
    }
}
