use super::*;
use crate::net::{BlockWeights, padded, random_network};
use crate::positions::{Color, active_features, generate};
use crate::random::SplitMix;

fn refusal(source: &QuantizedNetwork, published: &QuantizedNetwork, positions: &[Position]) -> Option<String> {
    prove(source, published, positions, &Ctx::silent()).err().map(|error| error.to_string())
}

#[test]
fn a_permuted_net_is_proven_and_the_digest_is_of_the_raw_integers() {
    let network = random_network("SFNNv15", 32, 3);
    let mut permuted = network.clone();
    permuted.permute(&(0..16).rev().collect::<Vec<_>>());
    let positions = generate(1, 40);
    let proof = prove(&network, &permuted, &positions, &Ctx::silent()).unwrap();
    assert_eq!(proof, prove(&network, &network, &positions, &Ctx::silent()).unwrap());
    let raws: Vec<i32> = positions
        .iter()
        .flat_map(|position| trace(&network, position).buckets)
        .flat_map(|bucket| [bucket.raw.psqt, bucket.raw.positional])
        .collect();
    let mut hasher = blake3::Hasher::new_derive_key("nnue 2026-11 evaluations");
    hasher.update(le_bytes(&raws));
    assert_eq!((proof.positions, proof.digest), (40, hasher.finalize()));
}

/// One bit of one weight of a kind of tensor.
type Flip = Box<dyn Fn(&mut QuantizedNetwork)>;

/// Single bits of each kind of tensor, with the layer that shows them first. Rows of the transformer are active in some position.
fn flips(network: &QuantizedNetwork, positions: &[Position], random: &mut SplitMix) -> Vec<(String, &'static str, Flip)> {
    /// Most weights meet sums that are clipped, so many tries are kept ready.
    const EACH: usize = 40;
    let l1 = network.architecture.l1;
    let mut flips: Vec<(String, &'static str, Flip)> = Vec::new();
    for _ in 0..EACH {
        let mut below = |limit: usize| (random.next_u64() % limit as u64) as usize;
        let (neuron, bit) = (below(l1), below(8));
        flips.push(("ft.bias".into(), "ft", Box::new(move |net| net.ft_bias[neuron] ^= 1 << bit)));
        for (index, block) in network.blocks.iter().enumerate() {
            let mut rows = Vec::new();
            positions.iter().for_each(|position| active_features(block.block, position, Color::White, &mut rows));
            let (row, at, bit, bucket) = (rows[below(rows.len())] as usize, below(l1), below(7), below(8));
            let flip: Flip = Box::new(move |net| match &mut net.blocks[index].weights {
                BlockWeights::I8(weights) => weights[row * l1 + at] ^= 1 << bit,
                BlockWeights::I16(weights) => weights[row * l1 + at] ^= 1 << bit,
            });
            flips.push((format!("block {index} weight"), "ft", flip));
            if !block.psqt.is_empty() {
                flips.push((
                    format!("block {index} psqt"),
                    "psqt",
                    Box::new(move |net| net.blocks[index].psqt[row * 8 + bucket] ^= 8 << bit),
                ));
            }
        }
        let stack = below(network.stacks.len());
        for (layer, name) in LAYER_NAMES.into_iter().enumerate() {
            let dense = &network.stacks[stack].layers[layer];
            let (row, input, bit) = (below(dense.bias.len()), below(dense.inputs), below(8));
            let at = row * padded(dense.inputs) + input;
            flips.push((format!("{name}.bias"), name, Box::new(move |net| net.stacks[stack].layers[layer].bias[row] ^= 1 << bit)));
            flips.push((
                format!("{name}.weight"),
                name,
                Box::new(move |net| {
                    let weight = &mut net.stacks[stack].layers[layer].weights[at];
                    *weight = (weight.cast_unsigned() ^ 1 << bit).cast_signed();
                }),
            ));
        }
    }
    flips
}

/// One flipped bit is found exactly where it changes a sum of the reference, and for every kind of tensor there is one that does.
#[test]
fn one_flipped_bit_that_matters_is_found() {
    let positions = generate(5, 16);
    let mut random = SplitMix::new(8);
    for name in ["SFNNv1", "SFNNv3", "SFNNv4", "SFNNv5", "SFNNv10a", "SFNNv12", "SFNNv14.1", "SFNNv15", "SFNNv16"] {
        let network = random_network(name, 32, 3);
        let sums = |network: &QuantizedNetwork| -> Vec<_> {
            let buckets = positions.iter().flat_map(|position| trace(network, position).buckets);
            buckets.map(|bucket| (bucket.raw, bucket.l1, bucket.l2)).collect()
        };
        let expected = sums(&network);
        // Tries and hits.
        let mut found: HashMap<String, (u32, u32)> = HashMap::new();
        let mut changed = network.clone();
        for (kind, layer, flip) in flips(&network, &positions, &mut random) {
            let (tries, hits) = found.entry(kind.clone()).or_default();
            if *tries >= 4 && *hits > 0 {
                continue;
            }
            flip(&mut changed);
            let matters = sums(&changed) != expected;
            let refusal = refusal(&network, &changed, &positions);
            assert_eq!(refusal.is_some(), matters, "{name} {kind}");
            (*tries, *hits) = (*tries + 1, *hits + u32::from(matters));
            if let Some(refusal) = refusal {
                let place = format!("layer `{layer}`, neuron");
                assert!(refusal.contains(&place) && refusal.contains("position `") && refusal.contains("bucket"), "{kind}: {refusal}");
            }
            flip(&mut changed);
        }
        assert!(changed == network && found.values().all(|(_, hits)| *hits > 0), "{name} {found:?}");
    }
}

#[test]
fn other_architectures_are_refused() {
    let refusal = refusal(&random_network("SFNNv5", 16, 1), &random_network("SFNNv4", 16, 1), &generate(1, 1)).unwrap();
    assert!(refusal.contains("SFNNv4") && refusal.contains("SFNNv5"), "{refusal}");
}
