//! Networks of any engine, described in TOML: sizes, tensors, the layouts of files, and the steps between them.
//!
//! | file | job |
//! | --- | --- |
//! | `parse`, `tree`, `sizes`, `diagnose` | the text of an architecture file → [`Architecture`], all mistakes with their places |
//! | `model` | what such a file says, as types |
//! | `plan` | which steps lead from one layout to another |
//! | `read`, `write`, `pack`, `zstd` | a file in a layout ↔ tensors |
//! | `steps`, `quantize`, `tensor` | what is done to tensors |
//! | [`features`], `gather` | rows of the inputs; which outputs are zero |
//! | `graph`, `key`, `execute` | a net of a manifest → its actions; what decides their results; an action → what is done |
//! | `travel` | a network for another machine that gathers |
//! | `compare` | how two files differ |
//! | `bound` | whether sums of products can wrap on CPUs without VNNI |
//! | `pictures` | a network in pictures |
//! | [`foreign`] | networks in Stockfish's format that no table knows |
//!
//! Apart from `graph`, knows nothing of the manifest; nothing of the command line and the cache.

mod bound;
mod compare;
mod diagnose;
mod execute;
pub mod features;
pub mod foreign;
mod gather;
mod graph;
mod key;
mod model;
mod pack;
mod parse;
mod pictures;
mod plan;
mod quantize;
mod read;
mod sizes;
mod steps;
mod tensor;
#[cfg(test)]
mod tests;
mod travel;
mod tree;
mod write;
mod zstd;

use std::io::Write;
use std::path::Path;

pub use crate::net::shipped;
pub use compare::{Comparison, TensorDifference};
pub use features::Input;
pub use model::{Architecture, DType};
pub use pictures::Wanted;
pub use read::is_bullet_checkpoint;

use super::nnue::Nnue;
use super::{Family, Inputs, Packed, Planned, Product, SourceFacts, Stages, Steps, Value as AnyValue};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::{Blake3, Bytes};
use crate::format::sources::FileKind;
use crate::manifest::{FilePath, Manifest, ResolvedNet};
use crate::net::{Description, Permutation};
use crate::permutation::ActivationMatrix;
use crate::positions::Position;
use crate::stage::{Action, Role};
use crate::words::{Overflow, suggest};
use model::Layout;
use read::Contents;

pub(crate) use execute::Value;
pub(crate) use travel::requested;

/// The family.
pub(crate) struct Described;

impl Family for Described {
    fn recognizes(&self, _: FileKind, _: &FilePath) -> bool {
        // No file says so of itself: a source is described where the manifest says that it is.
        false
    }

    fn plan(&self, manifest: &Manifest, net: &ResolvedNet, _: SourceFacts, steps: &mut dyn Steps) -> Result<Planned> {
        graph::plan(manifest, net, steps)
    }

    fn assumption(&self, _: &ResolvedNet, _: SourceFacts, _: &Ctx) -> Option<String> {
        None
    }
}

/// Matrices, permutations and what they must be are the same for all networks whose neurons can be reordered.
impl Stages for Described {
    fn execute(&self, action: &Action, inputs: &dyn Inputs, ctx: &Ctx) -> Result<Product> {
        let Action::Described(described) = action else { return Err(not_described(action)) };
        execute::execute(described, inputs, ctx)
    }

    fn read_stored(&self, action: &Action, bytes: &[u8]) -> Result<AnyValue> {
        Nnue.read_stored(action, bytes)
    }

    fn read_file(&self, role: Role, bytes: &[u8]) -> Result<AnyValue> {
        Nnue.read_file(role, bytes)
    }

    fn most_bytes(&self, action: &Action, network: &AnyValue) -> Result<u64> {
        Nnue.most_bytes(action, network)
    }

    fn check_fits(&self, action: &Action, result: &AnyValue, network: &AnyValue) -> Result<()> {
        Nnue.check_fits(action, result, network)
    }

    fn core_seconds(&self, action: &Action, network: &AnyValue, matrix: u64) -> Result<f64> {
        Nnue.core_seconds(action, network, matrix)
    }

    fn packed(&self, action: &Action, network: &AnyValue) -> Option<Packed> {
        let (Action::Described(action), AnyValue::Described(network)) = (action, network) else { return None };
        let bytes = travel::packed(action, network)?;
        Some(Packed { digest: Some(Blake3::of(&bytes)), bytes })
    }

    fn unpacked(&self, bytes: &[u8], digest: Blake3) -> Result<AnyValue> {
        travel::unpacked(bytes, digest).map(AnyValue::Described)
    }

