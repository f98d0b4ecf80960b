//! `nnue man`: manual pages made from the command line's own help and from the table of the manifest's keys.

mod markdown;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Exit, Global};
use crate::error::{Error, Result};
use crate::files::{Durability, OwnPath, create_dir_all};
use crate::manifest;

/// Write the manual pages
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder for one page a command, such as `man/man1`, made if it is missing; without it the main page goes to stdout. The page of the
    /// manifest, `nnue.toml.5`, lies there too, or in the `man5` beside a `man1`
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// Print all commands as one page in Markdown: `docs/commands.md`
    #[arg(long, hide = true, conflicts_with = "folder")]
    markdown: bool,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let mut command = super::command();
    // Fills in what subcommands inherit.
    command.build();
    if args.markdown {
        global.print(&markdown::page(&command))?;
        return Ok(Exit::Done);
    }
    match args.folder {
        None => global.print(&String::from_utf8_lossy(&page(&command)?))?,
        Some(folder) => {
            create_dir_all(&folder)?;
            let written = write_pages(&command, "nnue", &folder)?;
            let fifth = if folder.file_name().is_some_and(|name| name == "man1") { folder.with_file_name("man5") } else { folder.clone() };
            create_dir_all(&fifth)?;
            write_page(&fifth.join("nnue.toml.5"), manifest_page(&manifest::reference()).as_bytes())?;
            global.print_summary(&format!("wrote {} pages to `{}`\n", written + 1, folder.display()))?;
        }
    }
    Ok(Exit::Done)
}

/// Writes the page of `command` and those of its subcommands; returns how many.
fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> Result<usize> {
    write_page(&folder.join(format!("{name}.1")), &page(command)?)?;
    let mut written = 1;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        written += write_pages(sub, &format!("{name}-{}", sub.get_name()), folder)?;
    }
    Ok(written)
}

fn write_page(path: &Path, page: &[u8]) -> Result<()> {
    OwnPath::from(path).write_bytes(Durability::Fast, page)
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone()).source(concat!("nnue ", env!("CARGO_PKG_VERSION")));
    let is_main = command.get_name() == "nnue";
    let made = man
        .render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| std::io::Write::write_all(&mut page, synopsis(command).as_bytes()))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page))
        .and_then(|()| if command.has_subcommands() { man.render_subcommands_section(&mut page) } else { Ok(()) })
        .and_then(|()| std::io::Write::write_all(&mut page, if is_main { ENDING } else { SEE_ALSO }.as_bytes()));
    made.map_err(|error| Error::new("cannot make a manual page").because(error))?;
    Ok(page)
}

/// The usage as `--help` has it.
fn synopsis(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    format!(".SH SYNOPSIS\n{}\n", escaped(usage))
}

