//! The tensors of a net under lc0's names, in three views. Values are made when they are asked for.
//!
//! | view | what it holds |
//! | --- | --- |
//! | raw | every layer as stored, by its path in the protobuf |
//! | legacy | what the older backends use: batch norms folded, heads from the top level |
//! | multi | what the newer backends use: batch norms folded, all heads by name |
//!
//! Tensors of views that lc0 fills with nothing are absent from legacy and multi; raw has them, without elements.

use std::io::Write;

use super::{
    fold::{Folded, Part},
    layer::{Decode, Layer, write_floats},
    net::Net,
    schema::{Kind, WEIGHTS},
    sizes::{TOP_POLICY, TOP_VALUE},
    wire::{Message, Value},
};
pub use crate::words::View;

use crate::error::{Error, Result};

/// A tensor of a view.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    /// Its name in the view.
    pub name: String,
    /// The path of the layer (of a folded block: of its part) in the protobuf.
    pub source: String,
    /// Elements.
    pub len: usize,
    decode: Decode,
    data: Data<'a>,
}

#[derive(Debug, Clone)]
enum Data<'a> {
    Layer(Layer<'a>),
    Folded(Folded<'a>, Part),
}

impl<'a> Tensor<'a> {
    /// All values.
    ///
    /// # Errors
    /// When the memory does not suffice, and when folding a batch norm makes something that is no number.
    pub fn values(&self) -> Result<Vec<f32>> {
        match &self.data {
            Data::Layer(layer) => layer.values(self.decode),
            Data::Folded(folded, part) => folded.values(*part).map_err(|error| self.named(error)),
        }
    }

    fn named(&self, error: Error) -> Error {
        error.context(format!("`{}` cannot be made", self.name))
    }

    /// Refuses to write values that are none although everything that is stored is a number: those of a range that is too wide for the
    /// formula. (What batch norms do to numbers is looked at where they are folded.)
    ///
    /// # Errors
    /// Then.
    pub fn check_range(&self) -> Result<()> {
        let wide = match &self.data {
            Data::Layer(layer) => layer.is_too_wide(self.decode).then(|| (self.source.clone(), *layer)),
            Data::Folded(folded, part) => {
                let block = self.source.trim_end_matches(part.name());
                let found = folded.layers().find(|(_, layer)| layer.is_too_wide(self.decode));
                found.map(|(name, layer)| (format!("{block}{name}"), layer))
            }
        };
        let Some((path, layer)) = wide else { return Ok(()) };
        let (min, max) = (layer.min(), layer.max());
        Err(Error::new(format!("the range of `{path}`, {min} to {max}, is too wide for the formula of `{}`", self.decode))
            .because("it makes infinities of numbers")
            .help("decode the network as `lc0-0.33`"))
    }

    /// Writes the values, little-endian.
    ///
    /// # Errors
    /// Those of `out` and of [`Self::values`].
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        match &self.data {
            Data::Layer(layer) => layer.each_block(self.decode, &mut |block| write_floats(out, block)),
            Data::Folded(..) => write_floats(out, &self.values()?),
        }
    }

    /// The stored layer, where the tensor is one as it stands.
    pub fn layer(&self) -> Option<Layer<'a>> {
        if let Data::Layer(layer) = self.data { Some(layer) } else { None }
    }
}

/// A view of a net.
#[derive(Debug, Clone, Default)]
pub struct Tensors<'a> {
    /// The tensors.
    pub tensors: Vec<Tensor<'a>>,
    /// What a view says besides: presence and counts, under names with `#`.
    pub flags: Vec<(String, String)>,
    /// Layers of the raw view that cannot be decoded, and why.
    pub undecodable: Vec<(String, String)>,
}

