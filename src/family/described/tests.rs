//! Random layouts, and networks small enough to compute by hand.

use proptest::prelude::*;

use super::model::{Architecture, DType};
use super::read::{Contents, Kept};
use super::tensor::{Storage, Tensor};
use super::{Neurons, Wanted, gather, plan, read, write};
use crate::ctx::Ctx;
use crate::files::Bytes;
use crate::net::Permutation;
use crate::positions::{Color, generate};
use crate::show::{Body, Limits};

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        // splitmix64: any seed is good.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

const SIZES: [(&str, usize); 4] = [("a", 4), ("b", 6), ("c", 1), ("d", 12)];

/// An architecture with one layout, and the axes of its tensors in file order.
fn random_architecture(random: &mut Random) -> (String, Vec<Vec<String>>) {
    let mut text = "schema = \"engine-net-1\"\n[sizes]\na = 4\nb = 6\nc = 1\nd = \"2*b\"\n[tensors]\n".to_owned();
    let mut stored = Vec::new();
    let mut orders = Vec::new();
    let packed = ["raw", "raw", "leb128"][random.below(3)];
    for index in 0..1 + random.below(4) {
        let mut axes: Vec<&str> = SIZES.iter().map(|(name, _)| *name).collect();
        random.shuffle(&mut axes);
        axes.truncate(random.below(5));
        text += &format!("\"t{index}\" = {axes:?}\n");
        let mut order = Vec::new();
        for axis in &axes {
            let size = SIZES.iter().find(|(name, _)| name == axis).unwrap().1;
            if size % 2 == 0 && random.below(3) == 0 {
                order.extend([format!("{axis}/2"), format!("{axis}%2")]);
            } else {
                order.push((*axis).to_owned());
            }
        }
        random.shuffle(&mut order);
        let dtype = DType::NAMES[random.below(5)];
        let align = [1, 4, 64][random.below(3)];
        let each = random.below(3) == 0 && packed == "raw";
        stored.push(format!("{{ role = \"t{index}\", dtype = \"{dtype}\", axes = {order:?}, align = {align}, align_each = {each} }}"));
        orders.push(order);
    }
    random.shuffle(&mut stored);
    let header =
        ["", "header = [{ bytes = \"NET\" }, { u16 = \"d\" }, { size = 3 }]\n", "header = [{ counted = \"u32\" }]\n"][random.below(3)];
    let pad = ["", "pad = { to = 32, with = \"xyz\" }\n"][random.below(2)];
    text += &format!("[layout.file]\nencoding = \"{packed}\"\n{header}{pad}tensors = [{}]\n", stored.join(", "));
    (text, orders)
}

