//! Singular values and vectors by one-sided Jacobi rotations (Hestenes 1958; Golub and Van Loan, "Matrix Computations",
//! section 8.6.3): enough for matrices of some hundred columns. A library of linear algebra would make every dependency that
//! it shares with burn be built twice.

/// `matrix` is `left` times `values` on a diagonal times `right`.
pub struct Svd {
    /// Vectors of the rows' length, of unit length.
    pub left: Vec<Vec<f64>>,
    /// The largest first.
    pub values: Vec<f64>,
    /// Vectors of the columns' length, of unit length.
    pub right: Vec<Vec<f64>>,
}

/// Sweeps over all pairs, at most: convergence is quadratic.
const SWEEPS: usize = 30;

/// Columns count as orthogonal when the cosine of their angle is less than this.
const COSINE: f64 = 1e-9;

/// Of `rows` by `columns` values, row by row.
pub fn svd(values: &[f32], rows: usize, columns: usize) -> Svd {
    if columns > rows {
        let transposed: Vec<f32> =
            (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect();
        let Svd { left, values, right } = svd(&transposed, columns, rows);
        return Svd { left: right, values, right: left };
    }
    let column = |c: usize| (0..rows).map(|r| f64::from(values[r * columns + c])).collect();
    let mut left: Vec<Vec<f64>> = (0..columns).map(column).collect();
    let unit = |c: usize| (0..columns).map(|r| f64::from(u8::from(r == c))).collect();
    let mut right: Vec<Vec<f64>> = (0..columns).map(unit).collect();
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for a in 0..columns {
            for b in a + 1..columns {
                if let Some(rotation) = rotation(&left[a], &left[b]) {
                    rotate(&mut left, a, b, rotation);
                    rotate(&mut right, a, b, rotation);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut all: Vec<(f64, Vec<f64>, Vec<f64>)> = left
        .into_iter()
        .zip(right)
        .map(|(mut left, right)| {
            let length = dot(&left, &left).sqrt();
            left.iter_mut().for_each(|value| *value /= length.max(f64::MIN_POSITIVE));
            (length, left, right)
        })
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut svd = Svd { left: Vec::new(), values: Vec::new(), right: Vec::new() };
    for (value, left, right) in all {
        svd.values.push(value);
        svd.left.push(left);
        svd.right.push(right);
    }
    svd
}

/// Cosine and sine of the rotation that makes two columns orthogonal; `None` where they are.
fn rotation(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
    if ab.abs() <= COSINE * (aa * bb).sqrt() {
        return None;
    }
    let zeta = (bb - aa) / (2.0 * ab);
    let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    Some((cosine, cosine * tangent))
}

fn rotate(vectors: &mut [Vec<f64>], a: usize, b: usize, (cosine, sine): (f64, f64)) {
    let (before, after) = vectors.split_at_mut(b);
    for (x, y) in before[a].iter_mut().zip(&mut after[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// In several sums, which the compiler makes vectors of.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const SUMS: usize = 8;
    let (a, b) = (a.chunks_exact(SUMS), b.chunks_exact(SUMS));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; SUMS];
    for (a, b) in a.zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    rest + sums.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::svd;

    #[test]
    fn the_product_is_the_matrix_again() {
        for (rows, columns) in [(5, 3), (3, 5), (4, 4), (1, 2)] {
            let values: Vec<f32> =
                (0..rows * columns).map(|i| ((i * 37 + 11) % 23) as f32 / 7.0 - 1.5).collect();
            let found = svd(&values, rows, columns);
            assert!(found.values.is_sorted_by(|a, b| a >= b));
            for (i, value) in values.iter().enumerate() {
                let (r, c) = (i / columns, i % columns);
                let product: f64 = (0..found.values.len())
                    .map(|k| found.left[k][r] * found.values[k] * found.right[k][c])
                    .sum();
                assert!((product - f64::from(*value)).abs() < 1e-6, "{product} {value}");
            }
        }
    }
}
