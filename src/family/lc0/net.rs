//! A weight file in memory: read with lc0's checks in their order, its header, and where it came from.

use super::{
    container::{self, Unwrapped, Wrapping},
    fixup::{self, Change},
    layer::Decode,
    schema::{FORMAT, NET},
    wire::{Message, Value},
};
use crate::{
    error::{Error, Result},
    files::{Bytes, Sha256},
};

/// A version of lc0, as `min_version` states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first release that knows encodings of layers.
    pub const LAYER_ENCODINGS: Self = Self(0, 33, 0);

    /// The plain sum by which lc0 compares: parts above 999 run over into the next.
    pub fn number(self) -> u64 {
        u64::from(self.0) * 1_000_000 + u64::from(self.1) * 1_000 + u64::from(self.2)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Decode {
    /// The newest lc0 that decodes in this way.
    pub const fn engine(self) -> Version {
        match self {
            Self::Lc0V033 => Version(0, 33, 0),
            Self::Lc0V032 => Version(0, 32, 1),
        }
    }
}

/// A weight file.
#[derive(Debug, Clone)]
pub struct Net {
    pub(super) message: Message,
    pub(super) source: Option<Source>,
    notes: Vec<String>,
}

/// The bytes that a net which nobody changed is written with.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) file: Bytes,
    pub(super) unwrapped: Unwrapped,
}

/// `magic` of every weight file.
pub const MAGIC: u32 = 0x1C0;
/// 97.98.99, with which one engine marks its nets.
const SIGNATURE: u64 = 97_098_099;
const NEW_TEXT: &str = "Text format weights files are no longer supported. Use a command line tool to convert it to the new format.";

impl Net {
    /// Reads a weight file by its content: protobuf, gzip'd protobuf, or an engine that carries one at its end.
    ///
    /// # Errors
    /// When lc0 0.33 refuses the file: the message is lc0's.
    pub fn read(file: &Bytes) -> Result<Self> {
        Self::read_for(file, Decode::Lc0V033)
    }

    /// As [`Self::read`], with the checks of another release.
    ///
    /// # Errors
    /// When that release refuses the file: the message is lc0's.
    pub fn read_for(file: &Bytes, release: Decode) -> Result<Self> {
        let net = Self::parse(file, is_engine(file))?;
        net.check(release)?;
        Ok(net)
    }

    /// Reads the net at the end of an engine, as lc0 reads `<built in>`.
    ///
    /// # Errors
    /// Those of [`Self::read_for`], and when there is none.
    pub fn read_embedded(file: &Bytes, release: Decode) -> Result<Self> {
        let net = Self::parse(file, true)?;
        net.check(release)?;
        Ok(net)
    }

    /// As [`Self::read`], before the checks of version and encoding: for saying what is wrong with a file.
    ///
    /// # Errors
    /// When it is not a weight file at all.
    pub fn parse(file: &Bytes, embedded: bool) -> Result<Self> {
        Self::parse_with(file, embedded, false)
    }

