//! `nnue clean`: removes what builds published and no net has any more.

use std::fmt::Write;

use serde::Serialize;

use super::build::{ManifestArgs, load_manifest};
use super::units::bytes_text;
use super::{Exit, Global};
use crate::build::{CleanOptions, Cleaned, clean, lock};
use crate::ctx::Backend;
use crate::error::Result;
use crate::shown;

/// Remove published files that no net of the manifest has any more
///
/// Those are outputs of nets that are gone, and older ones such as `nn-<sha256>.nnue` in an output folder, with their provenance. Goes by what
/// builds noted here: a file that no build wrote, or that has another content now, stays, and so do the outputs of the last build of each net.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only say what would go
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manifest: ManifestArgs,
}

#[derive(Serialize)]
struct Versioned<'a> {
    schema: u32,
    #[serde(flatten)]
    cleaned: &'a Cleaned,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let manifest = load_manifest(&args.manifest, global, &ctx)?;
    let options = CleanOptions { dry_run: args.dry_run, lock_timeout: args.manifest.lock_timeout };
    let cleaned = clean(&manifest, options, &ctx)?;
    if args.json {
        global.print_json(&Versioned { schema: 1, cleaned: &cleaned })?;
    } else {
        global.print(&text(&cleaned, &lock::name_of(&manifest)))?;
    }
    Ok(Exit::Done)
}

fn text(cleaned: &Cleaned, lock: &str) -> String {
    let mut text = String::new();
    let verb = if cleaned.dry_run { "would remove" } else { "removed" };
    for file in &cleaned.removed {
        let why =
            if file.gone { format!("the net `{}` is gone", file.net) } else { format!("the net `{}` has another output now", file.net) };
        let _ = writeln!(text, "{verb} {}  {}  ({})", shown::line(&file.path), bytes_text(file.bytes), shown::line(&why));
    }
    for file in &cleaned.kept {
        let _ = writeln!(text, "kept {}: {}", shown::line(&file.path), shown::line(&file.why));
    }
    for net in &cleaned.unlocked {
        let what = if cleaned.dry_run { "would be dropped" } else { "dropped" };
        let _ = writeln!(text, "`{}` {what} from `{lock}`", shown::line(net));
    }
    let bytes: u64 = cleaned.removed.iter().map(|file| file.bytes).sum();
    let _ = match cleaned.removed.len() {
        0 => writeln!(text, "nothing to remove"),
        1 => writeln!(text, "1 file, {}", bytes_text(bytes)),
        count => writeln!(text, "{count} files, {}", bytes_text(bytes)),
    };
    text
}
