//! What can be typed: the options of the trainer's `visualize.py` under their names, and those of the views that it has not.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::described::LayoutArgs;
use crate::cli::network::SourceArgs;
use crate::cli::output::check_folder_of;
use crate::cli::word::word;
use crate::error::{Error, Result};
use crate::show::{Limits, Options};
use crate::words::NeuronOrder;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One page with everything, and the numbers under the pointer
    Html,
    /// A folder of pictures that scale
    Svg,
    /// A folder of pictures in pixels
    Png,
}

/// Show a network in pictures: weights, histograms, zero blocks, sums, quantization error
///
/// One HTML file that any browser opens, or single pictures. With several networks: their histograms over each other.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The network: .nnue, checkpoint, file of tensors, engine, weight file of lc0, file of a described architecture; several to compare their histograms
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Show the difference to this network
    #[arg(long = "ref", visible_alias = "ref-model", value_name = "FILE")]
    pub(super) reference: Option<PathBuf>,
    /// The page, or the folder of pictures [default: the network's name with `.html`, or without ending]
    #[arg(short, long, visible_alias = "save-dir", value_name = "PATH")]
    out: Option<PathBuf>,
    /// What to write [default: html]
    #[arg(long, value_name = "FORMAT", default_value = "html", hide_default_value = true)]
    pub(super) format: Format,
    /// Name of the network in titles, and in front of the pictures' file names [default: its file name]
    #[arg(long, value_name = "TEXT")]
    pub(super) label: Option<String>,
    /// Print what was written as JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Value of the first colour of input weights; from 0 on, sizes are shown [default: fits nearly all values]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = number, help_heading = "Input weights")]
    input_weights_vmin: Option<f64>,
    /// Value of the last colour of input weights
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = number, help_heading = "Input weights")]
    input_weights_vmax: Option<f64>,
    /// Colours from the smallest to the largest input weight
    #[arg(long, help_heading = "Input weights")]
    input_weights_auto_scale: bool,
    /// How the weights of a neuron are arranged
    #[arg(long, value_name = "ORDER", default_value = "piece-centric-flipped-king", value_parser = word::<NeuronOrder>(), help_heading = "Input weights")]
    pub(super) input_weights_order: NeuronOrder,
    /// Neurons with the largest weights (L1 norm) first
    #[arg(long, help_heading = "Input weights")]
    sort_input_neurons: bool,
    /// Neurons that a page has weight by weight, the largest ones [default: as many as 5 MB hold]
    #[arg(long, value_name = "N", help_heading = "Input weights")]
    pub(super) neurons: Option<usize>,
    /// No input weights
    #[arg(long, help_heading = "Input weights")]
    pub(super) no_input_weights: bool,

    /// Value of the first colour of dense weights and biases; from 0 on, sizes are shown [default: fits nearly all values]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = number, help_heading = "Dense layers")]
    fc_weights_vmin: Option<f64>,
    /// Value of the last colour of dense weights and biases
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = number, help_heading = "Dense layers")]
    fc_weights_vmax: Option<f64>,
    /// Colours from the smallest to the largest dense weight
    #[arg(long, help_heading = "Dense layers")]
    fc_weights_auto_scale: bool,
    /// No weights of dense layers
    #[arg(long, help_heading = "Dense layers")]
    pub(super) no_fc_weights: bool,
    /// No biases
    #[arg(long, help_heading = "Dense layers")]
    pub(super) no_biases: bool,
    /// No histograms
    #[arg(long, help_heading = "Dense layers")]
    pub(super) no_hist: bool,

    /// Show zero blocks and sums over these positions: .binpack, .bin, or FEN/EPD lines
    #[arg(long, value_name = "FILE", num_args = 1.., action = clap::ArgAction::Append, help_heading = "Positions")]
    pub(super) data: Vec<PathBuf>,
    /// How many positions, exactly
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..), requires = "data", help_heading = "Positions")]
    pub(super) count: u64,
    /// Fixes which positions are taken
    #[arg(long, value_name = "N", default_value_t = 0, requires = "data", help_heading = "Positions")]
    pub(super) seed: u64,
    /// Show zero blocks of this activation matrix (`nnue perm gather`)
    #[arg(long, value_name = "ACT.npy", conflicts_with = "data", help_heading = "Positions")]
    pub(super) activations: Option<PathBuf>,
    /// The permutation to show beside [default: the one that the greedy search finds]
    #[arg(long, value_name = "PERM.npy", help_heading = "Positions")]
    pub(super) perm: Option<PathBuf>,

    /// Width that the picture of all neurons may have, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1600, value_parser = size, help_heading = "Size")]
    default_width: usize,
    /// Height that it may have
    #[arg(long, value_name = "PIXELS", default_value_t = 900, value_parser = size, help_heading = "Size")]
    default_height: usize,
    #[command(flatten)]
    pub(super) source_is: SourceArgs,
    #[command(flatten)]
    pub(super) layouts: LayoutArgs,
}

