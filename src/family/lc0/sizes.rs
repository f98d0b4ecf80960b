//! What lc0 takes for granted of a net's layers: that they are there, and which shapes they have, as its header, biases and counts tell.
//! lc0 itself compares no size with another and looks for few layers: one that is missing or too short makes it read what is no weight.

use std::collections::{HashMap, HashSet};

use super::{
    findings::{Effect, Fault, Faults, Finding, each_layer},
    fold::Folded,
    layer::{Decode, Layer},
    net::Net,
    schema::{
        INPUT_EMBEDDING, MOVES_LEFT, NETWORK, PE_DENSE, POLICY, POLICY_ATTENTION, POLICY_CLASSICAL, POLICY_CONVOLUTION, VALUE,
        VALUE_CLASSICAL, VALUE_WDL,
    },
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
    /// Elements that the shape needs; `None` where they are too many to be counted.
    fn needed(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))
    }

    /// Whether there are as many elements as the shape needs.
    pub fn fits(&self) -> bool {
        self.needed() == Some(self.len)
    }
}

/// Input planes.
const PLANES: usize = 112;
const SQUARES: usize = 64;
/// Moves of the policy output.
pub(super) const MOVES: usize = 1858;
/// Planes of a convolution policy, those at the end unused.
const POLICY_PLANES: usize = 80;
/// Planes of it that stand for moves.
pub(super) const USED_POLICY_PLANES: usize = 73;
const ATTENTION_BODIES: [i32; 2] = [6, 7];
const TOWERS: [i32; 2] = [3, 4];
/// Number of `moves_left`.
const PLIES: i32 = 1;

/// Fields of the top level that make a policy head where there is no group of them.
pub(super) const TOP_POLICY: [&str; 3] = ["policy", "policy1", "ip_pol_w"];
/// The same of a value head.
pub(super) const TOP_VALUE: [&str; 2] = ["value", "ip_val_w"];
const MOVES_LEFT_FIELDS: [&str; 7] = ["moves_left", "ip_mov_w", "ip_mov_b", "ip1_mov_w", "ip1_mov_b", "ip2_mov_w", "ip2_mov_b"];

/// Layers with their shapes, and what is wrong with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Structure {
    /// The layers that there are, of those that lc0 knows.
    pub(super) layers: Vec<Sized>,
    /// Paths of those that lc0 computes with when no other heads are chosen than those that it takes by itself.
    pub(super) played: HashSet<String>,
    /// Layers that are missing or have another size, and what the header says of them that is not so.
    pub(super) faults: Faults,
}

impl Net {
    /// The shapes of all layers that lc0 uses.
    pub fn sizes(&self, decode: Decode) -> Vec<Sized> {
        self.structure(decode).layers
    }

    /// The shapes of all layers whose sizes fit, by path.
    pub fn shapes(&self, decode: Decode) -> HashMap<String, Vec<usize>> {
        self.sizes(decode).into_iter().filter(Sized::fits).map(|layer| (layer.path, layer.shape)).collect()
    }

    /// The layers beside what lc0 takes for granted of them.
    pub(super) fn structure(&self, decode: Decode) -> Structure {
        let Some(weights) = self.weights() else { return Structure::default() };
        let mut walk = Walk::new(weights, self.format(), decode);
        // Of a net that carries a model lc0 reads no layer.
        walk.needed = !self.plays_model();
        walk.played = walk.needed;
        walk.kind_of_body();
        walk.tower();
        walk.heads();
        walk.out
    }
}

/// What a convolution's outputs are for, by which it depends what comes of it that there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The next layer takes as many as there are.
    Free,
    /// The next layer takes as many as the tower has filters.
    Filters,
}

impl Role {
    const fn without_outputs(self) -> Effect {
        match self {
            Self::Free => Effect::Wrong,
            Self::Filters => Effect::Crash,
        }
    }
}