impl<'a> Tensors<'a> {
    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor<'a>> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// lc0's refusal of a net whose attention knows relative positions.
const RPE: &str = "RPE weights file not supported.";

impl Net {
    /// The tensors of a view.
    ///
    /// # Errors
    /// When lc0 cannot make that view, in its words: a layer of an unknown encoding, no heads, relative position encodings; and when a
    /// batch norm does not fit its block.
    pub fn tensors(&self, view: View, decode: Decode) -> Result<Tensors<'_>> {
        let empty = &EMPTY;
        let weights = self.weights().unwrap_or(empty);
        let mut builder = Builder { out: Tensors::default(), decode, only_refusals: false };
        match view {
            View::Raw => builder.raw(weights, "")?,
            View::Legacy => {
                builder.body(weights)?;
                builder.policy(weights, "", "", &POLICY)?;
                builder.conv(weights, "value", "", "")?;
                builder.layers(weights, &VALUE, "", "")?;
            }
            View::Multi => {
                builder.body(weights)?;
                builder.policy_heads(weights)?;
                builder.value_heads(weights)?;
            }
        }
        Ok(builder.out)
    }

    /// Why lc0 cannot make the tensors of a net, in its words. A batch norm that does not fit its block is no reason to it.
    pub(super) fn refusal_of_tensors(&self, decode: Decode) -> Option<String> {
        let weights = self.weights().unwrap_or(&EMPTY);
        let mut builder = Builder { out: Tensors::default(), decode, only_refusals: true };
        let made = builder.body(weights).and_then(|()| builder.policy_heads(weights)).and_then(|()| builder.value_heads(weights));
        made.err().map(|error| error.message().to_owned())
    }
}

static EMPTY: std::sync::LazyLock<Message> = std::sync::LazyLock::new(|| Message::new(&WEIGHTS));

/// Layers of attention. `rpe_*` are refused before.
const MHA: [&str; 8] = ["q_w", "q_b", "k_w", "k_b", "v_w", "v_b", "dense_w", "dense_b"];
const SMOLGEN: [&str; 9] =
    ["compress", "dense1_w", "dense1_b", "ln1_gammas", "ln1_betas", "dense2_w", "dense2_b", "ln2_gammas", "ln2_betas"];
const FFN: [&str; 4] = ["dense1_w", "dense1_b", "dense2_w", "dense2_b"];
const NORMS: [&str; 4] = ["ln1_gammas", "ln1_betas", "ln2_gammas", "ln2_betas"];
const BODY: [&str; 17] = [
    "ip_emb_preproc_w",
    "ip_emb_preproc_b",
    "ip_emb_w",
    "ip_emb_b",
    "ip_emb_ln_gammas",
    "ip_emb_ln_betas",
    "ip_mult_gate",
    "ip_add_gate",
    "ip_emb_ffn_ln_gammas",
    "ip_emb_ffn_ln_betas",
    "ip_mov_w",
    "ip_mov_b",
    "ip1_mov_w",
    "ip1_mov_b",
    "ip2_mov_w",
    "ip2_mov_b",
    "smolgen_w",
];
const SHARED: [&str; 2] = ["ip_pol_w", "ip_pol_b"];
const POLICY: [&str; 7] = ["ip_pol_w", "ip_pol_b", "ip2_pol_w", "ip2_pol_b", "ip3_pol_w", "ip3_pol_b", "ip4_pol_w"];
const VALUE: [&str; 6] = ["ip_val_w", "ip_val_b", "ip1_val_w", "ip1_val_b", "ip2_val_w", "ip2_val_b"];
const VALUE_ERROR: [&str; 2] = ["ip_val_err_w", "ip_val_err_b"];
const CONV: [&str; 6] = ["weights", "biases", "bn_gammas", "bn_betas", "bn_means", "bn_stddivs"];

/// Policy heads of the multi-head view: its name and the field's.
pub(super) const POLICY_HEADS: [(&str, &str); 4] =
    [("vanilla", "vanilla"), ("optimistic", "optimistic_st"), ("soft", "soft"), ("opponent", "opponent")];
/// Value heads.
pub(super) const VALUE_HEADS: [(&str, &str); 3] = [("winner", "winner"), ("q", "q"), ("st", "st")];

struct Builder<'a> {
    out: Tensors<'a>,
    decode: Decode,
    /// Whether to pass over what lc0 does not refuse, but reads beyond the end of.
    only_refusals: bool,
}

impl<'a> Builder<'a> {
    fn flag(&mut self, name: String, value: impl ToString) {
        self.out.flags.push((name, value.to_string()));
    }

    fn layer(&mut self, layer: Layer<'a>, name: String, source: String, keep_empty: bool) -> Result<()> {
        let len = layer.count(self.decode)?;
        if len > 0 || keep_empty {
            self.out.tensors.push(Tensor { name, source, len, decode: self.decode, data: Data::Layer(layer) });
        }
        Ok(())
    }

