//! WebAssembly modules: the memory that a module starts with, in which an engine's network stands.
//!
//! A linker puts constant data into segments and drops long runs of zeros between them, so a network lies in several pieces. Segments
//! are active (placed when the module is instantiated) or passive (placed by `memory.init` in the code, with constant operands in
//! all modules that linkers write). This room puts them at their addresses; it runs nothing.
//!
//! # Limitations
//! * Segments whose address is not a constant are left out.
//! * Memory that is computed, such as a decompressed network, is not there.

use std::path::{Path, PathBuf};

use wasmparser::{DataKind, Operator, Parser, Payload};

use crate::error::{Error, Result};

/// What a module begins with.
pub const MAGIC: &[u8; 4] = b"\0asm";

/// The image may be larger than the module by this factor, for the zeros that were dropped …
const LARGEST_FACTOR: u64 = 4;
/// … or by this many bytes.
const LARGEST_EXTRA: u64 = 16 << 20;

/// A piece of memory.
struct Piece<'a> {
    address: u64,
    bytes: &'a [u8],
}

/// How the name of the first file of a split build ends.
pub const FIRST_PART: &str = "-part-0.wasm";

/// The name of a file of a split build whose names begin so.
pub fn part_of(begin: &str, number: usize) -> String {
    format!("{begin}-part-{number}.wasm")
}

/// The other files of a build that is split into files of one module: those beside the first of `…-part-0.wasm`, `…-part-1.wasm` …, in
/// order. `None` where `path` is not the first of several.
pub fn other_parts(path: &Path) -> Option<Vec<PathBuf>> {
    let begin = path.file_name()?.to_str()?.strip_suffix(FIRST_PART)?;
    let part = |number: usize| Some(path.with_file_name(part_of(begin, number))).filter(|part| part.is_file());
    let parts: Vec<PathBuf> = (1..).map_while(part).collect();
    (!parts.is_empty()).then_some(parts)
}

/// The memory as the module's constant data fills it, from the first byte of data to the last; all else is zero.
///
/// # Errors
/// When the module is damaged or cut off (the error names the byte), or asks for far more memory than it has data.
pub fn memory(module: &[u8]) -> Result<Vec<u8>> {
    let pieces = pieces(module)?;
    let Some(start) = pieces.iter().map(|piece| piece.address).min() else { return Ok(Vec::new()) };
    let end = pieces.iter().map(|piece| piece.address + piece.bytes.len() as u64).max().unwrap_or(start);
    let limit = (module.len() as u64).saturating_mul(LARGEST_FACTOR).saturating_add(LARGEST_EXTRA);
    let length = usize::try_from(end - start).ok().filter(|length| *length as u64 <= limit);
    let Some(length) = length else {
        return Err(Error::new(format!("the module's data spans {} bytes of memory", end - start))
            .because(format!("a module of {} bytes may span {limit}: the file is damaged", module.len())));
    };
    let mut memory = vec![0; length];
    for piece in pieces {
        let at = (piece.address - start) as usize;
        memory[at..at + piece.bytes.len()].copy_from_slice(piece.bytes);
    }
    Ok(memory)
}

/// All data with a constant address, in the order in which it is placed.
fn pieces(module: &[u8]) -> Result<Vec<Piece<'_>>> {
    let mut placed = Vec::new();
    let mut passive: Vec<Option<&[u8]>> = Vec::new();
    let mut inits = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(|error| damaged(&error))? {
            Payload::DataSection(section) => {
                for data in section {
                    let data = data.map_err(|error| damaged(&error))?;
                    match data.kind {
                        DataKind::Active { memory_index: 0, offset_expr } => {
                            passive.push(None);
                            if let Some(address) = constant(offset_expr.get_operators_reader().into_iter().next()) {
                                placed.push(Piece { address, bytes: data.data });
                            }
                        }
                        DataKind::Active { .. } => passive.push(None),
                        DataKind::Passive => passive.push(Some(data.data)),
                    }
                }
            }
            // The code comes before the data that it places.
            Payload::CodeSectionEntry(body) => {
                // Only modules with threads place their data themselves; the others have no such instruction, and most bodies none.
                inits.extend(inits_of(&body)?);
            }
            _ => {}
        }
    }
    for Init { segment, address, from, length } in inits {
        let bytes = passive.get(segment as usize).copied().flatten();
        let piece = bytes.and_then(|bytes| bytes.get(usize::try_from(from).ok()?..usize::try_from(from.checked_add(length)?).ok()?));
        if let Some(bytes) = piece {
            placed.push(Piece { address, bytes });
        }
    }
    Ok(placed)
}

/// A `memory.init` with constant operands.
struct Init {
    segment: u32,
    address: u64,
    from: u64,
    length: u64,
}

/// The bytes of `memory.init`: the prefix of its group, and its number there.
const MEMORY_INIT: [u8; 2] = [0xFC, 0x08];

fn inits_of(body: &wasmparser::FunctionBody<'_>) -> Result<Vec<Init>> {
    // Decoding all code of a module would take longer than all the rest.
    if !body.as_bytes().windows(2).any(|pair| pair == MEMORY_INIT) {
        return Ok(Vec::new());
    }
    let mut inits = Vec::new();
    let mut last = [None; 3];
    let mut operators = body.get_operators_reader().map_err(|error| damaged(&error))?;
    while !operators.eof() {
        // An instruction that this reader does not know ends what is known of the body.
        let Ok(operator) = operators.read() else { break };
        if let Operator::MemoryInit { data_index, mem: 0 } = operator
            && let [Some(address), Some(from), Some(length)] = last
        {
            inits.push(Init { segment: data_index, address, from, length });
        }
        last = [last[1], last[2], constant(Some(Ok(operator)))];
    }
    Ok(inits)
}

/// The value of a constant instruction.
fn constant(operator: Option<wasmparser::Result<Operator<'_>>>) -> Option<u64> {
    match operator {
        Some(Ok(Operator::I32Const { value })) => Some(u64::from(value.cast_unsigned())),
        Some(Ok(Operator::I64Const { value })) => Some(value.cast_unsigned()),
        _ => None,
    }
}

fn damaged(error: &wasmparser::BinaryReaderError) -> Error {
    Error::new(format!("the WebAssembly module is damaged or cut off at byte {}", error.offset()))
        .because(error.message())
        .help("download or copy it again; of a build in parts (`…-part-0.wasm` …) make one file: `cat NAME-part-*.wasm > NAME.wasm`")
}

#[cfg(test)]
mod tests;