struct Walk<'a> {
    weights: &'a Message,
    /// The header after the fix-up.
    format: Message,
    decode: Decode,
    out: Structure,
    filters: usize,
    embedding: usize,
    /// Whether layers have to be there.
    needed: bool,
    /// Whether lc0 computes with the layers, if no other heads are chosen.
    played: bool,
}

impl<'a> Walk<'a> {
    fn new(weights: &'a Message, format: Message, decode: Decode) -> Self {
        let out = Structure::default();
        let mut walk = Self { weights, format, decode, out, filters: 0, embedding: 0, needed: true, played: true };
        walk.filters = weights.message("input").map_or(0, |input| walk.outputs(input, PLANES * 9));
        walk.embedding = match walk.count(weights, "ip_emb_b") {
            0 => walk.count(weights, "ip_emb_w").checked_div(walk.embedding_inputs()).unwrap_or(0),
            embedding => embedding,
        };
        walk
    }

    /// A number of the header.
    fn header(&self, name: &str) -> i32 {
        self.format.enumerated(name).unwrap_or(0)
    }

    fn has_encoders(&self) -> bool {
        self.weights.has("encoder")
    }

    fn count(&self, message: &Message, name: &str) -> usize {
        Layer::find(message, name).and_then(|layer| layer.count(self.decode).ok()).unwrap_or(0)
    }

    /// Outputs of a convolution of this many inputs times kernel squares.
    fn outputs(&self, block: &Message, inputs: usize) -> usize {
        let counts = ["biases", "bn_means"].map(|name| self.count(block, name));
        counts.into_iter().find(|count| *count > 0).unwrap_or_else(|| self.count(block, "weights").checked_div(inputs).unwrap_or(0))
    }

    fn fault(&mut self, fault: Fault, effect: Effect, what: String) {
        let effect = if self.played { effect } else { Effect::None };
        self.out.faults.push(Finding { fault, effect, what });
    }

    fn missing(&mut self, message: &Message, path: &str, name: &str, effect: Effect) {
        if self.needed {
            let state = if message.has(name) { "is empty" } else { "is missing" };
            self.fault(Fault::Missing, effect, format!("`{path}{name}` {state}"));
        }
    }

    /// A layer of that shape, and what comes of it where it is missing; `None` if it may be.
    fn put(&mut self, message: &Message, path: &str, name: &str, shape: &[usize], without: Option<Effect>) {
        let layer = Layer::find(message, name);
        // What cannot be decoded is refused; that is told elsewhere.
        let Ok(len) = layer.map_or(Ok(0), |layer| layer.count(self.decode)) else { return };
        let layer = layer.map(|_| Sized { path: format!("{path}{name}"), shape: shape.to_vec(), len });
        match (without, &layer) {
            (Some(effect), _) if len == 0 => self.missing(message, path, name, effect),
            (_, Some(layer)) if !layer.fits() => {
                let shape: Vec<String> = layer.shape.iter().map(usize::to_string).collect();
                let what = format!("`{}` has {len} elements, the net makes it {}", layer.path, shape.join("×"));
                let effect = match layer.needed() {
                    // lc0 folds as many outputs as there are variances, in place.
                    Some(needed) if len > needed && name == "bn_stddivs" => Effect::Crash,
                    Some(needed) if len > needed => Effect::Wrong,
                    _ => Effect::Overrun,
                };
                self.fault(Fault::Size, effect, what);
            }
            _ => {}
        }
        if self.played
            && let Some(layer) = &layer
        {
            self.out.played.insert(layer.path.clone());
        }
        self.out.layers.extend(layer);
    }

    /// A convolution that has to be there; gives its outputs.
    fn conv(&mut self, message: &Message, path: &str, field: &str, inputs: usize, kernel: usize, role: Role) -> usize {
        let Some(block) = message.message(field) else {
            self.missing(message, path, field, role.without_outputs());
            return 0;
        };
        let path = format!("{path}{field}.");
        let outputs = self.outputs(block, inputs * kernel * kernel);
        self.check_norm(block, &path, role);
        self.put(block, &path, "weights", &[outputs, inputs, kernel, kernel], None);
        for name in ["biases", "bn_means", "bn_stddivs", "bn_gammas", "bn_betas"] {
            self.put(block, &path, name, &[outputs], None);
        }
        outputs
    }

