//! lc0's networks on the command line: what `convert`, `inspect` and `diff` do when a file, a target or an option is about one.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::diff::{Comparison, Difference, Relation, TensorDifference};
use super::output::{Place, check_folder_of, write_file};
use super::word::word;
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::draw::scene::grouped;
use crate::error::{Error, Result};
use crate::family::lc0::{
    Decode, Description, Encoding, Form, Net, NetDiff, OnnxOptions, Part, TensorFile, View, blend, check_encoding, diff, edit_header,
    keep_heads, open, sections as sections_of, until_written, warn_of_findings, write_onnx, write_tensors,
};
use crate::files::{Bytes, Sha256, typed};
use crate::format::autodiscover::{AUTODISCOVER, Environment, discover, searched};
use crate::format::content_name::{claimed, misnamed};
use crate::show::{Cell, Page, Section, Table};
use crate::stage::lc0::{Heads, Metadata};
use crate::words::OnnxType;

/// How a network of lc0 is found.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Networks of lc0 (.pb, .pb.gz, .onnx)")]
pub(crate) struct FindArgs {
    /// Read the network at the end of a program, as lc0 reads its `<built in>`, whatever the file begins with
    #[arg(long)]
    embedded: bool,
    /// With `<autodiscover>` as the file: the lc0 whose folder is searched first [default: lc0 in this folder]
    #[arg(long, value_name = "PROGRAM")]
    engine: Option<PathBuf>,
}

impl FindArgs {
    /// The file that is meant: the one that lc0 would take, where none is named.
    ///
    /// # Errors
    /// When lc0 would find none.
    pub(crate) fn locate(&self, path: &Path) -> Result<PathBuf> {
        if path.as_os_str() != AUTODISCOVER {
            return match self.engine {
                None => Ok(path.to_owned()),
                Some(_) => {
                    Err(Error::usage(format!("`--engine` is about `{AUTODISCOVER}`")).help(format!("name `{AUTODISCOVER}` as the file")))
                }
            };
        }
        let environment = Environment::of_process(self.engine.as_deref().unwrap_or(Path::new("lc0")));
        discover(&environment).ok_or_else(|| Error::new(format!("`{AUTODISCOVER}` finds no network")).because(searched(&environment)))
    }

    /// The network, if the file is a weight file of lc0's or one was asked for.
    fn form(&self, bytes: &Bytes) -> Option<Form> {
        if self.embedded { Some(Form::Weights) } else { Form::of(bytes) }
    }

    fn open(&self, bytes: &Bytes, decode: Decode, changed: Option<Encoding>, ctx: &Ctx) -> Result<Net> {
        if self.embedded { Net::read_embedded(bytes, decode) } else { open(bytes, decode, changed, ctx) }
    }
}

