//! The heads of a model: policy, value, moves left.

use super::{Activation, Graph, body::Body, proto::Attribute, tables};
use crate::{
    error::{Error, Result},
    family::lc0::{
        schema::{POLICY_CLASSICAL, POLICY_CONVOLUTION, VALUE_WDL},
        sizes::{MOVES, USED_POLICY_PLANES},
    },
};

const ALL: i32 = i32::MAX;

impl Graph<'_> {
    /// The chosen heads must be there, and hold something.
    pub(super) fn check_heads(&self) -> Result<()> {
        let groups = [("policy", &self.options.policy_head), ("value", &self.options.value_head)];
        for (kind, head) in groups {
            let flag = format!("{kind}_heads.{head}.#");
            if !self.tensors.flags.iter().any(|(name, _)| *name == flag) {
                return Err(Error::new(format!("The {kind} head you specified '{head}' does not exist in this net.")));
            }
        }
        let policy = self.policy_prefix();
        let needed = match self.format_number("policy") {
            POLICY_CLASSICAL => "ip_pol_b",
            POLICY_CONVOLUTION => "policy.weights",
            _ => "ip2_pol_b",
        };
        if !self.has(&format!("{policy}{needed}")) {
            return Err(Error::new(format!("The policy head selected '{}' is empty.", self.options.policy_head)));
        }
        if !self.has(&format!("{}ip1_val_b", self.value_prefix())) {
            return Err(Error::new(format!("The value head selected '{}' is empty.", self.options.value_head)));
        }
        Ok(())
    }

    fn policy_prefix(&self) -> String {
        format!("policy_heads.{}.", self.options.policy_head)
    }

    fn value_prefix(&self) -> String {
        format!("value_heads.{}.", self.options.value_head)
    }

    pub(super) fn policy(&mut self, body: &Body) -> Result<()> {
        let prefix = self.policy_prefix();
        self.model.interface(true, "/output/policy", &[MOVES as u64]);
        match self.format_number("policy") {
            POLICY_CLASSICAL => {
                let (flow, channels) = self.conv("/policy/conv", &body.flow, &format!("{prefix}policy"), body.channels, 1)?;
                let flow = self.activate("/policy/conv", &flow, self.activation);
                let wide = 64 * channels;
                let flow = self.reshape("/policy/reshape", &flow, "/const/policy_shape", &[-1, wide as i64]);
                let flow = self.matmul("/policy/dense/matmul", &flow, &format!("{prefix}ip_pol_w"), wide, MOVES)?;
                self.add_bias("/output/policy", &flow, &format!("{prefix}ip_pol_b"), MOVES)?;
            }
            POLICY_CONVOLUTION => {
                let (flow, channels) = self.conv("/policy/conv1", &body.flow, &format!("{prefix}policy1"), body.channels, 3)?;
                let flow = self.activate("/policy/conv1", &flow, self.activation);
                let (flow, planes) = self.conv("/policy/conv2", &flow, &format!("{prefix}policy"), channels, 3)?;
                if planes < USED_POLICY_PLANES {
                    return Err(Error::new(format!("the policy has {planes} planes, {USED_POLICY_PLANES} are needed")));
                }
                let flow = self.reshape("/policy/reshape", &flow, "/const/policy_shape", &[-1, 64 * planes as i64]);
                self.gather(&flow, &tables::convolution_map());
            }
            _ => self.attention_policy(body, &prefix)?,
        }
        Ok(())
    }

    /// Picks the moves.
    fn gather(&mut self, input: &str, map: &[i32]) {
        let table = self.model.int32("/const/mapping_table", map);
        self.model.node("Gather", "/output/policy", &[input, &table], &[("axis", Attribute::Int(1))]);
    }

    fn attention_policy(&mut self, body: &Body, prefix: &str) -> Result<()> {
        let mut flow = body.flow.clone();
        let activation = if self.encoders > 0 { self.activation } else { Activation::Selu };
        if self.encoders == 0 {
            flow = self.transpose("/policy/dense1/transpose", &flow, &[0, 2, 3, 1]);
            flow = self.reshape("/policy/dense1/reshape", &flow, "/const/policy_shape", &[-1, body.channels as i64]);
        }
        let (embedded, size) = self.dense("/policy/dense1", &flow, &format!("{prefix}ip_pol"), body.channels)?;
        flow = self.activate("/policy/dense1", &embedded, activation);
        let heads = self.flag(&format!("{prefix}#pol_encoder_head_count"));
        for encoder in 0.. {
            let tensors = format!("{prefix}pol_encoder.{encoder}");
            if !self.has(&format!("{tensors}.mha.q_b")) {
                break;
            }
            flow = self.encoder(&format!("/policy/enc_layer_{encoder}"), &flow, &tensors, size, heads, activation, 1.0)?;
        }
        let mut parts = Vec::new();
        let width = self.len(&format!("{prefix}ip2_pol_b"));
        for (name, tensor) in [("Q", "ip2_pol"), ("K", "ip3_pol")] {
            let (part, outputs) = self.dense(&format!("/policy/{name}"), &flow, &format!("{prefix}{tensor}"), size)?;
            if outputs != width {
                return Err(Error::new(format!("the policy has {width} query and {outputs} key channels")));
            }
            parts.push(self.reshape(&format!("/policy/{name}/reshape"), &part, "/const/QK_shape", &[-1, 64, width as i64]));
        }
        let turned = self.transpose("/policy/K/transpose", &parts[1], &[0, 2, 1]);
        let product = self.model.node("MatMul", "/policy/matmul", &[&parts[0], &turned], &[]);
        let scores = self.scale("/policy/scale", &product, 1.0 / (width as f32).sqrt());
        let promotions = self.promotions(&scores, &parts[1], prefix, width)?;
        let joined = self.model.node("Concat", "/policy/concat", &[&scores, &promotions], &[("axis", Attribute::Int(1))]);
        let flow = self.reshape("/policy/reshape", &joined, "/const/policy_out_shape", &[-1, 67 * 64]);
        self.gather(&flow, &tables::attention_map());
        Ok(())
    }

    /// Promotions: the scores of moves from the seventh to the eighth rank, with an offset a piece from the keys of the eighth.
    fn promotions(&mut self, scores: &str, keys: &str, prefix: &str, width: usize) -> Result<String> {
        let node = "/policy/promotion";
        let last = i32::try_from(width).map_err(|_| Error::new("the policy is too wide"))?;
        let flow = self.slice("policy/promotion/slice", keys, &[0, 56, 0], &[ALL, 64, last]);
        let flow = self.matmul(&format!("{node}/matmul"), &flow, &format!("{prefix}ip4_pol_w"), width, 4)?;
        let flow = self.transpose(&format!("{node}/transpose"), &flow, &[0, 2, 1]);
        let sizes = self.model.int64(&format!("{node}/split/split"), &[3, 1]);
        let (pieces, shared) = (format!("{node}/split/pieces"), format!("{node}/split/shared"));
        self.model.node_with("Split", &format!("{node}/split"), &[&flow, &sizes], &[&pieces, &shared], &[("axis", Attribute::Int(1))]);
        let flow = self.model.node("Add", &format!("{node}/add"), &[&pieces, &shared], &[]);
        let flow = self.transpose(&format!("{node}/transpose2"), &flow, &[0, 2, 1]);
        let offsets = self.reshape(&format!("{node}/reshape"), &flow, "/const/policy_promotion_shape", &[-1, 1, 24]);
        let moves = self.slice("policy/promotion/slice2", scores, &[0, 48, 56], &[ALL, 56, 64]);
        let moves = self.reshape(&format!("{node}/reshape2"), &moves, "/const/policy_promotion_shape2", &[-1, 64, 1]);
        let moves = self.model.node("Concat", &format!("{node}/concat"), &[&moves, &moves, &moves], &[("axis", Attribute::Int(2))]);
        let moves = self.reshape(&format!("{node}/reshape3"), &moves, "/const/policy_promotion_shape3", &[-1, 8, 24]);
        let flow = self.model.node("Add", &format!("{node}/add2"), &[&moves, &offsets], &[]);
        Ok(self.reshape(&format!("{node}/reshape4"), &flow, "/const/policy_promotion_shape4", &[-1, 3, 64]))
    }

    fn flag(&self, name: &str) -> usize {
        self.tensors.flags.iter().find(|flag| flag.0 == name).and_then(|flag| flag.1.parse().ok()).unwrap_or(0)
    }

    pub(super) fn value(&mut self, body: &Body) -> Result<()> {
        let prefix = self.value_prefix();
        let flow = self.hidden("/value", body, &format!("{prefix}value"), &format!("{prefix}ip_val"), &format!("{prefix}ip1_val"))?;
        let outputs = if self.format_number("value") == VALUE_WDL { 3 } else { 1 };
        let hidden = self.len(&format!("{prefix}ip1_val_b"));
        let flow = self.matmul("/value/dense2/matmul", &flow, &format!("{prefix}ip2_val_w"), hidden, outputs)?;
        let flow = self.add_bias("/value/dense2/add", &flow, &format!("{prefix}ip2_val_b"), outputs)?;
        let (op, name) = if outputs == 3 { ("Softmax", "/output/wdl") } else { ("Tanh", "/output/value") };
        let axis = [("axis", Attribute::Int(1))];
        self.model.node(op, name, &[&flow], if outputs == 3 { &axis } else { &[] });
        self.model.interface(true, name, &[outputs as u64]);
        Ok(())
    }

    pub(super) fn moves_left(&mut self, body: &Body) -> Result<()> {
        let flow = self.hidden("/mlh", body, "moves_left", "ip_mov", "ip1_mov")?;
        let hidden = self.len("ip1_mov_b");
        let flow = self.matmul("/mlh/dense2/matmul", &flow, "ip2_mov_w", hidden, 1)?;
        let flow = self.add_bias("/mlh/dense2/add", &flow, "ip2_mov_b", 1)?;
        self.model.node("Relu", "/output/mlh", &[&flow], &[]);
        self.model.interface(true, "/output/mlh", &[1]);
        Ok(())
    }

    /// The first two layers of a head: a convolution or an embedding, and a dense layer over the board.
    fn hidden(&mut self, node: &str, body: &Body, block: &str, embedding: &str, dense: &str) -> Result<String> {
        let (flow, channels) = if self.encoders > 0 {
            let node = format!("{node}/embed");
            let (flow, channels) = self.dense(&node, &body.flow, embedding, body.channels)?;
            (self.activate(&node, &flow, self.activation), channels)
        } else {
            let node = format!("{node}/conv");
            let (flow, channels) = self.conv(&node, &body.flow, block, body.channels, 1)?;
            (self.activate(&node, &flow, self.activation), channels)
        };
        let wide = 64 * channels;
        let flow = self.reshape(&format!("{node}/reshape"), &flow, &format!("/const{node}_shape"), &[-1, wide as i64]);
        let dense_node = format!("{node}/dense1");
        let (flow, _) = self.dense(&dense_node, &flow, dense, wide)?;
        Ok(self.activate(&dense_node, &flow, self.activation))
    }
}
