//! The network that is shown, and what is known of its outputs over positions.

use std::path::Path;

use super::options::Args;
use crate::cli::data::positions;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::evaluate::{Bounds, Range, bounds, largest_seen};
use crate::family::nnue::stages::gather::gather;
use crate::family::nnue::stages::load::{self, load_permutation};
use crate::family::nnue::stages::pipeline::{integers, note_assumed_scales};
use crate::files::Bytes;
use crate::net::{Coalesced, Network, Permutation, QuantizedNetwork};
use crate::permutation::{ActivationMatrix, read_matrix};
use crate::positions::{Filters, Selection, select};
use crate::show::Climb;
use crate::stage::Quantize;

/// Positions of which text is taken in order; more are sampled.
pub(super) struct Seen {
    /// Sums in some positions, and in how many.
    pub(super) sums: Option<(Vec<Range>, usize)>,
    /// Zero outputs, where the network has products.
    pub(super) activations: Option<Zeros>,
}

/// Zero outputs, and the order that is shown beside the network's own.
pub(super) struct Zeros {
    pub(super) matrix: ActivationMatrix,
    pub(super) permutation: Permutation,
    pub(super) climb: Option<Climb>,
}

/// Everything that is shown.
pub(super) struct Loaded {
    pub(super) label: String,
    pub(super) network: QuantizedNetwork,
    pub(super) reference: Option<QuantizedNetwork>,
    /// Where the source has floats.
    pub(super) float: Option<Network<Coalesced>>,
    pub(super) bounds: Option<Bounds>,
    pub(super) seen: Seen,
}

/// A network in integers, and the floats that they were made of where there are any.
pub(super) fn network(path: &Path, args: &Args, ctx: &Ctx) -> Result<(QuantizedNetwork, Option<Network<Coalesced>>)> {
    let params = args.source_is.load();
    let loaded = load::load(path, &params.expected).map_err(|error| crate::cli::described::with_hint(error, path))?;
    let float = match &loaded {
        load::Loaded::Float(network) => Some((**network).clone().coalesce()),
        load::Loaded::Quantized(_) => None,
    };
    let found = integers(loaded, path, &params, Quantize::default(), ctx)?;
    note_assumed_scales(&found.network, found.scales_are_known, "the values that integers stand for", ctx);
    Ok((found.network, float))
}

/// Its file name: what the trainer's script calls a network.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

impl Loaded {
    pub(super) fn of(args: &Args, ctx: &Ctx) -> Result<Self> {
        let path = &args.files[0];
        let (network, float) = network(path, args, ctx)?;
        let reference = args.reference.as_deref().map(|path| self::network(path, args, ctx)).transpose()?.map(|(network, _)| network);
        let label = args.label.clone().unwrap_or_else(|| match &args.reference {
            Some(reference) => format!("diff {} − {}", name_of(path), name_of(reference)),
            None => name_of(path),
        });
        // A difference computes nothing.
        let (bounds, seen) = if reference.is_some() {
            (None, Seen { sums: None, activations: None })
        } else {
            (Some(bounds(&network, ctx)?), Seen::of(&network, args, ctx)?)
        };
        Ok(Self { label, network, reference, float: float.filter(|_| args.reference.is_none()), bounds, seen })
    }
}

impl Seen {
    fn of(network: &QuantizedNetwork, args: &Args, ctx: &Ctx) -> Result<Self> {
        let is_pairwise = network.architecture.generation.wiring.pairwise;
        if let Some(path) = &args.activations {
            let matrix = read_matrix(&Bytes::map(path)?, Some(network.architecture.l1))
                .map_err(|error| error.context(format!("cannot use the activation matrix `{}`", path.display())))?;
            if !is_pairwise || matrix.half() != network.architecture.ft_outputs() {
                let half = network.architecture.ft_outputs();
                return Err(Error::usage(format!("the activation matrix `{}` is not of this network", path.display()))
                    .because(format!("it has {} outputs of each perspective, the network {half}", matrix.half()))
                    .help("`nnue perm gather` writes the matrix of a network"));
            }
            return Ok(Self { sums: None, activations: Some(Zeros::of(matrix, None, args, ctx)?) });
        }
        if args.data.is_empty() {
            return Ok(Self { sums: None, activations: None });
        }
        let chosen = positions(&args.data, Some(args.count), args.seed, Filters::default(), ctx)?.positions;
        let sums = Some((largest_seen(network, &chosen, ctx)?, chosen.len()));
        if !is_pairwise {
            return Ok(Self { sums, activations: None });
        }
        // Up to as many others, on which the search is judged.
        let selection = Selection { count: Some(args.count), held_out: args.count, seed: args.seed, filters: Filters::default() };
        let others = select(&args.data, &selection, ctx).map(|sampled| sampled.held_out).unwrap_or_default();
        let held_out = if others.is_empty() { None } else { Some(gather(network, &others, None, ctx)?) };
        let matrix = gather(network, &chosen, None, ctx)?;
        Ok(Self { sums, activations: Some(Zeros::of(matrix, held_out.as_ref(), args, ctx)?) })
    }
}

impl Zeros {
    /// With the order that was given, or the one that the greedy search finds.
    pub(super) fn of(matrix: ActivationMatrix, held_out: Option<&ActivationMatrix>, args: &Args, ctx: &Ctx) -> Result<Self> {
        if let Some(path) = &args.perm {
            return Ok(Self { matrix, permutation: load_permutation(path)?, climb: None });
        }
        let (found, climb) = Climb::of(&matrix, held_out, ctx)?;
        Ok(Self { matrix, permutation: found.permutation, climb: Some(climb) })
    }
}
