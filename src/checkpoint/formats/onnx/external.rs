//! Locates weights of an ONNX model in other files of its directory.
//!
//! Reference: ONNX `docs/ExternalData.md`. The keys `location`, `offset` and `length` have text values.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use prost::Message;

use super::proto::Entry;
use crate::io::is_path_inside;

/// Maximum number of files of a model.
const MAX_FILES: usize = 1000;

/// The location of a tensor in another file.
#[derive(Default)]
pub(super) struct External {
    location: Option<String>,
    offset: u64,
    length: Option<u64>,
}

impl External {
    /// Adds one key and its value.
    pub(super) fn entry(&mut self, bytes: &[u8]) -> Result<(), String> {
        let damaged =
            |entry: &Entry| format!("a tensor in another file has \"{}\" as its {}", entry.value, entry.key);
        let entry = Entry::decode(bytes).map_err(|e| format!("the place of a tensor is damaged: {e}"))?;
        match entry.key.as_str() {
            "location" => self.location = Some(entry.value),
            "offset" => self.offset = entry.value.parse().map_err(|_| damaged(&entry))?,
            "length" => self.length = Some(entry.value.parse().map_err(|_| damaged(&entry))?),
            // A checksum of the complete file. It is rarely present and not checked.
            _ => {}
        }
        Ok(())
    }

    /// Returns true if the tensor is stored in another file.
    pub(super) fn is_some(&self) -> bool {
        self.location.is_some()
    }
}

/// The files of a model, starting with the model itself.
pub(super) struct Files {
    directory: PathBuf,
    names: Vec<String>,
    open: Vec<(File, u64)>,
}

impl Files {
    pub(super) fn beside(model: &Path, file: File) -> Self {
        let directory = model.parent().unwrap_or(Path::new("")).to_owned();
        Self { directory, names: vec![String::new()], open: vec![(file, 0)] }
    }

    /// Returns the index of the file that contains a tensor of `needed` bytes, and the tensor's offset in it.
    ///
    /// # Errors
    /// The problem with the location, as the end of a sentence about the tensor.
    pub(super) fn place(&mut self, external: &External, needed: u64) -> Result<(usize, u64), String> {
        let name = external.location.as_deref().unwrap_or_default();
        if external.length.is_some_and(|length| length != needed) {
            return Err("lies in another file with a length that does not fit its shape".to_owned());
        }
        let number = match self.names.iter().skip(1).position(|known| known == name) {
            Some(number) => number + 1,
            None => self.add(name)?,
        };
        let end = external.offset.checked_add(needed);
        if end.is_none_or(|end| end > self.open[number].1) {
            return Err(format!("lies beyond the end of \"{name}\": is the file truncated?"));
        }
        Ok((number, external.offset))
    }

    fn add(&mut self, name: &str) -> Result<usize, String> {
        if !is_path_inside(name) {
            return Err(format!("lies in \"{name}\", which is not a file of the model's directory"));
        }
        if self.names.len() > MAX_FILES {
            return Err(format!("is in one of more than {MAX_FILES} files"));
        }
        let path = self.directory.join(name);
        let length = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
        let length =
            length.ok_or_else(|| format!("lies in \"{name}\", which is missing next to the model"))?;
        let file = File::open(&path).map_err(|e| format!("lies in \"{name}\", which cannot be read: {e}"))?;
        self.names.push(name.to_owned());
        self.open.push((file, length));
        Ok(self.open.len() - 1)
    }

    pub(super) fn into_open(self) -> Vec<Mutex<File>> {
        self.open.into_iter().map(|(file, _)| Mutex::new(file)).collect()
    }
}
