//! Selection of one task's tensors from a file with several tasks.
//!
//! For task `NAME`, a tensor `tasks.NAME.TENSOR` replaces `TENSOR`. The product of
//! `tasks.NAME.MATRIX.difference.left` `[rows, rank]` and `tasks.NAME.MATRIX.difference.right` `[rank, columns]` is added to
//! the shared matrix `[rows, columns]` (Hu et al. 2021, "LoRA", section 4.1).

use std::collections::{BTreeMap, HashMap};

use super::lora_delta::LoraDelta;
use super::tensor::{Dtype, TensorInfo};
use super::tensors::Tensors;
use crate::error::{Error, Result};

/// Prefix of tensor names that belong to a task.
const TASKS: &str = "tasks.";

/// Suffixes of the names of the two factors of a delta.
const FACTORS: [&str; 2] = [".difference.left", ".difference.right"];

impl Tensors {
    /// Selects one task: its tensors replace the shared ones, its low-rank deltas are added in f32, and the tensors of other
    /// tasks are dropped.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a delta that does not fit its matrix.
    pub fn with_task(mut self, task: Option<&str>) -> Result<Self> {
        let own = task.map(|task| format!("{TASKS}{task}."));
        let mut kept: BTreeMap<String, (TensorInfo, usize)> = BTreeMap::new();
        let mut factors: HashMap<String, (TensorInfo, usize)> = HashMap::new();
        for (mut info, holder) in self.infos.drain(..).zip(self.holders.drain(..)) {
            if !info.name.starts_with(TASKS) {
                kept.entry(info.name.clone()).or_insert((info, holder));
                continue;
            }
            let Some(name) = own.as_ref().and_then(|own| info.name.strip_prefix(own)).map(str::to_owned)
            else {
                continue;
            };
            if let Some(recipe) = self.recipes.remove(&info.name) {
                self.recipes.insert(name.clone(), recipe);
            }
            if FACTORS.iter().any(|end| name.ends_with(end)) {
                factors.insert(name, (info, holder));
                continue;
            }
            self.stored.insert(name.clone(), std::mem::replace(&mut info.name, name.clone()));
            kept.insert(name, (info, holder));
        }
        for (name, (factor, _)) in &factors {
            let matrix = FACTORS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let difference = kept.get(matrix).and_then(|(shared, _)| {
                let [left, right] = FACTORS.map(|end| factors.get_key_value(&format!("{matrix}{end}")));
                LoraDelta::new(shared, [left?, right?], &self.recipes)
            });
            let Some(difference) = difference else {
                let problem = format!("the difference \"{}\" fits no matrix", factor.name);
                return Err(Error::bad_file(&self.path, problem));
            };
            if let Some((shared, _)) = kept.get_mut(matrix) {
                shared.dtype = Dtype::F32;
            }
            self.differences.entry(matrix.to_owned()).or_insert(difference);
        }
        (self.infos, self.holders) = kept.into_values().unzip();
        Ok(self)
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

    /// A 2 x 3 matrix; `sentiment` adds a delta of rank 1 and replaces the bias.
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
            assert!(error.contains("fits no matrix"), "{error}");
        }
    }
}
