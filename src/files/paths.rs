//! Names of folders as the system takes them. Looks at texts only.

use std::path::{MAIN_SEPARATOR, Path};

/// The folder by a name that can be opened: an empty one is the present folder.
pub(crate) fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The folder of a file; the present one for a bare file name.
pub(crate) fn folder_of(file: &Path) -> &Path {
    named(file.parent().unwrap_or(Path::new("")))
}

/// What is called `name` in the folder that was typed as `folder`, as it would be typed: with slashes on every system.
pub(crate) fn joined(folder: &str, name: &str) -> String {
    let slash = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
    format!("{folder}{slash}{name}")
}

/// The path as it would be typed in a manifest: with slashes on every system. For what others read; what is not text in it is replaced.
pub(crate) fn typed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if MAIN_SEPARATOR == '/' { text.into_owned() } else { text.replace(MAIN_SEPARATOR, "/") }
}

#[cfg(test)]
mod tests;
