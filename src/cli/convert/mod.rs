//! `nnue convert`: one file into another, without a manifest.
//!
//! What was typed (`options`) → what is asked for (`request`) → the way of the net (`family::nnue::stages::pipeline`) → the file → what is said of it
//! (`summary`).

mod manifest;
mod options;
mod request;
mod summary;

use super::confined::Needs;
use super::network::warn_of_name;
use super::output::{Place, write_file};
use super::{Exit, Global, described, lc0};
use crate::error::Result;
use crate::family::nnue::stages::pipeline::{self, Target, note_unreadable};
use crate::files::create_dir_all;
pub(crate) use manifest::of_command_line;
pub(crate) use options::Args;
use request::Request;

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    if let Some(exit) = lc0::convert(&args.source, &args.target, &args.lc0, args.json, global)? {
        return Ok(exit);
    }
    let ctx = global.ctx(args.backend);
    if let Some(architecture) = args.source_is.described() {
        let order = request::order_of(&args, &ctx)?;
        let (source, target, to) = (args.source.as_path(), args.target.as_path(), args.to.as_deref());
        let job = described::Job { architecture, source, target, to, order, overflow: args.overflow, allow: args.allow, json: args.json };
        return described::convert(&job, &args.layouts, global, &ctx);
    }
    args.layouts.refuse(args.to.as_deref(), args.allow.is_some())?;
    args.trainer.note(&ctx);
    let Request { place, job } = Request::of(&args, &ctx)?;
    confine(&args, &place, global);
    // The source stays mapped while it is read. A target of the same name is replaced by renaming, which leaves the mapped file as it is.
    let (product, named) = rayon::join(|| pipeline::run(&job, &ctx), || warn_of_name(&args.source, &ctx));
    let product = product.map_err(|error| options::spoken(described::with_hint(error, &args.source)))?;
    named?;
    args.trainer.check(product.architecture.quantization)?;
    if matches!(job.target, Target::Nnue(_)) {
        note_unreadable(args.compression.unwrap_or_default(), &product.architecture, &ctx);
    }
    if let Place::Folder(folder) = place {
        // Not before everything that can fail has gone well.
        create_dir_all(folder)?;
    }
    let written = write_file(place, &ctx, |out| product.content.write(out, &ctx))?;
    if args.json {
        global.print_json(&summary::json(&written, &product, &global.warnings()))?;
    } else {
        global.print_summary(&summary::text(&written, &product))?;
    }
    Ok(Exit::Done)
}

/// From here on the process reads the source, and writes in the folder of the target. A search reads training data, which may be unpacked
/// into temporary files, and loads what computes on graphics cards: not with one.
fn confine(args: &Args, place: &Place<'_>, global: &Global) {
    if let Some(needs) = Needs::network(&args.source).filter(|_| !args.optimize) {
        match place {
            Place::File(path) => needs.writing(path),
            Place::Own(path) => needs.writing(path.as_path()),
            Place::Folder(folder) => needs.writing_in(folder),
        }
        .confine(global);
    }
}
