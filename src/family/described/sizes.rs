//! `[sizes]`: named whole numbers, and the small arithmetic between them (`l3in = "l3+2*out"`). Knows nothing of tensors.

/// Larger numbers are no sizes of a network, and products of two stay within 128 bits.
pub(crate) const LARGEST: i128 = 1 << 40;

/// Parentheses within each other.
const DEPTH: usize = 32;

/// Computes `expression`: whole numbers, names, `+ - * // / %` and parentheses. `/` must leave no rest, `//` rounds down.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn evaluate(expression: &str, lookup: &mut dyn FnMut(&str) -> Result<i128, String>) -> Result<i128, String> {
    let mut parser = Parser { rest: expression.trim(), lookup, depth: 0 };
    let value = parser.sum()?;
    if parser.rest.is_empty() { Ok(value) } else { Err(format!("`{}` was not expected", parser.rest)) }
}

struct Parser<'a, 'b> {
    rest: &'a str,
    lookup: &'b mut dyn FnMut(&str) -> Result<i128, String>,
    depth: usize,
}

impl Parser<'_, '_> {
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Result<i128, String> {
        let mut value = self.product()?;
        loop {
            value = if self.take("+") {
                value + self.product()?
            } else if self.take("-") {
                value - self.product()?
            } else {
                return Ok(value);
            };
            value = bounded(value)?;
        }
    }

    fn product(&mut self) -> Result<i128, String> {
        let mut value = self.atom()?;
        loop {
            value = if self.take("*") {
                value * self.atom()?
            } else if self.take("//") {
                let divisor = nonzero(self.atom()?)?;
                value.div_euclid(divisor)
            } else if self.take("/") {
                let divisor = nonzero(self.atom()?)?;
                if value % divisor != 0 {
                    return Err(format!("{value} is no multiple of {divisor}; `//` rounds down"));
                }
                value / divisor
            } else if self.take("%") {
                let divisor = nonzero(self.atom()?)?;
                value.rem_euclid(divisor)
            } else {
                return Ok(value);
            };
            value = bounded(value)?;
        }
    }

    fn atom(&mut self) -> Result<i128, String> {
        if self.take("(") {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err("parentheses nest too deeply".to_owned());
            }
            let value = self.sum()?;
            self.depth -= 1;
            return if self.take(")") { Ok(value) } else { Err("a `)` is missing".to_owned()) };
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err("a number or a name is missing".to_owned());
        }
        self.rest = rest.trim_start();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map_err(|_| format!("`{word}` is no whole number")).and_then(bounded);
        }
        (self.lookup)(word)
    }
}

fn bounded(value: i128) -> Result<i128, String> {
    if value.abs() <= LARGEST { Ok(value) } else { Err(format!("a value beyond {LARGEST}")) }
}

fn nonzero(value: i128) -> Result<i128, String> {
    if value == 0 { Err("a division by 0".to_owned()) } else { Ok(value) }
}

#[cfg(test)]
mod tests;