/// Options of `convert` for lc0's networks.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Networks of lc0 (.pb, .pb.gz, .onnx)")]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(super) find: FindArgs,
    /// Which tensors a .safetensors or .npz file gets [default: raw]
    #[arg(long, value_name = "VIEW", value_parser = word::<View>())]
    view: Option<View>,
    /// How stored numbers become floats [default: lc0-0.33]
    #[arg(long, value_name = "FORMULA", value_parser = word::<Decode>())]
    decode: Option<Decode>,
    /// Store layers in another way
    #[arg(long = "layer-encoding", value_name = "NAME", value_parser = word::<Encoding>())]
    encoding: Option<Encoding>,
    /// Fold batch norms into their convolutions
    #[arg(long = "fold-batch-norms")]
    fold: bool,
    /// Average the network with these, float by float
    #[arg(long, value_name = "FILE", num_args = 1.., action = clap::ArgAction::Append)]
    blend: Vec<PathBuf>,
    /// Shares of the network and of each of --blend, with commas [default: equal]
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', requires = "blend", allow_negative_numbers = true)]
    shares: Vec<f64>,
    /// Take a part from another network: `policy_heads.soft=other.pb.gz`
    #[arg(long, value_name = "PART=FILE", value_parser = parse_graft)]
    graft: Vec<(String, PathBuf)>,
    /// Keep these policy heads only; the first is the one that .onnx gets
    #[arg(long = "policy-heads", value_name = "NAME", value_delimiter = ',')]
    policy_heads: Vec<String>,
    /// Keep these value heads only; the first is the one that .onnx gets
    #[arg(long = "value-heads", value_name = "NAME", value_delimiter = ',')]
    value_heads: Vec<String>,
    /// The numbers of a .onnx file [default: float32]
    #[arg(long = "onnx-type", value_name = "TYPE", value_parser = word::<OnnxType>())]
    numbers: Option<OnnxType>,
    /// Write a .onnx file in half precision
    #[arg(long = "onnx-float16", conflicts_with = "numbers", hide = true)]
    half: bool,
    /// Set the license's text
    #[arg(long = "license", value_name = "TEXT")]
    license: Option<String>,
    /// Remove the license's text
    #[arg(long = "no-license", conflicts_with = "license")]
    no_license: bool,
    /// Set a training parameter, such as `training_steps=100`
    #[arg(long = "training", value_name = "NAME=VALUE", value_parser = parse_training)]
    training: Vec<(String, String)>,
    /// Remove the training parameters
    #[arg(long = "strip-training")]
    strip_training: bool,
    /// Write out what lc0 changes in older headers
    #[arg(long = "fixup")]
    fixup: bool,
    /// Set the least version of lc0 that loads the network
    #[arg(long = "min-version", value_name = "VERSION", value_parser = parse_version)]
    min_version: Option<[u32; 3]>,
    /// Raise the version in the header to what the content needs
    #[arg(long = "fix-min-version", conflicts_with = "min_version")]
    fix_min_version: bool,
    /// Write this program, with the network at its end, in place of a weight file
    #[arg(long = "into", value_name = "PROGRAM")]
    into: Option<PathBuf>,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_graft(text: &str) -> Result<(String, PathBuf), String> {
    parse_pair(text).map(|(part, file)| (part, PathBuf::from(file)))
}

fn parse_training(text: &str) -> Result<(String, String), String> {
    parse_pair(text)
}

fn parse_version(text: &str) -> Result<[u32; 3], String> {
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.and_then(|parts| <[u32; 3]>::try_from(parts).ok()).ok_or_else(|| "write three numbers with dots, such as 0.33.0".to_owned())
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target<'a> {
    Protobuf,
    Gzip,
    Onnx,
    Tensors(TensorFile),
    /// A program with the network at its end.
    Program(&'a Path),
}

impl<'a> Target<'a> {
    fn of(path: &Path, into: Option<&'a Path>) -> Option<Self> {
        if let Some(program) = into {
            return Some(Self::Program(program));
        }
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let endings = [
            (".pb", Self::Protobuf),
            (".pb.gz", Self::Gzip),
            (".onnx", Self::Onnx),
            (".safetensors", Self::Tensors(TensorFile::Safetensors)),
            (".npz", Self::Tensors(TensorFile::Npz)),
        ];
        endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, target)| target)
    }

    /// Whether lc0 loads what is written.
    const fn is_weights(self) -> bool {
        match self {
            Self::Protobuf | Self::Gzip | Self::Program(_) => true,
            Self::Onnx | Self::Tensors(_) => false,
        }
    }
}

impl ConvertArgs {
    fn is_given(&self) -> bool {
        let values = [self.view.is_some(), self.decode.is_some(), self.encoding.is_some(), self.numbers.is_some()];
        let flags = [self.fold, self.half, self.fix_min_version, self.find.embedded, self.find.engine.is_some(), self.into.is_some()];
        let lists = [&self.policy_heads, &self.value_heads].into_iter().any(|list| !list.is_empty());
        let blends = !self.blend.is_empty() || !self.graft.is_empty();
        values.into_iter().chain(flags).any(|given| given) || lists || blends || self.metadata() != Ok(Metadata::default())
    }

    fn decode(&self) -> Decode {
        self.decode.unwrap_or_default()
    }

    fn heads(&self) -> Heads {
        let list = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
        Heads { policy: list(&self.policy_heads), value: list(&self.value_heads) }
    }

