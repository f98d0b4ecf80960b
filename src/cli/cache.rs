//! `nnue cache`: what the cache holds, what of it may go, whether it is whole.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;

use super::units::{bytes_text, duration, size, timeout};
use super::{Exit, Global};
use crate::build::{CACHE_VARIABLE, cache_folder};
use crate::cache::gc::{self, CacheStats, GcOptions, GcOutcome, VerifyOutcome};
use crate::ctx::Backend;
use crate::error::Result;
use crate::files::{OwnPath, folder_of};
use crate::manifest;

/// Look into the cache, clean it, check it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What it holds, by stage and age, and how often it helped
    Stats(Common),
    /// Remove artifacts and records that are not needed
    ///
    /// Without options only what no build can still use goes: artifacts without a record, records without their artifact, and
    /// leftover temporary files. Each of --max-size, --older-than and --unreachable lets more go. Whatever they say, what the last
    /// build of a manifest needs stays as long as that manifest exists, and so does everything younger than --grace.
    Gc(GcArgs),
    /// Read everything in it, and remove what is damaged
    Verify(Common),
}

#[derive(clap::Args)]
struct Common {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Give up waiting for other processes after this time (ms, s, m, h, d or w), such as 30s or 10m
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    lock_timeout: Option<Duration>,
}

#[derive(clap::Args)]
struct GcArgs {
    /// Remove the longest unused until no more than this is left, such as 20G; never what a manifest's last build needs
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Remove what was not used for so long (ms, s, m, h, d or w), such as 30d; never what a manifest's last build needs
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<Duration>,
    /// Remove all that no manifest that used the cache needs for the last build of its nets
    #[arg(long)]
    unreachable: bool,
    /// Keep everything that was made or used within this time, whatever the other options say
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    grace: Duration,
    /// Only say what would go
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    let ctx = global.ctx(Backend::Cpu);
    let root = root(global)?;
    match args.command {
        Command::Stats(common) => {
            let stats = gc::stats(&root, common.lock_timeout, &ctx)?;
            show(common.json, &stats, || stats_text(&root, &stats), global)?;
        }
        Command::Gc(args) => {
            let options = GcOptions {
                max_size: args.max_size,
                older_than: args.older_than,
                unreachable: args.unreachable,
                grace: args.grace,
                dry_run: args.dry_run,
                lock_timeout: args.common.lock_timeout,
                ..GcOptions::default()
            };
            let outcome = gc::collect(&root, &options, &ctx)?;
            show(args.common.json, &outcome, || gc_text(&options, &outcome), global)?;
        }
        Command::Verify(common) => {
            let outcome = gc::verify(&root, common.lock_timeout, &ctx)?;
            show(common.json, &outcome, || verify_text(&outcome), global)?;
            if !outcome.damaged.is_empty() {
                return Ok(Exit::Failed);
            }
        }
    }
    Ok(Exit::Done)
}

/// Where the cache is. The manifest is not read: a mistake in it should not keep anyone from cleaning up, and no manifest is needed for a cache
/// that has a folder of its own.
fn root(global: &Global) -> Result<OwnPath> {
    if std::env::var_os(CACHE_VARIABLE).is_some_and(|folder| !folder.is_empty()) {
        return Ok(cache_folder(Path::new(".")));
    }
    let manifest = match &global.manifest {
        Some(path) => path.clone(),
        None => manifest::find(Path::new(".")).map_err(|error| error.help(format!("or name the cache by `{CACHE_VARIABLE}`")))?,
    };
    Ok(cache_folder(folder_of(&manifest)))
}

/// Prints a result as JSON, with the version of its format in front, or as text.
fn show(json: bool, value: &impl serde::Serialize, text: impl FnOnce() -> String, global: &Global) -> Result<()> {
    #[derive(serde::Serialize)]
    struct Versioned<'a, T> {
        schema: u32,
        #[serde(flatten)]
        value: &'a T,
    }
    if json { global.print_json(&Versioned { schema: 1, value }) } else { global.print(&text()) }
}

fn stats_text(root: &OwnPath, stats: &CacheStats) -> String {
    let mut text = format!("{}\n", root.display());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<16} {value}");
    };
    line("artifacts", format!("{}, {}", stats.blobs, bytes_text(stats.blob_bytes)));
    line("records", format!("{}, {}", stats.records, bytes_text(stats.record_bytes)));
    if stats.damaged_records > 0 {
        line("damaged records", format!("{}: `nnue cache verify` removes them", stats.damaged_records));
    }
    line("manifests", stats.roots.to_string());
    let (hits, asked) = (stats.usage.hits, stats.usage.hits.saturating_add(stats.usage.misses));
    if asked > 0 {
        line("hits", format!("{hits} of {asked} ({:.1} %)", 100.0 * hits as f64 / asked as f64));
    }
    for (stage, of) in &stats.by_stage {
        let stored = if of.stored > 0 { format!(", {} stored, {}", of.stored, bytes_text(of.bytes)) } else { String::new() };
        line(stage, format!("{} records{stored}, {:.1} s of work", of.records, of.saves_s));
    }
    let mut from = 0;
    for age in &stats.by_age {
        let name = age.under_days.map_or(format!("{from} days and more"), |days| format!("{from} to {days} days"));
        if age.blobs > 0 {
            line(&name, format!("{} artifacts, {}", age.blobs, bytes_text(age.bytes)));
        }
        from = age.under_days.unwrap_or(from);
    }
    text
}

fn gc_text(options: &GcOptions, outcome: &GcOutcome) -> String {
    let verb = if options.dry_run { "would remove" } else { "removed" };
    let mut text = format!(
        "{verb} {} artifacts and {} records, {}\nleft: {} artifacts and {} records, {}\n",
        outcome.removed_blobs,
        outcome.removed_records,
        bytes_text(outcome.removed_bytes),
        outcome.blobs,
        outcome.records,
        bytes_text(outcome.bytes)
    );
    if outcome.over_limit {
        text += "this is more than --max-size: manifests need the rest, or it is younger than --grace\n";
    }
    text
}

fn verify_text(outcome: &VerifyOutcome) -> String {
    let mut text = format!("read {} artifacts and {} records, {}\n", outcome.blobs, outcome.records, bytes_text(outcome.bytes));
    for damage in &outcome.damaged {
        let _ = writeln!(text, "removed, as it is corrupt: {}: {}", damage.path.display(), damage.reason);
    }
    if outcome.dangling_records > 0 {
        let _ = writeln!(text, "{} records lack their artifact: their stages run again when needed", outcome.dangling_records);
    }
    if outcome.damaged.is_empty() {
        text += "all is whole\n";
    }
    text
}
