//! State dicts: names and shapes of a trainer's tensors → a network, and back.
//!
//! Checkpoints record neither the feature set nor the sizes nor the scales. All but the scales follow from names and shapes; what does
//! not is settled by attributes of a pickled module, then by the user, and is an error that lists the choices otherwise.
//!
//! Key layouts, in the order in which the trainer used them (see `docs/formats-checkpoints.md`):
//!
//! | layout | tensors |
//! | --- | --- |
//! | flat (2020 to May 2021) | `input`, `l1`, `l2`, `output`; one stack, no PSQT |
//! | stacked (to September 2025) | `input`, `layer_stacks.{l1, l1_fact, l2, output}` |
//! | linear (to February 2026) | `layer_stacks.l1.{linear, factorized_linear}`, `.l2.linear`, `.output.linear` |
//! | virtual (to March 2026) | as linear, with `input.virtual_weight` |
//! | composed (since) | `input.features.N.{weight, virtual_weight}`, dense layers as linear |
//!
//! # Limitations
//! The factor of 1/20 that HalfKP^ had for two weeks of November and December 2020 cannot be told from the tensors and is not applied.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::nnue::{DEFAULT_DESCRIPTION, Expectation};
use crate::error::{Error, Result};
use crate::net::{
    Architecture, Block, FT127, FT255, FT256, Factorized, FeatureSet, FloatBlock, FloatDense, GENERATIONS, Generation, Layout, Names,
    Network, Owned, Quantization, RowRecipe, Tensor, ThreatTable, Wiring, read_all,
};

/// What a source says besides its tensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    /// The feature set of a pickled module.
    pub features: Option<String>,
    /// The L1 of a pickled module.
    pub l1: Option<usize>,
    /// What 1.0 is in the quantized transformer, from a pickled module's quantization object.
    pub ft_one: Option<f64>,
    /// The version of Lightning that wrote the checkpoint.
    pub lightning: Option<String>,
    /// A description stored by this tool.
    pub description: Option<Vec<u8>>,
    /// A generation stored by this tool.
    pub architecture: Option<String>,
    /// Scales stored by this tool.
    pub quantization: Option<String>,
    /// The feature set's hash stored by this tool, where it is not the one that follows from the set.
    pub features_hash: Option<u32>,
    /// It has a tensor that the trainer writes into checkpoints since May 2026.
    pub has_jitter_buffer: bool,
    /// Its optimizer lies among the weights, where the trainer puts it since it trains without Lightning, July 2026.
    pub has_optimizer_inside: bool,
}

impl Hints {
    /// What the file tells of the time at which it was written, as parts of a sentence. None of it decides anything by itself: an old
    /// trainer can have been run with new libraries.
    pub fn signs(&self) -> Vec<String> {
        let lightning = self.lightning.as_ref().map(|version| format!("it was written with Lightning {}", version.escape_debug()));
        let jitter = self.has_jitter_buffer.then(|| "it has `jitter_buffer_value`, as checkpoints since May 2026 have".to_owned());
        let inside = "its optimizer lies among the weights, as the trainer without Lightning writes it since July 2026";
        lightning.into_iter().chain(jitter).chain(self.has_optimizer_inside.then(|| inside.to_owned())).collect()
    }
}

/// A source's tensors by name, in its order. Cloning copies names and pointers.
#[derive(Clone)]
pub struct StateDict {
    /// Names as stored, with their tensors.
    pub tensors: Vec<(String, Arc<dyn Tensor>)>,
    /// What else the source says.
    pub hints: Hints,
}

/// Whether the trainer had these scales while it used these names.
fn allows(keys: Names, quantization: &Quantization) -> bool {
    match keys {
        Names::Flat | Names::Stacked => *quantization == FT127,
        Names::Linear => *quantization == FT127 || *quantization == FT255,
        Names::Virtual => *quantization == FT255,
        Names::Composed => *quantization == FT255 || *quantization == FT256,
    }
}

/// A block as the trainer names it: before March 2026 `Full_Threats` is threats and piece squares in one.
struct TrainerBlock {
    name: &'static str,
    blocks: &'static [Block],
    virtual_rows: usize,
}

/// The blocks of the trainer before March 2026; those of equal name differ in their number of threats.
const TRAINER_BLOCKS: [TrainerBlock; 7] = [
    TrainerBlock { name: "HalfKP", blocks: &[Block::HalfKp], virtual_rows: 64 + 640 },
    TrainerBlock { name: "HalfKA", blocks: &[Block::HalfKa], virtual_rows: 768 },
    TrainerBlock { name: "HalfKAv2", blocks: &[Block::HalfKaV2], virtual_rows: 768 },
    TrainerBlock { name: "HalfKAv2_hm", blocks: &[Block::HalfKaV2Hm], virtual_rows: 768 },
    TrainerBlock { name: "Full_Threats", blocks: &[Block::FullThreats(ThreatTable::T79856), Block::HalfKaV2Hm], virtual_rows: 768 },
    TrainerBlock { name: "Full_Threats", blocks: &[Block::FullThreats(ThreatTable::T66864), Block::HalfKaV2Hm], virtual_rows: 768 },
    TrainerBlock { name: "Full_Threats", blocks: &[Block::FullThreats(ThreatTable::T60144), Block::HalfKaV2Hm], virtual_rows: 768 },
];

