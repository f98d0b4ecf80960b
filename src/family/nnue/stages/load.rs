//! `load`: a source file → a network, integer (`.nnue`, engine binaries) or float (checkpoints and files of tensors); and a file → a
//! permutation.
//!
//! The file's content decides how it is read, never its name. Packed files are unpacked.

use std::path::Path;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::files::Bytes;
use crate::format::checkpoint::{self, check_chosen};
use crate::format::nnue::{self, Expectation, Parsed};
use crate::format::sources::{Holds, identify, no_network_inside, not_a_network, searched, unpacked, whole};
use crate::format::state_dict::{self, StateDict};
use crate::net::{Factorized, Network, Permutation};
use crate::permutation::{self, order};

/// What a source file holds.
pub enum Loaded {
    /// Integer weights, as stored.
    Quantized(Box<Parsed>),
    /// Float weights, to be coalesced and quantized.
    Float(Box<Network<Factorized>>),
}

/// Loads the network of `path`, checking what the user expects of it.
///
/// # Errors
/// When the file cannot be read, holds no network or a damaged one, or another one than expected. The message names the file.
pub fn load(path: &Path, expected: &Expectation) -> Result<Loaded> {
    load_file(whole(path)?, path, expected)
}

/// As [`load`], from the bytes of the file; `path` is for messages.
///
/// # Errors
/// As [`load`].
pub fn load_file(bytes: Bytes, path: &Path, expected: &Expectation) -> Result<Loaded> {
    load_bytes(bytes, expected).map_err(|error| error.context(format!("cannot load `{}`", path.display())))
}

/// As [`load_file`], and warns of what a user should know of the file all the same.
///
/// # Errors
/// As [`load`].
pub fn load_noted(bytes: Bytes, path: &Path, expected: &Expectation, ctx: &Ctx) -> Result<Loaded> {
    let loaded = load_file(bytes.clone(), path, expected)?;
    if let Some(note) = checkpoint::note(&bytes) {
        ctx.warn(format!("`{}`: {note}", path.display()));
    }
    if let Loaded::Float(network) = &loaded
        && expected.architecture.is_none()
        && let taken = network.architecture.generation
        && let Some(other) = state_dict::passed_over(taken)
        && load_bytes(bytes, &Expectation { architecture: Some(other), ..expected.clone() }).is_ok()
    {
        ctx.warn(format!(
            "`{}` is taken for {} ({}), and can also be of {} ({}), which is stored otherwise: `architecture` says which",
            path.display(),
            taken.name,
            taken.about,
            other.name,
            other.about
        ));
    }
    Ok(loaded)
}

/// As [`load`], from bytes.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(bytes: Bytes, expected: &Expectation) -> Result<Loaded> {
    let (bytes, _) = unpacked(bytes)?;
    let chosen = expected.state_dict.as_deref();
    match identify(&bytes).holds() {
        Holds::Integers => {
            check_chosen(chosen, "a `.nnue` file")?;
            Ok(Loaded::Quantized(Box::new(nnue::read(&bytes, expected)?)))
        }
        Holds::Program => {
            check_chosen(chosen, "a program")?;
            Ok(Loaded::Quantized(Box::new(load_embedded(&bytes, expected)?)))
        }
        Holds::Tensors(read) => Ok(Loaded::Float(Box::new(state_dict::network(read(bytes, chosen)?, expected)?))),
        Holds::Array | Holds::Positions | Holds::Packed(_) | Holds::Unmarked | Holds::Nothing => Err(not_a_network(&bytes)),
    }
}

/// The tensors of a file of floats, from its bytes: for who reads them in several ways.
///
/// # Errors
/// When the file is damaged, or holds integers or no network.
pub fn load_tensors(bytes: Bytes) -> Result<StateDict> {
    let (bytes, _) = unpacked(bytes)?;
    match identify(&bytes).holds() {
        Holds::Tensors(read) => read(bytes, None),
        Holds::Integers | Holds::Program => Err(Error::new("the file holds integers")),
        Holds::Array | Holds::Positions | Holds::Packed(_) | Holds::Unmarked | Holds::Nothing => Err(not_a_network(&bytes)),
    }
}

/// The one network inside an engine that the user's expectations fit.
fn load_embedded(bytes: &[u8], expected: &Expectation) -> Result<Parsed> {
    let bytes = &*searched(bytes)?;
    let found = nnue::find_embedded(bytes)?;
    let mut fitting = Vec::new();
    let mut refusal = None;
    for embedded in &found {
        match nnue::read(&bytes[embedded.offset..embedded.offset + embedded.bytes], expected) {
            Ok(parsed) => fitting.push(parsed),
            Err(error) => refusal = Some(error),
        }
    }
    let list = || found.iter().map(|net| format!("{} at offset {}", net.summary, net.offset)).collect::<Vec<_>>().join(", ");
    match (fitting.pop(), refusal) {
        (Some(parsed), _) if fitting.is_empty() => Ok(parsed),
        (Some(_), _) => Err(Error::new("this program holds several networks").because(list()).help("say which by `l1` or `features`")),
        (None, Some(refusal)) if found.len() == 1 => Err(refusal),
        (None, Some(_)) => Err(Error::new("this program holds no network like the expected one").because(list())),
        (None, None) => Err(no_network_inside(bytes)),
    }
}

/// Reads a permutation: a `.npy` file, or numbers in a text.
///
/// # Errors
/// When it cannot be read or does not hold a permutation; the message names it.
pub fn load_permutation(path: &Path) -> Result<Permutation> {
    read_permutation(&Bytes::map(path)?).map_err(|error| error.context(format!("cannot use the permutation `{}`", path.display())))
}

/// As [`load_permutation`], of the bytes of a file.
///
/// # Errors
/// When they do not hold a permutation.
pub fn read_permutation(bytes: &[u8]) -> Result<Permutation> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| !matches!(identify(bytes).holds(), Holds::Array));
    text.map_or_else(|| permutation::read_permutation(bytes), order::parse)
}
