//! The cases of `tests/golden/cases`, assembled as each `build.json` describes (see `assemble.py` there).

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value};

use super::golden;

/// A writable copy of one case with its model directories completed. Removed when dropped.
pub(crate) struct Case {
    folder: tempfile::TempDir,
}

/// Copies the folder `name` (for example "12-prefixes") and completes the directories that its `build.json` names.
pub(crate) fn case(name: &str) -> Case {
    let folder = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a temporary directory");
    let source = golden("cases").join(name);
    copy_folder(&source, folder.path());
    complete(folder.path());
    Case { folder }
}

impl Case {
    /// The path of a file or folder of this case.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The same as text, for a command line.
    pub(crate) fn text(&self, relative: &str) -> String {
        self.path(relative).to_str().expect("UTF-8").to_owned()
    }

    /// The correct results: `expected.json` at the top of the case.
    pub(crate) fn expected(&self) -> Value {
        read_json(&self.path("expected.json"))
    }
}

/// Reads a file as one JSON value.
pub(crate) fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn copy_folder(source: &Path, target: &Path) {
    fs::create_dir_all(target).expect("a directory");
    for entry in fs::read_dir(source).unwrap_or_else(|e| panic!("{}: {e}", source.display())) {
        let entry = entry.expect("an entry");
        let to = target.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Completes the directories of every `build.json` below `folder`.
fn complete(folder: &Path) {
    let spec = folder.join("build.json");
    let below: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    for path in below {
        complete(&path);
    }
    if spec.exists() {
        for (directory, spec) in read_json(&spec).as_object().expect("an object") {
            build(&folder.join(directory), spec);
        }
    }
}

fn build(directory: &Path, spec: &Value) {
    let models = golden("cases/models");
    fs::create_dir_all(directory).expect("a directory");
    for file in spec["files"].as_array().into_iter().flatten() {
        let file = file.as_str().expect("a name");
        let name = spec["rename"][file].as_str().unwrap_or_else(|| file.rsplit('/').next().expect("a name"));
        fs::copy(models.join(file), directory.join(name)).expect("copied");
    }
    if let Some(config) = spec["config"].as_str() {
        let mut config = read_json(&models.join(config));
        let config_keys = config.as_object_mut().expect("an object");
        for (key, value) in spec["set"].as_object().into_iter().flatten() {
            if value == "remove" {
                config_keys.remove(key);
            } else {
                config_keys.insert(key.clone(), value.clone());
            }
        }
        fs::write(directory.join("config.json"), config.to_string()).expect("written");
    }
    if ["prefix", "append_rows", "set_value"].iter().any(|key| spec.get(key).is_some()) {
        change_weights(&directory.join("model.safetensors"), spec);
    }
}

fn change_weights(path: &Path, spec: &Value) {
    let empty = Map::new();
    let bytes = fs::read(path).expect("read");
    let file = SafeTensors::deserialize(&bytes).expect("a sound file");
    let prefix = spec["prefix"].as_str().unwrap_or("");
    let rows = spec["append_rows"].as_object().unwrap_or(&empty);
    let values = spec["set_value"].as_object().unwrap_or(&empty);
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, view) in file.tensors() {
        let (mut shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
        for row in rows.get(&name).and_then(Value::as_array).into_iter().flatten() {
            shape[0] += 1;
            for number in row.as_array().expect("a row") {
                data.extend((number.as_f64().expect("a number") as f32).to_le_bytes());
            }
        }
        if let Some(change) = values.get(&name) {
            let position = change[0].as_u64().expect("a position") as usize;
            let value: f32 = match &change[1] {
                Value::String(text) => text.parse().expect("a number"),
                number => number.as_f64().expect("a number") as f32,
            };
            data[4 * position..4 * position + 4].copy_from_slice(&value.to_le_bytes());
        }
        tensors.push((format!("{prefix}{name}"), view.dtype(), shape, data));
    }
    let views: Vec<(String, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, dtype, shape, data)| {
            (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
        })
        .collect();
    let written = safetensors::serialize(views, None).expect("serialized");
    fs::write(path, written).expect("written");
}
