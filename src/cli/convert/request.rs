//! The options checked against each other, before any network is read, and what they come to.

use std::path::Path;

use super::options::{Args, PtProfile};
use crate::cli::output::{Place, check_folder_of};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::nnue::stages::load::load_permutation;
use crate::family::nnue::stages::pipeline::{Job, Order, Target};
use crate::family::nnue::stages::write_float::FloatTarget;
use crate::files::folder_of;
use crate::format::nnue::MAX_DESCRIPTION;
use crate::positions::{DEFAULT_POSITIONS, Filters};
use crate::stage::{Gather, Quantize};
use crate::words::{Compression, FileFormat};

/// What the options come to.
pub(super) struct Request<'a> {
    /// Where the file goes.
    pub(super) place: Place<'a>,
    /// How it is made.
    pub(super) job: Job<'a>,
}

impl<'a> Request<'a> {
    /// Checks the options. Of the files only the permutation is read.
    ///
    /// # Errors
    /// Options that exclude each other or cannot be; a permutation that cannot be read.
    pub(super) fn of(args: &'a Args, ctx: &Ctx) -> Result<Self> {
        check(args)?;
        let filters = args.filters.filters()?;
        warn_of_idle_options(args, &filters, ctx);
        let (place, target) = place_and_target(args)?;
        if args.compression.is_some() && matches!(target, Target::Floats(_)) {
            ctx.warn("`--ft_compression` has no effect on a target that is not a `.nnue` file");
        }
        let order = order(args, filters)?;
        let job = Job {
            source: &args.source,
            load: args.source_is.load(),
            quantize: Quantize { overflow: args.overflow },
            order,
            target,
            description: args.description.as_deref(),
        };
        Ok(Self { place, job })
    }
}

/// The options that are about the order of the neurons, for networks that an architecture file describes.
///
/// # Errors
/// As [`Request::of`].
pub(super) fn order_of<'a>(args: &'a Args, ctx: &Ctx) -> Result<Order<'a>> {
    check(args)?;
    let filters = args.filters.filters()?;
    warn_of_idle_options(args, &filters, ctx);
    order(args, filters)
}

fn order(args: &Args, filters: Filters) -> Result<Order<'_>> {
    Ok(match &args.perm {
        Some(path) => Order::Given { path, permutation: load_permutation(path)? },
        None if args.optimize => Order::Found {
            data: &args.data,
            gather: Box::new(Gather { positions: args.count.unwrap_or(DEFAULT_POSITIONS), seed: args.seed, filters }),
            search: args.search.params(args.seed)?,
        },
        None => Order::Kept,
    })
}

/// Refuses options that exclude each other, or lack what they need.
pub(super) fn check(args: &Args) -> Result<()> {
    if args.perm.is_some() && args.optimize {
        return Err(Error::usage("`--ft_perm` and `--ft_optimize` are mutually exclusive").help("apply a known permutation or find one"));
    }
    if args.optimize && args.data.is_empty() {
        return Err(Error::usage("`--ft_optimize` needs positions").help("name files of positions: `--ft_optimize_data FILE…`"));
    }
    if args.description.as_ref().is_some_and(|description| description.len() > MAX_DESCRIPTION) {
        return Err(Error::usage(format!("the description is longer than {MAX_DESCRIPTION} bytes")));
    }
    args.search.params(args.seed)?;
    Ok(())
}

/// Says which options of a search were given without one.
fn warn_of_idle_options(args: &Args, filters: &Filters, ctx: &Ctx) {
    if args.optimize {
        return;
    }
    let idle = [
        (!args.data.is_empty(), "`--ft_optimize_data` has"),
        (args.count.is_some(), "`--ft_optimize_count` has"),
        (*filters != Filters::default(), "filters of positions have"),
    ];
    for (_, what) in idle.into_iter().filter(|(given, _)| *given) {
        ctx.warn(format!("{what} no effect without `--ft_optimize`"));
    }
}

fn place_and_target(args: &Args) -> Result<(Place<'_>, Target)> {
    let compression = args.compression.unwrap_or_default().named();
    if !args.out_sha {
        return Ok((Place::File(&args.target), target_of(&args.target, compression, args.pt_profile)?));
    }
    Ok((Place::Folder(folder_for_sha(&args.target)), Target::Nnue(compression)))
}

/// As the trainer's tool: a target that is not a folder, and does not end like one, says in which folder the file goes.
pub(super) fn folder_for_sha(target: &Path) -> &Path {
    if target.is_dir() || target.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return target;
    }
    folder_of(target)
}

/// What a target's ending asks for; the target is one file.
fn target_of(target: &Path, compression: Option<Compression>, pt_profile: PtProfile) -> Result<Target> {
    let shown = target.display();
    if target.is_dir() {
        return Err(
            Error::usage(format!("`{shown}` is a folder")).help("name a file in it, or give `--out-sha` to have it named by its SHA-256")
        );
    }
    let ending = target.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let format = match FileFormat::of_ending(&ending) {
        Some(FileFormat::Nnue) => Target::Nnue(compression),
        Some(FileFormat::Pt) => Target::Floats(pt_profile.into()),
        Some(FileFormat::Safetensors) => Target::Floats(FloatTarget::Safetensors),
        Some(FileFormat::Npz) => Target::Floats(FloatTarget::Npz),
        None if ending == "ckpt" => {
            return Err(Error::usage(format!("cannot convert into .ckpt: `{shown}`"))
                .because("a checkpoint holds the state of a training run, which the source does not have")
                .help("write `.pt` to train on from the weights"));
        }
        None => {
            return Err(Error::usage(format!("`{shown}` has no ending that says what to write"))
                .help("possible are `.nnue`, `.pt`, `.safetensors` and `.npz`; with `--out-sha` the target is a folder"));
        }
    };
    check_folder_of(target)?;
    Ok(format)
}
