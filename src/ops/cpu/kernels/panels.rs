//! Parts of weight matrices as panels of columns.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::form::{Form, Parts, STEP, STEP_FLOATS, STEP_WORDS};
use super::strip::{COLUMNS, Dequantize, Start, Strip};
use super::tile::{pairs_saturate, split_step, to_pairs};
use super::{Left, Words};

/// A part of a row-major matrix.
pub(super) struct Section<'a> {
    pub data: &'a [f32],
    pub stride: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Section<'_> {
    /// Some columns of a row, both counted from the part's first; empty below the last row.
    fn row(&self, row: usize, columns: Range<usize>) -> &[f32] {
        if row >= self.rows.len() {
            return &[];
        }
        let start = (self.rows.start + row) * self.stride + self.columns.start;
        &self.data[start + columns.start..start + columns.end]
    }

    /// All of it, row by row.
    pub(super) fn values(&self) -> Vec<f32> {
        (0..self.rows.len()).flat_map(|row| self.row(row, 0..self.columns.len())).copied().collect()
    }
}

/// A part of a weight matrix as panels of [`COLUMNS`] columns, one after another.
pub(super) struct Panels {
    form: Form,
    /// Words along k.
    k: usize,
    n: usize,
    /// Words along k in `words`: fewer for three [`Form::Parts`], which are floats there.
    unsplit: usize,
    /// `[panels, unsplit, COLUMNS]`, zeros beyond n.
    words: Words,
    /// The panels of three [`Form::Parts`], `[panels, k, COLUMNS]`, if they pay off.
    split: OnceLock<Words>,
    /// For [`Form::Bytes`]: scale, and scaled sum, of each column; zeros beyond n.
    scales: Vec<f32>,
    sums: Vec<f32>,
}

impl Panels {
    pub(super) fn new(weight: &Section<'_>, form: Form) -> Self {
        let n = weight.columns.len();
        let k = form.words(weight.rows.len());
        let unsplit = form.unsplit(weight.rows.len());
        let padded = n.next_multiple_of(COLUMNS);
        let bytes = form == Form::Bytes;
        let mut panels = Self {
            form,
            k,
            n,
            unsplit,
            words: Words::zeros(unsplit * padded),
            split: OnceLock::new(),
            scales: vec![0.0; if bytes { padded } else { 0 }],
            sums: vec![0.0; if bytes { padded } else { 0 }],
        };
        let columns = |panel: usize| panel * COLUMNS..(panel * COLUMNS + COLUMNS).min(n);
        let words = panels.words.par_chunks_exact_mut((unsplit * COLUMNS).max(1)).enumerate();
        if bytes {
            let scales = panels.scales.par_chunks_exact_mut(COLUMNS);
            let sums = panels.sums.par_chunks_exact_mut(COLUMNS);
            words.zip(scales.zip(sums)).for_each(|((panel, words), (scales, sums))| {
                fill_bytes(weight, columns(panel), words, scales, sums);
            });
        } else {
            words.for_each(|(panel, words)| fill(weight, columns(panel), form, words));
        }
        panels
    }

    /// Splits floats that are to be multiplied in parts once, not at each product: for more than a few rows. Takes
    /// six bytes more for each.
    pub(super) fn split(&self) {
        if self.form != Form::Parts(Parts::Three) || self.split.get().is_some() {
            return;
        }
        let mut split = Words::zeros(self.words.len() / 2 * 3);
        let steps = self.words.par_chunks_exact(STEP_FLOATS).zip(split.par_chunks_exact_mut(3 * STEP_WORDS));
        steps.with_min_len(64).for_each(|(floats, out)| split_step(floats, out));
        // Another thread's are as good.
        let _ = self.split.set(split);
    }

    /// All panels, into rows of n numbers.
    pub(super) fn product(&self, left: &Left, bias: Option<&[f32]>, out: &mut [f32]) {
        for panel in 0..self.n.div_ceil(COLUMNS) {
            let first = panel * COLUMNS;
            if first + COLUMNS <= self.n {
                self.panel(panel, left, bias, &mut out[first..], self.n);
            } else {
                self.last_panel(panel, left, bias, out);
            }
        }
    }

