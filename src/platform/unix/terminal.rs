//! The terminal of a stream.

use std::{io::IsTerminal, os::fd::AsFd};

/// Columns of the terminal that the stream is; `None` where it is none, or does not know.
pub(crate) fn width_of(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    let size = stream.is_terminal().then(|| rustix::termios::tcgetwinsize(stream).ok()).flatten()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// Whether the terminal that a stream is shows colours.
pub(crate) fn shows_colours(_: &impl IsTerminal) -> bool {
    true
}
