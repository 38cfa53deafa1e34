//! Packing of weight matrices into panels of columns.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};
use super::operand_layout::{OperandLayout, STEP, STEP_FLOATS, STEP_WORDS, SplitBf16};
use super::tile::{pairs_saturate, split_step, to_pairs};
use super::{PackedLhs, Words};

/// A part of a row-major matrix.
pub(super) struct SubMatrix<'a> {
    pub data: &'a [f32],
    pub stride: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl SubMatrix<'_> {
    /// Some columns of a row, both counted from the start of the part; empty below the last row.
    fn row(&self, row: usize, columns: Range<usize>) -> &[f32] {
        if row >= self.rows.len() {
            return &[];
        }
        let start = (self.rows.start + row) * self.stride + self.columns.start;
        &self.data[start + columns.start..start + columns.end]
    }

    /// All values of the part, row by row.
    pub(super) fn values(&self) -> Vec<f32> {
        (0..self.rows.len()).flat_map(|row| self.row(row, 0..self.columns.len())).copied().collect()
    }
}

/// A part of a weight matrix, packed into consecutive panels of [`COLUMNS`] columns.
pub(super) struct Panels {
    layout: OperandLayout,
    /// Words along k.
    k: usize,
    n: usize,
    /// Words along k in `words`: fewer for [`OperandLayout::SplitBf16`] with three parts, which `words` stores as floats.
    words_before_splitting: usize,
    /// `[panels, words_before_splitting, COLUMNS]`, padded with zeros beyond n.
    words: Words,
    /// The panels of [`OperandLayout::SplitBf16`] with three parts, `[panels, k, COLUMNS]`, once they have been split.
    split: OnceLock<Words>,
    /// For [`OperandLayout::Bytes`]: scale and scaled sum of each column; zeros beyond n.
    scales: Vec<f32>,
    sums: Vec<f32>,
}

impl Panels {
    pub(super) fn new(weight: &SubMatrix<'_>, layout: OperandLayout) -> Self {
        let n = weight.columns.len();
        let k = layout.words(weight.rows.len());
        let words_before_splitting = layout.words_before_splitting(weight.rows.len());
        let padded = n.next_multiple_of(COLUMNS);
        let bytes = layout == OperandLayout::Bytes;
        let mut panels = Self {
            layout,
            k,
            n,
            words_before_splitting,
            words: Words::zeros(words_before_splitting * padded),
            split: OnceLock::new(),
            scales: vec![0.0; if bytes { padded } else { 0 }],
            sums: vec![0.0; if bytes { padded } else { 0 }],
        };
        let columns = |panel: usize| panel * COLUMNS..(panel * COLUMNS + COLUMNS).min(n);
        let words = panels.words.par_chunks_exact_mut((words_before_splitting * COLUMNS).max(1)).enumerate();
        if bytes {
            let scales = panels.scales.par_chunks_exact_mut(COLUMNS);
            let sums = panels.sums.par_chunks_exact_mut(COLUMNS);
            words.zip(scales.zip(sums)).for_each(|((panel, words), (scales, sums))| {
                fill_bytes(weight, columns(panel), words, scales, sums);
            });
        } else {
            words.for_each(|(panel, words)| fill(weight, columns(panel), layout, words));
        }
        panels
    }

    /// Splits floats into bf16 parts once instead of in each product, which pays off for more than a few rows. Takes six
    /// additional bytes per value.
    pub(super) fn split(&self) {
        if self.layout != OperandLayout::SplitBf16(SplitBf16::Three) || self.split.get().is_some() {
            return;
        }
        let mut split = Words::zeros(self.words.len() / 2 * 3);
        let steps = self.words.par_chunks_exact(STEP_FLOATS).zip(split.par_chunks_exact_mut(3 * STEP_WORDS));
        steps.with_min_len(64).for_each(|(floats, out)| split_step(floats, out));
        // A concurrent thread may have set it first, to the same words.
        let _ = self.split.set(split);
    }

    /// Multiplies `lhs` by all panels, into rows of n values.
    pub(super) fn product(&self, lhs: &PackedLhs, bias: Option<&[f32]>, out: &mut [f32]) {
        for panel in 0..self.n.div_ceil(COLUMNS) {
            let first = panel * COLUMNS;
            if first + COLUMNS <= self.n {
                self.panel(panel, lhs, bias, &mut out[first..], self.n);
            } else {
                self.last_panel(panel, lhs, bias, out);
            }
        }
    }

    /// Computes a panel with fewer columns through a full one.
    fn last_panel(&self, panel: usize, lhs: &PackedLhs, bias: Option<&[f32]>, out: &mut [f32]) {
        let first = panel * COLUMNS;
        let columns = self.n - first;
        let mut tile = vec![0.0; lhs.rows() * COLUMNS];
        if bias.is_none() {
            for (out, tile) in out.chunks_exact(self.n).zip(tile.chunks_exact_mut(COLUMNS)) {
                tile[..columns].copy_from_slice(&out[first..]);
            }
        }
        self.panel(panel, lhs, bias, &mut tile, COLUMNS);
        for (out, tile) in out.chunks_exact_mut(self.n).zip(tile.chunks_exact(COLUMNS)) {
            out[first..].copy_from_slice(&tile[..columns]);
        }
    }

