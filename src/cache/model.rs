//! The store against a model of it that fits on a page: whatever happens to it in whatever order, it gives what was put or nothing, never
//! loses what is needed, and never says that it has what it has not.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use super::{gc, record::ActionRecord, record::tests::record, *};
use crate::{
    files::{
        Blake3, TEMP_PREFIX,
        testing::{Listener, flip_bit, temp_files},
    },
    random::SplitMix,
};

/// So many things are put, over and over.
const ITEMS: usize = 20;

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

struct World {
    folder: tempfile::TempDir,
    listener: Listener,
    /// Handles of two processes; none while the store is collected.
    handles: Vec<Cache>,
    items: Vec<Item>,
    /// The model: what the manifest needs, if it is there.
    needed: BTreeSet<usize>,
    manifest: bool,
    random: SplitMix,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix::new(seed);
        let item = |number: usize| {
            let bytes: Vec<u8> = (0..1 + random.next_u64() % 3000).map(|at| (at as u8) ^ (number as u8)).chain([number as u8]).collect();
            let digest = Blake3::of(&bytes);
            Item { bytes, record: record("gather", number as u64, digest), digest, has_record: File::Absent, has_blob: File::Absent }
        };
        let items = (0..ITEMS).map(item).collect();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, listener: Listener::new(), handles: Vec::new(), items, needed: BTreeSet::new(), manifest: false, random }
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random.next_u64() % limit as u64) as usize
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("cache")
    }

    fn open(&mut self) {
        while self.handles.len() < 2 {
            self.handles.push(Cache::open(&self.root(), OpenOptions::default(), &self.listener.ctx()).unwrap());
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
        let (item, handle) = (self.below(ITEMS), self.below(2));
        self.open();
        match self.below(20) {
            0..=5 => {
                let cache = &self.handles[handle];
                let stored = cache.put_bytes(&self.items[item].bytes);
                assert!(stored.stored && stored.digest == self.items[item].digest);
                assert!(cache.put_record(&self.items[item].record));
                (self.items[item].has_record, self.items[item].has_blob) = (File::Whole, File::Whole);
                "put"
            }
            6..=9 => {
                let known = &mut self.items[item];
                let found = self.handles[handle].get_record(known.record.key());
                assert_eq!(found.as_ref(), (known.has_record == File::Whole).then_some(&known.record));
                if known.has_record == File::Damaged {
                    known.has_record = File::Absent;
                }
                "get a record"
            }
            10..=12 => {
                let known = &mut self.items[item];
                let found = self.handles[handle].get_blob(known.digest);
                assert_eq!(found.as_deref(), (known.has_blob == File::Whole).then_some(&known.bytes[..]));
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
                let manifest = self.folder.path().join("nnue.toml");
                fs::write(&manifest, "").unwrap();
                self.manifest = true;
                let keys = self.needed.iter().map(|item| self.items[*item].record.key()).collect();
                self.handles[handle].note_root(&manifest, &[("net", keys)], |_| true);
                "need some"
            }
            18 => {
                self.handles.clear();
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
            _ => {
                // Both processes end, others begin.
                self.handles.clear();
                "begin anew"
            }
        }
    }
}

#[test]
fn the_store_does_what_its_model_does() {
    let mut world = World::new(7);
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
    assert!(done.len() == 11 && done.values().all(|count| *count > 10), "{done:?}");
}