    /// The changes of the header; the name of a training parameter that there is not.
    fn metadata(&self) -> Result<Metadata, String> {
        let known = crate::family::lc0::schema::TRAINING_PARAMS.fields;
        let mut training = Vec::with_capacity(self.training.len());
        for (name, value) in &self.training {
            let field = known.iter().find(|field| field.name == name).ok_or_else(|| name.clone())?;
            training.push((field.name, value.clone()));
        }
        Ok(Metadata {
            license: if self.no_license { Some(None) } else { self.license.clone().map(Some) },
            min_version: self.min_version,
            fixup: self.fixup,
            strip_training: self.strip_training,
            training,
        })
    }

    /// How floats that someone changed are held.
    fn changed(&self) -> Option<Encoding> {
        until_written(self.encoding, self.fold || !self.blend.is_empty(), self.decode())
    }

    /// Whether floats are decoded to be changed.
    fn changes_layers(&self) -> bool {
        self.encoding.is_some() || self.fold || !self.blend.is_empty()
    }
}

/// `convert`, where the source, the target or an option is lc0's; `None` where nothing is.
pub(super) fn convert(source: &Path, target: &Path, args: &ConvertArgs, as_json: bool, global: &Global) -> Result<Option<Exit>> {
    let source = &args.find.locate(source)?;
    let kind = Target::of(target, args.into.as_deref());
    let own_target = matches!(kind, Some(Target::Protobuf | Target::Gzip | Target::Onnx));
    if !own_target && !args.is_given() && (!source.is_file() || Form::of(&Bytes::map(source)?).is_none()) {
        return Ok(None);
    }
    let kind = kind.ok_or_else(|| {
        Error::usage(format!("`{}` has no ending that a network of lc0 can be written as", target.display()))
            .help("possible are `.pb`, `.pb.gz`, `.safetensors`, `.npz` and `.onnx`; a program is written with `--into PROGRAM`")
    })?;
    let ctx = global.ctx(Backend::Cpu);
    check_folder_of(target)?;
    let decode = args.decode();
    check_encoding(args.encoding, decode)?;
    let bytes = Bytes::map(source)?;
    let mut net = read(source, &bytes, args, &ctx)?;
    for note in net.notes() {
        ctx.warn(format!("`{}`: {note}", source.display()));
    }
    warn_of_idle(args, kind, target, &ctx);
    edit(&mut net, args, kind, &ctx)?;
    warn_of_findings(&net, decode, &ctx);
    if kind.is_weights() {
        net.check_version()?;
    }
    let written = write_file(Place::File(target), &ctx, |out| match kind {
        Target::Protobuf => net.write_pb(out),
        Target::Gzip => net.write_gz(out),
        Target::Program(program) => net.write_embedded(&Bytes::map(program)?, out),
        Target::Onnx => {
            let first = |names: &[String], default: &str| names.first().map_or(default, String::as_str).to_owned();
            let (policy_head, value_head) = (first(&args.policy_heads, "vanilla"), first(&args.value_heads, "winner"));
            let numbers = if args.half { Some(OnnxType::Float16) } else { args.numbers };
            write_onnx(out, &net, &OnnxOptions { policy_head, value_head, numbers }, decode, &ctx)
        }
        Target::Tensors(file) => write_tensors(out, &net, args.view.unwrap_or_default(), decode, file, &ctx),
    })?;
    if let Target::Program(program) = kind {
        // What could be run can be run with the network in it.
        let permissions = std::fs::metadata(program).map(|metadata| metadata.permissions());
        let set = permissions.and_then(|permissions| std::fs::set_permissions(target, permissions));
        set.map_err(|error| Error::io("cannot make it a program", target, error))?;
    }
    if as_json {
        let output = json!({"path": typed(&written.path), "sha256": written.sha256, "bytes": written.bytes});
        global.print_json(&json!({"schema": 1, "output": output, "zero_blocks": null, "warnings": global.warnings()}))?;
    } else {
        let lines = [
            ("wrote", written.path.display().to_string()),
            ("sha256", written.sha256.to_string()),
            ("bytes", written.bytes.to_string()),
            ("decode", decode.name().to_owned()),
        ];
        global.print_summary(&lines.map(|(key, value)| format!("{key:<12} {value}\n")).concat())?;
    }
    Ok(Some(Exit::Done))
}

