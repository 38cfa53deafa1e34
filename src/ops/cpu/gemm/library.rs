//! Matrix products through `rten-gemm`.

use rayon::prelude::*;
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::{Matrix, NdTensorView};

use super::MatmulPrecision;
pub(in crate::ops::cpu) use super::library_int8::LibraryRhsInt8;

thread_local! {
    /// The kernels for this processor. The type is not `Send`, so each thread has its own.
    static EXECUTOR: GemmExecutor<f32> = GemmExecutor::default();
}

/// Computes `out = alpha a b + beta out + bias`.
fn gemm(
    out: &mut [f32],
    a: Matrix<'_, f32>,
    b: GemmInputB<'_, f32>,
    options: GemmOptions<'_, f32, f32, f32>,
) {
    EXECUTOR
        .with(|executor| executor.gemm(out, GemmInputA::Unpacked(a), b, options))
        .expect("the shapes agree by construction");
}

/// Views `data` as `[rows, columns]`.
pub(in crate::ops::cpu) fn matrix(data: &[f32], rows: usize, columns: usize) -> Matrix<'_, f32> {
    NdTensorView::from_data([rows, columns], data)
}

/// Views `[rows, columns]` values of `data`, with rows `stride` values apart.
pub(in crate::ops::cpu) fn strided<T>(
    data: &[T],
    rows: usize,
    columns: usize,
    stride: usize,
) -> Matrix<'_, T> {
    NdTensorView::from_slice_with_strides([rows, columns], data, [stride, 1])
        .expect("the caller's rows lie in the data")
}

/// A weight matrix packed once for many products.
pub(in crate::ops::cpu) type LibraryRhs = PackedBMatrix<f32>;

/// Packs `weight` `[k, n]` as the right-hand side of products.
pub(in crate::ops::cpu) fn pack(weight: Matrix<'_, f32>) -> LibraryRhs {
    EXECUTOR.with(|executor| executor.prepack_b(weight))
}

/// Like [`pack`], with `values` `[rows, columns]` rounded to `precision`, which has 16 bits or more.
pub(in crate::ops::cpu) fn pack_rounded(
    values: Vec<f32>,
    [rows, columns]: [usize; 2],
    precision: MatmulPrecision,
) -> LibraryRhs {
    let values = if precision == MatmulPrecision::Bf16 { rounded(&values) } else { values };
    pack(matrix(&values, rows, columns))
}

/// Rounds to the nearest bf16 values.
pub(in crate::ops::cpu) fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect()
}

/// Computes `out = a * b + bias`, with `out` `[m, n]`, `a` `[m, k]`, `b` `[k, n]` and `bias` `[n]`.
pub(in crate::ops::cpu) fn linear(out: &mut [f32], a: Matrix<'_, f32>, b: &LibraryRhs, bias: Option<&[f32]>) {
    let options = GemmOptions { bias: bias.map(BiasVector::Row), ..GemmOptions::default() };
    gemm(out, a, GemmInputB::Packed(b), options);
}

/// Computes `out = alpha * a * b`, or `out += alpha * a * b`.
pub(in crate::ops::cpu) fn multiply(
    out: &mut [f32],
    a: Matrix<'_, f32>,
    b: Matrix<'_, f32>,
    alpha: f32,
    add: bool,
) {
    let options = GemmOptions { alpha, beta: if add { 1.0 } else { 0.0 }, ..GemmOptions::default() };
    gemm(out, a, GemmInputB::Unpacked(b), options);
}

/// Computes `out += a * b`.
pub(in crate::ops::cpu) fn linear_add(out: &mut [f32], a: Matrix<'_, f32>, b: &LibraryRhs) {
    let options = GemmOptions { beta: 1.0, ..GemmOptions::default() };
    gemm(out, a, GemmInputB::Packed(b), options);
}

/// Transposes `x` `[rows, columns]` into `out` `[columns, rows]`.
///
/// Products read their left-hand side row by row; transposing it first is cheaper than strided reads.
pub(in crate::ops::cpu) fn transpose(out: &mut [f32], x: &[f32], columns: usize) {
    const TILE: usize = 16;
    let rows = x.len() / columns;
    out.par_chunks_mut(TILE * rows).enumerate().for_each(|(i, out)| {
        let first = i * TILE;
        let width = TILE.min(columns - first);
        for start in (0..rows).step_by(TILE) {
            let mut tile = [[0.0; TILE]; TILE];
            let height = TILE.min(rows - start);
            for (row, line) in tile[..height].iter_mut().enumerate() {
                let from = (start + row) * columns + first;
                line[..width].copy_from_slice(&x[from..from + width]);
            }
            for (column, out) in out.chunks_exact_mut(rows).enumerate() {
                let line: [f32; TILE] = std::array::from_fn(|row| tile[row][column]);
                out[start..start + height].copy_from_slice(&line[..height]);
            }
        }
    });
}
