//! Remote caches to test against: a server of our own that misbehaves on request, a real nginx, and a reader of protobuf that shares no
//! code with the program.
#![allow(dead_code, missing_docs)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

/// What the server does with a request.
pub enum Reply {
    /// What a good server does.
    Honest,
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, then silence.
    Silence(Vec<u8>),
    /// These bytes, then one more byte now and then.
    Drip(Vec<u8>),
}

type Hook = Box<dyn Fn(&Request, Option<&Vec<u8>>) -> Reply + Send + Sync>;

#[derive(Default)]
struct Shared {
    store: Mutex<BTreeMap<String, Vec<u8>>>,
    log: Mutex<Vec<Request>>,
    hook: Mutex<Option<Arc<Hook>>>,
    reset: Mutex<Option<Vec<u8>>>,
}

/// A small HTTP server on a free port of this machine. It ends with the process.
pub struct Server {
    pub url: String,
    shared: Arc<Shared>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/cache", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let server = Self { url, shared: shared.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                // Clients that go away in the middle are part of the tests.
                std::thread::spawn(move || drop(serve(stream.unwrap(), &shared)));
            }
        });
        server
    }

    /// Lets every request be answered by `hook`, which gets what the store has under the path.
    pub fn answer(&self, hook: impl Fn(&Request, Option<&Vec<u8>>) -> Reply + Send + Sync + 'static) {
        *self.shared.hook.lock().unwrap() = Some(Arc::new(Box::new(hook)));
    }

    /// Lets every connection end in a reset after these bytes.
    pub fn reset_after(&self, bytes: &[u8]) {
        *self.shared.reset.lock().unwrap() = Some(bytes.to_vec());
    }

    pub fn be_honest(&self) {
        *self.shared.reset.lock().unwrap() = None;
        *self.shared.hook.lock().unwrap() = None;
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.log.lock().unwrap())
    }

    /// Paths below the cache (`ac/…`, `cas/…`) → values.
    pub fn values(&self) -> BTreeMap<String, Vec<u8>> {
        let store = self.shared.store.lock().unwrap();
        store.iter().map(|(path, value)| (path.strip_prefix("/cache/").unwrap().to_owned(), value.clone())).collect()
    }

    pub fn put(&self, name: &str, value: Vec<u8>) {
        self.shared.store.lock().unwrap().insert(format!("/cache/{name}"), value);
    }

    pub fn clear(&self) {
        self.shared.store.lock().unwrap().clear();
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    if let Some(bytes) = shared.reset.lock().unwrap().clone() {
        stream.peek(&mut [0])?;
        stream.write_all(&bytes)?;
        // What the client sent and nobody read makes the kernel send a reset.
        return Ok(());
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let (mut length, mut authorization) = (0, None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "transfer-encoding" => panic!("caches of Bazel want to know the length: {header}"),
                "authorization" => authorization = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request = Request { method, path, authorization, body };
        shared.log.lock().unwrap().push(request.clone());
        let hook = shared.hook.lock().unwrap().clone();
        let found = shared.store.lock().unwrap().get(&request.path).cloned();
        let reply = hook.map_or(Reply::Honest, |hook| hook(&request, found.as_ref()));
        match reply {
            Reply::Honest => stream.write_all(&honest(&request, found, shared))?,
            Reply::Raw(bytes) => {
                stream.write_all(&bytes)?;
                return stream.shutdown(std::net::Shutdown::Both);
            }
            Reply::Silence(bytes) => {
                stream.write_all(&bytes)?;
                std::thread::sleep(Duration::from_secs(3600));
            }
            Reply::Drip(bytes) => {
                stream.write_all(&bytes)?;
                loop {
                    std::thread::sleep(Duration::from_millis(100));
                    stream.write_all(b"x")?;
                }
            }
        }
    }
}

fn honest(request: &Request, found: Option<Vec<u8>>, shared: &Shared) -> Vec<u8> {
    match request.method.as_str() {
        "PUT" => {
            shared.store.lock().unwrap().insert(request.path.clone(), request.body.clone());
            http("201 Created", b"")
        }
        "GET" | "HEAD" => match found {
            Some(value) if request.method == "GET" => http("200 OK", &value),
            Some(value) => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", value.len()).into_bytes(),
            None if request.method == "GET" => http("404 Not Found", b"<html>not found</html>"),
            None => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 22\r\n\r\n".to_vec(),
        },
        _ => http("405 Method Not Allowed", b""),
    }
}

/// A whole response.
pub fn http(status: &str, body: &[u8]) -> Vec<u8> {
    // The server closes after each answer; said so, no client comes back on the old connection.
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A server program that is ended with this value.
pub struct Running {
    child: Child,
    pub url: String,
    pub folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts `command` for a port until it listens there; another process may snatch the port away meanwhile.
fn start(mut command: impl FnMut(u16, &Path) -> Command, url: impl Fn(u16) -> String) -> Running {
    for _ in 0..5 {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let mut child = command(port, folder.path()).stdin(Stdio::null()).spawn().unwrap();
        for _ in 0..600 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Running { child, url: url(port), folder };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
        for name in ["error.log", "log"] {
            print!("{}", std::fs::read_to_string(folder.path().join(name)).unwrap_or_default());
        }
    }
    panic!("the server did not start");
}

/// Debian's nginx with WebDAV, as an ordinary user. `None` where it is not installed; in CI that is a failure.
pub fn nginx() -> Option<Running> {
    nginx_with("", |port| format!("http://127.0.0.1:{port}/some/cache"))
}

/// The same behind TLS, with a certificate of an authority in `authority.pem`.
pub fn nginx_with_tls(folder: &Path) -> Option<Running> {
    let settings = certificates(folder)?;
    nginx_with(&settings, |port| format!("https://127.0.0.1:{port}/some/cache"))
}

/// Makes `cert.pem` with `key.pem`, of an authority in `authority.pem`; gives what nginx must be told of them.
pub fn certificates(folder: &Path) -> Option<String> {
    let openssl = |args: &str| Command::new("openssl").current_dir(folder).args(args.split(' ')).stderr(Stdio::null()).status();
    let key = "req -x509 -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let Ok(made) = openssl(&format!("{key} -keyout authority.key -out authority.pem -subj /CN=authority")) else {
        assert!(std::env::var_os("CI").is_none(), "`openssl` is missing, and CI must not skip this");
        println!("skipped: no openssl (`apt-get install openssl`)");
        return None;
    };
    assert!(made.success());
    let extensions = "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1";
    let leaf = openssl(&format!("{key} -keyout key.pem -out cert.pem -subj /CN=here -CA authority.pem -CAkey authority.key {extensions}"));
    assert!(leaf.unwrap().success());
    let folder = folder.display();
    Some(format!("ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"))
}

fn nginx_with(tls: &str, url: impl Fn(u16) -> String) -> Option<Running> {
    let listen = if tls.is_empty() { "" } else { " ssl" };
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from).into_iter().find(|path| path.exists());
    let Some(program) = program else {
        assert!(std::env::var_os("CI").is_none(), "Debian's package `nginx-light` is missing, and CI must not skip this");
        println!("skipped: no nginx (`apt-get install nginx-light`)");
        return None;
    };
    let command = |port: u16, folder: &Path| {
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path tmp_{name};")).join(" ");
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid;\nevents {{}}\nhttp {{ access_log access.log; {paths} client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port}{listen}; {tls} root data; location / {{ dav_methods PUT DELETE; create_full_put_path on; }} }} }}\n"
        );
        std::fs::create_dir_all(folder.join("data")).unwrap();
        std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new(&program);
        command.args(["-p", &format!("{}/", folder.display()), "-e", "error.log", "-c", "nginx.conf"]);
        command.stderr(Stdio::null());
        command
    };
    Some(start(command, url))
}

