//! Low-rank deltas of matrices.

use std::collections::HashMap;

use rayon::prelude::*;

use super::quantization::recipe::Recipe;
use super::tensor::{Dtype, TensorInfo};

/// Rows of a matrix that one thread changes at a time.
const ROWS: usize = 64;

/// Rows of a right factor that are added at once.
const TOGETHER: usize = 4;

/// A matrix with a low-rank delta.
pub(super) struct LoraDelta {
    /// The type of the shared matrix in the file.
    pub(super) shared: Dtype,
    pub(super) factors: [Factor; 2],
    pub(super) columns: usize,
}

/// One of the two factors.
pub(super) struct Factor {
    /// Its name and the index of its file.
    pub(super) name: String,
    pub(super) holder: usize,
    pub(super) dtype: Dtype,
    /// How to dequantize it.
    pub(super) recipe: Option<Recipe>,
}

impl LoraDelta {
    /// Returns `None` if the shapes do not match.
    pub(super) fn new(
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