    /// Multiplies `lhs` by one panel, into rows that are `out_stride` apart.
    pub(super) fn panel(
        &self,
        panel: usize,
        lhs: &PackedLhs,
        bias: Option<&[f32]>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let first = panel * COLUMNS;
        // A bias that ends inside the panel is padded with zeros.
        let mut full = [0.0; COLUMNS];
        let bias = bias.map(|bias| {
            let bias = &bias[first..self.n.min(first + COLUMNS)];
            full[..bias.len()].copy_from_slice(bias);
            &full
        });
        let start = bias.map_or(Accumulator::Out, Accumulator::Row);
        let (words, size) = match self.split.get() {
            Some(split) => (split, self.k),
            None => (&self.words, self.words_before_splitting),
        };
        let words = &words[first * size..(first + COLUMNS) * size];
        let micro_kernel = MicroKernel {
            rows: lhs.rows(),
            a: lhs.words_from(0),
            a_stride: lhs.stride(),
            b: words,
            b_stride: COLUMNS,
            k: self.k,
            ahead: COLUMNS * size,
        };
        match self.layout {
            OperandLayout::SplitBf16(SplitBf16::Three) if self.split.get().is_none() => {
                micro_kernel.floats_to_split(start, out, out_stride);
            }
            OperandLayout::Floats | OperandLayout::SplitBf16(_) | OperandLayout::Bf16Pairs => {
                micro_kernel.floats(self.layout, start, out, out_stride);
            }
            OperandLayout::Bytes => {
                let dequantize = Dequantize {
                    rows: lhs.scales(),
                    scales: &self.scales[first..first + COLUMNS],
                    sums: &self.sums[first..first + COLUMNS],
                };
                micro_kernel.bytes(dequantize, start, out, out_stride);
            }
        }
    }
}

/// Packs some columns into a panel `[words, COLUMNS]`, in any layout except [`OperandLayout::Bytes`].
fn fill(weight: &SubMatrix<'_>, columns: Range<usize>, layout: OperandLayout, words: &mut [u32]) {
    // Full rows: zeros beyond the last column and the last row.
    let row = |row: usize| {
        let mut full = [0.0; COLUMNS];
        let values = weight.row(row, columns.clone());
        full[..values.len()].copy_from_slice(values);
        full
    };
    match layout {
        // Three parts are split later.
        OperandLayout::Floats | OperandLayout::SplitBf16(SplitBf16::Three) => {
            for (p, words) in words.chunks_exact_mut(COLUMNS).enumerate() {
                words.copy_from_slice(bytemuck::cast_slice(&row(p)));
            }
        }
        OperandLayout::Bf16Pairs | OperandLayout::SplitBf16(SplitBf16::Two) => {
            for p in 0..weight.rows.len().div_ceil(2) {
                let words = &mut words[layout.pair(p) * COLUMNS..];
                to_pairs(layout, &row(2 * p), &row(2 * p + 1), words, STEP * COLUMNS);
            }
        }
        OperandLayout::Bytes => unreachable!("has scales"),
    }
}

/// Packs a panel `[words, COLUMNS]` of bytes, with scale and scaled sum of each column.
fn fill_bytes(
    weight: &SubMatrix<'_>,
    columns: Range<usize>,
    words: &mut [u32],
    scales: &mut [f32],
    sums: &mut [f32],
) {
    let row = |row: usize| weight.row(row, columns.clone());
    let (mut most, mut total) = ([0.0f32; COLUMNS], [0i32; COLUMNS]);
    // The magnitude that maps to 127: the largest weight, or the largest pair of weights, whose sum rounding raises to at
    // most 128.
    let together = if pairs_saturate() { 2 } else { 1 };
    for p in (0..weight.rows.len()).step_by(together) {
        let mut size = [0.0; COLUMNS];
        for p in p..p + together {
            size.iter_mut().zip(row(p)).for_each(|(size, x)| *size += x.abs());
        }
        most.iter_mut().zip(size).for_each(|(most, size)| *most = most.max(size));
    }
    let inverse = most.map(|most| if most > 0.0 { 127.0 / most } else { 0.0 });
    for (p, words) in words.chunks_exact_mut(COLUMNS).enumerate() {
        for byte in 0..4 {
            for (j, x) in row(4 * p + byte).iter().enumerate() {
                let value = (x * inverse[j]).round_ties_even() as i8;
                total[j] += i32::from(value);
                words[j] |= u32::from(value as u8) << (8 * byte);
            }
        }
    }
    for j in 0..columns.len() {
        scales[j] = most[j] / 127.0;
        sums[j] = scales[j] * total[j] as f32;
    }
}