fn number(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| "a number is needed".to_owned())
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size @ 1..=65536) => Ok(size),
        _ => Err("a whole number from 1 to 65536 is needed".to_owned()),
    }
}

impl Args {
    /// Refuses what cannot be carried out together.
    pub(super) fn check(&self) -> Result<()> {
        if self.files.len() > 1 {
            let single = [
                ("--ref", self.reference.is_some()),
                ("--data", !self.data.is_empty()),
                ("--activations", self.activations.is_some()),
                ("--no-hist", self.no_hist),
            ];
            if let Some((name, _)) = single.into_iter().find(|(_, given)| *given) {
                return Err(Error::usage(format!("`{name}` is for one network"))
                    .because("several networks are shown as histograms over each other")
                    .help("show one at a time"));
            }
        }
        if self.perm.is_some() && self.data.is_empty() && self.activations.is_none() {
            return Err(Error::usage("`--perm` needs positions").help("add `--data FILE`, or `--activations ACT.npy`"));
        }
        for (low, high, name) in [
            (self.input_weights_vmin, self.input_weights_vmax, "input-weights"),
            (self.fc_weights_vmin, self.fc_weights_vmax, "fc-weights"),
        ] {
            let (low, high) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
            if low >= high {
                return Err(Error::usage(format!("`--{name}-vmin` has to be below `--{name}-vmax`")));
            }
        }
        let target = self.target();
        let same = |input: &&PathBuf| matches!((target.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b);
        let inputs = self.files.iter().chain(&self.reference).chain(&self.data).chain(&self.activations).chain(&self.perm);
        if let Some(input) = inputs.into_iter().find(same) {
            return Err(Error::usage(format!("`{}` is an input, and would be overwritten", input.display()))
                .help("give another name after `--out`"));
        }
        check_folder_of(&target)
    }

    /// Refuses what has no meaning for a network of lc0.
    pub(super) fn refuse_for_lc0(&self) -> Result<()> {
        let given = [
            ("--ref", self.reference.is_some()),
            ("--data", !self.data.is_empty()),
            ("--activations", self.activations.is_some()),
            ("--neurons", self.neurons.is_some()),
            ("--sort-input-neurons", self.sort_input_neurons),
            ("--input-weights-order", self.input_weights_order != NeuronOrder::default()),
            ("--no-input-weights", self.no_input_weights),
            ("--no-fc-weights", self.no_fc_weights),
            ("--no-biases", self.no_biases),
            ("--no-hist", self.no_hist),
            ("--architecture", self.source_is.architecture.is_some()),
            ("--set", !self.layouts.set.is_empty()),
            ("--from", self.layouts.from.is_some()),
            ("--input-weights-vmin", self.input_weights_vmin.is_some()),
            ("--input-weights-vmax", self.input_weights_vmax.is_some()),
            ("--input-weights-auto-scale", self.input_weights_auto_scale),
            ("--fc-weights-vmin", self.fc_weights_vmin.is_some()),
            ("--fc-weights-vmax", self.fc_weights_vmax.is_some()),
            ("--fc-weights-auto-scale", self.fc_weights_auto_scale),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((name, _)) => Err(Error::usage(format!("`{name}` is for networks of Stockfish"))
                .because("a network of lc0 has other layers, and no neurons that are zero in blocks")
                .help("`nnue diff` compares two networks of lc0")),
        }
    }

    /// Whether the user said where it goes.
    pub(super) fn names_target(&self) -> bool {
        self.out.is_some()
    }

    /// Where it goes.
    pub(super) fn target(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            // In the present folder: a source may stand where nothing should be written.
            let name = self.files[0].file_name().unwrap_or_default();
            let stem = PathBuf::from(name);
            match self.format {
                Format::Html => stem.with_extension("html"),
                Format::Svg | Format::Png if stem.extension().is_some() => stem.with_extension(""),
                Format::Svg | Format::Png => PathBuf::from(format!("{}-pictures", stem.display())),
            }
        })
    }

    /// The same as the pictures take it.
    pub(super) fn options(&self) -> Options {
        let limits = |low, high, auto| Limits { low, high, auto };
        Options {
            order: self.input_weights_order,
            sort_neurons: self.sort_input_neurons,
            input: limits(self.input_weights_vmin, self.input_weights_vmax, self.input_weights_auto_scale),
            dense: limits(self.fc_weights_vmin, self.fc_weights_vmax, self.fc_weights_auto_scale),
            size: [self.default_width, self.default_height],
        }
    }
}
