//! What can be typed behind `nnue convert`: the options of the trainer's `serialize.py`, under their own names.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::described::LayoutArgs;
use crate::cli::filters::FilterArgs;
use crate::cli::lc0::ConvertArgs;
use crate::cli::network::SourceArgs;
use crate::cli::search::SearchArgs;
use crate::cli::trainer_options::TrainerOptions;
use crate::cli::word::word;
use crate::ctx::Backend;
use crate::error::Error;
use crate::family::nnue::stages::write_float::{FloatTarget, ModuleProfile};
use crate::format::state_dict::SAY_WHICH;
use crate::words::{Allow, CompressionChoice, Overflow};

/// Convert a network: .ckpt, .pt, .safetensors, .npz, .nnue or an engine into .nnue, .pt, .safetensors or .npz
///
/// The options of the trainer's serialize.py are accepted under their own names, also with `-` for `_`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file that holds the network
    pub(super) source: PathBuf,
    /// The file to write, by its ending .nnue, .pt, .safetensors or .npz (of lc0: .pb, .pb.gz, .onnx); with --out-sha a folder, or
    /// a file whose folder is meant
    pub(super) target: PathBuf,
    /// Name the file nn-<first 12 digits of its SHA-256>.nnue, in the folder TARGET, or in that of the file TARGET
    #[arg(long = "out-sha", alias = "out_sha")]
    pub(super) out_sha: bool,
    /// Text for the file's header; by default the source's own stays
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) description: Option<String>,
    /// How the feature transformer is stored in a .nnue file [default: auto]
    #[arg(long = "ft_compression", alias = "ft-compression", value_name = "HOW", value_parser = word::<CompressionChoice>())]
    pub(super) compression: Option<CompressionChoice>,
    /// Apply a permutation of the neurons, as ftperm.py saves it (.npy), or numbers in a text
    #[arg(long = "ft_perm", alias = "ft-perm", value_name = "FILE")]
    pub(super) perm: Option<PathBuf>,
    /// Find and apply a permutation that makes the engine faster
    #[arg(long = "ft_optimize", alias = "ft-optimize")]
    pub(super) optimize: bool,
    /// Positions for that: .binpack, .bin, .fen or .epd files
    #[arg(long = "ft_optimize_data", alias = "ft-optimize-data", value_name = "FILE", num_args = 1.., action = clap::ArgAction::Append)]
    pub(super) data: Vec<PathBuf>,
    /// How many of them, exactly [default: 10000]
    #[arg(long = "ft_optimize_count", alias = "ft-optimize-count", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// Fixes which positions are taken, and the random numbers of the search
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    /// What computes the search; the result is the same
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = word::<Backend>())]
    pub(super) backend: Backend,
    /// What a .pt file holds
    #[arg(long = "pt-profile", alias = "pt_profile", value_name = "KIND", default_value = "state-dict")]
    pub(super) pt_profile: PtProfile,
    /// What to do with weights that do not fit their integer type
    #[arg(long, value_name = "HOW", default_value = "error", value_parser = word::<Overflow>())]
    pub(super) overflow: Overflow,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) lc0: ConvertArgs,
    #[command(flatten)]
    pub(super) layouts: LayoutArgs,
    /// The layout to write
    #[arg(long, visible_alias = "layout", value_name = "LAYOUT", help_heading = "For described architectures")]
    pub(super) to: Option<String>,
    /// What is known of the network and accepted: no warning is printed
    #[arg(long, value_name = "WHAT", value_parser = word::<Allow>(), help_heading = "For described architectures")]
    pub(super) allow: Option<Allow>,
    #[command(flatten)]
    pub(super) filters: FilterArgs,
    #[command(flatten)]
    pub(super) source_is: SourceArgs,
    #[command(flatten)]
    pub(super) trainer: TrainerOptions,
}

/// `--pt-profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PtProfile {
    /// Tensors by name, for `torch.load(weights_only=True)` and every tool
    StateDict,
    /// The whole module of the trainer of January 2026, to train on from
    Seed,
    /// The whole module of the trainer of July 2026
    Head,
}

impl From<PtProfile> for FloatTarget {
    fn from(profile: PtProfile) -> Self {
        match profile {
            PtProfile::StateDict => Self::StateDict,
            PtProfile::Seed => Self::Module(ModuleProfile::Seed),
            PtProfile::Head => Self::Module(ModuleProfile::Head),
        }
    }
}

/// An error of the stages, which speak of the manifest's keys, with help that speaks of this command's options.
pub(super) fn spoken(error: Error) -> Error {
    match error.key() {
        Some("overflow") => error.help_instead(
            "train with weights clipped to the range, or give `--overflow clamp` (or `--overflow wrap`, what old trainers did)",
        ),
        Some("state_dict") => {
            let help =
                error.help_text().unwrap_or_default().replace("state_dict = ", "--state-dict ").replace("`state_dict`", "`--state-dict`");
            error.help_instead(help)
        }
        Some("permutation") => error.help_instead(
            "leave out `--ft_perm` and `--ft_optimize`, or convert into `.nnue` with them, and then that file into the other format",
        ),
        _ if error.help_text().is_some_and(|help| help.starts_with(SAY_WHICH)) => {
            let help = error.help_text().unwrap_or_default();
            let help = ["quantization", "architecture"]
                .iter()
                .fold(help.to_owned(), |help, key| help.replace(&format!("`{key} = \""), &format!("`--{key} ")));
            error.help_instead(help.replace("\"`", "`"))
        }
        Some(key) => error.help_instead(format!("correct or remove `--{key}`, or give the file that was meant")),
        None => error,
    }
}
