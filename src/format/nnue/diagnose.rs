//! Networks in this format of a kind that no table knows: of shogi, of variants, of engines that went their own way.
//!
//! Every such file says its header's hash, and begins every layer stack with it: hashes at even distances, the last of them one distance
//! before the end, show where the stacks are, however many rows the transformer has. The rest follows: the sizes whose stacks have that
//! hash and that length, and the rows that the transformer's bytes come to.

use std::fmt::Write as _;

use super::layout::stack_bytes;
use super::{LEB128_MAGIC, MAX_DESCRIPTION};
use crate::error::Error;
use crate::files::Reader;
use crate::net::{FeatureSet, GENERATIONS, Generation, fc_hash, padded};

/// Stacks larger than this are not looked for, bytes.
const LARGEST_STACK: usize = 4 << 20;
/// Most layer stacks that are counted.
const MOST_STACKS: usize = 64;
/// Largest L1 that is taken for one.
const LARGEST_L1: usize = 8192;
/// L2 and L3 are looked for up to this.
const LARGEST_HIDDEN: usize = 128;

/// L1, L2, L3 and the generation whose layers these are.
type Sizes = (usize, usize, usize, &'static str);

/// What such a file shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    version: u32,
    description: String,
    ft_hash: u32,
    /// Layer stacks that begin with their hash, up to the file's end.
    pub stacks: usize,
    stack_bytes: usize,
    /// Where the first stack begins, counted from the network's first byte.
    stacks_at: usize,
    sizes: Option<Sizes>,
    rows: Option<usize>,
    /// Length of the network in bytes.
    pub bytes: usize,
}

/// Looks at a whole file; `None` where it shows no layer stacks.
pub fn diagnose(bytes: &[u8]) -> Option<Unknown> {
    let head = Head::of(bytes)?;
    let farthest = bytes.len().saturating_sub(LARGEST_STACK).max(head.end);
    let tail = bytes.get(farthest..)?;
    let at = farthest + tail.windows(4).rposition(|word| word == head.fc_hash.to_le_bytes())?;
    let stack = bytes.len() - at;
    let word = |stacks: usize| Some(Reader::new(bytes).at(bytes.len().checked_sub(stacks * stack)?).u32().ok()? == head.fc_hash);
    let stacks = (1..=MOST_STACKS).take_while(|stacks| word(*stacks) == Some(true)).count();
    head.unknown(bytes, bytes.len() - stacks * stack, stacks, stack)
}

/// Looks for one that stands at the beginning of `bytes`, which go on behind it. Several stacks must be there: of one the end is open.
pub fn diagnose_inside(bytes: &[u8]) -> Option<Unknown> {
    const FEWEST: usize = 4;
    let head = Head::of(bytes)?;
    if head.description.is_empty() || head.description.chars().any(|c| c.is_control() && !c.is_whitespace() || c == '\u{FFFD}') {
        return None;
    }
    let hash = head.fc_hash.to_le_bytes();
    let find = |from: usize, most: usize| {
        let end = from.saturating_add(most).min(bytes.len());
        Some(from + bytes.get(from..end)?.windows(4).position(|word| word == hash)?)
    };
    let first = find(head.end, bytes.len())?;
    let stack = find(first + 4, LARGEST_STACK)? - first;
    let is_stack = |index: usize| Reader::new(bytes).at(first + index * stack).u32().is_ok_and(|word| word == head.fc_hash);
    let stacks = (0..MOST_STACKS).take_while(|index| is_stack(*index)).count();
    let end = first + stacks * stack;
    (stacks >= FEWEST && end <= bytes.len()).then(|| head.unknown(&bytes[..end], first, stacks, stack))?
}

/// The words before the weights, of any version.
struct Head {
    version: u32,
    description: String,
    ft_hash: u32,
    fc_hash: u32,
    end: usize,
}

