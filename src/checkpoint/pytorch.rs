//! PyTorch files (`pytorch_model.bin`, `*.pt`), through the `pytorch-reader` crate.
//!
//! The reader interprets a pickle's few data opcodes and never calls what a pickle names, so that
//! opening a file executes nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pytorch_reader::{FileFormat, PytorchReader, Tensor};

use super::tensors::{Dtype, Format, TensorInfo, is_plausible};
use super::{pickles, torch_script};
use crate::error::{Error, Result};

/// Dictionaries that training programs put around the parameters.
const WRAPPERS: [&str; 5] = ["state_dict.", "model_state_dict.", "model.", "module.", "net."];

/// One PyTorch file.
pub struct PyTorchFile {
    path: PathBuf,
    format: Format,
    tensors: HashMap<String, Tensor>,
    infos: Vec<TensorInfo>,
    /// The rewritten copy of a TorchScript archive, which the tensors are read from.
    _copy: Option<tempfile::NamedTempFile>,
}

impl PyTorchFile {
    /// Reads the file's pickle and lists the tensors; their bytes stay in the file.
    pub fn open(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
        pickles::check(path)?;
        let copy = torch_script::as_dictionary(path)?;
        let source = copy.as_ref().map_or(path, tempfile::NamedTempFile::path);
        let reader = PytorchReader::new(source)
            .map_err(|e| Error::bad_file(path, format!("cannot be read as a PyTorch file: {e}")))?;
        let format = match reader.metadata().format_type {
            FileFormat::Zip => Format::PyTorchZip,
            FileFormat::Legacy => Format::PyTorchLegacy,
            FileFormat::Tar => Format::PyTorchTar,
            FileFormat::Pickle => Format::Pickle,
        };
        let mut tensors = reader.into_tensors();
        if copy.is_some() {
            // rust-bert's library writes `|` for the dots in names.
            tensors = tensors.into_iter().map(|(name, tensor)| (name.replace('|', "."), tensor)).collect();
        }
        let tensors = unwrapped(tensors);
        if tensors.is_empty() {
            return Err(Error::bad_file(path, "is a PyTorch file without any tensor"));
        }
        let mut infos = Vec::new();
        for (name, tensor) in &tensors {
            let dtype = dtype(tensor, name, path)?;
            if !is_plausible(tensor.shape(), dtype, length) {
                let problem = format!(
                    "tensor \"{name}\" of shape {:?} is larger than the file can hold",
                    tensor.shape()
                );
                return Err(Error::bad_file(path, problem));
            }
            infos.push(TensorInfo { name: name.clone(), shape: tensor.shape().to_vec(), dtype });
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), format, tensors, infos, _copy: copy })
    }

    pub fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    pub fn format(&self) -> Format {
        self.format
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| Error::bad_file(&self.path, format!("has no tensor \"{name}\"")))?;
        tensor.read().map_err(|e| Error::bad_file(&self.path, e.to_string()))
    }
}

/// Takes wrappers off: where the tensors named like an ALBERT's all lie in one dictionary (a
/// checkpoint of a training program), only these stay, without its name.
fn unwrapped(tensors: HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    let mut prefix = String::new();
    loop {
        let inside: Vec<&str> =
            tensors.keys().filter_map(|name| name.strip_prefix(prefix.as_str())).collect();
        if inside.iter().any(|name| is_albert_name(name)) {
            break;
        }
        match WRAPPERS.iter().find(|wrapper| inside.iter().any(|name| name.starts_with(**wrapper))) {
            Some(wrapper) => prefix.push_str(wrapper),
            // Nothing here looks like an ALBERT: show the names as they are.
            None => return tensors,
        }
    }
    tensors
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix.as_str())?.to_owned(), tensor)))
        .collect()
}

fn is_albert_name(name: &str) -> bool {
    ["albert.", "embeddings.", "encoder."].iter().any(|part| name.starts_with(part))
}

fn dtype(tensor: &Tensor, name: &str, path: &Path) -> Result<Dtype> {
    use pytorch_reader::DType as Pt;
    Ok(match tensor.dtype() {
        Pt::F64 => Dtype::F64,
        Pt::F32 => Dtype::F32,
        Pt::F16 => Dtype::F16,
        Pt::BF16 => Dtype::BF16,
        Pt::I64 => Dtype::I64,
        Pt::I32 => Dtype::I32,
        Pt::I16 => Dtype::I16,
        Pt::I8 => Dtype::I8,
        Pt::U8 => Dtype::U8,
        Pt::Bool => Dtype::Bool,
        other => {
            return Err(Error::bad_file(
                path,
                format!("tensor \"{name}\" has elements of type {other:?}, unknown to albert"),
            ));
        }
    })
}