/// Warns of options about another kind of file than the one that is written.
fn warn_of_idle(args: &ConvertArgs, kind: Target<'_>, target: &Path, ctx: &Ctx) {
    let header = args.metadata() != Ok(Metadata::default()) || args.fix_min_version;
    let options = [
        ("--view", args.view.is_some() && !matches!(kind, Target::Tensors(_)), "is no file of tensors"),
        ("--onnx-type", (args.numbers.is_some() || args.half) && kind != Target::Onnx, "is no ONNX model"),
        ("what is said of the header", header && kind == Target::Onnx, "has nothing of it"),
    ];
    for (option, _, why) in options.into_iter().filter(|(_, is_idle, _)| *is_idle) {
        let option = if option.starts_with('-') { format!("`{option}`") } else { option.to_owned() };
        ctx.warn(format!("{option} has no effect: `{}` {why}", target.display()));
    }
}

fn read(path: &Path, bytes: &Bytes, args: &ConvertArgs, ctx: &Ctx) -> Result<Net> {
    let named = |error: Error| error.context(format!("cannot read `{}`", path.display()));
    let net = args.find.open(bytes, args.decode(), args.changed(), ctx).map_err(named)?;
    if args.changes_layers() {
        net.check_decodable(args.decode()).map_err(named)?;
    }
    Ok(net)
}

/// Another network of `--blend` or `--graft`.
fn read_other(path: &Path, args: &ConvertArgs, ctx: &Ctx) -> Result<Net> {
    let named = |error: Error| error.context(format!("cannot read `{}`", path.display()));
    let net = open(&Bytes::map(path)?, args.decode(), args.changed(), ctx).map_err(named)?;
    net.check_decodable(args.decode()).map_err(named)?;
    Ok(net)
}

/// The way of a network through a build, in the same order.
fn edit(net: &mut Net, args: &ConvertArgs, target: Target<'_>, ctx: &Ctx) -> Result<()> {
    let decode = args.decode();
    if !args.blend.is_empty() {
        let others = args.blend.iter().map(|path| read_other(path, args, ctx)).collect::<Result<Vec<_>>>()?;
        let shares = if args.shares.is_empty() { vec![1.0; others.len() + 1] } else { args.shares.clone() };
        if shares.len() != others.len() + 1 {
            return Err(Error::usage(format!("there are {} shares for {} networks", shares.len(), others.len() + 1))
                .help("`--shares` has one for the source, then one for each of `--blend`"));
        }
        let nets = std::iter::once(&*net).chain(&others).zip(shares);
        *net = blend(&nets.collect::<Vec<_>>(), args.encoding, decode, ctx)?;
    }
    let mut grafts: Vec<&(String, PathBuf)> = args.graft.iter().collect();
    grafts.sort();
    for (part, path) in grafts {
        net.graft(&read_other(path, args, ctx)?, part)?;
    }
    // An ONNX model has one head of each kind; choosing it leaves the net as it is.
    let heads = args.heads();
    if target != Target::Onnx && heads != Heads::default() {
        keep_heads(net, &heads)?;
    }
    if args.fold {
        net.fold(args.encoding, decode, ctx)?;
    }
    if let Some(encoding) = args.encoding {
        net.encode(encoding, decode, ctx)?;
    }
    let metadata = args.metadata().map_err(|name| {
        let known = crate::family::lc0::schema::TRAINING_PARAMS.fields.iter().map(|field| field.name);
        Error::usage(format!("`{name}` is not a training parameter")).help(format!("known are {}", known.collect::<Vec<_>>().join(", ")))
    })?;
    edit_header(net, &metadata)?;
    if args.fix_min_version {
        net.raise_min_version();
    }
    Ok(())
}

