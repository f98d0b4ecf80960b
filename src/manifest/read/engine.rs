//! `[net.NAME.engine]`: a real engine that plays with the written file before it gets its name.

use std::path::Path;

use super::{
    super::{
        identity::FilePath,
        keys,
        text::{Located, Problem, Span, hashed_without_place},
        tree::Item,
    },
    reader::Reader,
    values::Fields,
};
use crate::platform;

/// What a bench has to say for itself where nothing is said.
const TIMEOUT: u64 = 600;

/// Where Debian keeps its engines, which is not on everybody's `PATH`.
const GAMES: [&str; 2] = ["/usr/games", "/usr/local/games"];

/// A `[net.NAME.engine]` table. The program is as written, or, in [`ResolvedNet`](super::super::ResolvedNet), looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine<P> {
    /// The table's header.
    pub span: Span,
    /// The program: a name, or a path.
    pub path: Located<P>,
    /// The UCI option that takes the file; `None`: that of the network's generation.
    pub option: Option<Located<String>>,
    /// Other UCI options, by name, with their values.
    pub options: Vec<(String, Option<String>)>,
    /// What stands behind `bench`; `None` where it is not run.
    pub bench: Option<String>,
    /// Whether the engine writes the net out again.
    pub export: bool,
    /// How often source and result are timed in turn; 0: not at all.
    pub speed: u32,
    /// Seconds that each answer may take.
    pub timeout: u64,
}

hashed_without_place!(Engine<P> { path, option, options, bench, export, speed, timeout });

impl Engine<String> {
    /// The same with its program looked up.
    pub(in super::super) fn resolved(&self, folder: &Path) -> Engine<FilePath> {
        let Self { span, path, option, options, bench, export, speed, timeout } = self.clone();
        Engine { span, path: path.map(|path| program(folder, &path)), option, options, bench, export, speed, timeout }
    }
}

impl Reader<'_> {
    /// What the fields of a net say of it; `false` is nothing, too.
    pub(super) fn engine(&mut self, net: &Fields<'_>) -> Option<Engine<String>> {
        let item = net.get_unless_off("engine")?;
        self.engine_table(&net.path_of("engine"), item)
    }

    fn engine_table(&mut self, path: &str, item: &Item) -> Option<Engine<String>> {
        let fields = self.table(&keys::ENGINE, path, item)?;
        let program = self.required(&fields, "path").map(|(key, item)| self.path_text(&key, item));
        let words = |reader: &mut Self, key: &str| {
            let text = reader.text(&fields, key)?;
            reader.is_of_one_line(&fields.path_of(key), &text).then_some(text)
        };
        let option = words(self, "option");
        let arguments = words(self, "bench_arguments");
        let options = fields.get("options").and_then(|item| {
            let key = fields.path_of("options");
            self.list(&key, item, |reader, key, item| {
                let text = reader.string(key, item)?;
                reader.is_of_one_line(key, &text).then(|| match text.value.split_once('=') {
                    Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
                    None => (text.value.trim().to_owned(), None),
                })
            })
        });
        let (bench, export) = (self.boolean(&fields, "bench").unwrap_or(true), self.boolean(&fields, "export").unwrap_or(true));
        let speed = self.integer::<u32>(&fields, "speed");
        let timeout = self.integer::<u64>(&fields, "timeout").map_or(TIMEOUT, |timeout| timeout.value);
        if !self.in_defaults && !bench {
            let needs = [("speed", speed.as_ref().map(|speed| speed.span)), ("bench_arguments", arguments.as_ref().map(|text| text.span))];
            for (key, span) in needs.into_iter().filter_map(|(key, span)| Some((key, span?))) {
                self.problems.push(
                    Problem::new(
                        format!("`{path}.{key}` needs `bench`"),
                        span,
                        "of a bench",
                        "what is timed is the engine's `bench`, which is turned off",
                        format!("remove `{key}`, or `bench = false`"),
                    )
                    .and(fields.place("bench"), "turned off here"),
                );
            }
            if !export {
                self.problems.push(Problem::new(
                    format!("`{path}` asks nothing of the engine"),
                    fields.span,
                    "neither `bench` nor `export`",
                    "that it starts says nothing of the net",
                    "remove one of the two lines, or write `engine = false`",
                ));
            }
        }
        let span = fields.span;
        self.finish(fields);
        Some(Engine {
            span,
            path: program??,
            option,
            options: options.unwrap_or_default(),
            bench: bench.then(|| arguments.map(|text| text.value.trim().to_owned()).unwrap_or_default()),
            export,
            speed: speed.map_or(0, |speed| speed.value),
            timeout,
        })
    }

    /// What is told to an engine stands in a line of its own: what follows would be another command.
    fn is_of_one_line(&mut self, key: &str, text: &Located<String>) -> bool {
        let is_good = !text.value.trim().is_empty() && !text.value.contains(char::is_control);
        if !is_good {
            self.problems.push(Problem::new(
                format!("`{key}` is no text of one line"),
                text.span,
                "told to the engine",
                "it is empty, or has a line break or another control character",
                "write it in one line",
            ));
        }
        is_good
    }
}

/// The program that is meant: a name alone is looked up as a shell does, a path is relative to the folder of the manifest.
fn program(folder: &Path, typed: &str) -> FilePath {
    if typed.contains('/') {
        return FilePath::new(folder, typed);
    }
    let found = platform::find_program(typed, &GAMES);
    found.map_or_else(|| FilePath::new(folder, typed), |resolved| FilePath { typed: typed.to_owned(), resolved })
}
