//! The side of a worker: one action, told of by the canonical preimage of its key, on files that somebody laid beside it.
//!
//! ```text
//! request.json      the preimage, byte for byte
//! in/network        a network: a `.nnue` file of any packing, or what of a described one is needed
//! in/data.0 …       files of positions
//! in/matrix         what `gather` left
//! in/published      the file that `prove` looks at
//! out/artifact      the result, as the local cache keeps it; nothing of `prove`
//! out/record        its record, sealed as the local cache has it; without time and place, so that two workers give equal bytes
//! ```
//!
//! Opens no connection, knows no manifest and no cache, needs no other file. Inputs are proven to be those of the preimage before
//! anything is computed: who laid them there is not trusted.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value as Json;

use crate::cache::record::{ActionResult, Said};
use crate::cache::{ActionRecord, Preimage};
use crate::ctx::{Ctx, open_file};
use crate::error::{Error, Result};
use crate::exec::{Executor, Local};
use crate::family::{self, Inputs, Product, Value};
use crate::files::{Blake3, Bytes, Durability, HashingWriter, OwnPath, Signature, hash_file_blake3};
use crate::plan::KEY_SCHEMA;
use crate::stage::{Action, Role, Stage};

/// The name of a result in the folder of outputs.
pub const ARTIFACT: &str = "artifact";
/// The name of its record there.
pub const RECORD: &str = "record";

/// Preimages have some hundred bytes; this many are a mistaken file.
const LARGEST_REQUEST: u64 = 1 << 20;

