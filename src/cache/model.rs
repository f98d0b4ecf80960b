//! The store against a model of it that fits on a page: whatever happens to it in whatever order, it gives what was put or nothing, never
//! loses what is needed, and never says that it has what it has not.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use super::{gc, record::ActionRecord, record::tests::record, *};
use crate::{
    files::{
        Blake3, TEMP_PREFIX,
        testing::{Listener, child, child_argument, flip_bit, temp_files},
    },
    random::SplitMix,
};

/// So many things are put, over and over.
const ITEMS: usize = 20;

/// Both processes make the same things up.
const SEED: u64 = 7;

/// Where time counts less.
const STEPS_IN_CI: usize = 10_000;

const STEPS: usize = 2_000;

/// What is known of one file of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Absent,
    Whole,
    Damaged,
}

struct Item {
    bytes: Vec<u8>,
    record: ActionRecord,
    digest: Blake3,
    /// The model: what there is of it now.
    has_record: File,
    has_blob: File,
}

/// Who uses the store.
enum User {
    /// This process.
    Here(Box<Cache>),
    /// Another one, which does what it reads and says what came of it.
    There(Process),
}

impl User {
    /// Does something, in words that both understand: `put 3`, `record 3`, `blob 3`, `need 1 2 3`, `nothing 0`. Whether that gave something.
    fn ask(&mut self, root: &Path, items: &[Item], request: &str) -> bool {
        match self {
            Self::Here(cache) => answer(cache, root, items, request),
            Self::There(process) => process.ask(request),
        }
    }
}

/// Does what is asked for; what the store gives is what was put.
fn answer(cache: &Cache, root: &Path, items: &[Item], request: &str) -> bool {
    let (what, numbers) = request.split_once(' ').unwrap();
    let numbers: Vec<usize> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let item = &items[numbers.first().copied().unwrap_or_default()];
    match what {
        "put" => {
            let stored = cache.put_bytes(&item.bytes);
            assert_eq!(stored.digest, item.digest);
            stored.stored && cache.put_record(&item.record)
        }
        "record" => cache.get_record(item.record.key()).inspect(|found| assert_eq!(*found, item.record)).is_some(),
        "blob" => cache.get_blob(item.digest).inspect(|found| assert_eq!(**found, item.bytes[..])).is_some(),
        "need" => {
            let keys = numbers.iter().map(|item| items[*item].record.key()).collect();
            cache.note_root(&root.join("nnue.toml"), &[("net", keys)], |_| true);
            true
        }
        "nothing" => true,
        _ => unreachable!("{request}"),
    }
}

/// How a line of another process begins that is an answer, and none of the test run's.
const ANSWER: &str = "answer: ";

struct Process {
    child: Child,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = child("cache::model::the_store_does_what_its_model_does", folder.to_str().unwrap());
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, answers }
    }

    fn send(&mut self, request: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{request}").unwrap();
    }

    fn ask(&mut self, request: &str) -> bool {
        self.send(request);
        let answer = self.answers.find_map(|line| line.unwrap().split_once(ANSWER).map(|(_, answer)| answer.to_owned()));
        answer.expect("the other process ended").parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends when nothing more is asked.
        self.child.stdin.take();
        self.child.wait().unwrap();
    }
}

/// What the other process does.
fn serve(folder: &Path) {
    let items = items(&mut SplitMix::new(SEED));
    let cache = Cache::open(&folder.join("cache"), OpenOptions::default(), &Listener::new().ctx()).unwrap();
    for request in std::io::stdin().lines() {
        println!("{ANSWER}{}", answer(&cache, folder, &items, &request.unwrap()));
    }
}

fn items(random: &mut SplitMix) -> Vec<Item> {
    let item = |number: usize| {
        let bytes: Vec<u8> = (0..1 + random.next_u64() % 3000).map(|at| (at as u8) ^ (number as u8)).chain([number as u8]).collect();
        let digest = Blake3::of(&bytes);
        Item { bytes, record: record("gather", number as u64, digest), digest, has_record: File::Absent, has_blob: File::Absent }
    };
    (0..ITEMS).map(item).collect()
}

