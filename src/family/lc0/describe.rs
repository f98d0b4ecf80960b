//! What a net is, for people and programs: header, structure, heads with their sizes and ranges, which releases take it. Renders nothing.

use serde::Serialize;

use super::{
    findings::{Effect, Finding, each_layer},
    layer::{Decode, Encoding, Layer},
    net::Net,
    schema::{ACTIVATION, Kind, MessageType, NETWORK_FORMAT, ONNX_MODEL, ONNX_MODEL_PROTO, TRAINING_PARAMS},
    verdict::Verdict,
    view::{POLICY_HEADS, VALUE_HEADS},
    wire::{Message, Value},
};

/// A net in words and numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// How the file is wrapped: `raw`, `gzip`, `embedded`; null for a net that was made.
    pub wrapping: Option<&'static str>,
    /// Size of the protobuf.
    pub protobuf_bytes: u64,
    /// What the header states.
    pub min_version: String,
    /// What the content needs.
    pub needed_version: String,
    /// The license's text.
    pub license: Option<String>,
    /// The file-wide encoding; null where it is absent.
    pub weights_encoding: Option<String>,
    /// `network_format` after the fix-up, in lc0's names.
    pub format: Vec<Entry>,
    /// What the fix-up changes.
    pub fixup: Vec<Fixed>,
    /// Training parameters.
    pub training: Vec<Entry>,
    /// Sizes of the body.
    pub body: Vec<Size>,
    /// Body and heads.
    pub parts: Vec<Part>,
    /// How many layers have which encoding.
    pub encodings: Vec<Size>,
    /// All weights.
    pub parameters: u64,
    /// The interface of an ONNX model inside; empty where there is none.
    pub onnx: Vec<Entry>,
    /// What that model says of itself: versions, producer, inputs, outputs, operator sets.
    pub onnx_model: Vec<Entry>,
    /// Which releases of lc0 take the file.
    pub releases: Vec<Release>,
    /// What lc0 does not look at.
    pub findings: Vec<Found>,
    /// What is odd about the wrapping.
    pub notes: Vec<String>,
}

/// A name and a value.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Name.
    pub name: String,
    /// Value, as lc0 prints it.
    pub value: String,
}

/// A name and a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Name.
    pub name: String,
    /// Number.
    pub value: u64,
}

/// A change of the fix-up.
#[derive(Debug, Clone, Serialize)]
pub struct Fixed {
    /// The field.
    pub field: &'static str,
    /// What the file says; null where it is absent.
    pub from: Option<String>,
    /// What lc0 makes of it.
    pub to: String,
}

/// The body or a head.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// `body`, `policy`, `value` or `moves left`.
    pub kind: &'static str,
    /// The head's name in the multi-head view; that of a map is its key. Empty for the body and the moves-left head.
    pub name: String,
    /// What it is: `attention`, `convolution`, `dense`, `wdl`, `scalar`, …
    pub form: &'static str,
    /// Whether lc0 uses it.
    pub used: bool,
    /// Layers.
    pub layers: u64,
    /// Weights.
    pub parameters: u64,
    /// Sizes, by name.
    pub sizes: Vec<Size>,
    /// What follows the layers of a policy head, and the dense layers of its encoders; of others nothing is said here.
    pub activations: Vec<Entry>,
    /// The least stored value or end of a range; null where there is none.
    pub min: Option<f32>,
    /// The greatest.
    pub max: Option<f32>,
}

/// A release of lc0.
#[derive(Debug, Clone, Serialize)]
pub struct Release {
    /// Its name.
    pub lc0: String,
    /// Why it refuses the file, in its words; null where it loads it.
    pub refusal: Option<String>,
    /// Why it loads the file wrongly; null where it does not.
    pub wrong: Option<String>,
    /// What it does: `loads`, `wrong`, `overrun`, `nan`, `crash` or `refused`.
    pub verdict: &'static str,
    /// Why its converter to ONNX refuses a file that its other backends load, in its words; null where it does not.
    pub converter: Option<String>,
}

