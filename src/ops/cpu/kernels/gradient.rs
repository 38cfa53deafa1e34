//! Products over tokens, the gradients of weights, in bfloat16.

use std::ops::Range;

use rayon::prelude::*;

use super::tile::{COLUMNS, Start, Strip, prefetch, to_bf16_pairs};
use super::{Form, Numbers, Words, apart};

/// Tokens whose part is added at a time: a panel of the right side stays in the nearest cache.
const TOKENS: usize = 512;

/// How many pairs of tokens are asked for before they are used.
const AHEAD: usize = 8;

/// Panels of a result that one task adds to.
const TOGETHER: usize = 4;

/// Rows of a matrix, `stride` apart.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Rows<'a> {
    pub data: &'a [f32],
    pub width: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// Rows one after another.
    pub(in crate::ops::cpu) fn new(data: &'a [f32], width: usize) -> Self {
        Self { data, width, stride: width }
    }

    pub(in crate::ops::cpu) fn row(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..][..self.width]
    }
}

/// Gradients of weights `[m, n]`, summed in bfloat16 products over tokens. Only where [`Numbers::native`]
/// says so.
pub(in crate::ops::cpu) struct Gradients {
    m: usize,
    widths: Vec<usize>,
    groups: Vec<Group>,
    /// Left sides, transposed: for each product and part of the tokens `[m, words]`.
    lefts: Words,
}

/// Some columns of one gradient, which one task adds to.
struct Group {
    product: usize,
    columns: Range<usize>,
    /// `[m, wide]`, zeros beyond the columns.
    sums: Vec<f32>,
    wide: usize,
}

impl Gradients {
    /// Zeros, for weights of `m` rows and so many columns each.
    pub(in crate::ops::cpu) fn new(m: usize, widths: &[usize]) -> Self {
        let step = TOGETHER * COLUMNS;
        let groups = widths.iter().enumerate().flat_map(|(product, &n)| {
            (0..n).step_by(step).map(move |first| {
                let columns = first..n.min(first + step);
                let wide = columns.len().next_multiple_of(COLUMNS);
                Group { product, columns, sums: vec![0.0; m * wide], wide }
            })
        });
        Self { m, widths: widths.to_vec(), groups: groups.collect(), lefts: Words::default() }
    }

