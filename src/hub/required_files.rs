//! The files needed from a repository, and those that a directory lacks.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::checkpoint::sentence;
use crate::error::{Error, Result};
use crate::io::{from_json_file, is_path_inside};

/// Maximum size of an index of shards in bytes.
pub(crate) const MAX_INDEX: u64 = 64 << 20;

/// Extension of an index of shards.
const INDEX: &str = ".index.json";

/// A part of a model and the files that can contain it. An index (`*.index.json`) implies the shards that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredFile<'a> {
    /// The first of these that exists. At least one is required.
    OneOf(&'a [&'a str]),
    /// All of these that exist. At least one is required.
    AnyOf(&'a [&'a str]),
    /// All of these that exist, if any.
    Optional(&'a [&'a str]),
}

/// sentence-transformers' list of modules. The files that the modules need are fetched as well.
pub(crate) const MODULES: &str = sentence::MODULES;

/// The subdirectory in which older versions of sentence-transformers store the model itself. Files in it are only
/// searched for if the configuration is there.
pub(crate) const NESTED: &str = "0_Transformer/";

/// The files of an ALBERT model.
pub const ALBERT_FILES: [RequiredFile<'static>; 5] = [
    RequiredFile::Optional(&[MODULES]),
    RequiredFile::OneOf(&["config.json", "0_Transformer/config.json"]),
    RequiredFile::AnyOf(&[
        "tokenizer.json",
        "spiece.model",
        "30k-clean.model",
        "vocab.txt",
        "0_Transformer/tokenizer.json",
        "0_Transformer/spiece.model",
        "0_Transformer/vocab.txt",
    ]),
    RequiredFile::Optional(&[
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "0_Transformer/tokenizer_config.json",
        "0_Transformer/special_tokens_map.json",
        "0_Transformer/added_tokens.json",
    ]),
    RequiredFile::OneOf(&[
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "tf_model.h5",
        "flax_model.msgpack",
        "rust_model.ot",
        "model.onnx",
        "0_Transformer/model.safetensors",
        "0_Transformer/pytorch_model.bin",
    ]),
];

/// The files of a PEFT adapter. Its base model is another repository.
pub const ADAPTER_FILES: [RequiredFile<'static>; 4] = [
    RequiredFile::Optional(&[MODULES]),
    RequiredFile::OneOf(&["adapter_config.json"]),
    RequiredFile::Optional(&[
        "config.json",
        "tokenizer.json",
        "spiece.model",
        "vocab.txt",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ]),
    RequiredFile::OneOf(&["adapter_model.safetensors", "adapter_model.bin"]),
];

/// The files of a tokenizer.
pub const TOKENIZER_FILES: [RequiredFile<'static>; 2] = [
    RequiredFile::AnyOf(&["tokenizer.json", "spiece.model", "30k-clean.model", "vocab.txt"]),
    RequiredFile::Optional(&["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"]),
];

/// Joins names for a message. Names in older layouts are left out.
pub(crate) fn listed(names: &[&str]) -> String {
    let usual: Vec<&str> = names.iter().copied().filter(|name| !name.starts_with(NESTED)).collect();
    usual.join(" or ")
}

/// Returns the files that the modules of a `modules.json` need. Each file is a list of possible names, of which one
/// suffices. The file is optional if the last name is empty.
///
/// # Errors
/// [`Error::BadFile`] if it is not a list of modules.
pub(crate) fn files_of_modules(directory: &Path) -> Result<Vec<Vec<String>>> {
    let mut files = Vec::new();
    for module in sentence::modules_in(directory)?.unwrap_or_default() {
        let path = |name: &str| match module.path.as_str() {
            "" => name.to_owned(),
            below => format!("{}/{name}", below.trim_end_matches('/')),
        };
        let optional = |names: &[&str]| names.iter().map(|n| path(n)).chain([String::new()]).collect();
        match module.kind() {
            _ if module.is_transformer() => files.push(optional(&sentence::TRANSFORMER_CONFIGS)),
            "Pooling" => files.push(vec![path("config.json")]),
            "Dense" | "LayerNorm" => {
                files.push(vec![path("config.json")]);
                files.push(vec![path("model.safetensors"), path("pytorch_model.bin")]);
            }
            _ => {}
        }
    }
    files.push(vec![sentence::MODEL_CONFIG.to_owned(), String::new()]);
    Ok(files)
}

/// Returns the names of a file that the modules need and the directory lacks, if there is one.
fn missing_of_modules(directory: &Path) -> Option<String> {
    // Unreadable files are reported when they are used.
    let files = files_of_modules(directory).unwrap_or_default();
    let is_missing =
        |names: &&Vec<String>| !names.iter().any(|name| name.is_empty() || directory.join(name).is_file());
    files.iter().find(is_missing).map(|names| names.join(" or "))
}

