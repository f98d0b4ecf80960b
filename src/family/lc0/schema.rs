//! The messages of an lc0 weight file as one table: field numbers, names and kinds. Nothing here reads or writes.
//!
//! Package `pblczero` of lc0 0.33, proto2. `bn_stddivs` holds variances, whatever its name.

/// A kind of message.
#[derive(Debug)]
pub struct MessageType {
    /// Its name, for messages.
    pub name: &'static str,
    /// Its fields, by ascending number.
    pub fields: &'static [FieldType],
}

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub struct FieldType {
    /// Its number on the wire.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may occur several times.
    pub repeated: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A varint, cut to 32 bits.
    U32,
    /// A varint with named values.
    Enum(&'static EnumType),
    /// Four bytes, an integer.
    Fixed32,
    /// Four bytes, IEEE 754.
    Float,
    /// UTF-8 by convention; nobody checks.
    Text,
    /// Bytes.
    Bytes,
    /// Another message.
    Message(&'static MessageType),
}

/// Named numbers.
#[derive(Debug)]
pub struct EnumType {
    /// lc0's name of the type, with which it prints undefined numbers.
    pub name: &'static str,
    /// Names as lc0 prints them, and numbers.
    pub values: &'static [(&'static str, i32)],
}

impl MessageType {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static FieldType> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field of that number.
    pub fn numbered(&self, number: u64) -> Option<&'static FieldType> {
        self.fields.iter().find(|field| u64::from(field.number) == number)
    }
}