    /// Whether a convolution has what it needs, and a batch norm that can be folded.
    fn check_norm(&mut self, block: &Message, path: &str, role: Role) {
        let [weights, biases, means, variances, gammas, betas] =
            ["weights", "biases", "bn_means", "bn_stddivs", "bn_gammas", "bn_betas"].map(|name| self.count(block, name) > 0);
        let norm = variances || gammas || betas;
        // lc0 counts the outputs by the biases, and it makes these of the means.
        match (weights, biases, means) {
            (false, true, _) => self.missing(block, path, "weights", Effect::Crash),
            (false, false, _) => self.missing(block, path, "weights", role.without_outputs()),
            (true, false, false) => self.missing(block, path, if norm { "bn_means" } else { "biases" }, role.without_outputs()),
            (true, true, false) if norm => self.missing(block, path, "bn_means", Effect::Wrong),
            (true, true, false) => {}
            (true, _, true) if betas && !gammas => self.missing(block, path, "bn_gammas", Effect::Crash),
            // Folding takes the other vectors then. It is nothing that a writer makes, and it is what lc0 makes of such a net.
            (true, _, true) => {
                if !variances {
                    self.missing(block, path, "bn_stddivs", Effect::None);
                } else if gammas && !betas {
                    self.missing(block, path, "bn_betas", Effect::None);
                }
                self.check_variances(block, path);
            }
        }
    }

    fn check_variances(&mut self, block: &Message, path: &str) {
        let variances = Layer::find(block, "bn_stddivs").and_then(|layer| layer.values(self.decode).ok()).unwrap_or_default();
        if let Some(at) = variances.iter().position(|variance| Folded::is_without_root(*variance)) {
            let what = format!("`{path}bn_stddivs` has {} as element {at}: a variance below zero has no square root", variances[at]);
            return self.fault(Fault::Value, Effect::NotANumber, what);
        }
        // Sizes that do not fit are told elsewhere.
        if let Ok(Some(what)) = Folded::of(block, self.decode).and_then(|folded| folded.odd_vector()) {
            self.fault(Fault::Value, Effect::NotANumber, format!("folding the batch norm of `{path}*` {what}"));
        }
    }

    /// A dense layer `PREFIX_w`, `PREFIX_b` that has to be there; gives its outputs, by which lc0 sizes what follows.
    fn dense(&mut self, message: &Message, path: &str, prefix: &str, inputs: usize) -> usize {
        let (weights, biases) = (format!("{prefix}_w"), format!("{prefix}_b"));
        let counted = self.count(message, &biases);
        let outputs = if counted == 0 { self.count(message, &weights).checked_div(inputs).unwrap_or(0) } else { counted };
        let without = if counted == 0 { Effect::Wrong } else { Effect::Crash };
        self.put(message, path, &weights, &[outputs, inputs], Some(without));
        self.put(message, path, &biases, &[outputs], Some(Effect::Wrong));
        outputs
    }

    /// The same, where it may be missing.
    fn dense_if_any(&mut self, message: &Message, path: &str, prefix: &str, inputs: usize) -> usize {
        let needed = std::mem::replace(&mut self.needed, false);
        let outputs = self.dense(message, path, prefix, inputs);
        self.needed = needed;
        outputs
    }

    fn norm(&mut self, message: &Message, path: &str, prefix: &str, size: usize, without: Option<Effect>) {
        self.put(message, path, &format!("{prefix}_gammas"), &[size], without);
        self.put(message, path, &format!("{prefix}_betas"), &[size], without);
    }

