//! The console of a stream.

use std::io::IsTerminal;

use winapi_util::{AsHandleRef, console};
use windows_sys::Win32::System::Console::ENABLE_VIRTUAL_TERMINAL_PROCESSING;

/// Columns of the terminal that the stream is; `None` where it is none, or does not know.
pub(crate) fn width_of(stream: &(impl IsTerminal + AsHandleRef)) -> Option<usize> {
    let window = stream.is_terminal().then(|| console::screen_buffer_info(stream).ok()).flatten()?.window_rect();
    usize::try_from(i32::from(window.right) - i32::from(window.left) + 1).ok().filter(|width| *width > 0)
}

/// Whether the terminal that a stream is shows colours. A console is asked to: it shows their codes otherwise.
pub(crate) fn shows_colours(stream: &impl AsHandleRef) -> bool {
    // What is no console and is a terminal all the same is one that came from Unix.
    console::mode(stream).map_or(true, |mode| console::set_mode(stream, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING).is_ok())
}