impl Release {
    /// What it does, in words.
    pub fn words(&self) -> String {
        let why = self.refusal.as_ref().or(self.wrong.as_ref()).map_or("", String::as_str);
        let words = match self.verdict {
            "refused" => format!("refuses it: {why}"),
            "crash" => format!("crashes on it: {why}"),
            "nan" => format!("computes with NaN: {why}"),
            "overrun" => format!("reads beyond the end of a layer: {why}"),
            "wrong" => format!("loads it wrongly: {why}"),
            _ => "loads it".to_owned(),
        };
        match &self.converter {
            None => words,
            Some(refusal) => format!("{words}; its converter to ONNX refuses it: {refusal}"),
        }
    }
}

/// A fault.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// `refusal`, `missing`, `size`, `header`, `head`, `value`, `version` or `unknown`.
    pub kind: &'static str,
    /// What comes of it: `none`, `wrong`, `overrun`, `nan`, `crash` or `refused`.
    pub effect: &'static str,
    /// In words.
    pub what: String,
}

impl Net {
    /// Describes the net.
    pub fn describe(&self, decode: Decode) -> Description {
        let format = self.format();
        let mut parts = Vec::new();
        let mut encodings: Vec<Size> = Encoding::ALL.iter().map(|encoding| Size { name: encoding.name().to_owned(), value: 0 }).collect();
        if let Some(weights) = self.weights() {
            parts = self.parts(weights, decode);
            each_layer(weights, "", &mut |_, layer| {
                if let Ok(encoding) = layer.encoding() {
                    encodings[encoding as usize].value += 1;
                }
            });
        }
        encodings.retain(|count| count.value > 0);
        let findings = self.findings(decode);
        Description {
            wrapping: self.wrapping().map(super::Wrapping::name),
            protobuf_bytes: self.pb_len(),
            min_version: self.min_version().to_string(),
            needed_version: self.needed_version().to_string(),
            license: self.message.text("license"),
            weights_encoding: self.message.message("format").and_then(|format| {
                format.fields().find(|(field, _)| field.name == "weights_encoding").map(|(field, values)| show(field.kind, &values[0]))
            }),
            format: entries(Some(&format), &NETWORK_FORMAT),
            fixup: self.fixups(),
            training: entries(self.message.message("training_params"), &TRAINING_PARAMS),
            body: self.body_sizes(decode),
            parameters: parts.iter().map(|part| part.parameters).sum(),
            parts,
            encodings,
            onnx: entries(self.message.message("onnx_model"), &ONNX_MODEL),
            onnx_model: self.onnx_entries(),
            releases: self.releases(decode, &findings),
            findings: findings.iter().map(found).collect(),
            notes: self.notes().to_vec(),
        }
    }

    fn onnx_entries(&self) -> Vec<Entry> {
        let bytes = self.message.message("onnx_model").and_then(|onnx| onnx.bytes("model"));
        let Some(model) = bytes.and_then(|bytes| Message::parse_slice(&ONNX_MODEL_PROTO, bytes).ok()) else { return Vec::new() };
        let scalars = model.fields().filter(|(field, _)| !matches!(field.kind, Kind::Message(_)));
        let mut found: Vec<Entry> =
            scalars.map(|(field, values)| Entry { name: field.name.to_owned(), value: show(field.kind, &values[0]) }).collect();
        let mut add = |name: &str, value: String| found.push(Entry { name: name.to_owned(), value });
        for name in ["input", "output"] {
            let values = model.message("graph").into_iter().flat_map(|graph| graph.messages(name));
            values.for_each(|value| add(name, value.text("name").unwrap_or_default()));
        }
        for set in model.messages("opset_import") {
            add("opset", format!("{} {}", set.text("domain").unwrap_or_default(), set.u32("version").unwrap_or(0)).trim_start().to_owned());
        }
        found
    }

