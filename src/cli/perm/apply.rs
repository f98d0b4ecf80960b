//! `nnue perm apply`: a network with its neurons reordered.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::network::{SourceArgs, warn_of_name};
use crate::cli::output::{Place, check_folder_of, write_file};
use crate::cli::trainer_options::TrainerOptions;
use crate::cli::{Exit, Global};
use crate::ctx::Backend;
use crate::error::{Error, Result};
use crate::family::nnue::stages::load::load_permutation;
use crate::family::nnue::stages::permute::permute;
use crate::family::nnue::stages::pipeline::{Content, Target, Weights, load_integers};
use crate::format::content_name::net_name;
use crate::stage::Quantize;

/// Apply a permutation to a network; description and compression stay
#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// The network
    #[arg(value_name = "NET")]
    net: PathBuf,
    /// The permutation of the L1/2 neuron pairs
    #[arg(value_name = "PERM.npy")]
    perm: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT.nnue")]
    out: PathBuf,
    #[command(flatten)]
    source_is: SourceArgs,
    #[command(flatten)]
    trainer: TrainerOptions,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    args.source_is.refuse_described()?;
    args.trainer.note(&ctx);
    if args.out.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("nnue")) {
        return Err(Error::usage(format!("cannot write `{}`", args.out.display()))
            .because("a permuted network is a `.nnue` file")
            .help("give a name that ends with `.nnue`"));
    }
    check_folder_of(&args.out)?;
    let permutation = load_permutation(&args.perm)?;
    warn_of_name(&args.net, &ctx)?;
    let mut source = load_integers(&args.net, &args.source_is.load(), Quantize::default(), &ctx)?;
    args.trainer.check(source.network.architecture.quantization)?;
    permute(&mut source.network, &permutation).map_err(|error| error.context(format!("cannot apply `{}`", args.perm.display())))?;
    // Checkpoints have no compression of their own.
    let target = Target::Nnue(source.compression);
    let content = Content::of(Weights::Integers(Arc::new(source.network)), target, None, &ctx)?;
    let written = write_file(Place::File(&args.out), &ctx, |out| content.write(out, &ctx))?;
    global.print_summary(&format!(
        "wrote `{}`, {} bytes, {}\nsha256 {}\n",
        written.path.display(),
        written.bytes,
        net_name(&written.sha256),
        written.sha256
    ))?;
    Ok(Exit::Done)
}
