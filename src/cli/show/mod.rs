//! `nnue show`: pictures of a network, as one page or as single files.
//!
//! What was typed (`options`) → the networks and what is known of their activations (`subject`) → sections of pictures (`views`) → files.

mod described;
mod options;
mod subject;
mod views;

use std::path::Path;

use serde_json::json;

use super::output::{Place, Written, check_folder_of, write_file};
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::draw::{raster, svg};
use crate::error::{Error, Result};
use crate::files::{OwnPath, create_dir_all, typed};
use crate::show::Page;
pub(crate) use options::Args;
use options::Format;

pub(super) fn run(args: Args, global: &Global) -> Result<Exit> {
    args.check()?;
    let ctx = global.ctx(Backend::Auto);
    let target = args.target();
    let page = match super::lc0::page(&args.files, args.label.as_deref(), &ctx)? {
        Some(page) => {
            args.refuse_for_lc0()?;
            page
        }
        None => match described::page(&args, &ctx)? {
            Some(page) => page,
            None if args.files.len() == 1 => single(&args, &ctx)?,
            None => views::overlay(&args, &ctx)?,
        },
    };
    let written = match args.format {
        Format::Html => vec![write_page(&target, &page, &args, &ctx)?],
        Format::Svg | Format::Png => write_pictures(&target, &page, &args, &ctx)?,
    };
    if args.json {
        let files = written.iter().map(|one| json!({"path": typed(&one.path), "sha256": one.sha256.to_string(), "bytes": one.bytes}));
        global.print_json(&json!({"schema": 1, "files": files.collect::<Vec<_>>(), "warnings": global.warnings()}))?;
    } else {
        let lines = written.iter().map(|one| format!("wrote `{}`, {} bytes\n", one.path.display(), one.bytes));
        global.print_summary(&lines.collect::<String>())?;
    }
    Ok(Exit::Done)
}

fn single(args: &Args, ctx: &Ctx) -> Result<Page> {
    let loaded = subject::Loaded::of(args, ctx)?;
    views::page(args, &loaded, ctx)
}

fn write_page(target: &Path, page: &Page, args: &Args, ctx: &Ctx) -> Result<Written> {
    let html = page.html();
    let own = OwnPath::from(target);
    let place = if args.names_target() { Place::File(target) } else { Place::Own(&own) };
    write_file(place, ctx, |out| out.write_all(html.as_bytes()).map_err(|error| Error::io("cannot write", target, error)))
}

/// Each picture in a file of its own, named by the picture, after the label where one was given.
fn write_pictures(folder: &Path, page: &Page, args: &Args, ctx: &Ctx) -> Result<Vec<Written>> {
    check_folder_of(folder)?;
    // A folder that nobody typed is one of the program's own, as the pictures in any folder are.
    let pictures = if args.names_target() {
        create_dir_all(folder)?;
        OwnPath::new(folder, "")
    } else {
        OwnPath::from(folder)
    };
    pictures.create_folder()?;
    let prefix = match &args.label {
        Some(label) => format!("{}_", label.replace(['/', '\\'], "_")),
        None => String::new(),
    };
    let mut written = Vec::new();
    for scene in page.pictures() {
        let (bytes, ending) = match args.format {
            Format::Png => {
                // Charts in the double size, so that they can be scaled; heat maps pixel by pixel.
                let zoom = if scene.heats().next().is_some() { 1 } else { 2 };
                (raster::png(scene, zoom), "png")
            }
            Format::Svg | Format::Html => (svg::document(scene).into_bytes(), "svg"),
        };
        let path = pictures.join(format!("{prefix}{}.{ending}", scene.name));
        let write = |out: &mut dyn std::io::Write| out.write_all(&bytes).map_err(|error| Error::io("cannot write", path.as_path(), error));
        let file = write_file(Place::Own(&path), ctx, write)?;
        written.push(file);
    }
    Ok(written)
}
