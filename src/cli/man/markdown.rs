//! All commands as one page in Markdown, made from the command line's own help.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command};

const HEAD: &str = "# Commands

This page is made from the command line's own help (`nnue man --markdown`), and a test holds it to be current. What the commands are for, and
how they work together, is told in [the command line in use](using.md).
";

/// The page. `command` is built: its subcommands have what they inherit.
pub(super) fn page(command: &Command) -> String {
    let mut out = HEAD.to_owned();
    section(command, "Every command", &[], &mut out);
    let global: Vec<&Arg> = shown(command).filter(|arg| arg.is_global_set()).collect();
    table("Global options", &global, &mut out);
    let codes = super::super::EXIT_CODES.lines().skip(1).filter_map(|line| line.trim().split_once("  "));
    let codes: String = codes.map(|(code, meaning)| format!("| {code} | {} |\n", meaning.trim())).collect();
    let _ = write!(out, "\n| exit code | meaning |\n| --- | --- |\n{codes}");
    commands(command, "nnue", &mut out);
    out
}

/// The sections of all commands below `command`.
fn commands(command: &Command, name: &str, out: &mut String) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let name = format!("{name} {}", sub.get_name());
        let usage = sub.clone().render_usage().to_string();
        section(sub, &format!("`{name}`"), &[usage.trim_start_matches("Usage: ")], out);
        let mut headings: Vec<Option<&str>> = Vec::new();
        for heading in shown(sub).filter(|arg| !arg.is_global_set()).map(Arg::get_help_heading) {
            if !headings.contains(&heading) {
                headings.push(heading);
            }
        }
        // Those without a heading come first.
        headings.sort_by_key(Option::is_some);
        for heading in headings {
            let args: Vec<&Arg> = shown(sub).filter(|arg| !arg.is_global_set() && arg.get_help_heading() == heading).collect();
            table(heading.unwrap_or("argument or option"), &args, out);
        }
        commands(sub, &name, out);
    }
}

/// What a user is shown, but for help and version.
fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| {
        let is_help = matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version);
        !arg.is_hide_set() && !is_help
    })
}

fn section(command: &Command, title: &str, usage: &[&str], out: &mut String) {
    let about = command.get_long_about().or(command.get_about()).map(plain).unwrap_or_default();
    let _ = write!(out, "\n## {title}\n\n{}\n", about.trim_end());
    for line in usage {
        let _ = write!(out, "\n```text\n{line}\n```\n");
    }
}

fn table(title: &str, args: &[&Arg], out: &mut String) {
    if !args.is_empty() {
        let _ = write!(out, "\n| {title} | |\n| --- | --- |\n");
    }
    for arg in args {
        let _ = writeln!(out, "| `{}` | {} |", form(arg), cell(&meaning(arg)));
    }
}

/// As it is typed: `-j, --jobs <N>`, `<SOURCE>`, `[NET]...`.
fn form(arg: &Arg) -> String {
    let names = [arg.get_short().map(|short| format!("-{short}")), arg.get_long().map(|long| format!("--{long}"))];
    let names: Vec<String> = names.into_iter().flatten().collect();
    if names.is_empty() {
        return arg.to_string();
    }
    let takes_value = arg.get_action().takes_values();
    let values: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().filter(|_| takes_value).map(|name| format!(" <{name}>")).collect();
    let more = if takes_value && arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
    format!("{}{}{more}", names.join(", "), values.concat())
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_long_help().or(arg.get_help()).map(plain).unwrap_or_default();
    let values = arg.get_possible_values();
    let values = values.iter().filter(|value| !value.is_hide_set() && arg.get_action().takes_values());
    let values: Vec<String> = values
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {}", value.get_name(), plain(help)),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(text, "<br>{}", values.join("<br>"));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, "<br>default: {}", defaults.join(", "));
    }
    text
}

/// Without colours.
fn plain(text: &StyledStr) -> String {
    text.to_string()
}

/// A table's cell is one line, and a bar ends it.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
