//! Changes of a net: header, heads, encodings, batch norms. Whatever is not touched keeps its stored bytes.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::{
    and_more,
    fold::{Folded, Part},
    layer::{Decode, Encoding, Layer, encode, is_linear16_stable},
    net::{Net, Version},
    schema::{CONV_BLOCK, ENGINE_VERSION, Kind, LAYER, MessageType, TRAINING_PARAMS},
    view::{POLICY_HEADS, VALUE_HEADS},
    wire::{Message, Slice, Value},
};
use crate::{
    ctx::Ctx,
    error::{Error, Result},
};

impl Net {
    /// Sets the license's text, or removes it.
    pub fn set_license(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.message_mut().set("license", Value::Bytes(Slice::from_vec(text.as_bytes().to_vec()))),
            None => drop(self.message_mut().remove("license")),
        }
    }

    /// Sets `min_version`.
    ///
    /// # Errors
    /// When the net has layers that this version does not know.
    pub fn set_min_version(&mut self, version: Version) -> Result<()> {
        if version.number() < Version::LAYER_ENCODINGS.number()
            && let Some((path, encoding)) = self.first_new_encoding()
        {
            return Err(Error::new(format!("`min_version` cannot be {version}")).because(format!("`{path}` is stored as {encoding}")));
        }
        self.put_version(version);
        Ok(())
    }

    fn put_version(&mut self, version: Version) {
        let mut message = self.message.message("min_version").cloned().unwrap_or_else(|| Message::new(&ENGINE_VERSION));
        for (name, part) in [("major", version.0), ("minor", version.1), ("patch", version.2)] {
            message.set(name, Value::U32(part));
        }
        self.message_mut().set("min_version", Value::Message(message));
    }

    /// Raises `min_version` to what the net needs; says whether it was lower.
    pub fn raise_min_version(&mut self) -> bool {
        let needed = self.needed_version();
        let low = self.min_version().number() < needed.number();
        if low {
            self.put_version(needed);
        }
        low
    }

    /// Sets a training parameter from text, or removes it.
    ///
    /// # Errors
    /// When there is no such parameter, or the text is not a value of it.
    pub fn set_training(&mut self, name: &str, text: Option<&str>) -> Result<()> {
        let field = TRAINING_PARAMS.field(name).ok_or_else(|| {
            let known: Vec<&str> = TRAINING_PARAMS.fields.iter().map(|field| field.name).collect();
            Error::usage(format!("`{name}` is not a training parameter")).help(format!("known are {}", known.join(", ")))
        })?;
        let mut params = self.message.message("training_params").cloned().unwrap_or_else(|| Message::new(&TRAINING_PARAMS));
        let wrong = |text: &str| Error::usage(format!("`{text}` is not a value of `{name}`"));
        match text {
            None => drop(params.remove(name)),
            Some(text) => {
                let value = match field.kind {
                    Kind::U32 => Value::U32(text.parse().map_err(|_| wrong(text))?),
                    Kind::Float => Value::Float(text.parse().map_err(|_| wrong(text))?),
                    _ => Value::Bytes(Slice::from_vec(text.as_bytes().to_vec())),
                };
                params.set(name, value);
            }
        }
        self.message_mut().set("training_params", Value::Message(params));
        Ok(())
    }

    /// Removes all training parameters.
    pub fn strip_training(&mut self) {
        self.message_mut().remove("training_params");
    }

    /// Keeps the heads of these names and removes the others: `vanilla`, `optimistic`, `soft`, `opponent`; `winner`, `q`, `st`; and the
    /// keys of the head maps. A list that is `None` keeps all of its kind.
    ///
    /// # Errors
    /// When a head is asked for that the net does not have, or a list is given for a net without head groups.
    pub fn keep_heads(&mut self, policy: Option<&[&str]>, value: Option<&[&str]>) -> Result<()> {
        let groups =
            [("policy_heads", "policy_head_map", policy, &POLICY_HEADS[..]), ("value_heads", "value_head_map", value, &VALUE_HEADS[..])];
        for (group, map, keep, heads) in groups {
            let Some(keep) = keep else { continue };
            let found = self.weights().and_then(|weights| weights.message(group));
            let found = found.ok_or_else(|| Error::new(format!("the net has no `{group}` to choose from")))?;
            let keys: Vec<String> = found.messages(map).filter_map(|entry| entry.text("key")).collect();
            let mut have: Vec<&str> = heads.iter().filter(|(_, field)| found.has(field)).map(|(name, _)| *name).collect();
            have.extend(keys.iter().map(String::as_str));
            if let Some(missing) = keep.iter().find(|name| !have.contains(name)) {
                return Err(Error::new(format!("the net has no head `{missing}` in `{group}`")).help(format!("it has {}", have.join(", "))));
            }
            let Some(found) = self.message_mut().message_mut("weights").and_then(|weights| weights.message_mut(group)) else { continue };
            for (name, field) in heads {
                if !keep.contains(name) {
                    found.remove(field);
                }
            }
            let kept: Vec<Message> =
                found.messages(map).filter(|entry| entry.text("key").is_some_and(|key| keep.contains(&key.as_str()))).cloned().collect();
            found.remove(map);
            kept.into_iter().for_each(|entry| found.push(map, Value::Message(entry)));
        }
        Ok(())
    }

    /// Stores every layer in that encoding; layers that have it already keep their bytes. `min_version` is raised where needed. A warning
    /// names layers whose numbers linear16 cannot tell apart.
    ///
    /// # Errors
    /// When a layer cannot be decoded, or its values cannot be stored so; on cancellation.
    pub fn encode(&mut self, encoding: Encoding, decode: Decode, ctx: &Ctx) -> Result<()> {
        self.check_has_layers()?;
        let message = self.message_mut();
        // Of a large network the memory is the larger part: numbers that are no longer than before are put where those were. Not so where
        // someone else reads them, be it a layer that was grafted from the same place.
        let mut taken = first_params(message).and_then(|first| message.take_out(first));
        if taken.is_some() && !have_places_of_their_own(message) {
            taken.take().into_iter().for_each(|taken| message.give_back(taken));
        }
        let memory = taken.as_mut().map_or(&mut [][..], |taken| &mut taken.bytes);
        let encoded = message.message_mut("weights").map_or(Ok(()), |weights| encode_layers(weights, memory, encoding, decode, ctx));
        taken.into_iter().for_each(|taken| message.give_back(taken));
        encoded?;
        self.raise_min_version();
        Ok(())
    }

    /// Folds every batch norm into its convolution, which then has weights and biases only. They are stored as `encoding`, or as the
    /// weights were. lc0 computes the same from it, up to what the encoding rounds.
    ///
    /// # Errors
    /// When a batch norm does not fit its block, or values cannot be stored so; on cancellation.
    pub fn fold(&mut self, encoding: Option<Encoding>, decode: Decode, ctx: &Ctx) -> Result<()> {
        self.check_has_layers()?;
        if let Some(weights) = self.message_mut().message_mut("weights") {
            each_of_type(weights, &CONV_BLOCK, ctx, &|path, block| {
                let fold = || -> Result<Option<Message>> {
                    let folded = Folded::of(block, decode)?;
                    if !folded.is_folded() {
                        return Ok(None);
                    }
                    let stored = Layer::find(block, "weights").map_or(Ok(Encoding::Linear16), Layer::encoding)?;
                    let mut out = Message::new(&CONV_BLOCK);
                    for part in [Part::Weights, Part::Biases] {
                        let mut layer = Message::new(&LAYER);
                        encode(&folded.values(part)?, encoding.unwrap_or(stored))?.store(&mut layer);
                        out.set(part.name(), Value::Message(layer));
                    }
                    Ok(Some(out))
                };
                if let Some(folded) = fold().map_err(|error| error.context(format!("the block `{path}` cannot be folded")))? {
                    *block = folded;
                }
                Ok(())
            })?;
        }
        self.raise_min_version();
        Ok(())
    }

    /// Replaces a part of the weights by the same part of another net, bytes and all: a path such as `policy_heads.soft` or `encoder.3`.
    ///
    /// # Errors
    /// When either net has no such part.
    pub fn graft(&mut self, from: &Net, path: &str) -> Result<()> {
        let missing = |whose: &str| Error::new(format!("{whose} net has no `{path}`"));
        from.check_has_layers()?;
        self.check_has_layers()?;
        let part = from.weights().and_then(|weights| find(weights, path)).ok_or_else(|| missing("the other"))?.clone();
        let target = self.message_mut().message_mut("weights").and_then(|weights| find_mut(weights, path));
        *target.ok_or_else(|| missing("the"))? = part;
        self.raise_min_version();
        Ok(())
    }
}

