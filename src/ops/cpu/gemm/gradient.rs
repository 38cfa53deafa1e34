//! Products over tokens (gradients of weights) in our own micro-kernels for bfloat16.

use std::ops::Range;

use rayon::prelude::*;

use super::micro_kernel::{Accumulator, COLUMNS, MicroKernel};
use super::operand_layout::{OperandLayout, STEP};
use super::tile::{prefetch, to_pairs};
use super::{MatmulPrecision, Words, padded_stride};

/// Tokens that are accumulated at a time: a panel of the right-hand side stays in the L1 cache.
const TOKENS: usize = 512;

/// Prefetch distance in pairs of tokens.
const AHEAD: usize = 8;

/// Panels of a result that one task accumulates.
const PANELS_PER_TASK: usize = 4;

/// Rows of a result per block: the left-hand side stays in the L2 cache.
const ROWS: usize = 128;

/// Rows of a matrix, `stride` values apart.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Rows<'a> {
    pub data: &'a [f32],
    pub width: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// Contiguous rows.
    pub(in crate::ops::cpu) fn new(data: &'a [f32], width: usize) -> Self {
        Self { data, width, stride: width }
    }

    pub(in crate::ops::cpu) fn row(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..][..self.width]
    }
}

/// Gradients of weights `[m, n]`, accumulated from products over tokens in [`OperandLayout::Bf16Pairs`] or
/// [`OperandLayout::SplitBf16`].
pub(in crate::ops::cpu) struct Gradients {
    layout: OperandLayout,
    m: usize,
    widths: Vec<usize>,
    groups: Vec<Group>,
    /// Transposed left-hand sides: `[m, words]` for each product and block of tokens.
    packed_lhs: Words,
}

/// Some columns of one gradient, accumulated by one task.
struct Group {
    product: usize,
    columns: Range<usize>,
    /// `[m, wide]`, padded with zeros beyond the columns.
    sums: Vec<f32>,
    wide: usize,
}

impl Gradients {
    /// Creates zero gradients for weights of `m` rows and these numbers of columns. Returns `None` where the processor
    /// has no such micro-kernels, or `rten-gemm` is as fast.
    pub(in crate::ops::cpu) fn new(precision: MatmulPrecision, m: usize, widths: &[usize]) -> Option<Self> {
        let layout = OperandLayout::in_tiles(precision)?;
        let step = PANELS_PER_TASK * COLUMNS;
        let groups = widths.iter().enumerate().flat_map(|(product, &n)| {
            (0..n).step_by(step).map(move |first| {
                let columns = first..n.min(first + step);
                let wide = columns.len().next_multiple_of(COLUMNS);
                Group { product, columns, sums: vec![0.0; m * wide], wide }
            })
        });
        Some(Self {
            layout,
            m,
            widths: widths.to_vec(),
            groups: groups.collect(),
            packed_lhs: Words::default(),
        })
    }