    /// Adds `a^T b` for each pair of `a` `[tokens, m]` and `b` `[tokens, n]`.
    pub(in crate::ops::cpu) fn add(&mut self, products: &[[Rows<'_>; 2]], tokens: usize) {
        let widest = self.widths.iter().copied().max().unwrap_or(0).max(self.m);
        let zeros = &vec![0.0; widest];
        let parts: Vec<Part<'_>> = products
            .iter()
            .flat_map(|&[a, b]| {
                let firsts = (0..tokens).step_by(TOKENS);
                firsts.map(move |first| Part { a, b, rows: first..tokens.min(first + TOKENS), zeros })
            })
            .collect();
        let count = tokens.div_ceil(TOKENS);
        let a_stride = apart(Form::Halves.words(TOKENS));
        let (m, size) = (self.m, (self.m * a_stride).max(1));
        self.lefts.reshape(parts.len() * size);
        self.lefts.par_chunks_exact_mut(size).zip(&parts).for_each_init(
            Words::default,
            |pairs, (left, part)| {
                part.transpose_left(0..m, a_stride, pairs, left);
            },
        );
        let lefts = &self.lefts;
        self.groups.par_iter_mut().with_max_len(1).for_each_init(Words::default, |panels, group| {
            let own = group.product * count..(group.product + 1) * count;
            for (part, left) in parts[own.clone()].iter().zip(lefts[own.start * size..].chunks_exact(size)) {
                let words = part.words();
                panels.reshape(group.wide * words);
                part.arrange_right(group.columns.clone(), panels);
                for (panel, b) in panels.chunks_exact(words * COLUMNS).enumerate() {
                    let strip =
                        Strip { rows: m, a: left, a_stride, b, b_stride: COLUMNS, k: words, ahead: 0 };
                    let out = &mut group.sums[panel * COLUMNS..];
                    strip.floats(Numbers::Bf16, Start::Out, out, group.wide);
                }
            }
        });
    }

    /// The gradients, row by row.
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

/// `out += a^T b` with `a` `[tokens, m]`, `b` `[tokens, n]` and `out` `[m, n]`, for at most [`TOKENS`] tokens
/// and on this thread alone.
pub(in crate::ops::cpu) fn add_transposed(
    out: &mut [f32],
    a: Rows<'_>,
    b: Rows<'_>,
    tokens: usize,
    room: &mut Room,
) {
    let Room { left, pairs, panels, strip: sums, zeros } = room;
    zeros.resize(a.width.max(b.width), 0.0);
    let part = Part { a, b, rows: 0..tokens, zeros };
    let (n, words) = (b.width, part.words());
    let a_stride = apart(words);
    panels.reshape(n.next_multiple_of(COLUMNS) * words);
    part.arrange_right(0..n, panels);
    left.reshape(a.width * a_stride);
    part.transpose_left(0..a.width, a_stride, pairs, left);
    for (panel, b) in panels.chunks_exact(words * COLUMNS).enumerate() {
        let strip = Strip { rows: a.width, a: left, a_stride, b, b_stride: COLUMNS, k: words, ahead: 0 };
        let column = panel * COLUMNS;
        if column + COLUMNS <= n {
            strip.floats(Numbers::Bf16, Start::Out, &mut out[column..], n);
        } else {
            sums.resize(a.width * COLUMNS, 0.0);
            strip.floats(Numbers::Bf16, Start::Zero, sums, COLUMNS);
            for (out, sums) in out.chunks_exact_mut(n).zip(sums.chunks_exact(COLUMNS)) {
                out[column..].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            }
        }
    }
}

/// What [`add_transposed`] works in.
#[derive(Default)]
pub(in crate::ops::cpu) struct Room {
    left: Words,
    pairs: Words,
    panels: Words,
    strip: Vec<f32>,
    zeros: Vec<f32>,
}

/// Some tokens' part of a product.
struct Part<'a> {
    a: Rows<'a>,
    b: Rows<'a>,
    rows: Range<usize>,
    /// As wide as both sides.
    zeros: &'a [f32],
}

impl<'a> Part<'a> {
    fn words(&self) -> usize {
        Form::Halves.words(self.rows.len())
    }

    /// Tokens 2 p and 2 p + 1, or zeros.
    fn pair(&self, side: Rows<'a>, p: usize) -> [&'a [f32]; 2] {
        [0, 1].map(|i| match self.rows.start + 2 * p + i {
            row if row < self.rows.end => side.row(row),
            _ => &self.zeros[..side.width],
        })
    }

    /// Some columns of the right side as panels, `[words, COLUMNS]` each.
    fn arrange_right(&self, columns: Range<usize>, panels: &mut [u32]) {
        let words = self.words();
        for p in 0..words {
            // Rows far apart are no stream that the processor would foresee.
            for row in self.pair(self.b, p + AHEAD) {
                prefetch(&row[columns.clone()]);
            }
            let [low, high] = self.pair(self.b, p);
            let parts = low[columns.clone()].chunks(COLUMNS).zip(high[columns.clone()].chunks(COLUMNS));
            for ((low, high), panel) in parts.zip(panels.chunks_exact_mut(words * COLUMNS)) {
                let (out, rest) = panel[p * COLUMNS..][..COLUMNS].split_at_mut(low.len());
                to_bf16_pairs(low, high, out);
                rest.fill(0);
            }
        }
    }

    /// Some columns of the left side as rows `stride` apart; `pairs` is room.
    fn transpose_left(&self, columns: Range<usize>, stride: usize, pairs: &mut Words, left: &mut [u32]) {
        const TILE: usize = 16;
        let width = columns.len();
        let wide = width.next_multiple_of(TILE);
        let words = self.words();
        pairs.reshape(TILE * wide);
        for first in (0..words).step_by(TILE) {
            let count = TILE.min(words - first);
            for (p, out) in pairs.chunks_exact_mut(wide).take(count).enumerate() {
                for row in self.pair(self.a, first + p + AHEAD) {
                    prefetch(&row[columns.clone()]);
                }
                let [low, high] = self.pair(self.a, first + p);
                to_bf16_pairs(&low[columns.clone()], &high[columns.clone()], &mut out[..width]);
            }
            for column in (0..width).step_by(TILE) {
                let mut tile = [[0u32; TILE]; TILE];
                for (tile, pairs) in tile.iter_mut().zip(pairs.chunks_exact(wide)) {
                    tile.copy_from_slice(&pairs[column..column + TILE]);
                }
                let rows = left[column * stride..].chunks_mut(stride).take(TILE.min(width - column));
                for (j, out) in rows.enumerate() {
                    let line: [u32; TILE] = std::array::from_fn(|p| tile[p][j]);
                    match out[first..].first_chunk_mut::<TILE>() {
                        Some(out) if count == TILE => *out = line,
                        _ => out[first..first + count].copy_from_slice(&line[..count]),
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
    fn sums_over_tokens_are_near_the_exact_ones() {
        if !Numbers::Bf16.native() {
            return;
        }
        let noise = |count: usize, step: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * step + 13) % 1009) as f32 / 504.5 - 1.0).collect()
        };
        for [tokens, m, n, stride] in [[1, 1, 1, 1], [7, 3, 33, 40], [600, 130, 70, 70], [1025, 5, 64, 200]] {
            let (a, b) = (noise(tokens * m, 7919), noise(tokens * stride, 6007));
            let right = Rows { data: &b, width: n, stride };
            let left = Rows::new(&a, m);
            let mut gradients = Gradients::new(m, &[n, n]);
            for _ in 0..2 {
                gradients.add(&[[left, right], [left, right]], tokens);
            }
            let [mut out, same]: [Vec<f32>; 2] = gradients.into_matrices().try_into().expect("two");
            assert!(out == same);
            out.iter_mut().for_each(|x| *x /= 2.0);
            if tokens <= TOKENS {
                let mut other = noise(m * n, 31);
                let before = other.clone();
                add_transposed(&mut other, left, right, tokens, &mut Room::default());
                for ((other, before), out) in other.iter().zip(&before).zip(&out) {
                    assert!((other - before - out).abs() <= 1e-4 * (tokens as f32).sqrt());
                }
            }
            for (i, out) in out.iter().enumerate() {
                let (row, column) = (i / n, i % n);
                let exact: f64 =
                    (0..tokens).map(|t| f64::from(a[t * m + row]) * f64::from(b[t * stride + column])).sum();
                let tolerance = 6e-3 * (tokens as f64).sqrt();
                assert!((f64::from(*out) - exact).abs() <= tolerance, "{tokens} {m} {n}: {out} for {exact}");
            }
        }
    }
}