/// The message at a path.
pub(super) fn find<'a>(mut message: &'a Message, path: &str) -> Option<&'a Message> {
    let mut parts = path.split('.').peekable();
    while let Some(name) = parts.next() {
        let at = parts.next_if(|part| part.parse::<usize>().is_ok()).map_or(Some(0), |part| part.parse().ok())?;
        message = message.messages(name).nth(at)?;
    }
    Some(message)
}

fn find_mut<'a>(mut message: &'a mut Message, path: &str) -> Option<&'a mut Message> {
    let mut parts = path.split('.').peekable();
    while let Some(name) = parts.next() {
        let at: usize = parts.next_if(|part| part.parse::<usize>().is_ok()).map_or(Some(0), |part| part.parse().ok())?;
        let (_, values) = message.fields_mut().find(|(field, _)| field.name == name)?;
        let Value::Message(inner) = values.get_mut(at)? else { return None };
        message = inner;
    }
    Some(message)
}

type Change<'a> = dyn Fn(&str, &mut Message) -> Result<()> + Sync + 'a;

/// Changes every message of a type below `message`, on all cores.
pub(super) fn each_of_type(message: &mut Message, ty: &'static MessageType, ctx: &Ctx, change: &Change<'_>) -> Result<()> {
    let mut found = Vec::new();
    collect(message, ty, "", &mut found);
    found.into_par_iter().try_for_each(|(path, message)| {
        ctx.check()?;
        change(&path, message)
    })
}

