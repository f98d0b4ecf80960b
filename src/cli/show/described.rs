//! The page of a network that an architecture file describes.

use super::options::Args;
use super::subject::{Zeros, name_of};
use super::views::zero_blocks;
use crate::cli::data::positions;
use crate::cli::inspect;
use crate::cli::network::ArchitectureName;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::family::described::{Architecture, Wanted, foreign};
use crate::files::Bytes;
use crate::permutation::read_matrix;
use crate::positions::Filters;
use crate::show::Page;

/// The page, where an architecture file was named, or the network is of one that ships.
///
/// # Errors
/// When the file is not of the architecture, or something was asked for that is not known of it.
pub(super) fn page(args: &Args, ctx: &Ctx) -> Result<Option<Page>> {
    let path = &args.files[0];
    let bytes = Bytes::map(path)?;
    let (name, sets) = match &args.source_is.architecture {
        Some(ArchitectureName::Described(name)) => (name.clone(), args.layouts.set.clone()),
        Some(ArchitectureName::Generation(_)) => return args.layouts.refuse(None, false).map(|()| None),
        None => match foreign::recognize(&bytes) {
            Some(found) => (found.architecture.to_owned(), found.sets),
            None => return args.layouts.refuse(None, false).map(|()| None),
        },
    };
    args.refuse_for_described(&name)?;
    let architecture = Architecture::load(&name, &sets)?;
    let about = |error: Error| error.context(format!("cannot show `{}`", path.display()));
    let net = architecture.open(&bytes, args.layouts.from.as_deref()).map_err(about)?;
    let label = args.label.clone().unwrap_or_else(|| name_of(path));
    let mut sections = vec![inspect::summary_of_described(path, &bytes, &architecture, net.summary(), ctx)?];
    let options = args.options();
    let wanted = Wanted {
        inputs: !args.no_input_weights,
        others: !args.no_fc_weights,
        histograms: !args.no_hist,
        neurons: args.neurons,
        input_limits: options.input,
        other_limits: options.dense,
    };
    sections.extend(net.sections(&label, &wanted, ctx).map_err(about)?);
    let matrix = match &args.activations {
        Some(path) => {
            let named = |error: Error| error.context(format!("cannot use the activation matrix `{}`", path.display()));
            Some(read_matrix(&Bytes::map(path)?, None).map_err(named)?)
        }
        None if args.data.is_empty() => None,
        None => {
            let chosen = positions(&args.data, Some(args.count), args.seed, Filters::default(), ctx)?.positions;
            Some(net.activations(&chosen, ctx).map_err(about)?)
        }
    };
    if let Some(matrix) = matrix {
        sections.push(zero_blocks(&label, &Zeros::of(matrix, None, args, ctx)?)?);
    }
    Ok(Some(Page { title: label, subtitle: format!("{}: {}", architecture.name(), architecture.description()), sections, detail: None }))
}

impl Args {
    /// Refuses what has no meaning for a network that is described.
    fn refuse_for_described(&self, name: &str) -> Result<()> {
        let given = [
            ("a second file", self.files.len() > 1),
            ("`--ref`", self.reference.is_some()),
            ("`--no-biases`", self.no_biases),
            ("`--input-weights-order`", self.input_weights_order != crate::words::NeuronOrder::default()),
            ("`--neurons 0`", self.neurons == Some(0)),
        ];
        let Some((what, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
        let help = match what {
            "a second file" | "`--ref`" => format!("`nnue diff A B --architecture {name}` compares two networks"),
            _ => "leave it out".to_owned(),
        };
        Err(Error::usage(format!("{what} cannot be shown of a network of the described architecture `{name}`"))
            .because("an architecture file says which rows the inputs have, and not what the other tensors are")
            .help(help))
    }
}