impl Head {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (version, hash) = (reader.u32().ok()?, reader.u32().ok()?);
        let length = usize::try_from(reader.u32().ok()?).ok().filter(|length| *length <= MAX_DESCRIPTION)?;
        let description = String::from_utf8_lossy(reader.take(length).ok()?).into_owned();
        let ft_hash = reader.u32().ok()?;
        let fc_hash = hash ^ ft_hash;
        // Zeros stand everywhere.
        (fc_hash != 0 && version != 0).then(|| Self { version, description, ft_hash, fc_hash, end: reader.position() })
    }

    fn unknown(self, bytes: &[u8], stacks_at: usize, stacks: usize, stack: usize) -> Option<Unknown> {
        let transformer = bytes.get(self.end..stacks_at)?;
        let packed = Packed::of(transformer);
        let sizes = self.sizes(stack, packed.as_ref().and_then(|packed| packed.values.first().copied()));
        let rows = sizes.and_then(|(l1, ..)| match &packed {
            Some(packed) => packed.values.get(1).filter(|count| count.is_multiple_of(l1)).map(|count| count / l1),
            None => {
                // Files with several stacks have a column for each.
                let row = 2 * l1 + if stacks > 1 { 4 * stacks } else { 0 };
                let rest = transformer.len().checked_sub(2 * l1)?;
                rest.is_multiple_of(row).then_some(rest / row)
            }
        });
        Some(Unknown {
            version: self.version,
            description: self.description,
            ft_hash: self.ft_hash,
            stacks,
            stack_bytes: stack,
            stacks_at,
            sizes,
            rows: rows.filter(|rows| *rows > 0),
            bytes: bytes.len(),
        })
    }

    /// The sizes whose stacks have the hash and the length. Those that a generation was trained with come first, then those of which a known
    /// feature set has the transformer's hash, then the smaller.
    fn sizes(&self, stack: usize, l1: Option<usize>) -> Option<Sizes> {
        let known: Vec<usize> = FeatureSet::known().iter().map(|set| ((self.ft_hash ^ set.hash) / 2) as usize).collect();
        let mut wirings: Vec<&Generation> = Vec::new();
        for generation in &GENERATIONS {
            if !wirings.iter().any(|other| other.wiring.dense_shapes(64, 5, 7) == generation.wiring.dense_shapes(64, 5, 7)) {
                wirings.push(generation);
            }
        }
        let mut found: Option<((bool, bool), Sizes)> = None;
        for generation in wirings {
            for (l2, l3) in (1..=LARGEST_HIDDEN).flat_map(|l2| (1..=LARGEST_HIDDEN).map(move |l3| (l2, l3))) {
                for l1 in l1s(generation, l2, l3, stack).filter(|found| l1.is_none_or(|l1| l1 == *found)) {
                    let [(first, _), (second, _), _] = generation.wiring.dense_shapes(l1, l2, l3);
                    if fc_hash(l1, first, second) != self.fc_hash {
                        continue;
                    }
                    let trained =
                        GENERATIONS.iter().find(|one| one.wiring == generation.wiring && (one.l1, one.l2, one.l3) == (l1, l2, l3));
                    let rank = (known.contains(&l1), trained.is_some());
                    if found.is_none_or(|(other, _)| rank > other) {
                        found = Some((rank, (l1, l2, l3, trained.unwrap_or(generation).name)));
                    }
                }
            }
        }
        found.map(|(_, sizes)| sizes)
    }
}

/// Every L1, a multiple of 16, with which a stack of these layers has so many bytes.
fn l1s(generation: &Generation, l2: usize, l3: usize, stack: usize) -> impl Iterator<Item = usize> {
    let shapes = generation.wiring.dense_shapes(32, l2, l3);
    let ((first, inputs), with_32) = (shapes[0], stack_bytes(&shapes));
    // All else does not depend on L1: the rows of the first layer are as long as is left for them.
    let row = stack.checked_sub(with_32 - first * padded(inputs)).filter(|rest| rest.is_multiple_of(first)).map_or(0, |rest| rest / first);
    let sides = inputs / 32;
    let l1s = [row.saturating_sub(16) / sides, row / sides];
    let fits = move |l1: &usize| l1.is_multiple_of(16) && (16..=LARGEST_L1).contains(l1) && padded(sides * l1) == row;
    l1s.into_iter().filter(fits)
}

/// The number of values of each packed tensor.
struct Packed {
    values: Vec<usize>,
}

