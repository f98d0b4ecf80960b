//! `nnue perm show`: a permutation as a text, or as a constant to paste into an engine's source.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::{Exit, Global};
use crate::error::{Error, Result};
use crate::family::nnue::stages::load::load_permutation;
use crate::files::Bytes;
use crate::permutation::order::{self, Language};

/// Print a permutation as numbers, or as a constant of Rust or C++
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The permutation: a `.npy` file, numbers in a text, or a pasted constant
    #[arg(value_name = "PERM")]
    perm: PathBuf,
    /// How to print it
    #[arg(long = "as", value_name = "HOW", default_value = "text")]
    how: How,
    /// The constant's name
    #[arg(long, value_name = "NAME", default_value = "PERMUTATION")]
    name: String,
    /// The file holds counts of activations, one a neuron pair: print the order from the seldom active to the often active
    #[arg(long)]
    counts: bool,
}

/// `--as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// Numbers separated by commas
    Text,
    /// `const NAME: [usize; N] = […];`
    Rust,
    /// `constexpr std::uint16_t NAME[N] = {…};`
    Cpp,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let permutation = if args.counts {
        let bytes = Bytes::map(&args.perm)?;
        let about = |error: Error| error.context(format!("`{}` holds no counts", args.perm.display()));
        let text = std::str::from_utf8(&bytes).map_err(|error| about(Error::new("it is no text").because(error)))?;
        order::by_counts(text).map_err(about)?
    } else {
        load_permutation(&args.perm)?
    };
    let language = match args.how {
        How::Text => Language::Text,
        How::Rust => Language::Rust,
        How::Cpp => Language::Cpp,
    };
    global.print(&order::render(&permutation, language, &args.name))?;
    Ok(Exit::Done)
}
