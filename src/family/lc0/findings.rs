//! What is wrong with a net that lc0 loads without a word: layers that are missing or of another size, values, a header that says something
//! else, features that its stated version does not know.

use std::{collections::BTreeSet, fmt};

use super::{
    layer::{Decode, Encoding, Layer},
    net::{Net, Version},
    schema::{ACTIVATION, DEFAULT_ACTIVATION, INPUT, Kind, NETWORK},
    wire::{Message, Slice, Value, field_of},
};
use crate::error::{Error, Result};

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// lc0 reads the file, and refuses to play it.
    Refusal,
    /// A layer or a block that lc0 takes for granted is missing or empty.
    Missing,
    /// A layer has another number of elements than the rest of the net needs: lc0 reads beyond its end, or past its middle.
    Size,
    /// The header says what is not so.
    Header,
    /// The head that lc0 plays by itself is missing.
    Head,
    /// NaN or infinities, or what becomes one when lc0 computes with it.
    Value,
    /// Releases that the net says it runs on do not know everything in it.
    Version,
    /// Something that lc0 skips.
    Unknown,
}

impl Fault {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Header => "header",
            Self::Head => "head",
            Self::Value => "value",
            Self::Version => "version",
            Self::Unknown => "unknown",
        }
    }
}

/// What comes of a fault when lc0 plays the net, from nothing to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing, as long as no other heads are chosen.
    None,
    /// lc0 computes something else than was trained.
    Wrong,
    /// It computes with what happens to lie behind a layer, or crashes.
    Overrun,
    /// It computes with NaN or infinities.
    NotANumber,
    /// It crashes.
    Crash,
    /// It refuses the net.
    Refused,
}

impl Effect {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Wrong => "wrong",
            Self::Overrun => "overrun",
            Self::NotANumber => "nan",
            Self::Crash => "crash",
            Self::Refused => "refused",
        }
    }

    /// The same in words, after what is wrong.
    const fn words(self) -> &'static str {
        match self {
            Self::None | Self::Refused => "",
            Self::Wrong => "; lc0 loads the net and computes something else",
            Self::Overrun => "; lc0 reads beyond its end",
            Self::NotANumber => "; lc0 computes with NaN or infinity",
            Self::Crash => "; lc0 crashes on the net",
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub fault: Fault,
    /// What comes of it.
    pub effect: Effect,
    /// Where and what, in a sentence without its period.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What comes of a missing head is part of what is wrong.
        let words = if self.fault == Fault::Head { "" } else { self.effect.words() };
        write!(f, "{}{words}", self.what)
    }
}

/// The faults that are told. A file of empty blocks has more of them than anyone reads: of those beyond the limit the worst takes the last
/// place.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    told: Vec<Finding>,
    /// Whether there are others.
    has_more: bool,
}

impl Faults {
    const MOST: usize = 1000;

    /// Adds one.
    pub(super) fn push(&mut self, fault: Finding) {
        if self.told.len() < Self::MOST {
            return self.told.push(fault);
        }
        self.has_more = true;
        if let Some(last) = self.told.last_mut().filter(|last| fault.effect > last.effect) {
            *last = fault;
        }
    }

    /// Adds those of a part.
    fn append(&mut self, part: Self) {
        part.told.into_iter().for_each(|fault| self.push(fault));
        self.has_more |= part.has_more;
    }

    /// The faults; the last one says whether there are more.
    pub(super) fn told(mut self) -> Vec<Finding> {
        if let Some(last) = self.told.last_mut().filter(|_| self.has_more) {
            last.what.push_str(", and there are more faults than are listed");
        }
        self.told
    }
}

