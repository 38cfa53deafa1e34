//! Copies the modules of a sentence-transformers directory into a converted one.

use std::path::Path;

use serde_json::Value;

use super::json::write_json;
use crate::checkpoint::sentence::{MODEL_CONFIG, MODULES, Module, TRANSFORMER_CONFIGS, modules_in};
use crate::error::{Error, Result};
use crate::io::from_json_file;

/// Copies the files of the modules in `root`, the directory of a `modules.json`, into `folder`, which contains the model
/// itself. Returns a note if they cannot be kept, in which case none is copied.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn write_modules(root: &Path, folder: &Path) -> Result<Option<String>> {
    let (list, modules) = match movable(root, folder) {
        Ok(found) => found,
        Err(problem) => {
            return Ok(Some(format!(
                "the modules of sentence-transformers were not kept ({problem}): the converted model embeds with its \
                 encoder alone"
            )));
        }
    };
    for module in &modules {
        if module.is_transformer() {
            let directory = root.join(&module.path);
            for name in TRANSFORMER_CONFIGS {
                copy_if_present(&directory.join(name), &folder.join(name))?;
            }
        } else if !module.path.is_empty() {
            copy_directory(&root.join(&module.path), &folder.join(&module.path))?;
        }
    }
    copy_if_present(&root.join(MODEL_CONFIG), &folder.join(MODEL_CONFIG))?;
    write_json(&folder.join(MODULES), &list)?;
    Ok(None)
}

/// Returns the content of `modules.json` for a directory that contains the model itself, and the modules as they are in
/// `root`. The error says why the modules cannot be kept.
fn movable(root: &Path, folder: &Path) -> std::result::Result<(Value, Vec<Module>), String> {
    let modules = modules_in(root).map_err(|error| error.to_string())?.unwrap_or_default();
    let text = std::fs::read(root.join(MODULES)).map_err(|error| error.to_string())?;
    let mut list: Value = from_json_file(&text)?;
    let Some(transformer) = modules.iter().position(Module::is_transformer) else {
        return Err(format!("{MODULES} names no Transformer module"));
    };
    for (place, module) in modules.iter().enumerate() {
        // Normalize has no files.
        let beside = module.path == modules[transformer].path || module.path.is_empty();
        if place != transformer && beside && module.kind() != "Normalize" {
            return Err(format!("the files of module {} are next to those of the model", place + 1));
        }
        if !module.path.is_empty() && folder.join(&module.path).is_file() {
            return Err(format!("module {} has the name of a file: \"{}\"", place + 1, module.path));
        }
    }
    if let Some(path) = list.get_mut(transformer).and_then(|entry| entry.get_mut("path")) {
        *path = "".into();
    }
    Ok((list, modules))
}

fn copy_if_present(source: &Path, target: &Path) -> Result<()> {
    if !source.is_file() {
        return Ok(());
    }
    std::fs::copy(source, target).map(drop).map_err(Error::io(source, "copy"))
}

/// Copies a directory with its files and subdirectories. Links to directories are not followed, since they may form a
/// loop. Copies of a hub repository lack empty directories, so `source` need not exist.
fn copy_directory(source: &Path, target: &Path) -> Result<()> {
    std::fs::create_dir_all(target).map_err(Error::io(target, "create"))?;
    if !source.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(source).map_err(Error::io(source, "read"))? {
        let entry = entry.map_err(Error::io(source, "read"))?;
        let (path, target) = (entry.path(), target.join(entry.file_name()));
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_directory(&path, &target)?;
        } else {
            copy_if_present(&path, &target)?;
        }
    }
    Ok(())
}
