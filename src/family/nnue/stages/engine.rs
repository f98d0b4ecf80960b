//! `engine`: gives a written file to a real engine, which must play with it as with its source.
//!
//! The engine gets copies, in a folder of its own that goes when it is done; nothing that it prints or writes becomes part of a result but
//! numbers that are compared here. That it took the file is shown by what it writes out again, or by the line in which it names it:
//! an engine that ignores an option plays well, too.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use crate::ctx::{Ctx, open_file};
use crate::error::{Error, Result};
use crate::files::note_unfinished;
use crate::format::nnue;
use crate::net::{Expectation, QuantizedNetwork};
use crate::shown;
use crate::stage::{Against, Engine as Params, Exported, Played, Speed};
use crate::uci::Engine;

/// The file that is tried, as the engine finds it.
const RESULT: &str = "result.nnue";
/// What it is compared with.
const OTHER: &str = "source.nnue";
/// What the engine writes.
const EXPORTED: &str = "exported.nnue";
/// What it writes besides.
const SECOND: &str = "second.nnue";
/// How far a file that the engine writes may be longer than the one that it was given: one is packed, the other is not.
const MOST_TIMES: u64 = 4;
const MOST_MORE: u64 = 1 << 20;

/// What is tried with what.
pub struct Trial<'a> {
    /// The engine.
    pub program: &'a Path,
    /// What is asked of it.
    pub params: &'a Params,
    /// The source, in its own order of neurons.
    pub network: &'a QuantizedNetwork,
    /// The written file's bytes.
    pub file: &'a [u8],
    /// The source's bytes, where it is a `.nnue` file.
    pub source: Option<&'a [u8]>,
}

/// Tries a file.
///
/// # Errors
/// When the engine cannot be run, has no such option, does not read the file, searches another tree than with the source, or writes out
/// another network; on cancellation.
pub fn engine(trial: &Trial<'_>, ctx: &Ctx) -> Result<Played> {
    let scratch = tempfile::Builder::new().prefix("nnue-engine-").tempdir();
    let scratch =
        scratch.map_err(|error| Error::new("cannot make a folder for the engine").because(error).help("set `TMPDIR` to another place"))?;
    note_unfinished(scratch.path());
    let desk = Desk { trial, folder: scratch.path(), ctx };
    // One engine at a time: they would disturb each other's times.
    let _alone = desk.wait_for_others()?;
    let runs = 1 + trial.params.bench.as_ref().map_or(0, |_| 2 + 2 * u64::from(trial.params.speed));
    ctx.progress().start("engine", Some(runs), "runs");
    let played = desk.play();
    ctx.progress().finish("engine");
    played
}

/// Held while an engine runs.
static RUNNING: Mutex<()> = Mutex::new(());

impl Desk<'_> {
    fn wait_for_others(&self) -> Result<MutexGuard<'static, ()>> {
        loop {
            match RUNNING.try_lock() {
                Ok(alone) => return Ok(alone),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => self.ctx.check()?,
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn play(&self) -> Result<Played> {
        let Desk { trial, .. } = *self;
        self.put(RESULT, trial.file)?;
        let (name, exported) = self.load()?;
        let mut played = Played { name, nodes: None, against: None, exported, speed: None };
        let Some(arguments) = &trial.params.bench else { return Ok(played) };
        let command = format!("bench {arguments}").trim_end().to_owned();
        let result = self.bench(RESULT, &command)?.searched()?;
        if exported.is_none() && !result.names_file {
            return Err(Error::new(format!("nothing shows that the engine `{}` took the net", trial.params.name))
                .because(format!("it does not name the file in what it prints during `{command}`"))
                .help("let it write the net out again: `export = true`"));
        }
        let (against, other) = self.other(&command)?;
        if other.nodes != result.nodes {
            let what = match against {
                Against::Source => "with the source",
                Against::Unpermuted => "with the source's integers in their own order",
            };
            return Err(Error::new(format!("the engine `{}` does not play with the net as with its source", trial.params.name))
                .because(format!("`{command}` searches {} nodes with the net and {} {what}", result.nodes, other.nodes))
                .help("an engine with several threads searches another tree each time: `options = [\"Threads=1\"]`"));
        }
        played.nodes = Some(result.nodes);
        played.against = Some(against);
        if trial.params.speed > 0 {
            played.speed = Some(self.time(&command, result.nodes)?);
        }
        Ok(played)
    }
}

/// The engine's folder with what it takes to ask.
struct Desk<'a> {
    trial: &'a Trial<'a>,
    folder: &'a Path,
    ctx: &'a Ctx,
}

/// A bench.
struct Bench {
    nodes: u64,
    /// From the command to the last line.
    took: Duration,
    /// The engine said which file it uses.
    names_file: bool,
}

/// What came of a bench.
enum Run {
    Searched(Bench),
    /// The engine does not read the net: what it said.
    Refused(Error),
}

impl Run {
    fn searched(self) -> Result<Bench> {
        match self {
            Self::Searched(bench) => Ok(bench),
            Self::Refused(error) => Err(error),
        }
    }
}

