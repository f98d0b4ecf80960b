//! Any text gives a manifest or an error that can be shown.

use crate::*;

/// Any text gives a manifest or an error that can be shown.
#[test]
fn no_mutation_panics() {
    let example = fs::read(Path::new(ROOT).join("nnue.toml.example")).unwrap();
    // Without comments a mutation is more likely to hit something that is read.
    let example: String =
        String::from_utf8(example).unwrap().lines().map(|line| format!("{}\n", line.split(" #").next().unwrap())).collect();
    let tokens = [
        "\"",
        "[",
        "]",
        "{",
        "}",
        "=",
        "\n",
        "{stem}",
        "{run}",
        "{seed}",
        "..",
        "/",
        "1",
        "-",
        "[net.big]",
        "'''",
        "\u{0}",
        "ü",
        "\r",
        "glob",
        "true",
        "1e9",
        "#",
        "*",
    ];
    let mut random = random();
    let folder = folder("", &["runs/a/epoch=1.ckpt"]);
    let path = folder.path().join("nnue.toml");
    let (mut good, mut bad) = (0, 0);
    for _ in 0..10_000 {
        let mut bytes = example.clone().into_bytes();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                1 => drop(bytes.drain(at..(at + random(40)).min(bytes.len()))),
                2 => drop(bytes.splice(at..at, tokens[random(tokens.len())].bytes())),
                3 => {
                    let from = random(bytes.len());
                    let piece = bytes[from..(from + random(60)).min(bytes.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                _ => bytes.truncate(at),
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let set = Override::parse(&text[..text.floor_char_boundary(30)]).into_iter().collect::<Vec<_>>();
        match manifest::parse(&text, &path, &set) {
            Ok(_) => good += 1,
            Err(error) => {
                bad += 1;
                assert!(!render(&error).is_empty());
            }
        }
    }
    assert_eq!(good + bad, 10_000);
    assert!(bad > 5_000 && good > 100, "the mutations do damage, not only ({good} good)");
}

/// Any `--set` is taken or refused, and what is taken can be applied.
#[test]
fn no_override_panics() {
    let mut random = random();
    let pieces = [
        "net", "big", ".", ".", "=", "=", "\"", "'", "\\", " ", "ü", "{stem}", "[", "{", "1", "source", "outputs", "optimize", "\u{0}",
        "\n",
    ];
    let (mut good, mut bad) = (0, 0);
    for _ in 0..10_000 {
        let tail: String = (0..random(9)).map(|_| pieces[random(pieces.len())]).collect();
        let text = if random(2) == 0 { tail } else { format!("net.big.{tail}") };
        match Override::parse(&text) {
            Ok(set) => {
                good += 1;
                if let Err(error) = manifest::parse(HEAD, Path::new("nowhere/nnue.toml"), &[set]) {
                    assert!(!render(&error).is_empty());
                }
            }
            Err(error) => {
                bad += 1;
                assert!(!render(&error).is_empty());
            }
        }
    }
    assert!(good > 500 && bad > 500, "{good} {bad}");
}
