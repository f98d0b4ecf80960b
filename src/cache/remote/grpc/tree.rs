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
mod tests {
    use super::super::super::execute::Input;
    use super::*;

    fn request(paths: &[&str]) -> Request {
        Request {
            arguments: vec!["./nnue".to_owned()],
            inputs: paths.iter().map(|path| Input::memory(path, path.as_bytes().to_vec())).collect(),
            outputs: vec!["out/record".to_owned(), "out/artifact".to_owned()],
            timeout: std::time::Duration::from_secs(60),
            queue_timeout: std::time::Duration::from_secs(60),
            properties: BTreeMap::from([("OSFamily".to_owned(), "Linux".to_owned())]),
            skip_cache: false,
            net: String::new(),
            stage: String::new(),
        }
    }

    #[test]
    fn folders_are_sorted_and_the_order_of_inputs_changes_nothing() {
        let built = build(&request(&["nnue", "in/b", "in/a", "in/c/d"])).unwrap();
        assert_eq!(built.action, build(&request(&["in/c/d", "in/a", "in/b", "nnue"])).unwrap().action);
        // `in/c`, `in`, the root, the command, the action.
        assert_eq!(built.messages.len(), 5);
        let inner = Directory::decode(built.messages[1].1.as_slice()).unwrap();
        assert_eq!(inner.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(inner.directories[0].digest, Some(built.messages[0].0.into()));
        let command = Command::decode(built.messages[3].1.as_slice()).unwrap();
        assert_eq!(command.output_paths, ["out/artifact", "out/record"]);
        assert_eq!(command.output_files, command.output_paths);
        let action = Action::decode(built.messages[4].1.as_slice()).unwrap();
        assert_eq!(action.platform, command.platform);
        assert_eq!(action.timeout, Some(Duration { seconds: 60 }));
        for (blob, bytes) in &built.messages {
            assert_eq!(*blob, Blob::of(bytes));
        }
    }

    #[test]
    fn what_decides_the_result_decides_the_name() {
        let name = |change: fn(&mut Request)| {
            let mut request = request(&["nnue", "in/a"]);
            change(&mut request);
            build(&request).unwrap().action
        };
        let changes: [fn(&mut Request); 6] = [
            |_| {},
            |request| request.arguments.push("x".to_owned()),
            |request| request.inputs[0].executable = true,
            |request| request.inputs[1] = Input::memory("in/a", b"b".to_vec()),
            |request| request.outputs.push("x".to_owned()),
            |request| drop(request.properties.insert("a".to_owned(), "b".to_owned())),
        ];
        let names: std::collections::HashSet<_> = changes.into_iter().map(name).collect();
        assert_eq!(names.len(), 6);
        assert_eq!(name(|request| request.net.push('x')), name(|request| request.skip_cache = true));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for paths in [&["../a"][..], &["/a"], &["a//b"], &["a/./b"], &[""], &["a", "a"], &["a", "a/b"], &["a/b", "a"], &["a/"]] {
            assert!(matches!(build(&request(paths)), Err(Failure::Refused(_))), "{paths:?}");
        }
    }
}