impl Desk<'_> {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(|error| Error::io("cannot write", &path, error))
    }

    fn option(&self) -> &str {
        let Params { option, .. } = self.trial.params;
        option.as_deref().unwrap_or(self.trial.network.architecture.generation.place.option())
    }

    /// A running engine with its options set, one of the files among them; what it calls itself.
    fn start(&self, file: &str) -> Result<(Engine, String)> {
        let Params { name, options, timeout, .. } = self.trial.params;
        let mut engine = Engine::start(self.trial.program, name, self.folder, Duration::from_secs(*timeout), self.ctx)?;
        let (mut called, mut known) = (String::new(), Vec::new());
        engine.say("uci")?;
        engine.answer("uci", |line| {
            if let Some(name) = line.strip_prefix("id name ") {
                called = shown::shortened(&shown::line(name.trim()), 60);
            } else if let Some(option) = line.strip_prefix("option name ") {
                known.push(option.split(" type ").next().unwrap_or(option).to_lowercase());
            }
            Ok((line == "uciok").then_some(()))
        })?;
        let given = options.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        for (option, value) in given.chain([(self.option(), Some(file))]) {
            // An option that an engine does not have, it ignores.
            if !known.contains(&option.to_lowercase()) {
                return Err(Error::new(format!("the engine `{name}` has no option `{option}`"))
                    .because(format!("it calls itself `{called}` and lists {} options", known.len()))
                    .help("name the option that takes the net, `option = \"…\"`, or an engine for nets of this generation"));
            }
            engine.say(&match value {
                Some(value) => format!("setoption name {option} value {value}"),
                None => format!("setoption name {option}"),
            })?;
        }
        engine.ask("isready", "readyok")?;
        Ok((engine, if called.is_empty() { name.clone() } else { called }))
    }

    /// Lets the engine load the file, and write it out again where that is asked for; what it calls itself.
    fn load(&self) -> Result<(String, Option<Exported>)> {
        let (mut engine, called) = self.start(RESULT)?;
        self.ctx.progress().advance("engine", 1);
        if !self.trial.params.export {
            engine.quit();
            return Ok((called, None));
        }
        let place = self.trial.network.architecture.generation.place;
        let command = place.export(EXPORTED, SECOND);
        engine.say(&command)?;
        engine.say("isready")?;
        let mut said = String::new();
        engine.answer(&command, |line| {
            refused(&self.trial.params.name, line)?;
            let is_last = line == "readyok";
            if !is_last && !line.is_empty() {
                said = line.to_owned();
            }
            Ok(is_last.then_some(()))
        })?;
        engine.quit();
        let exported = self.exported(&command).map_err(|error| {
            let said = shown::bounded(said, 300);
            if said.is_empty() { error } else { error.because(format!("it last printed `{said}`")) }
        })?;
        Ok((called, Some(exported)))
    }

    /// Compares what the engine wrote.
    fn exported(&self, command: &str) -> Result<Exported> {
        let Trial { file, network, params, .. } = self.trial;
        let path = self.folder.join(EXPORTED);
        let none = |why: String| {
            Error::new(format!("the engine `{}` wrote no network at `{command}`", params.name))
                .because(why)
                .help("for an engine that cannot, write `export = false`")
        };
        let metadata = fs::symlink_metadata(&path).map_err(|error| none(error.to_string()))?;
        let most = (file.len() as u64).saturating_mul(MOST_TIMES).saturating_add(MOST_MORE);
        if !metadata.is_file() || metadata.len() > most {
            return Err(none(format!("what is there is not a file of at most {most} bytes")));
        }
        let mut found = Vec::new();
        let read = open_file(&path).and_then(|opened| opened.take(most).read_to_end(&mut found));
        read.map_err(|error| none(error.to_string()))?;
        if found == *file {
            return Ok(Exported::Bytes);
        }
        let architecture = &network.architecture;
        let expected = Expectation {
            architecture: Some(architecture.generation),
            quantization: Some(architecture.quantization),
            ..Expectation::default()
        };
        let read = |bytes: &[u8]| nnue::read(bytes, &expected).map(|parsed| parsed.network);
        let (ours, theirs) = (read(file)?, read(&found).map_err(|error| none(error.to_string()))?);
        let same = ours.ft_bias == theirs.ft_bias && ours.blocks == theirs.blocks && ours.stacks == theirs.stacks;
        if same && ours.architecture == theirs.architecture {
            return Ok(Exported::Content);
        }
        let error = Error::new(format!("the engine `{}` does not hold the net that it was given", params.name));
        Err(error
            .because(format!("what it writes at `{command}` has other weights"))
            .help(format!("it may not have read the file: look at what it prints after `setoption name {} value FILE`", self.option())))
    }

    /// Runs a bench with one of the files.
    fn bench(&self, file: &str, command: &str) -> Result<Run> {
        let (mut engine, _) = self.start(file)?;
        let start = Instant::now();
        engine.say(command)?;
        let (mut names_file, mut refusal) = (false, None);
        let mut look = |line: &str| {
            names_file |= line.starts_with("info string") && line.contains(file);
            if refusal.is_none() {
                refusal = refused(&self.trial.params.name, line).err();
            }
        };
        let nodes = engine.answer(command, |line| {
            look(line);
            Ok(nodes_of(line))
        });
        let took = start.elapsed();
        let nodes = nodes.and_then(|nodes| {
            // The number may have been printed to another stream than all before it, which comes later then.
            engine.say("isready")?;
            engine.answer("isready", |line| {
                look(line);
                Ok((line == "readyok").then_some(nodes))
            })
        });
        // Engines that do not read a net say so, and end.
        if let Some(refusal) = refusal {
            self.ctx.check()?;
            return Ok(Run::Refused(refusal));
        }
        let nodes = nodes?;
        engine.quit();
        self.ctx.progress().advance("engine", 1);
        Ok(Run::Searched(Bench { nodes, took, names_file }))
    }

    /// The bench with what the net was made from.
    fn other(&self, command: &str) -> Result<(Against, Bench)> {
        let Trial { network, file, source, .. } = self.trial;
        if let Some(source) = source {
            self.put(OTHER, source)?;
            if let Run::Searched(bench) = self.bench(OTHER, command)? {
                return Ok((Against::Source, bench));
            }
        }
        let mut bytes = Vec::with_capacity(file.len());
        let compression = nnue::compression(file).unwrap_or_else(|| network.architecture.usual_compression());
        nnue::write(&mut bytes, network, compression).map_err(|error| Error::new("cannot write the source again").because(error))?;
        self.put(OTHER, &bytes)?;
        Ok((Against::Unpermuted, self.bench(OTHER, command)?.searched()?))
    }

    /// Times both in turn, each first as often as second. What searches another number of nodes is not timed but refused.
    fn time(&self, command: &str, nodes: u64) -> Result<Speed> {
        let pairs = self.trial.params.speed;
        let mut logarithms = Vec::with_capacity(pairs as usize);
        for pair in 0..pairs {
            let run = |file: &str| {
                let bench = self.bench(file, command)?.searched()?;
                if bench.nodes != nodes {
                    return Err(Error::new(format!("the engine `{}` searches another tree each time", self.trial.params.name))
                        .because(format!("`{command}` searched {nodes} nodes, and {} now", bench.nodes))
                        .help("let it search with one thread: `options = [\"Threads=1\"]`"));
                }
                Ok(bench.took.as_secs_f64().max(1e-9))
            };
            let (result, other) = if pair % 2 == 0 {
                let result = run(RESULT)?;
                (result, run(OTHER)?)
            } else {
                let other = run(OTHER)?;
                (run(RESULT)?, other)
            };
            logarithms.push((other / result).ln());
        }
        Ok(ratio(&logarithms))
    }
}