    fn ffn(&mut self, parent: &Message, path: &str, field: &str, size: usize) {
        let Some(ffn) = parent.message(field) else { return self.missing(parent, path, field, Effect::Wrong) };
        let path = format!("{path}{field}.");
        let hidden = self.dense(ffn, &path, "dense1", size);
        self.put(ffn, &path, "dense2_w", &[size, hidden], Some(Effect::Crash));
        self.put(ffn, &path, "dense2_b", &[size], Some(Effect::Wrong));
    }

    fn encoder(&mut self, encoder: &Message, path: &str, size: usize, heads: usize) {
        match encoder.message("mha") {
            None => self.missing(encoder, path, "mha", Effect::Wrong),
            Some(mha) => self.attention(mha, &format!("{path}mha."), size, heads),
        }
        self.norm(encoder, path, "ln1", size, Some(Effect::Crash));
        self.ffn(encoder, path, "ffn", size);
        self.norm(encoder, path, "ln2", size, Some(Effect::Crash));
    }

    fn attention(&mut self, mha: &Message, path: &str, size: usize, heads: usize) {
        let counted = self.count(mha, "q_b");
        let model = if counted == 0 { self.count(mha, "q_w").checked_div(size).unwrap_or(0) } else { counted };
        for name in ["q", "k", "v"] {
            let without = if name == "q" && counted == 0 { Effect::Wrong } else { Effect::Crash };
            self.put(mha, path, &format!("{name}_w"), &[model, size], Some(without));
            self.put(mha, path, &format!("{name}_b"), &[model], Some(Effect::Wrong));
        }
        self.put(mha, path, "dense_w", &[size, model], Some(Effect::Crash));
        self.put(mha, path, "dense_b", &[size], Some(Effect::Wrong));
        // That there are no heads is told where they are counted.
        if model.checked_rem(heads).is_some_and(|rest| rest > 0) {
            let what = format!("`{path}q_b` has {model} channels, which {heads} heads cannot share evenly");
            self.fault(Fault::Size, Effect::Wrong, what);
        }
        let Some(smolgen) = mha.message("smolgen") else { return };
        let path = format!("{path}smolgen.");
        let channels = match self.count(smolgen, "compress") {
            0 => self.count(smolgen, "dense1_w").checked_div(SQUARES * self.count(smolgen, "dense1_b")).unwrap_or(0),
            count => count.checked_div(size).unwrap_or(0),
        };
        self.put(smolgen, &path, "compress", &[channels, size], Some(Effect::Wrong));
        let hidden = self.dense(smolgen, &path, "dense1", SQUARES * channels);
        self.norm(smolgen, &path, "ln1", hidden, Some(Effect::Crash));
        let counted = self.count(smolgen, "dense2_b");
        let generated = self.generated(heads).map_or(counted, |generated| generated * heads);
        let without = if counted == 0 { Effect::Wrong } else { Effect::Crash };
        self.put(smolgen, &path, "dense2_w", &[generated, hidden], Some(without));
        self.put(smolgen, &path, "dense2_b", &[generated], Some(Effect::Wrong));
        self.norm(smolgen, &path, "ln2", generated, Some(Effect::Crash));
    }

    /// Numbers that smolgen makes for a head; `None` without the shared matrix.
    fn generated(&self, heads: usize) -> Option<usize> {
        let count = self.count(self.weights, "smolgen_w");
        (count > 0 && heads > 0).then_some(count / (SQUARES * SQUARES))
    }

    /// Encoders that share heads out among themselves, with the number of these.
    fn encoders(&mut self, owner: &Message, path: &str, field: &str, headcount: &str, size: usize) {
        let heads = owner.u32(headcount).unwrap_or(0) as usize;
        if heads == 0 && owner.has(field) && self.needed {
            self.fault(Fault::Missing, Effect::Crash, format!("`{path}{headcount}` is missing"));
        }
        for (at, encoder) in owner.messages(field).enumerate() {
            self.encoder(encoder, &format!("{path}{field}.{at}."), size, heads);
        }
    }