    fn check_source(&self, action: &Action, _: &Path, _: &Ctx, input: Bytes) -> Result<()> {
        let Action::Described(described) = action else { return Err(not_described(action)) };
        execute::check_file(described, &input)
    }
}

fn not_described(action: &Action) -> Error {
    Error::new(format!("{} is not an action on a described network: this is a bug in nnue, please report it", action.stage()))
}

/// The architecture of a description, with what its steps do with values that do not fit.
fn relaxed(description: &Description, overflow: Overflow) -> Result<Architecture> {
    let mut architecture = Architecture::describe(description)?;
    if overflow != Overflow::Error {
        architecture.relax(overflow == Overflow::Clamp);
    }
    Ok(architecture)
}

impl Architecture {
    /// Reads an architecture from text; `name` is for messages, `overrides` are `KEY=VALUE` as `--set` takes them, such as
    /// `sizes.neuron=64`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], with every mistake and its place.
    pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Self> {
        let (name, text, overrides) = (name.to_owned(), text.into(), overrides.to_vec());
        Self::describe(&Description { file: name.clone(), name, text, table: Vec::new(), overrides })
    }

    /// Reads an architecture from its text, wherever that stands.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn describe(description: &Description) -> Result<Self> {
        parse::parse(description)
    }

    /// The architecture that ships under `name`, or the one in the file `name`.
    ///
    /// # Errors
    /// When there is neither, and as [`Self::parse`].
    pub fn load(name: &str, overrides: &[String]) -> Result<Self> {
        if let Some(shipped) = shipped::find(name) {
            return Self::parse(shipped.name, shipped.text, overrides);
        }
        if !is_file_name(name) {
            let names: Vec<&str> = shipped::ALL.iter().map(|shipped| shipped.name).collect();
            let near = suggest(name, names.iter().copied()).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            return Err(Error::usage(format!("no architecture is named `{name}`"))
                .help(format!("{near}`nnue architecture list` shows those that ship; another is a file, such as `mine.toml`")));
        }
        let bytes = Bytes::map(Path::new(name))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| Error::usage(format!("`{name}` is no text")).because(error))?;
        Self::parse(name, text.strip_prefix('\u{FEFF}').unwrap_or(text), overrides)
    }

    /// Reads a file and takes the steps that lead to the layout `to`.
    ///
    /// Without `from` the file must fit one layout only. `neurons` is what a `permute` step does.
    ///
    /// # Errors
    /// When the file is not in the layout, fits several, holds values that do not fit or are no numbers, or no steps lead there.
    pub fn convert<'a>(&'a self, file: &Bytes, from: Option<&str>, to: &str, neurons: Neurons<'_>, ctx: &Ctx) -> Result<Converted<'a>> {
        let target = self.writable(to).ok_or_else(|| self.no_layout(to))?;
        let source = self.layout_of(file, from)?;
        let plan = plan::plan(self, source, target).map_err(|fault| {
            let message = format!("no steps lead from the layout `{}` to `{}`", source.name.text, target.name.text);
            Error::usage(message).because(fault.message).because(fault.why)
        })?;
        let mut contents = self.contents(source, file)?;
        let permuted = match neurons {
            Neurons::Kept => steps::run(self, &plan, &mut contents, steps::Neurons::Kept, ctx)?,
            Neurons::Applied(permutation) => steps::run(self, &plan, &mut contents, steps::Neurons::Applied(permutation), ctx)?,
            Neurons::Found(find) => {
                let mut find =
                    |tensors: &[Option<tensor::Tensor>]| find(&|positions: &[Position]| gather::gather(self, tensors, positions, ctx));
                steps::run(self, &plan, &mut contents, steps::Neurons::Found(&mut find), ctx)?
            }
        };
        self.check_numbers(target, &contents)?;
        Ok(Converted { architecture: self, layout: target, source: &source.name.text, contents, permuted })
    }

    /// Whether what is to be written is numbers.
    fn check_numbers(&self, target: &Layout, contents: &Contents) -> Result<()> {
        for stored in &target.tensors {
            if let Some(index) = contents.tensors[stored.tensor].as_ref().and_then(tensor::Tensor::first_nan) {
                return Err(Error::new(format!("`{}` holds values that are not numbers", stored.role.text))
                    .because(format!("the first is at index {index}"))
                    .help("the training went wrong: take an earlier checkpoint"));
            }
        }
        Ok(())
    }

    /// Whether a file is in this layout and in no other that files are read in.
    fn check_only_fit(&self, layout: &Layout, file: &Bytes) -> Result<()> {
        read::fits(self, layout, file).map_err(|error| match self.fitting(file)[..] {
            [] => error,
            // Where it is in another one, that is what the user has to say.
            [other, ..] => {
                Error::new(format!("it is in the layout `{other}`")).help(format!("add `layout = \"{other}\"` to the source's table"))
            }
        })?;
        let also = |other: &&Layout| other.used != model::Use::Write && other.name.text != layout.name.text;
        let others: Vec<&Layout> = self.layouts.iter().filter(also).filter(|other| read::fits(self, other, file).is_ok()).collect();
        match &others[..] {
            [] => Ok(()),
            [other, ..] => Err(Error::new(format!("it could also be in the layout `{}`", other.name.text))
                .because("it has no header that tells them apart")
                .help(format!("add `layout = \"{}\"` to the source's table, or the other one", layout.name.text))),
        }
    }

    /// Reads the tensors of a file that is in the layout `from`, or in the only one that it fits.
    ///
    /// # Errors
    /// As [`Self::convert`].
    pub fn open(&self, file: &Bytes, from: Option<&str>) -> Result<Opened<'_>> {
        let layout = self.layout_of(file, from)?;
        Ok(Opened { architecture: self, layout, contents: self.contents(layout, file)? })
    }

    /// What a file holds, tensor by tensor, and which layout it is in.
    ///
    /// # Errors
    /// As [`Self::convert`].
    pub fn summary(&self, file: &Bytes, from: Option<&str>) -> Result<Summary> {
        self.open(file, from).map(|opened| opened.summary())
    }

    fn contents(&self, layout: &Layout, file: &Bytes) -> Result<Contents> {
        read::read(self, layout, file)
            .map_err(|error| error.context(format!("the file is not in the layout `{}` of `{}`", layout.name.text, self.name)))
    }

    /// Names of the layouts that the file fits.
    pub fn fitting(&self, file: &Bytes) -> Vec<&str> {
        self.layouts.iter().filter(|layout| read::fits(self, layout, file).is_ok()).map(|layout| layout.name.text.as_str()).collect()
    }

    /// What a manifest could make of the file: the layout that it is in, and one that is written from there. Layouts that reorder the
    /// neurons come before others, `published` before all.
    pub fn proposal(&self, file: &Bytes) -> Option<Proposal> {
        let is_fitting = |layout: &&Layout| layout.used != model::Use::Write && read::fits(self, layout, file).is_ok();
        let proposals = self.layouts.iter().filter(is_fitting).flat_map(|from| {
            let targets = self.layouts.iter().filter(|to| to.used != model::Use::Read);
            targets.filter_map(move |to| {
                let plan = plan::plan(self, from, to).ok()?;
                let reorders = plan.moves.iter().any(|step| matches!(step, plan::Move::Permute));
                let zero_rule = self.activation.and_then(model::Activation::zero_rule);
                let can_optimize = reorders && zero_rule.is_some() && self.inputs.iter().all(|block| block.input.rows().is_some());
                let (from, to) = (from.name.text.clone(), to.name.text.clone());
                let is_direct = from != to;
                Some((to == "published" && is_direct, is_direct, reorders, Proposal { from, to, can_optimize }))
            })
        });
        // The first of the best.
        proposals.reduce(|best, other| if (other.0, other.1, other.2) > (best.0, best.1, best.2) { other } else { best }).map(|it| it.3)
    }

    /// The layout of this name, or the only one that the file fits.
    fn layout_of(&self, file: &Bytes, from: Option<&str>) -> Result<&Layout> {
        match from {
            Some(name) => self.readable(name).ok_or_else(|| self.no_layout(name)),
            None => self.recognize(file),
        }
    }

    /// The only layout that the file fits. Layouts that are only written count where no other fits.
    fn recognize(&self, file: &Bytes) -> Result<&Layout> {
        let fit = |layout: &&Layout| read::fits(self, layout, file).is_ok();
        let (read, written): (Vec<&Layout>, Vec<&Layout>) = self.layouts.iter().partition(|layout| layout.used != model::Use::Write);
        let mut found: Vec<&Layout> = read.iter().copied().filter(fit).collect();
        if found.is_empty() {
            found = written.into_iter().filter(fit).collect();
        }
        match found[..] {
            [one] => Ok(one),
            [] => {
                let mut error = Error::new(format!("the file fits no layout of `{}`", self.name));
                for layout in read {
                    if let Err(why) = read::fits(self, layout, file) {
                        error = error.because(format!("`{}`: {why}", layout.name.text));
                    }
                }
                Err(error.help("check the sizes; each can be given with `--set sizes.NAME=NUMBER`"))
            }
            _ => {
                let names = found.iter().map(|layout| format!("`{}`", layout.name.text)).collect::<Vec<_>>().join(" and ");
                Err(Error::usage(format!("the file fits the layouts {names}"))
                    .because("it has no header that tells them apart")
                    .help("say which it is: `--from LAYOUT`"))
            }
        }
    }

    fn no_layout(&self, name: &str) -> Error {
        let names = self.layout_names();
        let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = suggest(name, names.iter().copied()).map_or(format!("layouts: {list}"), |near| format!("did you mean `{near}`?"));
        Error::usage(format!("`{}` has no layout `{name}`", self.name)).help(help)
    }
}