/// A text as roff takes it.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// What stands at the end of the main page.
const ENDING: &str = r#".SH ENVIRONMENT
.TP
\fBNNUE_CACHE_DIR\fR
Folder of the cache, in place of \fI.nnue/cache\fR beside the manifest.
.TP
\fBNO_COLOR\fR
No colours, whatever its value.
.TP
\fBGITHUB_ACTIONS\fR, \fBGITHUB_WORKSPACE\fR
Set in workflows of GitHub: messages get annotations, with paths from the root of the repository.
.TP
\fBNNUE_REMOTE_CACHE_TOKEN\fR, \fBNNUE_REMOTE_CACHE_USER\fR, \fBNNUE_REMOTE_CACHE_PASSWORD\fR
Credentials for a remote cache at an http(s) address.
.TP
\fBNNUE_REMOTE_CACHE_KEY\fR
Key with which records of a remote cache are signed and checked.
.TP
\fBNNUE_REMOTE_CACHE_TIMEOUT\fR
Seconds of silence before a remote cache is given up; 30 by default.
.TP
\fBNNUE_REMOTE\fR
The cluster that runs expensive stages, or off.
.TP
\fBNNUE_REMOTE_RECHECK\fR
The share of its results that is made again here and compared, from 0 to 1.
.TP
\fBNNUE_REMOTE_TOKEN\fR, \fBNNUE_REMOTE_HEADER\fR
Credentials for a server at a grpc(s) address: a Bearer token; more headers, \fIname\fR=\fIvalue\fR, one a line.
.TP
\fBNNUE_REMOTE_CA\fR, \fBNNUE_REMOTE_CERT\fR, \fBNNUE_REMOTE_CLIENT_KEY\fR
PEM files for it: authorities to trust, our own certificate, its key.
.TP
\fBSSL_CERT_FILE\fR
PEM file of authorities to trust in place of the built\-in ones.
.TP
\fBAWS_\fR..., \fBGOOGLE_\fR..., \fBAZURE_\fR...
As for the tools of these clouds.
.SH FILES
.TP
\fInnue.toml\fR
The manifest; see \fBnnue.toml\fR(5).
.TP
\fInnue.lock\fR
SHA\-256 of every input and output of the last builds. Belongs into version control.
.TP
\fI.nnue/cache\fR, \fI.nnue/state\fR
Results that are kept, and what the last builds were made of. May be removed at any time.
.SH "EXIT STATUS"
.TP
\fB0\fR
Done.
.TP
\fB1\fR
A build or a check failed.
.TP
\fB2\fR
The command line or the manifest is wrong.
.TP
\fB3\fR
\fB\-\-locked\fR or \fBverify\fR found a difference.
.TP
\fB130\fR
Interrupted.
.SH EXAMPLES
.TP
Write a manifest for the networks of a folder, and build them:
.nf
nnue init runs && nnue build
.fi
.TP
What is stale, and why:
.nf
nnue status
.fi
.TP
Convert one file, with the neurons in the order that makes the engine fastest:
.nf
nnue convert epoch=799.ckpt out.nnue \-\-ft_optimize \-\-ft_optimize_data fishpack32.binpack
.fi
.TP
Say what any file is:
.nf
nnue inspect stockfish
.fi
.SH "SEE ALSO"
\fBnnue.toml\fR(5)
"#;

/// What stands at the end of the others.
const SEE_ALSO: &str = ".SH \"SEE ALSO\"\n\\fBnnue\\fR(1), \\fBnnue.toml\\fR(5)\n";

/// The reference of the manifest, which is Markdown, as a manual page.
fn manifest_page(reference: &str) -> String {
    let mut page = format!(
        ".TH nnue.toml 5 \"\" \"nnue {}\"\n.SH NAME\nnnue.toml \\- the manifest of nnue: what is built, of what, to where\n.SH DESCRIPTION\n",
        env!("CARGO_PKG_VERSION")
    );
    for line in reference.lines() {
        if line.starts_with("# ") || line.starts_with("| ---") || line.starts_with("| key |") || line.starts_with("| word |") {
            continue;
        }
        if let Some(title) = line.strip_prefix("### ") {
            let _ = writeln!(page, ".SS {}", plain(title));
        } else if let Some(title) = line.strip_prefix("## ") {
            let _ = writeln!(page, ".SH \"{}\"", plain(title).replace('"', "\\(dq"));
        } else if let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) {
            let cells: Vec<String> = row.replace("\\|", "\u{1}").split(" | ").map(|cell| plain(&cell.replace('\u{1}', "|"))).collect();
            let _ = match cells.as_slice() {
                [key, value, default, meaning] => {
                    let _ = writeln!(page, ".TP\n\\fB{key}\\fR  {value}\n{meaning}.");
                    match default.as_str() {
                        "" => Ok(()),
                        required if required.starts_with("required") => writeln!(page, "It is {required}."),
                        default => writeln!(page, "Default: {default}."),
                    }
                }
                [word, meaning] => writeln!(page, ".TP\n\\fB{word}\\fR\n{meaning}."),
                other => writeln!(page, "{}", other.join("  ")),
            };
        } else if line.is_empty() {
            page.push_str(".PP\n");
        } else {
            let _ = writeln!(page, "{}", plain(line));
        }
    }
    page.push_str(".SH \"SEE ALSO\"\n\\fBnnue\\fR(1)\n");
    page
}

/// A text without the marks of Markdown: `code`, and [links](elsewhere.md).
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        match link.split_once("](").and_then(|(name, behind)| Some((name, behind.split_once(')')?.1))) {
            Some((name, behind)) if !name.contains('[') => {
                plain.push_str(name);
                rest = behind;
            }
            _ => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    escaped(&plain.replace('`', ""))
}

#[cfg(test)]
mod tests;
