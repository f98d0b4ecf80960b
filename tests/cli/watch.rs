//! `nnue watch` as a user runs it: the real binary beside files that come, grow, break and go.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli_support::{command, nnue};
use crate::project::Project;
use serde_json::Value;

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// Several looks, and the time to settle: whatever is going to happen has happened then.
const A_WHILE: Duration = Duration::from_millis(1500);

const SWEEP: &str = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"runs/*.nnue\" }\noutputs = [\"out/{stem}.nnue\"]\n";

struct Watch {
    child: Child,
    out: Arc<Mutex<Vec<String>>>,
    err: Arc<Mutex<Vec<String>>>,
    /// They end when the program has, and have kept all that it said.
    readers: Vec<JoinHandle<()>>,
}

/// The lines of a stream so far, and the thread that reads them.
fn collect(stream: impl Read + Send + 'static) -> (Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            kept.lock().unwrap().push(line);
        }
    });
    (lines, reader)
}

impl Watch {
    fn start(folder: &Path, args: &[&str]) -> Self {
        Self::start_settling(folder, "400ms", args)
    }

    fn start_settling(folder: &Path, settle: &str, args: &[&str]) -> Self {
        let mut child = command(folder).args(["watch", "--interval", "60ms", "--settle", settle]).args(args).spawn().unwrap();
        let (out, out_reader) = collect(child.stdout.take().unwrap());
        let (err, err_reader) = collect(child.stderr.take().unwrap());
        let watch = Self { child, out, err, readers: vec![out_reader, err_reader] };
        watch.wait(|_, err| err.iter().any(|line| line.contains("watching")));
        watch
    }

