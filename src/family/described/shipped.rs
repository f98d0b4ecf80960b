//! The architectures that come with the program, as files that users can print, copy and change.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::described::Architecture;

    #[test]
    fn each_is_without_mistakes_and_says_what_it_is() {
        for shipped in ALL {
            let architecture =
                Architecture::parse(shipped.name, shipped.text, &[]).unwrap_or_else(|error| panic!("{}: {error}", shipped.name));
            assert!(!architecture.description().is_empty(), "{}", shipped.name);
            assert!(!architecture.layout_names().is_empty(), "{}", shipped.name);
        }
    }
}
