//! Applies the changes of an adapter to the parameters of its base model.

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::layout::{to_f32, transposed};
use crate::checkpoint::low_rank::add_product;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::error::{Error, Result};

pub(in crate::checkpoint) const WORDS: &str = "albert.embeddings.word_embeddings.weight";

pub(super) const DECODER: &str = "predictions.decoder.weight";

pub(super) const DECODER_BIAS: &str = "predictions.decoder.bias";

pub(super) const MLM_BIAS: &str = "predictions.bias";

/// Access to the tensors of the file that contains an adapter.
pub(in crate::checkpoint) trait AdapterTensors: Send + Sync {
    /// The path of the file.
    fn path(&self) -> &Path;

    /// Returns the description of a tensor.
    fn get(&self, name: &str) -> Option<&TensorInfo>;

    /// Reads the bytes of a tensor and returns them with their type.
    fn read(&self, name: &str) -> Result<(Vec<u8>, Dtype)>;
}

/// The changes of an adapter to the parameters of its base model.
pub(in crate::checkpoint) struct Merge {
    /// The file that contains the adapter.
    pub(super) tensors: Box<dyn AdapterTensors>,
    /// The changes, by canonical name.
    pub(super) changes: BTreeMap<String, Change>,
}

/// The change to one parameter.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct Change {
    /// The tensor that replaces the parameter.
    pub(super) whole: Option<String>,
    pub(super) product: Option<Product>,
    /// The vector to add, and its factor.
    pub(super) added: Option<(String, f32)>,
    /// The parameter of the base model to start from, if it is a different one.
    pub(in crate::checkpoint) copy_of: Option<&'static str>,
}

/// A product of two low-rank factors, by the names of their tensors.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) scale: f32,
    /// True for an embedding table, to which the transposed product is added.
    pub(super) is_embedding: bool,
    pub(super) magnitude: Option<String>,
}

impl Merge {
    /// Returns true if the word embeddings or the masked-LM decoder change.
    pub(in crate::checkpoint) fn changes_words(&self) -> bool {
        let changes = [WORDS, DECODER].map(|name| self.changes.get(name));
        changes.into_iter().flatten().any(|change| change.product.is_some() || change.whole.is_some())
    }

    /// Keeps the masked-LM decoder as in the base model if only the word embeddings change, and vice versa.
    pub(in crate::checkpoint) fn untie(&mut self) {
        if self.changes_words() {
            self.changes.entry(DECODER.to_owned()).or_default().copy_of = Some(WORDS);
        }
    }

    /// Returns the changes, by canonical name.
    pub(in crate::checkpoint) fn changes(&self) -> &BTreeMap<String, Change> {
        &self.changes
    }

    /// Returns the path of the file that contains the adapter.
    pub(in crate::checkpoint) fn path(&self) -> &Path {
        self.tensors.path()
    }

    /// Returns the shape of the tensor that replaces a parameter, if there is one.
    pub(in crate::checkpoint) fn whole_shape(&self, change: &Change) -> Option<Vec<usize>> {
        Some(self.tensors.get(change.whole.as_deref()?)?.shape.clone())
    }

    /// Returns true if a change needs the parameter of the base model.
    pub(in crate::checkpoint) fn needs_base(change: &Change) -> bool {
        change.whole.is_none()
    }

    /// Returns true if a change fits a parameter of this shape.
    pub(in crate::checkpoint) fn fits(&self, change: &Change, shape: &[usize]) -> bool {
        let shape_of = |name: &str| self.tensors.get(name).map_or(&[][..], |info| info.shape.as_slice());
        if let Some((added, _)) = &change.added
            && shape_of(added) != shape
        {
            return false;
        }
        let Some(product) = &change.product else { return true };
        let ([rank, columns], [rows, own_rank]) = (shape_of(&product.a), shape_of(&product.b)) else {
            return false;
        };
        let (rows, columns) = if product.is_embedding { (columns, rows) } else { (rows, columns) };
        let lengths = product.magnitude.as_deref().map(|name| shape_of(name).iter().product::<usize>());
        rank == own_rank
            && shape == [*rows, *columns]
            && lengths.is_none_or(|n| n == if product.is_embedding { *columns } else { *rows })
    }

    /// Applies a change to the base model's values of a parameter.
    ///
    /// # Errors
    /// Errors from reading the adapter's tensors.
    pub(in crate::checkpoint) fn apply(&self, change: &Change, base: Vec<f32>) -> Result<Vec<f32>> {
        let mut values = match &change.whole {
            Some(name) => self.read(name)?,
            None => base,
        };
        if let Some((added, factor)) = &change.added {
            values.iter_mut().zip(self.read(added)?).for_each(|(value, added)| *value += factor * added);
        }
        let Some(product) = &change.product else { return Ok(values) };
        let (mut left, mut right) = (self.read(&product.b)?, self.read(&product.a)?);
        let rank = self.tensors.get(&product.a).and_then(|info| info.shape.first().copied()).unwrap_or(0);
        if product.is_embedding {
            // (B A)^T = A^T B^T
            let (a, b) = (right, left);
            right = transposed(&b, b.len() / rank.max(1), rank);
            left = transposed(&a, rank, a.len() / rank.max(1));
        }
        let columns = right.len() / rank.max(1);
        left.iter_mut().for_each(|value| *value *= product.scale);
        add_product(&mut values, &left, &right, columns);
        if let Some(name) = &product.magnitude {
            scale_to(&mut values, &self.read(name)?, columns, product.is_embedding);
        }
        Ok(values)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        let (bytes, dtype) = self.tensors.read(name)?;
        to_f32(&bytes, dtype).ok_or_else(|| {
            let problem = format!("tensor \"{name}\" has elements of type {dtype}; expected floats");
            Error::bad_file(self.tensors.path(), problem)
        })
    }
}

/// Scales the rows or columns of a matrix to the given Euclidean lengths.
fn scale_to(values: &mut [f32], lengths: &[f32], columns: usize, by_columns: bool) {
    let columns = columns.max(1);
    if by_columns {
        let mut squares = vec![0.0f64; columns];
        for row in values.chunks(columns) {
            squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value).powi(2));
        }
        let factors: Vec<f32> = squares
            .iter()
            .zip(lengths)
            .map(|(sum, length)| (f64::from(*length) / sum.sqrt()) as f32)
            .collect();
        for row in values.chunks_mut(columns) {
            row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
        }
        return;
    }
    for (row, length) in values.chunks_mut(columns).zip(lengths) {
        let sum: f64 = row.iter().map(|value| f64::from(*value).powi(2)).sum();
        let factor = (f64::from(*length) / sum.sqrt()) as f32;
        row.iter_mut().for_each(|value| *value *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_get_their_lengths() {
        let mut rows = [3.0, 4.0, 0.0, 2.0];
        scale_to(&mut rows, &[10.0, 1.0], 2, false);
        assert_eq!(rows, [6.0, 8.0, 0.0, 1.0]);
        let mut columns = [3.0, 0.0, 4.0, 2.0];
        scale_to(&mut columns, &[10.0, 1.0], 2, true);
        assert_eq!(columns, [6.0, 0.0, 8.0, 1.0]);
    }
}
