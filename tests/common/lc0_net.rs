//! Networks of lc0 of any size with random numbers: an attention body with smolgen, several policy and value heads, moves left.
#![allow(dead_code)]

use nnue::internals::family::lc0::{Net, Version, schema, wire};
use wire::{Message, Slice, Value};

/// Sizes of a network.
pub struct Sizes {
    pub embedding: usize,
    pub heads: usize,
    pub encoders: usize,
    pub dff: usize,
    /// Smolgen's hidden channels, hidden units and generated numbers a head.
    pub smolgen: [usize; 3],
    /// Width of the position's embedding on each square.
    pub position: usize,
}

/// About the inflated size of the largest official networks: 700 MB.
pub const LARGE: Sizes = Sizes { embedding: 1024, heads: 32, encoders: 29, dff: 1536, smolgen: [32, 256, 256], position: 512 };
/// Some hundred kilobytes.
pub const SMALL: Sizes = Sizes { embedding: 32, heads: 4, encoders: 2, dff: 40, smolgen: [4, 12, 16], position: 4 };

/// Random numbers, and layers of them.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A LINEAR16 layer whose codes are few, so that it deflates as trained ones do; both ends are among them.
    fn layer(&mut self, len: usize) -> Value {
        let mut params = Vec::with_capacity(2 * len);
        while params.len() < 2 * len {
            let bits = self.next();
            for shift in [0, 16, 32, 48] {
                let spread = (bits >> shift & 0xF) as i32 - (bits >> (shift + 4) & 0xF) as i32;
                params.extend(((32768 + 512 * spread) as u16).to_le_bytes());
            }
        }
        params.truncate(2 * len);
        if len > 1 {
            params[..2].copy_from_slice(&0u16.to_le_bytes());
            params[2..4].copy_from_slice(&u16::MAX.to_le_bytes());
        }
        let mut layer = Message::new(&schema::LAYER);
        layer.set("min_val", Value::Float(-0.5));
        layer.set("max_val", Value::Float(0.75));
        layer.set("params", Value::Bytes(Slice::from_vec(params)));
        Value::Message(layer)
    }
}

/// Sets a layer or a number below a message that is made where it is missing.
fn put(message: &mut Message, path: &str, value: Value) {
    match path.split_once('.') {
        None => message.set(path, value),
        Some((field, rest)) => put(message.message_mut(field).expect("a message of the schema"), rest, value),
    }
}

/// A network of these sizes; equal seeds give equal networks.
pub fn net(sizes: &Sizes, seed: u64) -> Net {
    let Sizes { embedding: e, heads: h, encoders, dff, smolgen: [hc, hs, gs], position } = *sizes;
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut net = Message::new(&schema::NET);
    net.set("magic", Value::U32(0x1C0));
    let format = [("input", 1), ("output", 2), ("network", 7), ("policy", 3), ("value", 2), ("moves_left", 1), ("default_activation", 1)];
    for (name, value) in format.into_iter().chain([("smolgen_activation", 7), ("ffn_activation", 8), ("input_embedding", 2)]) {
        put(&mut net, &format!("format.network_format.{name}"), Value::Enum(value));
    }
    put(&mut net, "format.weights_encoding", Value::Enum(1));
    let weights = net.message_mut("weights").expect("a message of the schema");
    let body = [
        ("ip_emb_preproc_w", 64 * position * 768),
        ("ip_emb_preproc_b", 64 * position),
        ("ip_emb_w", e * (112 + position)),
        ("ip_emb_b", e),
        ("ip_emb_ln_gammas", e),
        ("ip_emb_ln_betas", e),
        ("ip_mult_gate", 64 * e),
        ("ip_add_gate", 64 * e),
        ("ip_emb_ffn.dense1_w", dff * e),
        ("ip_emb_ffn.dense1_b", dff),
        ("ip_emb_ffn.dense2_w", e * dff),
        ("ip_emb_ffn.dense2_b", e),
        ("ip_emb_ffn_ln_gammas", e),
        ("ip_emb_ffn_ln_betas", e),
        ("smolgen_w", 4096 * gs),
        ("ip_mov_w", 8 * e),
        ("ip_mov_b", 8),
        ("ip1_mov_w", 16 * 64 * 8),
        ("ip1_mov_b", 16),
        ("ip2_mov_w", 16),
        ("ip2_mov_b", 1),
        ("policy_heads.ip_pol_w", e * e),
        ("policy_heads.ip_pol_b", e),
    ];
    for (path, len) in body {
        put(weights, path, random.layer(len));
    }
    weights.set("headcount", Value::U32(u32::try_from(h).expect("few heads")));
    for head in ["vanilla", "soft"] {
        for (field, len) in [("ip2_pol_w", e * e), ("ip2_pol_b", e), ("ip3_pol_w", e * e), ("ip3_pol_b", e), ("ip4_pol_w", 4 * e)] {
            put(weights, &format!("policy_heads.{head}.{field}"), random.layer(len));
        }
    }
    for head in ["winner", "q"] {
        let layers = [
            ("ip_val_w", 32 * e),
            ("ip_val_b", 32),
            ("ip1_val_w", 128 * 64 * 32),
            ("ip1_val_b", 128),
            ("ip2_val_w", 3 * 128),
            ("ip2_val_b", 3),
        ];
        for (field, len) in layers {
            put(weights, &format!("value_heads.{head}.{field}"), random.layer(len));
        }
    }
    for _ in 0..encoders {
        let mut encoder = Message::new(&schema::ENCODER_LAYER);
        let layers = [
            ("mha.q_w", e * e),
            ("mha.q_b", e),
            ("mha.k_w", e * e),
            ("mha.k_b", e),
            ("mha.v_w", e * e),
            ("mha.v_b", e),
            ("mha.dense_w", e * e),
            ("mha.dense_b", e),
            ("mha.smolgen.compress", hc * e),
            ("mha.smolgen.dense1_w", hs * 64 * hc),
            ("mha.smolgen.dense1_b", hs),
            ("mha.smolgen.ln1_gammas", hs),
            ("mha.smolgen.ln1_betas", hs),
            ("mha.smolgen.dense2_w", h * gs * hs),
            ("mha.smolgen.dense2_b", h * gs),
            ("mha.smolgen.ln2_gammas", h * gs),
            ("mha.smolgen.ln2_betas", h * gs),
            ("ln1_gammas", e),
            ("ln1_betas", e),
            ("ffn.dense1_w", dff * e),
            ("ffn.dense1_b", dff),
            ("ffn.dense2_w", e * dff),
            ("ffn.dense2_b", e),
            ("ln2_gammas", e),
            ("ln2_betas", e),
        ];
        for (path, len) in layers {
            put(&mut encoder, path, random.layer(len));
        }
        weights.push("encoder", Value::Message(encoder));
    }
    let mut net = Net::from_message(net);
    net.set_min_version(Version(0, 31, 0)).expect("all layers are of the old encoding");
    net
}
