//! Networks that an architecture file describes, and those in Stockfish's format that only such a file describes.

use serde_json::Value;

use super::{Inspected, Report, Tensor};
use crate::cli::described::LayoutArgs;
use crate::error::Result;
use crate::family::described::{Architecture, Summary, foreign, shipped};
use crate::files::Bytes;

/// A file that is to be of the architecture `name`.
pub(super) fn network(name: &str, layouts: &LayoutArgs, bytes: &Bytes) -> Result<Inspected> {
    let architecture = Architecture::load(name, &layouts.set)?;
    Ok(of(&architecture, architecture.summary(bytes, layouts.from.as_deref())))
}

/// What was read of a file as one of this architecture.
pub(super) fn of(architecture: &Architecture, summary: Result<Summary>) -> Inspected {
    let mut report = Report::named("described");
    report.architecture = Some(architecture.name().to_owned());
    filled(report, summary)
}

/// What no table knows, as the described architecture that it is of.
pub(super) fn or_foreign(inspected: Inspected, bytes: &Bytes) -> Inspected {
    let Inspected { mut report, fault: Some(fault) } = inspected else { return inspected };
    let Some(found) = foreign::recognize(bytes) else { return Inspected { report, fault: Some(fault) } };
    report.notes = vec![format!("this is {}", found.what), format!("convert it with {}", found.options())];
    match Architecture::load(found.architecture, &found.sets) {
        Ok(architecture) => {
            report.architecture = Some(found.architecture.to_owned());
            filled(report, architecture.summary(bytes, None))
        }
        Err(error) => report.bad(error),
    }
}

/// What is nothing else, as one of the described architectures that ship, where it has the length of one of their files.
pub(super) fn or_shipped(inspected: Inspected, bytes: &Bytes) -> Inspected {
    let Inspected { mut report, fault: Some(fault) } = inspected else { return inspected };
    let architectures = shipped::ALL.iter().filter_map(|shipped| Architecture::parse(shipped.name, shipped.text, &[]).ok());
    let fitting = |architecture: Architecture| {
        let layouts = architecture.fitting(bytes).iter().map(|layout| format!("`{layout}`")).collect::<Vec<_>>().join(", ");
        (!layouts.is_empty()).then_some((architecture, layouts))
    };
    let found: Vec<(Architecture, String)> = architectures.filter_map(fitting).collect();
    if found.is_empty() {
        return Inspected { report, fault: Some(fault) };
    }
    report.notes = found.iter().map(|(one, layouts)| format!("it has the length of a file of `{}`: {layouts}", one.name())).collect();
    report.candidates = Some(found.iter().map(|(one, _)| one.name().to_owned()).collect());
    let summary = match &found[..] {
        [(one, _)] => one.summary(bytes, None).ok(),
        _ => None,
    };
    match summary {
        Some(summary) => filled(report, Ok(summary)),
        None => report.good(),
    }
}

fn filled(mut report: Report, summary: Result<Summary>) -> Inspected {
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => return report.bad(error),
    };
    report.notes.push(format!("in the layout `{}`", summary.layout));
    if let Some(sum) = summary.largest_sum {
        let then = if sum > 32_767 { ": beyond 32767 the evaluation may depend on the order of the neurons" } else { "" };
        report.notes.push(format!("four products of the first layer reach {sum}, where an engine adds them in 16 bits{then}"));
    }
    let tensors = summary.tensors.into_iter().map(|tensor| {
        let is_float = tensor.dtype.name() == "f32";
        let number = |value: f64| match (value.is_finite(), is_float) {
            (false, _) => Value::Null,
            (true, true) => Value::from(value),
            (true, false) => Value::from(value as i64),
        };
        Tensor {
            name: tensor.role,
            dtype: tensor.dtype.name().to_owned(),
            min: number(tensor.min),
            max: number(tensor.max),
            offset: None,
            bytes: (tensor.shape.iter().product::<usize>() * tensor.dtype.size()) as u64,
            shape: tensor.shape,
            histogram: None,
        }
    });
    report.tensors = Some(tensors.collect());
    report.good()
}
