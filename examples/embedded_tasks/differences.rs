//! What a task changes in the encoder of all, in few numbers: the largest singular vectors of each matrix's change.

use albert::checkpoint::SavedTensor;
use albert::training::{Parameter, Parameters};
use albert::{Error, Result};

use super::svd::{Svd, svd};

/// Bytes of a half float.
const HALF: usize = 2;

/// A matrix with fewer numbers than this is replaced, not changed.
const SMALL: usize = 4096;

/// A matrix's change, as its singular values and vectors.
struct Change<'a> {
    name: &'a str,
    rows: usize,
    columns: usize,
    svd: Svd,
}

/// Changes that turn the shared encoder into the model of a task.
pub struct Differences<'a> {
    /// Small tensors, and tensors that only this task has.
    replaced: Vec<&'a Parameter>,
    changes: Vec<Change<'a>>,
}

impl<'a> Differences<'a> {
    /// The changes from `shared` to `own`.
    ///
    /// # Errors
    /// [`Error::Input`] when the models are not of one shape.
    pub fn new(shared: &Parameters, own: &'a Parameters) -> Result<Self> {
        let mut replaced = Vec::new();
        let mut changes = Vec::new();
        for parameter in own.tensors() {
            let before = shared.tensors().iter().find(|other| other.name == parameter.name);
            match (before, stored_shape(parameter)) {
                (Some(before), Some([rows, columns]))
                    if rows * columns >= SMALL && !is_head(&parameter.name) =>
                {
                    changes.push(Change::new(before, parameter, rows, columns)?);
                }
                _ => replaced.push(parameter),
            }
        }
        Ok(Self { replaced, changes })
    }

    /// Tensors that replace others under their own names, and factors of differences (see
    /// `src/checkpoint/task_tensors.rs`), which take `bytes` as half floats, at most. Of all singular vectors those are
    /// kept that change the most for their size.
    pub fn within(&self, bytes: usize) -> Vec<SavedTensor<'static>> {
        let mut tensors: Vec<SavedTensor> = self.replaced.iter().map(|parameter| whole(parameter)).collect();
        for (change, rank) in self.changes.iter().zip(ranks(&self.changes, bytes)) {
            if rank > 0 {
                tensors.extend(change.factors(rank));
            }
        }
        tensors
    }
}

/// A parameter as it is.
pub fn whole(parameter: &Parameter) -> SavedTensor<'static> {
    SavedTensor {
        name: parameter.name.clone(),
        shape: parameter.shape.clone(),
        transposed: parameter.transposed,
        values: parameter.values.clone().into(),
    }
}

/// Tensors of a task alone.
pub fn is_head(name: &str) -> bool {
    name.starts_with("classifier.") || name.starts_with("qa_outputs.")
}

/// Rows and columns of a matrix, as stored in files.
fn stored_shape(parameter: &Parameter) -> Option<[usize; 2]> {
    match (parameter.shape.as_slice(), parameter.transposed) {
        ([inputs, outputs], true) => Some([*outputs, *inputs]),
        ([rows, columns], false) => Some([*rows, *columns]),
        _ => None,
    }
}

/// How many singular vectors each change gets.
fn ranks(changes: &[Change], bytes: usize) -> Vec<usize> {
    let mut all: Vec<(f64, usize)> = Vec::new();
    for (i, change) in changes.iter().enumerate() {
        all.extend(change.svd.values.iter().map(|value| (value * value / change.bytes_of_one() as f64, i)));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut ranks = vec![0; changes.len()];
    let mut left = bytes;
    for (_, i) in all {
        let Some(rest) = left.checked_sub(changes[i].bytes_of_one()) else { break };
        left = rest;
        ranks[i] += 1;
    }
    ranks
}

impl<'a> Change<'a> {
    fn new(before: &Parameter, after: &'a Parameter, rows: usize, columns: usize) -> Result<Self> {
        if before.values.len() != after.values.len() {
            return Err(Error::Input(format!("{} is not of one shape in both models", after.name)));
        }
        // What is added to is what the file has of it.
        let half = |value: f32| half::f16::from_f32(value).to_f32();
        let change = before.values.iter().zip(&after.values).map(|(before, after)| after - half(*before));
        let change: Vec<f32> = change.collect();
        // In memory a transposed matrix has the columns of what is stored as rows.
        let svd = if after.transposed {
            let Svd { left, values, right } = svd(&change, columns, rows);
            Svd { left: right, values, right: left }
        } else {
            svd(&change, rows, columns)
        };
        Ok(Self { name: &after.name, rows, columns, svd })
    }

    /// Bytes of one singular vector on either side.
    fn bytes_of_one(&self) -> usize {
        HALF * (self.rows + self.columns)
    }

    /// Each side takes the root of the singular value.
    fn factors(&self, rank: usize) -> [SavedTensor<'static>; 2] {
        let Svd { left, values, right } = &self.svd;
        let part = |vector: &[f64], i: usize, k: usize| (vector[i] * values[k].sqrt()) as f32;
        let part = &part;
        let left = (0..self.rows).flat_map(|row| (0..rank).map(move |k| part(&left[k], row, k))).collect();
        let right =
            (0..rank).flat_map(|k| (0..self.columns).map(move |column| part(&right[k], column, k))).collect();
        let tensor = |side: &str, shape: [usize; 2], values: Vec<f32>| SavedTensor {
            name: format!("{}.difference.{side}", self.name),
            shape: shape.to_vec(),
            transposed: false,
            values: values.into(),
        };
        [tensor("left", [self.rows, rank], left), tensor("right", [rank, self.columns], right)]
    }
}