impl Net {
    /// All faults that lc0 does not look for when it reads the file: of the whole net, then in the order of lc0's layers.
    pub fn findings(&self, decode: Decode) -> Vec<Finding> {
        let mut found = Faults::default();
        let mut add = |fault, effect, what| found.push(Finding { fault, effect, what });
        if let Some(words) = self.refusal_to_play(decode) {
            add(Fault::Refusal, Effect::Refused, format!("lc0 refuses to play the net: {words}"));
        }
        // lc0 itself compares the version with its own alone.
        for error in [self.check_version(), self.check_features()].into_iter().filter_map(Result::err) {
            let help = error.help_text().map_or_else(String::new, |help| format!("; {help}"));
            add(Fault::Version, Effect::None, format!("{error}{help}"));
        }
        let structure = self.structure(decode);
        found.append(structure.faults);
        let mut add = |fault, effect, what| found.push(Finding { fault, effect, what });
        if let Some(weights) = self.weights() {
            each_layer(weights, "", &mut |path, layer| {
                if let Some((what, effect)) = odd_values(layer, decode) {
                    let effect = if structure.played.contains(path) { effect } else { Effect::None };
                    add(Fault::Value, effect, format!("`{path}` {what}"));
                }
            });
        }
        each_unknown(&self.message, "", &mut |path, records| {
            let place = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
            let bytes: usize = records.iter().map(|record| record.len()).sum();
            let (count, fields) = (records.len(), fields_of(records));
            add(Fault::Unknown, Effect::None, format!("{place} has {count} records ({bytes} bytes) that lc0 skips, of {fields}"));
        });
        found.told()
    }

    /// Refuses a net whose layers have encodings that the version in its header does not know: older lc0 would load zeros.
    ///
    /// # Errors
    /// Then; the message says which layer, and the help what to do.
    pub fn check_version(&self) -> Result<()> {
        let stated = self.min_version();
        if stated.number() >= Version::LAYER_ENCODINGS.number() {
            return Ok(());
        }
        let Some((path, encoding)) = self.first_new_encoding() else { return Ok(()) };
        let error = Error::new(format!("`min_version` is {stated}, but `{path}` is stored as {encoding}"));
        Err(match Encoding::ALL.iter().any(|known| known.name() == encoding) {
            true => error
                .because(format!("lc0 before {} skips the encoding and loads such layers as zeros", Version::LAYER_ENCODINGS))
                .help("raise it: `nnue convert IN OUT.pb.gz --fix-min-version`"),
            false => error.because("no release of lc0 knows that encoding"),
        })
    }

    /// Refuses a net with features, other than encodings of layers, that the version in its header does not know: older lc0 would not
    /// notice them, and compute something else.
    fn check_features(&self) -> Result<()> {
        let stated = self.min_version();
        let newest = self.features().into_iter().rev().max_by_key(|(_, version)| version.number());
        match newest.filter(|(_, version)| stated.number() < version.number()) {
            None => Ok(()),
            Some((what, version)) => Err(Error::new(format!("`min_version` is {stated}, but {what} is of lc0 {version}"))
                .because("older releases that it lets in do not know it, and do not say so")
                .help("raise it: `nnue convert IN OUT.pb.gz --fix-min-version`")),
        }
    }

    /// The first layer that is not LINEAR16, and how it is stored.
    pub fn first_new_encoding(&self) -> Option<(String, String)> {
        let mut first = None;
        if let Some(weights) = self.weights() {
            each_layer(weights, "", &mut |path, layer| {
                if first.is_none() && !matches!(layer.encoding(), Ok(Encoding::Linear16)) {
                    first = Some((path.to_owned(), layer.shown_encoding()));
                }
            });
        }
        first
    }

    /// The least version that knows everything in this net, by the rules of its writers.
    pub fn needed_version(&self) -> Version {
        let features = self.features().into_iter().map(|(_, version)| version);
        let encodings = self.first_new_encoding().map(|_| Version::LAYER_ENCODINGS);
        features.chain(encodings).fold(Version(0, 21, 0), |least, version| if version.number() > least.number() { version } else { least })
    }

