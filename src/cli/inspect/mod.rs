//! `nnue inspect`: what a file is, by its content.

mod boards;
mod bounds;
mod described;
mod foreign;
mod histogram;
mod integer;
mod page;
mod tensors;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::confined::Needs;
use super::described::LayoutArgs;
use super::lc0::FindArgs;
use super::network::refuse_foreign;
use super::terminal::Verbosity;
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Result};
use crate::files::{Bytes, hash_bytes_sha256};
use crate::format::content_name::misnamed;
use crate::format::sources::{Holds, identify, unpacked, whole};
use crate::net::Architecture;
use histogram::Histogram;

pub(super) use page::{summary_of_described, tables};
pub(super) use tensors::readings;

/// Show what a file is: format, architecture, sizes, hashes, tensors
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A network, a checkpoint, an engine, an array, training data; anything
    file: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Show how the values of each tensor are distributed (also with -v)
    #[arg(long)]
    histogram: bool,
    /// Show what a neuron (17) or PSQT bucket (psqt:3) gives for each piece on each square, as small boards [default: psqt:0]
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, default_missing_value = "psqt:0", value_parser = boards::parse, conflicts_with = "json")]
    boards: Option<boards::Column>,
    /// Show how large the sums of a network can become, and whether they fit their integer types
    #[arg(long)]
    bounds: bool,
    /// With --bounds also show how large they become in these positions: .binpack, .bin, or FEN/EPD lines
    #[arg(long, value_name = "FILE", num_args = 1.., action = clap::ArgAction::Append, requires = "bounds")]
    data: Vec<PathBuf>,
    /// How many of these positions, exactly [default: all]
    #[arg(long, value_name = "N", requires = "data", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Read it as a described architecture: a name of `nnue architecture list`, or a file
    #[arg(long, value_name = "NAME")]
    architecture: Option<String>,
    #[command(flatten)]
    lc0: FindArgs,
    #[command(flatten)]
    layouts: LayoutArgs,
}

/// What is known of a file. The keys are those of `--json`, and null where a format has no such value.
#[derive(Serialize)]
struct Report {
    schema: u32,
    format: String,
    bytes: u64,
    sha256: String,
    version: Option<String>,
    hash: Option<String>,
    architecture: Option<String>,
    candidates: Option<Vec<String>>,
    features: Option<String>,
    l1: Option<usize>,
    l2: Option<usize>,
    l3: Option<usize>,
    buckets: Option<usize>,
    compression: Option<&'static str>,
    description: Option<String>,
    tensors: Option<Vec<Tensor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounds: Option<bounds::BoundsReport>,
    /// Those inside a program, by their offsets.
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<integer::Inside>>,
    notes: Vec<String>,
}

/// One tensor.
#[derive(Serialize)]
struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    /// Null where there are no values, or some that are not numbers.
    min: Value,
    max: Value,
    /// Of its first stored byte; null where it is packed.
    offset: Option<u64>,
    /// Stored ones.
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    histogram: Option<Histogram>,
}

/// A report, and what is wrong with the file.
struct Inspected {
    report: Report,
    fault: Option<Error>,
}

impl Report {
    /// Nothing but a name.
    fn named(format: &str) -> Self {
        Self {
            schema: 1,
            format: format.to_owned(),
            bytes: 0,
            sha256: String::new(),
            version: None,
            hash: None,
            architecture: None,
            candidates: None,
            features: None,
            l1: None,
            l2: None,
            l3: None,
            buckets: None,
            compression: None,
            description: None,
            tensors: None,
            bounds: None,
            networks: None,
            notes: Vec::new(),
        }
    }

    /// Fills in what an architecture tells of a file.
    fn set_sizes(&mut self, architecture: &Architecture) {
        self.architecture = Some(architecture.generation.name.to_owned());
        (self.l1, self.l2, self.l3) = (Some(architecture.l1), Some(architecture.l2), Some(architecture.l3));
        self.buckets = Some(architecture.generation.stacks);
    }

    /// Fills in the description, which need not be text.
    fn set_description(&mut self, description: &[u8]) {
        self.description = Some(String::from_utf8_lossy(description).into_owned());
        if let Err(error) = std::str::from_utf8(description) {
            self.notes
                .push(format!("the description is not UTF-8 from its byte {} on; it is shown with replacements", error.valid_up_to()));
        }
    }