/// Fails on the line in which an engine says that it does not read a network.
fn refused(name: &str, line: &str) -> Result<()> {
    let said = line.strip_prefix("info string ").unwrap_or(line);
    match said.starts_with("ERROR") {
        true => Err(Error::new(format!("the engine `{name}` does not read the net"))
            .because(shown::bounded(format!("it says `{said}`"), 400))
            .help("name an engine for nets of this generation; `compression` must be one that it reads")),
        false => Ok(()),
    }
}

/// How many nodes a bench searched, from the line that says so: `Nodes searched  : 123`, or `123 nodes 456 nps`.
fn nodes_of(line: &str) -> Option<u64> {
    if let Some(rest) = line.strip_prefix("Nodes searched") {
        return rest.trim_start_matches([' ', '\t', ':']).trim().parse().ok();
    }
    let words: Vec<&str> = line.split_whitespace().take(5).collect();
    match words[..] {
        [nodes, "nodes", _, "nps"] => nodes.parse().ok(),
        _ => None,
    }
}

/// The mean of logarithms of ratios with the interval of Student's t, as ratios. At least two.
fn ratio(logarithms: &[f64]) -> Speed {
    let count = logarithms.len() as f64;
    let mean = logarithms.iter().sum::<f64>() / count;
    let variance = logarithms.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let half = student(logarithms.len().saturating_sub(1).max(1)) * (variance / count).sqrt();
    let digits = |value: f64| (value.exp() * 1e4).round() / 1e4;
    Speed { pairs: logarithms.len() as u64, ratio: digits(mean), low: digits(mean - half), high: digits(mean + half) }
}

/// The 97.5 % quantile of Student's t.
fn student(freedom: usize) -> f64 {
    const FIRST: [f64; 10] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281];
    const NORMAL: f64 = 1.959_963_985;
    // Beyond them the expansion of Cornish and Fisher is good to four digits.
    FIRST.get(freedom - 1).copied().unwrap_or_else(|| {
        let (z, n) = (NORMAL, freedom as f64);
        let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
        let second = (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n * n);
        let third = (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * n.powi(3));
        z + (z3 + z) / (4.0 * n) + second + third
    })
}

#[cfg(test)]
mod tests;