/// Rows of `HalfKAv2_hm` with twelve planes.
const TWELVE_PLANE_ROWS: usize = 32 * 12 * 64;
/// Virtual rows of `HalfKAv2_hm^`.
const VIRTUAL_ROWS: usize = 12 * 64;

/// Tensors by canonical name, each taken once: what is left over is unknown.
struct Tensors {
    by_name: BTreeMap<String, Arc<dyn Tensor>>,
    /// The names began with `model.`.
    prefixed: bool,
}

impl Tensors {
    fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.by_name.get(name).map(|tensor| tensor.shape())
    }

    fn take(&mut self, name: &str) -> Result<Arc<dyn Tensor>> {
        self.by_name.remove(name).ok_or_else(|| {
            let known: Vec<&str> = self.by_name.keys().map(String::as_str).take(12).collect();
            Error::new(format!("the tensor `{name}` is missing")).because(format!("there are {}", known.join(", ")))
        })
    }

    /// A matrix, with its shape.
    fn take_matrix(&mut self, name: &str) -> Result<(Arc<dyn Tensor>, usize, usize)> {
        let tensor = self.take(name)?;
        match *tensor.shape() {
            [rows, columns] if rows > 0 && columns > 0 => Ok((tensor, rows, columns)),
            ref other => Err(Error::new(format!("the tensor `{name}` has the shape {other:?}, a matrix was expected"))),
        }
    }

    fn take_vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>> {
        let tensor = self.take(name)?;
        expect_shape(name, tensor.shape(), &[length])?;
        read_all(&*tensor)
    }

    /// Weights and bias of a dense layer.
    fn take_dense(&mut self, prefix: &str, rows: usize, columns: usize) -> Result<FloatDense> {
        let name = format!("{prefix}.weight");
        let tensor = self.take(&name)?;
        expect_shape(&name, tensor.shape(), &[rows, columns])?;
        Ok(FloatDense { weights: read_all(&*tensor)?, bias: self.take_vector(&format!("{prefix}.bias"), rows)? })
    }
}

fn expect_shape(name: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::new(format!("the tensor `{name}` has the shape {found:?}, {expected:?} was expected"))
        .because("the sizes of the other tensors demand it: the tensors are not of one network"))
}

/// Strips what containers and compilers put before a name. Names of the newer layouts begin with `model.`, and what does not is not a weight.
fn canonical(tensors: Vec<(String, Arc<dyn Tensor>)>) -> Result<Tensors> {
    // Compiled and distributed modules stand around the whole or around any part of it.
    const WRAPPERS: [&str; 4] = ["module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module"];
    let strip = |name: &str| {
        let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
        let models = parts.iter().take_while(|part| **part == "model").count().min(parts.len().saturating_sub(1));
        (parts[models..].join("."), models > 0)
    };
    let stripped: Vec<((String, bool), Arc<dyn Tensor>)> = tensors.into_iter().map(|(name, tensor)| (strip(&name), tensor)).collect();
    let only_model = stripped.iter().any(|((_, in_model), _)| *in_model);
    let mut by_name = BTreeMap::new();
    for ((name, in_model), tensor) in stripped {
        if only_model && !in_model {
            continue;
        }
        if by_name.insert(name.clone(), tensor).is_some() {
            return Err(Error::new(format!("two tensors are called `{name}` once their prefixes are removed")));
        }
    }
    Ok(Tensors { by_name, prefixed: only_model })
}

/// A feature set with the recipes of its rows.
struct Features {
    set: FeatureSet,
    /// The trainer's name, `^` included.
    name: String,
    blocks: Vec<FloatBlock>,
}

