//! A request as the messages that name it: folders, command, action. The same request gives the same bytes on every machine.

use std::collections::BTreeMap;

use prost::Message;

use super::super::execute::{Blob, Failure, Request};
use super::super::messages::Digest;
use super::messages::{Action, Command, Directory, DirectoryNode, Duration, FileNode, Platform, Property};

/// An action with all messages that it is made of.
pub(super) struct Built {
    /// The action's own name.
    pub(super) action: Blob,
    /// The action, its command and its folders.
    pub(super) messages: Vec<(Blob, Vec<u8>)>,
}

/// One folder: sorted by name, as the protocol wants it.
#[derive(Default)]
struct Folder<'a> {
    files: BTreeMap<&'a str, (Blob, bool)>,
    folders: BTreeMap<&'a str, Folder<'a>>,
}

/// The messages of `request`.
///
/// # Errors
/// When a path is not one below the root, or leads to two files.
pub(super) fn build(request: &Request) -> Result<Built, Failure> {
    let mut root = Folder::default();
    for input in &request.inputs {
        let refused = || Failure::Refused(format!("`{}` is not a place for an input", input.path));
        let mut folder = &mut root;
        let mut parts = input.path.split('/').peekable();
        while let Some(part) = parts.next() {
            if matches!(part, "" | "." | "..") {
                return Err(refused());
            }
            if parts.peek().is_some() {
                if folder.files.contains_key(part) {
                    return Err(refused());
                }
                folder = folder.folders.entry(part).or_default();
            } else if folder.folders.contains_key(part) || folder.files.insert(part, (input.blob, input.executable)).is_some() {
                return Err(refused());
            }
        }
    }
    let mut messages = Vec::new();
    let root = root.encode(&mut messages);
    let mut outputs = request.outputs.clone();
    outputs.sort_unstable();
    let properties = request.properties.iter().map(|(name, value)| Property { name: name.clone(), value: value.clone() });
    let platform = (!request.properties.is_empty()).then(|| Platform { properties: properties.collect() });
    let command =
        Command { arguments: request.arguments.clone(), output_files: outputs.clone(), platform: platform.clone(), output_paths: outputs };
    let command = add(&command, &mut messages);
    let timeout = Duration { seconds: i64::try_from(request.timeout.as_secs()).unwrap_or(i64::MAX) };
    let action = Action { command_digest: Some(command.into()), input_root_digest: Some(root.into()), timeout: Some(timeout), platform };
    let action = add(&action, &mut messages);
    Ok(Built { action, messages })
}

impl Folder<'_> {
    /// Appends the messages of this folder and of those below; gives its name.
    fn encode(&self, messages: &mut Vec<(Blob, Vec<u8>)>) -> Blob {
        let files = self.files.iter().map(|(name, (blob, executable))| FileNode {
            name: (*name).to_owned(),
            digest: Some((*blob).into()),
            is_executable: *executable,
        });
        let files = files.collect();
        let mut directories = Vec::new();
        for (name, folder) in &self.folders {
            directories.push(DirectoryNode { name: (*name).to_owned(), digest: Some(folder.encode(messages).into()) });
        }
        add(&Directory { files, directories }, messages)
    }
}

fn add(message: &impl Message, messages: &mut Vec<(Blob, Vec<u8>)>) -> Blob {
    let bytes = message.encode_to_vec();
    let blob = Blob::of(&bytes);
    messages.push((blob, bytes));
    blob
}

impl From<Blob> for Digest {
    fn from(blob: Blob) -> Self {
        Self { hash: blob.sha256.to_string(), size_bytes: i64::try_from(blob.bytes).unwrap_or(i64::MAX) }
    }
}

#[cfg(test)]
mod tests;