    fn fixups(&self) -> Vec<Fixed> {
        let name = |field: &str, number: i32| match NETWORK_FORMAT.field(field).map(|field| field.kind) {
            Some(Kind::Enum(names)) => names.show(number),
            _ => number.to_string(),
        };
        let changes = self.fixup_changes().into_iter();
        changes
            .map(|change| Fixed {
                field: change.field,
                from: change.from.map(|number| name(change.field, number)),
                to: name(change.field, change.to),
            })
            .collect()
    }

    fn releases(&self, decode: Decode, findings: &[Finding]) -> Vec<Release> {
        [Decode::Lc0V033, Decode::Lc0V032]
            .map(|release| {
                let verdict = if release == decode { self.verdict_of(release, findings) } else { self.verdict(release) };
                let Verdict { effect, why, converter } = verdict;
                let (refusal, wrong) = if effect == Effect::Refused { (why, None) } else { (None, why) };
                let verdict = if effect == Effect::None { "loads" } else { effect.name() };
                Release { lc0: release.engine().to_string(), refusal, wrong, verdict, converter }
            })
            .to_vec()
    }

    fn body_sizes(&self, decode: Decode) -> Vec<Size> {
        let Some(weights) = self.weights() else { return Vec::new() };
        let mut sizes = Vec::new();
        let mut add = |name: &str, value: usize| {
            if value > 0 {
                sizes.push(Size { name: name.to_owned(), value: value as u64 });
            }
        };
        let shapes = self.sizes(decode);
        let outputs =
            |path: &str| shapes.iter().find(|layer| layer.path == path).and_then(|layer| layer.shape.first().copied()).unwrap_or(0);
        add("blocks", weights.messages("residual").count());
        add("se blocks", weights.messages("residual").filter(|block| block.has("se")).count());
        add("filters", outputs("input.weights"));
        add("encoders", weights.messages("encoder").count());
        add("encoder heads", weights.u32("headcount").unwrap_or(0) as usize);
        add("embedding", outputs("ip_emb_w"));
        add("dense position width", outputs("ip_emb_preproc_w") / 64);
        add("d_model", outputs("encoder.0.mha.q_w"));
        add("encoder dff", outputs("encoder.0.ffn.dense1_w"));
        add("smolgen encoders", weights.messages("encoder").filter(|e| e.message("mha").is_some_and(|mha| mha.has("smolgen"))).count());
        sizes
    }

    fn parts(&self, weights: &Message, decode: Decode) -> Vec<Part> {
        let has_encoders = weights.has("encoder");
        let mut parts = vec![part("body", "", body_form(weights))];
        let body = |path: &str| !path.contains("pol") && !path.contains("val") && !path.contains("mov");
        each_layer(weights, "", &mut |path, layer| {
            if body(path) {
                parts[0].add(layer, decode);
            }
        });
        match weights.message("policy_heads") {
            None => parts.push(self.single(
                weights,
                "policy",
                "vanilla",
                &["policy.", "policy1.", "ip_pol", "ip2_pol", "ip3_pol", "ip4_pol", "pol_encoder"],
                decode,
            )),
            Some(group) => {
                let mut shared = part("policy", "shared embedding", "dense");
                for message in [group, weights] {
                    ["ip_pol_w", "ip_pol_b"]
                        .iter()
                        .filter_map(|name| Layer::find(message, name))
                        .for_each(|layer| shared.add(layer, decode));
                }
                parts.extend((shared.layers > 0).then_some(shared));
                let known = POLICY_HEADS.iter().filter_map(|(name, field)| Some((name.to_string(), group.message(field)?, true)));
                let maps = group.messages("policy_head_map").filter_map(|entry| Some((entry.text("key")?, entry.message("value")?, false)));
                parts.extend(known.chain(maps).map(|(name, head, used)| head_part("policy", &name, head, used, has_encoders, decode)));
            }
        }
        match weights.message("value_heads") {
            None => parts.push(self.single(weights, "value", "winner", &["value.", "ip_val", "ip1_val", "ip2_val"], decode)),
            Some(group) => {
                let known = VALUE_HEADS.iter().filter_map(|(name, field)| Some((name.to_string(), group.message(field)?, true)));
                let maps = group.messages("value_head_map").filter_map(|entry| Some((entry.text("key")?, entry.message("value")?, false)));
                parts.extend(known.chain(maps).map(|(name, head, used)| head_part("value", &name, head, used, has_encoders, decode)));
            }
        }
        parts.push(self.single(weights, "moves left", "", &["moves_left.", "ip_mov", "ip1_mov", "ip2_mov"], decode));
        parts.retain(|part| part.layers > 0);
        parts
    }

