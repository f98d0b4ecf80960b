//! What decides the result of an action on a described network, as parameters of its key: the words of the architecture file that
//! matter to it. Names of steps and layouts, places and comments are left out, so that they re-key nothing.

use serde_json::{Map, Value, json};

use super::Input;
use super::model::{Architecture, Encoding};
use super::model::{AxisPart, DType, Field, Header, Lanes, Layout, Overflow, Packing, Part, Piece, Precision, Rounding, Stored};
use super::plan::{Move, State, header_of, state_of};

/// The encoder whose version decides bytes.
const ZSTD: &str = "libzstd 1.5.7";

type Params = Map<String, Value>;

/// Of reading a file in `layout`, whose lanes are undone.
pub(super) fn of_load(architecture: &Architecture, layout: &Layout, undo: &[Lanes]) -> Params {
    // The tensors' own order is that of the results between actions.
    let roles = architecture.tensors.iter().map(|spec| format!("{}[{}]", spec.role.text, spec.axes.join(",")));
    let mut params = of_layout(architecture, layout, &state_of(architecture, layout));
    params.insert("roles".to_owned(), json!(roles.collect::<Vec<_>>().join(" ")));
    if !undo.is_empty() {
        params.insert("lanes".to_owned(), json!(undo.iter().map(|lanes| lanes.name()).collect::<Vec<_>>().join(", ")));
    }
    params
}