/// Makes a network of a state dict.
///
/// # Errors
/// When tensors are missing, unknown or of shapes that belong to no network; when the user's values or the source's attributes
/// disagree with the shapes; when more than one reading remains and they give different bytes.
pub fn network(state: StateDict, expected: &Expectation) -> Result<Network<Factorized>> {
    let hints = state.hints;
    let mut tensors = canonical(state.tensors)?;
    let keys = if tensors.has("l1.weight") {
        Names::Flat
    } else if tensors.has("input.features.0.weight") {
        Names::Composed
    } else if tensors.has("input.virtual_weight") {
        Names::Virtual
    } else if tensors.has("layer_stacks.l1.linear.weight") {
        Names::Linear
    } else if tensors.has("layer_stacks.l1.weight") {
        Names::Stacked
    } else {
        let names: Vec<&str> = tensors.by_name.keys().map(String::as_str).take(8).collect();
        let found = if names.is_empty() { "there are no tensors at all".to_owned() } else { format!("there are {}", names.join(", ")) };
        return Err(Error::new("the tensors are not those of an NNUE network").because(found).help("give a checkpoint of nnue-pytorch"));
    };
    // Until April 2021 the transformer's matrix lay on its other side.
    let is_oldest = keys == Names::Flat
        && matches!((tensors.shape("input.weight"), tensors.shape("input.bias")), (Some(&[rows, _]), Some(&[length])) if rows == length);
    let dense = Dense::take(&mut tensors, keys)?;
    let psqt = if keys == Names::Flat { 0 } else { 8 };
    let (features, ft_bias) = take_features(&mut tensors, keys, dense.first_inputs, psqt, &hints, expected)?;
    if let Some(name) = tensors.by_name.keys().next() {
        return Err(Error::new(format!("the tensor `{name}` is unknown"))
            .because("no generation of the trainer has it, so leaving it out might change the network"));
    }
    let l1 = ft_bias.len() - psqt;
    let (wiring, l2, l3) = dense.wiring(l1)?;
    let architecture = settle(keys, wiring, &features, (l1, l2, l3), &hints, expected)?;
    let trained = (architecture.generation.l1, architecture.generation.l2, architecture.generation.l3);
    if is_oldest && (l1, l2, l3) != trained && expected.architecture.is_none() {
        return Err(Error::new(format!("which file belongs to this checkpoint of 2020 or early 2021 is open: L1={l1}, L2={l2}, L3={l3}"))
            .because("the trainer before 13 February 2021 wrote unpadded rows and a fixed hash, which no engine reads at sizes other than 256-32-32")
            .help("name the layout of the trainer after that day: `architecture = \"SFNNv1\"`, or `--architecture SFNNv1`"));
    }
    if dense.stacks != architecture.generation.stacks {
        let (found, known) = (dense.stacks, architecture.generation.stacks);
        return Err(Error::new(format!("the network has {found} layer stacks, {} has {known}", architecture.generation.name)));
    }
    let description = match &hints.description {
        Some(description) => description.clone(),
        None => default_description(keys, &architecture, &hints).into(),
    };
    let (layers, l1_factor) = (dense.layers, dense.l1_factor);
    let mut ft_bias = ft_bias;
    let psqt_bias = ft_bias.split_off(l1);
    let layout = Layout { names: keys, prefixed: tensors.prefixed };
    let blocks = features.blocks;
    Ok(Network { architecture, description, ft_bias, blocks, layers, l1_factor, psqt_bias, layout, state: PhantomData })
}

/// A tensor under the name that the trainer gives it.
pub struct NamedTensor<'a> {
    /// Name in a state dict.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The values, in row-major order.
    pub values: Values<'a>,
}

/// Where the values of a tensor are.
pub enum Values<'a> {
    /// In memory.
    Floats(Cow<'a, [f32]>),
    /// To be read piece by piece.
    Tensor(Arc<dyn Tensor>),
}

/// The tensors of `network` under the names and in the shapes of its trainer, in the trainer's order: the inverse of [`network`].
///
/// The transformer of the oldest layout, which until April 2021 had a column a feature, has a row a feature here, as it had later.
///
/// # Errors
/// When the network's rows are not those of one tensor where the layout has only one.
pub fn tensors<'a>(network: &'a Network<Factorized>) -> Result<Vec<NamedTensor<'a>>> {
    let Layout { names, prefixed } = network.layout;
    let prefix = if prefixed { "model." } else { "" };
    let mut tensors = Vec::new();
    let mut add = |name: &str, shape: &[usize], values: Values<'a>| {
        tensors.push(NamedTensor { name: format!("{prefix}{name}"), shape: shape.to_vec(), values });
    };
    let rows_of = |tensor: &Arc<dyn Tensor>| (tensor.shape().to_vec(), Values::<'a>::Tensor(tensor.clone()));
    let bias = [network.ft_bias.as_slice(), &network.psqt_bias].concat();
    if names == Names::Composed {
        add("input.bias", &[bias.len()], Values::Floats(bias.into()));
        for (index, block) in network.blocks.iter().enumerate() {
            let (shape, values) = rows_of(block.recipe.tensor());
            add(&format!("input.features.{index}.weight"), &shape, values);
            if let RowRecipe::TwelvePlanes { virtual_rows: Some(virtual_rows), .. } = &block.recipe {
                let (shape, values) = rows_of(virtual_rows);
                add(&format!("input.features.{index}.virtual_weight"), &shape, values);
            }
        }
    } else {
        let whole = network.blocks.first().map(|block| block.recipe.tensor());
        let whole = whole.filter(|whole| network.blocks.iter().all(|block| Arc::ptr_eq(block.recipe.tensor(), whole)));
        let (shape, values) = rows_of(whole.ok_or_else(|| Error::new("the feature transformer is not one tensor, as its names demand"))?);
        add("input.weight", &shape, values);
        add("input.bias", &[bias.len()], Values::Floats(bias.into()));
        for block in &network.blocks {
            if let RowRecipe::TwelvePlanes { virtual_rows: Some(virtual_rows), .. } = &block.recipe {
                let (shape, values) = rows_of(virtual_rows);
                add("input.virtual_weight", &shape, values);
            }
        }
    }
    let layers = layer_names(names);
    for (index, layer) in network.layers.iter().enumerate() {
        let parts = [(layers[index], Some(layer)), (factor_name(names), network.l1_factor.as_ref().filter(|_| index == 0))];
        for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part?))) {
            let weights: &[f32] = &part.weights;
            let inputs = match network.architecture.dense_shapes().get(index) {
                Some((_, inputs)) if *inputs > 0 => *inputs,
                _ => return Err(Error::new(format!("the layer `{name}` has no inputs"))),
            };
            add(&format!("{name}.weight"), &[weights.len() / inputs, inputs], Values::Floats(weights.into()));
            if !part.bias.is_empty() {
                add(&format!("{name}.bias"), &[part.bias.len()], Values::Floats(part.bias.as_slice().into()));
            }
        }
    }
    Ok(tensors)
}