/// The numbers of the first layer that has any.
fn first_params(message: &mut Message) -> Option<Slice> {
    let mut layers = Vec::new();
    collect(message, &LAYER, "", &mut layers);
    layers.iter().find_map(|(_, layer)| layer.bytes("params").filter(|piece| !piece.is_empty()).cloned())
}

/// Whether no two layers lie in the same part of the memory that was taken out of them.
fn have_places_of_their_own(message: &mut Message) -> bool {
    let mut layers = Vec::new();
    collect(message, &LAYER, "", &mut layers);
    let mut places: Vec<_> = layers.iter().filter_map(|(_, layer)| layer.bytes("params")?.place()).collect();
    places.sort_by_key(|place| (place.start, place.end));
    places.windows(2).all(|pair| pair[0].end <= pair[1].start)
}

/// Encodes layers on all cores: each in its place of `memory`, which was taken out of it, or in memory of its own.
fn encode_layers(weights: &mut Message, memory: &mut [u8], encoding: Encoding, decode: Decode, ctx: &Ctx) -> Result<()> {
    let mut layers = Vec::new();
    collect(weights, &LAYER, "", &mut layers);
    let close = Mutex::new(Vec::new());
    let encoded = with_places(layers, memory).into_par_iter().try_for_each(|(path, layer, place)| {
        ctx.check()?;
        let view = Layer::of(layer);
        if view.encoding_for(decode)? == encoding {
            return Ok(());
        }
        let values = place.as_deref().map_or_else(|| view.values(decode), |stored| view.values_of(stored, decode))?;
        let encoded =
            encode(&values, encoding).map_err(|error| error.context(format!("`{path}` cannot be stored as {}", encoding.name())))?;
        if let Some((min, max)) = encoded.range
            && values.len() > 1
            && min < max
            && !is_linear16_stable(min, max)
        {
            close.lock().unwrap_or_else(PoisonError::into_inner).push((path, min, max));
        }
        match place {
            Some(place) => encoded.store_in(layer, place),
            None => encoded.store(layer),
        }
        Ok(())
    });
    warn_of_close(close.into_inner().unwrap_or_else(PoisonError::into_inner), ctx);
    encoded
}

/// Layers in the order of their places in `memory`, each with its own.
fn with_places<'a, 'm>(
    mut layers: Vec<(String, &'a mut Message)>,
    memory: &'m mut [u8],
) -> Vec<(String, &'a mut Message, Option<&'m mut [u8]>)> {
    let place = |layer: &Message| layer.bytes("params").and_then(Slice::place);
    layers.sort_by_key(|(_, layer)| place(layer).map_or(0, |place| place.start));
    let (mut rest, mut at) = (memory, 0);
    let mut placed = Vec::with_capacity(layers.len());
    for (path, layer) in layers {
        let own = place(layer).map(|place| {
            let (_, from) = std::mem::take(&mut rest).split_at_mut(place.start - at);
            let (own, after) = from.split_at_mut(place.len());
            (rest, at) = (after, place.end);
            own
        });
        placed.push((path, layer, own));
    }
    placed
}

/// Warns of layers whose numbers, between these ends, linear16 cannot tell apart.
fn warn_of_close(mut close: Vec<(String, f32, f32)>, ctx: &Ctx) {
    close.sort_by(|a, b| a.0.cmp(&b.0));
    if let [(path, min, max), others @ ..] = &close[..] {
        let more = and_more(others.len());
        ctx.warn(format!(
            "`{path}` loses precision as linear16: from {min} to {max} single precision has fewer numbers than there are codes{more}"
        ));
    }
}

fn collect<'a>(message: &'a mut Message, wanted: &'static MessageType, path: &str, found: &mut Vec<(String, &'a mut Message)>) {
    for (field, values) in message.fields_mut() {
        let Kind::Message(ty) = field.kind else { continue };
        for (at, value) in values.iter_mut().enumerate() {
            let Value::Message(inner) = value else { continue };
            let path = if field.repeated { format!("{path}{}.{at}", field.name) } else { format!("{path}{}", field.name) };
            if ty.name == wanted.name {
                found.push((path, inner));
            } else {
                collect(inner, wanted, &format!("{path}."), found);
            }
        }
    }
}