    /// Layers of `message`; `name` and `source` are prefixes.
    fn layers(&mut self, message: &'a Message, layers: &[&str], name: &str, source: &str) -> Result<()> {
        for field in layers {
            if let Some(layer) = Layer::find(message, field) {
                self.layer(layer, format!("{name}{field}"), format!("{source}{field}"), false)?;
            }
        }
        Ok(())
    }

    /// The convolution in a field, folded.
    fn conv(&mut self, message: &'a Message, field: &str, name: &str, source: &str) -> Result<()> {
        let Some(block) = message.message(field) else { return Ok(()) };
        let (name, source) = (format!("{name}{field}."), format!("{source}{field}."));
        // Of these lc0 has words of its own.
        for layer in CONV.iter().filter_map(|field| Layer::find(block, field)) {
            layer.encoding_for(self.decode)?;
        }
        let folded = match Folded::of(block, self.decode) {
            Ok(folded) => folded,
            Err(_) if self.only_refusals => return Ok(()),
            Err(error) => return Err(error.context(format!("the block `{source}*` cannot be folded"))),
        };
        if !folded.is_folded() {
            return self.layers(block, &CONV, &name, &source);
        }
        self.folded(&folded, Part::Weights, folded.weights_len(), &name, &source);
        self.folded(&folded, Part::Biases, folded.biases_len(), &name, &source);
        Ok(())
    }

    fn folded(&mut self, folded: &Folded<'a>, part: Part, len: usize, name: &str, source: &str) {
        if len > 0 {
            let (name, source) = (format!("{name}{}", part.name()), format!("{source}{}", part.name()));
            self.out.tensors.push(Tensor { name, source, len, decode: self.decode, data: Data::Folded(folded.clone(), part) });
        }
    }

    fn encoder(&mut self, encoder: &'a Message, name: &str, source: &str) -> Result<()> {
        let (mha_name, mha_source) = (format!("{name}mha."), format!("{source}mha."));
        let mha = encoder.message("mha");
        let smolgen = mha.and_then(|mha| mha.message("smolgen"));
        self.flag(format!("{mha_name}#has_smolgen"), u8::from(smolgen.is_some()));
        if let Some(mha) = mha {
            if ["rpe_q", "rpe_k", "rpe_v"].iter().any(|field| mha.has(field)) {
                return Err(Error::new(RPE));
            }
            self.layers(mha, &MHA, &mha_name, &mha_source)?;
        }
        if let Some(smolgen) = smolgen {
            self.layers(smolgen, &SMOLGEN, &format!("{mha_name}smolgen."), &format!("{mha_source}smolgen."))?;
        }
        self.layers(encoder, &NORMS, name, source)?;
        encoder.message("ffn").map_or(Ok(()), |ffn| self.layers(ffn, &FFN, &format!("{name}ffn."), &format!("{source}ffn.")))
    }

    /// What both folded views share.
    fn body(&mut self, weights: &'a Message) -> Result<()> {
        self.conv(weights, "input", "", "")?;
        self.conv(weights, "moves_left", "", "")?;
        self.layers(weights, &BODY, "", "")?;
        if let Some(ffn) = weights.message("ip_emb_ffn") {
            self.layers(ffn, &FFN, "ip_emb_ffn.", "ip_emb_ffn.")?;
        }
        self.flag("#has_smolgen".into(), u8::from(weights.has("smolgen_w")));
        self.flag("#encoder_head_count".into(), weights.u32("headcount").unwrap_or(0));
        for (at, encoder) in weights.messages("encoder").enumerate() {
            let path = format!("encoder.{at}.");
            self.encoder(encoder, &path, &path)?;
        }
        for (at, block) in weights.messages("residual").enumerate() {
            let path = format!("residual.{at}.");
            self.conv(block, "conv1", &path, &path)?;
            self.conv(block, "conv2", &path, &path)?;
            self.flag(format!("{path}#has_se"), u8::from(block.has("se")));
            if let Some(se) = block.message("se") {
                let path = format!("{path}se.");
                self.layers(se, &["w1", "b1", "w2", "b2"], &path, &path)?;
            }
        }
        Ok(())
    }