/// What the names of the dense layers begin with.
fn layer_names(names: Names) -> [&'static str; 3] {
    match names {
        Names::Flat => ["l1", "l2", "output"],
        Names::Stacked => ["layer_stacks.l1", "layer_stacks.l2", "layer_stacks.output"],
        _ => ["layer_stacks.l1.linear", "layer_stacks.l2.linear", "layer_stacks.output.linear"],
    }
}

/// What the names of the first layer's shared part begin with.
fn factor_name(names: Names) -> &'static str {
    if names == Names::Stacked { "layer_stacks.l1_fact" } else { "layer_stacks.l1.factorized_linear" }
}

/// The dense layers of all stacks, and the sizes that their shapes tell.
struct Dense {
    layers: [FloatDense; 3],
    l1_factor: Option<FloatDense>,
    stacks: usize,
    first_inputs: usize,
    first_outputs: usize,
    second_inputs: usize,
    second_outputs: usize,
    output_inputs: usize,
}

impl Dense {
    fn take(tensors: &mut Tensors, keys: Names) -> Result<Self> {
        let names = layer_names(keys);
        let shape = |tensors: &Tensors, name: &str| match tensors.by_name.get(&format!("{name}.weight")).map(|tensor| tensor.shape()) {
            Some(&[rows, columns]) if rows > 0 && columns > 0 => Ok((rows, columns)),
            Some(other) => Err(Error::new(format!("the tensor `{name}.weight` has the shape {other:?}, a matrix was expected"))),
            None => Err(Error::new(format!("the tensor `{name}.weight` is missing"))),
        };
        let [first, second, output] = [shape(tensors, names[0])?, shape(tensors, names[1])?, shape(tensors, names[2])?];
        let stacks = output.0;
        for (name, (rows, _)) in names.iter().zip([first, second]) {
            if !rows.is_multiple_of(stacks) {
                return Err(Error::new(format!("the tensor `{name}.weight` has {rows} rows, no multiple of the {stacks} layer stacks")));
            }
        }
        let layers = [
            tensors.take_dense(names[0], first.0, first.1)?,
            tensors.take_dense(names[1], second.0, second.1)?,
            tensors.take_dense(names[2], output.0, output.1)?,
        ];
        let first_outputs = first.0 / stacks;
        let factor = factor_name(keys);
        let l1_factor = if keys == Names::Flat {
            None
        } else {
            let name = format!("{factor}.weight");
            let tensor = tensors.take(&name)?;
            expect_shape(&name, tensor.shape(), &[first_outputs, first.1])?;
            let bias_name = format!("{factor}.bias");
            let bias = if tensors.has(&bias_name) { tensors.take_vector(&bias_name, first_outputs)? } else { Vec::new() };
            Some(FloatDense { weights: read_all(&*tensor)?, bias })
        };
        Ok(Self {
            layers,
            l1_factor,
            stacks,
            first_inputs: first.1,
            first_outputs,
            second_inputs: second.1,
            second_outputs: second.0 / stacks,
            output_inputs: output.1,
        })
    }