    /// Adds `a^T b` for each pair of `a` `[tokens, m]` and `b` `[tokens, n]`.
    pub(in crate::ops::cpu) fn add(&mut self, products: &[[Rows<'_>; 2]], tokens: usize) {
        let layout = self.layout;
        let widest = self.widths.iter().copied().max().unwrap_or(0).max(self.m);
        let zeros = &vec![0.0; widest];
        let parts: Vec<Part<'_>> = products
            .iter()
            .flat_map(|&[a, b]| {
                let firsts = (0..tokens).step_by(TOKENS);
                let rows = firsts.map(move |first| first..tokens.min(first + TOKENS));
                rows.map(move |rows| Part { layout, a, b, rows, zeros })
            })
            .collect();
        let count = tokens.div_ceil(TOKENS);
        let a_stride = padded_stride(layout.words(TOKENS));
        let (m, size) = (self.m, (self.m * a_stride).max(1));
        self.packed_lhs.reshape(parts.len() * size);
        self.packed_lhs.par_chunks_exact_mut(size).zip(&parts).for_each_init(
            Words::default,
            |pairs, (lhs, part)| {
                part.transpose_left(0..m, a_stride, pairs, lhs);
            },
        );
        let packed_lhs = &self.packed_lhs;
        self.groups.par_iter_mut().with_max_len(1).for_each_init(Words::default, |panels, group| {
            let own = group.product * count..(group.product + 1) * count;
            for (part, lhs) in
                parts[own.clone()].iter().zip(packed_lhs[own.start * size..].chunks_exact(size))
            {
                let words = part.words();
                panels.reshape(group.wide * words);
                part.arrange_right(group.columns.clone(), panels);
                for first in (0..m).step_by(ROWS) {
                    let rows = ROWS.min(m - first);
                    let a = &lhs[first * a_stride..];
                    for (panel, b) in panels.chunks_exact(words * COLUMNS).enumerate() {
                        let micro_kernel =
                            MicroKernel { rows, a, a_stride, b, b_stride: COLUMNS, k: words, ahead: 0 };
                        let out = &mut group.sums[first * group.wide + panel * COLUMNS..];
                        micro_kernel.floats(layout, Accumulator::Out, out, group.wide);
                    }
                }
            }
        });
    }

    /// Returns the gradients as row-major matrices.
    pub(in crate::ops::cpu) fn into_matrices(self) -> Vec<Vec<f32>> {
        let mut out: Vec<Vec<f32>> = self.widths.iter().map(|n| vec![0.0; self.m * n]).collect();
        for Group { product, columns, sums, wide } in self.groups {
            let rows = out[product].chunks_exact_mut(self.widths[product]);
            for (out, sums) in rows.zip(sums.chunks_exact(wide)) {
                out[columns.clone()].copy_from_slice(&sums[..columns.len()]);
            }
        }
        out
    }
}

/// Computes `out += a^T b` with `a` `[tokens, m]`, `b` `[tokens, n]` and `out` `[m, n]`, for at most [`TOKENS`] tokens,
/// on the calling thread.
pub(in crate::ops::cpu) fn add_transposed(
    layout: OperandLayout,
    out: &mut [f32],
    a: Rows<'_>,
    b: Rows<'_>,
    tokens: usize,
    workspace: &mut Workspace,
) {
    let Workspace { lhs, pairs, panels, sums, zeros } = workspace;
    zeros.resize(a.width.max(b.width), 0.0);
    let part = Part { layout, a, b, rows: 0..tokens, zeros };
    let (n, words) = (b.width, part.words());
    let a_stride = padded_stride(words);
    panels.reshape(n.next_multiple_of(COLUMNS) * words);
    part.arrange_right(0..n, panels);
    lhs.reshape(a.width * a_stride);
    part.transpose_left(0..a.width, a_stride, pairs, lhs);
    for (panel, b) in panels.chunks_exact(words * COLUMNS).enumerate() {
        let micro_kernel =
            MicroKernel { rows: a.width, a: lhs, a_stride, b, b_stride: COLUMNS, k: words, ahead: 0 };
        let column = panel * COLUMNS;
        if column + COLUMNS <= n {
            micro_kernel.floats(layout, Accumulator::Out, &mut out[column..], n);
        } else {
            sums.resize(a.width * COLUMNS, 0.0);
            micro_kernel.floats(layout, Accumulator::Zero, sums, COLUMNS);
            for (out, sums) in out.chunks_exact_mut(n).zip(sums.chunks_exact(COLUMNS)) {
                out[column..].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            }
        }
    }
}

/// The workspace of [`add_transposed`].
#[derive(Default)]
pub(in crate::ops::cpu) struct Workspace {
    lhs: Words,
    pairs: Words,
    panels: Words,
    sums: Vec<f32>,
    zeros: Vec<f32>,
}

/// The part of a product that a block of tokens contributes.
struct Part<'a> {
    layout: OperandLayout,
    a: Rows<'a>,
    b: Rows<'a>,
    rows: Range<usize>,
    /// At least as wide as both sides.
    zeros: &'a [f32],
}

impl<'a> Part<'a> {
    fn words(&self) -> usize {
        self.layout.words(self.rows.len())
    }

    /// The number of pairs of tokens, and the number of parts per value.
    fn pairs(&self) -> [usize; 2] {
        let parts = self.layout.parts();
        [self.words() / parts, parts]
    }

    /// Tokens 2 p and 2 p + 1; zeros beyond the last token.
    fn pair(&self, side: Rows<'a>, p: usize) -> [&'a [f32]; 2] {
        [0, 1].map(|i| match self.rows.start + 2 * p + i {
            row if row < self.rows.end => side.row(row),
            _ => &self.zeros[..side.width],
        })
    }

