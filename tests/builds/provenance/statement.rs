//! A validator of statements written from the specifications, not from this program: in-toto Statement v1 with its field types
//! (ResourceDescriptor, DigestSet, ResourceURI, TypeURI) and the predicate SLSA Provenance v1.

use serde_json::Value;

type Checked<T = ()> = Result<T, String>;

/// The members of an object: all `required` ones, no others than those and the `optional` ones, none null.
fn members<'v>(value: &'v Value, place: &str, required: &[&str], optional: &[&str]) -> Checked<&'v serde_json::Map<String, Value>> {
    let object = value.as_object().ok_or_else(|| format!("{place} is not an object"))?;
    if let Some(name) = required.iter().find(|name| !object.contains_key(**name)) {
        return Err(format!("{place} has no `{name}`"));
    }
    match object.iter().find(|(name, value)| value.is_null() || ![required, optional].concat().contains(&name.as_str())) {
        Some((name, _)) => Err(format!("{place} has `{name}`")),
        None => Ok(object),
    }
}

fn string<'v>(value: &'v Value, place: &str) -> Checked<&'v str> {
    value.as_str().ok_or_else(|| format!("{place} is not a string"))
}

/// RFC 3986 with a scheme; scheme and authority in lower case, as in-toto asks for.
fn uri(value: &Value, place: &str) -> Checked {
    let text = string(value, place)?;
    let wrong = |why: &str| Err(format!("{place}: {why} in `{text}`"));
    let Some((scheme, rest)) = text.split_once(':') else { return wrong("no scheme") };
    let mut letters = scheme.bytes();
    if !letters.next().is_some_and(|c| c.is_ascii_lowercase())
        || !letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+-.".contains(&c))
    {
        return wrong("a bad scheme");
    }
    if let Some(authority) = rest.strip_prefix("//")
        && authority.split('/').next().unwrap_or_default().bytes().any(|c| c.is_ascii_uppercase())
    {
        return wrong("an authority in capitals");
    }
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        let is_encoded = byte == b'%' && [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|c| c.is_ascii_hexdigit()));
        if !(is_encoded || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?#".contains(&byte)) {
            return wrong("a character that must be encoded");
        }
    }
    if rest.is_empty() { wrong("nothing behind the scheme") } else { Ok(()) }
}

/// Lower-case hexadecimal digits, as many as the algorithm gives.
fn digest_set(value: &Value, place: &str) -> Checked {
    let object = value.as_object().filter(|object| !object.is_empty()).ok_or_else(|| format!("{place} is not a set of digests"))?;
    for (algorithm, digest) in object {
        let digits = match algorithm.as_str() {
            "sha256" | "blake3" => 64,
            other => return Err(format!("{place} has the algorithm `{other}`")),
        };
        let digest = string(digest, place)?;
        if digest.len() != digits || !digest.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("{place}.{algorithm} is `{digest}`"));
        }
    }
    Ok(())
}

fn resource_descriptor(value: &Value, place: &str) -> Checked {
    let all = ["name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"];
    let object = members(value, place, &[], &all)?;
    if !["uri", "digest", "content"].iter().any(|name| object.contains_key(*name)) {
        return Err(format!("{place} describes nothing"));
    }
    for (name, value) in object {
        let place = format!("{place}.{name}");
        match name.as_str() {
            "uri" | "downloadLocation" => uri(value, &place)?,
            "digest" => digest_set(value, &place)?,
            "annotations" => drop(value.as_object().ok_or_else(|| format!("{place} is not an object"))?),
            _ => drop(string(value, &place)?),
        }
    }
    Ok(())
}

fn resource_descriptors<'v>(value: &'v Value, place: &str) -> Checked<&'v [Value]> {
    let list = value.as_array().ok_or_else(|| format!("{place} is not a list"))?;
    for (index, each) in list.iter().enumerate() {
        resource_descriptor(each, &format!("{place}[{index}]"))?;
    }
    Ok(list)
}

/// The whole: Statement v1, predicate Provenance v1.
pub fn statement(statement: &Value) -> Checked {
    let object = members(statement, "statement", &["_type", "subject", "predicateType", "predicate"], &[])?;
    for (name, expected) in [("_type", "https://in-toto.io/Statement/v1"), ("predicateType", "https://slsa.dev/provenance/v1")] {
        uri(&object[name], name)?;
        if object[name] != expected {
            return Err(format!("{name} is {}", object[name]));
        }
    }
    let subjects = resource_descriptors(&object["subject"], "subject")?;
    if subjects.is_empty() || subjects.iter().any(|subject| subject.get("digest").is_none()) {
        return Err("a subject without a digest".into());
    }
    let predicate = members(&object["predicate"], "predicate", &["buildDefinition", "runDetails"], &[])?;
    let optional = ["internalParameters", "resolvedDependencies"];
    let definition = members(&predicate["buildDefinition"], "buildDefinition", &["buildType", "externalParameters"], &optional)?;
    uri(&definition["buildType"], "buildType")?;
    let external = definition["externalParameters"].as_object().ok_or("externalParameters is not an object")?;
    if let Some(internal) = definition.get("internalParameters") {
        let internal = internal.as_object().ok_or("internalParameters is not an object")?;
        if let Some(name) = internal.keys().find(|name| external.contains_key(*name)) {
            return Err(format!("`{name}` is an external and an internal parameter"));
        }
    }
    if let Some(dependencies) = definition.get("resolvedDependencies") {
        resource_descriptors(dependencies, "resolvedDependencies")?;
    }
    let details = members(&predicate["runDetails"], "runDetails", &["builder"], &["metadata", "byproducts"])?;
    let builder = members(&details["builder"], "builder", &["id"], &["builderDependencies", "version"])?;
    uri(&builder["id"], "builder.id")?;
    if let Some(versions) = builder.get("version") {
        for (name, version) in versions.as_object().ok_or("builder.version is not an object")? {
            string(version, &format!("builder.version.{name}"))?;
        }
    }
    if let Some(metadata) = details.get("metadata") {
        members(metadata, "metadata", &[], &["invocationId", "startedOn", "finishedOn"])?;
    }
    if let Some(byproducts) = details.get("byproducts") {
        resource_descriptors(byproducts, "byproducts")?;
    }
    Ok(())
}
