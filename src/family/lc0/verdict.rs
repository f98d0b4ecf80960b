//! What a release of lc0 does with a net, said before anyone loads it there.

use super::{
    edit::find,
    findings::{Effect, Finding},
    layer::{Decode, Layer},
    net::Net,
    onnx,
    schema::{NETWORK, POLICY, VALUE},
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

const NETWORK_ONNX: i32 = 5;
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
        if release == Decode::Lc0V032
            && let Some(words) = self.read_as_linear16()
        {
            return Verdict { effect: Effect::Wrong, why: Some(words), converter };
        }
        // Of faults that are as bad, the first.
        let worst = findings.iter().rev().max_by_key(|finding| finding.effect).filter(|worst| worst.effect != Effect::None);
        Verdict { effect: worst.map_or(Effect::None, |worst| worst.effect), why: worst.map(|worst| worst.what.clone()), converter }
    }

    /// Why a release cannot play a net that it reads, in its words: formats and layers that no backend takes.
    pub(super) fn refusal_to_play(&self, release: Decode) -> Option<String> {
        let format = self.format();
        let number = |name: &str| format.enumerated(name).unwrap_or(0);
        if number("network") == NETWORK_ONNX && self.message.has("onnx_model") {
            return None;
        }
        if let Some(format) = unknown_format(&format) {
            return Some(format!("{format} is not supported by the BLAS backend."));
        }
        let tensors = self.refusal_of_tensors(release);
        // This it says when it is given the first position.
        let input = number("input");
        tensors.or_else(|| (!INPUTS.contains(&input)).then(|| format!("Unsupported input plane encoding {input}")))
    }

    /// What a release that knows no encodings makes of layers that have one; `None` where there are none.
    fn read_as_linear16(&self) -> Option<String> {
        let (path, encoding) = self.first_new_encoding()?;
        let layer = self.weights().and_then(|weights| find(weights, &path));
        let made = match layer.map(Layer::of).map(|layer| (layer.min(), layer.max())) {
            Some((0.0, 0.0)) | None => "zeros",
            Some(_) => "linear16",
        };
        Some(format!("it would load `{path}` ({encoding}) and its like as {made}"))
    }
}

/// The first format of a header, after the fix-up, that no backend plays, as lc0 begins to say it: `Network format NETWORK_UNKNOWN`.
pub(super) fn unknown_format(format: &Message) -> Option<String> {
    let number = |name: &str| format.enumerated(name).unwrap_or(0);
    let (network, policy, value) = (number("network"), number("policy"), number("value"));
    let formats = [
        (matches!(network, 3 | 4 | 6 | 7), "Network", NETWORK.show(network)),
        (matches!(policy, 1..=3), "Policy", POLICY.show(policy)),
        (matches!(value, 1 | 2), "Value", VALUE.show(value)),
    ];
    formats.into_iter().find(|format| !format.0).map(|(_, what, name)| format!("{what} format {name}"))
}
