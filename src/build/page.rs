//! The report of a build as a page: a table over all nets, their stages, the graph, links to pictures.
//!
//! It says what was built from what, which is the same for equal builds. When and why something ran is another matter, and stands in it
//! only where that is asked for.

use std::path::{Path, PathBuf};

use super::report::{NetReport, NetStatus, Report};
use super::{Options, Workspace};
use crate::ctx::Ctx;
use crate::draw::scene::{Scene, grouped};
use crate::draw::{raster, svg};
use crate::error::{Error, Result};
use crate::family;
use crate::files::{Durability, OwnPath, create_dir_all, write_if_different};
use crate::manifest::OutputKind;
use crate::plan::{self, Graph, Node};
use crate::show::{Body, Cell, Page, Section, Table};

/// A page that a build is to write.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// Where.
    pub path: PathBuf,
    /// With what ran, how long and why: the page then differs from build to build.
    pub with_times: bool,
}

/// Digits of keys and digests in tables.
const DIGITS: usize = 12;

/// Ending of the folder of pictures, behind the page's name.
const PICTURES: &str = "-pictures";

impl Workspace<'_> {
    /// The page that this build writes: the one that was asked for, or the manifest's where all nets are built.
    pub(super) fn page_of(&self, nets: usize, options: &Options) -> Option<PageOptions> {
        let of_manifest = || {
            let is_whole = nets == self.manifest.nets.len();
            let path = self.manifest.report.as_ref().filter(|_| is_whole)?.value.resolved.clone();
            Some(PageOptions { path, with_times: options.with_times })
        };
        if options.dry_run { None } else { options.page.clone().or_else(of_manifest) }
    }

    /// Refuses a page that would take the place of a file of the build.
    pub(super) fn check_page(&self, page: &PageOptions, graph: &Graph) -> Result<()> {
        let known = |path: &Path| path.canonicalize().ok();
        let target = known(&page.path);
        let inputs = graph.dag.node_weights().filter_map(|node| match node {
            Node::File(file) => Some(file.path.resolved.as_path()),
            Node::Action(_) => None,
        });
        let outputs = graph.nets.iter().flat_map(|net| &net.outputs);
        let outputs =
            outputs.filter(|(output, _)| output.kind != OutputKind::Folder).map(|(output, _)| output.path.value.resolved.as_path());
        let lock = super::lock::path_of(self.manifest);
        let mut files = inputs.chain(outputs).chain([self.manifest.path.as_path(), lock.as_path()]);
        let is_taken = |path: &Path| path == page.path || (target.is_some() && known(path) == target);
        match files.find(|path| is_taken(path)) {
            None => Ok(()),
            Some(path) => Err(Error::usage(format!("the report cannot be written to `{}`", page.path.display()))
                .because(format!("`{}` is a file of the build", path.display()))
                .help("give the report another name, such as `report.html`")),
        }
    }

    /// Writes the page and the pictures that are not there yet. Files that would not change stay untouched.
    pub(super) fn write_page(&self, page: &PageOptions, graph: &Graph, report: &Report, ctx: &Ctx) -> Result<()> {
        let folder = crate::files::folder_of(&page.path);
        create_dir_all(folder)?;
        let stem = page.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut pictures = Vec::with_capacity(report.nets.len());
        for (net, plan) in report.nets.iter().zip(&graph.nets) {
            ctx.check()?;
            let output = plan.outputs.iter().zip(&net.outputs).find(|(_, shown)| shown.path.ends_with(".nnue"));
            pictures.push(match output {
                Some(((output, _), shown)) if matches!(net.status, NetStatus::Built | NetStatus::Fresh) => {
                    let path = match output.kind {
                        OutputKind::Folder => output.path.value.resolved.join(Path::new(&shown.path).file_name().unwrap_or_default()),
                        _ => output.path.value.resolved.clone(),
                    };
                    // Named by the content: what is there already is of these bytes.
                    let name = format!("{stem}{PICTURES}/{}", short(&shown.sha256));
                    pictures_in(&path, &OwnPath::new(folder, &name))?.into_iter().map(|file| (format!("{name}/{file}"), file)).collect()
                }
                _ => Vec::new(),
            });
        }
        let html = self.page(report, graph, &pictures, page.with_times).html();
        write_if_different(&page.path, |out| out.write_all(html.as_bytes()).map_err(|error| Error::io("cannot write", &page.path, error)))?;
        Ok(())
    }

    fn page(&self, report: &Report, graph: &Graph, pictures: &[Vec<(String, String)>], with_times: bool) -> Page {
        let file = self.manifest.path.file_name().unwrap_or_default().to_string_lossy();
        let nets = Section::new("nets", "Nets").text("A click on a head sorts.").table(nets_table(report, with_times));
        let graph = Section::new("graph", "Graph").picture(plan::drawing(graph));
        let words = if with_times {
            "What each stage is made of (its key), what it gave (its digest), and what this build did."
        } else {
            "What each stage is made of (its key) and what it gave (its digest). Equal keys give equal digests, on every machine."
        };
        let stages = Section::new("stages", "Stages").text(words).table(stages_table(report, with_times));
        let files = Section::new("files", "Files").table(files_table(report));
        let mut sections = vec![nets, graph, stages, files];
        if pictures.iter().any(|links| !links.is_empty()) {
            let rows = report.nets.iter().zip(pictures).flat_map(|(net, links)| {
                links.iter().map(|(address, text)| vec![Cell::Text(net.net.clone()), Cell::Link(address.clone(), text.clone())])
            });
            let table = Table { heads: heads(&["net", "picture"]), rows: rows.collect(), sortable: true, folded: None };
            let mut section =
                Section::new("pictures", "Pictures").text("`nnue show FILE` makes a page of a net, with the numbers under the pointer.");
            section.body.push(Body::Table(table));
            sections.push(section);
        }
        let count = report.nets.len();
        let subtitle =
            format!("{file}, {} {}, nnue {}", grouped(count as u64), if count == 1 { "net" } else { "nets" }, env!("CARGO_PKG_VERSION"));
        Page { title: "Build report".to_owned(), subtitle, sections, detail: None }
    }
}