    /// Width of the dense embedding of a position on each square.
    fn position_width(&self) -> usize {
        match self.count(self.weights, "ip_emb_preproc_b") / SQUARES {
            0 => self.count(self.weights, "ip_emb_preproc_w") / (SQUARES * SQUARES * 12),
            width => width,
        }
    }

    /// What the embedding gets of a square.
    fn embedding_inputs(&self) -> usize {
        if self.weights.has("residual") {
            return self.filters;
        }
        PLANES + if self.header("input_embedding") == PE_DENSE { self.position_width() } else { SQUARES }
    }

    /// What the header says of the body, beside what it is.
    fn kind_of_body(&mut self) {
        let (network, position) = (self.header("network"), self.header("input_embedding"));
        let says = format!("the header says {}", NETWORK.show(network));
        if self.has_encoders() && TOWERS.contains(&network) {
            self.fault(Fault::Header, Effect::Wrong, format!("{says}, and lc0 passes over the encoders"));
        } else if !self.has_encoders() && ATTENTION_BODIES.contains(&network) {
            self.fault(Fault::Header, Effect::Wrong, format!("{says}, but there is no encoder"));
        }
        let has_width = self.weights.has("ip_emb_preproc_w");
        if self.has_encoders() && !self.weights.has("residual") && has_width && position != PE_DENSE {
            let what = format!("the header says {}, but positions are embedded by dense layers", INPUT_EMBEDDING.show(position));
            self.fault(Fault::Header, Effect::Wrong, what);
        }
    }

    fn tower(&mut self) {
        let (weights, filters, size) = (self.weights, self.filters, self.embedding);
        let (encoders, blocks) = (self.has_encoders(), weights.has("residual"));
        if blocks || weights.has("input") || !encoders {
            self.conv(weights, "", "input", PLANES, 3, Role::Free);
        }
        for (at, block) in weights.messages("residual").enumerate() {
            let path = format!("residual.{at}.");
            self.conv(block, &path, "conv1", filters, 3, Role::Filters);
            self.conv(block, &path, "conv2", filters, 3, Role::Filters);
            if let Some(se) = block.message("se") {
                let path = format!("{path}se.");
                let counted = self.count(se, "b1");
                let squeezed = if counted == 0 { self.count(se, "w1").checked_div(filters).unwrap_or(0) } else { counted };
                let without = if counted == 0 { Effect::Wrong } else { Effect::Crash };
                self.put(se, &path, "w1", &[squeezed, filters], Some(without));
                self.put(se, &path, "b1", &[squeezed], Some(Effect::Wrong));
                self.put(se, &path, "w2", &[2 * filters, squeezed], Some(Effect::Crash));
                self.put(se, &path, "b2", &[2 * filters], Some(Effect::Wrong));
            }
        }
        let dense = encoders && self.header("input_embedding") == PE_DENSE;
        let if_dense = |effect| dense.then_some(effect);
        let width = self.position_width();
        let if_preprocessed = |effect| (dense && !blocks).then_some(effect);
        let without = if self.count(weights, "ip_emb_preproc_b") == 0 { Effect::Wrong } else { Effect::Crash };
        self.put(weights, "", "ip_emb_preproc_w", &[SQUARES * width, SQUARES * 12], if_preprocessed(without));
        self.put(weights, "", "ip_emb_preproc_b", &[SQUARES * width], if_preprocessed(Effect::Wrong));
        // lc0 divides by the embedding's size.
        let if_encoders = encoders.then_some(Effect::Crash);
        let inputs = self.embedding_inputs();
        self.put(weights, "", "ip_emb_w", &[size, inputs], if_encoders);
        self.put(weights, "", "ip_emb_b", &[size], if_encoders);
        self.norm(weights, "", "ip_emb_ln", size, if_dense(Effect::Crash));
        // One gate alone counts for nothing.
        let gates = ["ip_mult_gate", "ip_add_gate"];
        let gated = gates.iter().any(|gate| self.count(weights, gate) > 0);
        for gate in gates {
            self.put(weights, "", gate, &[size, SQUARES], gated.then_some(Effect::Wrong));
        }
        let needed = self.needed;
        self.needed &= dense;
        self.ffn(weights, "", "ip_emb_ffn", size);
        self.needed = needed;
        self.norm(weights, "", "ip_emb_ffn_ln", size, if_dense(Effect::Crash));
        self.encoders(weights, "", "encoder", "headcount", size);
        let generated = self.count(weights, "smolgen_w") / (SQUARES * SQUARES);
        let smolgen = weights.messages("encoder").any(|encoder| encoder.message("mha").is_some_and(|mha| mha.has("smolgen")));
        self.put(weights, "", "smolgen_w", &[SQUARES * SQUARES, generated], smolgen.then_some(Effect::Crash));
    }

