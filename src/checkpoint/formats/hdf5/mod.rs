//! Reads Keras files (`tf_model.h5`) through the `hdf5-pure` crate.
//!
//! Reference: transformers 4.57 `modeling_tf_utils.py` (`load_tf_weights_from_h5`): one group per layer with datasets
//! named after the variables.

mod source;

use std::path::{Path, PathBuf};

use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder, File, Group};

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::layout::to_bytes;
use crate::checkpoint::tensor::Format;
use crate::checkpoint::tensor::{Dtype, TensorInfo, is_plausible};
use crate::error::{Error, Result};
use crate::guard::caught;
use source::{Budget, BudgetedFile};

/// Maximum nesting of groups. An ALBERT has about ten levels.
const MAX_DEPTH: usize = 32;
/// Maximum number of members of all groups together. Links may lead back to a group, so even a small file can have a huge
/// number of members. An ALBERT has a few hundred.
const MAX_MEMBERS: usize = 20_000;
const MAX_NAME: usize = 1024;
/// Maximum number of structure bytes to read for listing all datasets or finding one.
const MAX_STRUCTURE: u64 = 32 << 20;

/// One HDF5 file.
pub(crate) struct Hdf5File {
    path: PathBuf,
    file: File,
    length: u64,
    budget: Budget,
    infos: Vec<TensorInfo>,
}

impl Hdf5File {
    /// Lists the datasets without reading their values.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as an HDF5 file: {problem}"));
        let length = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
        let budget = Budget::default();
        budget.set(MAX_STRUCTURE);
        let source = BudgetedFile::open(path, budget.clone()).map_err(Error::io(path, "read"))?;
        let listed = guarded(|| {
            let file = File::from_source(source).map_err(|e| e.to_string())?;
            let mut collector = Collector { length, members: 0, infos: Vec::new() };
            collector.group(&file.root(), "", 0)?;
            Ok((file, collector.infos))
        });
        let (file, mut infos) = listed.map_err(bad)?;
        if infos.is_empty() {
            return Err(bad("it holds no weights".to_owned()));
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), file, length, budget, infos })
    }
}

impl TensorReader for Hdf5File {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let bad = |problem: String| Error::bad_file(&self.path, format!("dataset \"{name}\": {problem}"));
        let info = self.infos.iter().find(|info| info.name == name);
        let info = info.ok_or_else(|| bad("is not there".to_owned()))?;
        let needed = info.shape.iter().product::<usize>() * info.dtype.size();
        self.budget.set(MAX_STRUCTURE.saturating_add(2 * needed as u64));
        let bytes = guarded(|| {
            let dataset = self.file.dataset(name).map_err(|e| e.to_string())?;
            check_chunks(&dataset, &info.shape, self.length)?;
            match (info.dtype, float(&dataset)) {
                (_, Some((_, DatatypeByteOrder::LittleEndian))) => {
                    dataset.read_raw().map_err(|e| e.to_string())
                }
                (Dtype::F64, _) => {
                    let values = dataset.read_f64().map_err(|e| e.to_string())?;
                    Ok(values.into_iter().flat_map(f64::to_le_bytes).collect())
                }
                _ => {
                    let values = dataset.read_f32().map_err(|e| e.to_string())?;
                    Ok(to_bytes(&values))
                }
            }
        });
        let bytes = bytes.map_err(bad)?;
        if bytes.len() != needed {
            return Err(bad(format!("has {} bytes; its shape needs {needed}", bytes.len())));
        }
        Ok(bytes)
    }

    fn format(&self) -> Format {
        Format::Hdf5
    }
}

/// Returns the element type of a dataset, if it is a supported float type.
fn float(dataset: &Dataset) -> Option<(Dtype, DatatypeByteOrder)> {
    let Ok(Datatype::FloatingPoint { size, byte_order, layout }) = dataset.datatype() else { return None };
    let dtype = match (size, layout.exponent_size) {
        (8, 11) => Dtype::F64,
        (4, 8) => Dtype::F32,
        (2, 5) if byte_order == DatatypeByteOrder::LittleEndian => Dtype::F16,
        _ => return None,
    };
    Some((dtype, byte_order))
}

/// Checks the chunks of a dataset against the file size and its shape, before the reader allocates memory for them.
fn check_chunks(dataset: &Dataset, shape: &[usize], length: u64) -> std::result::Result<(), String> {
    let Some(extents) = dataset.chunk_shape().map_err(|e| e.to_string())? else { return Ok(()) };
    let needed = shape.iter().zip(&extents).try_fold(1u64, |product, (n, extent)| {
        (*n as u64).checked_add(extent.checked_sub(1)?)?.checked_div(*extent)?.checked_mul(product)
    });
    let chunks = dataset.chunks().map_err(|e| e.to_string())?;
    if needed.is_none_or(|needed| chunks.len() as u64 > needed) {
        return Err(format!("has {} chunks, more than its shape", chunks.len()));
    }
    let outside = |end: Option<u64>| end.is_none_or(|end| end > length);
    if chunks.iter().any(|chunk| outside(chunk.address.checked_add(chunk.storage_size))) {
        return Err("has a chunk that lies beyond the end of the file".to_owned());
    }
    Ok(())
}

/// The datasets found so far and the remaining budget.
struct Collector {
    /// Size of the file in bytes.
    length: u64,
    members: usize,
    infos: Vec<TensorInfo>,
}

impl Collector {
    /// Adds the datasets of a group, recursively.
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> std::result::Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("groups are nested more than {MAX_DEPTH} deep"));
        }
        for (name, dataset) in group.iter_datasets().map_err(|e| e.to_string())? {
            let name = self.member(path, &name)?;
            // Other objects are not weights.
            let Some((dtype, _)) = float(&dataset) else { continue };
            let fits = |shape: Vec<u64>| {
                let shape: Option<Vec<usize>> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
                let shape = shape.filter(|shape| is_plausible(shape, dtype, self.length));
                shape.ok_or_else(|| format!("dataset \"{name}\" is larger than the file can hold"))
            };
            let shape = fits(dataset.shape().map_err(|e| e.to_string())?)?;
            // Chunks are always decompressed completely, however little of them the dataset covers.
            fits(dataset.chunk_shape().map_err(|e| e.to_string())?.unwrap_or_default())?;
            self.infos.push(TensorInfo { name, shape, dtype });
        }
        for (name, group) in group.iter_groups().map_err(|e| e.to_string())? {
            let name = self.member(path, &name)?;
            self.group(&group, &name, depth + 1)?;
        }
        Ok(())
    }

    /// Returns the full path of a member.
    fn member(&mut self, path: &str, name: &str) -> std::result::Result<String, String> {
        self.members += 1;
        if self.members > MAX_MEMBERS {
            return Err(format!("it has more than {MAX_MEMBERS} groups and datasets"));
        }
        if path.len() + name.len() > MAX_NAME {
            return Err(format!("a name has more than {MAX_NAME} bytes"));
        }
        Ok(if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") })
    }
}

/// Runs `work` and converts a panic of the library, which a damaged file can cause, into an error.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    caught(work).unwrap_or_else(|| Err("the file is damaged".to_owned()))
}