/// Gathers the activations of a network over positions.
pub type Gather<'a> = dyn Fn(&[Position]) -> Result<ActivationMatrix> + 'a;

/// What a `permute` step does with the order of the neurons.
pub enum Neurons<'a> {
    /// They stay.
    Kept,
    /// They take this order.
    Applied(&'a Permutation),
    /// They take the order that is found from their activations, at that step.
    Found(&'a mut dyn FnMut(&Gather<'_>) -> Result<Permutation>),
}

/// Whether an `--architecture` of this spelling means a file.
pub fn is_file_name(name: &str) -> bool {
    name.ends_with(".toml") || name.contains(['/', std::path::MAIN_SEPARATOR])
}

/// What could be made of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The layout that it is in.
    pub from: String,
    /// A layout to write.
    pub to: String,
    /// Whether the neurons can be put into a better order on the way.
    pub can_optimize: bool,
}

/// A file whose tensors are known.
#[derive(Debug)]
pub struct Opened<'a> {
    architecture: &'a Architecture,
    layout: &'a Layout,
    contents: Contents,
}

impl Opened<'_> {
    /// What the file holds, tensor by tensor, and which layout it is in.
    pub fn summary(&self) -> Summary {
        let tensors = self.layout.tensors.iter().filter_map(|stored| {
            let tensor = self.contents.tensors[stored.tensor].as_ref()?;
            let (min, max) = tensor.limits();
            Some(TensorSummary { role: stored.role.text.clone(), dtype: tensor.dtype, shape: tensor.shape.clone(), min, max })
        });
        Summary {
            layout: self.layout.name.text.clone(),
            tensors: tensors.collect(),
            largest_sum: bound::largest_sum(self.architecture, &self.contents.tensors),
        }
    }

    /// Which outputs are zero in these positions.
    ///
    /// # Errors
    /// When the architecture does not say when an output is zero, or the file's inputs are not integers.
    pub fn activations(&self, positions: &[Position], ctx: &Ctx) -> Result<ActivationMatrix> {
        gather::gather(self.architecture, &self.contents.tensors, positions, ctx)
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The layout it is in.
    pub layout: String,
    /// In the order of the file.
    pub tensors: Vec<TensorSummary>,
    /// The largest sum of four products in the first dense layer, where it is known: two maddubs results added. Above 32,767 an
    /// engine that adds them in 16 bits may wrap, and which ones meet depends on the order of the neurons.
    pub largest_sum: Option<u32>,
}

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSummary {
    /// What it is.
    pub role: String,
    /// Of its values.
    pub dtype: DType,
    /// Sizes of its axes, in the architecture's order.
    pub shape: Vec<usize>,
    /// Smallest value.
    pub min: f64,
    /// Largest value; below `min` where there is none, not a number where a value is none.
    pub max: f64,
}

/// A network on the way to a layout.
#[derive(Debug)]
pub struct Converted<'a> {
    architecture: &'a Architecture,
    layout: &'a Layout,
    source: &'a str,
    contents: Contents,
    permuted: bool,
}

impl Converted<'_> {
    /// Name of the architecture.
    pub fn architecture(&self) -> &str {
        &self.architecture.name
    }

    /// The layout that the file was in.
    pub fn source(&self) -> &str {
        self.source
    }

    /// Whether a step applied the permutation.
    pub fn permuted(&self) -> bool {
        self.permuted
    }

    /// The largest sum of four products in the first dense layer: see [`Summary`].
    pub fn largest_sum(&self) -> Option<u32> {
        bound::largest_sum(self.architecture, &self.contents.tensors)
    }

    /// What a new order of the neurons may change; `None` where it changes nothing.
    pub fn warning(&self) -> Option<String> {
        self.largest_sum().and_then(bound::warning)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of `out`, and of a header that the source has not.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        write::write(self.architecture, self.layout, &self.contents, out)
    }
}