    /// A good file.
    fn good(self) -> Inspected {
        Inspected { report: self, fault: None }
    }

    /// A file that is not what it should be; the reasons are among the notes too.
    fn bad(mut self, fault: Error) -> Inspected {
        self.notes.push(fault.to_string());
        Inspected { report: self, fault: Some(fault) }
    }
}

pub(super) fn run(mut args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    args.file = args.lc0.locate(&args.file)?;
    if args.bounds {
        refuse_foreign("`nnue inspect --bounds`", &args.file, args.architecture.as_deref())?;
    }
    confine(&args, global);
    let bytes = whole(&args.file)?;
    if let Some(exit) = super::lc0::inspect(&args.file, &bytes, &args.lc0, args.json, global)? {
        return Ok(exit);
    }
    let histograms = args.histogram || (global.verbosity == Verbosity::Verbose && !args.json);
    if args.architecture.is_none() {
        args.layouts.refuse(None, false)?;
    }
    let look = || match &args.architecture {
        Some(name) => described::network(name, &args.layouts, &bytes),
        None => inspect(&args.file, &bytes, histograms, &ctx),
    };
    let shown = args.file.file_name().unwrap_or_default().to_string_lossy();
    let (inspected, sha256) = rayon::join(look, || hash_bytes_sha256(&bytes, &shown, &ctx));
    let Inspected { mut report, fault } = inspected?;
    report.bytes = bytes.len() as u64;
    let sha256 = sha256?;
    report.sha256 = sha256.to_string();
    if let Some(error) = misnamed(&args.file, &sha256, &ctx) {
        if args.json {
            ctx.warn(error.to_string());
        }
        report.notes.push(error.to_string());
    }
    if args.bounds && fault.is_none() {
        report.bounds = Some(bounds::report(&args.file, &args.data, args.count, &ctx)?);
    }
    if args.json {
        global.print_json(&report)?;
    } else {
        global.print(&text::render(&args.file, &report, global.width()))?;
        if let Some(column) = args.boards
            && fault.is_none()
        {
            const NARROW: usize = 80;
            let look = boards::Look { colors: global.true_color, width: global.width().unwrap_or(NARROW) };
            global.print(&format!("\n{}", boards::text(&args.file, column, look, &ctx)?))?;
        }
    }
    match fault {
        None => Ok(Exit::Done),
        Some(fault) => Err(fault.context(format!("`{}` is not what it should be", args.file.display()))),
    }
}

/// From here on the process reads the file, and what describes it. Positions may be unpacked into temporary files: not with them.
fn confine(args: &Args, global: &Global) {
    if let Some(needs) = Needs::network(&args.file).filter(|_| args.data.is_empty()) {
        args.architecture.iter().fold(needs, |needs, name| needs.and(Path::new(name))).confine(global);
    }
}

fn inspect(path: &Path, bytes: &Bytes, histograms: bool, ctx: &Ctx) -> Result<Inspected> {
    ctx.check()?;
    let (bytes, packing) = match unpacked(bytes.clone()) {
        Ok(unpacked) => unpacked,
        Err(error) => return Ok(Report::named(identify(bytes).name()).bad(error)),
    };
    let kind = identify(&bytes);
    let mut inspected = match kind.holds() {
        Holds::Integers => described::or_foreign(integer::network(&bytes, histograms), &bytes),
        Holds::Program => integer::engine(&bytes, kind, histograms),
        Holds::Tensors(_) => tensors::inspect(&bytes, kind, histograms, ctx)?,
        Holds::Array => foreign::array(&bytes),
        Holds::Positions => foreign::training_data(path, kind, ctx),
        Holds::Unmarked => described::or_shipped(foreign::unmarked(path, &bytes, kind, ctx)?, &bytes),
        Holds::Packed(_) | Holds::Nothing => foreign::other(&bytes, kind),
    };
    if let Some(packing) = packing {
        inspected.report.notes.push(format!("packed with {}; unpacked it has {} bytes", packing.name(), bytes.len()));
    }
    Ok(inspected)
}