/// Runs the action of the preimage in the file `request` on the files in `input`, and writes what comes of it into `output`.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for a request of another version or that is none, for paths that lead out of the current
/// folder, and for inputs that are not those of the request; the stage's own.
pub fn run_stage(request: &Path, input: &Path, output: &Path, ctx: &Ctx) -> Result<()> {
    for path in [request, input, output] {
        check_inside(path)?;
    }
    let text = read_request(request)?;
    let preimage: Preimage = text.parse().map_err(|error: Error| not_a_request(request).because(error))?;
    if preimage.as_str() != text {
        return Err(not_a_request(request).because("its JSON is not in the canonical form"));
    }
    let network = || Bytes::input(&input.join(Role::Network.to_string()), ctx);
    let Request { action, inputs } = Request::of(&preimage.to_value(), network).map_err(|error| error.context(message(request)))?;
    let inputs = Laid::new(&action, inputs, input, ctx)?;
    let output = OwnPath::new(Path::new("."), output);
    output.create_folder()?;
    // Packed positions may need room; an empty sandbox has no folder for that.
    if !std::env::temp_dir().is_dir() {
        let _ = tempfile::env::override_temp_dir(output.as_path());
    }
    let product = Local.execute(&action, &inputs, ctx)?;
    inputs.check_unchanged()?;
    let (outcome, stored, (output_digest, bytes)) = match product {
        Product::Stored { value, outcome } => {
            let written = output.join(ARTIFACT).write(Durability::Fast, |out| {
                let mut hashing = HashingWriter::<_, Blake3>::new(out);
                value.write(&mut hashing)?;
                let (_, digest, bytes) = hashing.finish();
                Ok((digest, bytes))
            });
            (outcome, true, written?)
        }
        Product::Finding { digest, outcome } => (outcome, false, (digest, 0)),
        Product::Value { .. } | Product::File(_) => {
            return Err(Error::new(format!("{} is no stage for workers: this is a bug in nnue, please report it", action.stage())));
        }
    };
    let result = ActionResult {
        said: Said::Known(outcome),
        output_digest,
        stored,
        bytes,
        duration_s: 0.0,
        elsewhere: false,
        created_by: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let record = ActionRecord { preimage, result }.encode()?;
    output.join(RECORD).write_bytes(Durability::Fast, &record)
}

/// A request that this program understands.
struct Request {
    action: Action,
    /// The digests of its inputs.
    inputs: BTreeMap<Role, Blake3>,
}

impl Request {
    /// What a preimage asks for; `network` gives the bytes of the network that was laid beside it.
    fn of(preimage: &Json, network: impl FnOnce() -> Result<Bytes>) -> Result<Self> {
        let member = |name: &str| preimage.get(name).unwrap_or(&Json::Null);
        if preimage.as_object().is_none_or(|members| members.len() != 5) {
            return Err(Error::usage("it is not the preimage of a key"));
        }
        if member("key_schema").as_u64() != Some(KEY_SCHEMA.into()) {
            return Err(other_version(format!("its key schema is {}, and that of this nnue is {KEY_SCHEMA}", member("key_schema"))));
        }
        let name = member("stage").as_str().unwrap_or_default();
        let stage = Stage::named(name).ok_or_else(|| other_version(format!("there is no stage `{name}`")))?;
        if member("stage_version").as_u64() != Some(stage.version().into()) {
            let (asked, own) = (member("stage_version"), stage.version());
            return Err(other_version(format!("it asks for version {asked} of {stage}, and this nnue has version {own}")));
        }
        let action = match member("params").as_object() {
            Some(params) => family::requested(stage, params, network)?,
            None => None,
        };
        let action = action.ok_or_else(|| other_version(format!("{stage} with these parameters is not run on its own")))?;
        let named = member("inputs").as_object().into_iter().flatten();
        let inputs = named.map(|(name, digest)| Some((Role::named(name)?, digest.as_str()?.parse().ok()?)));
        let inputs: BTreeMap<Role, Blake3> = inputs.collect::<Option<_>>().ok_or_else(|| Error::usage("its inputs are not digests"))?;
        if !fits(stage, &inputs) {
            return Err(Error::usage(format!("its inputs are not those of {stage}")));
        }
        Ok(Self { action, inputs })
    }
}

/// Whether these are the inputs of a stage.
fn fits(stage: Stage, inputs: &BTreeMap<Role, Blake3>) -> bool {
    let data = inputs.keys().filter(|role| matches!(role, Role::Data(_))).count();
    // Numbered without a gap: that is the order of the stream.
    let in_order = (0..data as u32).all(|number| inputs.contains_key(&Role::Data(number)));
    match stage {
        Stage::Gather => in_order && data > 0 && inputs.len() == data + 1 && inputs.contains_key(&Role::Network),
        Stage::Search => inputs.len() == 1 && inputs.contains_key(&Role::Matrix),
        Stage::Prove => {
            in_order
                && data > 0
                && inputs.len() == data + 2
                && [Role::Network, Role::Published].iter().all(|role| inputs.contains_key(role))
        }
        _ => false,
    }
}

/// The inputs, as files in a folder.
struct Laid {
    digests: BTreeMap<Role, Blake3>,
    folder: PathBuf,
    /// Files of positions and the one that is proven, as they were when they were digested.
    signatures: Vec<(Role, PathBuf, Signature)>,
    stages: &'static dyn family::Stages,
    ctx: Ctx,
}

impl Laid {
    /// Proves that the files are those of the request that are not read as a whole later.
    fn new(action: &Action, digests: BTreeMap<Role, Blake3>, folder: &Path, ctx: &Ctx) -> Result<Self> {
        let mut laid =
            Self { digests, folder: folder.to_owned(), signatures: Vec::new(), stages: family::stages(action), ctx: ctx.clone() };
        let published = laid.has(Role::Published).then(|| (Role::Published, laid.path(Role::Published)));
        for (role, path) in laid.files().into_iter().chain(published) {
            let before = laid.signature(&path)?;
            let (found, _) = hash_file_blake3(&path, ctx)?;
            laid.check(role, &path, found)?;
            laid.signatures.push((role, path, before));
        }
        Ok(laid)
    }

    fn path(&self, role: Role) -> PathBuf {
        self.folder.join(role.to_string())
    }

    fn signature(&self, path: &Path) -> Result<Signature> {
        let metadata = open_file(path).and_then(|file| file.metadata());
        metadata.map(|metadata| Signature::of(&metadata)).map_err(|error| Error::io("cannot read", path, error))
    }

    fn check(&self, role: Role, path: &Path, found: Blake3) -> Result<()> {
        let wanted = self.digest(role)?;
        if found == wanted {
            return Ok(());
        }
        Err(Error::usage(format!("`{}` is not the input of the request", path.display()))
            .because(format!("its BLAKE3 is {found}, and the request's `{role}` has {wanted}")))
    }
}

impl Inputs for Laid {
    fn files(&self) -> Vec<(Role, PathBuf)> {
        let data = self.digests.keys().filter(|role| matches!(role, Role::Data(_)));
        data.map(|role| (*role, self.path(*role))).collect()
    }

    fn has(&self, role: Role) -> bool {
        self.digests.contains_key(&role)
    }

    fn guarded(&self) -> Result<Ctx> {
        Ok(self.ctx.clone())
    }

    fn value(&self, role: Role) -> Result<Value> {
        let path = self.path(role);
        let bytes = Bytes::input(&path, &self.ctx)?;
        let value = match role {
            Role::Network => self.stages.unpacked(&bytes, self.digest(role)?),
            _ => {
                self.check(role, &path, Blake3::of(&bytes))?;
                self.stages.read_file(role, &bytes)
            }
        };
        value.map_err(|error| error.context(format!("cannot use `{}`", path.display())))
    }

    fn published(&self) -> Result<PathBuf> {
        self.digest(Role::Published).map(|_| self.path(Role::Published))
    }

    fn digest(&self, role: Role) -> Result<Blake3> {
        self.digests.get(&role).copied().ok_or_else(|| Error::usage(format!("the request has no input `{role}`")))
    }

    fn check_unchanged(&self) -> Result<()> {
        for (role, path, before) in &self.signatures {
            // Clusters link one file into the folders of several actions, which changes its times and nothing of its content.
            if self.signature(path)? != *before && hash_file_blake3(path, &self.ctx)?.0 != self.digest(*role)? {
                return Err(Error::new(format!("`{}` changed while it was read", path.display())));
            }
        }
        Ok(())
    }
}

/// Whether a path stays in the current folder.
fn check_inside(path: &Path) -> Result<()> {
    let stays = path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if stays && path.components().next().is_some() {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` leads out of this folder", path.display()))
        .help("name the request and both folders by paths below the current folder"))
}

fn read_request(request: &Path) -> Result<String> {
    let file = open_file(request).map_err(|error| Error::io("cannot read", request, error))?;
    let mut text = String::new();
    let read = std::io::Read::read_to_string(&mut std::io::Read::take(file, LARGEST_REQUEST + 1), &mut text);
    read.map_err(|error| not_a_request(request).because(error))?;
    if text.len() as u64 > LARGEST_REQUEST {
        return Err(not_a_request(request).because(format!("it has more than {LARGEST_REQUEST} bytes")));
    }
    Ok(text)
}

fn message(request: &Path) -> String {
    format!("cannot run `{}`", request.display())
}

fn not_a_request(request: &Path) -> Error {
    Error::usage(message(request))
}

fn other_version(why: String) -> Error {
    Error::usage(why).help("let the worker run the very program that asks: `[remote] tool` names the one that is sent")
}
