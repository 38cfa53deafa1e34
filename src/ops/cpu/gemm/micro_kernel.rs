//! The arguments of the micro-kernels, checked in one place for all instruction sets.

#[cfg(target_arch = "x86_64")]
use super::OperandLayout;

/// Columns of a panel of the right-hand side.
pub(in crate::ops::cpu) const COLUMNS: usize = 32;

/// A part of a product: some rows of the left-hand side times [`COLUMNS`] columns of the right-hand side.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no micro-kernels here"))]
pub(in crate::ops::cpu) struct MicroKernel<'a> {
    pub rows: usize,
    /// Words of the left-hand side: row i starts at `i * a_stride` and has `k` of them.
    pub a: &'a [u32],
    pub a_stride: usize,
    /// Words of the right-hand side: word p of column j is at `p * b_stride + j`.
    pub b: &'a [u32],
    pub b_stride: usize,
    /// Words along k ([`super::OperandLayout::words`]).
    pub k: usize,
    /// Distance from each word of the right-hand side to the word to prefetch.
    pub ahead: usize,
}

/// The initial value of the accumulators.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no micro-kernels here"))]
pub(in crate::ops::cpu) enum Accumulator<'a> {
    Zero,
    /// The same for every row.
    Row(&'a [f32; COLUMNS]),
    /// The contents of `out`.
    Out,
}

/// Dequantization of int32 sums: `scale * (scales[j] * sum - zero * sums[j])` with the row's scale and zero point.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no micro-kernels here"))]
pub(in crate::ops::cpu) struct Dequantize<'a> {
    /// Scale and zero point of each row.
    pub rows: &'a [[f32; 2]],
    pub scales: &'a [f32],
    pub sums: &'a [f32],
}

#[cfg(target_arch = "x86_64")]
impl Dequantize<'_> {
    /// The dequantization of the rows from `row` on.
    pub(super) fn row(self, row: usize) -> Self {
        Self { rows: &self.rows[row..], ..self }
    }
}

#[cfg(target_arch = "x86_64")]
impl MicroKernel<'_> {
    /// Checks that all accesses lie within the slices. Returns false if there is nothing to compute.
    ///
    /// # Panics
    /// If an access would be out of bounds.
    pub(super) fn check(&self, layout: OperandLayout, out: &[f32], out_stride: usize) -> bool {
        if self.rows == 0 {
            return false;
        }
        assert!(layout.is_supported() && self.k > 0 && self.k.is_multiple_of(layout.parts() * layout.step()));
        let reach = |rows: usize, stride: usize, width: usize| {
            (rows - 1).checked_mul(stride).and_then(|at| at.checked_add(width)).expect("a place in memory")
        };
        assert!(reach(self.rows, self.a_stride, self.k) <= self.a.len());
        assert!(reach(self.k, self.b_stride, COLUMNS) <= self.b.len());
        assert!(reach(self.rows, out_stride, COLUMNS) <= out.len());
        true
    }

    /// Splits the rows into tiles of similar heights, at most `most`; yields each tile with its first row.
    pub(super) fn tiles(self, most: usize) -> impl Iterator<Item = (usize, Self)> {
        let count = self.rows.div_ceil(most).max(1);
        let mut row = 0;
        (0..count).map(move |i| {
            let first = row;
            let rows = self.rows / count + usize::from(i < self.rows % count);
            row += rows;
            // Only one tile prefetches the next panel.
            let ahead = if i + 1 == count { self.ahead } else { 0 };
            (first, Self { rows, a: &self.a[first * self.a_stride..], ahead, ..self })
        })
    }
}
