//! Products of bytes through `rten-gemm`, for example with the dot product instructions of ARM and WebAssembly.

use std::cell::Cell;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::{Matrix, NdTensorView};

thread_local! {
    /// The kernels for this processor. The type is not `Send`, so each thread has its own.
    static EXECUTOR: GemmExecutor<u8, i8, i32> = GemmExecutor::default();
    /// Workspace for the int32 sums.
    static SUMS: Cell<Vec<i32>> = Cell::default();
}

/// A weight matrix in bytes, with one scale per column.
pub(in crate::ops::cpu) struct LibraryRhsInt8 {
    packed: PackedBMatrix<i8>,
    scales: Vec<f32>,
    /// The sum of each column, scaled.
    column_sums: Vec<f32>,
}

impl LibraryRhsInt8 {
    /// Returns true if the library accumulates pairs of products in 16 bits, which 8-bit weights would overflow.
    pub(in crate::ops::cpu) fn may_saturate() -> bool {
        EXECUTOR.with(GemmExecutor::may_saturate)
    }

    /// Returns true if the library multiplies bytes faster than floats on this processor.
    pub(in crate::ops::cpu) fn is_faster() -> bool {
        EXECUTOR.with(|executor| {
            // Portable code, and NEON without dot products, which multiplies 16-bit values at the same rate as floats.
            let name = executor.kernel_name();
            !(name.starts_with("generic") || name.ends_with("mlal"))
        })
    }

    /// Packs `values` `[rows, columns]` as the right-hand side of products. Weights have 8 bits, or 7 where the library's
    /// sums could saturate.
    pub(in crate::ops::cpu) fn new(values: Vec<f32>, [rows, columns]: [usize; 2]) -> Self {
        let most_byte = if Self::may_saturate() { 63.0 } else { 127.0 };
        let mut most = vec![0.0f32; columns];
        let lines = || values.chunks_exact(columns.max(1));
        for row in lines() {
            most.iter_mut().zip(row).for_each(|(most, x)| *most = most.max(x.abs()));
        }
        let inverse: Vec<f32> =
            most.iter().map(|most| if *most > 0.0 { most_byte / most } else { 0.0 }).collect();
        let mut totals = vec![0i32; columns];
        let mut bytes = Vec::with_capacity(rows * columns);
        for row in lines() {
            for ((x, inverse), total) in row.iter().zip(&inverse).zip(&mut totals) {
                let byte = (x * inverse).round_ties_even() as i8;
                *total += i32::from(byte);
                bytes.push(byte);
            }
        }
        let packed = EXECUTOR
            .with(|executor| executor.prepack_b(NdTensorView::from_data([rows, columns], bytes.as_slice())));
        let scales: Vec<f32> = most.iter().map(|most| most / most_byte).collect();
        let column_sums = scales.iter().zip(totals).map(|(scale, total)| scale * total as f32).collect();
        Self { packed, scales, column_sums }
    }

    /// Computes `out = a * b + bias` for rows of `a` in bytes, each with its scale and zero point. Without a bias, the
    /// product is added to `out`.
    pub(in crate::ops::cpu) fn product(
        &self,
        a: Matrix<'_, u8>,
        rows: &[[f32; 2]],
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        // Taken, not borrowed: the library may run another of our tasks on this thread.
        let mut sums = SUMS.take();
        sums.resize(out.len(), 0);
        EXECUTOR
            .with(|executor| {
                let (a, b) = (GemmInputA::Unpacked(a), GemmInputB::Packed(&self.packed));
                executor.gemm(&mut sums, a, b, GemmOptions::default())
            })
            .expect("the shapes agree by construction");
        let width = self.scales.len().max(1);
        let lines = out.chunks_exact_mut(width).zip(sums.chunks_exact(width));
        for ((out, sums), &[scale, zero]) in lines.zip(rows) {
            if let Some(bias) = bias {
                out.copy_from_slice(bias);
            }
            let columns = self.scales.iter().zip(&self.column_sums);
            for ((out, sum), (column_scale, column_sum)) in out.iter_mut().zip(sums).zip(columns) {
                *out += scale * (column_scale * *sum as f32 - zero * column_sum);
            }
        }
        SUMS.set(sums);
    }
}
