//! What an input is to the action that reads it: the label of an edge, and the input's name in the key.

use std::fmt;

/// The role of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The file that a network is loaded from.
    Source,
    /// A further part of that file, numbered from 1, where it is split into several.
    Part(u32),
    /// A network.
    Network,
    /// A further network, numbered from 1.
    Other(u32),
    /// The floats that a network was made from.
    Floats,
    /// A file that was written: whoever has such an input looks at it before it gets its name.
    Published,
    /// The program of an engine.
    Engine,
    /// A file of positions; the number is its place in the stream.
    Data(u32),
    /// An activation matrix.
    Matrix,
    /// A permutation.
    Permutation,
    /// The proof of a net that the input was made from: it is waited for, and decides nothing of the result.
    Proof,
    /// A program that gets a network at its end.
    Program,
}

impl fmt::Display for Role {
    /// The name in keys and drawings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Part(number) => write!(f, "source.{number}"),
            Self::Network => f.write_str("network"),
            Self::Other(number) => write!(f, "network.{number}"),
            Self::Floats => f.write_str("floats"),
            Self::Published => f.write_str("published"),
            Self::Engine => f.write_str("engine"),
            Self::Data(place) => write!(f, "data.{place}"),
            Self::Matrix => f.write_str("matrix"),
            Self::Permutation => f.write_str("permutation"),
            Self::Proof => f.write_str("proof"),
            Self::Program => f.write_str("program"),
        }
    }
}

impl Role {
    /// Whether such an input is part of the key of the action that has it.
    pub const fn is_in_key(self) -> bool {
        match self {
            Self::Source | Self::Part(_) | Self::Network | Self::Other(_) | Self::Floats | Self::Published | Self::Data(_) => true,
            Self::Engine | Self::Matrix | Self::Permutation | Self::Program => true,
            Self::Proof => false,
        }
    }

    /// Whether such an input goes to another machine with an action that has it. Floats are many times what is made of them.
    pub const fn travels(self) -> bool {
        !matches!(self, Self::Floats)
    }

    /// Reads a name back.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "source" => Some(Self::Source),
            "network" => Some(Self::Network),
            "floats" => Some(Self::Floats),
            "published" => Some(Self::Published),
            "engine" => Some(Self::Engine),
            "matrix" => Some(Self::Matrix),
            "permutation" => Some(Self::Permutation),
            "proof" => Some(Self::Proof),
            "program" => Some(Self::Program),
            _ => {
                let (kind, number) = name.split_once('.')?;
                let number = number.parse().ok()?;
                match kind {
                    "source" => Some(Self::Part(number)),
                    "network" => Some(Self::Other(number)),
                    "data" => Some(Self::Data(number)),
                    _ => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