    /// A policy head, whose fields also stand in the top level of older nets.
    fn policy(&mut self, head: &'a Message, name: &str, source: &str, layers: &[&str]) -> Result<()> {
        self.conv(head, "policy1", name, source)?;
        self.conv(head, "policy", name, source)?;
        self.layers(head, layers, name, source)?;
        self.flag(format!("{name}#pol_encoder_head_count"), head.u32("pol_headcount").unwrap_or(0));
        for (at, encoder) in head.messages("pol_encoder").enumerate() {
            self.encoder(encoder, &format!("{name}pol_encoder.{at}."), &format!("{source}pol_encoder.{at}."))?;
        }
        Ok(())
    }

    fn policy_heads(&mut self, weights: &'a Message) -> Result<()> {
        let group = weights.message("policy_heads");
        if group.is_none() && !TOP_POLICY.iter().any(|field| weights.has(field)) {
            return Err(Error::new("Could not find valid policy head weights."));
        }
        for (name, field) in POLICY_HEADS {
            let (head, source) = match group {
                None if name == "vanilla" => (weights, String::new()),
                None => continue,
                Some(group) => match group.message(field) {
                    Some(head) => (head, format!("policy_heads.{field}.")),
                    None if name == "vanilla" => (&*EMPTY, String::new()),
                    None => continue,
                },
            };
            let name = format!("policy_heads.{name}.");
            self.flag(format!("{name}#"), "");
            self.policy(head, &name, &source, &POLICY[2..])?;
            for field in SHARED {
                self.embedding(weights, group, head, field, &name, &source)?;
            }
        }
        Ok(())
    }

    /// A head's embedding: its own, else the group's, else (where the group has no such field) the top level's.
    fn embedding(
        &mut self,
        weights: &'a Message,
        group: Option<&'a Message>,
        head: &'a Message,
        field: &str,
        name: &str,
        source: &str,
    ) -> Result<()> {
        let own = match Layer::find(head, field) {
            Some(layer) if layer.count(self.decode)? > 0 => Some((layer, format!("{source}{field}"))),
            _ => None,
        };
        let shared = || match group.and_then(|group| Layer::find(group, field)) {
            Some(layer) => Some((layer, format!("policy_heads.{field}"))),
            None => Layer::find(weights, field).map(|layer| (layer, field.to_owned())),
        };
        match own.or_else(shared) {
            Some((layer, source)) => self.layer(layer, format!("{name}{field}"), source, false),
            None => Ok(()),
        }
    }

    fn value_heads(&mut self, weights: &'a Message) -> Result<()> {
        let group = weights.message("value_heads");
        if group.is_none() && !TOP_VALUE.iter().any(|field| weights.has(field)) {
            return Err(Error::new("Could not find valid value head weights."));
        }
        for (name, field) in VALUE_HEADS {
            let (head, source) = match group {
                None if name == "winner" => (weights, String::new()),
                None => continue,
                Some(group) => match group.message(field) {
                    Some(head) => (head, format!("value_heads.{field}.")),
                    None if name == "winner" => (&*EMPTY, String::new()),
                    None => continue,
                },
            };
            let name = format!("value_heads.{name}.");
            self.flag(format!("{name}#"), "");
            self.conv(head, "value", &name, &source)?;
            self.layers(head, &VALUE, &name, &source)?;
            self.layers(head, &VALUE_ERROR, &name, &source)?;
        }
        Ok(())
    }

    /// Every layer below `message`.
    fn raw(&mut self, message: &'a Message, path: &str) -> Result<()> {
        for (field, values) in message.fields() {
            let Kind::Message(ty) = field.kind else { continue };
            for (at, value) in values.iter().enumerate() {
                let Value::Message(inner) = value else { continue };
                let path = if field.repeated { format!("{path}{}.{at}", field.name) } else { format!("{path}{}", field.name) };
                if ty.name != "Layer" {
                    self.raw(inner, &format!("{path}."))?;
                } else if let Err(error) = self.layer(Layer::of(inner), path.clone(), path.clone(), true) {
                    self.out.undecodable.push((path, error.to_string()));
                }
            }
        }
        Ok(())
    }
}
