//! Panics: a bug in this program, said as such, without a backtrace in the user's face.
#![allow(unsafe_code, reason = "a variable of the environment that must go")]

use std::backtrace::Backtrace;
use std::panic;

use super::log::LogFormat;
use crate::error::Result;
use crate::panics;

/// Replaces the report that Rust prints. Must run before any other room wraps the hook.
///
/// With `RUST_BACKTRACE` set the backtrace is printed, for those who hunt the bug.
///
/// From here on the variable is gone: with it, Rust prints a backtrace where memory ends, which asks for memory, and waits for ever for a
/// lock that this thread holds; with whatever else it holds, such as the cache's.
pub(super) fn install_hook(format: LogFormat) {
    const VARIABLE: &str = "RUST_BACKTRACE";
    let is_wanted = std::env::var_os(VARIABLE).is_some_and(|value| value != "0");
    // SAFETY: this is the first that the program does; no other thread is there to read the environment meanwhile.
    unsafe { std::env::remove_var(VARIABLE) };
    panic::set_hook(Box::new(move |info| {
        panics::note(info);
        if is_wanted {
            let text = format!("{info}\n{}", Backtrace::force_capture());
            super::terminal::to_stderr(&match format {
                LogFormat::Json => super::log::message("note", &text),
                LogFormat::Text | LogFormat::Github => text,
            });
        }
    }));
}

/// Runs `work` and makes an error of a panic in it.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    panics::caught(work).unwrap_or_else(|panic| {
        let error = panic.into_error("this is a bug in nnue");
        Err(error.help("please report it with the command and, if you can, the file; `RUST_BACKTRACE=1` shows more"))
    })
}

#[cfg(test)]
mod tests;
