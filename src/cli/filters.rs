//! The options that say which positions count, for all commands that sample training data: one for each filter that there is.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, builder::ValueParser, value_parser};

use super::word::word;
use crate::error::Result;
use crate::positions::{FILTERS, Filter, FilterKind, Filters, Setting};
use crate::words::{FilterSet, PieceWeights};

/// The option that names a set of filters.
const SET: &str = "filters";

/// Options of the trainer's that turn off what a set turns on, each with the same name in `_` and its filter.
const OFF: [(&str, &str, &str); 2] = [("no-filtered", "no_filtered", "filtered"), ("no-wld-filtered", "no_wld_filtered", "wld_filtered")];

/// The filters under the trainer's names; `-` is taken for `_`. Positions in check are always left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilterArgs {
    set: Option<FilterSet>,
    settings: Vec<(&'static Filter, Setting)>,
}

impl FilterArgs {
    /// The lines of a manifest's table of filters that say the same.
    pub(crate) fn as_toml(&self) -> Vec<String> {
        let set = self.set.map(|set| format!("preset = \"{}\"", set.name()));
        let line = |(filter, setting): &(&Filter, Setting)| {
            let value = match setting {
                Setting::Flag(on) => on.to_string(),
                Setting::Whole(number) => number.to_string(),
                Setting::Number(number) => format!("{number:?}"),
                Setting::PieceWeights(meaning) => format!("\"{}\"", meaning.name()),
            };
            format!("{} = {value}", filter.name)
        };
        set.into_iter().chain(self.settings.iter().map(line)).collect()
    }

    /// The same as the sampling takes it.
    ///
    /// # Errors
    /// As [`Filters::validate`].
    pub(crate) fn filters(&self) -> Result<Filters> {
        let mut filters = self.set.map_or_else(Filters::default, FilterSet::filters);
        for (filter, setting) in &self.settings {
            // The ranges of whole numbers are the parser's.
            if !filter.set(&mut filters, *setting)
                && let Setting::Number(number) = setting
            {
                return Err(filter.out_of_range(*number));
            }
        }
        filters.validate().map_err(|error| {
            // Help for the manifest's keys, in words of the options.
            let help = error.help_text().unwrap_or_default();
            let help = help.replace("`pc = \"", "`--pc ").replace("\"`", "`").replace("`soft_early", "`--soft_early");
            error.help_instead(help)
        })?;
        Ok(filters)
    }
}

fn option(filter: &'static Filter) -> Arg {
    let option = Arg::new(filter.name).long(filter.name);
    let option = if filter.dashed == filter.name { option } else { option.alias(filter.dashed) };
    let (name, parser): (&str, ValueParser) = match filter.kind {
        FilterKind::Flag => return option.action(ArgAction::SetTrue).help(filter.about),
        FilterKind::Whole { min, max } => ("N", value_parser!(i64).range(min..=max).into()),
        FilterKind::Number => ("X", value_parser!(f64).into()),
        FilterKind::PieceWeights => ("WHEN", word::<PieceWeights>().into()),
    };
    let help = format!("{} [default: {}]", filter.about, filter.default);
    option.value_name(name).value_parser(parser).allow_negative_numbers(true).help(help)
}

fn setting(filter: &Filter, matches: &ArgMatches) -> Option<Setting> {
    match filter.kind {
        FilterKind::Flag => matches.get_flag(filter.name).then_some(Setting::Flag(true)),
        FilterKind::Whole { .. } => matches.get_one(filter.name).copied().map(Setting::Whole),
        FilterKind::Number => matches.get_one(filter.name).copied().map(Setting::Number),
        FilterKind::PieceWeights => matches.get_one(filter.name).copied().map(Setting::PieceWeights),
    }
}

impl clap::Args for FilterArgs {
    fn augment_args(command: Command) -> Command {
        let set = Arg::new(SET)
            .long(SET)
            .value_name("SET")
            .value_parser(word::<FilterSet>())
            .help("A set of filters to start from; the options below change it");
        let off = OFF.map(|(name, plain, filter)| {
            let option = Arg::new(name).long(name).alias(plain).action(ArgAction::SetTrue);
            option.overrides_with(filter).hide(true).help("Not this filter")
        });
        let heading = command.next_help_heading("Filters of positions (as the trainer's loader)");
        heading.arg(set).args(FILTERS.iter().map(option)).args(off)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FilterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.set = matches.get_one(SET).copied().or(self.set);
        for filter in &FILTERS {
            self.settings.extend(setting(filter, matches).map(|setting| (filter, setting)));
            if OFF.iter().any(|(option, _, name)| *name == filter.name && matches.get_flag(option)) {
                self.settings.push((filter, Setting::Flag(false)));
            }
        }
        Ok(())
    }
}
