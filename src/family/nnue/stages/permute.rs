//! `permute`: an integer network and an order of its neuron pairs → the same network with its neurons reordered.

use crate::error::{Error, Result};
use crate::net::{Permutation, QuantizedNetwork};

/// Reorders the neuron pairs of `network`; its evaluation does not change.
///
/// # Errors
/// When the architecture has no pairs, or the permutation is of another number of neurons.
pub fn permute(network: &mut QuantizedNetwork, permutation: &Permutation) -> Result<()> {
    check(network, permutation)?;
    network.permute(permutation.as_slice());
    Ok(())
}

/// As [`permute`], of a network that others still need.
///
/// # Errors
/// As [`permute`].
pub fn permuted(network: &QuantizedNetwork, permutation: &Permutation) -> Result<QuantizedNetwork> {
    check(network, permutation)?;
    Ok(network.permuted(permutation.as_slice()))
}

fn check(network: &QuantizedNetwork, permutation: &Permutation) -> Result<()> {
    let architecture = &network.architecture;
    if !architecture.generation.wiring.pairwise {
        return Err(Error::new(format!("{} has no neuron pairs to permute", architecture.generation.name))
            .because("its transformer outputs are not multiplied in pairs")
            .help("build this net without a permutation"));
    }
    permutation.check_len(architecture.l1 / 2)
}
