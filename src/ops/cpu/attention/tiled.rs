//! Attention of one head of one sequence, without gradients.

use super::keys::Keys;
use crate::ops::cpu::elementwise::simd::Run;
use crate::ops::cpu::elementwise::{Exponentials, Multiply};
use crate::ops::cpu::gemm::{
    Accumulator, COLUMNS, MicroKernel, OperandLayout, PackedLhs, Rows, Words, arrange, arrange_transposed,
    padded_stride,
};

/// Queries per block: a multiple of a tile's rows, and few enough for their scores to stay in the L1 cache.
const FEWEST_QUERIES: usize = 14;
const MOST_QUERIES: usize = 112;
const SCORES: usize = 8192;

/// One head of one sequence.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Head<'a> {
    /// Queries, keys and values, `[length, d]` each.
    pub parts: [Rows<'a>; 3],
    pub length: usize,
    pub keys: &'a Keys,
    /// The layout of the operands of both products (scores and context).
    pub layout: OperandLayout,
}

/// The workspace of a thread.
#[derive(Default)]
pub(in crate::ops::cpu) struct Workspace {
    row: PackedLhs,
    queries: PackedLhs,
    probs: PackedLhs,
    keys: Words,
    values: Words,
    scores: Vec<f32>,
    factors: Vec<f32>,
    out: Vec<f32>,
}

impl Head<'_> {
    /// Computes the context, `[length, d]`, with our own micro-kernels; rows of `context` are `context_stride` values
    /// apart.
    pub(in crate::ops::cpu) fn forward(
        &self,
        workspace: &mut Workspace,
        context: &mut [f32],
        context_stride: usize,
    ) {
        let Self { parts: [query_rows, key_rows, value_rows], length, .. } = *self;
        let d = query_rows.width;
        let count = self.keys.count();
        let scale = 1.0 / (d as f32).sqrt();
        let Workspace { row, queries, probs, keys, values, scores, factors, out } = workspace;
        let key_words = arrange_transposed(self.layout, key_rows, count, row, keys);
        let value_words = arrange(self.layout, value_rows, count, values);
        let (stride, wide) = (padded_stride(count.next_multiple_of(COLUMNS)), d.next_multiple_of(COLUMNS));
        let block = (SCORES / stride).next_multiple_of(FEWEST_QUERIES).clamp(FEWEST_QUERIES, MOST_QUERIES);
        for first in (0..length).step_by(block) {
            let rows = block.min(length - first);
            queries.fill(self.layout, [rows, d], |i, out| {
                out.iter_mut().zip(query_rows.row(first + i)).for_each(|(out, x)| *out = x * scale);
            });
            scores.resize(rows * stride, 0.0);
            for (panel, b) in keys.chunks_exact(key_words * COLUMNS).enumerate() {
                let micro_kernel = queries.micro_kernel(b, COLUMNS, key_words);
                micro_kernel.floats(self.layout, Accumulator::Zero, &mut scores[panel * COLUMNS..], stride);
            }
            factors.clear();
            let padded = self.layout.padded(count);
            for row in scores.chunks_exact_mut(stride) {
                let (row, padding) = row[..padded].split_at_mut(count);
                self.keys.fill(row, f32::MIN);
                // Normalization is deferred until after the product with the values, which has fewer elements.
                factors.push(Exponentials(row).run());
                padding.fill(0.0);
            }
            let (a, a_stride) = if self.layout == OperandLayout::Floats {
                (bytemuck::cast_slice(scores), stride)
            } else {
                probs.copy(self.layout, Rows { data: scores, width: padded, stride }, rows);
                (probs.words_from(0), probs.stride())
            };
            let context = &mut context[first * context_stride..];
            let product = |out: &mut [f32], out_stride: usize| {
                for column in (0..wide).step_by(COLUMNS) {
                    let b = &values[column..];
                    let micro_kernel =
                        MicroKernel { rows, a, a_stride, b, b_stride: wide, k: value_words, ahead: 0 };
                    micro_kernel.floats(self.layout, Accumulator::Zero, &mut out[column..], out_stride);
                }
            };
            if d == wide {
                product(context, context_stride);
            } else {
                out.resize(rows * wide, 0.0);
                product(out, wide);
                for (context, out) in context.chunks_mut(context_stride).zip(out.chunks_exact(wide)) {
                    context[..d].copy_from_slice(&out[..d]);
                }
            }
            for (row, factor) in context.chunks_mut(context_stride).zip(&*factors) {
                Multiply { row: &mut row[..d], factor: *factor }.run();
            }
        }
    }
}
