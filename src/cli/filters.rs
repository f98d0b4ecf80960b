//! The options that say which positions count, for all commands that sample training data: one for each filter that there is.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, builder::ValueParser, value_parser};

use crate::error::Result;
use crate::positions::{FILTERS, Filter, FilterKind, Filters, Setting};

/// The filters under the trainer's names; `-` is taken for `_`. Positions in check are always left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilterArgs(Vec<(&'static Filter, Setting)>);

impl FilterArgs {
    /// The same as the sampling takes it.
    ///
    /// # Errors
    /// As [`Filters::validate`].
    pub(crate) fn filters(&self) -> Result<Filters> {
        let mut filters = Filters::default();
        for (filter, setting) in &self.0 {
            // The ranges of whole numbers are the parser's.
            if !filter.set(&mut filters, *setting)
                && let Setting::Share(weight) = setting
            {
                return Err(filter.out_of_range(*weight));
            }
        }
        filters.validate()?;
        Ok(filters)
    }
}

fn option(filter: &'static Filter) -> Arg {
    let option = Arg::new(filter.name).long(filter.name);
    let option = if filter.dashed == filter.name { option } else { option.alias(filter.dashed) };
    let (name, parser): (&str, ValueParser) = match filter.kind {
        FilterKind::Flag => return option.action(ArgAction::SetTrue).help(filter.about),
        FilterKind::Whole { min, max } => ("N", value_parser!(i64).range(min..=max).into()),
        FilterKind::Share => ("X", value_parser!(f64).into()),
    };
    let help = format!("{} [default: {}]", filter.about, filter.default);
    option.value_name(name).value_parser(parser).allow_negative_numbers(true).help(help)
}

fn setting(filter: &Filter, matches: &ArgMatches) -> Option<Setting> {
    match filter.kind {
        FilterKind::Flag => matches.get_flag(filter.name).then_some(Setting::Flag(true)),
        FilterKind::Whole { .. } => matches.get_one(filter.name).copied().map(Setting::Whole),
        FilterKind::Share => matches.get_one(filter.name).copied().map(Setting::Share),
    }
}

impl clap::Args for FilterArgs {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Filters of positions (as the trainer's loader)").args(FILTERS.iter().map(option))
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
        self.0.extend(FILTERS.iter().filter_map(|filter| Some((filter, setting(filter, matches)?))));
        Ok(())
    }
}
