//! `[watch]`: what `nnue watch` does besides building.

use super::{
    super::{
        keys, placeholders,
        text::{Located, Problem},
        tree::Item,
    },
    reader::Reader,
};
use crate::words::suggest;

/// The words in braces that a program's arguments may hold.
const HOOK_WORDS: [&str; 3] = ["path", "net", "sha256"];

/// A program that is run for each net that `nnue watch` published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments, at least the program.
    pub run: Vec<Located<String>>,
}

impl Hook {
    /// The arguments with what their words stand for.
    pub fn arguments(&self, values: &[(&str, String)]) -> Vec<String> {
        let value = |word: &str| values.iter().find(|(name, _)| *name == word).map(|(_, value)| value.as_str());
        self.run.iter().map(|argument| placeholders::fill(&argument.value, value)).collect()
    }
}

impl Reader<'_> {
    pub(super) fn watch(&mut self, item: &Item) -> Option<Hook> {
        let fields = self.table(&keys::WATCH, "watch", item)?;
        let key = fields.path_of("run");
        let run = fields.get("run").and_then(|item| {
            let run = self.list(&key, item, |reader, key, item| reader.string(key, item))?;
            run.iter().for_each(|argument| self.argument(&key, argument));
            self.program(&key, &run)?;
            Some(run)
        });
        self.finish(fields);
        Some(Hook { run: run? })
    }

    /// Refuses what a shell would have to take apart.
    fn program(&mut self, key: &str, run: &[Located<String>]) -> Option<()> {
        let program = run.first()?;
        let (cause, help) = if program.value.trim().is_empty() {
            ("it is empty", "write the program first: `run = [\"notify-send\", \"{path}\"]`".to_owned())
        } else if run.len() == 1 && program.value.contains(char::is_whitespace) {
            let parts: Vec<String> = program.value.split_whitespace().map(|part| format!("\"{part}\"")).collect();
            ("no shell takes it apart", format!("write the program and each argument: `run = [{}]`", parts.join(", ")))
        } else {
            return Some(());
        };
        self.problems.push(Problem::new(format!("`{key}` names no program"), program.span, "this program", cause, help));
        None
    }

    /// Other words in braces stay as they are, for programs such as `awk`; one that looks like a slip does not.
    fn argument(&mut self, key: &str, argument: &Located<String>) {
        if argument.value.contains('\0') {
            let problem =
                Problem::new(format!("`{key}` has a NUL in it"), argument.span, "this argument", "no program can get it", "remove it");
            self.problems.push(problem);
        }
        for (word, range) in placeholders::words(&argument.value) {
            if HOOK_WORDS.contains(&word) {
                continue;
            }
            if let Some(meant) = suggest(word, HOOK_WORDS) {
                self.problems.push(Problem::new(
                    format!("`{{{word}}}` has no value in `{key}`"),
                    self.texts.inside(argument.span, &argument.value, range),
                    "this word",
                    "it would be handed on as it stands",
                    format!("did you mean `{{{meant}}}`? known: `{{path}}`, `{{net}}`, `{{sha256}}`"),
                ));
            }
        }
    }
}
