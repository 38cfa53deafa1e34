//! Parts of weight matrices that are multiplied where they are, for weights that are used once.
//!
//! Copying weights into panels costs as much as multiplying a sentence with them. The panels are faster to read, but only
//! from the second time on.

use super::panels::Section;
use super::strip::{COLUMNS, Start, Strip};
use super::{Form, Left};

/// A part of a row-major matrix of floats whose columns are full panels.
pub(super) struct InPlace<'a>(Section<'a>);

impl<'a> InPlace<'a> {
    /// Returns `None` unless the columns are full panels.
    pub(super) fn new(part: Section<'a>) -> Option<Self> {
        part.columns.len().is_multiple_of(COLUMNS).then_some(Self(part))
    }

    /// `left` times a panel, into rows that are `out_stride` apart. Without a bias, the product is added to `out`.
    pub(super) fn panel(
        &self,
        panel: usize,
        left: &Left,
        bias: Option<&[f32]>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let Section { data, stride, ref rows, ref columns } = self.0;
        let first = panel * COLUMNS;
        let bias = bias.and_then(|bias| bias[first..].first_chunk::<COLUMNS>());
        let strip = Strip {
            rows: left.rows(),
            a: left.words_from(0),
            a_stride: left.stride(),
            b: bytemuck::cast_slice(&data[rows.start * stride + columns.start + first..]),
            b_stride: stride,
            k: rows.len(),
            // The next panel's columns of the same row.
            ahead: COLUMNS,
        };
        strip.floats(Form::Floats, bias.map_or(Start::Out, Start::Row), out, out_stride);
    }

    /// `left` times all panels, as [`Self::panel`].
    pub(super) fn product(&self, left: &Left, bias: Option<&[f32]>, out: &mut [f32]) {
        let width = self.0.columns.len();
        for panel in 0..width / COLUMNS {
            self.panel(panel, left, bias, &mut out[panel * COLUMNS..], width);
        }
    }
}
