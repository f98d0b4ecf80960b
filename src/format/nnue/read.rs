//! Reading: header → hypotheses → the one layout that accounts for every byte → weights.
//!
//! Headers do not identify a layout (several generations share one), so the reader lays every generation that the header allows
//! over the file. A hypothesis survives when each tensor fits, every stack begins with the stack hash, and the last byte is
//! the file's last. Which of the survivors is meant is decided in `readings`.

use rayon::prelude::*;

use super::diagnose::{Unknown, diagnose};
use super::layout::{DType, Entry, FtTensor, Role, dense_entries, ft_tensors, stack_bytes};
use super::leb128;
use super::readings::Readings;
use super::{Compression, Expectation, LEB128_MAGIC, MAX_DESCRIPTION, Parsed};
use crate::error::{Error, Result};
use crate::files::Reader;
use crate::net::{
    Architecture, BlockWeights, Dense, FeatureSet, FtBlock, GENERATIONS, Generation, LayerStack, QuantizedNetwork, fc_hash, padded,
};

/// Largest L1 that is taken for one; anything above is a wrong hash.
const MAX_L1: usize = 1 << 16;
/// L2 and L3 are looked for up to this where they are not those of a trained net.
const MAX_HIDDEN: usize = 256;

/// The words before the weights.
pub(super) struct Header<'a> {
    pub version: u32,
    pub hash: u32,
    pub description: &'a [u8],
    pub ft_hash: u32,
    /// Offset of the first tensor.
    pub end: usize,
}

/// Whether the bytes must be a whole file, or may go on behind the network (an engine binary).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Prefix,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Reader::new(bytes).at(at).u32().ok()
}

/// Parses the header, which every generation shares.
pub(super) fn header(bytes: &[u8]) -> Result<Header<'_>> {
    let truncated = |what: &str| Error::new(format!("truncated at byte {}: the file ends inside its {what}", bytes.len()));
    let version = word(bytes, 0).ok_or_else(|| truncated("header"))?;
    if !GENERATIONS.iter().any(|generation| generation.version == version) {
        let known: Vec<String> = super::versions().iter().map(|version| format!("{version:#010X}")).collect();
        return Err(Error::new(format!("the version at offset 0 is {version:#010X}")).because(format!("known are {}", known.join(", "))));
    }
    let hash = word(bytes, 4).ok_or_else(|| truncated("header"))?;
    let length = word(bytes, 8).ok_or_else(|| truncated("header"))? as usize;
    if length > MAX_DESCRIPTION {
        return Err(Error::new(format!("the description at offset 8 claims {length} bytes"))
            .because(format!("the limit is {MAX_DESCRIPTION}: the file is damaged")));
    }
    let description = bytes.get(12..12 + length).ok_or_else(|| truncated("description"))?;
    let ft_hash = word(bytes, 12 + length).ok_or_else(|| truncated("header"))?;
    Ok(Header { version, hash, description, ft_hash, end: 16 + length })
}

