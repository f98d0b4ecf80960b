//! Networks in Stockfish's format that no table of generations knows: of shogi, of variants, of feature sets that were never released.
//! Tells them by what their headers say, and with which sizes a shipped architecture describes them.

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// For people, such as `a network for shogi`.
    pub what: String,
    /// The shipped architecture.
    pub architecture: &'static str,
    /// Its sizes in this file, as `--set` takes them.
    pub sets: Vec<String>,
}

impl Foreign {
    /// The options of the command line that describe the file.
    pub fn options(&self) -> String {
        let sets: String = self.sets.iter().map(|set| format!(" --set {set}")).collect();
        format!("`--architecture {}{sets} --to LAYOUT`", self.architecture)
    }
}

/// Rows of the sets that chess networks of that age have.
const CHESS_ROWS: [usize; 5] = [41024, 41728, 49216, 49984, 45056];

/// Bytes of the layers of a stack with 16 and 32 outputs behind 1024 inputs, and its hash.
const STACK_2021: usize = 17640;

/// Looks at the header; `None` where it is one that the tables know, or nothing that is known.
pub fn recognize(bytes: &[u8]) -> Option<Foreign> {
    let word = |at: usize| bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    let version = word(0)?;
    let length = usize::try_from(word(8)?).ok()?;
    let description = String::from_utf8_lossy(bytes.get(12..length.checked_add(12)?)?).into_owned();
    let transformer = word(12 + length)?;
    match version {
        0x6A44_8AFA if transformer == 0x6F23_44B8 => Some(Foreign {
            what: "a network in Stockfish's format with 768 rows, a feature set that is in no table".to_owned(),
            architecture: "stockfish-768",
            sets: Vec::new(),
        }),
        0x7AF3_2F16 => shogi(&description),
        0x7AF3_2F20 if transformer == 0x5F23_48B8 => fairy(bytes.len(), 16 + length),
        _ => None,
    }
}

/// By the description: `Features=HalfKP(Friend)[125388->256x2],Network=…`.
fn shogi(description: &str) -> Option<Foreign> {
    let features = description.split("Features=").nth(1)?;
    let (name, rest) = features.split_once('[')?;
    let (rows, rest) = rest.split_once("->")?;
    let (neurons, _) = rest.split_once('x')?;
    let (rows, neurons): (usize, usize) = (rows.parse().ok()?, neurons.parse().ok()?);
    if CHESS_ROWS.contains(&rows) {
        return None;
    }
    let mut sets = vec![format!("sizes.row={rows}"), format!("sizes.neuron={neurons}")];
    let mut architecture = "shogi";
    if let Some(network) = description.split("Network=SFNN").nth(1) {
        architecture = "shogi-sfnn";
        // `_KA2_64_7_32_K3K3{LayerStack=9}`: after the set's name come the three sizes.
        let sizes: Vec<usize> = network.split('_').filter_map(|word| word.parse().ok()).collect();
        if let [_, out, l3, ..] = sizes[..] {
            sets.extend([format!("sizes.out={}", out.saturating_add(1)), format!("sizes.l3={l3}")]);
        }
        let stacks = network.split("LayerStack=").nth(1).and_then(|rest| rest.split('}').next()?.parse::<usize>().ok());
        sets.push(format!("sizes.head={}", stacks.unwrap_or(1)));
    }
    let name: String = name.chars().take(40).collect();
    Some(Foreign { what: format!("a network for shogi ({name}, {rows} rows, {neurons} neurons)"), architecture, sets })
}

/// By the length: what the stacks leave is rows.
fn fairy(length: usize, header: usize) -> Option<Foreign> {
    const ROW: usize = 512 * 2 + 8 * 4;
    let rest = length.checked_sub(header + 512 * 2 + 8 * STACK_2021)?;
    let rows = rest / ROW;
    (rest % ROW == 0 && rows > 0 && !CHESS_ROWS.contains(&rows)).then(|| Foreign {
        what: format!("a network for a variant of chess ({rows} rows)"),
        architecture: "fairy",
        sets: vec![format!("sizes.row={rows}")],
    })
}

#[cfg(test)]
mod tests;