    /// As [`Self::read`], or of the net at the end of a program; the digest of the protobuf is taken while it is inflated.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn read_with_digest(file: &Bytes, embedded: bool) -> Result<Self> {
        let net = Self::parse_with(file, embedded || is_engine(file), true)?;
        net.check(Decode::Lc0V033)?;
        Ok(net)
    }

    fn parse_with(file: &Bytes, embedded: bool, with_digest: bool) -> Result<Self> {
        let unwrapped = if embedded { container::unwrap_embedded(file, with_digest)? } else { container::unwrap(file, with_digest)? };
        let cut = |error: Error| match unwrapped.cut {
            Some(byte) => error.because(format!("the gzip stream breaks off at byte {byte}")).help("fetch or copy the file again"),
            None => error,
        };
        let protobuf = &unwrapped.protobuf;
        let refused = |words: &str| Err(cut(Error::new(words)));
        if protobuf.len() < 2 {
            return refused("Invalid weight file: too small.");
        }
        if protobuf.starts_with(b"1\n") {
            return refused("Invalid weight file: no longer supported.");
        }
        if protobuf.starts_with(b"2\n") {
            return refused(NEW_TEXT);
        }
        let message = Message::parse(&NET, protobuf).map_err(cut)?;
        if message.u32("magic").unwrap_or(0) != MAGIC {
            return refused("Invalid weight file: bad header.");
        }
        let mut notes = unwrapped.notes.clone();
        if let Some(byte) = unwrapped.cut {
            notes.push(format!("the gzip stream breaks off at byte {byte}; what came before it is a whole net, as lc0 sees it"));
        }
        Ok(Self { message, source: Some(Source { file: file.clone(), unwrapped }), notes })
    }

    /// The same net without what it was wrapped in: it is packed anew when it is written, whatever it was packed with.
    #[must_use]
    pub fn unwrapped(mut self) -> Self {
        self.notes = Vec::new();
        self.source = self.source.map(|Source { unwrapped, .. }| {
            let protobuf = unwrapped.protobuf;
            let file = protobuf.clone();
            Source {
                file,
                unwrapped: Unwrapped {
                    wrapping: Wrapping::Raw,
                    protobuf,
                    digest: unwrapped.digest,
                    is_gzip: false,
                    stream: None,
                    notes: Vec::new(),
                    cut: None,
                },
            }
        });
        self
    }

    /// A net that was made, not read.
    pub fn from_message(message: Message) -> Self {
        Self { message, source: None, notes: Vec::new() }
    }

    /// Why a release refuses this net, in its words; `None` where it loads it. (That all its tensors can be made is another matter.)
    pub fn refusal(&self, release: Decode) -> Option<String> {
        let (stated, engine) = (self.min_version(), release.engine());
        if stated.number() > engine.number() && stated.number() != SIGNATURE {
            return Some(format!("Invalid weight file: lc0 version >= {stated} required."));
        }
        let encoding = self.message.message("format").and_then(|format| format.enumerated("weights_encoding")).unwrap_or(0);
        let excused = release == Decode::Lc0V033 && stated.number() >= Version::LAYER_ENCODINGS.number();
        (self.message.has("weights") && encoding != 1 && !excused).then(|| "Invalid weight file: unsupported encoding.".to_owned())
    }

    fn check(&self, release: Decode) -> Result<()> {
        match self.refusal(release) {
            Some(words) if release == Decode::Lc0V032 && self.refusal(Decode::Lc0V033).is_none() => {
                Err(Error::new(words).because("lc0 0.32 refuses the file, lc0 0.33 reads it").help("decode it as `lc0-0.33`"))
            }
            Some(words) => Err(Error::new(words)),
            None => Ok(()),
        }
    }

    /// The whole file as a tree.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The same, to change it: from now on the net is encoded again.
    pub fn message_mut(&mut self) -> &mut Message {
        self.source = None;
        &mut self.message
    }

    /// The weights, where there are any.
    pub fn weights(&self) -> Option<&Message> {
        self.message.message("weights")
    }

    /// The ONNX model, where the file carries one.
    pub fn onnx_model(&self) -> Option<&[u8]> {
        self.message.message("onnx_model").and_then(|onnx| onnx.bytes("model")).map(|bytes| &**bytes)
    }

    /// Refuses a file whose gzip stream lacks its end, which lc0 reads as far as it goes.
    ///
    /// # Errors
    /// Then.
    pub fn check_whole(&self) -> Result<()> {
        let is_cut = |source: &Source| source.unwrapped.is_gzip && source.unwrapped.stream.is_none();
        if self.source.as_ref().is_some_and(is_cut) {
            return Err(Error::new("the gzip stream has no end").because("the file is cut off, or not yet whole"));
        }
        Ok(())
    }

    /// Refuses to decode or to change the layers of a network that has none, but a model.
    ///
    /// # Errors
    /// Then.
    pub fn check_has_layers(&self) -> Result<()> {
        if self.weights().is_some() || !self.message.has("onnx_model") {
            return Ok(());
        }
        Err(Error::new("the network has no layers")
            .because("it carries an ONNX model in their place")
            .help("`.onnx` gives that model; `.pb.gz` and `.pb` carry it on"))
    }

    /// What `min_version` states; what is absent is 0.
    pub fn min_version(&self) -> Version {
        let version = self.message.message("min_version");
        let part = |name| version.and_then(|version| version.u32(name)).unwrap_or(0);
        Version(part("major"), part("minor"), part("patch"))
    }

    /// `network_format` as lc0 works with it, after the fix-up.
    pub fn format(&self) -> Message {
        fixup::fixed_format(&self.message)
    }

    /// A number of [`Self::format`]; what is absent is 0.
    pub fn format_number(&self, name: &str) -> i32 {
        self.format().enumerated(name).unwrap_or(0)
    }

    /// What the fix-up would change.
    pub fn fixup_changes(&self) -> Vec<Change> {
        fixup::changes(&self.message)
    }

    /// Writes the fix-up into the header; says what it changed.
    pub fn fixup(&mut self) -> Vec<Change> {
        let changes = self.fixup_changes();
        let fixed = self.format();
        let absent = self.message.message("format").is_none_or(|format| !format.has("network_format"));
        if !changes.is_empty() || absent {
            let mut format = self.message.message("format").cloned().unwrap_or_else(|| Message::new(&FORMAT));
            format.set("network_format", Value::Message(fixed));
            self.message_mut().set("format", Value::Message(format));
        }
        changes
    }

    /// How the file was wrapped; `None` where the net was made or changed.
    pub fn wrapping(&self) -> Option<Wrapping> {
        self.source.as_ref().map(|source| source.unwrapped.wrapping)
    }

    /// The protobuf's bytes as they were read; `None` where the net was made or changed.
    pub fn protobuf(&self) -> Option<&Bytes> {
        self.source.as_ref().map(|source| &source.unwrapped.protobuf)
    }

    /// SHA-256 of these bytes.
    pub fn protobuf_sha256(&self) -> Option<Sha256> {
        self.source.as_ref().map(|source| source.unwrapped.digest.unwrap_or_else(|| Sha256::of(&source.unwrapped.protobuf)))
    }

    /// What is odd about the file's wrapping.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Whether a file is an engine with a net at its end. One that begins as a net is none, whatever its last bytes happen to be.
fn is_engine(file: &[u8]) -> bool {
    container::is_embedded(file) && !file.starts_with(b"\x1F\x8B") && !begins_as_net(file)
}

/// Whether raw bytes look like the beginning of a net: the magic first, in the order in which everyone writes.
pub(crate) fn begins_as_net(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x0D\xC0\x01\0\0")
}
