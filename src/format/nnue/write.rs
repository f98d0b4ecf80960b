//! Writing: the inverse of `read`, tensor by tensor, without a second copy of the weights.

use std::io::{self, Write};

use super::layout::{FtTensor, Role, ft_tensors};
use super::{Compression, LEB128_MAGIC, leb128};
use crate::net::{BlockWeights, QuantizedNetwork, le_bytes};

/// Writes `network`; see [`super::write_described`].
pub(super) fn write(out: &mut impl Write, network: &QuantizedNetwork, description: &[u8], compression: Compression) -> io::Result<()> {
    let architecture = &network.architecture;
    let word = |out: &mut dyn Write, value: u32| out.write_all(&value.to_le_bytes());
    word(out, architecture.version())?;
    word(out, architecture.header_hash())?;
    let length = u32::try_from(description.len()).map_err(|_| io::Error::other("the description is longer than 4 GiB"))?;
    word(out, length)?;
    out.write_all(description)?;
    word(out, architecture.ft_hash())?;
    for tensor in ft_tensors(architecture.generation, &architecture.features, architecture.l1) {
        write_tensor(out, network, &tensor, compression)?;
    }
    for stack in &network.stacks {
        word(out, architecture.fc_hash())?;
        for layer in &stack.layers {
            out.write_all(le_bytes(&layer.bias))?;
            out.write_all(bytemuck::cast_slice(&layer.weights))?;
        }
    }
    Ok(())
}

fn write_tensor(out: &mut impl Write, network: &QuantizedNetwork, tensor: &FtTensor, compression: Compression) -> io::Result<()> {
    let blocks = &network.blocks[tensor.blocks.clone()];
    match tensor.role {
        Role::Bias => write_values(out, &[network.ft_bias.as_slice()], compression),
        Role::Psqt => write_values(out, &blocks.iter().map(|block| block.psqt.as_slice()).collect::<Vec<_>>(), compression),
        Role::Weights => {
            let mut wide = Vec::with_capacity(blocks.len());
            for block in blocks {
                match &block.weights {
                    // A narrow tensor is one block and is never compressed.
                    BlockWeights::I8(weights) => out.write_all(bytemuck::cast_slice(weights))?,
                    BlockWeights::I16(weights) => wide.push(weights.as_slice()),
                }
            }
            if wide.is_empty() { Ok(()) } else { write_values(out, &wide, compression) }
        }
    }
}

fn write_values<T: leb128::Element>(out: &mut impl Write, parts: &[&[T]], compression: Compression) -> io::Result<()> {
    if compression == Compression::None {
        return parts.iter().try_for_each(|part| out.write_all(le_bytes(part)));
    }
    let length: usize = parts.iter().map(|part| leb128::encoded_len(part)).sum();
    let length = u32::try_from(length).map_err(|_| io::Error::other("a tensor needs more than 4 GiB of LEB128"))?;
    out.write_all(LEB128_MAGIC)?;
    out.write_all(&length.to_le_bytes())?;
    parts.iter().try_for_each(|part| leb128::encode(out, part))
}
