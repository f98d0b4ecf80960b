//! The text nets of 2018, versions 1 to 4: one line a tensor. lc0 no longer reads them; this turns them into what it reads.

use super::{
    layer::{Encoding, encode},
    net::{MAGIC, Net},
    schema::{CONV_BLOCK, FORMAT, LAYER, NET, NETWORK_FORMAT, RESIDUAL, SEUNIT, WEIGHTS},
    wire::{Message, Value},
};
use crate::error::{Error, Result};

/// The version of a text net; `None` where the bytes are something else.
pub fn text_version(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [digit @ b'1'..=b'4', b'\n', ..] | [digit @ b'1'..=b'4', b'\r', b'\n', ..] => Some(digit - b'0'),
        _ => None,
    }
}

/// Reads a text net. Each line is stored as LINEAR16 by the training code's rule.
///
/// # Errors
/// When the number of lines is none of a net of that version, or a line holds something else than numbers; lines are named.
pub fn read_text(bytes: &[u8]) -> Result<Net> {
    let version = text_version(bytes).ok_or_else(|| Error::new("this is not a text net"))?;
    let text = std::str::from_utf8(bytes).map_err(|error| Error::new("this is not a text net").because(error))?;
    let lines: Vec<(usize, &str)> = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()).collect();
    let (base, block) = if version <= 2 { (18, 8) } else { (21, 14) };
    let blocks = lines.len().checked_sub(base).filter(|rest| rest.is_multiple_of(block)).map(|rest| rest / block);
    let blocks = blocks.ok_or_else(|| {
        Error::new(format!("a text net of version {version} has {base} tensors and {block} a block"))
            .because(format!("this one has {} lines after the first", lines.len()))
    })?;
    let mut lines = Lines { version, lines: lines.into_iter() };
    let mut weights = Message::new(&WEIGHTS);
    lines.fill(&mut weights, blocks)?;
    let mut net = Message::new(&NET);
    net.set("magic", Value::U32(MAGIC));
    net.set("format", Value::Message(format_of(version)));
    net.set("weights", Value::Message(weights));
    let mut net = Net::from_message(net);
    net.set_min_version(super::Version(0, 21, 0))?;
    Ok(net)
}

fn format_of(version: u8) -> Message {
    let mut network = Message::new(&NETWORK_FORMAT);
    let structure = if version <= 2 { 3 } else { 4 };
    let policy = if version == 4 { 2 } else { 1 };
    for (name, number) in [
        ("input", 1),
        ("output", 1),
        ("network", structure),
        ("policy", policy),
        ("value", 1),
        ("moves_left", 1),
        ("default_activation", 0),
    ] {
        network.set(name, Value::Enum(number));
    }
    let mut format = Message::new(&FORMAT);
    format.set("weights_encoding", Value::Enum(1));
    format.set("network_format", Value::Message(network));
    format
}

struct Lines<'a, I: Iterator<Item = (usize, &'a str)>> {
    version: u8,
    lines: I,
}

impl<'a, I: Iterator<Item = (usize, &'a str)>> Lines<'a, I> {
    fn fill(&mut self, weights: &mut Message, blocks: usize) -> Result<()> {
        let input = self.conv()?;
        weights.set("input", Value::Message(input));
        for _ in 0..blocks {
            let mut block = Message::new(&RESIDUAL);
            for name in ["conv1", "conv2"] {
                block.set(name, Value::Message(self.conv()?));
            }
            if self.version >= 3 {
                block.set("se", Value::Message(self.layers(&SEUNIT, &["w1", "b1", "w2", "b2"])?));
            }
            weights.push("residual", Value::Message(block));
        }
        if self.version == 4 {
            weights.set("policy1", Value::Message(self.conv()?));
            weights.set("policy", Value::Message(self.layers(&CONV_BLOCK, &["weights", "biases"])?));
        } else {
            weights.set("policy", Value::Message(self.conv()?));
            self.into(weights, &["ip_pol_w", "ip_pol_b"])?;
        }
        weights.set("value", Value::Message(self.conv()?));
        self.into(weights, &["ip1_val_w", "ip1_val_b", "ip2_val_w", "ip2_val_b"])
    }

    fn conv(&mut self) -> Result<Message> {
        let names: &[&str] = if self.version <= 2 {
            &["weights", "biases", "bn_means", "bn_stddivs"]
        } else {
            &["weights", "bn_gammas", "bn_betas", "bn_means", "bn_stddivs"]
        };
        self.layers(&CONV_BLOCK, names)
    }

    fn layers(&mut self, ty: &'static super::schema::MessageType, names: &[&str]) -> Result<Message> {
        let mut message = Message::new(ty);
        self.into(&mut message, names)?;
        Ok(message)
    }

    fn into(&mut self, message: &mut Message, names: &[&str]) -> Result<()> {
        for name in names {
            let (at, line) = self.lines.next().ok_or_else(|| Error::new("the text net ends too early"))?;
            let in_line = |error: Error| error.context(format!("line {} of the text net is wrong", at + 1));
            let values = line.split_whitespace().map(|word| {
                word.parse::<f32>().map_err(|_| Error::new(format!("`{}` is not a number", word.chars().take(40).collect::<String>())))
            });
            let values: Vec<f32> = values.collect::<Result<_>>().map_err(in_line)?;
            let mut layer = Message::new(&LAYER);
            encode(&values, Encoding::Linear16).map_err(in_line)?.store(&mut layer);
            message.set(name, Value::Message(layer));
        }
        Ok(())
    }
}