/// How two files of lc0's compare; `None` where none of them is one.
///
/// # Errors
/// When only one is, or one is damaged.
pub(super) fn compare(a: &Path, b: &Path, ctx: &Ctx) -> Result<Option<Comparison>> {
    let (bytes_a, bytes_b) = (Bytes::map(a)?, Bytes::map(b)?);
    let other = match (Form::of(&bytes_a), Form::of(&bytes_b)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(a),
        (Some(_), None) => Some(b),
    };
    if let Some(path) = other {
        return Err(Error::new("a network of lc0 can only be compared with another one").because(format!("`{}` is none", path.display())));
    }
    let decode = Decode::default();
    let read = |path: &Path, bytes: &Bytes| {
        open(bytes, decode, None, ctx).map_err(|error| error.context(format!("cannot read `{}`", path.display())))
    };
    let (net_a, net_b) = (read(a, &bytes_a)?, read(b, &bytes_b)?);
    if bytes_a[..] == bytes_b[..] {
        return Ok(Some(Comparison::new(Relation::IdenticalBytes, Vec::new())));
    }
    let found = diff(&net_a, &net_b, decode, ctx)?;
    Ok(Some(comparison(found)))
}

fn comparison(found: NetDiff) -> Comparison {
    let relation = if found.same_values() { Relation::IdenticalWeights } else { Relation::Different };
    let absent = || "absent".to_owned();
    let header = found.header.into_iter().map(|field| Difference {
        what: field.field,
        a: field.a.unwrap_or_else(absent),
        b: field.b.unwrap_or_else(absent),
    });
    let mut differences: Vec<Difference> = header.collect();
    differences.extend(found.only_in_a.into_iter().map(|what| Difference { what, a: "a layer".to_owned(), b: absent() }));
    differences.extend(found.only_in_b.into_iter().map(|what| Difference { what, a: absent(), b: "a layer".to_owned() }));
    let mut tensors = Vec::new();
    for layer in found.layers {
        if let Some([a, b]) = layer.encodings {
            differences.push(Difference { what: format!("encoding of {}", layer.layer), a, b });
        }
        let [a, b] = layer.elements;
        if a != b {
            differences.push(Difference { what: format!("elements of {}", layer.layer), a: a.to_string(), b: b.to_string() });
        } else if layer.differing > 0 {
            tensors.push(TensorDifference::of_floats(layer.layer, a, layer.differing, layer.max_abs, layer.rms, layer.max_ulp));
        }
    }
    Comparison::new(relation, differences).with_tensors(tensors)
}

/// `inspect`, where the file is lc0's; `None` where it is not.
pub(super) fn inspect(path: &Path, bytes: &Bytes, find: &FindArgs, as_json: bool, global: &Global) -> Result<Option<Exit>> {
    let Some(form) = find.form(bytes) else { return Ok(None) };
    let ctx = global.ctx(Backend::Cpu);
    // lc0 refuses text nets: what is shown is its reason.
    let read = || match form {
        Form::Tensors => open(bytes, Decode::default(), None, &ctx),
        Form::Weights | Form::Text => Net::read_with_digest(bytes, find.embedded),
    };
    let (net, sha256) = rayon::join(read, || Sha256::of(bytes));
    let fault = |error: Error| match form {
        Form::Weights => error.context(format!("lc0 refuses `{}`", path.display())),
        Form::Text => match open(bytes, Decode::default(), None, &ctx) {
            Ok(_) => {
                error.because("it is a text net, which lc0 no longer reads").help("make a weight file of it: `nnue convert TEXT NET.pb.gz`")
            }
            Err(error) => error,
        }
        .context(format!("lc0 refuses `{}`", path.display())),
        Form::Tensors => error.context(format!("cannot read `{}`", path.display())),
    };
    let mut report = head(bytes, &sha256);
    let net = match net {
        Ok(net) => net,
        Err(error) => {
            if as_json {
                report["notes"] = json!([error.to_string()]);
                global.print_json(&report)?;
            }
            return Err(fault(error));
        }
    };
    let content = net.protobuf_sha256().map(|sha256| sha256.to_string());
    let mut description = net.describe(Decode::default());
    if form == Form::Tensors {
        // No release reads the file; of the weight file that it becomes, the faults are those of the network.
        description.releases.clear();
    }
    // Most files of such names are named for what is inside.
    if claimed(path) != content
        && let Some(error) = misnamed(path, &sha256, &ctx)
    {
        description.notes.push(error.to_string());
    }
    if as_json {
        report["description"] = json!(description.license);
        report["version"] = json!(description.min_version);
        report["tensors"] = tensors(&net)?;
        report["notes"] = json!(description.notes.iter().chain(description.findings.iter().map(|found| &found.what)).collect::<Vec<_>>());
        report["lc0"] = json!({"protobuf_sha256": content, "net": description});
        global.print_json(&report)?;
    } else {
        global.print(&text(path, bytes.len(), &sha256, content, &description))?;
    }
    Ok(Some(Exit::Done))
}