    #[track_caller]
    fn wait(&self, until: impl Fn(&[String], &[String]) -> bool) {
        let start = Instant::now();
        while !until(&self.out.lock().unwrap(), &self.err.lock().unwrap()) {
            assert!(start.elapsed() < PATIENCE, "stdout: {:?}\nstderr: {:?}", self.out.lock().unwrap(), self.err.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn wait_for_reports(&self, count: usize) -> Vec<Value> {
        self.wait(|out, _| out.len() >= count);
        self.reports()
    }

    #[track_caller]
    fn wait_for_message(&self, text: &str) {
        self.wait(|_, err| err.iter().any(|line| line.contains(text)));
    }

    fn reports(&self) -> Vec<Value> {
        self.out.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn messages_with(&self, text: &str) -> usize {
        self.err.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    fn interrupt(mut self) -> (Option<i32>, String) {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        (code, self.err.lock().unwrap().join("\n"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for runs, and nothing else.
fn project(manifest: &str) -> Project {
    let project = Project::empty().with_manifest(manifest);
    std::fs::create_dir(project.at("runs")).unwrap();
    project
}

/// The bytes of a net that lies nowhere yet.
fn elsewhere(project: &Project, seed: u64) -> Vec<u8> {
    project.write_net("elsewhere", 64, seed)
}

/// Nets of a report with how they fared.
fn nets(report: &Value) -> Vec<(&str, &str)> {
    report["nets"].as_array().unwrap().iter().map(|net| (net["net"].as_str().unwrap(), net["status"].as_str().unwrap())).collect()
}

#[test]
fn a_net_that_is_copied_slowly_is_built_once_and_only_when_whole() {
    let project = project(SWEEP);
    let bytes = elsewhere(&project, 1);
    let watch = Watch::start(&project.path, &["--json"]);
    assert_eq!(watch.messages_with("no file matches `runs/*.nnue` yet"), 1);
    let mut file = std::fs::File::create(project.path.join("runs/slow.nnue")).unwrap();
    for (index, piece) in bytes.chunks(bytes.len().div_ceil(8)).enumerate() {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        // Half of it lies still for so long that only the content can tell.
        if index == 3 {
            watch.wait_for_message("waiting for `runs/slow.nnue`");
            std::thread::sleep(A_WHILE);
        } else {
            std::thread::sleep(Duration::from_millis(120));
        }
        assert!(index == 7 || watch.reports().is_empty());
        assert!(index == 7 || !project.path.join("out/slow.nnue").exists());
    }
    drop(file);
    let reports = watch.wait_for_reports(1);
    assert_eq!(nets(&reports[0]), [("slow", "built")]);
    assert_eq!(reports[0]["schema"], 1);
    assert_eq!(project.bytes("out/slow.nnue"), bytes);
    assert!(watch.messages_with("waiting for `runs/slow.nnue`") >= 1);
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.reports().len(), 1);
    let (code, err) = watch.interrupt();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("Z stopped watching"), "{err}");
    nnue(&project.path, ["build", "--locked", "--dry-run"]).ok();
}

#[test]
fn what_does_not_parse_is_waited_for_while_others_are_built() {
    let project = project(SWEEP);
    project.write_net("runs/good.nnue", 64, 1);
    std::fs::write(project.path.join("runs/bad.nnue"), "<html>not found</html>").unwrap();
    let watch = Watch::start(&project.path, &["--json"]);
    let reports = watch.wait_for_reports(1);
    assert_eq!(nets(&reports[0]), [("good", "built")]);
    watch.wait_for_message("waiting for `runs/bad.nnue`");
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.messages_with("waiting for `runs/bad.nnue`"), 1, "it is said once");
    // Other garbage is another state, and said again.
    std::fs::write(project.path.join("runs/bad.nnue"), "<html>still not found</html>").unwrap();
    watch.wait(|_, err| err.iter().filter(|line| line.contains("waiting for `runs/bad.nnue`")).count() >= 2);
    let bytes = project.write_net("runs/bad.nnue", 64, 2);
    let reports = watch.wait_for_reports(2);
    assert_eq!(nets(&reports[1]), [("bad", "built")]);
    assert_eq!(project.bytes("out/bad.nnue"), bytes);
    assert_eq!(watch.interrupt().0, Some(0));
}

#[test]
fn files_that_go_and_come_again() {
    let manifest = "version = 1\n[net.a]\nsource = \"runs/a.nnue\"\noutputs = \"out/a.nnue\"\n[net.b]\nsource = \"runs/b.nnue\"\noutputs = \"out/b.nnue\"\npermutation = \"b.npy\"\n";
    let project = project(manifest);
    project.write_net("runs/b.nnue", 64, 1);
    std::fs::write(project.path.join("b.npy"), "no permutation").unwrap();
    let watch = Watch::start(&project.path, &["--json"]);
    watch.wait_for_message("waiting for `runs/a.nnue`: it is not there");
    let reports = watch.wait_for_reports(1);
    assert_eq!(nets(&reports[0]), [("b", "failed")]);
    assert_eq!(watch.messages_with("net `b` failed"), 1);
    project.write_net("runs/a.nnue", 64, 2);
    assert_eq!(nets(&watch.wait_for_reports(2)[1]), [("a", "built")]);
    std::fs::remove_file(project.path.join("runs/a.nnue")).unwrap();
    watch.wait(|_, err| err.iter().filter(|line| line.contains("`runs/a.nnue`: it is not there")).count() >= 2);
    // The same file again is nothing new; another is.
    project.write_net("runs/a.nnue", 64, 2);
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.reports().len(), 2);
    project.write_net("runs/a.nnue", 64, 3);
    assert_eq!(nets(&watch.wait_for_reports(3)[2]), [("a", "built")]);
    assert_eq!(watch.messages_with("net `b` failed"), 1, "nothing of `b` changed");
    assert_eq!(watch.interrupt().0, Some(0));
}

/// lc0 reads as much of a gzip stream as there is; what is being copied is not taken for a network all the same.
#[test]
fn a_weight_file_of_lc0_is_built_once_and_only_when_whole() {
    let project = project(
        "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"runs/*.pb.gz\" }\noutputs = [\"out/{stem}.gz\", \"out/{stem}.safetensors\"]\n",
    );
    let net = crate::lc0_net::net(&crate::lc0_net::SMALL, 1);
    let mut bytes = Vec::new();
    net.write_gz(&mut bytes).unwrap();
    let watch = Watch::start(&project.path, &["--json"]);
    let path = project.at("runs/x.pb.gz");
    // In the middle of a layer, and before the checksums: there lc0 reads the whole network.
    for length in [bytes.len() / 2, bytes.len() - 8] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        watch.wait_for_message("waiting for `runs/x.pb.gz`");
        std::thread::sleep(A_WHILE);
        assert!(watch.reports().is_empty() && !project.at("out/x.pb.gz").exists(), "{length}");
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(nets(&watch.wait_for_reports(1)[0]), [("x.pb", "built")]);
    assert_eq!(project.bytes("out/x.pb.gz"), bytes);
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.reports().len(), 1);
    assert_eq!(watch.interrupt().0, Some(0));
    nnue(&project.path, ["build", "--locked", "--dry-run"]).ok();
}

/// Headerless files say nothing of themselves: their length alone tells when they are whole.
#[test]
fn a_described_network_is_built_once_it_has_its_length() {
    let project = project(
        "version = 1\n[architecture.mine]\nlike = \"bullet-simple\"\nsizes.neuron = 16\n[net.\"{stem}\"]\n\
         source = { glob = \"runs/*.bin\", architecture = \"mine\", layout = \"raw\" }\noutputs = { quantised = \"out/{stem}.bin\" }\n",
    );
    let count = 768 * 16 + 16 + 2 * 16 + 1;
    let bytes: Vec<u8> = (0..count).flat_map(|index: i32| ((index % 17 - 8) as f32 / 100.0).to_le_bytes()).collect();
    let watch = Watch::start(&project.path, &["--json"]);
    let path = project.at("runs/x.bin");
    for length in [bytes.len() / 2, bytes.len() - 1, bytes.len() + 4] {
        let mut other = bytes.clone();
        other.resize(length, 0);
        std::fs::write(&path, &other).unwrap();
        watch.wait_for_message("waiting for `runs/x.bin`");
        std::thread::sleep(A_WHILE);
        assert!(watch.reports().is_empty() && !project.at("out/x.bin").exists(), "{length}");
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(nets(&watch.wait_for_reports(1)[0]), [("x", "built")]);
    // 16 bits a weight, and bullet's padding.
    assert_eq!(project.bytes("out/x.bin").len(), (2 * bytes.len() / 4).next_multiple_of(64));
    assert_eq!(watch.interrupt().0, Some(0));
    nnue(&project.path, ["build", "--locked", "--dry-run"]).ok();
}

/// What keeps a net from being built may go without a change of its files: it is tried again, and the same error said once.
#[test]
fn a_net_that_failed_for_want_of_room_is_tried_again() {
    let project = project(SWEEP);
    // A folder where the output belongs.
    std::fs::create_dir_all(project.path.join("out/x.nnue")).unwrap();
    let bytes = project.write_net("runs/x.nnue", 64, 1);
    let watch = Watch::start(&project.path, &["--json"]);
    assert_eq!(nets(&watch.wait_for_reports(1)[0]), [("x", "failed")]);
    // The first two tries again are 2 and 6 seconds later.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((watch.messages_with("net `x` failed"), watch.reports().len()), (1, 1), "it is said once");
    std::fs::remove_dir(project.path.join("out/x.nnue")).unwrap();
    assert_eq!(nets(&watch.wait_for_reports(2)[1]), [("x", "built")]);
    assert_eq!(project.bytes("out/x.nnue"), bytes);
    assert_eq!(watch.messages_with("net `x` failed"), 1);
    assert_eq!(watch.interrupt().0, Some(0));
}

/// A file that is cut short and rewritten in place, with hardly a pause: what is read of it may end at any byte, also during a build.
#[test]
fn a_file_that_is_rewritten_in_place_ends_nothing() {
    let project = project(SWEEP);
    let nets = [elsewhere(&project, 1), elsewhere(&project, 2)];
    let watch = Watch::start_settling(&project.path, "0s", &["--json"]);
    for round in 0..40 {
        let bytes = &nets[round % 2];
        let mut file = std::fs::File::create(project.path.join("runs/x.nnue")).unwrap();
        let (first, second) = bytes.split_at(bytes.len() * (round % 5) / 5);
        file.write_all(first).unwrap();
        std::thread::sleep(Duration::from_millis(7 * (round as u64 % 4)));
        file.write_all(second).unwrap();
        std::thread::sleep(Duration::from_millis(31 * (round as u64 % 6)));
    }
    let start = Instant::now();
    while std::fs::read(project.path.join("out/x.nnue")).ok().as_ref() != Some(&nets[1]) {
        assert!(start.elapsed() < PATIENCE, "{:?}", watch.err.lock().unwrap());
        std::thread::sleep(Duration::from_millis(10));
    }
    // It may be interrupted between the file and the lock.
    assert_eq!(watch.interrupt().0, Some(0));
    nnue(&project.path, ["build"]).ok();
    assert_eq!(std::fs::read(project.path.join("out/x.nnue")).unwrap(), nets[1]);
    nnue(&project.path, ["build", "--locked"]).ok();
}

#[test]
fn the_manifest_may_be_edited_broken_and_mended() {
    let project = project(SWEEP);
    project.write_net("runs/x.nnue", 64, 1);
    // By a pattern, which the net to come matches, too.
    let watch = Watch::start(&project.path, &["--json", "?"]);
    watch.wait_for_reports(1);
    let path = project.path.join("nnue.toml");
    std::fs::write(&path, format!("{SWEEP}compresion = \"none\"\n")).unwrap();
    watch.wait_for_message("unknown key `compresion`");
    project.write_net("runs/y.nnue", 64, 2);
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.messages_with("unknown key `compresion`"), 1, "it is said once");
    assert_eq!(watch.reports().len(), 1, "nothing is built by a broken manifest");
    std::fs::remove_file(&path).unwrap();
    watch.wait_for_message("nnue.toml`: it is not there");
    std::fs::write(&path, format!("{SWEEP}compression = \"none\"\n[net.other]\nsource = \"runs/x.nnue\"\noutputs = \"other/\"\n")).unwrap();
    // `y` is new to the manifest, and may have to settle first.
    let built = || -> Vec<String> {
        let reports = watch.reports();
        reports.iter().skip(1).flat_map(nets).map(|(net, status)| format!("{net} {status}")).collect()
    };
    let start = Instant::now();
    while built().len() < 2 {
        assert!(start.elapsed() < PATIENCE, "{:?}", built());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(built(), ["x built", "y built"], "`other` was not asked for");
    assert_eq!(watch.interrupt().0, Some(0));
}

/// Two files that give one output are a mistake of the moment: it is said once, and over when one of them goes.
#[test]
fn files_that_contradict_each_other() {
    let project = project(&SWEEP.replace("runs/*.nnue", "runs/*/*.nnue"));
    for folder in ["runs/1", "runs/2"] {
        std::fs::create_dir(project.path.join(folder)).unwrap();
    }
    project.write_net("runs/1/x.nnue", 64, 1);
    let watch = Watch::start(&project.path, &["--json"]);
    watch.wait_for_reports(1);
    project.write_net("runs/2/x.nnue", 64, 2);
    watch.wait_for_message("two nets are named `x`");
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.messages_with("two nets are named `x`"), 1);
    std::fs::remove_file(project.path.join("runs/1/x.nnue")).unwrap();
    let reports = watch.wait_for_reports(2);
    assert_eq!(nets(&reports[1]), [("x", "built")]);
    assert_eq!(watch.interrupt().0, Some(0));
}

#[test]
fn while_it_waits_it_holds_nothing_and_rests() {
    let project = project(SWEEP);
    project.write_net("runs/x.nnue", 64, 1);
    let watch = Watch::start(&project.path, &[]);
    watch.wait(|out, _| out.iter().any(|line| line.contains("x: built")));
    nnue(&project.path, ["cache", "gc", "--lock-timeout", "60s"]).ok();
    nnue(&project.path, ["build"]).ok();
    if cfg!(target_os = "linux") {
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", watch.child.id())).unwrap();
        // The 14th and 15th word: time on a processor in user and kernel mode, in ticks of 10 ms.
        let ticks = |stat: &str| -> u64 {
            let words: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
            words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
        };
        let before = ticks(&stat());
        std::thread::sleep(Duration::from_secs(3));
        let used = ticks(&stat()) - before;
        assert!(used < 100, "{used} ticks of processor time in 3 s of waiting");
    }
    assert_eq!(watch.interrupt().0, Some(0));
}

#[test]
fn what_is_wrong_at_the_start_ends_it() {
    let project = project(SWEEP);
    nnue(&project.path, ["watch", "--interval", "10ms"]).fails(2, &["50 ms"]);
    nnue(&project.path, ["watch", "{stm}"]).fails(2, &["nnue.toml` has no net `{stm}`", "no nets now"]);
    std::fs::write(project.path.join("nnue.toml"), "version = 7").unwrap();
    nnue(&project.path, ["watch"]).fails(2, &["manifest version 7 is not supported"]);
    std::fs::remove_file(project.path.join("nnue.toml")).unwrap();
    nnue(&project.path, ["watch"]).fails(2, &["no `nnue.toml`"]);
}

#[test]
fn what_grows_what_goes_and_what_does_not_fit_is_said_with_the_time() {
    let manifest = "version = 1\n[net.\"{stem}\"]\nsource = { glob = \"runs/*.nnue\", l1 = 64 }\noutputs = [\"out/{stem}.nnue\"]\n";
    let project = project(manifest);
    let bytes = elsewhere(&project, 1);
    project.write_net("runs/other.nnue", 32, 1);
    let watch = Watch::start(&project.path, &["--json"]);
    // An assertion that the whole file contradicts is an error with its place, and waiting does not help.
    watch.wait_for_message("nnue.toml:3 does not fit its file");
    watch.wait_for_message("L1=32 in the file, 64 expected");
    let mut file = std::fs::File::create(project.path.join("runs/slow.nnue")).unwrap();
    for piece in bytes.chunks(bytes.len().div_ceil(12)) {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        std::thread::sleep(Duration::from_millis(120));
    }
    drop(file);
    watch.wait_for_reports(1);
    assert_eq!(watch.messages_with("waiting for `runs/slow.nnue`: growing"), 1);
    std::fs::remove_file(project.at("runs/slow.nnue")).unwrap();
    watch.wait_for_message("`slow` is gone");
    assert!(project.at("out/slow.nnue").exists());
    let (code, err) = watch.interrupt();
    assert_eq!(code, Some(0), "{err}");
    let line = err.lines().find(|line| line.contains("`slow` is gone")).unwrap();
    assert!(line.as_bytes()[2] == b':' && line.contains("Z `slow`"), "{line}");
    // When something was built and what an error is about has its time, too.
    for part in ["Z building `slow`", "Z `runs/other.nnue` is not what the manifest says:"] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

/// A manifest whose hook is this shell script.
fn hooked(script: &str) -> String {
    format!("{SWEEP}[watch]\nrun = [\"sh\", \"-c\", '''{script}''', \"{{net}}\", \"{{path}}\", \"{{awk}}\"]\n")
}

/// For each net, with its path, as arguments and in the environment; what it prints is not on stdout, and `nnue build` never runs it.
#[test]
fn a_program_is_run_for_each_net_that_was_published() {
    let script =
        r#"test -f "$NNUE_PATH" && echo "$0|$1|$2|$NNUE_NET|$NNUE_SHA256|$NNUE_PATHS|$(pwd)" >> log; echo said; echo "on stderr" >&2"#;
    let project = project(&hooked(script));
    project.write_net("runs/a.nnue", 64, 1);
    project.nnue(&["build"]).ok();
    assert!(!project.at("log").exists());
    let watch = Watch::start(&project.path, &["--json"]);
    std::thread::sleep(A_WHILE);
    assert!(!project.at("log").exists(), "what is fresh was not published");
    project.write_net("runs/b.nnue", 64, 2);
    project.write_net("runs/c.nnue", 64, 3);
    watch.wait_for_message("c: on stderr");
    let folder = project.path.canonicalize().unwrap();
    let lines = project.text("log");
    for name in ["b", "c"] {
        let path = project.at(&format!("out/{name}.nnue")).display().to_string();
        let sha256 = project.sha256(&format!("out/{name}.nnue"));
        let line = format!("{name}|{path}|{{awk}}|{name}|{sha256}|{path}|{}", folder.display());
        assert!(lines.lines().any(|other| other == line), "{line}\n{lines}");
    }
    assert_eq!((watch.messages_with("b: said"), watch.messages_with("c: said"), lines.lines().count()), (1, 1, 2));
    // All that is on stdout is reports.
    assert!(watch.reports().iter().all(|report| report["schema"] == 1));
    // A change of one net concerns that one.
    project.write_net("runs/b.nnue", 64, 4);
    watch.wait(|_, _| project.text("log").lines().count() == 3);
    assert!(project.text("log").lines().last().unwrap().starts_with("b|"));
    assert_eq!(watch.interrupt().0, Some(0));
}

#[test]
fn a_program_that_fails_ends_nothing() {
    let project = project(&hooked("echo x >> log; exit 7"));
    project.write_net("runs/a.nnue", 64, 1);
    let watch = Watch::start(&project.path, &[]);
    watch.wait_for_message("`sh` failed for the net `a`: exit status: 7");
    project.manifest(&format!("{SWEEP}[watch]\nrun = [\"./no-such-program\"]\n"));
    watch.wait_for_message("again");
    project.write_net("runs/b.nnue", 64, 2);
    watch.wait_for_message("cannot run `./no-such-program` for the net `b`");
    project.write_net("runs/c.nnue", 64, 3);
    watch.wait_for_message("for the net `c`");
    assert_eq!(watch.interrupt().0, Some(0));
    assert!(project.at("out/c.nnue").exists());
}

/// The watcher ends its program, and what that started.
#[test]
fn ctrl_c_ends_the_program_too() {
    let project = project(&hooked("sleep 1000 & echo $! > pid; echo started; wait"));
    project.write_net("runs/a.nnue", 64, 1);
    let watch = Watch::start(&project.path, &[]);
    watch.wait_for_message("a: started");
    let pid = project.text("pid");
    let is_alive = || Command::new("kill").args(["-0", pid.trim()]).stderr(std::process::Stdio::null()).status().unwrap().success();
    assert!(is_alive());
    let (code, said) = watch.interrupt();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stopped watching"), "{said}");
    let start = Instant::now();
    while is_alive() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A net that is made from another is built with it when a file of that one changes.
#[test]
fn nets_of_other_nets_follow_the_files_of_those() {
    let text = "version = 1\n[net.second]\nsource = \"net:a\"\ndescription = \"second\"\noutputs = \"second.nnue\"\n[net.\"{stem}\"]\n\
                source = { glob = \"runs/*.nnue\" }\noutputs = \"out/{stem}.nnue\"\n";
    let project = project(text);
    let watch = Watch::start(&project.path, &["--json"]);
    std::thread::sleep(A_WHILE);
    assert_eq!(watch.reports().len(), 0, "there is no net to make it from yet");
    project.write_net("runs/a.nnue", 64, 1);
    watch.wait(|_, _| project.at("second.nnue").exists());
    let first = project.bytes("second.nnue");
    project.write_net("runs/a.nnue", 64, 2);
    watch.wait(|_, _| project.bytes("second.nnue") != first);
    // The report comes when all is noted.
    watch.wait_for_reports(2);
    assert_eq!(watch.interrupt().0, Some(0));
    project.nnue(&["build", "--locked"]).ok();
}