/// Of some steps.
pub(super) fn of_steps(architecture: &Architecture, moves: &[Move<'_>]) -> Params {
    moves.iter().enumerate().map(|(at, step)| numbered("step", at, shown(architecture, step))).collect()
}

/// Of gathering, beside the choice of positions.
pub(super) fn of_gather(architecture: &Architecture) -> Params {
    let inputs = architecture.inputs.iter().enumerate();
    let mut params: Params = inputs.map(|(at, block)| numbered("input", at, (block.tensor.clone(), input(&block.input)))).collect();
    let rule = architecture.activation.map(|it| format!("{:?} {} {}", it.kind, it.clamp, it.shift).to_lowercase());
    let pairs = architecture.moves.as_ref().map(|moves| moves.pairs);
    params.extend(object([("activation", json!(rule)), ("pairs", json!(pairs))]));
    params
}

/// Of reordering the neurons.
pub(super) fn of_permute(architecture: &Architecture) -> Params {
    let Some(moves) = &architecture.moves else { return Params::new() };
    let axes = moved(architecture, |axis| axis == moves.axis || moves.also.iter().any(|also| also == axis));
    object([("axes", json!(axes.join(", "))), ("pairs", json!(moves.pairs))])
}

/// Of the last steps, and of writing a file in `layout`.
pub(super) fn of_write(architecture: &Architecture, layout: &Layout, moves: &[Move<'_>]) -> Params {
    let mut params = of_layout(architecture, layout, &state_of(architecture, layout));
    params.extend(of_steps(architecture, moves));
    params
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Params {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One of several, by its place and what it is about.
fn numbered(what: &str, at: usize, (about, value): (String, String)) -> (String, Value) {
    (format!("{what} {} {about}", at + 1), json!(value))
}

/// Tensors and axes that move with the neurons.
fn moved(architecture: &Architecture, moves: impl Fn(&str) -> bool) -> Vec<String> {
    let of = |role: &str, axes: &[String]| {
        axes.iter().enumerate().filter(|(_, axis)| moves(axis)).map(|(at, _)| format!("{role} {at}")).collect()
    };
    architecture.tensors.iter().flat_map(|spec| -> Vec<String> { of(&spec.role.text, &spec.axes) }).collect()
}

/// What is done to which tensor.
fn shown(architecture: &Architecture, step: &Move<'_>) -> (String, String) {
    let role = |index: usize| architecture.tensors.get(index).map_or("", |spec| spec.role.text.as_str());
    match step {
        Move::Merge { into, add, overflow } => {
            (format!("merge {}", role(*into)), format!("adds {}, overflow {}", role(*add), overflow.name()))
        }
        Move::MergeKings { into } => {
            let squares = architecture.inputs.iter().filter(|block| matches!(block.input, Input::PieceSquares(_)));
            let squares = squares.map(|block| input(&block.input)).collect::<Vec<_>>().join("; ");
            (format!("merge kings {}", role(*into)), squares)
        }
        Move::Quantize { tensor, how, .. } => {
            let when = if how.clip_after { " of the product" } else { "" };
            let clip = how.clip.map_or_else(String::new, |[low, high]| format!(", clip {low} to {high}{when}"));
            let done = format!(
                "to {}, scale {}{clip}, rounding {}, precision {}, overflow {}",
                how.dtype.name(),
                how.scale,
                how.rounding.name(),
                how.precision.name(),
                how.overflow.name()
            );
            (format!("quantize {}", role(*tensor)), done)
        }
        Move::Permute => ("permute".to_owned(), String::new()),
        Move::Lanes(lanes) => {
            let axis = architecture.moves.as_ref().map_or("", |moves| moves.axis.as_str());
            ("lanes".to_owned(), format!("{} of {}", lanes.name(), moved(architecture, |other| other == axis).join(", ")))
        }
    }
}

fn input(input: &Input) -> String {
    match input {
        Input::PieceSquares(squares) => format!("psq {}", squares.shown()),
        Input::Known(block) => block.name().to_owned(),
        Input::Opaque(name) => name.clone(),
    }
}

fn of_layout(architecture: &Architecture, layout: &Layout, state: &State) -> Params {
    let tensors =
        layout.tensors.iter().map(|stored| (stored.role.text.clone(), tensor(stored, state.get(stored.tensor).and_then(Option::as_ref))));
    let mut params: Params = tensors.enumerate().map(|(at, stored)| numbered("tensor", at, stored)).collect();
    params.insert("encoding".to_owned(), json!(layout.encoding.name()));
    let mut add = |name: &str, value: Value| drop(params.insert(name.to_owned(), value));
    // In their order tensors are the pieces where nothing stands between them.
    let plain = layout.pieces.iter().enumerate().all(|(at, piece)| matches!(piece, Piece::Tensor(index, None) if *index == at));
    if layout.encoding == Encoding::Sequence && !plain {
        let pieces = layout.pieces.iter().map(|piece| match piece {
            Piece::Field(part) => field(part),
            Piece::Tensor(index, slice) => {
                let slice = slice.map_or_else(String::new, |slice| format!(" slice {slice}"));
                format!("tensor {index}{slice}")
            }
        });
        add("pieces", json!(pieces.collect::<Vec<_>>().join("; ")));
    }
    let keeps = matches!(layout.header, Header::Keep);
    if let Header::Fields(fields) = header_of(architecture, layout) {
        add("header", json!(fields.iter().map(field).collect::<Vec<_>>().join("; ")));
        add("keeps_header", json!(keeps));
    }
    if layout.align > 1 {
        add("align", json!(layout.align));
    }
    if layout.pad > 1 {
        add("pad", json!(format!("{} with {}", layout.pad, hex(&layout.pad_with))));
    }
    if let Some(level) = layout.zstd {
        add("zstd", json!(format!("level {level} of {ZSTD}")));
    }
    params
}

fn tensor(stored: &Stored, found: Option<&(DType, Vec<usize>)>) -> String {
    let sizes = found.map_or_else(String::new, |(_, shape)| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x"));
    let axes = stored.order.iter().map(axis).collect::<Vec<_>>().join(",");
    let packing = match stored.packing {
        Packing::Raw => "",
        Packing::Leb128 => ", leb128",
        Packing::Section => ", leb128-section",
    };
    let align = if stored.align > 1 { format!(", align {}", stored.align) } else { String::new() };
    let each = if stored.each { " each" } else { "" };
    let id = stored.id.as_ref().map_or_else(String::new, |id| format!(", id {id}"));
    format!("{} {sizes} as {axes}{align}{each}{packing}{id}", stored.dtype.name())
}

fn axis(part: &AxisPart) -> String {
    match part.part {
        Part::Whole => part.axis.clone(),
        Part::Quotient(divisor) => format!("{}/{divisor}", part.axis),
        Part::Remainder(divisor) => format!("{}%{divisor}", part.axis),
    }
}

fn field(field: &Field) -> String {
    match field {
        Field::Fixed(bytes, _) => format!("bytes {}", hex(bytes)),
        Field::Opaque(size) => format!("size {size}"),
        Field::Counted => "counted".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Lanes {
    /// As it is written in an architecture file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl Overflow {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Saturate => "saturate",
            Self::Wrap => "wrap",
        }
    }
}

impl Rounding {
    const fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Even => "even",
            Self::Truncate => "truncate",
        }
    }
}

impl Precision {
    const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

impl Encoding {
    const fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Checkpoint => "bullet-checkpoint",
        }
    }
}

#[cfg(test)]
mod tests;
