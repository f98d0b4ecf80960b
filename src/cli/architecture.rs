//! `nnue architecture`: the described architectures that come with the program.

use clap::Subcommand;
use serde_json::json;

use super::{Exit, Global};
use crate::error::{Error, Result};
use crate::family::described::{Architecture, shipped};

/// List and show the described architectures that come with the program
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Their names, and what each is
    List {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// The file of one, to copy and change
    Show {
        /// Its name
        name: String,
    },
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    match args.command {
        Command::List { json } => list(json, global)?,
        Command::Show { name } => {
            let shipped = shipped::find(&name).ok_or_else(|| {
                Error::usage(format!("no architecture is named `{name}`")).help("`nnue architecture list` shows all that ship")
            })?;
            global.print(shipped.text)?;
        }
    }
    Ok(Exit::Done)
}

fn list(as_json: bool, global: &Global) -> Result<()> {
    let all: Vec<Architecture> =
        shipped::ALL.iter().map(|shipped| Architecture::parse(shipped.name, shipped.text, &[])).collect::<Result<_>>()?;
    if as_json {
        let entries: Vec<serde_json::Value> =
            all.iter().map(|one| json!({"name": one.name(), "description": one.description(), "layouts": one.layout_names()})).collect();
        return global.print_json(&json!({"schema": 1, "architectures": entries}));
    }
    let width = all.iter().map(|one| one.name().len()).max().unwrap_or(0);
    let lines: String = all.iter().map(|one| format!("{:<width$}  {}\n", one.name(), one.description())).collect();
    global.print(&lines)
}
