//! `nnue completions`, and the answers to the scripts that it prints: they ask the program itself what may stand at the cursor, so that
//! also the nets of the manifest at hand and files are completed.
//!
//! What may stand somewhere is found by `clap_complete`, as is the script of every shell but one: bash splits words at `=` and `:`, which
//! names of nets and of checkpoints have, so that its line is split here.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell, Zsh};
use clap_complete::{ArgValueCompleter, Shell};

use super::shell_words::split;
use super::terminal::to_stdout;
use super::{Exit, Global};
use crate::error::{Error, Result};
use crate::manifest::{self, Globs};

/// Print a shell's completions
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

/// Set by the scripts to the name of the shell.
const VARIABLE: &str = "NNUE_COMPLETE";

/// The script for bash. The program gets the line up to the cursor, and the letters that end a word for bash; each line of the answer is what
/// stands in place of the last word.
const BASH: &str = r#"_nnue() {
    local IFS=$'\n'
    COMPREPLY=($(NNUE_COMPLETE=bash "${1/#\~/$HOME}" -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null))
    [[ ${COMPREPLY-} == *[/=] ]] && compopt -o nospace
    return 0
}
complete -F _nnue nnue
"#;

/// What the script for zsh lacks where it lies in a folder of functions: there it is called for the first completion.
const ZSH_ENDING: &str = "[[ ${funcstack[1]} == _nnue ]] && _clap_dynamic_completer_nnue\n";

/// The manifest that the line to be completed names.
static MANIFEST: OnceLock<PathBuf> = OnceLock::new();

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let mut script = Vec::new();
    let shell: Option<&dyn EnvCompleter> = match args.shell {
        Shell::Elvish => Some(&Elvish),
        Shell::Fish => Some(&Fish),
        Shell::PowerShell => Some(&Powershell),
        Shell::Zsh => Some(&Zsh),
        _ => None,
    };
    match shell {
        Some(shell) => {
            let written = shell.write_registration(VARIABLE, "nnue", "nnue", "nnue", &mut script);
            written.map_err(|error| Error::new("cannot make the completions").because(error))?;
        }
        None => script.extend_from_slice(BASH.as_bytes()),
    }
    if args.shell == Shell::Zsh {
        script.extend_from_slice(ZSH_ENDING.as_bytes());
    }
    let command = super::command();
    let commands: Vec<&str> = command.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name).collect();
    let about = format!("# nnue itself says what may stand at the cursor, also behind each of its commands: {}.\n", commands.join(", "));
    global.print(&(String::from_utf8_lossy(&script) + &*about))?;
    Ok(Exit::Done)
}

/// Completes the names of the nets of the manifest at hand.
pub(super) fn net_names() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let start = current.to_string_lossy();
        let manifest = MANIFEST.get().cloned().map_or_else(|| manifest::find(Path::new(".")), Ok);
        // Where it is broken there is nothing to offer, and no place to say so.
        let manifest = manifest.and_then(|path| manifest::load_with(&path, &[], Globs::MayMatch));
        let nets = manifest.map(|manifest| manifest.nets).unwrap_or_default();
        nets.into_iter().map(|net| net.name).filter(|name| name.starts_with(&*start)).map(CompletionCandidate::new).collect()
    })
}

/// The answer to a script, where one asks: `nnue -- WORD…` with [`VARIABLE`].
pub(super) fn answer(arguments: &[OsString]) -> Option<ExitCode> {
    let [_, mark, words @ ..] = arguments else { return None };
    let shell = env::var(VARIABLE).ok().filter(|_| mark == "--")?;
    let mut answer = Vec::new();
    let made = match shell.as_str() {
        "bash" => bash(words, &mut answer),
        "elvish" => others(&Elvish, words, &mut answer),
        "fish" => others(&Fish, words, &mut answer),
        "powershell" => others(&Powershell, words, &mut answer),
        "zsh" => others(&Zsh, words, &mut answer),
        _ => return None,
    };
    let said = made.and_then(|()| to_stdout(&String::from_utf8_lossy(&answer), false));
    Some(if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn others(shell: &dyn EnvCompleter, words: &[OsString], answer: &mut Vec<u8>) -> io::Result<()> {
    let words = words.to_vec();
    stand_where_it_says(&words);
    if words.is_empty() {
        return Ok(());
    }
    shell.write_complete(&mut super::command(), words, env::current_dir().ok().as_deref(), answer)
}

/// `words` are the line up to the cursor and the letters that end a word.
fn bash(words: &[OsString], answer: &mut Vec<u8>) -> io::Result<()> {
    let [line, breaks] = words else { return Ok(()) };
    let Some(line) = line.to_str() else { return Ok(()) };
    let (words, last) = split(line, &breaks.to_string_lossy());
    let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    let index = words.len() - 1;
    stand_where_it_says(&words);
    let shows_options = words[index].as_encoded_bytes().starts_with(b"-");
    for candidate in complete(&mut super::command(), words, index, env::current_dir().ok().as_deref())? {
        // Whoever wants options begins with a dash; all else is hard to find among them.
        let Some(text) = candidate.get_value().to_str().filter(|text| shows_options || !text.starts_with('-')) else { continue };
        let Some(rest) = text.get(last.kept..) else { continue };
        let rest = if last.quoted { rest.to_owned() } else { escaped(rest) };
        answer.extend_from_slice(rest.as_bytes());
        answer.push(b'\n');
    }
    Ok(())
}

/// A word as bash takes it back.
fn escaped(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-=+,:@%^".contains(letter);
    word.chars().flat_map(|letter| (!is_plain(letter)).then_some('\\').into_iter().chain([letter])).collect()
}

/// Goes to the folder and remembers the manifest that the line names, so that what is completed is what would be read.
fn stand_where_it_says(words: &[OsString]) {
    // The last word is still being typed.
    let typed = &words[..words.len().saturating_sub(1)];
    let value = |option: &str| {
        typed.iter().enumerate().find_map(|(index, word)| match word.to_str()?.strip_prefix(option)? {
            "" => typed.get(index + 1).map(PathBuf::from),
            value => Some(PathBuf::from(value.trim_start_matches('='))),
        })
    };
    if let Some(folder) = value("-C") {
        // A folder that is not there has nothing to complete, as has the one where this began.
        let _ = env::set_current_dir(folder);
    }
    if let Some(path) = value("-f") {
        MANIFEST.get_or_init(|| path);
    }
}

#[cfg(test)]
mod tests;