impl Packed {
    fn of(mut rest: &[u8]) -> Option<Self> {
        let mut values = Vec::new();
        while let Some(inner) = rest.strip_prefix(LEB128_MAGIC) {
            let length = Reader::new(inner).u32().ok()? as usize;
            let data = inner.get(4..length.checked_add(4)?)?;
            // The last byte of each number has its highest bit clear.
            values.push(data.iter().filter(|byte| **byte < 0x80).count());
            rest = &inner[4 + length..];
        }
        (!values.is_empty()).then_some(Self { values })
    }
}

impl Unknown {
    /// Whether it is whole and of an unknown kind, as far as it shows, rather than one of a known kind that is damaged.
    pub fn is_whole(&self) -> bool {
        let Some((l1, ..)) = self.sizes else { return self.stacks > 1 };
        let hash = |set: &FeatureSet| (self.ft_hash ^ set.hash) as usize == 2 * l1;
        let rows = |set: &FeatureSet| set.blocks.iter().map(|block| block.rows()).sum::<usize>();
        match self.rows {
            Some(found) => !FeatureSet::known().iter().any(|set| hash(set) && rows(set) == found),
            None => self.stacks > 1 && !FeatureSet::known().iter().any(hash),
        }
    }

    /// In one line, for lists.
    pub fn summary(&self) -> String {
        let mut text = format!("a transformer with the hash {:#010X}", self.ft_hash);
        if let Some(rows) = self.rows {
            let _ = write!(text, " and {rows} rows");
        }
        let _ = write!(text, ", {} layer stack{} of {} bytes", self.stacks, if self.stacks == 1 { "" } else { "s" }, self.stack_bytes);
        text
    }

    /// What the file shows, one fact a line.
    pub fn facts(&self) -> Vec<String> {
        let mut facts = vec![format!("its version is {:#010X}, its feature transformer's hash {:#010X}", self.version, self.ft_hash)];
        let stacks = if self.stacks == 1 { "1 layer stack".to_owned() } else { format!("{} layer stacks", self.stacks) };
        let sizes = match self.sizes {
            Some((l1, l2, l3, name)) => format!("; their hash and length are those of L1={l1}, L2={l2}, L3={l3} with layers as in {name}"),
            None => "; no known layers have their hash and length".to_owned(),
        };
        facts.push(format!("{stacks} of {} bytes from offset {} on{sizes}", self.stack_bytes, self.stacks_at));
        if let Some(rows) = self.rows {
            facts.push(format!("its transformer has {rows} rows{}", nearest(rows)));
        }
        if !self.description.is_empty() {
            let shown: String = self.description.chars().take(120).collect();
            facts.push(format!("its description is `{}`", shown.escape_debug()));
        }
        facts
    }

    /// The refusal to read it.
    pub fn refusal(&self) -> Error {
        let error = Error::new("this is a network in Stockfish's format of a kind that is in no table");
        let error = self.facts().into_iter().fold(error, |error, fact| error.because(fact));
        error.help("describe its layout in an architecture file (`nnue architecture show fairy` is an example), and convert it with `--architecture FILE`")
    }
}

/// What a number of rows suggests.
fn nearest(rows: usize) -> String {
    /// Rows a king's square has.
    const KINDS: [(usize, &str); 5] = [
        (641, "a row for each square of 10 kinds of pieces and an unused one, as in HalfKP"),
        (704, "each square of 11 kinds of pieces, as in HalfKAv2_hm"),
        (768, "each square of 12 kinds of pieces"),
        (769, "each square of 12 kinds of pieces and an unused one, as in HalfKA"),
        (1548, "the pieces of shogi, as in YaneuraOu's HalfKP"),
    ];
    let known = FeatureSet::known().into_iter().find(|set| set.blocks.iter().map(|block| block.rows()).sum::<usize>() == rows);
    if let Some(set) = known {
        return format!(", as many as {}", set.name());
    }
    let kind = KINDS.iter().find(|(row, _)| rows.is_multiple_of(*row) && rows / row <= 128);
    match kind {
        Some((row, what)) if rows == *row => format!(": {what}, the same for every square of the king"),
        Some((row, what)) => format!(" = {} · {row}: {} places of the king, {what}", rows / row, rows / row),
        None => ": of a variant with other pieces or another board?".to_owned(),
    }
}

#[cfg(test)]
mod tests;
