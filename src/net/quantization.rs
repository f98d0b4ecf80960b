//! Quantizations as data: what integer stands for 1.0 where, what an engine's arithmetic does with it, and what the float network does
//! instead. Source of the figures: `docs/formats-nnue.md`.

use std::fmt;

use crate::words::Word;

/// An engine divides its raw integers by this: the result is in its internal units, of which 600 are 1.0 of the float network.
pub const OUTPUT_DIVISOR: i32 = 16;

/// The largest input of a dense layer: what engines clip to.
pub const ACTIVATION_MAX: i32 = 127;

/// Scale, and limit before scaling, of one kind of dense tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DenseScale {
    /// Factor of the weights (i8).
    pub weight: f64,
    /// Weights are clamped to ± this before scaling, in the generations that clamped.
    pub clamp: Option<f64>,
    /// Factor of the biases (i32).
    pub bias: f64,
}

/// When the engine's pairwise product of two transformer outputs is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZeroRule {
    /// Upper end of the clipped range; the lower end is 0.
    pub clamp: i32,
    /// The output is zero when the product of the two clipped values is below this.
    pub limit: i32,
}

impl fmt::Display for ZeroRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.clamp, self.limit)
    }
}

/// What the trainer of the time did with a value that does not fit its integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverflowBehaviour {
    /// It wrapped silently (transformer), dense weights being clamped.
    Wrapped,
    /// It refused, and the limits are symmetric: -max..=max.
    RefusedSymmetric,
}

/// A set of scales, named by that of the feature transformer.
#[derive(Debug)]
pub struct Quantization {
    /// `ft127`, `ft255` or `ft256`.
    pub name: &'static str,
    /// When it was in use, in a few words.
    pub about: &'static str,
    /// Factor of the transformer's weights and biases (i16; i8 for threats and pawn pairs).
    pub ft: f64,
    /// Factor of the PSQT weights (i32).
    pub psqt: f64,
    /// First, second and output layer.
    pub dense: [DenseScale; 3],
    /// What an engine computes from the transformer's outputs, for pairwise architectures.
    pub zero_rule: ZeroRule,
    /// By how many bits an engine shifts the product of two transformer outputs, which makes it at most 127.
    pub product_shift: u32,
    /// By how many bits an engine shifts the outputs of the first and the second layer before it clips them to 0 to 127. Squares are
    /// shifted twice as far, and 7 bits more.
    pub hidden_shifts: [u32; 2],
    /// An engine adds up and scales the network's output in 64 bits, not in 32.
    pub wide_output: bool,
    /// What stands for 1.0 in the float network.
    pub float: FloatScale,
    /// What the trainer did with values out of range.
    pub overflow: OverflowBehaviour,
}

impl std::hash::Hash for Quantization {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // No two have one name.
        self.name.hash(state);
    }
}

/// How the trainer's float forward follows an engine's integers: their clips and shifts in terms of 1.0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloatScale {
    /// Upper end of the clipped transformer outputs.
    pub ft_max: f32,
    /// Factor of the product of two transformer outputs.
    pub product: f32,
    /// Upper end of the clipped outputs of hidden layers.
    pub hidden_max: f32,
    /// Factor of the squares.
    pub square: f32,
}

const HIDDEN_64: DenseScale = DenseScale { weight: 64.0, clamp: Some(127.0 / 64.0), bias: 64.0 * 127.0 };
const OUTPUT_9600: DenseScale =
    DenseScale { weight: 600.0 * 16.0 / 127.0, clamp: Some(127.0 * 127.0 / (600.0 * 16.0)), bias: 600.0 * 16.0 };

/// Scales until December 2025: 1.0 is 127 in the transformer.
pub static FT127: Quantization = Quantization {
    name: "ft127",
    about: "1.0 is 127 in the feature transformer: until December 2025",
    ft: 127.0,
    psqt: 9600.0,
    dense: [HIDDEN_64, HIDDEN_64, OUTPUT_9600],
    zero_rule: ZeroRule { clamp: 127, limit: 1 << 7 },
    product_shift: 7,
    hidden_shifts: [6, 6],
    wide_output: false,
    float: FloatScale { ft_max: 1.0, product: 127.0 / 128.0, hidden_max: 1.0, square: 127.0 / 128.0 },
    overflow: OverflowBehaviour::Wrapped,
};

/// Scales from December 2025 to June 2026: 1.0 is 255 in the transformer.
pub static FT255: Quantization = Quantization {
    name: "ft255",
    about: "1.0 is 255 in the feature transformer: December 2025 to June 2026, SFNNv10a to SFNNv14",
    ft: 255.0,
    psqt: 9600.0,
    dense: [HIDDEN_64, HIDDEN_64, OUTPUT_9600],
    zero_rule: ZeroRule { clamp: 255, limit: 1 << 9 },
    product_shift: 9,
    hidden_shifts: [6, 6],
    wide_output: false,
    float: FloatScale { ft_max: 1.0, product: 127.0 / 128.0, hidden_max: 1.0, square: 255.0 / 256.0 },
    overflow: OverflowBehaviour::Wrapped,
};

/// Scales since June 2026 (quantization-aware training): 1.0 is 256 in the transformer.
pub static FT256: Quantization = Quantization {
    name: "ft256",
    about: "1.0 is 256 in the feature transformer: since June 2026, SFNNv14.1 and later",
    ft: 256.0,
    psqt: 9600.0,
    dense: [
        DenseScale { weight: 128.0, clamp: None, bias: 16384.0 },
        DenseScale { weight: 64.0, clamp: None, bias: 8192.0 },
        DenseScale { weight: 128.0, clamp: None, bias: 16384.0 },
    ],
    zero_rule: ZeroRule { clamp: 255, limit: 1 << 9 },
    product_shift: 9,
    hidden_shifts: [7, 6],
    wide_output: true,
    float: FloatScale { ft_max: 255.0 / 256.0, product: 1.0, hidden_max: 127.0 / 128.0, square: 1.0 },
    overflow: OverflowBehaviour::RefusedSymmetric,
};

/// All known scales, oldest first.
pub static QUANTIZATIONS: [&Quantization; 3] = [&FT127, &FT255, &FT256];

/// The scales of that name (`ft127`, `ft255`, `ft256`).
pub fn quantization(name: &str) -> Option<&'static Quantization> {
    QUANTIZATIONS.into_iter().find(|quantization| quantization.name == name)
}

/// The table has each name once.
impl PartialEq for Quantization {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Quantization {}

impl Word for &'static Quantization {
    const KIND: &'static str = "a set of scales";

    fn all() -> Vec<Self> {
        QUANTIZATIONS.to_vec()
    }

    fn name(self) -> &'static str {
        self.name
    }

    fn about(self) -> &'static str {
        self.about
    }
}