/// The page of `show`; `None` where no file is one of lc0's.
///
/// # Errors
/// For several files, and when the network cannot be read or has no layers.
pub(super) fn page(files: &[PathBuf], label: Option<&str>, ctx: &Ctx) -> Result<Option<Page>> {
    let mut mapped = Vec::with_capacity(files.len());
    for path in files {
        let bytes = Bytes::map(path)?;
        let is_own = Form::of(&bytes).is_some();
        mapped.push((path, bytes, is_own));
    }
    let Some((path, bytes, _)) = mapped.iter().find(|(_, _, is_own)| *is_own) else { return Ok(None) };
    if files.len() > 1 {
        return Err(Error::usage("networks of lc0 are shown one at a time")
            .because(format!("`{}` is one", path.display()))
            .help("`nnue diff` compares two of them"));
    }
    let decode = Decode::default();
    let named = |error: Error| error.context(format!("cannot show `{}`", path.display()));
    let net = open(bytes, decode, None, ctx).map_err(named)?;
    warn_of_findings(&net, decode, ctx);
    let label = label.map_or_else(|| path.file_name().unwrap_or_default().to_string_lossy().into_owned(), str::to_owned);
    let description = net.describe(decode);
    let rows = facts(bytes.len(), &Sha256::of(bytes), net.protobuf_sha256().map(|sha256| sha256.to_string()), &description);
    let cells = rows.into_iter().map(|(key, value)| vec![Cell::Text(key), Cell::Text(value)]);
    let plain =
        |heads: &[&str], rows| Table { heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows, sortable: false, folded: None };
    let parts = description.parts.iter().map(|part| {
        let number = |number: u64| Cell::Number(number as f64, grouped(number));
        vec![
            Cell::Text(part.kind.to_owned()),
            Cell::Code(shown(&part.name)),
            Cell::Text(part.form.to_owned()),
            number(part.layers),
            number(part.parameters),
            Cell::Text(sizes_of(part)),
        ]
    });
    let summary = Section::new("summary", "Summary")
        .table(plain(&[], cells.collect()))
        .table(plain(&["part", "name", "form", "layers", "parameters", "sizes"], parts.collect()));
    let sizes: Vec<String> = description.body.iter().map(|size| format!("{} {}", size.name, size.value)).collect();
    let mut sections = vec![summary];
    sections.extend(sections_of(&net, &label, decode, ctx).map_err(named)?);
    Ok(Some(Page { title: label, subtitle: format!("lc0, {}", sizes.join(", ")), sections, detail: None }))
}

/// The keys that every report has.
fn head(bytes: &Bytes, sha256: &Sha256) -> Value {
    json!({"schema": 1, "format": "lc0", "bytes": bytes.len(), "sha256": sha256.to_string(), "version": null, "hash": null,
        "architecture": null, "candidates": null, "features": null, "l1": null, "l2": null, "l3": null, "buckets": null,
        "compression": null, "description": null, "tensors": null, "notes": []})
}

