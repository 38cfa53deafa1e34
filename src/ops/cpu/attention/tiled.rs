//! Attention of one head of one sequence, without gradients.

use super::keys::Keys;
use super::scores::AttentionScores;
use crate::ops::cpu::Sizes;
use crate::ops::cpu::elementwise::simd::Run;
use crate::ops::cpu::elementwise::{Exponentials, Multiply};
use crate::ops::cpu::gemm::{
    Accumulator, COLUMNS, MicroKernel, OperandLayout, PackedLhs, Rows, Words, arrange, arrange_transposed,
    padded_stride,
};

/// Queries whose scores are held at a time.
const BLOCK_QUERIES: usize = 112;

/// One head of one sequence.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Head<'a> {
    /// Of a batch of this sequence alone.
    pub sizes: Sizes,
    /// `[length, 3 H]`.
    pub qkv: &'a [f32],
    pub keys: &'a Keys,
    pub index: usize,
    /// In what form the products multiply.
    pub form: OperandLayout,
}

/// The working memory of a thread.
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
    pub(in crate::ops::cpu) portable: AttentionScores,
}

impl<'a> Head<'a> {
    /// Queries (part 0), keys (1) or values (2).
    fn rows(&self, part: usize) -> Rows<'a> {
        let Sizes { hidden, .. } = self.sizes;
        let d = self.sizes.head_size();
        Rows { data: &self.qkv[part * hidden + self.index * d..], width: d, stride: 3 * hidden }
    }

    /// The context `[length, d]`, in our own micro-kernels.
    pub(in crate::ops::cpu) fn forward(&self, workspace: &mut Workspace, context: &mut [f32]) {
        let Sizes { length, .. } = self.sizes;
        let d = self.sizes.head_size();
        let count = self.keys.count();
        let scale = 1.0 / (d as f32).sqrt();
        let Workspace { row, queries, probs, keys, values, scores, factors, out, .. } = workspace;
        let key_words = arrange_transposed(self.form, self.rows(1), count, row, keys);
        let value_words = arrange(self.form, self.rows(2), count, values);
        let query_rows = self.rows(0);
        let (stride, wide) = (padded_stride(count.next_multiple_of(COLUMNS)), d.next_multiple_of(COLUMNS));
        for first in (0..length).step_by(BLOCK_QUERIES) {
            let rows = BLOCK_QUERIES.min(length - first);
            queries.fill(self.form, [rows, d], |i, out| {
                out.iter_mut().zip(query_rows.row(first + i)).for_each(|(out, x)| *out = x * scale);
            });
            scores.resize(rows * stride, 0.0);
            for (panel, b) in keys.chunks_exact(key_words * COLUMNS).enumerate() {
                let micro_kernel = queries.micro_kernel(b, COLUMNS, key_words);
                micro_kernel.floats(self.form, Accumulator::Zero, &mut scores[panel * COLUMNS..], stride);
            }
            factors.clear();
            for row in scores.chunks_exact_mut(stride) {
                let row = &mut row[..count];
                self.keys.fill(row, f32::MIN);
                // Normalized after the product with the values: those are fewer.
                factors.push(Exponentials(row).run());
            }
            let (a, a_stride) = if self.form == OperandLayout::Floats {
                (bytemuck::cast_slice(scores), stride)
            } else {
                probs.fill(self.form, [rows, count], |i, out| {
                    out.copy_from_slice(&scores[i * stride..][..count]);
                });
                (probs.words_from(0), probs.stride())
            };
            let context = &mut context[first * d..(first + rows) * d];
            let product = |out: &mut [f32]| {
                for column in (0..wide).step_by(COLUMNS) {
                    let b = &values[column..];
                    let micro_kernel =
                        MicroKernel { rows, a, a_stride, b, b_stride: wide, k: value_words, ahead: 0 };
                    micro_kernel.floats(self.form, Accumulator::Zero, &mut out[column..], wide);
                }
            };
            if d == wide {
                product(context);
            } else {
                out.resize(rows * wide, 0.0);
                product(out);
                for (context, out) in context.chunks_exact_mut(d).zip(out.chunks_exact(wide)) {
                    context.copy_from_slice(&out[..d]);
                }
            }
            for (row, factor) in context.chunks_exact_mut(d).zip(&*factors) {
                Multiply { row, factor: *factor }.run();
            }
        }
    }
}
