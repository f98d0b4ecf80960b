//! Every key of a manifest, once: where it stands, its type, range and default, and what it is for.
//!
//! The parser takes known keys, ranges and examples from here, the JSON schema and the reference are made of it. Says nothing of how a
//! value is read or what it is used for.

use crate::{
    net::{Generation, Quantization},
    positions::{DEFAULT_POSITIONS, FILTERS, Filter, FilterKind, Filters},
    words::{
        Algorithm, Allow, CompressionChoice, Decode, FilterSet, LayerEncoding, OnnxType, Overflow, PieceWeights, Publish, RemoteMode,
        RemoteStage, View, Word,
    },
};

/// The manifest version that this program reads.
pub(super) const VERSION: u64 = 1;

/// Where a remote cache may be.
pub(super) const REMOTE_SCHEMES: [&str; 7] = ["https", "http", "s3", "gs", "az", "grpcs", "grpc"];

/// Where a cluster may be.
pub(super) const CLUSTER_SCHEMES: [&str; 2] = ["grpcs", "grpc"];
/// How many actions are under way on a cluster where nothing is said of it.
pub(super) const DEFAULT_JOBS: usize = 64;

/// A key that a table may hold.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub name: &'static str,
    /// What it is for, as one sentence without a period.
    pub about: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// What holds where it is left out, as users read it; empty: nothing does.
    pub default: &'static str,
    /// `[defaults]` may have it, if it is a net's.
    pub in_defaults: bool,
    /// `false` turns off what `[defaults]` says of it.
    pub can_be_off: bool,
}

