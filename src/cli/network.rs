//! The options that say what is expected of a source, for all commands that read networks.

use super::word::word;
use crate::format::nnue::Expectation;
use crate::net::{Block, Generation, Quantization, generation, generation_names};
use crate::stage::Load;

/// What the user says of a source. Everything is inferred where the file tells it, and checked where it is given.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "About the source (inferred where the file tells; checked where given)")]
pub(crate) struct SourceArgs {
    /// Feature set, such as `HalfKAv2_hm^`
    #[arg(long, value_name = "NAME", value_parser = parse_features)]
    pub(crate) features: Option<String>,
    /// Outputs of the feature transformer
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) l1: Option<usize>,
    /// Outputs of the first dense layer
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) l2: Option<usize>,
    /// Outputs of the second dense layer
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) l3: Option<usize>,
    /// Generation, such as `SFNNv14`
    #[arg(long, value_name = "NAME", value_parser = parse_generation)]
    pub(crate) architecture: Option<&'static Generation>,
    /// Scales: ft127, ft255 or ft256
    #[arg(long, value_name = "NAME", value_parser = word::<&'static Quantization>())]
    pub(crate) quantization: Option<&'static Quantization>,
}

impl SourceArgs {
    /// The same as the stages take it.
    pub(crate) fn load(&self) -> Load {
        let Self { features, l1, l2, l3, architecture, quantization } = self.clone();
        Load { expected: Expectation { features, l1, l2, l3, architecture, quantization } }
    }
}

fn parse_features(text: &str) -> Result<String, String> {
    match text.split('+').find(|block| !Block::NAMES.contains(&block.strip_suffix('^').unwrap_or(block))) {
        Some(unknown) => {
            Err(format!("`{unknown}` is not a feature block; known are {}, each also with `^`, joined by `+`", Block::NAMES.join(", ")))
        }
        None => Ok(text.to_owned()),
    }
}

fn parse_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size @ 1..=65536) => Ok(size),
        _ => Err("a whole number from 1 to 65536 is needed".to_owned()),
    }
}

fn parse_generation(text: &str) -> Result<&'static Generation, String> {
    generation(text).ok_or_else(|| format!("known are {}", generation_names().join(", ")))
}