/// A layout that accounts for every byte.
pub(super) struct Layout {
    pub architecture: Architecture,
    tensors: Vec<(FtTensor, Entry)>,
    /// Offset of the first stack's hash.
    pub stacks_at: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

/// Why a hypothesis failed. The one with the most evidence, then the one that came furthest, explains the file best.
struct Mismatch {
    /// Layer stacks that begin with their hash where the hypothesis says.
    stacks: usize,
    /// How far the bytes agreed with it; a file that ends too early agreed to its end.
    at: usize,
    error: Error,
}

/// All layouts that fit, oldest generation first.
pub(super) fn layouts(bytes: &[u8], header: &Header<'_>, extent: Extent) -> Result<Vec<Layout>> {
    let sets: Vec<(FeatureSet, usize)> = FeatureSet::known()
        .into_iter()
        .filter_map(|set| {
            let l1 = ((header.ft_hash ^ set.hash) / 2) as usize;
            ((header.ft_hash ^ set.hash).is_multiple_of(2) && (2..=MAX_L1).contains(&l1) && l1.is_multiple_of(2)).then_some((set, l1))
        })
        .collect();
    if sets.is_empty() {
        return Err(Error::new(format!("the feature transformer's hash at offset {} is {:#010X}", header.end - 4, header.ft_hash))
            .because("no known feature set has that hash at any L1"));
    }
    let mut found: Vec<Layout> = Vec::new();
    let mut worst: Option<((usize, usize, bool), Mismatch)> = None;
    for generation in GENERATIONS.iter().filter(|generation| generation.version == header.version) {
        for (set, l1) in sets.iter().filter(|(set, _)| generation.stores(set)) {
            // Among equals the generation that was trained at this size is the likelier one.
            let is_trained = generation.l1 == *l1 && generation.blocks == set.blocks;
            let rank_of = |mismatch: &Mismatch| (mismatch.stacks, mismatch.at, is_trained);
            match lay(bytes, header, generation, set, *l1, extent) {
                Ok(layouts) => found.extend(layouts),
                Err(mismatch) if worst.as_ref().is_none_or(|(rank, _)| rank_of(&mismatch) > *rank) => {
                    worst = Some((rank_of(&mismatch), mismatch))
                }
                Err(_) => {}
            }
        }
    }
    if found.is_empty() {
        let (set, l1) = &sets[0];
        return Err(match worst {
            Some((_, mismatch)) => mismatch.error,
            None => Error::new(format!("no generation stores `{}` with L1={l1} under the version {:#010X}", set.name(), header.version)),
        });
    }
    Ok(found)
}

/// As [`layouts`]; what is whole and of no known kind is called so, not damaged.
fn known_layouts(bytes: &[u8], header: &Header<'_>, extent: Extent) -> Result<Vec<Layout>> {
    layouts(bytes, header, extent).map_err(|error| match extent {
        Extent::Whole => diagnose(bytes).filter(Unknown::is_whole).map_or(error, |unknown| unknown.refusal()),
        Extent::Prefix => error,
    })
}

/// Lays one generation over the file.
fn lay(
    bytes: &[u8],
    header: &Header<'_>,
    generation: &'static Generation,
    set: &FeatureSet,
    l1: usize,
    extent: Extent,
) -> Result<Vec<Layout>, Mismatch> {
    let mut at = header.end;
    let mut tensors = Vec::new();
    for tensor in ft_tensors(generation, set, l1) {
        let entry = span(bytes, at, &tensor).map_err(|(reached, why)| Mismatch {
            stacks: 0,
            at: reached,
            error: Error::new(format!("tensor `{}` at offset {at} does not fit", tensor.name)).because(why).because(format!(
                "read as {} with features `{}` and L1={l1}",
                generation.name,
                set.name()
            )),
        })?;
        at += entry.bytes;
        tensors.push((tensor, entry));
    }
    let expected = header.hash ^ header.ft_hash;
    if word(bytes, at) != Some(expected) {
        let reading = format!("read as {} with features `{}` and L1={l1}", generation.name, set.name());
        let stack = stack_bytes(&generation.wiring.dense_shapes(l1, generation.l2, generation.l3));
        let stacks = (1..generation.stacks).filter(|index| word(bytes, at + index * stack) == Some(expected)).count();
        let (at, what) = match word(bytes, at) {
            Some(hash) => (at, format!("the layer stack's hash at offset {at} is {hash:#010X}, the header says {expected:#010X}")),
            None => {
                let end = bytes.len();
                (end, format!("truncated at byte {end}: the file ends before its layer stacks, which begin at offset {at}"))
            }
        };
        return Err(Mismatch { stacks, at, error: Error::new(what).because(reading) });
    }
    let shapes = hidden_sizes(bytes, generation, l1, at, expected, extent)?;
    Ok(shapes
        .into_iter()
        .map(|(l2, l3)| {
            let architecture = Architecture { generation, features: set.clone(), l1, l2, l3, quantization: generation.quantizations[0] };
            let end = at + generation.stacks * stack_bytes(&architecture.dense_shapes());
            Layout { architecture, tensors: tensors.clone(), stacks_at: at, end }
        })
        .collect())
}

/// Where a tensor's stored bytes end, raw or compressed; the values are not looked at yet.
///
/// The error says how far the bytes agreed, and what is wrong.
fn span(bytes: &[u8], at: usize, tensor: &FtTensor) -> Result<Entry, (usize, String)> {
    let rest = &bytes[at..];
    let compressed = tensor.dtype != DType::I8 && rest.starts_with(LEB128_MAGIC);
    let stored = if compressed {
        let cut = || (bytes.len(), format!("truncated at byte {}: the file ends inside its LEB128 header", bytes.len()));
        let length = word(rest, LEB128_MAGIC.len()).ok_or_else(cut)? as usize;
        if length < tensor.values() {
            return Err((at, format!("its {length} bytes of LEB128 cannot hold {} values", tensor.values())));
        }
        LEB128_MAGIC.len() + 4 + length
    } else {
        tensor.values() * tensor.dtype.size()
    };
    if stored > rest.len() {
        let why = format!("truncated at byte {}: it needs {stored} bytes, {} are left", bytes.len(), rest.len());
        return Err((bytes.len(), why));
    }
    Ok(Entry { name: tensor.name.clone(), dtype: tensor.dtype, shape: tensor.shape(), offset: at, bytes: stored, compressed })
}

/// The pairs (L2, L3) whose stacks have the hash and, in a whole file, end with it. Trained sizes come first and exclude others.
fn hidden_sizes(
    bytes: &[u8],
    generation: &Generation,
    l1: usize,
    at: usize,
    hash: u32,
    extent: Extent,
) -> Result<Vec<(usize, usize)>, Mismatch> {
    let shapes = |l2, l3| generation.wiring.dense_shapes(l1, l2, l3);
    let has_hash = |l2: usize, l3: usize| {
        let [(first, _), (second, _), _] = shapes(l2, l3);
        fc_hash(l1, first, second) == hash
    };
    let fits = |l2: usize, l3: usize| {
        let stack = stack_bytes(&shapes(l2, l3));
        let end = at + generation.stacks * stack;
        let length_fits = if extent == Extent::Whole { end == bytes.len() } else { end <= bytes.len() };
        length_fits && (0..generation.stacks).all(|index| word(bytes, at + index * stack) == Some(hash))
    };
    let trained = (generation.l2, generation.l3);
    if has_hash(trained.0, trained.1) && fits(trained.0, trained.1) {
        return Ok(vec![trained]);
    }
    let hashed: Vec<(usize, usize)> =
        (1..=MAX_HIDDEN).flat_map(|l2| (1..=MAX_HIDDEN).map(move |l3| (l2, l3))).filter(|&(l2, l3)| has_hash(l2, l3)).collect();
    let fitting: Vec<(usize, usize)> = hashed.iter().copied().filter(|&(l2, l3)| fits(l2, l3)).collect();
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    // Nothing fits. The sizes whose stacks begin where they should for longest say what is wrong.
    let agreeing = |&(l2, l3): &(usize, usize)| {
        let stack = stack_bytes(&shapes(l2, l3));
        (0..generation.stacks).take_while(|index| word(bytes, at + index * stack) == Some(hash)).count()
    };
    let Some((l2, l3)) = hashed.iter().copied().max_by_key(|pair| (agreeing(pair), *pair == trained, std::cmp::Reverse(pair.0 + pair.1)))
    else {
        let error = Error::new(format!("the layer stack's hash {hash:#010X} at offset {at} belongs to no sizes of {}", generation.name))
            .because(format!("L2 and L3 from 1 to {MAX_HIDDEN} were tried with L1={l1}"));
        return Err(Mismatch { stacks: 1, at, error });
    };
    let stack = stack_bytes(&shapes(l2, l3));
    let end = at + generation.stacks * stack;
    let index = agreeing(&(l2, l3));
    let begin = at + index * stack;
    let reading = format!("read as {} with L1={l1}, L2={l2}, L3={l3}", generation.name);
    Err(match word(bytes, begin) {
        Some(found) if index < generation.stacks => {
            let what = format!("the hash of layer stack {index} at offset {begin} is {found:#010X}, not {hash:#010X}");
            Mismatch { stacks: index, at: begin, error: Error::new(what).because(reading) }
        }
        _ if bytes.len() < end => {
            let missing = end - bytes.len();
            let what = format!("truncated at byte {}: the layer stacks end at byte {end}, {missing} are missing", bytes.len());
            Mismatch { stacks: index, at: bytes.len(), error: Error::new(what).because(reading) }
        }
        _ => {
            let what = format!("{} bytes are left after the last layer stack, which ends at byte {end}", bytes.len() - end);
            Mismatch { stacks: index, at: end, error: Error::new(what).because(reading) }
        }
    })
}

/// Decodes the weights of `layout`.
fn decode(bytes: &[u8], header: &Header<'_>, layout: &Layout) -> Result<QuantizedNetwork> {
    let architecture = layout.architecture.clone();
    let set = &architecture.features;
    let mut network = QuantizedNetwork {
        description: header.description.to_vec(),
        ft_bias: Vec::new(),
        blocks: set.blocks.iter().map(|&block| FtBlock { block, weights: BlockWeights::I16(Vec::new()), psqt: Vec::new() }).collect(),
        stacks: Vec::with_capacity(architecture.generation.stacks),
        architecture: architecture.clone(),
    };
    for (tensor, entry) in &layout.tensors {
        let stored = &bytes[entry.offset..entry.offset + entry.bytes];
        match (tensor.role, tensor.dtype) {
            (Role::Bias, _) => network.ft_bias = values::<i16>(stored, entry, tensor.values())?,
            (Role::Weights, DType::I8) => {
                network.blocks[tensor.blocks.start].weights = BlockWeights::I8(raw(stored));
            }
            (Role::Weights, _) => {
                for (index, part) in split_rows(values::<i16>(stored, entry, tensor.values())?, tensor, set) {
                    network.blocks[index].weights = BlockWeights::I16(part);
                }
            }
            (Role::Psqt, _) => {
                for (index, part) in split_rows(values::<i32>(stored, entry, tensor.values())?, tensor, set) {
                    network.blocks[index].psqt = part;
                }
            }
        }
    }
    let mut at = layout.stacks_at;
    let mut take = |length: usize| {
        at += length;
        &bytes[at - length..at]
    };
    for _ in 0..architecture.generation.stacks {
        take(4);
        let layers = architecture.dense_shapes().map(|(outputs, inputs)| Dense {
            inputs,
            bias: raw(take(4 * outputs)),
            weights: bytemuck::cast_slice(take(outputs * padded(inputs))).to_vec(),
        });
        network.stacks.push(LayerStack { layers });
    }
    Ok(network)
}

/// The values of one stored tensor.
fn values<T: leb128::Element>(stored: &[u8], entry: &Entry, count: usize) -> Result<Vec<T>> {
    if !entry.compressed {
        return Ok(raw(stored));
    }
    let skip = LEB128_MAGIC.len() + 4;
    leb128::decode(&stored[skip..], count).map_err(|malformed| {
        Error::new(format!("tensor `{}` is damaged at offset {}", entry.name, entry.offset + skip + malformed.at))
            .because(format!("value {} of {count}: {}", malformed.index, malformed.why))
    })
}

/// Little-endian values; the source need not be aligned.
fn raw<T: bytemuck::Pod>(stored: &[u8]) -> Vec<T> {
    /// Bytes that one task copies: most of the time goes into pages that are touched for the first time, on every core at once.
    const BYTES_A_TASK: usize = 1 << 20;
    let mut values: Vec<T> = vec![bytemuck::Zeroable::zeroed(); stored.len() / size_of::<T>()];
    let tasks = bytemuck::cast_slice_mut(&mut values).par_chunks_mut(BYTES_A_TASK).zip(stored.par_chunks(BYTES_A_TASK));
    tasks.for_each(|(values, stored): (&mut [u8], &[u8])| values.copy_from_slice(stored));
    values
}

/// Splits a tensor that holds several blocks; the usual single block is handed on without a copy.
fn split_rows<T: Copy>(values: Vec<T>, tensor: &FtTensor, set: &FeatureSet) -> Vec<(usize, Vec<T>)> {
    if tensor.blocks.len() == 1 {
        return vec![(tensor.blocks.start, values)];
    }
    let mut rest = &values[..];
    tensor
        .blocks
        .clone()
        .map(|index| {
            let (part, after) = rest.split_at(set.blocks[index].rows() * tensor.columns);
            rest = after;
            (index, part.to_vec())
        })
        .collect()
}

/// What the file of a network is, without its weights; see [`super::architecture`].
pub(super) fn architecture(bytes: &[u8], expected: &Expectation) -> Result<Architecture> {
    let header = header(bytes)?;
    Ok(Readings::of(bytes, known_layouts(bytes, &header, Extent::Whole)?).expected(expected)?.architecture)
}

impl Layout {
    /// How the wide tensors are stored; `None` where some are and some are not.
    fn compression(&self) -> Option<Compression> {
        let mut wide = self.tensors.iter().filter(|(_, entry)| entry.dtype != DType::I8).map(|(_, entry)| entry.compressed);
        let first = wide.next()?;
        let as_first = if first { Compression::Leb128 } else { Compression::None };
        wide.all(|compressed| compressed == first).then_some(as_first)
    }
}

/// How a whole file is stored; see [`super::compression`].
pub(super) fn compression(bytes: &[u8]) -> Option<Compression> {
    let header = header(bytes).ok()?;
    let first = bytes.get(header.end..header.end.checked_add(LEB128_MAGIC.len())?)?;
    Some(if first == LEB128_MAGIC { Compression::Leb128 } else { Compression::None })
}

/// Reads a network; see [`super::read`].
pub(super) fn read(bytes: &[u8], expected: &Expectation, extent: Extent) -> Result<Parsed> {
    let header = header(bytes)?;
    let readings = Readings::of(bytes, known_layouts(bytes, &header, extent)?);
    let candidates = readings.candidates();
    let layout = readings.expected(expected)?;
    let compression = layout.compression();
    let mut entries: Vec<Entry> = layout.tensors.iter().map(|(_, entry)| entry.clone()).collect();
    entries.extend(dense_entries(&layout.architecture, layout.stacks_at));
    let network = decode(bytes, &header, &layout)?;
    Ok(Parsed { network, compression, candidates, entries, end: layout.end })
}

/// Minimum and maximum of a decoded tensor, in parallel.
pub(super) fn range<T: Copy + Ord + Send + Sync + Into<i64>>(values: &[T]) -> Option<(i64, i64)> {
    let fold = values.par_chunks(1 << 16).filter_map(|part| Some((*part.iter().min()?, *part.iter().max()?)));
    fold.reduce_with(|a, b| (a.0.min(b.0), a.1.max(b.1))).map(|(low, high)| (low.into(), high.into()))
}
