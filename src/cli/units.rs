//! Sizes and times as people type them.

use std::time::Duration;

/// `250ms`, `30s`, `10m`, `12h`, `30d`, `2w`, or several together: `1h 30m`. Only nothing needs no unit: of `30` nobody knows whether
/// days were meant.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => "it is too long".to_owned(),
        _ => "a time is a whole number with ms, s, m, h, d or w, such as `12h`".to_owned(),
    })
}

/// A time to wait for something: as [`duration`], and a bare number is seconds, as in other programs.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).or_else(|_| duration(text))
}

/// `500M`, `20GiB`, `1T`, or a number of bytes. K, M, G and T are powers of 1024 with or without `iB`, of 1000 with `B` alone.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let wrong = || "a size is a whole number of bytes, or one with K, M, G or T, such as `20G`".to_owned();
    let number: u64 = number.parse().map_err(|_| wrong())?;
    const POWERS: [&str; 4] = ["k", "m", "g", "t"];
    let lower = unit.to_ascii_lowercase();
    let scale = POWERS.into_iter().zip(1..).find_map(|(letter, power)| match lower.strip_prefix(letter)? {
        "" | "ib" => Some(1024u64.pow(power)),
        "b" => Some(1000u64.pow(power)),
        _ => None,
    });
    let scale = if matches!(&*lower, "" | "b") { Some(1) } else { scale };
    number.checked_mul(scale.ok_or_else(wrong)?).ok_or_else(|| "it is too large".to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

/// A number of bytes for people.
pub(super) fn bytes_text(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A number of which three figures are enough: `0.25`, `12.5`, `340`, `1.23M`.
pub(super) fn figures(number: f64) -> String {
    const SCALES: [(f64, &str); 5] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    // What rounds up to the next scale belongs to it.
    let (scale, letter) = SCALES.into_iter().find(|(scale, _)| number >= scale * 0.9995).unwrap_or((1.0, ""));
    let value = number / scale;
    let places = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{letter}")
}

/// A time that passes, as short as it can be said: `12s`, `1m15s`, `2h05m`, `3d04h`.
pub(super) fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let pair = |large: u64, small: u64, of: u64, words: [&str; 2]| {
        format!("{}{}{:02}{}", seconds / large, words[0], seconds / small % of, words[1])
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => pair(60, 1, 60, ["m", "s"]),
        3600..86_400 => pair(3600, 60, 60, ["h", "m"]),
        _ => pair(86_400, 3600, 24, ["d", "h"]),
    }
}

#[cfg(test)]
mod tests;