    /// What of the header, after the fix-up, began with a version of lc0, and with which.
    fn features(&self) -> Vec<(String, Version)> {
        let format = self.format();
        let number = |name| format.enumerated(name).unwrap_or(0);
        let (input, network) = (number("input"), number("network"));
        let (activation, smolgen, ffn) = (number("default_activation"), number("smolgen_activation"), number("ffn_activation"));
        let since = match input {
            2 | 3 => 25,
            4 | 132 => 26,
            5 | 133 => 27,
            _ => 0,
        };
        let features = [
            (since > 0, INPUT.show(input), since),
            (self.message.has("onnx_model"), "an ONNX model".to_owned(), 28),
            (activation == 1, DEFAULT_ACTIVATION.show(activation), 29),
            (matches!(network, 6 | 7 | 134), NETWORK.show(network), 30),
            (ffn != 0, format!("{} as `ffn_activation`", ACTIVATION.show(ffn)), 30),
            (smolgen != 0, format!("{} as `smolgen_activation`", ACTIVATION.show(smolgen)), 30),
        ];
        features.into_iter().filter(|feature| feature.0).map(|(_, what, minor)| (what, Version(0, minor, 0))).collect()
    }
}

/// Hands over every layer below `message`, in the order of the fields.
pub(super) fn each_layer<'a>(message: &'a Message, path: &str, sink: &mut dyn FnMut(&str, Layer<'a>)) {
    for (field, values) in message.fields() {
        let Kind::Message(ty) = field.kind else { continue };
        for (at, value) in values.iter().enumerate() {
            let Value::Message(inner) = value else { continue };
            let path = if field.repeated { format!("{path}{}.{at}", field.name) } else { format!("{path}{}", field.name) };
            if ty.name == "Layer" { sink(&path, Layer::of(inner)) } else { each_layer(inner, &format!("{path}."), sink) }
        }
    }
}

/// What is odd about a layer's values, and what comes of it. LINEAR16 is finite where its ends are, so only halves and floats are looked through.
fn odd_values(layer: Layer<'_>, decode: Decode) -> Option<(String, Effect)> {
    let encoding = layer.encoding_for(decode).ok()?;
    let params = layer.params();
    if !params.len().is_multiple_of(encoding.size()) {
        return Some((format!("has {} bytes, not a whole number of elements", params.len()), Effect::None));
    }
    if encoding == Encoding::Linear16 {
        let (min, max) = (layer.min(), layer.max());
        let finite = min.is_finite() && max.is_finite() && !layer.is_too_wide(decode);
        return (!finite).then(|| (format!("ranges from {min} to {max}: not all values are finite"), Effect::NotANumber));
    }
    let mut at = 0;
    let mut bad = None;
    let scanned = layer.each_block(decode, &mut |block| {
        if bad.is_none() {
            bad = block.iter().position(|value| !value.is_finite()).map(|place| (at + place, block[place]));
        }
        at += block.len();
        Ok(())
    });
    scanned.ok().and(bad).map(|(at, value)| (format!("has {value} as element {at}"), Effect::NotANumber))
}

/// Numbers of the fields of records, the first few of them.
fn fields_of(records: &[Slice]) -> String {
    const SHOWN: usize = 8;
    let numbers: BTreeSet<u64> = records.iter().map(|record| field_of(record)).collect();
    let more = numbers.len().saturating_sub(SHOWN);
    let listed = numbers.iter().take(SHOWN).map(u64::to_string).collect::<Vec<_>>().join(", ");
    let field = if numbers.len() == 1 { "field" } else { "fields" };
    if more == 0 { format!("{field} {listed}") } else { format!("{field} {listed} and {more} more") }
}

fn each_unknown(message: &Message, path: &str, sink: &mut dyn FnMut(&str, &[Slice])) {
    if !message.unknown().is_empty() {
        sink(path, message.unknown());
    }
    for (field, values) in message.fields() {
        for (at, value) in values.iter().enumerate() {
            let Value::Message(inner) = value else { continue };
            let dot = if path.is_empty() { "" } else { "." };
            let path = if field.repeated { format!("{path}{dot}{}.{at}", field.name) } else { format!("{path}{dot}{}", field.name) };
            each_unknown(inner, &path, sink);
        }
    }
}
