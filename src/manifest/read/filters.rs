//! `[net.NAME.optimize.filters]`: which positions count. The filters themselves are the `positions` room's.

use super::{
    super::{
        keys,
        text::{Located, Problem, listed, suggestion},
        tree::{Item, Value},
    },
    reader::Reader,
};
use crate::positions::{FILTERS, FilterKind, Filters, Setting};
use crate::words::{self, FilterSet, PieceWeights, Word};

impl Reader<'_> {
    pub(super) fn filters(&mut self, path: &str, item: &Item) -> Option<Located<Filters>> {
        if let Value::String(name) = &item.value {
            return self.filter_set(path, name, item);
        }
        let fields = self.table(&keys::FILTER, path, item)?;
        let before = self.problems.len();
        let preset = self.word::<FilterSet>(&fields, "preset");
        let mut filters = preset.map_or_else(Filters::default, |set| set.value.filters());
        for filter in &FILTERS {
            let setting = match filter.kind {
                FilterKind::Flag => self.boolean(&fields, filter.name).map(Setting::Flag),
                FilterKind::Whole { .. } => self.integer(&fields, filter.name).map(|number| Setting::Whole(number.value)),
                FilterKind::Number => self.number(&fields, filter.name).map(Setting::Number),
                FilterKind::PieceWeights => {
                    self.word::<PieceWeights>(&fields, filter.name).map(|meaning| Setting::PieceWeights(meaning.value))
                }
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
            let weights = FILTERS.iter().filter(|filter| filter.kind == FilterKind::Number);
            let weight = weights.map(|filter| fields.place(filter.name)).find(|place| *place != fields.span);
            self.problems.push(Problem::new(
                error.message(),
                weight.unwrap_or(fields.span),
                "these numbers",
                error.causes().join(": "),
                error.help_text().unwrap_or("write other numbers"),
            ));
        }
        let span = fields.span;
        self.finish(fields);
        Some(Located { value: filters, span })
    }

    /// A set of filters alone, by its name.
    fn filter_set(&mut self, path: &str, name: &str, item: &Item) -> Option<Located<Filters>> {
        if let Some(set) = FilterSet::named(name) {
            return Some(Located { value: set.filters(), span: item.span });
        }
        let names = words::names::<FilterSet>();
        let known = listed(names.iter().copied());
        self.problems.push(Problem::new(
            format!("invalid value `{name}` for `{path}`"),
            item.span,
            "this value",
            format!("expected a table, or {}", FilterSet::KIND),
            format!("{}known: {known}; or write a header `[{path}]` with keys below it", suggestion(name, &names)),
        ));
        None
    }
}
