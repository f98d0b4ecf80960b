//! lc0's networks on the command line: what `convert` and `inspect` do when a file, a target or an option is about one.

use std::path::Path;

use serde_json::{Value, json};

use super::output::{Place, check_folder_of, write_file};
use super::{Exit, Global};
use crate::ctx::{Backend, Ctx};
use crate::error::{Error, Result};
use crate::family::lc0::{
    Decode, Description, Encoding, Net, OnnxOptions, Sniffed, TensorFile, View, is_lc0_tensors, read_tensors, read_text, sniff, write_onnx,
    write_tensors,
};
use crate::files::Bytes;
use crate::files::Sha256;
use crate::format::sources::{FileKind, identify};

/// Options of `convert` for lc0's networks.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Networks of lc0 (.pb, .pb.gz, .onnx)")]
pub(crate) struct ConvertArgs {
    /// Which tensors a .safetensors or .npz file gets: raw, legacy or multi [default: raw]
    #[arg(long, value_name = "VIEW", value_parser = parse_view)]
    view: Option<View>,
    /// How stored numbers become floats: lc0-0.33 or lc0-0.32 [default: lc0-0.33]
    #[arg(long, value_name = "FORMULA", value_parser = parse_decode)]
    decode: Option<Decode>,
    /// Store layers as linear16, float16, bfloat16 or float32
    #[arg(long = "layer-encoding", value_name = "NAME", value_parser = parse_encoding)]
    encoding: Option<Encoding>,
    /// Fold batch norms into their convolutions
    #[arg(long = "fold-batch-norms")]
    fold: bool,
    /// Keep these policy heads only; the first is the one that .onnx gets
    #[arg(long = "policy-heads", value_name = "NAME", value_delimiter = ',')]
    policy_heads: Vec<String>,
    /// Keep these value heads only; the first is the one that .onnx gets
    #[arg(long = "value-heads", value_name = "NAME", value_delimiter = ',')]
    value_heads: Vec<String>,
    /// Write a .onnx file in half precision
    #[arg(long = "onnx-float16")]
    half: bool,
    /// Raise the version in the header to what the content needs
    #[arg(long = "fix-min-version")]
    fix_min_version: bool,
}

fn parse_view(text: &str) -> Result<View, String> {
    View::of_name(text).ok_or_else(|| format!("known are {}", View::ALL.map(View::name).join(", ")))
}

fn parse_decode(text: &str) -> Result<Decode, String> {
    Decode::of_name(text).ok_or_else(|| format!("known are {}", Decode::ALL.map(Decode::name).join(", ")))
}

fn parse_encoding(text: &str) -> Result<Encoding, String> {
    Encoding::of_name(text).ok_or_else(|| format!("known are {}", Encoding::ALL.map(Encoding::name).join(", ")))
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Protobuf,
    Gzip,
    Onnx,
    Tensors(TensorFile),
}