/// moto's S3 server with an empty bucket `bucket`. `None` where it is not installed; in CI that is a failure.
pub fn moto() -> Option<Running> {
    let Some(program) = std::env::var_os("NNUE_TEST_MOTO") else {
        assert!(std::env::var_os("CI").is_none(), "NNUE_TEST_MOTO does not name `moto_server`, and CI must not skip this");
        println!("skipped: NNUE_TEST_MOTO does not name `moto_server` (`pip install moto[server]`)");
        return None;
    };
    let command = |port: u16, folder: &Path| {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(log.try_clone().unwrap()).stderr(log);
        command
    };
    let running = start(command, |port| format!("http://127.0.0.1:{port}"));
    let address = running.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "PUT /bucket HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Some(running)
}

/// All files below `folder`, by their paths in it.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A field of a protobuf message: its number, and a number or bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Varint(u64),
    Bytes(Vec<u8>),
}

/// A number as messages have it.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field with a number.
pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field with bytes, a text or a message.
pub fn field(number: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.as_ref().len() as u64), bytes.as_ref().to_vec()].concat()
}

/// A `Digest`.
pub fn digest(hash: &str, size: usize) -> Vec<u8> {
    [field(1, hash), number(2, size as u64)].concat()
}

/// Reads a protobuf message without knowing its type.
pub fn protobuf(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

/// The one field of this number, as bytes.
pub fn bytes_of(message: &[(u64, Field)], number: u64) -> Vec<u8> {
    let all: Vec<&Field> = message.iter().filter(|(found, _)| *found == number).map(|(_, field)| field).collect();
    match all.as_slice() {
        [Field::Bytes(bytes)] => bytes.clone(),
        other => panic!("field {number}: {other:?}"),
    }
}

/// The program that a variable names. `None` where it is not installed; in CI that is a failure.
fn program(variable: &str, what: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable).map(PathBuf::from).filter(|program| program.exists());
    if program.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{variable} does not name `{what}`, and CI must not skip this");
        println!("skipped: {variable} does not name `{what}` (`.ci/tools` installs it)");
    }
    program
}

