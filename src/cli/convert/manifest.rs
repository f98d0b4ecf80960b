//! A command line of `serialize.py`, or of `nnue convert`, as a manifest that says the same.

use std::path::Path;

use clap::{Args as _, Command, FromArgMatches};

use super::options::{Args, PtProfile};
use super::request::{check, folder_for_sha};
use crate::cli::network::ArchitectureName;
use crate::cli::shell_words::split;
use crate::error::{Error, Result};
use crate::files::typed;
use crate::words::{Algorithm, Overflow};

/// The manifest's text, and the name of its net. Paths stay as they were typed: the manifest belongs where the command would have run.
///
/// # Errors
/// When it is no such command line, or asks for what a manifest cannot say.
pub(crate) fn of_command_line(line: &str, name_of: impl Fn(&Path) -> String) -> Result<String> {
    let words = words(line)?;
    let begin = words.iter().position(|word| word.ends_with("serialize.py") || word == "convert").ok_or_else(|| {
        Error::usage("this is not a command line of `serialize.py`")
            .because(format!("it has no word that ends with `serialize.py`: `{}`", line.escape_debug()))
            .help("give it whole and as one argument: `nnue init --from-serialize \"python serialize.py a.ckpt b.nnue --l1=1024\"`")
    })?;
    let command = Args::augment_args(Command::new("serialize.py").no_binary_name(true));
    let args = command.try_get_matches_from(&words[begin + 1..]).and_then(|matches| Args::from_arg_matches(&matches)).map_err(|error| {
        let text = error.render().to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Error::usage("the command line cannot be read").because(lines.first().map_or("", |line| line.trim_start_matches("error: ")))
    })?;
    check(&args)?;
    text(&args, name_of)
}

fn text(args: &Args, name_of: impl Fn(&Path) -> String) -> Result<String> {
    if args.pt_profile != PtProfile::StateDict || args.source_is.described().is_some() || args.to.is_some() {
        return Err(Error::usage("a manifest has no keys for described architectures and `--pt-profile`").help("run the command itself"));
    }
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let path = |path: &Path| {
        path.to_str().ok_or_else(|| Error::usage(format!("`{}` is not UTF-8", path.display())).help("rename the file"))?;
        Ok::<_, Error>(quoted(&typed(path)))
    };
    let mut lines = vec!["version = 1".to_owned(), String::new(), "[source.run]".to_owned(), format!("path = {}", path(&args.source)?)];
    let is = &args.source_is;
    lines.extend(is.features.as_ref().map(|features| format!("features = {}", quoted(features))));
    lines.extend([("l1", is.l1), ("l2", is.l2), ("l3", is.l3)].into_iter().filter_map(|(key, size)| Some(format!("{key} = {}", size?))));
    if let Some(ArchitectureName::Generation(generation)) = &is.architecture {
        lines.push(format!("architecture = {}", quoted(generation.name)));
    }
    let quantization = is.quantization.or_else(|| args.trainer.quantization());
    lines.extend(quantization.map(|scales| format!("quantization = {}", quoted(scales.name))));
    if args.overflow != Overflow::Error {
        lines.push(format!("overflow = {}", quoted(args.overflow.name())));
    }
    if args.optimize {
        let files = args.data.iter().map(|file| path(file)).collect::<Result<Vec<_>>>()?;
        lines.extend([String::new(), "[data.positions]".to_owned(), format!("path = [{}]", files.join(", "))]);
    }
    let net = name_of(if args.out_sha { &args.source } else { &args.target });
    lines.extend([String::new(), format!("[net.{net}]"), "source = \"run\"".to_owned()]);
    lines.extend(args.description.as_ref().map(|description| format!("description = {}", quoted(description))));
    lines.extend(args.compression.map(|compression| format!("compression = {}", quoted(compression.name()))));
    let output = if args.out_sha { folder_for_sha(&args.target).join("") } else { args.target.clone() };
    lines.push(format!("outputs = [{}]", path(&output)?));
    if let Some(perm) = &args.perm {
        lines.push(format!("permutation = {}", path(perm)?));
    }
    if args.optimize {
        lines.extend([String::new(), format!("[net.{net}.optimize]"), "data = \"positions\"".to_owned()]);
        lines.extend(args.count.map(|count| format!("positions = {count}")));
        if args.seed != 0 {
            lines.push(format!("seed = {}", args.seed));
        }
        if args.search.algorithm != Algorithm::Greedy {
            lines.push(format!("algorithm = {}", quoted(args.search.algorithm.name())));
        }
        let budget = args.search.params(args.seed)?.budget;
        lines.extend(args.search.algorithm.budget().zip(budget).map(|(name, budget)| format!("{name} = {budget}")));
        let filters = args.filters.as_toml();
        if !filters.is_empty() {
            lines.extend([String::new(), format!("[net.{net}.optimize.filters]")]);
            lines.extend(filters);
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// The words of one command. What a shell does around it is not the command's.
fn words(line: &str) -> Result<Vec<String>> {
    let (mut words, last) = split(line, "");
    if last.quoted {
        return Err(Error::usage("the command line has a quote that is not closed").help("close it"));
    }
    if words.iter().any(|word| word == "cd") {
        return Err(Error::usage("the command line changes the folder")
            .because("its paths would be taken from here")
            .help("run it in that folder, with `-C FOLDER`, without the `cd`"));
    }
    let is_of_shell = |word: &String| word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['>', '|', ';', '&']);
    words.truncate(words.iter().position(is_of_shell).unwrap_or(words.len()));
    if line.ends_with(char::is_whitespace) {
        // Nothing was typed behind it.
        words.pop_if(|word| word.is_empty());
    }
    Ok(words)
}

#[cfg(test)]
mod tests;
