//! Selection of one task's tensors from a file with several tasks.
//!
//! For task `NAME`, a tensor `tasks.NAME.TENSOR` replaces `TENSOR`. The product of
//! `tasks.NAME.MATRIX.difference.left` `[rows, rank]` and `tasks.NAME.MATRIX.difference.right` `[rank, columns]` is added to
//! the shared matrix `[rows, columns]` (Hu et al. 2021, "LoRA", section 4.1).

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::quantization::bitsandbytes::Recipe;
use super::tensors::{Dtype, TensorInfo, Tensors};
use crate::error::{Error, Result};

/// Prefix of tensor names that belong to a task.
const TASKS: &str = "tasks.";

/// Suffixes of the names of the two factors of a delta.
const FACTORS: [&str; 2] = [".difference.left", ".difference.right"];

/// Rows of a matrix that one thread changes at a time.
const ROWS: usize = 64;

/// Rows of a right factor that are added at once.
const TOGETHER: usize = 4;

/// A matrix with a low-rank delta.
pub(super) struct Difference {
    /// The type of the shared matrix in the file.
    pub(super) shared: Dtype,
    factors: [Factor; 2],
    columns: usize,
}

/// One of the two factors.
struct Factor {
    /// Its name and the index of its file.
    name: String,
    holder: usize,
    dtype: Dtype,
    /// How to dequantize it.
    recipe: Option<Recipe>,
}

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
                Difference::new(shared, [left?, right?], &self.recipes)
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

impl Difference {
    /// Returns `None` if the shapes do not match.
    fn new(
        shared: &TensorInfo,
        factors: [(&String, &(TensorInfo, usize)); 2],
        recipes: &HashMap<String, Recipe>,
    ) -> Option<Self> {
        let [(_, (left, _)), (_, (right, _))] = factors;
        let ([rows, columns], [own_rows, rank], [own_rank, own_columns]) =
            (shared.shape.as_slice(), left.shape.as_slice(), right.shape.as_slice())
        else {
            return None;
        };
        if (rows, columns, rank) != (own_rows, own_columns, own_rank) {
            return None;
        }
        let factors = factors.map(|(name, (info, holder))| Factor {
            name: info.name.clone(),
            holder: *holder,
            dtype: info.dtype,
            recipe: recipes.get(name).cloned(),
        });
        Some(Self { shared: shared.dtype, factors, columns: *columns })
    }
}

impl Tensors {
    /// Adds its delta to the values of a matrix.
    pub(super) fn change(&self, values: &mut [f32], difference: &Difference) -> Result<()> {
        let [left, right] = difference.factors.each_ref().map(|factor| {
            let bytes = self.files[factor.holder].read(&factor.name)?;
            match &factor.recipe {
                Some(recipe) => self.dequantized(&factor.name, &bytes, recipe),
                None => self.floats(&factor.name, &bytes, factor.dtype),
            }
        });
        add_product(values, &left?, &right?, difference.columns);
        Ok(())
    }
}

/// Adds `left` `[rows, rank]` times `right` `[rank, columns]` to `values` `[rows, columns]`.
pub(super) fn add_product(values: &mut [f32], left: &[f32], right: &[f32], columns: usize) {
    let columns = columns.max(1);
    let rank = (right.len() / columns).max(1);
    values.par_chunks_mut(ROWS * columns).zip(left.par_chunks(ROWS * rank)).for_each(|(values, left)| {
        for (row, left) in values.chunks_mut(columns).zip(left.chunks(rank)) {
            for (factors, right) in left.chunks(TOGETHER).zip(right.chunks(TOGETHER * columns)) {
                add_rows(row, factors, right, columns);
            }
        }
    });
}

/// Adds the rows of `right`, each times its factor, to `row`. [`TOGETHER`] of them are read at once.
fn add_rows(row: &mut [f32], factors: &[f32], right: &[f32], columns: usize) {
    if let ([a, b, c, d], Some((first, rest))) = (factors, right.split_at_checked(columns))
        && let Some((second, rest)) = rest.split_at_checked(columns)
        && let Some((third, fourth)) = rest.split_at_checked(columns)
    {
        let rows = first.iter().zip(second).zip(third.iter().zip(fourth));
        for (value, ((w, x), (y, z))) in row.iter_mut().zip(rows) {
            *value += (a * w + b * x) + (c * y + d * z);
        }
        return;
    }
    for (factor, right) in factors.iter().zip(right.chunks(columns)) {
        row.iter_mut().zip(right).for_each(|(value, right)| *value += factor * right);
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
