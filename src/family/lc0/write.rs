//! A net → the bytes of a weight file. An untouched net gives back the bytes that it was read from.

use std::io::Write;

use super::{
    container::{self, Wrapping},
    net::Net,
    pack::Packer,
};
use crate::error::{Error, Result};
use crate::files::{HashingWriter, Sha256};

fn failed(error: std::io::Error) -> Error {
    Error::new("cannot write the weight file").because(error)
}

impl Net {
    /// Writes the protobuf: the bytes that were read, or, of a changed net, fields in lc0's order, then what lc0 skips.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_pb(&self, out: &mut dyn Write) -> Result<()> {
        match self.protobuf() {
            Some(bytes) => out.write_all(bytes).map_err(failed),
            None => self.message.write(out, true).map_err(failed),
        }
    }

    /// Bytes that [`Self::write_pb`] writes.
    pub fn pb_len(&self) -> u64 {
        self.protobuf().map_or_else(|| self.message.encoded_len(true), |bytes| bytes.len() as u64)
    }

    /// Writes gzip'd protobuf: the stream that was read where there was a whole one, else level 9 without name and time, so that the same
    /// net gives the same bytes each time.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_gz(&self, out: &mut dyn Write) -> Result<()> {
        if let Some(source) = &self.source
            && let Some(stream) = &source.unwrapped.stream
        {
            // A file that is all gzip comes back whole, with what stands after the stream.
            let range = if source.unwrapped.wrapping == Wrapping::Gzip { 0..source.file.len() } else { stream.clone() };
            return out.write_all(source.file.get(range).unwrap_or_default()).map_err(failed);
        }
        self.pack(out).map(drop)
    }

    /// As [`Self::write_gz`], but packed anew whatever the net was read from; the digest of what is inside.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn pack(&self, out: &mut dyn Write) -> Result<Sha256> {
        let mut packer = HashingWriter::<_, Sha256>::new(Packer::new(out));
        self.write_pb(&mut packer)?;
        let (packer, content, _) = packer.finish();
        packer.finish().map_err(failed)?;
        Ok(content)
    }

    /// Writes `engine` with the net at its end, as lc0's `<built in>` reads it. A net that is there already is replaced.
    ///
    /// # Errors
    /// Those of `out`, and when the net is larger than its trailer can say.
    pub fn write_embedded(&self, engine: &[u8], out: &mut dyn Write) -> Result<()> {
        let mut stream = Vec::new();
        self.write_gz(&mut stream)?;
        let size =
            i32::try_from(stream.len()).map_err(|_| Error::new("the net is too large to be embedded").because("2 GiB is the limit"))?;
        for piece in [container::without_embedded(engine), &stream, &size.to_le_bytes(), b"Lc0!"] {
            out.write_all(piece).map_err(failed)?;
        }
        Ok(())
    }
}