    /// The wiring whose shapes these are, with L2 and L3.
    fn wiring(&self, l1: usize) -> Result<(Wiring, usize, usize)> {
        let l3 = self.second_outputs;
        for generation in &GENERATIONS {
            let wiring = generation.wiring;
            let Some(l2) = self.first_outputs.checked_sub(wiring.skip_rows).filter(|l2| *l2 > 0) else { continue };
            let found = [(self.first_outputs, self.first_inputs), (l3, self.second_inputs), (1, self.output_inputs)];
            if wiring.dense_shapes(l1, l2, l3) == found && generation.stacks == self.stacks {
                return Ok((wiring, l2, l3));
            }
        }
        Err(Error::new("the dense layers are not wired like those of any generation").because(format!(
            "{} stacks of {} → {}, {} → {} and {} → 1 behind L1={l1}",
            self.stacks, self.first_inputs, self.first_outputs, self.second_inputs, l3, self.output_inputs
        )))
    }
}

/// A tensor `[columns][rows]` turned round, for the oldest layout.
fn transposed(tensor: &dyn Tensor, columns: usize, rows: usize) -> Result<Arc<dyn Tensor>> {
    let values = read_all(tensor)?;
    let mut turned = vec![0.0f32; values.len()];
    // By bands of rows, so that what is written stays in the cache.
    const BAND: usize = 64;
    for band in (0..rows).step_by(BAND) {
        for column in 0..columns {
            for row in band..(band + BAND).min(rows) {
                turned[row * columns + column] = values[column * rows + row];
            }
        }
    }
    Ok(Arc::new(Owned::new(vec![rows, columns], turned)))
}

/// Finds out the feature set, and takes the transformer's tensors.
fn take_features(
    tensors: &mut Tensors,
    keys: Names,
    first_inputs: usize,
    psqt: usize,
    hints: &Hints,
    expected: &Expectation,
) -> Result<(Features, Vec<f32>)> {
    let bias = tensors.take("input.bias")?;
    let &[columns] = bias.shape() else {
        return Err(Error::new(format!("the tensor `input.bias` has the shape {:?}, a vector was expected", bias.shape())));
    };
    let l1 = columns.checked_sub(psqt).filter(|l1| *l1 >= 2 && l1.is_multiple_of(2)).ok_or_else(|| {
        Error::new(format!("the tensor `input.bias` has {columns} values"))
            .because(format!("L1 (even) and {psqt} PSQT buckets were expected"))
    })?;
    if first_inputs != l1 && first_inputs != 2 * l1 {
        return Err(Error::new(format!("the first dense layer has {first_inputs} inputs, but L1 is {l1}")));
    }
    let features = if keys == Names::Composed {
        composed_features(tensors, columns)?
    } else {
        let (tensor, rows, width) = tensors.take_matrix("input.weight")?;
        let (tensor, rows) = if keys == Names::Flat && rows == columns && width > columns {
            (transposed(&*tensor, rows, width)?, width)
        } else {
            expect_shape("input.weight", tensor.shape(), &[rows, columns])?;
            (tensor, rows)
        };
        if keys == Names::Virtual {
            let name = "input.virtual_weight";
            let virtual_rows = tensors.take(name)?;
            expect_shape(name, virtual_rows.shape(), &[VIRTUAL_ROWS, columns])?;
            twelve_plane_features(tensor, rows, virtual_rows, columns)?
        } else {
            let wanted = expected.features.as_deref().or(hints.features.as_deref());
            joined_features(tensor, rows, columns, wanted)?
        }
    };
    Ok((features, read_all(&*bias)?))
}

/// One tensor for all rows, virtual ones behind the real ones of each block.
fn joined_features(tensor: Arc<dyn Tensor>, rows: usize, columns: usize, wanted: Option<&str>) -> Result<Features> {
    let total = |choice: &[(usize, bool)]| -> usize {
        choice
            .iter()
            .map(|&(index, factorized)| {
                let block = &TRAINER_BLOCKS[index];
                block.blocks.iter().map(|block| block.rows()).sum::<usize>() + if factorized { block.virtual_rows } else { 0 }
            })
            .sum()
    };
    // A set of several blocks cannot be told from its size: its name must be given.
    let named = match wanted {
        Some(name) if name.contains('+') => {
            let mut choices: Vec<Vec<(usize, bool)>> = vec![Vec::new()];
            for part in name.split('+') {
                let (bare, factorized) = part.strip_suffix('^').map_or((part, false), |bare| (bare, true));
                let matching: Vec<usize> = (0..TRAINER_BLOCKS.len()).filter(|&index| TRAINER_BLOCKS[index].name == bare).collect();
                choices = choices
                    .iter()
                    .flat_map(|choice| matching.iter().map(|&index| [choice.as_slice(), &[(index, factorized)]].concat()))
                    .collect();
            }
            choices.into_iter().find(|choice| total(choice) == rows)
        }
        _ => None,
    };
    let choice = named.or_else(|| {
        let singles = (0..TRAINER_BLOCKS.len()).flat_map(|index| [(index, false), (index, true)]);
        singles.map(|single| vec![single]).find(|choice| total(choice) == rows)
    });
    let Some(choice) = choice else {
        return Err(Error::new(format!("the feature transformer has {rows} rows, which no single feature block has"))
            .help("if the set has several blocks, name it: `features = \"HalfKP+HalfKA^\"`"));
    };
    let mut names = Vec::new();
    let mut blocks = Vec::new();
    let mut first = 0;
    for &(index, factorized) in &choice {
        let block = &TRAINER_BLOCKS[index];
        names.push(format!("{}{}", block.name, if factorized { "^" } else { "" }));
        let real: usize = block.blocks.iter().map(|block| block.rows()).sum();
        let virtual_first = first + real;
        for &part in block.blocks {
            let tensor = tensor.clone();
            let recipe =
                if factorized { RowRecipe::Factorized { tensor, first, virtual_first } } else { RowRecipe::Plain { tensor, first } };
            blocks.push(FloatBlock { block: part, recipe, columns });
            first += part.rows();
        }
        first = virtual_first + if factorized { block.virtual_rows } else { 0 };
    }
    let set = FeatureSet::of_blocks(&blocks.iter().map(|block| block.block).collect::<Vec<_>>(), false)?;
    Ok(Features { set, name: names.join("+"), blocks })
}

