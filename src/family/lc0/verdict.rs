//! What a release of lc0 does with a net, said before anyone loads it there.

use super::{
    findings::{Effect, Finding, each_layer},
    layer::{Decode, Encoding},
    net::Net,
    onnx,
    schema::{DEFAULT_ACTIVATION, INPUT_EMBEDDING, MOVES_LEFT, NETWORK, NETWORK_ONNX, POLICY, VALUE},
    wire::Message,
};

/// A verdict of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it does: nothing is wrong where there is no effect.
    pub effect: Effect,
    /// Its words where it refuses the net, else the worst of what is wrong; `None` where nothing is.
    pub why: Option<String>,
    /// The words of lc0's converter to ONNX, where that alone refuses the net: backends that work with a model cannot play it.
    pub converter: Option<String>,
}

/// Numbers of `input` whose planes lc0 can fill.
const INPUTS: [i32; 7] = [1, 2, 3, 4, 5, 132, 133];

impl Net {
    /// What a release does with the net.
    pub fn verdict(&self, release: Decode) -> Verdict {
        self.verdict_of(release, &self.findings(release))
    }

    /// The same, of faults that were looked for with the formula of that release.
    pub(super) fn verdict_of(&self, release: Decode, findings: &[Finding]) -> Verdict {
        let refusal = self.refusal(release).or_else(|| self.refusal_to_play(release));
        if let Some(words) = refusal {
            return Verdict { effect: Effect::Refused, why: Some(words), converter: None };
        }
        let converter = onnx::refusal(self, release);
        // Of faults that are as bad, the first.
        let worst = findings.iter().rev().max_by_key(|finding| finding.effect).filter(|worst| worst.effect != Effect::None);
        if release == Decode::Lc0V032
            && worst.is_none_or(|worst| worst.effect <= Effect::Wrong)
            && let Some(words) = self.read_as_linear16()
        {
            return Verdict { effect: Effect::Wrong, why: Some(words), converter };
        }
        Verdict { effect: worst.map_or(Effect::None, |worst| worst.effect), why: worst.map(|worst| worst.what.clone()), converter }
    }

    /// Whether lc0 plays the model that the net carries, and reads no layer.
    pub(super) fn plays_model(&self) -> bool {
        self.format_number("network") == NETWORK_ONNX && self.message.has("onnx_model")
    }

    /// Why a release cannot play a net that it reads, in its words: formats and layers that no backend takes.
    pub(super) fn refusal_to_play(&self, release: Decode) -> Option<String> {
        let format = self.format();
        let number = |name: &str| format.enumerated(name).unwrap_or(0);
        if self.plays_model() {
            return None;
        }
        if let Some(format) = unknown_format(&format, Backend::Blas) {
            return Some(format!("{format} is not supported by the BLAS backend."));
        }
        let tensors = self.refusal_of_tensors(release);
        // This it says when it is given the first position.
        let input = number("input");
        tensors.or_else(|| (!INPUTS.contains(&input)).then(|| format!("Unsupported input plane encoding {input}")))
    }

    /// What a release that knows no encodings makes of layers that have one; `None` where there are none.
    fn read_as_linear16(&self) -> Option<String> {
        let mut first = None;
        each_layer(self.weights()?, "", &mut |path, layer| {
            let is_other = !matches!(layer.encoding(), Ok(Encoding::Linear16)) && !layer.params().is_empty();
            if first.is_none() && is_other && path != UNREAD {
                first = Some((path.to_owned(), layer.shown_encoding(), layer.min() == 0.0 && layer.max() == 0.0));
            }
        });
        let (path, encoding, is_zero) = first?;
        let made = if is_zero { "zeros" } else { "linear16" };
        Some(format!("it would load `{path}` ({encoding}) and its like as {made}"))
    }
}

/// The layer that is in the schema and that lc0 never reads.
const UNREAD: &str = "smolgen_b";

/// What plays a net, or makes something of it that plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// The one on processors; others look for the same.
    Blas,
    /// The converter to ONNX, which leaves a moves-left head that it does not know away.
    Onnx,
}

/// The first format of a header, after the fix-up, that lc0 does not play, as it begins to say it: `Network format NETWORK_UNKNOWN`.
pub(super) fn unknown_format(format: &Message, backend: Backend) -> Option<String> {
    let number = |name: &str| format.enumerated(name).unwrap_or(0);
    let (network, policy, value) = (number("network"), number("policy"), number("value"));
    let formats = [
        (matches!(network, 3 | 4 | 6 | 7), "Network", NETWORK.show(network)),
        (matches!(policy, 1..=3), "Policy", POLICY.show(policy)),
        (matches!(value, 1 | 2), "Value", VALUE.show(value)),
    ];
    let (moves_left, activation, embedding) = (number("moves_left"), number("default_activation"), number("input_embedding"));
    let others = [
        (matches!(moves_left, 0 | 1) || backend == Backend::Onnx, "Moves left head format", MOVES_LEFT.show(moves_left)),
        (matches!(activation, 0 | 1), "Default activation", DEFAULT_ACTIVATION.show(activation)),
        (matches!(embedding, 0..=2), "Input embedding", INPUT_EMBEDDING.show(embedding)),
    ];
    let unknown = formats.into_iter().find(|format| !format.0).map(|(_, what, name)| format!("{what} format {name}"));
    unknown.or_else(|| others.into_iter().find(|format| !format.0).map(|(_, what, name)| format!("{what} {name}")))
}
