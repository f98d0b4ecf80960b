//! Why a deflate stream is damaged, in zlib's words: lc0 shows these. Walks a stream that a fast decoder has refused; keeps no output.
//!
//! Only how far back a match may reach is remembered, so a hostile stream costs time in proportion to its length and no memory.

/// What [`fault_of`] says of a stream that ends as it should.
pub const UNHARMED: &str = "incorrect data";

/// What zlib would say of `packed`, a raw deflate stream that cannot be decoded.
pub fn fault_of(packed: &[u8]) -> &'static str {
    let mut walk = Walk { bits: Bits { bytes: packed, at: 0 }, written: 0 };
    loop {
        match walk.block() {
            Ok(true) => return UNHARMED,
            Ok(false) => {}
            Err(Stop::Fault(words)) => return words,
            Err(Stop::End) => return "unexpected end of file",
        }
    }
}

enum Stop {
    /// Damaged.
    Fault(&'static str),
    /// The input ends.
    End,
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Result<usize, Stop> {
        let mut value = 0;
        for bit in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(Stop::End)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Ok(value)
    }
}

/// A canonical Huffman code: how many codes there are of each length, and the symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// The code, and how much of the space of codes is left over (negative: more was given away than there is).
    fn new(lengths: &[usize]) -> (Self, i64) {
        let mut counts = [0; 16];
        for length in lengths {
            counts[length & 15] += 1;
        }
        let left = (1..16).fold(1i64, |left, length| if left < 0 { left } else { 2 * left - counts[length] as i64 });
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        (Self { counts, symbols }, left)
    }

    fn decode(&self, bits: &mut Bits<'_>, fault: &'static str) -> Result<usize, Stop> {
        let (mut code, mut first, mut index) = (0usize, 0usize, 0usize);
        for length in 1..16 {
            code |= bits.take(1)?;
            let count = self.counts[length];
            if code < first + count {
                return self.symbols.get(index + code - first).copied().ok_or(Stop::Fault(fault));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Stop::Fault(fault))
    }
}

struct Walk<'a> {
    bits: Bits<'a>,
    written: usize,
}

const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Walk<'_> {
    /// Walks a block; says whether it was the last.
    fn block(&mut self) -> Result<bool, Stop> {
        let last = self.bits.take(1)? == 1;
        match self.bits.take(2)? {
            0 => {
                self.bits.at = self.bits.at.next_multiple_of(8);
                let (length, inverse) = (self.bits.take(16)?, self.bits.take(16)?);
                if length != !inverse & 0xFFFF {
                    return Err(Stop::Fault("invalid stored block lengths"));
                }
                self.bits.at += 8 * length;
                self.written += length;
            }
            1 => {
                let lengths: Vec<usize> = (0..288)
                    .map(|symbol| [8, 9, 7, 8][usize::from(symbol > 143) + usize::from(symbol > 255) + usize::from(symbol > 279)])
                    .collect();
                self.codes(&Code::new(&lengths).0, &Code::new(&[5; 32]).0)?;
            }
            2 => {
                let (literals, distances) = self.tables()?;
                self.codes(&literals, &distances)?;
            }
            _ => return Err(Stop::Fault("invalid block type")),
        }
        Ok(last)
    }

    fn tables(&mut self) -> Result<(Code, Code), Stop> {
        let (literals, distances, lengths) = (self.bits.take(5)? + 257, self.bits.take(5)? + 1, self.bits.take(4)? + 4);
        if literals > 286 || distances > 30 {
            return Err(Stop::Fault("too many length or distance symbols"));
        }
        let mut of_lengths = [0; 19];
        for place in ORDER.iter().take(lengths) {
            of_lengths[*place] = self.bits.take(3)?;
        }
        let (code, left) = Code::new(&of_lengths);
        if left != 0 {
            return Err(Stop::Fault("invalid code lengths set"));
        }
        let mut all: Vec<usize> = Vec::with_capacity(literals + distances);
        while all.len() < literals + distances {
            let (value, count) = match code.decode(&mut self.bits, "invalid code lengths set")? {
                16 => {
                    let previous = *all.last().ok_or(Stop::Fault("invalid bit length repeat"))?;
                    (previous, 3 + self.bits.take(2)?)
                }
                17 => (0, 3 + self.bits.take(3)?),
                18 => (0, 11 + self.bits.take(7)?),
                length => (length, 1),
            };
            if all.len() + count > literals + distances {
                return Err(Stop::Fault("invalid bit length repeat"));
            }
            all.extend(std::iter::repeat_n(value, count));
        }
        if all.get(256) == Some(&0) {
            return Err(Stop::Fault("invalid code -- missing end-of-block"));
        }
        let (first, second) = all.split_at(literals);
        let incomplete = |lengths: &[usize], left: i64| left < 0 || left > 0 && lengths.iter().any(|length| *length > 1);
        let (literal_code, left) = Code::new(first);
        if incomplete(first, left) {
            return Err(Stop::Fault("invalid literal/lengths set"));
        }
        let (distance_code, left) = Code::new(second);
        if incomplete(second, left) {
            return Err(Stop::Fault("invalid distances set"));
        }
        Ok((literal_code, distance_code))
    }

    fn codes(&mut self, literals: &Code, distances: &Code) -> Result<(), Stop> {
        loop {
            let symbol = literals.decode(&mut self.bits, "invalid literal/length code")?;
            match symbol {
                0..256 => self.written += 1,
                256 => return Ok(()),
                257..286 => {
                    let length = match symbol - 257 {
                        short @ 0..8 => 3 + short,
                        28 => 258,
                        long => {
                            let extra = long / 4 - 1;
                            3 + ((4 + long % 4) << extra) + self.bits.take(extra)?
                        }
                    };
                    let distance = match distances.decode(&mut self.bits, "invalid distance code")? {
                        short @ 0..4 => 1 + short,
                        long @ 4..30 => {
                            let extra = long / 2 - 1;
                            1 + ((2 + long % 2) << extra) + self.bits.take(extra)?
                        }
                        _ => return Err(Stop::Fault("invalid distance code")),
                    };
                    if distance > self.written {
                        return Err(Stop::Fault("invalid distance too far back"));
                    }
                    self.written += length;
                }
                _ => return Err(Stop::Fault("invalid literal/length code")),
            }
        }
    }
}

#[cfg(test)]
mod tests;
