//! Selects one task's tensors in a file with several tasks, as a reader over all of them.
//!
//! For task `NAME`, a tensor `tasks.NAME.TENSOR` replaces `TENSOR`. The product of `tasks.NAME.MATRIX.difference.left`
//! `[rows, rank]` and `tasks.NAME.MATRIX.difference.right` `[rank, columns]` is added to the shared matrix
//! `[rows, columns]` (Hu et al. 2021, "LoRA", section 4.1).

use std::collections::{BTreeMap, HashMap};

use super::formats::TensorReader;
use super::layout::to_bytes;
use super::low_rank::add_product;
use super::quantization::Quantization;
use super::tensor::{Contents, Dtype, Format, TensorInfo};
use super::tensors::Tensors;
use crate::error::{Error, Result};

/// Prefix of tensor names that belong to a task.
const TASKS: &str = "tasks.";

/// Suffixes of the names of the two factors of a delta.
const FACTORS: [&str; 2] = [".difference.left", ".difference.right"];

/// The tensors of a file. Those of one task replace the shared ones; those of other tasks are hidden.
struct TaskTensors {
    all: Tensors,
    /// Sorted by name. A matrix with a delta has type f32.
    infos: Vec<TensorInfo>,
    /// Maps names of shared tensors to the names in `all` of the task's replacements.
    own: HashMap<String, String>,
    /// Low-rank deltas, by the names of their matrices.
    deltas: HashMap<String, Delta>,
}

/// A low-rank delta of a matrix `[rows, columns]`.
struct Delta {
    /// The names in `all` of the factors `[rows, rank]` and `[rank, columns]`.
    factors: [String; 2],
    columns: usize,
}

impl Tensors {
    /// Selects one task: its tensors replace the shared ones, its low-rank deltas are added in f32, and the tensors of
    /// other tasks are dropped.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a delta that does not fit its matrix.
    pub fn with_task(self, task: Option<&str>) -> Result<Self> {
        let (path, bytes) = (self.path.clone(), self.bytes);
        Self::assemble(&path, vec![Box::new(TaskTensors::new(self, task)?)], bytes)
    }
}

impl TaskTensors {
    /// Selects `task`, or the shared tensors alone.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a delta that does not fit its matrix.
    fn new(all: Tensors, task: Option<&str>) -> Result<Self> {
        let prefix = task.map(|task| format!("{TASKS}{task}."));
        let mut infos: BTreeMap<String, TensorInfo> = BTreeMap::new();
        let mut factors: HashMap<String, &TensorInfo> = HashMap::new();
        let mut own: HashMap<String, String> = HashMap::new();
        for info in all.infos() {
            if !info.name.starts_with(TASKS) {
                infos.entry(info.name.clone()).or_insert_with(|| info.clone());
                continue;
            }
            let Some(name) = prefix.as_ref().and_then(|prefix| info.name.strip_prefix(prefix.as_str()))
            else {
                continue;
            };
            if FACTORS.iter().any(|end| name.ends_with(end)) {
                factors.insert(name.to_owned(), info);
                continue;
            }
            own.insert(name.to_owned(), info.name.clone());
            infos.insert(name.to_owned(), TensorInfo { name: name.to_owned(), ..info.clone() });
        }
        let mut deltas: HashMap<String, Delta> = HashMap::new();
        for (name, factor) in &factors {
            let matrix = FACTORS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let shared = infos.get_mut(matrix);
            let [left, right] = FACTORS.map(|end| factors.get(&format!("{matrix}{end}")).copied());
            let delta = shared.as_deref().and_then(|shared| Delta::new(shared, left?, right?));
            let (Some(shared), Some(delta)) = (shared, delta) else {
                let problem = format!("the delta \"{}\" matches no matrix", factor.name);
                return Err(Error::bad_file(all.path(), problem));
            };
            shared.dtype = Dtype::F32;
            deltas.insert(matrix.to_owned(), delta);
        }
        let infos = infos.into_values().collect();
        Ok(Self { all, infos, own, deltas })
    }
}

impl Delta {
    /// Returns `None` if the shapes are incompatible.
    fn new(shared: &TensorInfo, left: &TensorInfo, right: &TensorInfo) -> Option<Self> {
        let ([rows, columns], [own_rows, rank], [own_rank, own_columns]) =
            (shared.shape.as_slice(), left.shape.as_slice(), right.shape.as_slice())
        else {
            return None;
        };
        let fits = (rows, columns, rank) == (own_rows, own_columns, own_rank);
        fits.then(|| Self { factors: [left.name.clone(), right.name.clone()], columns: *columns })
    }
}