fn tensors(net: &Net) -> Result<Value> {
    let (decode, mut rows) = (Decode::default(), Vec::new());
    let shapes = net.shapes(decode);
    for tensor in net.tensors(View::Raw, decode)?.tensors {
        let Some(layer) = tensor.layer() else { continue };
        let range = (tensor.len > 0 && layer.encoding()? == Encoding::Linear16).then(|| (layer.min(), layer.max()));
        let shape = shapes.get(&tensor.source).cloned().unwrap_or_else(|| vec![tensor.len]);
        rows.push(json!({"name": tensor.name, "dtype": layer.encoding()?.name(), "shape": shape, "min": range.map(|range| range.0),
            "max": range.map(|range| range.1), "offset": null, "bytes": layer.params().len()}));
    }
    Ok(Value::Array(rows))
}

fn shown(text: &str) -> String {
    crate::shown::line(text).into_owned()
}

fn text(path: &Path, bytes: usize, sha256: &Sha256, content: Option<String>, net: &Description) -> String {
    let rows = facts(bytes, sha256, content, net);
    let lines = rows.iter().map(|(key, value)| format!("  {key:<24}{value}\n"));
    format!("{}\n{}\n{}", path.display(), lines.collect::<String>(), heads(net))
}

/// What a net is, line by line.
fn facts(bytes: usize, sha256: &Sha256, content: Option<String>, net: &Description) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: String| rows.push((key.to_owned(), shown(&value)));
    add(
        "format",
        net.wrapping.map_or_else(|| "lc0 network, not as a weight file".to_owned(), |wrapping| format!("lc0 weights, {wrapping}")),
    );
    add("bytes", bytes.to_string());
    add("sha256", sha256.to_string());
    add(
        "protobuf",
        content.map_or(format!("{} bytes", net.protobuf_bytes), |sha256| format!("{} bytes, sha256 {sha256}", net.protobuf_bytes)),
    );
    add("min_version", format!("{} (the content needs {})", net.min_version, net.needed_version));
    net.license.iter().for_each(|license| add("license", license.clone()));
    net.weights_encoding.iter().for_each(|encoding| add("weights_encoding", encoding.clone()));
    for entry in net.format.iter().chain(&net.training).chain(&net.onnx) {
        add(&entry.name, entry.value.clone());
    }
    net.onnx_model.iter().for_each(|entry| add(&format!("model {}", entry.name), entry.value.clone()));
    for change in &net.fixup {
        add("fix-up", format!("{}: {} becomes {}", change.field, change.from.as_deref().unwrap_or("absent"), change.to));
    }
    for size in &net.body {
        add(&size.name, size.value.to_string());
    }
    let counts: Vec<String> = net.encodings.iter().map(|count| format!("{} {}", count.value, count.name)).collect();
    add("layers", counts.join(", "));
    add("parameters", net.parameters.to_string());
    for release in &net.releases {
        add(&format!("lc0 {}", release.lc0), release.words());
    }
    net.notes.iter().for_each(|note| add("note", note.clone()));
    net.findings.iter().for_each(|found| add(&format!("fault ({})", found.kind), found.what.clone()));
    rows
}

/// The sizes of a head, and what follows its layers.
fn sizes_of(part: &Part) -> String {
    let sizes = part.sizes.iter().map(|size| format!("{} {}", size.name, size.value));
    sizes.chain(part.activations.iter().map(|entry| format!("{} {}", entry.name, entry.value))).collect::<Vec<_>>().join(", ")
}

/// A row a head.
fn heads(net: &Description) -> String {
    let mut table = format!("  {:<12}{:<18}{:<22}{:>7}{:>12}  {:<24}sizes\n", "part", "name", "form", "layers", "parameters", "range");
    for part in &net.parts {
        let sizes = sizes_of(part);
        let range = part.min.zip(part.max).map_or_else(String::new, |(min, max)| format!("{min:.4} to {max:.4}"));
        let name = shown(&part.name);
        let used = if part.used { "" } else { " (lc0 does not read it)" };
        let line =
            format!("  {:<12}{name:<18}{:<22}{:>7}{:>12}  {range:<24}{}{used}", part.kind, part.form, part.layers, part.parameters, sizes);
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}