/// Whether a key may be left out. Where not: a line that has it, to be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Optional,
    Required(&'static str),
    /// Either this or another key of the same table.
    RequiredUnless(&'static str, &'static str),
    /// Either in the table itself or in the same place of `[defaults]`.
    HereOrInDefaults(&'static str),
}

/// What a key's value is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A text, also an empty one.
    Text,
    /// A text that says something.
    Words,
    Path,
    Paths,
    /// A text that says something, or several.
    Names,
    /// A text, or `false` to take away what is there.
    TextOrNone,
    /// Three numbers with dots.
    Version,
    /// Several numbers of at most so much by magnitude.
    Numbers(f64),
    /// Sources, by names of the user's.
    Sources,
    Sha256,
    Sha256s,
    Boolean,
    /// An integer in a range.
    Integer {
        min: i128,
        max: i128,
        /// It must be even, for this reason.
        even: Option<&'static str>,
    },
    /// A number of at most so much by magnitude.
    Number(f64),
    /// A number from 0 to so much.
    Limit(f64),
    /// One of the names that the function gives.
    Choice(fn() -> Choices),
    /// [`Kind::Choice`] of generations, whatever the case.
    Architecture(fn() -> Choices),
    /// Names of feature blocks, joined by `+`.
    Features,
    /// The address of a remote cache.
    Url,
    /// The address of a cluster.
    Cluster,
    /// A number with its unit of time.
    Duration,
    /// Texts, by names of the user's.
    Texts,
    /// One of the names that the function gives, or several.
    Choices(fn() -> Choices),
    /// The name of a source, a path, or a table with a glob.
    Source(&'static Table),
    /// A table with fixed keys.
    Table(&'static Table),
    /// A table with fixed keys, or one of the names for what it may hold.
    NamedTable(&'static Table, fn() -> Choices),
    /// Tables that users name.
    Named(&'static Table),
    /// Lists that users name.
    Axes,
    /// Tables that users name, whose keys are those of architecture files.
    Architectures,
    /// Paths, or tables of paths by layout.
    Outputs,
}

/// The values of a [`Word`].
pub(super) struct Choices {
    /// The name of their type.
    pub name: &'static str,
    /// Name and meaning of each.
    pub words: Vec<(&'static str, &'static str)>,
}

fn choices<W: Word>() -> Choices {
    let path = std::any::type_name::<W>();
    let words = W::all().into_iter().map(|word| (word.name(), word.about())).collect();
    let name = path.rsplit("::").next().unwrap_or(path);
    Choices { name: name.strip_suffix("Choice").unwrap_or(name), words }
}

/// A table of a manifest.
pub(super) struct Table {
    /// Its name in the schema; empty for the whole file.
    pub name: &'static str,
    /// As its header is written.
    pub header: &'static str,
    /// What it is for, as one sentence without a period.
    pub about: &'static str,
    rows: &'static [&'static [Key]],
    /// Of the rows those alone that `[defaults]` may have.
    only_in_defaults: bool,
    /// It lies in a net, where an axis of `[matrix]` may give any value.
    pub in_net: bool,
}

impl Table {
    const fn new(name: &'static str, header: &'static str, about: &'static str, rows: &'static [&'static [Key]]) -> Self {
        Self { name, header, about, rows, only_in_defaults: false, in_net: false }
    }

    const fn of_net(self) -> Self {
        Self { in_net: true, ..self }
    }

    /// The keys in the order in which they are listed.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        let all = !self.only_in_defaults;
        self.rows.iter().flat_map(|rows| rows.iter()).filter(move |key| all || key.in_defaults)
    }

    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// Whether a value of the key may be `"{axis}"`: the types of texts hold that already, and tables cannot be values of an axis.
    pub fn takes_axis(&self, key: &Key) -> bool {
        let typed = matches!(key.kind, Kind::Boolean | Kind::Integer { .. } | Kind::Number(_) | Kind::Limit(_) | Kind::Choice(_));
        self.in_net && typed
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, about, kind, need: Need::Optional, default: "", in_defaults: true, can_be_off: false }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    const fn required(self, example: &'static str) -> Self {
        Self { need: Need::Required(example), ..self }
    }

    const fn required_unless(self, other: &'static str, example: &'static str) -> Self {
        Self { need: Need::RequiredUnless(other, example), ..self }
    }

    const fn required_unless_default(self, example: &'static str) -> Self {
        Self { need: Need::HereOrInDefaults(example), ..self }
    }

    const fn not_in_defaults(self) -> Self {
        Self { in_defaults: false, ..self }
    }

    const fn or_off(self) -> Self {
        Self { can_be_off: true, ..self }
    }

    const fn of_filter(filter: &Filter) -> Self {
        let kind = match filter.kind {
            FilterKind::Flag => Kind::Boolean,
            FilterKind::Whole { min, max } => integer(min as i128, max as i128),
            FilterKind::Number => Kind::Number(Filters::MAX_WEIGHT),
            FilterKind::PieceWeights => Kind::Choice(choices::<PieceWeights>),
        };
        Self::new(filter.name, kind, filter.about).default(filter.default)
    }
}

const fn integer(min: i128, max: i128) -> Kind {
    Kind::Integer { min, max, even: None }
}

const L1: Kind = Kind::Integer { min: 2, max: 65536, even: Some("the neurons of the feature transformer are multiplied in pairs") };

/// The largest integer that every TOML tool reads.
const LARGEST: i128 = i64::MAX as i128;

/// The whole file.
pub(super) static ROOT: Table = Table::new(
    "",
    "",
    "Manifest of `nnue`: which networks to build, from what, to where",
    &[&[
        Key::new("version", integer(VERSION as i128, VERSION as i128), "Version of this format; it is 1").required("version = 1"),
        Key::new("source", Kind::Named(&SOURCE), "Networks to start from, by name"),
        Key::new("data", Kind::Named(&DATA), "Training positions, by name"),
        Key::new(
            "architecture",
            Kind::Architectures,
            "Networks of other engines by name, described as [architecture files](described.md) do; `like` names one that ships, which \
             the rest of the table changes",
        ),
        Key::new(
            "net",
            Kind::Named(&NET),
            "Networks to build, by name; a name with `{stem}`, `{parent}`, `{parent.2}`, `{epoch}`, `{step}`, or `{1}` or a name for a wildcard, is a sweep over files",
        ),
        Key::new("defaults", Kind::Table(&DEFAULTS), "What every net takes where it does not say otherwise"),
        Key::new(
            "matrix",
            Kind::Axes,
            "Axes by name: a net with `{axis}` in its name is built for each value, with the value filled in wherever `{axis}` stands",
        ),
        Key::new("report", Kind::Path, "An HTML page about builds of all nets, with a folder of pictures beside it"),
        Key::new("watch", Kind::Table(&WATCH), "What `nnue watch` does besides building"),
        Key::new("cache", Kind::Table(&CACHE), "Where results are kept besides the local cache"),
        Key::new("remote", Kind::Table(&CLUSTER), "A cluster that runs expensive stages"),
    ]],
);

/// Whether the tables below a key of the top level are named by the user.
pub(super) fn is_named(key: &str) -> bool {
    ROOT.key(key).is_some_and(|key| matches!(key.kind, Kind::Named(_) | Kind::Architectures))
}

/// The tables in the order of the reference.
pub(super) static TABLES: [&Table; 17] = [
    &ROOT, &SOURCE, &DATA, &NET, &GLOB, &OPTIMIZE, &FILTER, &PROVE, &ENGINE, &BLEND, &HEADS, &METADATA, &DEFAULTS, &WATCH, &CACHE, &REMOTE,
    &CLUSTER,
];

pub(super) static SOURCE: Table = Table::new(
    "source",
    "[source.NAME]",
    "A network to start from. What the file tells is inferred; what stands here is an assertion",
    &[
        &[
            Key::new(
                "path",
                Kind::Path,
                "A `.ckpt`, `.pt`, `.safetensors` or `.nnue` file, a weight file of lc0 or an engine, relative to the manifest; \
                 `<autodiscover>`: the network that lc0 takes when none is named",
            )
            .required_unless("embedded", "path = \"runs/epoch=799.ckpt\""),
            Key::new("embedded", Kind::Path, "In place of `path`: an lc0 with a network at its end, its `<built in>`"),
            Key::new("engine", Kind::Path, "Of `<autodiscover>`: the lc0 whose folder is searched first")
                .default("`lc0` beside the manifest"),
        ],
        &CLAIMS,
        &[Key::new("sha256", Kind::Sha256, "Pin: the file must have this SHA-256")],
    ],
);

/// What a source and a glob say of files.
static CLAIMS: [Key; 10] = [
    Key::new("features", Kind::Features, "Feature blocks joined by `+`, such as `Full_Threats+HalfKAv2_hm^`"),
    Key::new("l1", L1, "Outputs of the feature transformer per perspective, even"),
    Key::new("l2", integer(1, 65536), "Size of the second layer"),
    Key::new("l3", integer(1, 65536), "Size of the third layer"),
    Key::new(
        "architecture",
        Kind::Architecture(choices::<&'static Generation>),
        "Generation of the network, such as `SFNNv14`, in upper or lower case; only needed where shapes leave it open. For another \
         engine's network: an architecture that ships, such as `plentychess`, an `[architecture.NAME]` table, or an architecture file",
    ),
    Key::new(
        "layout",
        Kind::Words,
        "Layout of a described architecture that the file is in; only needed where it is not the one that the outputs are made from, \
         or where the file fits several",
    ),
    Key::new(
        "quantization",
        Kind::Choice(choices::<&'static Quantization>),
        "Scales of the integers; only needed where the file leaves them open",
    ),
    Key::new(
        "state_dict",
        Kind::Text,
        "Which dict of tensors is meant in a checkpoint with several, such as `ema` or `ema/module`: its keys, joined by `/`",
    ),
    Key::new("decode", Kind::Choice(choices::<Decode>), "Of networks of lc0: how 16-bit codes become floats").default("lc0-0.33"),
    Key::new("overflow", Kind::Choice(choices::<Overflow>), "What to do with weights that are out of range").default("error"),
];

pub(super) static DATA: Table = Table::new(
    "data",
    "[data.NAME]",
    "Training positions",
    &[&[
        Key::new("path", Kind::Paths, "A file or several, relative to the manifest; several are one stream in this order")
            .required("path = \"data/positions.binpack\""),
        Key::new("sha256", Kind::Sha256s, "Pins: one SHA-256 per file"),
    ]],
);

pub(super) static NET: Table = Table::new("net", "[net.NAME]", "A network to build", &[&NET_KEYS]).of_net();

pub(super) static DEFAULTS: Table = Table {
    only_in_defaults: true,
    ..Table::new(
        "defaults",
        "[defaults]",
        "What every net takes where it does not say otherwise; tables key by key. A net with `permutation` takes no `optimize` from here, \
         and the other way round",
        &[&NET_KEYS],
    )
    .of_net()
};

static NET_KEYS: [Key; 20] = [
    Key::new(
        "source",
        Kind::Source(&GLOB),
        "The name of a `source` table, the path of a file, `net:NAME` for the first output of another net, or a glob",
    )
    .required("source = \"runs/epoch=799.ckpt\"")
    .not_in_defaults(),
    Key::new("description", Kind::Text, "Text for the file's header; without it, the source's own stays"),
    Key::new("compression", Kind::Choice(choices::<CompressionChoice>), "Packing of `.nnue` outputs").default("auto"),
    Key::new(
        "outputs",
        Kind::Outputs,
        "Where to write: a folder (ends with `/`; gets `nn-<sha256>.nnue`, of lc0 `<sha256 of the protobuf>.pb.gz`), or a `.nnue`, `.pt`, \
         `.safetensors` or `.npz` file; of lc0 a `.pb.gz`, `.pb`, `.safetensors`, `.npz` or `.onnx` file, or a program (`into`). For a \
         described architecture a table of files by layout: `{ published = \"net.bin\" }`",
    )
    .required_unless_default("outputs = [\"dist/\"]"),
    Key::new("permutation", Kind::Path, "A known permutation (`.npy`) to apply; excludes `optimize`").or_off(),
    Key::new("optimize", Kind::Table(&OPTIMIZE), "Search for a permutation; excludes `permutation`").or_off(),
    Key::new("blend", Kind::Table(&BLEND), "Of networks of lc0: averages with others, and parts of others").or_off(),
    Key::new("heads", Kind::Table(&HEADS), "Of networks of lc0: the heads to keep").or_off(),
    Key::new("fold", Kind::Boolean, "Of networks of lc0: whether batch norms are folded into convolutions").default("false"),
    Key::new("encoding", Kind::Choice(choices::<LayerEncoding>), "Of networks of lc0: how layers are stored")
        .default("as in the source; layers whose floats stay keep their bytes"),
    Key::new("view", Kind::Choice(choices::<View>), "Of networks of lc0: what `.safetensors` and `.npz` outputs hold").default("raw"),
    Key::new("onnx", Kind::Choice(choices::<OnnxType>), "Of networks of lc0: the numbers of `.onnx` outputs").default("float32"),
    Key::new(
        "into",
        Kind::Path,
        "Of networks of lc0: a program, such as `lc0`. Outputs with another ending than those of networks, or none, are this program with \
         the network at its end, its `<built in>`",
    ),
    Key::new("metadata", Kind::Table(&METADATA), "Of networks of lc0: changes of the header").or_off(),
    Key::new("allow", Kind::Choice(choices::<Allow>), "Of described architectures: what a build is not to warn of"),
    Key::new(
        "prove",
        Kind::Table(&PROVE),
        "Read the `.nnue` file back and evaluate it against its source before it gets its name: every sum must be equal, and engines of its \
         time must read the file",
    )
    .default("on for nets with `optimize`")
    .or_off(),
    Key::new(
        "engine",
        Kind::Table(&ENGINE),
        "A real engine that must play with the `.nnue` file as with its source before it gets its name",
    )
    .or_off(),
    Key::new("provenance", Kind::Boolean, "Whether to write `<output>.provenance.json`, an in-toto statement, beside each output")
        .default("false"),
    Key::new("publish", Kind::Choice(choices::<Publish>), "Check the `.nnue` outputs as this place does before they get their names"),
    Key::new("license", Kind::Words, "Licence of the net as an SPDX expression, such as `CC0-1.0`"),
];

pub(super) static GLOB: Table = Table::new(
    "glob",
    "source = { glob = \"…\" }",
    "One net per file that matches; what is said of a source here holds for every file",
    &[
        &[
            Key::new(
                "glob",
                Kind::Path,
                "Pattern with `*`, `?`, `**`, `[ab]`, `{ab,cd}`, relative to the manifest; `{run:*}` names a wildcard",
            )
            .required_unless("embedded", "source = { glob = \"runs/*/epoch=*.ckpt\" }"),
            Key::new("embedded", Kind::Path, "In place of `glob`: an lc0 with a network at its end, its `<built in>`"),
        ],
        &CLAIMS,
        &[
            Key::new(
                "last",
                integer(1, 65536),
                "Of each folder only so many files: those with the highest `step=`, else `epoch=`, else name",
            ),
            Key::new("newest", integer(1, 65536), "Of all files only so many: those that were modified last"),
        ],
    ],
)
.of_net();

pub(super) static OPTIMIZE: Table = Table::new(
    "optimize",
    "[net.NAME.optimize]",
    "Search for the permutation of neurons that makes the engine fastest",
    &[&[
        Key::new("data", Kind::Text, "The name of a `data` table").required_unless_default("data = \"fishpack\""),
        Key::new("positions", integer(1, LARGEST), "How many positions to use, exactly").default(SHOWN_POSITIONS),
        Key::new("seed", integer(0, u64::MAX as i128), "Seed of the choice of positions and of the search").default("0"),
        Key::new("algorithm", Kind::Choice(choices::<Algorithm>), "How to search").default("greedy"),
        Key::new("moves", integer(1, LARGEST), "How many moves annealing makes; only with `algorithm = \"anneal\"`"),
        Key::new("effort", integer(0, LARGEST), "How many noisy steps are made before the polish; only with `algorithm = \"assign\"`"),
        Key::new("filters", Kind::NamedTable(&FILTER, choices::<FilterSet>), "Which positions count: a table, or the name of a set alone")
            .default("all that are not in check"),
    ]],
)
.of_net();

/// [`DEFAULT_POSITIONS`] as it is shown.
const SHOWN_POSITIONS: &str = {
    assert!(DEFAULT_POSITIONS == 10_000, "the text below shows another number");
    "10000"
};

pub(super) static FILTER: Table = Table::new(
    "filters",
    "[net.NAME.optimize.filters]",
    "Positions to leave out besides those in check, under the names of the trainer's data loader",
    &[&[Key::new("preset", Kind::Choice(choices::<FilterSet>), "A set of filters to start from; the other keys change it")], &FILTER_KEYS],
)
.of_net();

static FILTER_KEYS: [Key; FILTERS.len()] = {
    let mut keys = [Key::of_filter(&FILTERS[0]); FILTERS.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index] = Key::of_filter(&FILTERS[index]);
        index += 1;
    }
    keys
};

pub(super) static PROVE: Table = Table::new(
    "prove",
    "[net.NAME.prove]",
    "Proof that the file evaluates as its source does; one that fails is not published",
    &[&[
        Key::new("data", Kind::Text, "The name of a `data` table").default("that of `optimize`"),
        Key::new("positions", integer(1, LARGEST), "On how many positions, exactly")
            .default("10000, and with the data of `optimize` at most its number"),
        Key::new("seed", integer(0, u64::MAX as i128), "Seed of the choice of positions").default("0"),
        Key::new("max_error", Kind::Limit(LARGEST_ERROR), "Largest error of quantizing that is accepted, in the engine's internal units")
            .default("any"),
        Key::new("mean_error", Kind::Limit(LARGEST_ERROR), "Mean error of quantizing that is accepted, in the same units").default("any"),
    ]],
)
.of_net();

pub(super) static ENGINE: Table = Table::new(
    "engine",
    "[net.NAME.engine]",
    "A UCI engine that loads the written file and its source. It runs when the file, the source, the engine or these keys change, and is part of \
     no result",
    &[&[
        Key::new("path", Kind::Path, "The program: a name that is looked up as a shell does, or a path relative to the manifest")
            .required_unless_default("path = \"stockfish\""),
        Key::new("option", Kind::Words, "The UCI option that takes the file").default("`EvalFile`, of second nets `EvalFileSmall`"),
        Key::new("options", Kind::Names, "Other UCI options, `Name=value` each, such as `Hash=64`"),
        Key::new("bench", Kind::Boolean, "Whether `bench` must search as many nodes with the file as with its source").default("true"),
        Key::new("bench_arguments", Kind::Words, "What stands behind `bench`, such as `16 1 13`").default("nothing"),
        Key::new("export", Kind::Boolean, "Whether the net that `export_net` writes must be the file").default("true"),
        Key::new("speed", integer(2, 10_000), "How often the benches of source and file are timed in turn, to tell how much faster it is")
            .default("not at all"),
        Key::new("timeout", integer(1, 86_400), "Seconds that each answer of the engine may take").default("600"),
    ]],
)
.of_net();

/// More no evaluation is.
const LARGEST_ERROR: f64 = 1_000_000.0;

pub(super) static BLEND: Table = Table::new(
    "blend",
    "[net.NAME.blend]",
    "Networks of lc0 that one is made of: its floats are the sum of share and value in double precision, divided by the sum of the shares \
     and rounded once",
    &[&[
        Key::new("with", Kind::Names, "Names of `source` tables, or paths, of networks with the same layers"),
        Key::new("shares", Kind::Numbers(MAX_SHARE), "Of the net's own source and of each of `with`, in this order").default("equal"),
        Key::new("graft", Kind::Sources, "Parts, such as `policy_heads.soft` or `encoder.3`, with the source that each is taken from"),
    ]],
)
.of_net();

/// Only the shares' proportions matter.
pub(super) const MAX_SHARE: f64 = 1e6;

pub(super) static HEADS: Table = Table::new(
    "heads",
    "[net.NAME.heads]",
    "The heads of a network of lc0 that are kept, by their names; the first of each list is the one that `.onnx` outputs get",
    &[&[
        Key::new("policy", Kind::Names, "`vanilla`, `optimistic`, `soft`, `opponent`, or keys of the map").default("all"),
        Key::new("value", Kind::Names, "`winner`, `q`, `st`, or keys of the map").default("all"),
    ]],
)
.of_net();

pub(super) static METADATA: Table = Table::new(
    "metadata",
    "[net.NAME.metadata]",
    "Changes of the header of a network of lc0; what is not said stays as it is",
    &[&[
        Key::new("license", Kind::TextOrNone, "Text of the license; `false` removes it"),
        Key::new("min_version", Kind::Version, "The least lc0 that loads the net, such as `0.33.0`")
            .default("as it is, raised where layers need it"),
        Key::new("fixup", Kind::Boolean, "Whether what lc0 changes in older headers is written out").default("false"),
        Key::new("training", Kind::Boolean, "Whether the training parameters stay").default("true"),
        Key::new("training_steps", integer(0, u32::MAX as i128), "Training parameter"),
        Key::new("learning_rate", Kind::Number(MAX_TRAINING), "Training parameter"),
        Key::new("mse_loss", Kind::Number(MAX_TRAINING), "Training parameter"),
        Key::new("policy_loss", Kind::Number(MAX_TRAINING), "Training parameter"),
        Key::new("accuracy", Kind::Number(MAX_TRAINING), "Training parameter"),
        Key::new("lc0_params", Kind::Text, "Training parameter: options of the games that were played"),
    ]],
)
.of_net();

const MAX_TRAINING: f64 = 1e9;

pub(super) static WATCH: Table = Table::new(
    "watch",
    "[watch]",
    "What `nnue watch` does besides building; other commands leave it alone, and it changes no result",
    &[&[Key::new(
        "run",
        Kind::Names,
        "A program and its arguments, run without a shell for each net that was published: `{path}` is its first output, `{net}` its \
         name, `{sha256}` that of the file; also as NNUE_PATH, NNUE_NET, NNUE_SHA256, and all outputs in NNUE_PATHS",
    )]],
);

pub(super) static CACHE: Table = Table::new(
    "cache",
    "[cache]",
    "Where results are kept besides the local cache; changes no result",
    &[&[Key::new("remote", Kind::Table(&REMOTE), "A cache that machines share")]],
);

pub(super) static REMOTE: Table = Table::new(
    "remote",
    "[cache.remote]",
    "A cache that machines share. Credentials come from the environment only",
    &[&[
        Key::new("url", Kind::Url, "An HTTP cache (`http://`, `https://`), a bucket (`s3://`, `gs://`, `az://`), with a folder, or a server of the Remote Execution API (`grpc://`, `grpcs://`), with an instance")
            .required("url = \"https://cache.example.org/nnue\""),
        Key::new("mode", Kind::Choice(choices::<RemoteMode>), "What is done with it").default("read"),
    ]],
);

pub(super) static CLUSTER: Table = Table::new(
    "cluster",
    "[remote]",
    "A cluster that runs expensive stages, by the Remote Execution API v2; changes no result. `nnue build` and `nnue watch` alone ask it. Credentials come from the \
     environment only",
    &[&[
        Key::new("url", Kind::Cluster, "Where it is; `--remote URL` and `NNUE_REMOTE` come before it, and `--remote off` turns it off"),
        Key::new("cas", Kind::Cluster, "Where its files and results are kept").default("there, too"),
        Key::new("instance", Kind::Text, "The name of the instance, as the cluster's owners gave it").default("the path of `url`"),
        Key::new("properties", Kind::Texts, "What a worker must have, in the cluster's own words").default("nothing"),
        Key::new("stages", Kind::Choices(choices::<RemoteStage>), "Which stages it may run").default("all of these"),
        Key::new("jobs", integer(1, 1000), "Actions that are under way there, beside those of `-j` here").default("64"),
        Key::new("timeout", Kind::Duration, "How long an action may run there").default("`30m`"),
        Key::new("queue-timeout", Kind::Duration, "How long an action may wait for a worker").default("`10m`"),
        Key::new("keepalive", Kind::Duration, "How often a silent connection is pinged; some servers hang up on whoever pings")
            .default("never"),
        Key::new(
            "min-seconds",
            Kind::Limit(1e6),
            "What is done here in less time, or sooner than there, is not sent; 0: everything is sent",
        )
        .default("5"),
        Key::new("fallback", Kind::Boolean, "What the cluster cannot do is done here; otherwise its net fails").default("`true`"),
        Key::new("tool", Kind::Path, "The program that is sent: a static `nnue` of this version").default("this one, if it is static"),
    ]],
);

#[cfg(test)]
mod tests;