/// Values for every tensor, and for what a header keeps.
fn random_contents(architecture: &Architecture, random: &mut Random) -> Contents {
    let layout = architecture.readable("file").unwrap();
    let state = plan::state_of(architecture, layout);
    let tensors = state.into_iter().map(|tensor| {
        let (dtype, shape) = tensor?;
        let length = shape.iter().product::<usize>() * dtype.size();
        let bytes = (0..length).map(|_| random.below(256) as u8).collect();
        Some(Tensor { dtype, shape, bytes: Storage::Owned(bytes) })
    });
    let tensors = tensors.collect();
    // Whichever of the two headers asks for one: three bytes.
    Contents { tensors, kept: Kept { header: Vec::new(), fields: vec![vec![1, 2, 3]] } }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(seed in any::<u64>()) {
        let mut random = Random(seed);
        let (text, _) = random_architecture(&mut random);
        let architecture = Architecture::parse("random", &text, &[]).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let contents = random_contents(&architecture, &mut random);
        let layout = architecture.readable("file").unwrap();
        let mut file = Vec::new();
        write::write(&architecture, layout, &contents, &mut file).unwrap();
        let bytes = Bytes::from_vec(file.clone());
        let again = read::read(&architecture, layout, &bytes).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        for (before, after) in contents.tensors.iter().zip(&again.tensors) {
            prop_assert_eq!(before.as_ref().map(|tensor| &*tensor.bytes), after.as_ref().map(|tensor| &*tensor.bytes));
        }
        // And nothing of another length is taken.
        let cut = Bytes::from_vec(file[..file.len() - 1].to_vec());
        let align = file.len().next_multiple_of(layout.align);
        prop_assert!(read::read(&architecture, layout, &cut).is_err() || align != file.len());
        file.push(0);
        prop_assert!(read::read(&architecture, layout, &Bytes::from_vec(file)).is_err());
    }

    #[test]
    fn axes_that_do_not_make_up_the_tensor_are_refused(seed in any::<u64>()) {
        let mut random = Random(seed);
        let (text, orders) = random_architecture(&mut random);
        let Some(order) = orders.iter().find(|order| !order.is_empty()) else { return Ok(()) };
        let good = format!("{order:?}");
        let picked = random.below(order.len());
        let mut missing = order.clone();
        missing.remove(picked);
        let mut twice = order.clone();
        twice.push(order[picked].clone());
        let mut other = order.clone();
        other[picked] = if other[picked].contains('%') { "d%3".to_owned() } else { "e".to_owned() };
        for bad in [missing, twice, other] {
            // Only the layout has the key: the tensors' own axes stay.
            let text = text.replacen(&format!("axes = {good}"), &format!("axes = {bad:?}"), 1);
            prop_assert!(Architecture::parse("random", &text, &[]).is_err(), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(cut in any::<prop::sample::Index>(), byte in any::<u8>(), which in any::<prop::sample::Index>()) {
        let shipped = which.get(crate::net::shipped::ALL);
        let mut bytes = shipped.text.as_bytes().to_vec();
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Architecture::parse("changed", &text, &[]);
        }
    }
}

const SMALL: &str = r#"
schema = "engine-net-1"
[sizes]
neuron = 8
in = "neuron"
out = 2
row = 1536
pair = 4560
[[inputs]]
block = "pawn-pairs-4560"
[[inputs]]
block = "psq"
buckets = [0,0,0,1, 0,0,0,1, 0,0,0,1, 0,0,0,1, 0,0,0,1, 0,0,0,1, 0,0,0,1, 0,0,0,1]
mirror = "efgh"
[activation]
kind = "pairwise"
product = "a*b >> 9"
[permutation]
axis = "neuron"
also = "in"
[tensors]
"ft.psq" = ["row", "neuron"]
"ft.pairs" = ["pair", "neuron"]
"ft.bias" = ["neuron"]
"l1.w" = ["out", "in"]
[step.order]
do = "permute"
[layout.file]
tensors = [
  { role = "ft.psq", dtype = "i16" }, { role = "ft.pairs", dtype = "i8" }, { role = "ft.bias", dtype = "i16" },
  { role = "l1.w", dtype = "i8", axes = ["in/4", "out", "in%4"] },
]
[write.sparse]
like = "file"
from = "file"
steps = ["order"]
"#;

#[test]
fn activations_are_those_of_plain_sums() {
    for (kind, shift) in [("pairwise", 9), ("crelu", 5), ("screlu", 9), ("screlu", 10)] {
        are_those_of_plain_sums(kind, shift);
    }
}

/// The small network with these outputs: products of pairs, or of each neuron.
fn with_outputs(kind: &str, shift: u32) -> String {
    let text =
        SMALL.replace("kind = \"pairwise\"", &format!("kind = \"{kind}\"")).replace("product = \"a*b >> 9\"", &format!("shift = {shift}"));
    if kind == "pairwise" { text } else { text.replace("also = \"in\"", "also = \"in\"\npairs = false") }
}

fn are_those_of_plain_sums(kind: &str, shift: u32) {
    let architecture = Architecture::parse("small", &with_outputs(kind, shift), &[]).unwrap();
    let mut random = Random(7);
    let contents = random_contents(&architecture, &mut random);
    let positions = generate(5, 70);
    let entries = if kind == "pairwise" { 4 } else { 8 };
    let matrix = gather::gather(&architecture, &contents.tensors, &positions, &Ctx::silent()).unwrap();
    let value = |tensor: usize, index: usize| -> i64 {
        let tensor = contents.tensors[tensor].as_ref().unwrap();
        super::steps::integer(tensor.dtype, &tensor.bytes[index * tensor.dtype.size()..][..tensor.dtype.size()])
    };
    for (index, position) in positions.iter().enumerate() {
        for side in 0..2 {
            let mover = position.side_to_move();
            let color: Color = if side == 0 { mover } else { mover.opponent() };
            let mut sums: Vec<i64> = (0..8).map(|neuron| value(2, neuron)).collect();
            for (input, tensor) in architecture.inputs().zip([1, 0]) {
                let mut rows = Vec::new();
                input.active(position, color, &mut rows);
                rows.iter().for_each(|row| (0..8).for_each(|neuron| sums[neuron] += value(tensor, *row as usize * 8 + neuron)));
            }
            let clip = |sum: i64| i64::from(sum as i16).clamp(0, 255);
            for neuron in 0..entries {
                let own = clip(sums[neuron]);
                let output = match kind {
                    "pairwise" => (own * clip(sums[neuron + 4])) >> shift,
                    "crelu" => own >> shift,
                    _ => (own * own) >> shift,
                };
                let zero = output == 0;
                let bit = matrix.column(neuron)[index / 32] >> (index % 32 * 2 + side) & 1;
                assert_eq!(bit == 1, zero, "position {index}, side {side}, neuron {neuron}");
            }
        }
    }
}

#[test]
fn every_number_of_a_picture_is_the_weight_that_it_is_said_to_be() {
    let architecture = Architecture::parse("small", SMALL, &[]).unwrap();
    let contents = random_contents(&architecture, &mut Random(11));
    let mut file = Vec::new();
    write::write(&architecture, architecture.readable("file").unwrap(), &contents, &mut file).unwrap();
    let file = Bytes::from_vec(file);
    let net = architecture.open(&file, None).unwrap();
    let wanted = |neurons| Wanted {
        inputs: true,
        others: true,
        histograms: true,
        neurons,
        input_limits: Limits::default(),
        other_limits: Limits::default(),
    };
    let sections = net.sections("net", &wanted(None), &Ctx::silent()).unwrap();
    let picture = |name: &str| {
        let found = sections.iter().flat_map(|section| &section.body).find_map(|body| match body {
            Body::Picture(scene) if scene.name == name => scene.heats().next().map(|(_, heat)| heat.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    let value = |tensor: usize, index: usize| contents.tensors[tensor].as_ref().unwrap().value(index);
    let heat = picture("input-weights-ft-psq");
    let tile = |neuron: usize| heat.names.iter().position(|name| *name == format!("neuron {neuron}")).unwrap();
    assert_eq!(heat.names.len(), 8);
    // The other side's knight on c6, in both buckets: 384 + 64 + 42.
    for neuron in 0..8 {
        let mean = (value(0, 490 * 8 + neuron) + value(0, (768 + 490) * 8 + neuron)) / 2.0;
        let (x, y) = (16 * tile(neuron) + 8 + 2, 8 + 2);
        let shown = heat.value(heat.number(x, y)).unwrap();
        assert!((shown - f64::from(mean)).abs() < 1.0, "neuron {neuron}: {shown}, {mean}");
        let hover = heat.hover(x, y).unwrap();
        assert!(hover.starts_with(&format!("neuron {neuron}, other's knight on c6, mean over king buckets: ")), "{hover}");
    }
    // The largest ones first.
    let size = |neuron: usize| -> f64 {
        (0..1536).map(|row| f64::from(value(0, row * 8 + neuron).abs())).sum::<f64>()
            + (0..4560).map(|row| f64::from(value(1, row * 8 + neuron).abs())).sum::<f64>()
    };
    assert!(heat.names.windows(2).all(|pair| {
        let [a, b] = [&pair[0], &pair[1]].map(|name| size(name.trim_start_matches("neuron ").parse().unwrap()));
        a >= b
    }));
    let layer = picture("tensor-l1-w");
    for (output, input) in [(0, 0), (1, 7), (1, 3)] {
        let number = layer.number(input, output);
        assert_eq!(layer.value(number), Some(f64::from(value(3, output * 8 + input))));
        assert_eq!(layer.hover(input, output).unwrap(), format!("out {output}, in {input}: {number}"));
    }
    let few = net.sections("net", &wanted(Some(3)), &Ctx::silent()).unwrap();
    let Body::Picture(scene) = &few[0].body[1] else { panic!("no picture") };
    assert_eq!(scene.heats().next().unwrap().1.names, heat.names[..3]);
}

#[test]
fn what_is_zero_and_what_moves_must_fit() {
    for (kind, pairs, says) in [("crelu", "true", "single neurons"), ("pairwise", "false", "pairs of neurons")] {
        let text =
            with_outputs("crelu", 5).replace("\"crelu\"", &format!("\"{kind}\"")).replace("pairs = false", &format!("pairs = {pairs}"));
        let architecture = Architecture::parse("small", &text, &[]).unwrap();
        let contents = random_contents(&architecture, &mut Random(7));
        let error = gather::gather(&architecture, &contents.tensors, &generate(5, 3), &Ctx::silent()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_permutation_moves_pairs_and_the_inputs_behind_them() {
    let architecture = Architecture::parse("small", SMALL, &[]).unwrap();
    let contents = random_contents(&architecture, &mut Random(9));
    let mut file = Vec::new();
    write::write(&architecture, architecture.readable("file").unwrap(), &contents, &mut file).unwrap();
    let permutation = Permutation::try_from([2i64, 0, 3, 1].as_slice()).unwrap();
    let ctx = Ctx::silent();
    let file = Bytes::from_vec(file);
    let converted = architecture.convert(&file, Some("file"), "sparse", Neurons::Applied(&permutation), &ctx).unwrap();
    assert!(converted.permuted());
    let before = contents.tensors[3].as_ref().unwrap();
    let after = converted.contents.tensors[3].as_ref().unwrap();
    for (place, from) in [2usize, 0, 3, 1, 6, 4, 7, 5].into_iter().enumerate() {
        assert_eq!([after.bytes[place], after.bytes[8 + place]], [before.bytes[from], before.bytes[8 + from]]);
    }
    // What the permutation undoes is the file again.
    let mut sparse = Vec::new();
    converted.write(&mut sparse).unwrap();
    let inverse = Permutation::try_from([1i64, 3, 0, 2].as_slice()).unwrap();
    let sparse = Bytes::from_vec(sparse);
    let back = architecture.convert(&sparse, Some("file"), "sparse", Neurons::Applied(&inverse), &ctx).unwrap();
    let mut bytes = Vec::new();
    back.write(&mut bytes).unwrap();
    assert!(bytes == file[..]);
    let wrong = Permutation::identity(8).unwrap();
    assert!(architecture.convert(&file, Some("file"), "sparse", Neurons::Applied(&wrong), &ctx).is_err());
}

#[test]
fn all_mistakes_are_found_at_once() {
    let mistakes = |text: &str| Architecture::parse("small", text, &[]).unwrap_err().to_string();
    let changed = SMALL
        .replace("kind = \"pairwise\"", "kind = \"pairwize\"")
        .replace("dtype = \"i8\"", "dtype = \"i9\"")
        .replace("role = \"ft.bias\"", "role = \"ft.bais\"")
        .replace("out = 2", "out = \"in+\"");
    assert_eq!(mistakes(&changed), "`small` has 6 errors");
    assert!(mistakes(&SMALL.replace("steps = [\"order\"]", "steps = [\"ordr\"]")).contains("no step is named `ordr`"));
    assert!(mistakes(&SMALL.replace("from = \"file\"", "from = \"fil\"")).contains("no other layout is named `fil`"));
    assert!(mistakes(&SMALL.replace("schema = \"engine-net-1\"", "schema = \"engine-net-9\"")).contains("is not known"));
    assert!(mistakes("x = ").contains("invalid TOML"));
}

#[test]
fn output_buckets_are_counted_tabled_or_computed() {
    let with = |buckets: &str| Architecture::parse("small", &format!("{SMALL}\n[buckets]\n{buckets}\n"), &[]);
    let counted = with("count = 8").unwrap();
    assert_eq!([0, 2, 5, 6, 32].map(|pieces| counted.output_bucket(pieces)), [0, 0, 0, 1, 7].map(Some));
    let computed = with("formula = \"min((63-pieces)*(32-pieces)//225, 7)\"").unwrap();
    assert_eq!([2, 3, 17, 31, 32].map(|pieces| computed.output_bucket(pieces)), [7, 7, 3, 0, 0].map(Some));
    let table: Vec<usize> = (0..33).map(|pieces| pieces / 5).collect();
    assert_eq!(with(&format!("table = {table:?}")).unwrap().output_bucket(32), Some(6));
    for wrong in ["count = 8\nformula = \"pieces\"", "table = [1]", "formula = \"2-pieces\"", "formula = \"men\""] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn each_shipped_architecture_is_without_mistakes_and_says_what_it_is() {
    for shipped in crate::net::shipped::ALL {
        let architecture = Architecture::parse(shipped.name, shipped.text, &[]).unwrap_or_else(|error| panic!("{}: {error}", shipped.name));
        assert!(!architecture.description().is_empty(), "{}", shipped.name);
        assert!(!architecture.layout_names().is_empty(), "{}", shipped.name);
    }
}

#[test]
fn an_architecture_may_be_like_a_shipped_one() {
    let own = "like = \"plentychess\"\ndescription = \"small\"\n[sizes]\nneuron = 64\n[step.l1]\noverflow = \"wrap\"\n";
    let own = Architecture::parse("own", own, &[]).unwrap();
    assert_eq!((own.name(), own.description(), own.sizes["neuron"], own.sizes["in"]), ("own", "small", 64, 64));
    let shipped = crate::net::shipped::find("plentychess").unwrap();
    let set = Architecture::parse("own", shipped.text, &["sizes.neuron=64".into(), "step.l1.overflow=wrap".into()]).unwrap();
    assert_eq!(format!("{:?}", own.layouts.len()), format!("{:?}", set.layouts.len()));
    for (text, says) in [
        ("like = 1", "`like` is a string"),
        ("like = \"plentyches\"", "no shipped architecture is named `plentyches`"),
        ("like = \"plentychess\"\n[sizes]\nnouron = 3", "no size is named `nouron`"),
        ("like = \"plentychess\"\n[step.l1]\nscail = 3", "`step.l1` has no key `scail`"),
    ] {
        let error = Architecture::parse("own", text, &[]).unwrap_err();
        assert_eq!(error.report().map(ToString::to_string).as_deref(), Some(says));
    }
}

/// A table of a manifest, with its place there.
#[test]
fn an_architecture_may_be_a_table_of_another_file() {
    let text = "version = 1\n[architecture.mine]\nlike = \"bullet\"\n[architecture.mine.sizes]\nneuron = \"1+\"\n";
    let description = crate::net::Description {
        name: "mine".to_owned(),
        file: "nnue.toml".to_owned(),
        text: text.into(),
        table: vec!["architecture".to_owned(), "mine".to_owned()],
        overrides: Vec::new(),
    };
    let error = Architecture::describe(&description).unwrap_err();
    // Tensors of that size are reported, too.
    let first = error.report().unwrap().related().unwrap().next().unwrap();
    let label = first.labels().unwrap().next().unwrap();
    assert_eq!(&text[label.offset()..label.offset() + label.len()], "\"1+\"");
}

#[test]
fn the_tutorials_files_are_good() {
    let page = include_str!("../../../docs/described-tutorial.md");
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let whole = blocks.iter().find(|block| block.starts_with("schema")).unwrap();
    let own = Architecture::parse("mine", whole, &[]).unwrap();
    let shipped = Architecture::parse("s", crate::net::shipped::find("bullet-simple").unwrap().text, &["sizes.neuron=256".into()]).unwrap();
    let tensors =
        |architecture: &Architecture| architecture.tensors.iter().map(|it| (it.role.text.clone(), it.shape.clone())).collect::<Vec<_>>();
    assert_eq!(tensors(&own), tensors(&shipped));
    let manifest = blocks.iter().find(|block| block.starts_with("version")).unwrap();
    let manifest = crate::manifest::parse(manifest, std::path::Path::new("nowhere/nnue.toml"), &[]).unwrap();
    let described = manifest.nets[0].described.as_ref().unwrap();
    assert_eq!(tensors(&Architecture::describe(described).unwrap()), tensors(&own));
}