    /// A panel of fewer columns, by way of a full one.
    fn last_panel(&self, panel: usize, left: &Left, bias: Option<&[f32]>, out: &mut [f32]) {
        let first = panel * COLUMNS;
        let columns = self.n - first;
        let mut strip = vec![0.0; left.rows() * COLUMNS];
        if bias.is_none() {
            for (out, strip) in out.chunks_exact(self.n).zip(strip.chunks_exact_mut(COLUMNS)) {
                strip[..columns].copy_from_slice(&out[first..]);
            }
        }
        self.panel(panel, left, bias, &mut strip, COLUMNS);
        for (out, strip) in out.chunks_exact_mut(self.n).zip(strip.chunks_exact(COLUMNS)) {
            out[first..].copy_from_slice(&strip[..columns]);
        }
    }

    /// One panel, into rows that are `out_stride` apart.
    pub(super) fn panel(
        &self,
        panel: usize,
        left: &Left,
        bias: Option<&[f32]>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let first = panel * COLUMNS;
        // A bias that ends inside the panel is filled up.
        let mut full = [0.0; COLUMNS];
        let bias = bias.map(|bias| {
            let bias = &bias[first..self.n.min(first + COLUMNS)];
            full[..bias.len()].copy_from_slice(bias);
            &full
        });
        let start = bias.map_or(Start::Out, Start::Row);
        let (words, size) = match self.split.get() {
            Some(split) => (split, self.k),
            None => (&self.words, self.unsplit),
        };
        let words = &words[first * size..(first + COLUMNS) * size];
        let strip = Strip {
            rows: left.rows(),
            a: left.words_from(0),
            a_stride: left.stride(),
            b: words,
            b_stride: COLUMNS,
            k: self.k,
            ahead: COLUMNS * size,
        };
        match self.form {
            Form::Parts(Parts::Three) if self.split.get().is_none() => {
                strip.floats_to_split(start, out, out_stride);
            }
            Form::Floats | Form::Parts(_) | Form::Halves => strip.floats(self.form, start, out, out_stride),
            Form::Bytes => {
                let dequantize = Dequantize {
                    rows: left.scales(),
                    scales: &self.scales[first..first + COLUMNS],
                    sums: &self.sums[first..first + COLUMNS],
                };
                strip.bytes(dequantize, start, out, out_stride);
            }
        }
    }
}

/// A panel `[words, COLUMNS]` of some columns, in any form but [`Form::Bytes`].
fn fill(weight: &Section<'_>, columns: Range<usize>, form: Form, words: &mut [u32]) {
    // Whole rows: zeros beyond the last column, and the last row.
    let row = |row: usize| {
        let mut full = [0.0; COLUMNS];
        let values = weight.row(row, columns.clone());
        full[..values.len()].copy_from_slice(values);
        full
    };
    match form {
        // Three parts are split later.
        Form::Floats | Form::Parts(Parts::Three) => {
            for (p, words) in words.chunks_exact_mut(COLUMNS).enumerate() {
                words.copy_from_slice(bytemuck::cast_slice(&row(p)));
            }
        }
        Form::Halves | Form::Parts(Parts::Two) => {
            for p in 0..weight.rows.len().div_ceil(2) {
                let words = &mut words[form.pair(p) * COLUMNS..];
                to_pairs(form, &row(2 * p), &row(2 * p + 1), words, STEP * COLUMNS);
            }
        }
        Form::Bytes => unreachable!("has scales"),
    }
}

/// A panel `[words, COLUMNS]` of bytes, with scale and scaled sum of each column.
fn fill_bytes(
    weight: &Section<'_>,
    columns: Range<usize>,
    words: &mut [u32],
    scales: &mut [f32],
    sums: &mut [f32],
) {
    let row = |row: usize| weight.row(row, columns.clone());
    let (mut most, mut total) = ([0.0f32; COLUMNS], [0i32; COLUMNS]);
    // What becomes 127: the largest weight, or the largest pair of them, which rounding makes 128 at most.
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
