//! The README and the pages in `docs/` hold together: links and anchors lead somewhere, pages that are made are current, quoted messages
//! are the program's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cli_support, common};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn root() -> &'static Path {
    Path::new(ROOT)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All pages that people read in the repository.
fn pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "tests", "packaging", "python", ".github", ".github/ISSUE_TEMPLATE"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// Lines outside of code blocks, without code in backticks.
fn prose(text: &str) -> Vec<String> {
    let mut fence: Option<usize> = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let ticks = line.trim_start().bytes().take_while(|byte| *byte == b'`').count();
        if ticks >= 3 {
            fence = match fence {
                Some(open) if ticks >= open => None,
                None => Some(ticks),
                open => open,
            };
        } else if fence.is_none() {
            lines.push(line.split('`').step_by(2).collect::<Vec<_>>().join("`"));
        }
    }
    assert_eq!(fence, None, "a code block has no end");
    lines
}

/// The targets of links and images.
fn links(text: &str) -> Vec<String> {
    let whole = prose(text).join("\n");
    whole.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchors of a page, as code hosts and mdBook make them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut found, mut in_block) = (BTreeSet::new(), false);
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if in_block || level == 0 || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase().replace(' ', "-");
        let slug: String = kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect();
        let mut name = slug.clone();
        for number in 1.. {
            if found.insert(name) {
                break;
            }
            name = format!("{slug}-{number}");
        }
    }
    found
}