/// The layout of two weeks in early 2026: twelve planes, virtual rows apart, `Full_Threats^` still one block.
fn twelve_plane_features(tensor: Arc<dyn Tensor>, rows: usize, virtual_rows: Arc<dyn Tensor>, columns: usize) -> Result<Features> {
    let threats = rows.checked_sub(TWELVE_PLANE_ROWS).and_then(|threats| match threats {
        0 => Some(None),
        _ => ThreatTable::ALL.into_iter().find(|table| table.rows() == threats).map(Some),
    });
    let Some(threats) = threats else {
        return Err(Error::new(format!("the feature transformer has {rows} rows beside virtual ones, which no feature set has")));
    };
    let first = threats.map_or(0, ThreatTable::rows);
    let mut blocks = Vec::new();
    if let Some(table) = threats {
        let recipe = RowRecipe::Plain { tensor: tensor.clone(), first: 0 };
        blocks.push(FloatBlock { block: Block::FullThreats(table), recipe, columns });
    }
    let recipe = RowRecipe::TwelvePlanes { tensor, first, virtual_rows: Some(virtual_rows) };
    blocks.push(FloatBlock { block: Block::HalfKaV2Hm, recipe, columns });
    let set = FeatureSet::of_blocks(&blocks.iter().map(|block| block.block).collect::<Vec<_>>(), false)?;
    let name = format!("{}^", if threats.is_some() { "Full_Threats" } else { "HalfKAv2_hm" });
    Ok(Features { set, name, blocks })
}

/// One tensor a block, in the set's order.
fn composed_features(tensors: &mut Tensors, columns: usize) -> Result<Features> {
    let mut blocks = Vec::new();
    let mut names = Vec::new();
    for index in 0.. {
        let name = format!("input.features.{index}.weight");
        if !tensors.has(&name) {
            break;
        }
        let (tensor, rows, width) = tensors.take_matrix(&name)?;
        expect_shape(&name, &[rows, width], &[rows, columns])?;
        let virtual_name = format!("input.features.{index}.virtual_weight");
        let virtual_rows = if tensors.has(&virtual_name) {
            let virtual_rows = tensors.take(&virtual_name)?;
            expect_shape(&virtual_name, virtual_rows.shape(), &[VIRTUAL_ROWS, columns])?;
            Some(virtual_rows)
        } else {
            None
        };
        let threats = ThreatTable::ALL.into_iter().find(|table| table.rows() == rows);
        let (block, recipe) = match (threats, virtual_rows) {
            (None, virtual_rows) if rows == TWELVE_PLANE_ROWS => {
                names.push(if virtual_rows.is_some() { "HalfKAv2_hm^" } else { "HalfKAv2_hm" });
                (Block::HalfKaV2Hm, RowRecipe::TwelvePlanes { tensor, first: 0, virtual_rows })
            }
            (Some(table), None) => {
                names.push("Full_Threats");
                (Block::FullThreats(table), RowRecipe::Plain { tensor, first: 0 })
            }
            (None, None) if rows == Block::Pp3Wide.rows() => {
                names.push("PP_3Wide");
                (Block::Pp3Wide, RowRecipe::Plain { tensor, first: 0 })
            }
            _ => return Err(Error::new(format!("the tensor `{name}` has {rows} rows, which no feature block has"))),
        };
        blocks.push(FloatBlock { block, recipe, columns });
    }
    let list: Vec<Block> = blocks.iter().map(|block| block.block).collect();
    // A single block hashes the same either way; as an old-style set it also stands in the older kinds of file.
    let composed = list.len() > 1 || list != [Block::HalfKaV2Hm];
    Ok(Features { set: FeatureSet::of_blocks(&list, composed)?, name: names.join("+"), blocks })
}