struct World {
    folder: tempfile::TempDir,
    listener: Listener,
    /// Two processes, each once it is asked for something; none while the store is collected.
    users: [Option<User>; 2],
    items: Vec<Item>,
    /// The model: what the manifest needs, if it is there.
    needed: BTreeSet<usize>,
    manifest: bool,
    random: SplitMix,
}

impl World {
    fn new() -> Self {
        let mut random = SplitMix::new(SEED);
        let (items, folder) = (items(&mut random), tempfile::tempdir().unwrap());
        Self { folder, listener: Listener::new(), users: [None, None], items, needed: BTreeSet::new(), manifest: false, random }
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random.next_u64() % limit as u64) as usize
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("cache")
    }

    /// One of the two processes.
    fn user(&mut self, number: usize) -> &mut User {
        let (folder, root) = (self.folder.path().to_owned(), self.root());
        self.users[number].get_or_insert_with(|| match number {
            0 => User::Here(Cache::open(&root, OpenOptions::default(), &self.listener.ctx()).unwrap().into()),
            _ => User::There(Process::start(&folder)),
        })
    }

    fn ask(&mut self, number: usize, request: &str) -> bool {
        let folder = self.folder.path().to_owned();
        self.user(number);
        let user = self.users[number].as_mut().unwrap();
        user.ask(&folder, &self.items, request)
    }

    /// What there is of a file: it was `before`, and a process that may have written it was killed.
    fn after_kill(path: &Path, bytes: &[u8], before: File) -> File {
        match fs::read(path) {
            Err(_) => {
                assert_ne!(before, File::Whole, "a file that was there is gone");
                File::Absent
            }
            Ok(found) if found == bytes => File::Whole,
            Ok(_) => {
                assert_eq!(before, File::Damaged, "half a file has its name");
                File::Damaged
            }
        }
    }

    fn record_path(&self, item: usize) -> std::path::PathBuf {
        let hex = self.items[item].record.key().to_string();
        self.root().join("v1/actions").join(&hex[..2]).join(format!("{}.json", &hex[2..]))
    }

    fn blob_path(&self, item: usize) -> std::path::PathBuf {
        let hex = self.items[item].digest.to_string();
        self.root().join("v1/cas").join(&hex[..2]).join(&hex[2..])
    }

    fn damage(&mut self, path: &Path) {
        let bits = fs::metadata(path).unwrap().len() as usize * 8;
        let bit = self.below(bits);
        flip_bit(path, bit);
    }

    /// Does one thing to the store and to the model; what the store answers is what the model says.
    fn step(&mut self) -> &'static str {
        let (item, user) = (self.below(ITEMS), self.below(2));
        match self.below(21) {
            0..=5 => {
                assert!(self.ask(user, &format!("put {item}")));
                (self.items[item].has_record, self.items[item].has_blob) = (File::Whole, File::Whole);
                "put"
            }
            6..=9 => {
                let found = self.ask(user, &format!("record {item}"));
                let known = &mut self.items[item];
                assert_eq!(found, known.has_record == File::Whole);
                if known.has_record == File::Damaged {
                    known.has_record = File::Absent;
                }
                "get a record"
            }
            10..=12 => {
                let found = self.ask(user, &format!("blob {item}"));
                let known = &mut self.items[item];
                assert_eq!(found, known.has_blob == File::Whole);
                if known.has_blob == File::Damaged {
                    known.has_blob = File::Absent;
                }
                "get a blob"
            }
            13 if self.items[item].has_record == File::Whole => {
                self.damage(&self.record_path(item));
                self.items[item].has_record = File::Damaged;
                "damage a record"
            }
            14 if self.items[item].has_blob == File::Whole => {
                self.damage(&self.blob_path(item));
                self.items[item].has_blob = File::Damaged;
                "damage a blob"
            }
            15 if self.items[item].has_blob != File::Absent => {
                fs::remove_file(self.blob_path(item)).unwrap();
                self.items[item].has_blob = File::Absent;
                "remove a blob"
            }
            16 => {
                // A writer that was killed.
                fs::write(self.root().join("v1/cas").join(format!("{TEMP_PREFIX}{item}")), "half").unwrap();
                "leave half a blob"
            }
            17 => {
                self.needed = (0..ITEMS).filter(|_| self.random.next_u64().is_multiple_of(4)).collect();
                fs::write(self.folder.path().join("nnue.toml"), "").unwrap();
                self.manifest = true;
                let needed: Vec<String> = self.needed.iter().map(ToString::to_string).collect();
                self.ask(user, &format!("need {}", needed.join(" ")));
                "need some"
            }
            18 => {
                self.users = [None, None];
                let unreachable = self.random.next_u64().is_multiple_of(2);
                if self.manifest && self.random.next_u64().is_multiple_of(8) {
                    fs::remove_file(self.folder.path().join("nnue.toml")).unwrap();
                    self.manifest = false;
                }
                let options = GcOptions { unreachable, grace: Duration::ZERO, ..GcOptions::default() };
                let outcome = gc::collect(&self.root(), &options, &self.listener.ctx()).unwrap();
                for (number, item) in self.items.iter_mut().enumerate() {
                    let is_needed = !unreachable || (self.manifest && self.needed.contains(&number));
                    let stays = item.has_record == File::Whole && item.has_blob != File::Absent && is_needed;
                    if !stays {
                        (item.has_record, item.has_blob) = (File::Absent, File::Absent);
                    }
                }
                let left = self.items.iter().filter(|item| item.has_record != File::Absent).count() as u64;
                assert_eq!((outcome.records, outcome.blobs), (left, left));
                assert!(temp_files(&self.root()).is_empty());
                "collect"
            }
            19 => {
                let outcome = gc::verify(&self.root(), None, &self.listener.ctx()).unwrap();
                let damaged = self.items.iter().flat_map(|item| [item.has_record, item.has_blob]).filter(|file| *file == File::Damaged);
                assert_eq!(outcome.damaged.len(), damaged.count());
                for item in &mut self.items {
                    for file in [&mut item.has_record, &mut item.has_blob] {
                        if *file == File::Damaged {
                            *file = File::Absent;
                        }
                    }
                }
                "verify"
            }
            20 => {
                // The other process, somewhere in a put or behind it.
                self.user(1);
                let Some(User::There(mut process)) = self.users[1].take() else { unreachable!("the second one is a process") };
                // Once it answers it has the store open.
                process.ask("nothing 0");
                process.send(&format!("put {item}"));
                std::thread::sleep(Duration::from_micros(self.random.next_u64() % 400));
                process.child.kill().unwrap();
                drop(process);
                let known = &self.items[item];
                let has_blob = Self::after_kill(&self.blob_path(item), &known.bytes, known.has_blob);
                let has_record = Self::after_kill(&self.record_path(item), &known.record.encode().unwrap(), known.has_record);
                // A record comes after its blob.
                assert!(has_record != File::Whole || known.has_record == File::Whole || has_blob == File::Whole);
                (self.items[item].has_record, self.items[item].has_blob) = (has_record, has_blob);
                "kill one that puts"
            }
            _ => {
                // Both processes end, others begin.
                self.users = [None, None];
                "begin anew"
            }
        }
    }
}

#[test]
fn the_store_does_what_its_model_does() {
    if let Some(folder) = child_argument() {
        return serve(Path::new(&folder));
    }
    let mut world = World::new();
    let mut done = std::collections::BTreeMap::<&str, usize>::new();
    let steps = if std::env::var_os("CI").is_some() { STEPS_IN_CI } else { STEPS };
    for step in 0..steps {
        let what = world.step();
        *done.entry(what).or_default() += 1;
        for (number, item) in world.items.iter().enumerate() {
            let (record, blob) = (world.record_path(number).exists(), world.blob_path(number).exists());
            let model = (item.has_record != File::Absent, item.has_blob != File::Absent);
            assert_eq!((record, blob), model, "item {number} after step {step}, {what}");
        }
    }
    println!("steps of the cache and its model: {steps}, {done:?}");
    assert!(done.len() == 12 && done.values().all(|count| *count > 10), "{done:?}");
}