/// What is wrong with a link of the page `page`.
fn fault(page: &Path, link: &str) -> Option<String> {
    if ["https://", "http://", "mailto:"].iter().any(|start| link.starts_with(start)) {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
    let Ok(target) = target.canonicalize() else { return Some(format!("no file `{path}`")) };
    if !target.starts_with(root().canonicalize().unwrap()) {
        return Some("it leads out of the repository".to_owned());
    }
    let anchor = anchor?;
    (!anchors(&read(&target)).contains(anchor)).then(|| format!("no heading `#{anchor}`"))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut faults = Vec::new();
    let mut seen = 0;
    for page in &pages {
        for link in links(&read(page)) {
            seen += 1;
            faults.extend(fault(page, &link).map(|why| format!("{}: [{link}]: {why}", page.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 100 && pages.len() > 25, "{seen} links in {} pages", pages.len());
}

#[test]
fn broken_links_are_found() {
    let page = root().join("README.md");
    assert_eq!(links("a [b](c.md#d) `[no](x)`\n```\n[no](y)\n```\n![e](f.svg)"), ["c.md#d", "f.svg"]);
    assert!(fault(&page, "docs/nowhere.md").unwrap().contains("no file"));
    assert!(fault(&page, "docs/limits.md#nowhere").unwrap().contains("no heading"));
    assert!(fault(&page, "../README.md").is_some());
    assert_eq!(fault(&page, "docs/limits.md#limits"), None);
    let twice = anchors("# A `b_c`, d!\n```\n# no\n```\n## X\n## X\n");
    assert_eq!(twice.into_iter().collect::<Vec<_>>(), ["a-b_c-d", "x", "x-1"]);
}

#[test]
fn the_book_has_every_page_once() {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let mut listed = links(&summary);
    listed.sort();
    let files = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> = files.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    pages.sort();
    assert_eq!(listed, pages);
}

/// The values of an attribute in a page of HTML.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(&format!(" {name}=\"")).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

/// What is wrong with the links of a folder of rendered pages, and how many were looked at.
fn faults_of_the_book(book: &Path) -> (Vec<String>, usize) {
    let files = common::files_below(book).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "html"));
    let pages: BTreeMap<PathBuf, String> = files.map(|path| (path.clone(), read(&path))).collect();
    let (mut faults, mut seen) = (Vec::new(), 0);
    // The page for printers has all others once more, under anchors of its own.
    for (page, html) in pages.iter().filter(|(path, _)| !path.ends_with("print.html") && !path.ends_with("404.html")) {
        let links = [attributes(html, "href"), attributes(html, "src")].concat();
        let inner = links.iter().filter(|link| !["https://", "http://", "mailto:", "data:"].iter().any(|start| link.starts_with(start)));
        // Debian's mdBook comes without these two.
        for link in inner.filter(|link| !link.ends_with("fonts/fonts.css") && !link.ends_with("book.js")) {
            seen += 1;
            let (path, anchor) = link.split_once('#').map_or((*link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let fault = match (target.canonicalize(), anchor) {
                (Err(_), _) => "no file",
                (Ok(target), _) if !target.starts_with(book) => "leads out of the book",
                (Ok(target), Some(anchor)) if pages.get(&target).is_none_or(|html| !attributes(html, "id").contains(&anchor)) => {
                    "no anchor"
                }
                _ => continue,
            };
            faults.push(format!("{}: `{link}`: {fault}", page.display()));
        }
    }
    (faults, seen)
}

#[test]
fn the_book_is_made_and_its_links_lead_somewhere() {
    let Some(mdbook) = cli_support::tool("NNUE_TEST_MDBOOK", "mdbook") else { return };
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().canonicalize().unwrap().join("book");
    let output = Command::new(mdbook).args(["build", "-d"]).arg(&book).current_dir(root().join("docs")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // What goes wrong in a preprocessor is a mere warning, or a line of its own.
    assert!(output.status.success() && said.lines().all(|line| line.contains(" [INFO] ")), "{said}");
    let (faults, seen) = faults_of_the_book(&book);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 1000, "{seen} links");

    // A page that is not there, and one without its headings, are noticed.
    fs::remove_file(book.join("limits.html")).unwrap();
    let errors = book.join("errors.html");
    fs::write(&errors, read(&errors).replace(" id=\"", " class=\"")).unwrap();
    let (faults, _) = faults_of_the_book(&book);
    assert!(faults.iter().any(|fault| fault.ends_with("no file")) && faults.iter().any(|fault| fault.ends_with("no anchor")), "{faults:?}");
}

#[test]
fn the_page_of_commands_is_current() {
    let path = root().join("docs/commands.md");
    let page = cli_support::nnue(root(), ["man", "--markdown"]).ok().out;
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(read(&path) == page, "docs/commands.md differs from `nnue man --markdown` (UPDATE=1 rewrites it)");
    for command in ["build", "cache gc", "perm gather", "convert"] {
        assert!(page.contains(&format!("\n## `nnue {command}`\n")), "{command}");
    }
}

/// The text of all sources of the program.
fn sources() -> String {
    fn collect(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text.push_str(&read(&path));
            }
        }
    }
    let mut text = String::new();
    collect(&root().join("src"), &mut text);
    text
}

/// Each kind of error, with its exit code, stands at the head of the catalogue; and every row there has a cause and a remedy.
#[test]
fn the_catalogue_has_every_kind_of_error() {
    let page = read(&root().join("docs/errors.md"));
    let declared = read(&root().join("src/error.rs"));
    let declared = declared.split_once("pub enum Kind {").unwrap().1.split_once('}').unwrap().0;
    let kinds: Vec<String> = declared.lines().filter_map(|line| Some(line.trim().strip_suffix(',')?.to_lowercase())).collect();
    let codes = declared.split("exit code ").skip(1).map(|rest| rest.split(')').next().unwrap());
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    for (kind, code) in kinds.iter().zip(codes) {
        assert!(page.contains(&format!("\n| {code} | `{kind}` | ")), "{code} `{kind}`");
    }
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert!(cells.len() == 3 && cells.iter().all(|cell| cell.len() > 2 || cell.parse::<u8>().is_ok()), "{row}");
    }
}

#[test]
fn quoted_messages_are_those_of_the_program() {
    let (page, sources) = (read(&root().join("docs/errors.md")), sources());
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    // The table of exit codes and kinds begins with numbers.
    let messages: Vec<&str> = rows.map(|(message, _)| message).collect();
    assert!(messages.len() > 60, "{messages:?}");
    for message in messages {
        for part in message.split('…').map(str::trim) {
            assert!(sources.contains(part), "no message of the program has `{part}`");
        }
    }
}

/// The lines of the picture in the README, as they are shown.
fn lines_of_the_demo() -> Vec<String> {
    let picture = read(&root().join("docs/demo.svg"));
    let texts = picture.split("<text ").skip(1).map(|text| text.split_once('>').unwrap().1.split_once("</text>").unwrap().0);
    let plain = texts.map(|text| text.split('<').map(|part| part.split_once('>').map_or(part, |(_, rest)| rest)).collect::<String>());
    plain.map(|text| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).collect()
}

/// A number of seconds stands for any other.
fn without_times(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let is_time = |at: usize| words.get(at + 1) == Some(&"s") && words[at].parse::<f64>().is_ok();
    (0..words.len()).map(|at| if is_time(at) { "0.00" } else { words[at] }).collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

#[test]
fn the_demo_shows_what_the_program_prints() {
    let folder = tempfile::tempdir().unwrap();
    let example = folder.path().join("examples/quickstart");
    fs::create_dir_all(&example).unwrap();
    for name in ["nnue.toml", "nnue.lock", "random.nnue", "positions.fen"] {
        fs::copy(root().join("examples/quickstart").join(name), example.join(name)).unwrap();
    }
    let shown = lines_of_the_demo();
    let mut printed = Vec::new();
    for command in shown.iter().filter_map(|line| line.strip_prefix("$ ")) {
        printed.push(format!("$ {command}"));
        let words = command.split(' ').skip(1);
        printed.extend(cli_support::nnue(folder.path(), words).out.lines().map(without_times));
    }
    let shown: Vec<String> = shown.iter().map(|line| without_times(line)).filter(|line| !line.is_empty()).collect();
    assert_eq!(shown, printed, "`python3 docs/demo.py` makes it again");
}

/// Files in the root that hosts and editors read are there, and say what they should.
#[test]
fn the_project_has_its_files() {
    let files: BTreeMap<&str, &str> = BTreeMap::from([
        ("CONTRIBUTING.md", "bash .ci/run"),
        ("CHANGELOG.md", "## [Unreleased]"),
        ("CODE_OF_CONDUCT.md", "Reporting"),
        ("SECURITY.md", "## Reporting"),
        ("rust-toolchain.toml", "\"rustfmt\""),
        (".editorconfig", "root = true"),
        (".taplo.toml", "schemas/nnue.schema.json"),
        ("justfile", "ci:"),
    ]);
    for (name, part) in files {
        assert!(read(&root().join(name)).contains(part), "{name} lacks `{part}`");
    }
}
