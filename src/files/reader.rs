//! Little-endian numbers and pieces from a slice, one after the other, each read checked.
//!
//! It lies beside [`Bytes`](super::Bytes), below formats and cache, because both read with it. Kernels that decode millions of equal
//! records do not: they check a record's length once.

/// A read that would reach past the end of the slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// Where the value begins.
    pub at: usize,
    /// How many bytes it takes.
    pub needed: usize,
    /// How many there are.
    pub left: usize,
}

/// A place in a slice. A read that fails leaves it where it is.
///
/// `E` is what such a failure becomes: formats name themselves in it.
pub struct Reader<'a, E = CutOff> {
    bytes: &'a [u8],
    at: usize,
    error: fn(CutOff) -> E,
}

impl<E> Clone for Reader<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Reader<'_, E> {}

impl<'a> Reader<'a> {
    /// The beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::failing(bytes, |cut| cut)
    }
}

impl<'a, E> Reader<'a, E> {
    /// The beginning of `bytes`; failed reads are told by `error`.
    pub fn failing(bytes: &'a [u8], error: fn(CutOff) -> E) -> Self {
        Self { bytes, at: 0, error }
    }

    /// The same bytes at another place, which may lie behind their end.
    #[must_use]
    pub fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// Bytes between the beginning and this place.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What is behind this place.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], E> {
        let rest = self.rest();
        let taken = rest.get(..len).ok_or_else(|| (self.error)(CutOff { at: self.at, needed: len, left: rest.len() }))?;
        self.at += len;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], E> {
        self.take(N).map(|taken| taken.try_into().expect("the slice has N bytes"))
    }

    /// The next byte.
    ///
    /// # Errors
    /// At the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, E> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next 2 bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, E> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next 4 bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, E> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next 8 bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, E> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
