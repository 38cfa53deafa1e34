//! The left-hand side of a product: packed rows of states.

use super::micro_kernel::MicroKernel;
use super::{OperandLayout, Rows, Words, tile};

/// Packed rows in reusable memory.
#[derive(Debug, Default)]
pub(in crate::ops::cpu) struct PackedLhs {
    words: Words,
    stride: usize,
    rows: usize,
    width: usize,
    words_in_row: usize,
    scales: Vec<[f32; 2]>,
    row: Vec<f32>,
}

impl PackedLhs {
    /// Packs `rows` rows of `width` values; `row(i, out)` writes row i.
    pub(in crate::ops::cpu) fn fill(
        &mut self,
        layout: OperandLayout,
        [rows, width]: [usize; 2],
        mut row: impl FnMut(usize, &mut [f32]),
    ) {
        let words = self.shape(layout, [rows, width]);
        // The row is padded to full words; the values beyond the width stay zero.
        self.row.clear();
        self.row.resize(layout.padded(width), 0.0);
        for (i, out) in self.words.chunks_exact_mut(self.stride).enumerate() {
            let out = &mut out[..words];
            if layout == OperandLayout::Floats {
                row(i, bytemuck::cast_slice_mut(out));
                continue;
            }
            row(i, &mut self.row[..width]);
            self.scales.extend(convert(layout, &self.row, out));
        }
    }

    /// Packs rows that are in memory.
    pub(in crate::ops::cpu) fn copy(&mut self, layout: OperandLayout, x: Rows<'_>, rows: usize) {
        if layout == OperandLayout::Floats || layout.padded(x.width) != x.width {
            return self.fill(layout, [rows, x.width], |i, out| out.copy_from_slice(x.row(i)));
        }
        let words = self.shape(layout, [rows, x.width]);
        for (i, out) in self.words.chunks_exact_mut(self.stride).enumerate() {
            self.scales.extend(convert(layout, x.row(i), &mut out[..words]));
        }
    }

    /// Sets the shape and returns the number of words per row.
    fn shape(&mut self, layout: OperandLayout, [rows, width]: [usize; 2]) -> usize {
        let words = layout.words(width);
        (self.rows, self.width, self.stride) = (rows, width, padded_stride(words));
        self.words_in_row = words;
        self.words.reshape(rows * self.stride);
        self.scales.clear();
        words
    }

    pub(in crate::ops::cpu) fn rows(&self) -> usize {
        self.rows
    }

    /// Values per row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Words per row, with padding.
    pub(in crate::ops::cpu) fn words(&self) -> usize {
        self.words_in_row
    }

    /// Distance between rows in words.
    pub(in crate::ops::cpu) fn stride(&self) -> usize {
        self.stride
    }

    /// The words from row `row` on.
    pub(in crate::ops::cpu) fn words_from(&self, row: usize) -> &[u32] {
        &self.words[row * self.stride..]
    }

    /// Arguments to multiply all rows by words of a right-hand side; see [`MicroKernel`].
    pub(in crate::ops::cpu) fn micro_kernel<'a>(
        &'a self,
        b: &'a [u32],
        b_stride: usize,
        k: usize,
    ) -> MicroKernel<'a> {
        MicroKernel { rows: self.rows, a: &self.words, a_stride: self.stride, b, b_stride, k, ahead: 0 }
    }

    /// Scale and zero point of each row, for [`OperandLayout::Bytes`].
    pub(super) fn scales(&self) -> &[[f32; 2]] {
        &self.scales
    }

    /// All rows as floats, one stride apart, if they were packed with [`OperandLayout::Floats`].
    pub(super) fn floats(&self) -> &[f32] {
        bytemuck::cast_slice(&self.words)
    }

    /// All rows as bytes, four strides apart, if they were packed with [`OperandLayout::Bytes`].
    pub(super) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }
}

/// Packs a row that fills complete words; returns scale and zero point for [`OperandLayout::Bytes`].
fn convert(layout: OperandLayout, row: &[f32], out: &mut [u32]) -> Option<[f32; 2]> {
    match layout {
        OperandLayout::Bytes => return Some(tile::quantize(row, bytemuck::cast_slice_mut(out))),
        OperandLayout::SplitBf16(count) => tile::to_parts(count, row, out),
        OperandLayout::Bf16Pairs => tile::to_bf16(row, bytemuck::cast_slice_mut(out)),
        OperandLayout::Floats => out.copy_from_slice(bytemuck::cast_slice(row)),
    }
    None
}

/// The row stride in words for rows of `words` words. Avoids cache conflicts, which occur at multiples of 4096 bytes.
pub(in crate::ops::cpu) fn padded_stride(words: usize) -> usize {
    let words = words.next_multiple_of(16);
    if words.is_multiple_of(128) { words + 16 } else { words }
}
