//! Options of the trainer's `serialize.py` and `ftperm.py` that mean nothing here, so that command lines written for them run unchanged.
//!
//! Those that say how the trainer computes (devices, workers) are ignored with one note. Those that state a scale are checked against
//! the network: a wrong one would give another net there. Options that have a meaning here are not in this table.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::net::{QUANTIZATIONS, Quantization};

/// What is done with an option.
enum Meaning {
    /// A switch; ignored.
    Switch,
    /// Takes a value; ignored.
    Value,
    /// Takes a number that must be this one.
    Scale(fn(&Quantization) -> f64),
}

struct Row {
    /// As in the trainer of July 2026.
    name: &'static str,
    /// The same with `_` for `-`.
    plain: &'static str,
    meaning: Meaning,
}

const fn row(name: &'static str, plain: &'static str, meaning: Meaning) -> Row {
    Row { name, plain, meaning }
}

/// What the trainer multiplies an evaluation of 1.0 with; no generation had another.
const NNUE2SCORE: f64 = 600.0;

static TABLE: [Row; 11] = [
    row("device", "device", Meaning::Value),
    row("cupy", "cupy", Meaning::Switch),
    row("no-cupy", "no_cupy", Meaning::Switch),
    row("use-cupy", "use_cupy", Meaning::Switch),
    row("no-use-cupy", "no_use_cupy", Meaning::Switch),
    row("num-workers", "num_workers", Meaning::Value),
    row("loader-num-workers", "loader_num_workers", Meaning::Value),
    row("no-out-sha", "no_out_sha", Meaning::Switch),
    row("no-ft-optimize", "no_ft_optimize", Meaning::Switch),
    row("ft-quantized-one", "ft_quantized_one", Meaning::Scale(|scales| scales.ft)),
    row("nnue2score", "nnue2score", Meaning::Scale(|_| NNUE2SCORE)),
];

/// The options that were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrainerOptions {
    ignored: Vec<&'static str>,
    scales: Vec<(usize, f64)>,
}

impl TrainerOptions {
    /// Says once which options were ignored.
    pub(crate) fn note(&self, ctx: &Ctx) {
        if self.ignored.is_empty() {
            return;
        }
        let names: Vec<String> = self.ignored.iter().map(|name| format!("`--{name}`")).collect();
        let (verb, object) = if names.len() == 1 { ("means", "is") } else { ("mean", "are") };
        ctx.warn(format!("{} {verb} nothing here and {object} ignored", names.join(", ")));
    }

    /// The scales that the stated number for 1.0 in the feature transformer belongs to.
    pub(crate) fn quantization(&self) -> Option<&'static Quantization> {
        let (_, one) = self.scales.iter().find(|(index, _)| TABLE[*index].name == "ft-quantized-one")?;
        QUANTIZATIONS.into_iter().find(|scales| scales.ft == *one)
    }

    /// Checks the scales that were stated against those of the network.
    ///
    /// # Errors
    /// When one of them is another.
    pub(crate) fn check(&self, scales: &Quantization) -> Result<()> {
        for (index, stated) in &self.scales {
            let Row { name, meaning: Meaning::Scale(of), .. } = &TABLE[*index] else { continue };
            let found = of(scales);
            if found != *stated {
                return Err(Error::usage(format!("`--{name} {stated}` is not what the network has: {found}"))
                    .because(format!("its scales are `{}`", scales.name))
                    .help("correct or remove it; `--quantization` says which scales a file has"));
            }
        }
        Ok(())
    }
}

impl clap::Args for TrainerOptions {
    fn augment_args(command: Command) -> Command {
        command.args(TABLE.iter().map(|row| {
            let option = Arg::new(row.name).long(row.name).hide(true).help("Of the trainer's tools");
            let option = if row.plain == row.name { option } else { option.alias(row.plain) };
            match row.meaning {
                Meaning::Switch => option.action(ArgAction::SetTrue),
                Meaning::Value => option.value_name("VALUE").allow_negative_numbers(true),
                Meaning::Scale(_) => option.value_name("X").value_parser(clap::value_parser!(f64)),
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TrainerOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (index, row) in TABLE.iter().enumerate() {
            let is_given = match row.meaning {
                Meaning::Switch => matches.get_flag(row.name),
                Meaning::Value => matches.contains_id(row.name),
                Meaning::Scale(_) => {
                    self.scales.extend(matches.get_one(row.name).map(|value| (index, *value)));
                    false
                }
            };
            if is_given {
                self.ignored.push(row.name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
