//! Which pictures a page has, section by section, in which words.

use super::options::Args;
use super::subject::{Loaded, Zeros, name_of, network};
use crate::cli::inspect;
use crate::ctx::Ctx;
use crate::draw::scene::{grouped, short};
use crate::error::Result;
use crate::format::nnue::leb128_len;
use crate::net::{Block, BlockWeights, QuantizedNetwork};
use crate::show::{
    self, Activations, Body, Cell, Detail, Distribution, Inputs, Page, Section, Subject, SumRanges, Table, activations, bias_picture,
    dense_distributions, dense_pictures, histogram, input_distributions, input_pictures, norms_picture, overlaid, rounding,
    rounding_picture, sums_picture,
};

/// The page of one network, or of the difference of two.
pub(super) fn page(args: &Args, loaded: &Loaded, ctx: &Ctx) -> Result<Page> {
    let subject = Subject::new(&loaded.label, &loaded.network, loaded.reference.as_ref())?;
    let options = args.options();
    let mut sections = vec![summary("summary", "Summary", &args.files[0], &loaded.network, ctx)?];
    if let Some(reference) = &args.reference {
        sections.push(summary("reference", "Reference", reference, loaded.reference.as_ref().unwrap_or(&loaded.network), ctx)?);
    }
    let inputs = Inputs::of(&subject, &options);
    let mut detail = None;
    if !args.no_input_weights {
        let (mut weights, mut psqt) = (input_section(&inputs), Section::new("psqt", "PSQT"));
        for scene in input_pictures(&subject, &inputs, &options) {
            let section = if scene.name.starts_with("psqt") { &mut psqt } else { &mut weights };
            section.body.push(Body::Picture(scene));
        }
        weights = weights.picture(norms_picture(&subject, &inputs));
        sections.push(weights);
        if args.format == super::Format::Html {
            let made = Detail::of(&subject, &inputs, &options, args.neurons);
            sections.push(detail_section(&made, &inputs));
            detail = Some(made);
        }
        if !psqt.body.is_empty() {
            sections.push(
                psqt.text(
                    "What each piece on each square adds to the evaluation, in an engine's internal units. Every weight has its cell.",
                ),
            );
        }
    }
    let mut layers = Section::new("layers", "Dense layers");
    if !args.no_fc_weights {
        layers = layers.picture(dense_pictures(&subject, &inputs, &options));
    }
    if !args.no_biases {
        layers = layers.picture(bias_picture(&subject, &options));
    }
    if !layers.body.is_empty() {
        sections.push(layers);
    }
    if !args.no_hist {
        let mut all = Vec::new();
        if !args.no_input_weights {
            all.extend(input_distributions(&subject));
        }
        if !args.no_fc_weights {
            all.extend(dense_distributions(&subject));
        }
        let groups: Vec<Vec<Distribution>> = all.into_iter().map(|one| vec![one]).collect();
        if !groups.is_empty() {
            let words = "How many weights have which integer. Red lines: the limits of the type.";
            sections.push(histograms(words, &groups, std::slice::from_ref(&loaded.label)));
        }
    }
    sections.extend(loaded.seen.activations.as_ref().map(|zeros| zero_blocks(&loaded.label, zeros)).transpose()?);
    if let Some(bounds) = &loaded.bounds {
        let seen = loaded.seen.sums.as_ref().map(|(sums, positions)| (sums.as_slice(), *positions));
        let words = "What any legal position can make of each neuron's sum (a sound bound, not the tightest), beside the 16 bits that an engine adds in.";
        let picture = sums_picture(&subject, &SumRanges { possible: &bounds.neurons, seen });
        sections.push(Section::new("accumulators", "Accumulators").text(words).picture(picture));
    }
    if let Some(float) = &loaded.float {
        let errors = rounding(float, &loaded.network)?;
        let words = "Distance of the checkpoint's floats to the integers made of them, in steps of the integers. Rounding alone gives at most 0.5, and a root mean square of about 0.289.";
        let section = Section::new("quantization", "Quantization error").text(words).picture(rounding_picture(&subject, &errors));
        sections.push(section.table(error_table(&errors)));
    }
    let architecture = &loaded.network.architecture;
    let subtitle = format!(
        "{}, {}, L1={} L2={} L3={}, scales {}",
        architecture.generation.name,
        architecture.features.name(),
        architecture.l1,
        architecture.l2,
        architecture.l3,
        architecture.quantization.name
    );
    Ok(Page { title: loaded.label.clone(), subtitle, sections, detail })
}

fn input_section(inputs: &Inputs<'_>) -> Section {
    let has = |wanted: fn(&Block) -> bool| inputs.matrices.iter().any(|(matrix, _)| wanted(&matrix.block));
    let mut section = Section::new("input-weights", "Input weights");
    if has(|block| !matches!(block, Block::FullThreats(_) | Block::Pp3Wide)) {
        section = section.text(
            "A tile for each neuron, as the trainer's script arranges them: white pieces on the left, black ones on the right, pawns above, \
             kings below. Means where one pixel stands for several weights. A click on a tile shows the neuron below, weight by weight.",
        );
    }
    if has(|block| matches!(block, Block::FullThreats(_))) {
        section = section.text("Threats: who attacks (rows) whom (columns), white pieces first, mean over all squares.");
    }
    if has(|block| matches!(block, Block::Pp3Wide)) {
        section = section.text("Pawn pairs: for each pawn the mean over its pairs with pawns on the same and on adjacent files.");
    }
    section
}