/// buildbox-casd: a cache and a cluster of this machine, whose programs see an empty file system. It knows no instances.
pub fn casd() -> Option<Running> {
    let program = program("NNUE_TEST_CASD", "buildbox-casd")?;
    let command = |port: u16, folder: &Path| {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(&program);
        command.arg(format!("--bind=127.0.0.1:{port}"));
        command.arg(format!("--buildbox-run={}", program.with_file_name("buildbox-run").display()));
        command.args(["--quota-high=2G", "--reserved=1M", "--jobs=2"]).arg(folder.join("store"));
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command
    };
    Some(start(command, |port| format!("grpc://127.0.0.1:{port}")))
}

/// justbuild: a cluster of this machine without a sandbox, of version 2.0 of the API. It takes any instance but none.
pub fn justbuild() -> Option<Running> {
    let program = program("NNUE_TEST_JUSTBUILD", "justbuild")?;
    let command = |port: u16, folder: &Path| {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(&program);
        command.args(["execute", "--compatible", "-p", &port.to_string(), "--local-build-root"]).arg(folder.join("root"));
        command.arg("--info-file").arg(folder.join("info")).arg("--pid-file").arg(folder.join("pid"));
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command
    };
    Some(start(command, |port| format!("grpc://127.0.0.1:{port}/main")))
}

/// The instance of a BuildGrid that `.ci/nightly-buildgrid` started.
pub fn buildgrid() -> String {
    std::env::var("NNUE_TEST_BUILDGRID").expect("`.ci/nightly-buildgrid` runs these tests")
}

/// nginx before a server of gRPC: `settings` stand in its `server`, `inside` in its `location`.
pub fn nginx_before(url: &str, scheme: &str, settings: &str, inside: &str) -> Option<Running> {
    let target = url.split("://").nth(1).unwrap().to_owned();
    let (host, instance) = target.split_once('/').map_or((target.as_str(), ""), |(host, instance)| (host, instance));
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from).into_iter().find(|path| path.exists());
    let Some(program) = program else {
        assert!(std::env::var_os("CI").is_none(), "Debian's package `nginx-light` is missing, and CI must not skip this");
        println!("skipped: no nginx (`apt-get install nginx-light`)");
        return None;
    };
    let listen = if scheme == "grpcs" { " ssl" } else { "" };
    let command = |port: u16, folder: &Path| {
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path tmp_{name};")).join(" ");
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid;\nevents {{}}\nhttp {{ access_log access.log; {paths} client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port} http2{listen}; {settings} location / {{ {inside} grpc_pass grpc://{host}; }} }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new(&program);
        command.args(["-p", &format!("{}/", folder.display()), "-e", "error.log", "-c", "nginx.conf"]);
        command.stderr(Stdio::null());
        command
    };
    Some(start(command, |port| format!("{scheme}://127.0.0.1:{port}/{instance}").trim_end_matches('/').to_owned()))
}