/// The one architecture that is left, or the choices.
fn settle(
    keys: Names,
    wiring: Wiring,
    features: &Features,
    (l1, l2, l3): (usize, usize, usize),
    hints: &Hints,
    expected: &Expectation,
) -> Result<Architecture> {
    let sizes = format!("features `{}`, L1={l1}, L2={l2}, L3={l3}", features.name);
    let mismatch = |key: &'static str, found: String, wanted: String| {
        let what = if key.starts_with('l') { key.to_uppercase() } else { key.to_owned() };
        Error::new(format!("{what}={found} in the file, {wanted} expected"))
            .because(format!("its tensors are those of {sizes}"))
            .help(format!("correct or remove `{key}`, or give the file that was meant"))
            .about(key)
    };
    for wanted in [&expected.features, &hints.features].into_iter().flatten() {
        if *wanted != features.name {
            return Err(mismatch("features", format!("`{}`", features.name), format!("`{wanted}`")));
        }
    }
    for (what, wanted, found) in [("l1", expected.l1, l1), ("l1", hints.l1, l1), ("l2", expected.l2, l2), ("l3", expected.l3, l3)] {
        if let Some(wanted) = wanted
            && wanted != found
        {
            return Err(mismatch(what, found.to_string(), wanted.to_string()));
        }
    }
    let mut choices: Vec<(&'static Generation, &'static Quantization)> = GENERATIONS
        .iter()
        .filter(|generation| generation.wiring == wiring && generation.stores(&features.set))
        .filter(|generation| (generation.psqt_buckets > 0) == (keys != Names::Flat))
        // No net was ever trained for this word: it was a mistake of one week. Only a file that was made from such a net has it.
        .filter(|generation| generation.name != "T0" || hints.architecture.as_deref() == Some("T0"))
        .flat_map(|generation| generation.quantizations.iter().map(move |quantization| (generation, *quantization)))
        .filter(|(_, quantization)| allows(keys, quantization))
        .collect();
    let untrained = |generation: &Generation| {
        usize::from(generation.blocks != features.set.blocks) * 8
            + usize::from(generation.l1 != l1) * 4
            + usize::from(generation.l2 != l2) * 2
            + usize::from(generation.l3 != l3)
    };
    choices.sort_by_key(|(generation, _)| untrained(generation));
    if choices.is_empty() {
        return Err(Error::new("no generation of networks has these tensors").because(sizes));
    }
    let all = choices.clone();
    let list = |choices: &[(&'static Generation, &'static Quantization)]| {
        let texts: Vec<String> = choices.iter().map(|(g, q)| format!("architecture `{}` with quantization `{}`", g.name, q.name)).collect();
        texts.join(", or ")
    };
    for (what, wanted, stored) in [
        ("quantization", expected.quantization.map(|quantization| quantization.name), hints.quantization.as_deref()),
        ("architecture", expected.architecture.map(|generation| generation.name), hints.architecture.as_deref()),
    ] {
        if let (Some(wanted), Some(stored)) = (wanted, stored)
            && wanted != stored
        {
            return Err(mismatch(what, format!("`{stored}`"), format!("`{wanted}`")));
        }
    }
    let wanted_scales = expected.quantization.map(|quantization| quantization.name).or(hints.quantization.as_deref());
    let wanted_generation = expected.architecture.map(|generation| generation.name).or(hints.architecture.as_deref());
    choices.retain(|(generation, quantization)| {
        wanted_scales.is_none_or(|wanted| wanted == quantization.name)
            && wanted_generation.is_none_or(|wanted| wanted == generation.name)
            && hints.ft_one.is_none_or(|one| one == quantization.ft)
    });
    if choices.is_empty() {
        let key = if expected.quantization.is_some() { "quantization" } else { "architecture" };
        return Err(Error::new("the given architecture or quantization is not one that the tensors can have")
            .because(format!("the tensors are those of {sizes}"))
            .because(format!("they can be {}", list(&distinct(all))))
            .about(key));
    }
    let distinct = distinct(choices);
    // Two layouts of the first threat nets: once the scales are given, the one that Stockfish 18 released is meant.
    let only_first_threats = distinct.iter().all(|(generation, _)| matches!(generation.name, "SFNNv10a" | "SFNNv10b"));
    let settled = wanted_scales.is_some() || hints.ft_one.is_some();
    let chosen = match distinct.as_slice() {
        [one] => *one,
        [_, second] if only_first_threats && settled => *second,
        many => {
            let mut error = Error::new("the tensors leave open which file is meant, and the choices differ in their bytes")
                .because(format!("the tensors are those of {sizes}"))
                .because(format!("they can be {}", list(many)));
            let open = separating(many);
            for (_, choices) in &open {
                error = choices.iter().fold(error, |error, (name, about)| error.because(format!("{name}: {about}")));
            }
            let signs = hints.signs();
            if !signs.is_empty() {
                error = error.because(format!("what the file tells of its age: {}", signs.join("; ")));
            }
            let key = open.first().map_or("quantization", |(key, _)| *key);
            let ways: Vec<String> =
                open.iter().flat_map(|(key, choices)| choices.iter().map(move |(name, _)| format!("`{key} = \"{name}\"`"))).collect();
            return Err(error.help(format!("{SAY_WHICH}{}", ways.join(" or "))).about(key));
        }
    };
    let (generation, quantization) = chosen;
    let mut set = features.set.clone();
    if let Some(hash) = hints.features_hash {
        let known = FeatureSet::known().into_iter().find(|known| known.hash == hash && known.blocks == set.blocks);
        set = known.ok_or_else(|| Error::new(format!("no feature set of {sizes} has the hash {hash:08x} that the file states")))?;
    }
    Ok(Architecture { generation, features: set, l1, l2, l3, quantization })
}