/// The pictures of the file at `path`, made if the folder is not there; their names. Nobody typed that folder: no link leads it elsewhere.
fn pictures_in(path: &Path, folder: &OwnPath) -> Result<Vec<String>> {
    let names = |folder: &OwnPath| -> Option<Vec<String>> {
        let mut names: Vec<String> = folder.names().ok()?.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| [".png", ".svg"].iter().any(|ending| name.ends_with(ending)));
        names.sort();
        Some(names)
    };
    // Written last: where it is, so are the others.
    let mark = folder.join("complete");
    if mark.is_file()
        && let Some(names) = names(folder)
    {
        return Ok(names);
    }
    let scenes = family::pictures(path)?;
    folder.create_folder()?;
    for scene in &scenes {
        let (bytes, ending) = content(scene);
        folder.join(format!("{}.{ending}", scene.name)).write_bytes(Durability::Fast, &bytes)?;
    }
    mark.write_bytes(Durability::Fast, b"")?;
    Ok(names(folder).unwrap_or_default())
}

/// Heat maps in pixels, charts as drawings.
fn content(scene: &Scene) -> (Vec<u8>, &'static str) {
    if scene.heats().next().is_some() { (raster::png(scene, 1), "png") } else { (svg::document(scene).into_bytes(), "svg") }
}

fn short(digest: &str) -> String {
    digest.chars().take(DIGITS).collect()
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn percent(share: f64) -> Cell {
    Cell::Number(share, format!("{:.2} %", 100.0 * share))
}

/// A line a net: what sweeps are compared by.
fn nets_table(report: &Report, with_times: bool) -> Table {
    let mut names = vec!["net", "file", "bytes", "sha256", "zero blocks before", "after", "gain", "positions", "held out before", "after"];
    if with_times {
        names.extend(["build", "seconds"]);
    }
    let row = |net: &NetReport| {
        let output = net.outputs.first();
        let mut row = vec![Cell::Text(net.net.clone())];
        match (output, &net.error) {
            (Some(output), None) => row.extend([
                Cell::Text(output.path.clone()),
                Cell::Number(output.bytes as f64, grouped(output.bytes)),
                Cell::Code(short(&output.sha256)),
            ]),
            (_, error) => {
                row.push(Cell::Bad(error.clone().unwrap_or_else(|| "not built".to_owned())));
                row.extend([Cell::Text(String::new()), Cell::Text(String::new())]);
            }
        }
        let none = || Cell::Text(String::new());
        match &net.zero_blocks {
            Some(zero) => {
                row.extend([percent(zero.before), percent(zero.after), percent(zero.after - zero.before)]);
                row.push(Cell::Number(zero.positions as f64, grouped(zero.positions)));
                match &zero.held_out {
                    Some(held_out) => row.extend([percent(held_out.before), percent(held_out.after)]),
                    None => row.extend([none(), none()]),
                }
            }
            None => row.extend((0..6).map(|_| none())),
        }
        if with_times {
            let seconds: f64 = net.stages.iter().filter_map(|stage| stage.seconds).sum();
            let status = match net.status {
                NetStatus::Built => "built",
                NetStatus::Fresh => "up to date",
                NetStatus::Stale => "not built",
                NetStatus::Failed => "failed",
            };
            row.extend([Cell::Text(status.to_owned()), Cell::Number(seconds, format!("{seconds:.2}"))]);
        }
        row
    };
    Table { heads: heads(&names), rows: report.nets.iter().map(row).collect(), sortable: true, folded: None }
}

fn stages_table(report: &Report, with_times: bool) -> Table {
    let mut names = vec!["net", "stage", "key", "digest"];
    if with_times {
        names.extend(["state", "seconds", "reason"]);
    }
    let rows = report.nets.iter().flat_map(|net| {
        net.stages.iter().map(move |stage| {
            let code = |digest: &Option<String>| Cell::Code(digest.as_deref().map(short).unwrap_or_default());
            let mut row =
                vec![Cell::Text(net.net.clone()), Cell::Text(stage.stage.name().to_owned()), code(&stage.key), code(&stage.digest)];
            if with_times {
                row.push(Cell::Text(stage.status.name().to_owned()));
                row.push(stage.seconds.map_or_else(|| Cell::Text(String::new()), |seconds| Cell::Number(seconds, format!("{seconds:.2}"))));
                row.push(Cell::Text(stage.reason.as_ref().map(|reason| reason.text()).unwrap_or_default()));
            }
            row
        })
    });
    Table { heads: heads(&names), rows: rows.collect(), sortable: true, folded: None }
}

fn files_table(report: &Report) -> Table {
    let rows = report.nets.iter().flat_map(|net| {
        net.outputs.iter().map(|output| {
            vec![
                Cell::Text(net.net.clone()),
                Cell::Text(output.path.clone()),
                Cell::Number(output.bytes as f64, grouped(output.bytes)),
                Cell::Code(output.sha256.clone()),
            ]
        })
    });
    Table { heads: heads(&["net", "file", "bytes", "sha256"]), rows: rows.collect(), sortable: true, folded: None }
}
