//! Parts of weight matrices that are multiplied in place, for weights that are used once.
//!
//! Packing weights into panels costs as much as multiplying a sentence by them. Panels are faster to read, but that only
//! pays off from the second use on.

use super::micro_kernel::{Accumulator, COLUMNS, MicroKernel};
use super::panels::SubMatrix;
use super::{OperandLayout, PackedLhs};

/// A part of a row-major matrix of floats whose columns are full panels.
pub(super) struct InPlace<'a>(SubMatrix<'a>);

impl<'a> InPlace<'a> {
    /// Returns `None` unless the columns fill complete panels.
    pub(super) fn new(part: SubMatrix<'a>) -> Option<Self> {
        part.columns.len().is_multiple_of(COLUMNS).then_some(Self(part))
    }

    /// Multiplies `lhs` by a panel, into rows that are `out_stride` apart. Without a bias, the product is added to `out`.
    pub(super) fn panel(
        &self,
        panel: usize,
        lhs: &PackedLhs,
        bias: Option<&[f32]>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let SubMatrix { data, stride, ref rows, ref columns } = self.0;
        let first = panel * COLUMNS;
        let bias = bias.and_then(|bias| bias[first..].first_chunk::<COLUMNS>());
        let micro_kernel = MicroKernel {
            rows: lhs.rows(),
            a: lhs.words_from(0),
            a_stride: lhs.stride(),
            b: bytemuck::cast_slice(&data[rows.start * stride + columns.start + first..]),
            b_stride: stride,
            k: rows.len(),
            // The next panel's columns of the same row.
            ahead: COLUMNS,
        };
        micro_kernel.floats(
            OperandLayout::Floats,
            bias.map_or(Accumulator::Out, Accumulator::Row),
            out,
            out_stride,
        );
    }

    /// Multiplies `lhs` by all panels, as in [`Self::panel`].
    pub(super) fn product(&self, lhs: &PackedLhs, bias: Option<&[f32]>, out: &mut [f32]) {
        let width = self.0.columns.len();
        for panel in 0..width / COLUMNS {
            self.panel(panel, lhs, bias, &mut out[panel * COLUMNS..], width);
        }
    }
}
