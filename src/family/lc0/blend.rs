//! Weighted averages of nets of one structure.

use std::collections::HashMap;

use super::{
    edit::each_of_type,
    findings::each_layer,
    layer::{Decode, Encoding, Layer, encode},
    net::Net,
    schema::LAYER,
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
};

/// Averages nets: each float is the sum of `share · value` in double precision, in the order of the list, divided by the sum of the
/// shares and rounded once. Header and shapes are the first net's; a layer whose floats stay those of the first keeps its bytes, another is
/// stored as `encoding`, or as the first net stores it.
///
/// # Errors
/// When the list is empty, a share is not a number or all are zero together, the nets' layers differ in name or size, or a result cannot be
/// stored; on cancellation.
pub fn blend(nets: &[(&Net, f64)], encoding: Option<Encoding>, decode: Decode, ctx: &Ctx) -> Result<Net> {
    let (first, _) = nets.first().ok_or_else(|| Error::usage("there are no nets to blend"))?;
    let total: f64 = nets.iter().map(|(_, share)| share).sum();
    if !total.is_finite() || total == 0.0 {
        return Err(Error::usage(format!("the shares of a blend come to {total}")));
    }
    nets.iter().try_for_each(|(net, _)| net.check_has_layers())?;
    let maps: Vec<HashMap<String, Layer<'_>>> = nets.iter().map(|(net, _)| layers_of(net)).collect();
    for (map, at) in maps.iter().zip(1..).skip(1) {
        check_same(&maps[0], map, at, decode)?;
    }
    let mut blended = (*first).clone();
    if let Some(weights) = blended.message_mut().message_mut("weights") {
        each_of_type(weights, &LAYER, ctx, &|path, layer| {
            let own = Layer::of(layer).values(decode)?;
            let mut sums = vec![0f64; own.len()];
            for (map, (_, share)) in maps.iter().zip(nets) {
                let Some(source) = map.get(path) else { continue };
                for (sum, value) in sums.iter_mut().zip(source.values(decode)?) {
                    *sum += share * f64::from(value);
                }
            }
            let mixed: Vec<f32> = sums.into_iter().map(|sum| (sum / total) as f32).collect();
            if mixed.iter().zip(&own).any(|(a, b)| a.to_bits() != b.to_bits()) {
                let encoding = encoding.map_or_else(|| Layer::of(layer).encoding_for(decode), Ok)?;
                encode(&mixed, encoding).map_err(|error| error.context(format!("`{path}` cannot be stored")))?.store(layer);
            }
            Ok(())
        })?;
    }
    blended.raise_min_version();
    Ok(blended)
}

fn layers_of(net: &Net) -> HashMap<String, Layer<'_>> {
    let mut layers = HashMap::new();
    if let Some(weights) = net.weights() {
        each_layer(weights, "", &mut |path, layer| {
            layers.insert(path.to_owned(), layer);
        });
    }
    layers
}

fn check_same(a: &HashMap<String, Layer<'_>>, b: &HashMap<String, Layer<'_>>, at: usize, decode: Decode) -> Result<()> {
    let differs = |path: &str, how: String| {
        Err(Error::new(format!("net {at} of the blend has another structure than the first")).because(format!("`{path}` {how}")))
    };
    let mut paths: Vec<&String> = a.keys().chain(b.keys()).collect();
    paths.sort();
    for path in paths {
        match (a.get(path), b.get(path)) {
            (Some(a), Some(b)) => {
                let (a, b) = (a.count(decode)?, b.count(decode)?);
                if a != b {
                    return differs(path, format!("has {b} elements, not {a}"));
                }
            }
            (Some(_), None) => return differs(path, "is absent".into()),
            _ => return differs(path, "is in it alone".into()),
        }
    }
    Ok(())
}
