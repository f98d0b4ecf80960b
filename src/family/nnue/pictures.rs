//! The pictures of a published network that a report links to.

use std::path::Path;

use crate::draw::Scene;
use crate::error::Result;
use crate::files::Bytes;
use crate::format::nnue::{self, Expectation};
use crate::show::{Inputs, Options, Subject, dense_pictures, histogram, input_distributions, input_pictures};

/// Input weights, dense layers and the histogram of the weights of the `.nnue` file at `path`.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn pictures(path: &Path) -> Result<Vec<Scene>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parsed = nnue::read(&Bytes::map(path)?, &Expectation::default()).map_err(|error| error.context(format!("cannot show `{name}`")))?;
    let subject = Subject::new(&name, &parsed.network, None)?;
    let options = Options::default();
    let inputs = Inputs::of(&subject, &options);
    let mut scenes = input_pictures(&subject, &inputs, &options);
    scenes.push(dense_pictures(&subject, &inputs, &options));
    let labels = [name.clone()];
    scenes.extend(input_distributions(&subject).into_iter().filter_map(|one| histogram(&[one], &labels, true)));
    Ok(scenes)
}
