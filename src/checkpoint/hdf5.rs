//! Keras files (`tf_model.h5`), through the `hdf5-pure` crate.
//!
//! Reference: transformers 4.57 `modeling_tf_utils.py` (`load_tf_weights_from_h5`): groups by layer, in them datasets
//! by the variables' names.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hdf5_pure::{DType, File, Group};

use super::tensors::{Dtype, TensorInfo};
use crate::error::{Error, Result};

/// Groups in groups; an ALBERT has about ten.
const MAX_DEPTH: usize = 32;
const MAX_TENSORS: usize = 100_000;
/// Links may lead back to a group; an ALBERT has some hundred groups.
const MAX_GROUPS: usize = 20_000;

/// One HDF5 file.
pub struct Hdf5File {
    path: PathBuf,
    file: File,
    infos: Vec<TensorInfo>,
}

impl Hdf5File {
    /// Lists the datasets; their values stay in the file.
    pub fn open(path: &Path) -> Result<Self> {
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as an HDF5 file: {problem}"));
        let listed = guarded(|| {
            let file = File::open_streaming(path).map_err(|e| e.to_string())?;
            let mut infos = Vec::new();
            list(&file.root(), "", 0, &mut 0, &mut infos)?;
            Ok((file, infos))
        });
        let (file, mut infos) = listed.map_err(bad)?;
        if infos.is_empty() {
            return Err(bad("it holds no weights".to_owned()));
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), file, infos })
    }

    pub fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let bad = |problem: String| Error::bad_file(&self.path, format!("dataset \"{name}\": {problem}"));
        let info = self.infos.iter().find(|info| info.name == name);
        let info = info.ok_or_else(|| bad("is not there".to_owned()))?;
        let bytes = guarded(|| {
            let dataset = self.file.dataset(name).map_err(|e| e.to_string())?;
            match info.dtype {
                Dtype::F64 => Ok(dataset
                    .read_f64()
                    .map_err(|e| e.to_string())?
                    .into_iter()
                    .flat_map(f64::to_le_bytes)
                    .collect()),
                _ => Ok(dataset
                    .read_f32()
                    .map_err(|e| e.to_string())?
                    .into_iter()
                    .flat_map(f32::to_le_bytes)
                    .collect()),
            }
        });
        let bytes: Vec<u8> = bytes.map_err(bad)?;
        let needed = info.shape.iter().product::<usize>() * info.dtype.size();
        if bytes.len() != needed {
            return Err(bad(format!("has {} bytes; its shape needs {needed}", bytes.len())));
        }
        Ok(bytes)
    }
}

/// Adds the datasets of a group and of the groups in it; `groups` counts these.
fn list(
    group: &Group,
    path: &str,
    depth: usize,
    groups: &mut usize,
    infos: &mut Vec<TensorInfo>,
) -> std::result::Result<(), String> {
    *groups += 1;
    if depth > MAX_DEPTH {
        return Err(format!("groups are nested more than {MAX_DEPTH} deep"));
    }
    if *groups > MAX_GROUPS {
        return Err(format!("it has more than {MAX_GROUPS} groups"));
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    for name in group.datasets().map_err(|e| e.to_string())? {
        let dataset = group.dataset(&name).map_err(|e| e.to_string())?;
        let dtype = match dataset.dtype().map_err(|e| e.to_string())? {
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            // Whatever else a file may hold, it is no weight.
            _ => continue,
        };
        let shape = dataset.shape().map_err(|e| e.to_string())?;
        let shape: Option<Vec<usize>> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
        let shape = shape.filter(|shape| shape.iter().try_fold(8usize, |p, n| p.checked_mul(*n)).is_some());
        let shape = shape.ok_or_else(|| format!("dataset \"{}\" has an impossible shape", below(&name)))?;
        if infos.len() >= MAX_TENSORS {
            return Err("it holds too many datasets".to_owned());
        }
        infos.push(TensorInfo { name: below(&name), shape, dtype });
    }
    for name in group.groups().map_err(|e| e.to_string())? {
        list(&group.group(&name).map_err(|e| e.to_string())?, &below(&name), depth + 1, groups, infos)?;
    }
    Ok(())
}

/// A panic of the library on a damaged file becomes an error.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the file is damaged".to_owned()))
}
