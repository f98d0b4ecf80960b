//! The trainers' modules in constructor form: which classes a pickled network calls, with which arguments and attributes.
//!
//! What is written here is what Python runs when it loads the file. The tensors are [`super::state_dict`]'s business, reading is
//! [`super::checkpoint`]'s.

use super::torch::PickleValue;
use crate::error::{Error, Result};
use crate::net::{Block, FT256, Factorized, Names, Network, ThreatTable, Wiring};

/// Which trainer's classes a module is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModuleProfile {
    /// The trainer of January 2026 (commit 024b206), with Lightning: `model.lightning_module.NNUE`.
    Seed,
    /// The trainer of July 2026 (commit 9f72946): `model.nnue.NNUE`.
    Head,
}

impl ModuleProfile {
    /// `seed` or `head`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Head => "head",
        }
    }
}

/// The module of the trainer of `profile` for `network`, without its tensors; `metadata` becomes attributes of its configuration.
///
/// # Errors
/// When that trainer has no such networks.
pub fn of(network: &Network<Factorized>, profile: ModuleProfile, metadata: &[(&'static str, String)]) -> Result<PickleValue> {
    match profile {
        ModuleProfile::Seed => seed_module(network, metadata),
        ModuleProfile::Head => head_module(network, metadata),
    }
}

/// A refusal that says why this trainer cannot hold the network.
fn unfit(profile: ModuleProfile, network: &Network<Factorized>, why: String) -> Error {
    let commit = match profile {
        ModuleProfile::Seed => "024b206",
        ModuleProfile::Head => "9f72946",
    };
    let generation = network.architecture.generation.name;
    Error::new(format!("the trainer of the profile `{}` (commit {commit}) has no module for this network of {generation}", profile.name()))
        .because(why)
        .help("write a state dict instead: its names are those of the trainer that the network is from")
}

/// `NNUE(FeatureSet([…]), ModelConfig(), QuantizationConfig())` with the attributes set on the configurations.
fn seed_module(network: &Network<Factorized>, metadata: &[(&'static str, String)]) -> Result<PickleValue> {
    const PROFILE: ModuleProfile = ModuleProfile::Seed;
    let architecture = &network.architecture;
    let refuse = |why: String| Err(unfit(PROFILE, network, why));
    if network.layout.names != Names::Linear {
        return refuse("its feature transformer is made of other tensors".into());
    }
    if architecture.generation.wiring != SEED_WIRING {
        return refuse("its dense layers are wired differently".into());
    }
    let mut blocks = Vec::new();
    for name in network.features().split('+') {
        let (bare, class) = match name.strip_suffix('^') {
            Some(bare) => (bare, "FactorizedFeatures"),
            None => (name, "Features"),
        };
        let module = match bare {
            "HalfKA" => "model.features.halfka",
            "HalfKAv2" => "model.features.halfka_v2",
            "HalfKAv2_hm" => "model.features.halfka_v2_hm",
            "Full_Threats" => "model.features.full_threats",
            _ => return refuse(format!("that trainer cannot construct the feature block `{name}`")),
        };
        blocks.push(PickleValue::global(module, class).reduce(vec![]));
    }
    for block in &network.blocks {
        if let Block::FullThreats(table) = block.block
            && table != ThreatTable::T79856
        {
            return refuse(format!("its threat block has {} rows, that trainer's has {}", table.rows(), ThreatTable::T79856.rows()));
        }
    }
    let features = PickleValue::global("model.features.feature_set", "FeatureSet").reduce(vec![PickleValue::List(blocks)]);
    let config = PickleValue::global("model.config", "ModelConfig").reduce(vec![]).build(sizes(network, metadata)?);
    let scales = architecture.quantization;
    let float = |value: f64| PickleValue::Float(value);
    let quantization = PickleValue::global("model.quantize", "QuantizationConfig").reduce(vec![]).build(vec![
        ("nnue2score", float(600.0)),
        ("weight_scale_hidden", float(64.0)),
        ("weight_scale_out", float(16.0)),
        ("ft_quantized_one", float(scales.ft)),
        ("hidden_quantized_one", float(127.0)),
    ]);
    Ok(PickleValue::global("model.lightning_module", "NNUE").reduce(vec![features, config, quantization]))
}

/// The wiring of the trainer of January 2026.
const SEED_WIRING: Wiring = Wiring::SKIP_SQUARED;
/// The wiring of the trainer of July 2026.
const HEAD_WIRING: Wiring = Wiring::DENSE;

/// `NNUE(NNUELightningConfig())` with the attributes set on the configurations.
fn head_module(network: &Network<Factorized>, metadata: &[(&'static str, String)]) -> Result<PickleValue> {
    const PROFILE: ModuleProfile = ModuleProfile::Head;
    let architecture = &network.architecture;
    let refuse = |why: String| Err(unfit(PROFILE, network, why));
    if network.layout.names != Names::Composed {
        return refuse("its feature transformer is made of other tensors".into());
    }
    if architecture.generation.wiring != HEAD_WIRING || *architecture.quantization != FT256 {
        return refuse("its dense layers are wired or scaled differently".into());
    }
    let features = network.features();
    for name in features.split('+') {
        if !matches!(name, "HalfKAv2_hm^" | "Full_Threats" | "PP_3Wide") {
            return refuse(format!("that trainer has no feature block `{name}`"));
        }
    }
    for block in &network.blocks {
        if let Block::FullThreats(table) = block.block
            && table != ThreatTable::T59808
        {
            return refuse(format!("its threat block has {} rows, that trainer's has {}", table.rows(), ThreatTable::T59808.rows()));
        }
    }
    let sizes = PickleValue::global("model.config", "ModelConfig").reduce(vec![]).build(sizes(network, metadata)?);
    let config = PickleValue::global("model.config", "NNUELightningConfig")
        .reduce(vec![])
        .build(vec![("features", PickleValue::str(features)), ("model_config", sizes)]);
    Ok(PickleValue::global("model.nnue", "NNUE").reduce(vec![config]))
}

/// Attributes of the trainer's `ModelConfig`, and what else the file says.
fn sizes(network: &Network<Factorized>, metadata: &[(&'static str, String)]) -> Result<Vec<(&'static str, PickleValue)>> {
    let architecture = &network.architecture;
    let mut attributes = Vec::new();
    for (name, size) in [("L1", architecture.l1), ("L2", architecture.l2), ("L3", architecture.l3)] {
        attributes.push((name, PickleValue::Int(i64::try_from(size).map_err(|_| Error::new(format!("{name} is too large")))?)));
    }
    attributes.extend(metadata.iter().map(|(key, value)| (*key, PickleValue::str(value))));
    Ok(attributes)
}