    fn heads(&mut self) {
        let (weights, played) = (self.weights, self.played);
        match weights.message("policy_heads") {
            // Where there is none of these, lc0 refuses the net.
            None if !TOP_POLICY.iter().any(|field| weights.has(field)) => {}
            None => self.policy(weights, ""),
            Some(group) => {
                let inputs = self.head_inputs();
                // Each is taken where what stands before it in this order has none: the head, the group, the top level.
                let own = group.message(POLICY_HEADS[0].1).is_some_and(|head| self.count(head, "ip_pol_w") > 0);
                self.played = played && !own;
                self.dense_if_any(group, "policy_heads.", "ip_pol", inputs);
                for (name, field) in POLICY_HEADS {
                    self.played = played && field == POLICY_HEADS[0].1;
                    match group.message(field).filter(|head| !self.is_hollow(head)) {
                        Some(head) => self.policy(head, &format!("policy_heads.{field}.")),
                        None => self.no_head("policy", name, "lc0 takes all moves for equally good"),
                    }
                }
                self.played = played && !own && !group.has("ip_pol_w");
                self.dense_if_any(weights, "", "ip_pol", inputs);
                self.played = played;
            }
        }
        match weights.message("value_heads") {
            None if !TOP_VALUE.iter().any(|field| weights.has(field)) => {}
            None => self.value(weights, "", "value", "val"),
            Some(group) => {
                for (name, field) in VALUE_HEADS {
                    self.played = played && field == VALUE_HEADS[0].1;
                    match group.message(field).filter(|head| !self.is_hollow(head)) {
                        Some(head) => self.value(head, &format!("value_heads.{field}."), "value", "val"),
                        None => self.no_head("value", name, "lc0 takes every position for even"),
                    }
                }
                self.played = played;
            }
        }
        self.moves_left();
    }

    /// Whether a head has nothing of its own but an embedding.
    fn is_hollow(&self, head: &Message) -> bool {
        let mut hollow = true;
        each_layer(head, "", &mut |path, layer| {
            hollow &= path.starts_with("ip_pol_") || layer.count(self.decode).is_ok_and(|count| count == 0);
        });
        hollow
    }

    /// The head that lc0 takes by itself has nothing in it; of others it may be so.
    fn no_head(&mut self, kind: &str, name: &str, then: &str) {
        if self.played && self.needed {
            let what = format!("there is no {kind} head `{name}`: unless another one is chosen, {then}");
            self.fault(Fault::Head, Effect::Wrong, what);
        }
    }

    /// What heads get a square: the body's embedding, or the tower's filters.
    fn head_inputs(&self) -> usize {
        if self.embedding > 0 { self.embedding } else { self.filters }
    }

