//! What a user says of a network before it is read.

use super::{Generation, Quantization};

/// What a user says about a file: each given value is checked, and chooses where the file leaves a choice.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// Feature set; `^` is ignored, since a `.nnue` file has no virtual features.
    pub features: Option<String>,
    /// Outputs of the feature transformer.
    pub l1: Option<usize>,
    /// Outputs of the first dense layer.
    pub l2: Option<usize>,
    /// Outputs of the second dense layer.
    pub l3: Option<usize>,
    /// The generation.
    pub architecture: Option<&'static Generation>,
    /// The scales.
    pub quantization: Option<&'static Quantization>,
    /// The dict of tensors that is meant in a PyTorch file with several: its path of keys, joined by `/`.
    pub state_dict: Option<String>,
}
