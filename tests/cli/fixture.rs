//! The project of most tests here: a net that is optimized, with two outputs, and one that is only written.

use crate::project::Project;

pub const MANIFEST: &str = r#"version = 1

[source.run]
path = "run.nnue"
quantization = "ft127"

[data.fens]
path = "positions.fen"

[net.big]
source = "run"
description = "first"
outputs = ["dist/", "latest.nnue"]

[net.big.optimize]
data = "fens"
positions = 100

[net.plain]
source = "run"
compression = "none"
outputs = ["plain.nnue"]
"#;

/// The project as it is before the first build.
pub fn project() -> Project {
    Project::new(MANIFEST)
}