/// The generation that a network is not taken for, though its tensors may be of it, where the user says the scales alone: the one that no
/// release had of two that store the first threats.
pub fn passed_over(taken: &'static Generation) -> Option<&'static Generation> {
    (taken.name == "SFNNv10b").then(|| GENERATIONS.iter().find(|other| other.name == "SFNNv10a")).flatten()
}

/// How the help of an error begins that offers choices, each as `key = "value"` in backticks.
pub(crate) const SAY_WHICH: &str = "say which: ";

/// A key with its possible values, each with what it means.
pub type OpenKey = (&'static str, Vec<(&'static str, &'static str)>);

/// The keys by which these choices can be told apart: one that does it alone, else both.
pub fn separating(choices: &[(&'static Generation, &'static Quantization)]) -> Vec<OpenKey> {
    fn distinct(all: impl Iterator<Item = (&'static str, &'static str)>) -> Vec<(&'static str, &'static str)> {
        let mut kept = Vec::new();
        for one in all {
            if !kept.contains(&one) {
                kept.push(one);
            }
        }
        kept
    }
    let quantizations = distinct(choices.iter().map(|(_, quantization)| (quantization.name, quantization.about)));
    let generations = distinct(choices.iter().map(|(generation, _)| (generation.name, generation.about)));
    let (scales, generation) = (("quantization", quantizations), ("architecture", generations));
    if scales.1.len() == choices.len() {
        vec![scales]
    } else if generation.1.len() == choices.len() {
        vec![generation]
    } else {
        vec![scales, generation]
    }
}

/// Of choices that give the same bytes only the best fitting one, the first.
fn distinct(choices: Vec<(&'static Generation, &'static Quantization)>) -> Vec<(&'static Generation, &'static Quantization)> {
    let bytes = |(g, q): &(&'static Generation, &'static Quantization)| (g.version, g.ft_layout, g.narrow_threats, q.name);
    let mut kept: Vec<(&'static Generation, &'static Quantization)> = Vec::new();
    for choice in choices {
        if !kept.iter().any(|other| bytes(other) == bytes(&choice)) {
            kept.push(choice);
        }
    }
    kept.sort_by_key(|(generation, _)| GENERATIONS.iter().position(|other| other == *generation));
    kept
}

/// The description that the trainer's first converter wrote.
const FIRST: &str = "Features=HalfKP(Friend)[41024->256x2],Network=AffineTransform[1<-32](ClippedReLU[32](AffineTransform[32<-32](\
                     ClippedReLU[32](AffineTransform[32<-512](InputSlice[512(0:512)])))))";
/// The one of the trainer at its first address.
const SECOND: &str = "Network trained with the https://github.com/glinscott/nnue-pytorch trainer.";

/// What a network that is read may have as its description where none was given.
pub const DEFAULT_DESCRIPTIONS: [&str; 3] = [DEFAULT_DESCRIPTION, SECOND, FIRST];

/// What the trainer of the checkpoint's time wrote as the description, where none was given.
fn default_description(keys: Names, architecture: &Architecture, hints: &Hints) -> &'static str {
    /// The first Lightning after which the trainer's own address had changed when it was in use.
    const LIGHTNING: [u32; 3] = [1, 9, 5];
    if keys == Names::Flat {
        return FIRST;
    }
    if keys != Names::Stacked {
        return DEFAULT_DESCRIPTION;
    }
    // The trainer moved in August 2023, between SFNNv7 and SFNNv8. Nets of other sizes tell their age by the version of Lightning.
    match architecture.generation.name {
        "SFNNv8" | "SFNNv9" if architecture.l1 == architecture.generation.l1 => DEFAULT_DESCRIPTION,
        "SFNNv2" | "SFNNv3" | "SFNNv4" | "SFNNv6" | "SFNNv7" => SECOND,
        _ => {
            let version = hints.lightning.as_deref().map(|version| {
                let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
                [parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0)]
            });
            if version.is_some_and(|version| version < LIGHTNING) { SECOND } else { DEFAULT_DESCRIPTION }
        }
    }
}
