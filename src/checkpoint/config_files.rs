//! Finds the configuration file of a checkpoint, whatever its name.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::io::from_json_file;

/// Usual names of the configuration file, in order of preference.
pub(super) const CONFIGS: [&str; 3] = ["config.json", "albert_config.json", "bert_config.json"];

/// Maximum size of a candidate file in bytes. A configuration with thousands of labels is smaller.
const LONGEST: u64 = 4 << 20;

/// Keys that every ALBERT configuration contains.
const NEEDED: [&str; 4] = ["hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size"];

/// Finds the configuration in the first of `directories` that contains one: the file with a usual name, otherwise the
/// only `*.json` file that looks like an ALBERT configuration.
///
/// # Errors
/// [`Error::BadFile`] if several files are candidates.
pub(super) fn find_config(directories: &[PathBuf]) -> Result<Option<PathBuf>> {
    let usual = directories.iter().flat_map(|d| CONFIGS.map(|c| d.join(c))).find(|c| c.is_file());
    if usual.is_some() {
        return Ok(usual);
    }
    for directory in directories {
        match candidates(directory).as_slice() {
            [] => {}
            [one] => return Ok(Some(one.clone())),
            several => {
                let names: Vec<_> = several.iter().filter_map(|p| p.file_name()?.to_str()).collect();
                let problem = format!(
                    "several files look like the configuration of the model ({}): rename the right one to {}",
                    names.join(", "),
                    CONFIGS[0]
                );
                return Err(Error::bad_file(directory, problem));
            }
        }
    }
    Ok(None)
}

/// Lists the files of a directory that look like a configuration. If any of them has an `embedding_size`, which BERT
/// lacks, only those are returned.
fn candidates(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<(PathBuf, bool)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json") && path.is_file())
        .filter_map(|path| {
            let keys = read(&path)?;
            let known = NEEDED.iter().all(|key| keys.get(*key).is_some_and(Value::is_number));
            known.then(|| (path, keys.contains_key("embedding_size")))
        })
        .collect();
    found.sort();
    let factorized = found.iter().any(|(_, factorized)| *factorized);
    found.into_iter().filter(|(_, own)| *own || !factorized).map(|(path, _)| path).collect()
}

fn read(path: &Path) -> Option<Map<String, Value>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > LONGEST {
        return None;
    }
    from_json_file(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_configuration_is_found_under_any_name() {
        let folder = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
        let found = || find_config(&[folder.path().to_owned()]);
        put("tokenizer_config.json", r#"{"do_lower_case": true}"#);
        put("notes.json", "[1]");
        put("broken.json", "{");
        assert_eq!(found().expect("none"), None);
        let shape = r#""hidden_size":8,"num_attention_heads":2,"num_hidden_layers":1,"vocab_size":9"#;
        put("albert_base_zh_config.json", &format!("{{{shape},\"embedding_size\":4}}"));
        put("other.json", &format!("{{{shape}}}"));
        assert_eq!(found().expect("one"), Some(folder.path().join("albert_base_zh_config.json")));
        put("albert_config_large.json", &format!("{{{shape},\"embedding_size\":4}}"));
        let error = found().expect_err("several").to_string();
        assert!(error.contains("albert_base_zh_config.json, albert_config_large.json"), "{error}");
        put("config.json", "{}");
        assert_eq!(found().expect("the usual name"), Some(folder.path().join("config.json")));
    }
}