    /// What kind of policy head it is: what the header says, if it can be that.
    fn kind_of_policy(&mut self, head: &Message, path: &str) -> i32 {
        let has = |names: &[&str]| names.iter().any(|name| head.has(name));
        let kinds = [
            (
                POLICY_ATTENTION,
                has(&["ip2_pol_w", "ip2_pol_b", "ip3_pol_w", "ip3_pol_b", "ip4_pol_w", "pol_encoder"]),
                "an attention policy",
            ),
            (POLICY_CONVOLUTION, has(&["policy1"]), "a convolution"),
            (POLICY_CLASSICAL, head.has("policy") && head.has("ip_pol_w"), "a dense layer"),
        ];
        let said = self.header("policy");
        let found = kinds.into_iter().find(|kind| kind.1).map(|(number, _, words)| (number, words));
        let is_so = kinds.iter().any(|(number, is_there, _)| *number == said && *is_there);
        let (Some((number, words)), false) = (found, is_so) else { return said };
        // A format that lc0 does not know is refused, which is told elsewhere.
        if self.needed && (POLICY_CLASSICAL..=POLICY_ATTENTION).contains(&said) {
            let effect = match (number, said) {
                (POLICY_CONVOLUTION, POLICY_ATTENTION) | (POLICY_ATTENTION, POLICY_CLASSICAL) => Effect::Wrong,
                _ => Effect::Crash,
            };
            let head = if path.is_empty() { "the policy head".to_owned() } else { format!("`{}`", path.trim_end_matches('.')) };
            self.fault(Fault::Header, effect, format!("the header says {}, but {head} is {words}", POLICY.show(said)));
        }
        number
    }

    fn policy(&mut self, head: &Message, path: &str) {
        let filters = self.filters;
        match self.kind_of_policy(head, path) {
            POLICY_CLASSICAL => {
                let channels = self.conv(head, path, "policy", filters, 1, Role::Free);
                self.put(head, path, "ip_pol_w", &[MOVES, SQUARES * channels], Some(Effect::Crash));
                self.put(head, path, "ip_pol_b", &[MOVES], Some(Effect::Wrong));
            }
            POLICY_CONVOLUTION => {
                self.conv(head, path, "policy1", filters, 3, Role::Filters);
                let planes = self.conv(head, path, "policy", filters, 3, Role::Free);
                if planes != POLICY_PLANES && planes > 0 {
                    let effect = if planes < USED_POLICY_PLANES { Effect::Overrun } else { Effect::None };
                    self.fault(Fault::Size, effect, format!("`{path}policy` has {planes} planes, lc0 has {POLICY_PLANES}"));
                }
            }
            POLICY_ATTENTION => self.attention_policy(head, path),
            _ => {}
        }
    }

    fn attention_policy(&mut self, head: &Message, path: &str) {
        let inputs = self.head_inputs();
        let own = self.dense_if_any(head, path, "ip_pol", inputs);
        let (weights, biases) = (self.shared(head, "ip_pol_w"), self.shared(head, "ip_pol_b"));
        if biases == 0 {
            self.missing(head, path, "ip_pol_b", Effect::Wrong);
        }
        if weights == 0 {
            self.missing(head, path, "ip_pol_w", if biases == 0 { Effect::Wrong } else { Effect::Crash });
        }
        let shared = if biases > 0 { biases } else { weights.checked_div(inputs).unwrap_or(0) };
        let embedding = if own > 0 { own } else { shared };
        self.encoders(head, path, "pol_encoder", "pol_headcount", embedding);
        let queries = self.dense(head, path, "ip2_pol", embedding);
        self.put(head, path, "ip3_pol_w", &[queries, embedding], Some(Effect::Crash));
        self.put(head, path, "ip3_pol_b", &[queries], Some(Effect::Wrong));
        self.put(head, path, "ip4_pol_w", &[4, queries], Some(Effect::Crash));
    }

    /// Elements of a head's embedding: its own, else the group's, else (where the group has no such field) the top level's.
    fn shared(&self, head: &Message, name: &str) -> usize {
        let own = self.count(head, name);
        if own > 0 {
            return own;
        }
        let group = self.weights.message("policy_heads");
        self.count(group.filter(|group| group.has(name)).unwrap_or(self.weights), name)
    }