impl Target {
    fn of(path: &Path) -> Option<Self> {
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
}

impl ConvertArgs {
    fn is_given(&self) -> bool {
        let lists = !self.policy_heads.is_empty() || !self.value_heads.is_empty();
        self.view.is_some() || self.decode.is_some() || self.encoding.is_some() || self.fold || self.half || self.fix_min_version || lists
    }
}

/// `convert`, where the source, the target or an option is lc0's; `None` where nothing is.
pub(super) fn convert(source: &Path, target: &Path, args: &ConvertArgs, as_json: bool, global: &Global) -> Result<Option<Exit>> {
    let kind = Target::of(target);
    let own_target = matches!(kind, Some(Target::Protobuf | Target::Gzip | Target::Onnx));
    if !own_target && !args.is_given() && (!source.is_file() || kind_of(&Bytes::map(source)?).is_none()) {
        return Ok(None);
    }
    let kind = kind.ok_or_else(|| {
        Error::usage(format!("`{}` has no ending that a network of lc0 can be written as", target.display()))
            .help("possible are `.pb`, `.pb.gz`, `.safetensors`, `.npz` and `.onnx`")
    })?;
    let ctx = global.ctx(Backend::Cpu);
    check_folder_of(target)?;
    let decode = args.decode.unwrap_or_default();
    let bytes = Bytes::map(source)?;
    let mut net = read(&bytes, decode, &ctx).map_err(|error| error.context(format!("cannot read `{}`", source.display())))?;
    for note in net.notes() {
        ctx.warn(format!("`{}`: {note}", source.display()));
    }
    edit(&mut net, args, kind, decode, &ctx)?;
    warn(&net, decode, &ctx);
    let written = write_file(Place::File(target), &ctx, |out| match kind {
        Target::Protobuf => net.write_pb(out),
        Target::Gzip => net.write_gz(out),
        Target::Onnx => {
            let first = |names: &[String], default: &str| names.first().map_or(default, String::as_str).to_owned();
            let (policy, value) = (first(&args.policy_heads, "vanilla"), first(&args.value_heads, "winner"));
            write_onnx(out, &net, &OnnxOptions { policy_head: policy, value_head: value, half: args.half }, decode, &ctx)
        }
        Target::Tensors(file) => write_tensors(out, &net, args.view.unwrap_or_default(), decode, file, &ctx),
    })?;
    if as_json {
        let output = json!({"path": written.path.to_string_lossy(), "sha256": written.sha256, "bytes": written.bytes});
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

/// What a file of lc0's is.
enum Kind {
    Net,
    Text,
    Tensors,
}

fn kind_of(bytes: &Bytes) -> Option<Kind> {
    match identify(bytes) {
        FileKind::Safetensors | FileKind::Npz => is_lc0_tensors(bytes).then_some(Kind::Tensors),
        FileKind::Nnue | FileKind::TorchLegacy | FileKind::Npy | FileKind::Binpack => None,
        _ => match sniff(bytes)? {
            Sniffed::Net | Sniffed::Engine => Some(Kind::Net),
            Sniffed::Text => Some(Kind::Text),
        },
    }
}

fn read(bytes: &Bytes, decode: Decode, ctx: &Ctx) -> Result<Net> {
    match kind_of(bytes) {
        Some(Kind::Tensors) => read_tensors(bytes, ctx),
        Some(Kind::Text) => match Net::read_for(bytes, decode) {
            // lc0 refuses every text net; what is a whole one is read all the same.
            Err(refusal) => read_text(bytes).map_err(|error| refusal.because(error)),
            good => good,
        },
        _ => Net::read_for(bytes, decode),
    }
}

fn edit(net: &mut Net, args: &ConvertArgs, target: Target, decode: Decode, ctx: &Ctx) -> Result<()> {
    // An ONNX model has one head of each kind; choosing it leaves the net as it is.
    if target != Target::Onnx && !(args.policy_heads.is_empty() && args.value_heads.is_empty()) {
        let policy: Vec<&str> = args.policy_heads.iter().map(String::as_str).collect();
        let value: Vec<&str> = args.value_heads.iter().map(String::as_str).collect();
        net.keep_heads((!policy.is_empty()).then_some(&policy[..]), (!value.is_empty()).then_some(&value[..]))?;
    }
    if args.fold {
        net.fold(args.encoding, decode, ctx)?;
    }
    if let Some(encoding) = args.encoding {
        net.encode(encoding, decode, ctx)?;
    }
    if args.fix_min_version {
        net.raise_min_version();
    }
    Ok(())
}

/// Most faults that are told one by one.
const SHOWN: usize = 5;

fn warn(net: &Net, decode: Decode, ctx: &Ctx) {
    let findings = net.findings(decode);
    for finding in findings.iter().take(SHOWN) {
        ctx.warn(&finding.what);
    }
    if findings.len() > SHOWN {
        ctx.warn(format!("{} more of the kind; `nnue inspect` shows all", findings.len() - SHOWN));
    }
}

/// `inspect`, where the file is lc0's; `None` where it is not.
pub(super) fn inspect(path: &Path, bytes: &Bytes, as_json: bool, global: &Global) -> Result<Option<Exit>> {
    let Some(kind) = kind_of(bytes) else { return Ok(None) };
    let ctx = global.ctx(Backend::Cpu);
    let net = match kind {
        Kind::Tensors => return Ok(None),
        Kind::Net => Net::read(bytes),
        Kind::Text => Net::read(bytes).and_then(|_| read(bytes, Decode::default(), &ctx)),
    };
    let fault = |error: Error| error.context(format!("lc0 refuses `{}`", path.display()));
    let mut report = head(bytes);
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
    let description = net.describe(Decode::default());
    let content = net.protobuf().map(|protobuf| Sha256::of(protobuf).to_string());
    if as_json {
        report["description"] = json!(description.license);
        report["version"] = json!(description.min_version);
        report["tensors"] = tensors(&net)?;
        report["notes"] = json!(description.notes.iter().chain(description.findings.iter().map(|found| &found.what)).collect::<Vec<_>>());
        report["lc0"] = json!({"protobuf_sha256": content, "net": description});
        global.print_json(&report)?;
    } else {
        global.print(&text(path, bytes, content, &description))?;
    }
    Ok(Some(Exit::Done))
}

/// The keys that every report has.
fn head(bytes: &Bytes) -> Value {
    json!({"schema": 1, "format": "lc0", "bytes": bytes.len(), "sha256": Sha256::of(bytes).to_string(), "version": null, "hash": null,
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

fn text(path: &Path, bytes: &Bytes, content: Option<String>, net: &Description) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut add = |key: &str, value: String| rows.push((key.to_owned(), shown(&value)));
    add("format", format!("lc0 weights, {}", net.wrapping.unwrap_or("made")));
    add("bytes", bytes.len().to_string());
    add("sha256", Sha256::of(bytes).to_string());
    add("protobuf", format!("{} bytes, sha256 {}", net.protobuf_bytes, content.unwrap_or_default()));
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
        let verdict = match (&release.refusal, &release.wrong) {
            (Some(words), _) => format!("refuses it: {words}"),
            (None, Some(wrong)) => format!("loads it wrongly: {wrong}"),
            _ => "loads it".to_owned(),
        };
        add(&format!("lc0 {}", release.lc0), verdict);
    }
    net.notes.iter().for_each(|note| add("note", note.clone()));
    net.findings.iter().for_each(|found| add(&format!("fault ({})", found.kind), found.what.clone()));
    let lines = rows.iter().map(|(key, value)| format!("  {key:<24}{value}\n"));
    format!("{}\n{}\n{}", path.display(), lines.collect::<String>(), heads(net))
}

/// A row a head.
fn heads(net: &Description) -> String {
    let mut table = format!("  {:<12}{:<18}{:<22}{:>7}{:>12}  {:<24}sizes\n", "part", "name", "form", "layers", "parameters", "range");
    for part in &net.parts {
        let sizes: Vec<String> = part.sizes.iter().map(|size| format!("{} {}", size.name, size.value)).collect();
        let range = part.min.zip(part.max).map_or_else(String::new, |(min, max)| format!("{min:.4} to {max:.4}"));
        let name = shown(&part.name);
        let used = if part.used { "" } else { " (lc0 does not read it)" };
        let line = format!(
            "  {:<12}{name:<18}{:<22}{:>7}{:>12}  {range:<24}{}{used}",
            part.kind,
            part.form,
            part.layers,
            part.parameters,
            sizes.join(", ")
        );
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}