/// Returns the name of a file missing from a snapshot, as far as the snapshot itself reveals it.
pub(crate) fn missing_in(snapshot: &Path, required_files: &[RequiredFile<'_>]) -> Option<String> {
    required_files.iter().find_map(|part| match part {
        RequiredFile::OneOf(names) => match first_in(snapshot, names) {
            None => Some(listed(names)),
            Some(name) if is_index(name) => missing_shard(snapshot, name),
            Some(_) => None,
        },
        RequiredFile::AnyOf(names) => first_in(snapshot, names).is_none().then(|| listed(names)),
        RequiredFile::Optional(names) if names.contains(&MODULES) => missing_of_modules(snapshot),
        RequiredFile::Optional(_) => None,
    })
}

/// Returns the first of `names` that exists in the directory.
pub(crate) fn first_in<'a>(directory: &Path, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| directory.join(name).is_file())
}

fn missing_shard(directory: &Path, index: &str) -> Option<String> {
    match shards_of(directory, index) {
        Ok(shards) => shards.into_iter().find(|shard| !directory.join(shard).is_file()),
        Err(_) => Some(format!("readable {index}")),
    }
}

/// Returns true if a file is an index of shards.
pub(crate) fn is_index(name: &str) -> bool {
    name.ends_with(INDEX)
}

/// Returns the shards named by an index, as paths in its repository.
///
/// # Errors
/// [`Error::BadFile`] if the file is not an index or names a file outside the model's directory.
pub(crate) fn shards_of(directory: &Path, index: &str) -> Result<Vec<String>> {
    let path = directory.join(index);
    let file = File::open(&path).map_err(Error::io(&path, "read"))?;
    let mut text = Vec::new();
    file.take(MAX_INDEX + 1).read_to_end(&mut text).map_err(Error::io(&path, "read"))?;
    if text.len() as u64 > MAX_INDEX {
        return Err(Error::bad_file(path, "too long for an index of shards"));
    }
    let value: serde_json::Value =
        from_json_file(&text).map_err(|e| Error::bad_file(&path, format!("not an index of shards: {e}")))?;
    let Some(map) = value.get("weight_map").and_then(serde_json::Value::as_object) else {
        return Err(Error::bad_file(path, "not an index of shards: it has no \"weight_map\""));
    };
    let names: BTreeSet<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
    if names.is_empty() {
        return Err(Error::bad_file(path, "not an index of shards: its \"weight_map\" names no file"));
    }
    let parent = index.rfind('/').map_or("", |slash| &index[..=slash]);
    names
        .into_iter()
        .map(|name| {
            if is_path_inside(name) {
                return Ok(format!("{parent}{name}"));
            }
            let shown: String = name.chars().take(100).collect();
            Err(Error::bad_file(&path, format!("names the shard {shown:?}, which is not a plain file name")))
        })
        .collect()
}

/// Returns true if a name from a server, such as a commit or an etag, is safe as the name of a single file or directory.
pub(crate) fn is_safe_component(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+=".contains(&b))
        && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_adds_tokens_is_fetched() {
        let required_files: Vec<&str> = ALBERT_FILES
            .iter()
            .flat_map(|part| match part {
                RequiredFile::OneOf(names) | RequiredFile::AnyOf(names) | RequiredFile::Optional(names) => {
                    names.iter().copied()
                }
            })
            .collect();
        for name in
            ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"]
        {
            assert!(required_files.contains(&name), "{name}");
        }
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for bad in ["", ".", "..", "a/b", "a\\b", ".hidden", "a b", "a\0", "é"] {
            assert!(!is_safe_component(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_index_names_its_shards_once_and_beside_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let put = |text: &str| {
            std::fs::create_dir_all(directory.path().join("d")).expect("creates");
            std::fs::write(directory.path().join("d/x.index.json"), text).expect("writes");
        };
        put(r#"{"weight_map":{"a":"2.bin","b":"1.bin","c":"2.bin"}}"#);
        assert_eq!(shards_of(directory.path(), "d/x.index.json").expect("reads"), ["d/1.bin", "d/2.bin"]);
        for bad in [
            "",
            "[]",
            r#"{"weight_map":{}}"#,
            r#"{"weight_map":{"a":"../1.bin"}}"#,
            r#"{"weight_map":{"a":"/etc/passwd"}}"#,
        ] {
            put(bad);
            assert!(shards_of(directory.path(), "d/x.index.json").is_err(), "{bad}");
        }
    }
}