fn detail_section(detail: &Detail, inputs: &Inputs<'_>) -> Section {
    let [shown, all] = detail.neurons;
    let which = if shown == all {
        "Every neuron, and every PSQT bucket, with every weight.".to_owned()
    } else {
        format!(
            "The {shown} neurons with the largest weights of {all}, and every PSQT bucket, with every weight. `--neurons N` puts more into the page."
        )
    };
    let mut section = Section::new("neurons", "Single neurons").text(which);
    if inputs.matrices.iter().any(|(matrix, _)| matches!(matrix.block, Block::FullThreats(_) | Block::Pp3Wide)) {
        section = section.text(
            "Threats and pawn pairs: a row for each attacker (or first pawn) and its square, a column for each victim (or second pawn). \
             Their squares are mirrored so that the own king is on files a to d.",
        );
    }
    section.body.push(Body::Detail);
    section
}

/// Histograms of groups of distributions, each group in one picture.
fn histograms(words: &str, groups: &[Vec<Distribution>], labels: &[String]) -> Section {
    let mut section = Section::new("histograms", "Histograms").text(words);
    for group in groups {
        if let (Some(linear), Some(log)) = (histogram(group, labels, false), histogram(group, labels, true)) {
            section.body.push(Body::Scales(linear, log));
        }
    }
    section
}

/// Which outputs are zero, in the network's order and in another one.
pub(super) fn zero_blocks(label: &str, zeros: &Zeros) -> Result<Section> {
    let Zeros { matrix, permutation, climb } = zeros;
    let of = Activations { matrix, permutation: Some(permutation), climb: climb.as_ref() };
    let words = "Engines skip blocks of four outputs that are all zero. A row is a position as one side sees it, a column a block of neurons in their \
                 order; the colour is the number of zero outputs.";
    let mut section = Section::new("zero-blocks", "Zero blocks").text(words);
    section.body.extend(activations(label, &of)?.into_iter().map(Body::Picture));
    Ok(section)
}

fn error_table(errors: &[show::TensorError]) -> Table {
    let heads = ["tensor", "values", "step", "root mean square", "largest", "clamped"];
    let row = |error: &show::TensorError| {
        vec![
            Cell::Code(error.name.clone()),
            Cell::Number(error.count as f64, grouped(error.count)),
            Cell::Number(error.step, short(error.step)),
            Cell::Number(error.rms, format!("{:.4}", error.rms)),
            Cell::Number(error.max, format!("{:.4}", error.max)),
            Cell::Number(error.clamped as f64, grouped(error.clamped)),
        ]
    };
    Table { heads: heads.map(str::to_owned).to_vec(), rows: errors.iter().map(row).collect(), sortable: true, folded: None }
}

/// What `inspect` tells of a file, and how large its wide tensors are with LEB128.
fn summary(id: &'static str, title: &str, path: &std::path::Path, network: &QuantizedNetwork, ctx: &Ctx) -> Result<Section> {
    let (facts, tensors) = inspect::tables(path, ctx)?;
    let mut section = Section::new(id, title).table(facts).table(tensors);
    section = section.text("Sizes of the transformer's tensors, raw and with LEB128, in bytes:");
    Ok(section.table(sizes(network)))
}

fn sizes(network: &QuantizedNetwork) -> Table {
    let mut rows = Vec::new();
    let mut row = |name: String, raw: usize, packed: usize| {
        let share = packed as f64 / raw.max(1) as f64;
        rows.push(vec![
            Cell::Code(name),
            Cell::Number(raw as f64, grouped(raw as u64)),
            Cell::Number(packed as f64, grouped(packed as u64)),
            Cell::Number(share, format!("{:.1} %", 100.0 * share)),
        ]);
    };
    row("ft.bias".to_owned(), 2 * network.ft_bias.len(), leb128_len(&network.ft_bias));
    for block in &network.blocks {
        let name = block.block.name();
        match &block.weights {
            // Never compressed in any file.
            BlockWeights::I8(weights) => row(format!("{name}.weight"), weights.len(), weights.len()),
            BlockWeights::I16(weights) => row(format!("{name}.weight"), 2 * weights.len(), leb128_len(weights)),
        }
        if !block.psqt.is_empty() {
            row(format!("{name}.psqt"), 4 * block.psqt.len(), leb128_len(&block.psqt));
        }
    }
    Table { heads: ["tensor", "raw", "LEB128", "share"].map(str::to_owned).to_vec(), rows, sortable: false, folded: None }
}

/// The page of several networks: their histograms over each other.
pub(super) fn overlay(args: &Args, ctx: &Ctx) -> Result<Page> {
    let mut networks = Vec::new();
    for path in &args.files {
        networks.push(network(path, args, ctx)?.0);
    }
    let labels: Vec<String> = args.files.iter().map(|path| name_of(path)).collect();
    let subjects = labels.iter().zip(&networks).map(|(label, network)| Subject::new(label, network, None)).collect::<Result<Vec<_>>>()?;
    let words = "The same tensors of all networks in the same bins. Tensors that not all of them have are left out.";
    let mut sections = vec![histograms(words, &overlaid(&subjects), &labels)];
    const IDS: [&str; 8] = ["net-1", "net-2", "net-3", "net-4", "net-5", "net-6", "net-7", "net-8"];
    for (((path, network), label), id) in args.files.iter().zip(&networks).zip(&labels).zip(IDS) {
        sections.push(summary(id, label, path, network, ctx)?);
    }
    let title = args.label.clone().unwrap_or_else(|| format!("{} networks", labels.len()));
    Ok(Page { title, subtitle: labels.join(", "), sections, detail: None })
}
