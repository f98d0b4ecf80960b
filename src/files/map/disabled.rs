//! Where files are not mapped.

use std::{
    fs::File,
    io,
    ops::{Deref, Range},
    path::Path,
};

/// There is none.
pub enum Map {}

impl Map {
    /// Never maps.
    pub fn of(_: &File, _: &Path) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Of no map nothing goes.
    pub fn let_go(&self, _: Range<usize>) {
        match *self {}
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match *self {}
    }
}

/// Without maps none is lost.
pub mod lost {
    use crate::error::Result;

    /// Nothing is to be expected.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a process's signals are not a library's"))]
    pub fn expect() {}

    /// Every byte that was read was one of its file.
    ///
    /// # Errors
    /// None.
    pub fn check() -> Result<()> {
        Ok(())
    }

    /// Begins anew.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line goes on"))]
    pub fn forget() {}
}