    fn moves_left(&mut self) {
        let (weights, needed, played) = (self.weights, self.needed, self.played);
        let is_there = MOVES_LEFT_FIELDS.iter().any(|field| weights.has(field));
        let said = self.header("moves_left");
        let says = format!("the header says {}", MOVES_LEFT.show(said));
        match (said == PLIES, is_there) {
            (true, false) if needed => self.fault(Fault::Header, Effect::None, format!("{says}, but there is no moves-left head")),
            (false, true) if needed => {
                self.fault(Fault::Header, Effect::None, format!("{says}, and lc0 leaves the moves-left head unused"));
                (self.needed, self.played) = (false, false);
            }
            _ => {}
        }
        if is_there {
            self.value(weights, "", "moves_left", "mov");
        }
        (self.needed, self.played) = (needed, played);
    }

    /// A value head or the moves-left head: `block` is its convolution, `kind` the middle of its layers' names.
    fn value(&mut self, head: &Message, path: &str, block: &str, kind: &str) {
        let (filters, played) = (self.filters, self.played);
        let channels = if self.has_encoders() {
            let inputs = self.head_inputs();
            self.dense(head, path, &format!("ip_{kind}"), inputs)
        } else {
            self.conv(head, path, block, filters, 1, Role::Free)
        };
        let hidden = self.dense(head, path, &format!("ip1_{kind}"), SQUARES * channels);
        let (weights, biases) = (format!("ip2_{kind}_w"), format!("ip2_{kind}_b"));
        let counted = self.count(head, &biases);
        let outputs = if counted == 0 { self.count(head, &weights).checked_div(hidden).unwrap_or(0) } else { counted };
        let without_biases = if kind == "val" { self.check_value(path, outputs) } else { self.check_moves_left(path, outputs) };
        self.put(head, path, &weights, &[outputs, hidden], Some(Effect::Crash));
        self.put(head, path, &biases, &[outputs], Some(without_biases));
        // lc0 computes neither.
        self.played = false;
        let errors = self.dense_if_any(head, path, &format!("ip_{kind}_err"), hidden);
        if errors > 1 {
            self.fault(
                Fault::Size,
                Effect::None,
                format!("`{path}ip_{kind}_err_b` has {errors} elements, the error of a value is one number"),
            );
        }
        self.dense_if_any(head, path, &format!("ip_{kind}_cat"), hidden);
        self.played = played;
    }

    /// Whether a value head has as many outputs as the header says; what comes of it if its last biases are missing.
    fn check_value(&mut self, path: &str, outputs: usize) -> Effect {
        let said = self.header("value");
        let layer = format!("`{path}ip2_val_b`");
        match (outputs, said) {
            (0, _) | (3, VALUE_WDL) | (1, VALUE_CLASSICAL) => {}
            (1 | 3, VALUE_WDL | VALUE_CLASSICAL) if self.needed => {
                let numbers = if outputs == 1 { "one element" } else { "3 elements" };
                let effect = if outputs == 1 { Effect::Overrun } else { Effect::Wrong };
                self.fault(Fault::Header, effect, format!("the header says {}, but {layer} has {numbers}", VALUE.show(said)));
            }
            (1 | 3, _) => {}
            _ => {
                let effect = if said == VALUE_WDL && outputs < 3 { Effect::Overrun } else { Effect::Wrong };
                self.fault(Fault::Size, effect, format!("{layer} has {outputs} elements, a value has 3 (win, draw, loss) or 1"));
            }
        }
        if said == VALUE_CLASSICAL { Effect::Crash } else { Effect::Wrong }
    }

    fn check_moves_left(&mut self, path: &str, outputs: usize) -> Effect {
        if outputs > 1 {
            let what = format!("`{path}ip2_mov_b` has {outputs} elements, the moves left are one number");
            self.fault(Fault::Size, Effect::Wrong, what);
        }
        Effect::Wrong
    }
}