    /// A head whose layers stand in the top level.
    fn single(&self, weights: &Message, kind: &'static str, name: &str, prefixes: &[&str], decode: Decode) -> Part {
        let mut head = head_of(kind, name, weights, true, weights.has("encoder"), decode);
        each_layer(weights, "", &mut |path, layer| {
            if prefixes.iter().any(|prefix| path.starts_with(prefix)) {
                head.add(layer, decode);
            }
        });
        head
    }
}

fn part(kind: &'static str, name: &str, form: &'static str) -> Part {
    let (sizes, activations) = (Vec::new(), Vec::new());
    Part { kind, name: name.to_owned(), form, used: true, layers: 0, parameters: 0, sizes, activations, min: None, max: None }
}

/// A head without its layers.
fn head_of(kind: &'static str, name: &str, head: &Message, used: bool, has_encoders: bool, decode: Decode) -> Part {
    let (sizes, activations) = (head_sizes(kind, head, decode), head_activations(kind, head, has_encoders, decode));
    Part { used, sizes, activations, ..part(kind, name, head_form(kind, head, decode)) }
}

fn head_part(kind: &'static str, name: &str, head: &Message, used: bool, has_encoders: bool, decode: Decode) -> Part {
    let mut part = head_of(kind, name, head, used, has_encoders, decode);
    each_layer(head, "", &mut |_, layer| part.add(layer, decode));
    part
}

fn found(finding: &Finding) -> Found {
    Found { kind: finding.fault.name(), effect: finding.effect.name(), what: finding.to_string() }
}

impl Part {
    fn add(&mut self, layer: Layer<'_>, decode: Decode) {
        let Ok(count) = layer.count(decode) else { return };
        self.layers += 1;
        self.parameters += count as u64;
        if count == 0 {
            return;
        }
        let (mut least, mut greatest) = (f32::INFINITY, f32::NEG_INFINITY);
        if layer.encoding_for(decode).is_ok_and(|encoding| encoding == Encoding::Linear16) {
            (least, greatest) = (layer.min().min(layer.max()), layer.max().max(layer.min()));
        } else {
            let _ = layer.each_block(decode, &mut |block| {
                for value in block {
                    (least, greatest) = (least.min(*value), greatest.max(*value));
                }
                Ok(())
            });
        }
        self.min = Some(self.min.map_or(least, |min| min.min(least)));
        self.max = Some(self.max.map_or(greatest, |max| max.max(greatest)));
    }
}

fn count(message: &Message, name: &str, decode: Decode) -> u64 {
    Layer::find(message, name).and_then(|layer| layer.count(decode).ok()).unwrap_or(0) as u64
}

fn body_form(weights: &Message) -> &'static str {
    match (weights.has("residual"), weights.has("encoder")) {
        (true, true) => "residual + attention",
        (false, true) => "attention",
        _ => "residual",
    }
}

fn head_form(kind: &str, head: &Message, decode: Decode) -> &'static str {
    match kind {
        "policy" if head.has("ip2_pol_w") => "attention",
        "policy" if head.has("policy1") => "convolution",
        "policy" => "dense",
        "value" if is_wdl(head, decode) => "wdl",
        "value" => "scalar",
        _ => "plies",
    }
}

