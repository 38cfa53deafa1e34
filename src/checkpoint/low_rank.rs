//! Adds the product of two low-rank factors to a matrix.

use rayon::prelude::*;

/// Rows of a matrix that one thread updates at a time.
const ROWS: usize = 64;

/// Rows of the right factor that are added at a time.
const TOGETHER: usize = 4;

/// Adds the product of `left` `[rows, rank]` and `right` `[rank, columns]` to `values` `[rows, columns]`.
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

/// Adds the rows of `right`, each scaled by its factor, to `row`. Reads [`TOGETHER`] of them at a time.
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
