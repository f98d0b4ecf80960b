//! Architectures as text: those that come with the program, as files that users can print, copy and change, and those that users write.
//! What a text says is read by `family::described`.

use std::sync::Arc;

/// The text of an architecture, with what is to be laid over it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Description {
    /// Its name, for messages: that of a shipped architecture, of a file, or of a table in a manifest.
    pub name: String,
    /// The file that holds it, for messages.
    pub file: String,
    /// TOML.
    pub text: Arc<str>,
    /// The keys of the table in the text that is the architecture; none where the whole text is.
    pub table: Vec<String>,
    /// `KEY=VALUE`, as `--set` takes them.
    pub overrides: Vec<String>,
}

impl From<&Shipped> for Description {
    fn from(shipped: &Shipped) -> Self {
        let (name, text) = (shipped.name.to_owned(), shipped.text.into());
        Self { file: name.clone(), name, text, table: Vec::new(), overrides: Vec::new() }
    }
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// What `--architecture` takes.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// All of them, by name.
        pub const ALL: &[Shipped] = &[$(Shipped { name: $name, text: include_str!(concat!("architectures/", $name, ".toml")) }),*];
    };
}

shipped![
    "alexandria",
    "bullet",
    "bullet-simple",
    "fairy",
    "integral",
    "obsidian",
    "plentychess",
    "reckless",
    "shogi",
    "shogi-sfnn",
    "stockfish-16x704",
    "stockfish-768",
    "stormphrax",
    "viridithas",
];

/// The one of this name, whatever the case of its letters.
pub fn find(name: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| shipped.name.eq_ignore_ascii_case(name))
}