/// Whether a value head has three outputs. Where its last biases do not tell, lc0's own report goes by the weights.
fn is_wdl(head: &Message, decode: Decode) -> bool {
    match count(head, "ip2_val_b", decode) {
        1 => false,
        3 => true,
        _ => count(head, "ip2_val_w", decode).is_multiple_of(3),
    }
}

fn head_sizes(kind: &str, head: &Message, decode: Decode) -> Vec<Size> {
    let number = |field: &str| count(head, field, decode);
    let outputs = |block: &str| head.message(block).map_or(0, |block| conv_outputs(block, decode));
    // Encoders are all of one size.
    let encoder = head.messages("pol_encoder").next();
    let inside =
        |block: &str, layer: &str| encoder.and_then(|encoder| encoder.message(block)).map_or(0, |block| count(block, layer, decode));
    let sizes: Vec<(&str, u64)> = match (kind, head_form(kind, head, decode)) {
        ("policy", "attention") => vec![
            ("embedding", number("ip_pol_b")),
            ("d_model", number("ip2_pol_b")),
            ("encoders", head.messages("pol_encoder").count() as u64),
            ("encoder heads", u64::from(head.u32("pol_headcount").unwrap_or(0))),
            ("encoder d_model", inside("mha", "q_b")),
            ("encoder dff", inside("ffn", "dense1_b")),
        ],
        ("policy", "convolution") => vec![("channels", outputs("policy1")), ("planes", outputs("policy"))],
        ("policy", _) => vec![("channels", outputs("policy")), ("outputs", number("ip_pol_b"))],
        ("value", _) => vec![
            ("channels", number("ip_val_b").max(outputs("value"))),
            ("hidden", number("ip1_val_b")),
            ("outputs", number("ip2_val_b")),
            ("error", number("ip_val_err_b")),
            ("categories", number("ip_val_cat_b")),
        ],
        _ => vec![("channels", number("ip_mov_b").max(outputs("moves_left"))), ("hidden", number("ip1_mov_b"))],
    };
    let sizes = sizes.into_iter().filter(|(_, value)| *value > 0);
    sizes.map(|(name, value)| Size { name: name.to_owned(), value }).collect()
}

/// Outputs of a convolution, as lc0 counts them.
fn conv_outputs(block: &Message, decode: Decode) -> u64 {
    match count(block, "biases", decode) {
        0 => count(block, "bn_means", decode),
        biases => biases,
    }
}

/// What follows the layers of a policy head, in lc0's words: SELU where it takes what a tower makes, else what the header says of all layers.
fn head_activations(kind: &str, head: &Message, has_encoders: bool, decode: Decode) -> Vec<Entry> {
    if kind != "policy" {
        return Vec::new();
    }
    let is_selu = !has_encoders && head_form(kind, head, decode) == "attention";
    let value = ACTIVATION.show(if is_selu { SELU } else { 0 });
    let mut names = vec!["activation"];
    names.extend(head.has("pol_encoder").then_some("encoder ffn activation"));
    names.into_iter().map(|name| Entry { name: name.to_owned(), value: value.clone() }).collect()
}

/// Number of `ACTIVATION_SELU`.
const SELU: i32 = 6;

fn entries(message: Option<&Message>, ty: &MessageType) -> Vec<Entry> {
    let fields = message.into_iter().flat_map(Message::fields);
    let shown = fields.filter(|(field, _)| ty.field(field.name).is_some() && !matches!(field.kind, Kind::Bytes));
    shown.map(|(field, values)| Entry { name: field.name.to_owned(), value: show(field.kind, &values[0]) }).collect()
}

fn show(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Enum(names), Value::Enum(number)) => names.show(*number),
        (_, Value::Enum(number)) => number.to_string(),
        (_, Value::U32(number)) => number.to_string(),
        (_, Value::Float(number)) => number.to_string(),
        (_, Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        (_, Value::Message(_)) => String::new(),
    }
}