impl TensorReader for TaskTensors {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        Ok(match self.contents(name, Dtype::F32)? {
            Contents::Bytes(bytes, _) => bytes,
            Contents::Values(values) => to_bytes(&values),
        })
    }

    fn contents(&self, name: &str, _dtype: Dtype) -> Result<Contents> {
        let stored = self.name_in_file(name);
        let Some(delta) = self.deltas.get(name) else { return self.all.contents(stored) };
        let mut values = self.all.read_f32(stored)?;
        let [left, right] = delta.factors.each_ref().map(|factor| self.all.read_f32(factor));
        add_product(&mut values, &left?, &right?, delta.columns);
        Ok(Contents::Values(values))
    }

    fn name_in_file<'a>(&'a self, name: &'a str) -> &'a str {
        self.own.get(name).map_or(name, String::as_str)
    }

    fn format(&self) -> Format {
        self.all.format().unwrap_or(Format::Safetensors)
    }

    fn quantization(&self) -> Option<Quantization> {
        self.all.quantization().cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::checkpoint::{SavedTensor, save_half, save_tensors};

    fn tensor(name: &str, shape: &[usize], values: &[f32]) -> SavedTensor<'static> {
        SavedTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            transposed: false,
            values: values.to_vec().into(),
        }
    }

    /// Returns a 2 x 3 matrix and a bias; `sentiment` adds a delta of rank 1 and replaces the bias.
    fn tensors() -> Vec<SavedTensor<'static>> {
        vec![
            tensor("dense.weight", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            tensor("dense.bias", &[2], &[1.0, -1.0]),
            tensor("tasks.sentiment.dense.weight.difference.left", &[2, 1], &[0.5, -2.0]),
            tensor("tasks.sentiment.dense.weight.difference.right", &[1, 3], &[1.0, 0.0, 4.0]),
            tensor("tasks.sentiment.dense.bias", &[2], &[7.0, 8.0]),
            tensor("tasks.answers.classifier.bias", &[1], &[9.0]),
        ]
    }

    fn written(tensors: &[SavedTensor], half: bool) -> (tempfile::TempDir, Tensors) {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("model.safetensors");
        if half { save_half(&path, tensors) } else { save_tensors(&path, tensors) }.expect("written");
        let opened = Tensors::open(Path::new(&path)).expect("opened");
        (folder, opened)
    }

    #[test]
    fn a_task_changes_and_replaces() {
        for half in [false, true] {
            let (_folder, all) = written(&tensors(), half);
            let own = all.with_task(Some("sentiment")).expect("fits");
            let names: Vec<&str> = own.infos().iter().map(|info| info.name.as_str()).collect();
            assert_eq!(names, ["dense.bias", "dense.weight"]);
            assert_eq!(own.get("dense.weight").map(|info| info.dtype), Some(Dtype::F32));
            assert_eq!(own.read_f32("dense.weight").expect("read"), [1.5, 2.0, 5.0, 2.0, 5.0, -2.0]);
            assert_eq!(own.read_f32("dense.bias").expect("read"), [7.0, 8.0]);
            assert_eq!(own.name_in_file("dense.bias"), "tasks.sentiment.dense.bias");
        }
    }

    #[test]
    fn other_tasks_change_nothing() {
        for (task, count) in [(None, 2), (Some("answers"), 3)] {
            let (_folder, all) = written(&tensors(), true);
            let own = all.with_task(task).expect("fits");
            assert_eq!(own.infos().len(), count);
            assert_eq!(own.read("dense.weight").expect("read").1, Dtype::F16);
            assert_eq!(own.read_f32("dense.weight").expect("read"), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(own.read_f32("dense.bias").expect("read"), [1.0, -1.0]);
        }
    }

    #[test]
    fn a_difference_must_fit_its_matrix() {
        let mut alone = tensors();
        alone.remove(3);
        let mut misshapen = tensors();
        misshapen[3] = tensor(&misshapen[3].name.clone(), &[1, 2], &[1.0, 0.0]);
        let mut ownerless = tensors();
        ownerless.remove(0);
        for broken in [alone, misshapen, ownerless] {
            let (_folder, all) = written(&broken, false);
            let error = all.with_task(Some("sentiment")).err().expect("refused").to_string();
            assert!(error.contains("tasks.sentiment.dense.weight.difference."), "{error}");
            assert!(error.contains("matches no matrix"), "{error}");
        }
    }
}