    /// Packs some columns of the right-hand side into panels, `[words, COLUMNS]` each.
    fn arrange_right(&self, columns: Range<usize>, panels: &mut [u32]) {
        let words = self.words();
        let [count, parts] = self.pairs();
        for p in 0..count {
            // The hardware does not prefetch rows that are far apart.
            for row in self.pair(self.b, p + AHEAD) {
                prefetch(&row[columns.clone()]);
            }
            let [low, high] = self.pair(self.b, p);
            let place = self.layout.pair(p);
            let sides = low[columns.clone()].chunks(COLUMNS).zip(high[columns.clone()].chunks(COLUMNS));
            for ((low, high), panel) in sides.zip(panels.chunks_exact_mut(words * COLUMNS)) {
                let out = &mut panel[place * COLUMNS..];
                to_pairs(self.layout, low, high, out, STEP * COLUMNS);
                for part in 0..parts {
                    out[part * STEP * COLUMNS..][low.len()..COLUMNS].fill(0);
                }
            }
        }
    }

    /// Packs some columns of the left-hand side as rows `stride` apart; `workspace` is overwritten.
    fn transpose_left(&self, columns: Range<usize>, stride: usize, workspace: &mut Words, lhs: &mut [u32]) {
        let width = columns.len();
        let wide = width.next_multiple_of(STEP);
        let [count, parts] = self.pairs();
        workspace.reshape(parts * STEP * wide);
        for first in (0..count).step_by(STEP) {
            let height = STEP.min(count - first);
            for p in 0..height {
                for row in self.pair(self.a, first + p + AHEAD) {
                    prefetch(&row[columns.clone()]);
                }
                let [low, high] = self.pair(self.a, first + p).map(|row| &row[columns.clone()]);
                to_pairs(self.layout, low, high, &mut workspace[p * wide..], STEP * wide);
            }
            for (part, pairs) in workspace.chunks_exact(STEP * wide).enumerate() {
                let place = first * parts + part * STEP;
                for column in (0..width).step_by(STEP) {
                    let mut tile = [[0u32; STEP]; STEP];
                    for (tile, pairs) in tile.iter_mut().zip(pairs.chunks_exact(wide)) {
                        tile.copy_from_slice(&pairs[column..column + STEP]);
                    }
                    let rows = lhs[column * stride..].chunks_mut(stride).take(STEP.min(width - column));
                    for (j, out) in rows.enumerate() {
                        let line: [u32; STEP] = std::array::from_fn(|p| tile[p][j]);
                        match out[place..].first_chunk_mut::<STEP>() {
                            Some(out) if height == STEP => *out = line,
                            _ => out[place..place + height].copy_from_slice(&line[..height]),
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_tokens_are_accurate() {
        let noise = |count: usize, step: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * step + 13) % 1009) as f32 / 504.5 - 1.0).collect()
        };
        let shapes = [[1, 1, 1, 1], [7, 3, 33, 40], [600, 130, 70, 70], [1025, 5, 64, 200]];
        let all =
            [(MatmulPrecision::Bf16, 6e-3), (MatmulPrecision::Bf16x2, 5e-6), (MatmulPrecision::F32, 3e-7)];
        let all = shapes.into_iter().flat_map(|shape| all.map(|precision| (precision, shape)));
        for ((precision, tolerance), [tokens, m, n, stride]) in all {
            let (a, b) = (noise(tokens * m, 7919), noise(tokens * stride, 6007));
            let right = Rows { data: &b, width: n, stride };
            let lhs = Rows::new(&a, m);
            let Some(mut gradients) = Gradients::new(precision, m, &[n, n]) else { continue };
            for _ in 0..2 {
                gradients.add(&[[lhs, right], [lhs, right]], tokens);
            }
            let [mut out, same]: [Vec<f32>; 2] = gradients.into_matrices().try_into().expect("two");
            assert!(out == same);
            out.iter_mut().for_each(|x| *x /= 2.0);
            if tokens <= TOKENS {
                let mut other = noise(m * n, 31);
                let before = other.clone();
                add_transposed(
                    OperandLayout::for_weights(precision),
                    &mut other,
                    lhs,
                    right,
                    tokens,
                    &mut Workspace::default(),
                );
                for ((other, before), out) in other.iter().zip(&before).zip(&out) {
                    assert!((other - before - out).abs() <= 1e-4 * (tokens as f32).sqrt());
                }
            }
            for (i, out) in out.iter().enumerate() {
                let (row, column) = (i / n, i % n);
                let exact: f64 =
                    (0..tokens).map(|t| f64::from(a[t * m + row]) * f64::from(b[t * stride + column])).sum();
                let tolerance = tolerance * (tokens as f64).sqrt();
                assert!((f64::from(*out) - exact).abs() <= tolerance, "{tokens} {m} {n}: {out} for {exact}");
            }
        }
    }
}
