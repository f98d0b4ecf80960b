//! `[net.NAME.optimize.filters]`: which positions count. The filters themselves are the `positions` room's.

use super::{
    super::{
        keys,
        text::{Located, Problem},
        tree::Item,
    },
    reader::Reader,
};
use crate::positions::{FILTERS, FilterKind, Filters, Setting};

impl Reader<'_> {
    pub(super) fn filters(&mut self, path: &str, item: &Item) -> Option<Located<Filters>> {
        let fields = self.table(&keys::FILTER, path, item)?;
        let before = self.problems.len();
        let mut filters = Filters::default();
        for filter in &FILTERS {
            let setting = match filter.kind {
                FilterKind::Flag => self.boolean(&fields, filter.name).map(Setting::Flag),
                FilterKind::Whole { .. } => self.integer(&fields, filter.name).map(|number| Setting::Whole(number.value)),
                FilterKind::Share => self.number(&fields, filter.name).map(Setting::Share),
            };
            if let Some(setting) = setting {
                // The range is that of the table of keys, which has it from the filter.
                let fits = filter.set(&mut filters, setting);
                debug_assert!(fits, "`{}` does not take {setting:?}", filter.name);
            }
        }
        if self.problems.len() == before
            && !self.in_defaults
            && let Err(error) = filters.validate()
        {
            let weights = FILTERS.iter().filter(|filter| filter.kind == FilterKind::Share);
            let weight = weights.map(|filter| fields.place(filter.name)).find(|place| *place != fields.span);
            self.problems.push(Problem::new(
                error.message(),
                weight.unwrap_or(fields.span),
                "these weights",
                error.causes().join(": "),
                error.help_text().unwrap_or("write other weights"),
            ));
        }
        let span = fields.span;
        self.finish(fields);
        Some(Located { value: filters, span })
    }
}