impl EnumType {
    /// The number as lc0 prints it: `INPUT_CLASSICAL_112_PLANE`, or `InputFormat(77)` where it has no name.
    pub fn show(&self, number: i32) -> String {
        match self.values.iter().find(|value| value.1 == number) {
            Some((name, _)) => (*name).to_owned(),
            None => format!("{}({number})", self.name),
        }
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> FieldType {
    FieldType { number, name, kind, repeated: false }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> FieldType {
    FieldType { number, name, kind, repeated: true }
}

const fn layer(number: u32, name: &'static str) -> FieldType {
    one(number, name, Kind::Message(&LAYER))
}

/// `Net`.
pub static NET: MessageType = MessageType {
    name: "Net",
    fields: &[
        one(1, "magic", Kind::Fixed32),
        one(2, "license", Kind::Text),
        one(3, "min_version", Kind::Message(&ENGINE_VERSION)),
        one(4, "format", Kind::Message(&FORMAT)),
        one(5, "training_params", Kind::Message(&TRAINING_PARAMS)),
        one(10, "weights", Kind::Message(&WEIGHTS)),
        one(11, "onnx_model", Kind::Message(&ONNX_MODEL)),
    ],
};

/// `EngineVersion`.
pub static ENGINE_VERSION: MessageType =
    MessageType { name: "EngineVersion", fields: &[one(1, "major", Kind::U32), one(2, "minor", Kind::U32), one(3, "patch", Kind::U32)] };

/// `Format`.
pub static FORMAT: MessageType = MessageType {
    name: "Format",
    fields: &[one(1, "weights_encoding", Kind::Enum(&WEIGHTS_ENCODING)), one(2, "network_format", Kind::Message(&NETWORK_FORMAT))],
};

/// `NetworkFormat`.
pub static NETWORK_FORMAT: MessageType = MessageType {
    name: "NetworkFormat",
    fields: &[
        one(1, "input", Kind::Enum(&INPUT)),
        one(2, "output", Kind::Enum(&OUTPUT)),
        one(3, "network", Kind::Enum(&NETWORK)),
        one(4, "policy", Kind::Enum(&POLICY)),
        one(5, "value", Kind::Enum(&VALUE)),
        one(6, "moves_left", Kind::Enum(&MOVES_LEFT)),
        one(7, "default_activation", Kind::Enum(&DEFAULT_ACTIVATION)),
        one(8, "smolgen_activation", Kind::Enum(&ACTIVATION)),
        one(9, "ffn_activation", Kind::Enum(&ACTIVATION)),
        one(10, "input_embedding", Kind::Enum(&INPUT_EMBEDDING)),
    ],
};

/// `TrainingParams`.
pub static TRAINING_PARAMS: MessageType = MessageType {
    name: "TrainingParams",
    fields: &[
        one(1, "training_steps", Kind::U32),
        one(2, "learning_rate", Kind::Float),
        one(3, "mse_loss", Kind::Float),
        one(4, "policy_loss", Kind::Float),
        one(5, "accuracy", Kind::Float),
        one(6, "lc0_params", Kind::Text),
    ],
};

/// `OnnxModel`.
pub static ONNX_MODEL: MessageType = MessageType {
    name: "OnnxModel",
    fields: &[
        one(1, "model", Kind::Bytes),
        one(2, "data_type", Kind::Enum(&DATA_TYPE)),
        one(3, "input_planes", Kind::Text),
        one(4, "output_value", Kind::Text),
        one(5, "output_wdl", Kind::Text),
        one(6, "output_policy", Kind::Text),
        one(7, "output_mlh", Kind::Text),
    ],
};

/// `Layer`.
pub static LAYER: MessageType = MessageType {
    name: "Layer",
    fields: &[
        one(1, "min_val", Kind::Float),
        one(2, "max_val", Kind::Float),
        one(3, "params", Kind::Bytes),
        one(4, "encoding", Kind::Enum(&LAYER_ENCODING)),
        many(5, "dims", Kind::U32),
    ],
};

/// `ConvBlock`.
pub static CONV_BLOCK: MessageType = MessageType {
    name: "ConvBlock",
    fields: &[
        layer(1, "weights"),
        layer(2, "biases"),
        layer(3, "bn_means"),
        layer(4, "bn_stddivs"),
        layer(5, "bn_gammas"),
        layer(6, "bn_betas"),
    ],
};

/// `SEunit`.
pub static SEUNIT: MessageType = MessageType { name: "SEunit", fields: &[layer(1, "w1"), layer(2, "b1"), layer(3, "w2"), layer(4, "b2")] };

/// `Residual`.
pub static RESIDUAL: MessageType = MessageType {
    name: "Residual",
    fields: &[
        one(1, "conv1", Kind::Message(&CONV_BLOCK)),
        one(2, "conv2", Kind::Message(&CONV_BLOCK)),
        one(3, "se", Kind::Message(&SEUNIT)),
    ],
};

/// `Smolgen`.
pub static SMOLGEN: MessageType = MessageType {
    name: "Smolgen",
    fields: &[
        layer(1, "compress"),
        layer(2, "dense1_w"),
        layer(3, "dense1_b"),
        layer(4, "ln1_gammas"),
        layer(5, "ln1_betas"),
        layer(6, "dense2_w"),
        layer(7, "dense2_b"),
        layer(8, "ln2_gammas"),
        layer(9, "ln2_betas"),
    ],
};

/// `MHA`.
pub static MHA: MessageType = MessageType {
    name: "MHA",
    fields: &[
        layer(1, "q_w"),
        layer(2, "q_b"),
        layer(3, "k_w"),
        layer(4, "k_b"),
        layer(5, "v_w"),
        layer(6, "v_b"),
        layer(7, "dense_w"),
        layer(8, "dense_b"),
        one(9, "smolgen", Kind::Message(&SMOLGEN)),
        layer(10, "rpe_q"),
        layer(11, "rpe_k"),
        layer(12, "rpe_v"),
    ],
};

/// `FFN`.
pub static FFN: MessageType =
    MessageType { name: "FFN", fields: &[layer(1, "dense1_w"), layer(2, "dense1_b"), layer(3, "dense2_w"), layer(4, "dense2_b")] };

/// `EncoderLayer`.
pub static ENCODER_LAYER: MessageType = MessageType {
    name: "EncoderLayer",
    fields: &[
        one(1, "mha", Kind::Message(&MHA)),
        layer(2, "ln1_gammas"),
        layer(3, "ln1_betas"),
        one(4, "ffn", Kind::Message(&FFN)),
        layer(5, "ln2_gammas"),
        layer(6, "ln2_betas"),
    ],
};

/// `PolicyHead`.
pub static POLICY_HEAD: MessageType = MessageType {
    name: "PolicyHead",
    fields: &[
        layer(1, "ip_pol_w"),
        layer(2, "ip_pol_b"),
        layer(3, "ip2_pol_w"),
        layer(4, "ip2_pol_b"),
        layer(5, "ip3_pol_w"),
        layer(6, "ip3_pol_b"),
        layer(7, "ip4_pol_w"),
        many(8, "pol_encoder", Kind::Message(&ENCODER_LAYER)),
        one(9, "pol_headcount", Kind::U32),
        one(10, "policy1", Kind::Message(&CONV_BLOCK)),
        one(11, "policy", Kind::Message(&CONV_BLOCK)),
    ],
};

/// `ValueHead`.
pub static VALUE_HEAD: MessageType = MessageType {
    name: "ValueHead",
    fields: &[
        layer(1, "ip_val_w"),
        layer(2, "ip_val_b"),
        layer(3, "ip1_val_w"),
        layer(4, "ip1_val_b"),
        layer(5, "ip2_val_w"),
        layer(6, "ip2_val_b"),
        layer(7, "ip_val_err_w"),
        layer(8, "ip_val_err_b"),
        layer(9, "ip_val_cat_w"),
        layer(10, "ip_val_cat_b"),
        one(11, "value", Kind::Message(&CONV_BLOCK)),
    ],
};

/// `PolicyHeadMap`.
pub static POLICY_HEAD_MAP: MessageType =
    MessageType { name: "PolicyHeadMap", fields: &[one(1, "key", Kind::Text), one(2, "value", Kind::Message(&POLICY_HEAD))] };

/// `ValueHeadMap`.
pub static VALUE_HEAD_MAP: MessageType =
    MessageType { name: "ValueHeadMap", fields: &[one(1, "key", Kind::Text), one(2, "value", Kind::Message(&VALUE_HEAD))] };

/// `PolicyHeads`.
pub static POLICY_HEADS: MessageType = MessageType {
    name: "PolicyHeads",
    fields: &[
        layer(1, "ip_pol_w"),
        layer(2, "ip_pol_b"),
        one(3, "vanilla", Kind::Message(&POLICY_HEAD)),
        one(4, "optimistic_st", Kind::Message(&POLICY_HEAD)),
        one(5, "soft", Kind::Message(&POLICY_HEAD)),
        one(6, "opponent", Kind::Message(&POLICY_HEAD)),
        many(7, "policy_head_map", Kind::Message(&POLICY_HEAD_MAP)),
    ],
};

/// `ValueHeads`.
pub static VALUE_HEADS: MessageType = MessageType {
    name: "ValueHeads",
    fields: &[
        one(1, "winner", Kind::Message(&VALUE_HEAD)),
        one(2, "q", Kind::Message(&VALUE_HEAD)),
        one(3, "st", Kind::Message(&VALUE_HEAD)),
        many(4, "value_head_map", Kind::Message(&VALUE_HEAD_MAP)),
    ],
};

/// `Weights`.
pub static WEIGHTS: MessageType = MessageType {
    name: "Weights",
    fields: &[
        one(1, "input", Kind::Message(&CONV_BLOCK)),
        many(2, "residual", Kind::Message(&RESIDUAL)),
        one(3, "policy", Kind::Message(&CONV_BLOCK)),
        layer(4, "ip_pol_w"),
        layer(5, "ip_pol_b"),
        one(6, "value", Kind::Message(&CONV_BLOCK)),
        layer(7, "ip1_val_w"),
        layer(8, "ip1_val_b"),
        layer(9, "ip2_val_w"),
        layer(10, "ip2_val_b"),
        one(11, "policy1", Kind::Message(&CONV_BLOCK)),
        one(12, "moves_left", Kind::Message(&CONV_BLOCK)),
        layer(13, "ip1_mov_w"),
        layer(14, "ip1_mov_b"),
        layer(15, "ip2_mov_w"),
        layer(16, "ip2_mov_b"),
        layer(17, "ip2_pol_w"),
        layer(18, "ip2_pol_b"),
        layer(19, "ip3_pol_w"),
        layer(20, "ip3_pol_b"),
        many(21, "pol_encoder", Kind::Message(&ENCODER_LAYER)),
        layer(22, "ip4_pol_w"),
        one(24, "pol_headcount", Kind::U32),
        layer(25, "ip_emb_w"),
        layer(26, "ip_emb_b"),
        many(27, "encoder", Kind::Message(&ENCODER_LAYER)),
        one(28, "headcount", Kind::U32),
        layer(29, "ip_val_w"),
        layer(30, "ip_val_b"),
        layer(31, "ip_mov_w"),
        layer(32, "ip_mov_b"),
        layer(33, "ip_mult_gate"),
        layer(34, "ip_add_gate"),
        layer(35, "smolgen_w"),
        layer(36, "smolgen_b"),
        layer(37, "ip_emb_preproc_w"),
        layer(38, "ip_emb_preproc_b"),
        layer(39, "ip_emb_ln_gammas"),
        layer(40, "ip_emb_ln_betas"),
        one(41, "ip_emb_ffn", Kind::Message(&FFN)),
        layer(42, "ip_emb_ffn_ln_gammas"),
        layer(43, "ip_emb_ffn_ln_betas"),
        one(44, "value_heads", Kind::Message(&VALUE_HEADS)),
        one(45, "policy_heads", Kind::Message(&POLICY_HEADS)),
    ],
};

/// What is told of an ONNX model: its `ModelProto` without nodes and tensors.
pub static ONNX_MODEL_PROTO: MessageType = MessageType {
    name: "ModelProto",
    fields: &[
        one(1, "ir_version", Kind::U32),
        one(2, "producer_name", Kind::Text),
        one(3, "producer_version", Kind::Text),
        one(4, "domain", Kind::Text),
        one(5, "model_version", Kind::U32),
        one(6, "doc_string", Kind::Text),
        one(7, "graph", Kind::Message(&ONNX_GRAPH)),
        many(8, "opset_import", Kind::Message(&ONNX_OPSET)),
    ],
};

/// `GraphProto`.
pub static ONNX_GRAPH: MessageType = MessageType {
    name: "GraphProto",
    fields: &[many(11, "input", Kind::Message(&ONNX_VALUE)), many(12, "output", Kind::Message(&ONNX_VALUE))],
};

/// `ValueInfoProto`.
pub static ONNX_VALUE: MessageType = MessageType { name: "ValueInfoProto", fields: &[one(1, "name", Kind::Text)] };

/// `OperatorSetIdProto`.
pub static ONNX_OPSET: MessageType =
    MessageType { name: "OperatorSetIdProto", fields: &[one(1, "domain", Kind::Text), one(2, "version", Kind::U32)] };

/// Values of `Encoding`.
pub static WEIGHTS_ENCODING: EnumType = EnumType { name: "Encoding", values: &[("UNKNOWN", 0), ("LINEAR16", 1)] };

/// Values of `Encoding` of a layer.
pub static LAYER_ENCODING: EnumType =
    EnumType { name: "Encoding", values: &[("UNKNOWN_ENCODING", 0), ("LINEAR16", 1), ("FLOAT16", 2), ("BFLOAT16", 3), ("FLOAT32", 4)] };

/// Values of `InputFormat`.
pub static INPUT: EnumType = EnumType {
    name: "InputFormat",
    values: &[
        ("INPUT_UNKNOWN", 0),
        ("INPUT_CLASSICAL_112_PLANE", 1),
        ("INPUT_112_WITH_CASTLING_PLANE", 2),
        ("INPUT_112_WITH_CANONICALIZATION", 3),
        ("INPUT_112_WITH_CANONICALIZATION_HECTOPLIES", 4),
        ("INPUT_112_WITH_CANONICALIZATION_V2", 5),
        ("INPUT_112_WITH_CANONICALIZATION_HECTOPLIES_ARMAGEDDON", 132),
        ("INPUT_112_WITH_CANONICALIZATION_V2_ARMAGEDDON", 133),
    ],
};

/// Values of `OutputFormat`.
pub static OUTPUT: EnumType =
    EnumType { name: "OutputFormat", values: &[("OUTPUT_UNKNOWN", 0), ("OUTPUT_CLASSICAL", 1), ("OUTPUT_WDL", 2)] };

/// Values of `NetworkStructure`.
pub static NETWORK: EnumType = EnumType {
    name: "NetworkStructure",
    values: &[
        ("NETWORK_UNKNOWN", 0),
        ("NETWORK_CLASSICAL", 1),
        ("NETWORK_SE", 2),
        ("NETWORK_CLASSICAL_WITH_HEADFORMAT", 3),
        ("NETWORK_SE_WITH_HEADFORMAT", 4),
        ("NETWORK_ONNX", 5),
        ("NETWORK_ATTENTIONBODY_WITH_HEADFORMAT", 6),
        ("NETWORK_ATTENTIONBODY_WITH_MULTIHEADFORMAT", 7),
        ("NETWORK_AB_LEGACY_WITH_MULTIHEADFORMAT", 134),
    ],
};

/// Of [`NETWORK`]: a model in place of layers.
pub(super) const NETWORK_ONNX: i32 = 5;

/// Values of `PolicyFormat`.
pub static POLICY: EnumType = EnumType {
    name: "PolicyFormat",
    values: &[("POLICY_UNKNOWN", 0), ("POLICY_CLASSICAL", 1), ("POLICY_CONVOLUTION", 2), ("POLICY_ATTENTION", 3)],
};

/// Of [`POLICY`]: a dense layer.
pub(super) const POLICY_CLASSICAL: i32 = 1;
/// Of [`POLICY`].
pub(super) const POLICY_CONVOLUTION: i32 = 2;
/// Of [`POLICY`].
pub(super) const POLICY_ATTENTION: i32 = 3;

/// Values of `ValueFormat`.
pub static VALUE: EnumType =
    EnumType { name: "ValueFormat", values: &[("VALUE_UNKNOWN", 0), ("VALUE_CLASSICAL", 1), ("VALUE_WDL", 2), ("VALUE_PARAM", 3)] };

/// Of [`VALUE`]: one number.
pub(super) const VALUE_CLASSICAL: i32 = 1;
/// Of [`VALUE`]: win, draw, loss.
pub(super) const VALUE_WDL: i32 = 2;

/// Values of `MovesLeftFormat`.
pub static MOVES_LEFT: EnumType = EnumType { name: "MovesLeftFormat", values: &[("MOVES_LEFT_NONE", 0), ("MOVES_LEFT_V1", 1)] };

/// Values of `DefaultActivation`.
pub static DEFAULT_ACTIVATION: EnumType =
    EnumType { name: "DefaultActivation", values: &[("DEFAULT_ACTIVATION_RELU", 0), ("DEFAULT_ACTIVATION_MISH", 1)] };

/// Values of `ActivationFunction`.
pub static ACTIVATION: EnumType = EnumType {
    name: "ActivationFunction",
    values: &[
        ("ACTIVATION_DEFAULT", 0),
        ("ACTIVATION_MISH", 1),
        ("ACTIVATION_RELU", 2),
        ("ACTIVATION_NONE", 3),
        ("ACTIVATION_TANH", 4),
        ("ACTIVATION_SIGMOID", 5),
        ("ACTIVATION_SELU", 6),
        ("ACTIVATION_SWISH", 7),
        ("ACTIVATION_RELU_2", 8),
        ("ACTIVATION_SOFTMAX", 9),
    ],
};

/// Values of `InputEmbeddingFormat`.
pub static INPUT_EMBEDDING: EnumType = EnumType {
    name: "InputEmbeddingFormat",
    values: &[("INPUT_EMBEDDING_NONE", 0), ("INPUT_EMBEDDING_PE_MAP", 1), ("INPUT_EMBEDDING_PE_DENSE", 2)],
};

/// Of [`INPUT_EMBEDDING`]: a fixed table of positions.
pub(super) const PE_MAP: i32 = 1;
/// Of [`INPUT_EMBEDDING`]: dense layers.
pub(super) const PE_DENSE: i32 = 2;

/// Values of `DataType`.
pub static DATA_TYPE: EnumType =
    EnumType { name: "DataType", values: &[("UNKNOWN_DATATYPE", 0), ("FLOAT", 1), ("FLOAT16", 10), ("BFLOAT16", 16)] };
