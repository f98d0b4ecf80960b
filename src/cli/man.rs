//! `nnue man`: manual pages made from the command line's own help.

use std::path::{Path, PathBuf};

use super::{Exit, Global};
use crate::error::{Error, Result};
use crate::files::{Durability, OwnPath, create_dir_all};

/// Write the manual pages
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder for one page a command, such as `man/man1`, made if it is missing; without it the main page goes to stdout
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let mut command = super::command();
    // Fills in what subcommands inherit.
    command.build();
    match args.folder {
        None => global.print(&String::from_utf8_lossy(&page(&command)?))?,
        Some(folder) => {
            create_dir_all(&folder)?;
            let written = write_pages(&command, "nnue", &folder)?;
            global.print_summary(&format!("wrote {written} pages to `{}`\n", folder.display()))?;
        }
    }
    Ok(Exit::Done)
}

/// Writes the page of `command` and those of its subcommands; returns how many.
fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> Result<usize> {
    let page = page(command)?;
    OwnPath::new(folder, format!("{name}.1")).write_bytes(Durability::Fast, &page)?;
    let mut written = 1;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        written += write_pages(sub, &format!("{name}-{}", sub.get_name()), folder)?;
    }
    Ok(written)
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(|error| Error::new("cannot make a manual page").because(error))?;
    Ok(page)
}
