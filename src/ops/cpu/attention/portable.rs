//! Scaled dot-product attention of one head of one sequence, forward and backward.
//!
//! Queries are processed in blocks so that the scores stay in the cache. The backward pass recomputes the probabilities.

use rten_tensor::Matrix;

use super::keys::Keys;
use super::scores::AttentionScores;
use super::tiled::Head as InferenceHead;
use crate::ops::cpu::Sizes;
use crate::ops::cpu::elementwise::Dropout;
use crate::ops::cpu::elementwise::simd::Run;
use crate::ops::cpu::elementwise::{Softmax, SoftmaxBackward};
use crate::ops::cpu::gemm::library::{matrix, multiply, strided};
use crate::ops::cpu::gemm::{OperandLayout, Rows};

/// Queries whose scores are held at a time.
const BLOCK_QUERIES: usize = 128;

/// One head of one sequence.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Head<'a> {
    pub sizes: Sizes,
    /// Queries, keys and values of the sequence, `[length, 3 H]`.
    pub qkv: &'a [f32],
    pub keys: &'a Keys,
    pub dropout: Option<Dropout>,
    /// `sequence * heads + head`.
    pub index: usize,
}

impl<'a> Head<'a> {
    /// Queries (part 0), keys (1) or values (2) from row `start` on.
    pub(in crate::ops::cpu) fn rows(&self, part: usize, start: usize) -> Rows<'a> {
        let Sizes { hidden, heads, .. } = self.sizes;
        let d = self.sizes.head_size();
        let offset = start * 3 * hidden + part * hidden + (self.index % heads) * d;
        Rows { data: &self.qkv[offset..], width: d, stride: 3 * hidden }
    }

    /// Rows `start..start + rows` of queries (part 0), keys (1) or values (2), `[rows, d]`.
    fn part(&self, part: usize, start: usize, rows: usize) -> Matrix<'a, f32> {
        let Rows { data, width, stride } = self.rows(part, start);
        strided(data, rows, width, stride)
    }

    /// The same head for inference (no gradients, no dropout) with our own micro-kernels.
    pub(in crate::ops::cpu) fn in_tiles(&self, layout: OperandLayout) -> InferenceHead<'a> {
        let parts = [0, 1, 2].map(|part| self.rows(part, 0));
        InferenceHead { parts, length: self.sizes.length, keys: self.keys, layout }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.sizes.head_size() as f32).sqrt()
    }

    /// The blocks of queries, each as its first row and number of rows.
    fn query_blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let length = self.sizes.length;
        (0..length).step_by(BLOCK_QUERIES).map(move |start| (start, BLOCK_QUERIES.min(length - start)))
    }

    /// Computes the probabilities of a block, `[rows, keys]`, before dropout.
    fn probabilities(&self, start: usize, rows: usize, probs: &mut Vec<f32>) {
        let count = self.keys.count;
        probs.resize(rows * count, 0.0);
        let keys = self.part(1, 0, count);
        multiply(probs, self.part(0, start, rows), keys.transposed(), self.scale(), false);
        self.keys.fill(probs, f32::MIN);
        Softmax { rows: probs, width: count }.run();
    }

    fn drop(&self, rows: &mut [f32], start: usize) {
        if let Some(dropout) = self.dropout {
            dropout.apply(rows, self.keys.count, self.index * self.sizes.length + start);
        }
    }

    /// Computes the head's context, `[length, d]`.
    pub(in crate::ops::cpu) fn forward(&self, scratch: &mut AttentionScores, context: &mut [f32]) {
        let d = self.sizes.head_size();
        let count = self.keys.count;
        for (start, rows) in self.query_blocks() {
            self.probabilities(start, rows, &mut scratch.probs);
            self.drop(&mut scratch.probs, start);
            let out = &mut context[start * d..(start + rows) * d];
            multiply(out, matrix(&scratch.probs, rows, count), self.part(2, 0, count), 1.0, false);
        }
    }

    /// Computes the gradients of queries, keys and values, `[3, length, d]`, from the gradient of the sequence's context,
    /// `[length, H]`.
    pub(in crate::ops::cpu) fn backward(
        &self,
        scratch: &mut AttentionScores,
        context: &[f32],
        out: &mut [f32],
    ) {
        let Sizes { length, hidden, heads, .. } = self.sizes;
        let d = self.sizes.head_size();
        let count = self.keys.count;
        let (queries, rest) = out.split_at_mut(length * d);
        let (keys, values) = rest.split_at_mut(length * d);
        keys[count * d..].fill(0.0);
        values[count * d..].fill(0.0);
        let (keys, values) = (&mut keys[..count * d], &mut values[..count * d]);
        for (start, rows) in self.query_blocks() {
            let add = start > 0;
            let context = strided(&context[start * hidden + (self.index % heads) * d..], rows, d, hidden);
            self.probabilities(start, rows, &mut scratch.probs);
            let dropped = if self.dropout.is_some() {
                scratch.dropped.clone_from(&scratch.probs);
                self.drop(&mut scratch.dropped, start);
                &scratch.dropped
            } else {
                &scratch.probs
            };
            multiply(values, matrix(dropped, rows, count).transposed(), context, 1.0, add);
            let gradient = &mut scratch.gradient;
            gradient.resize(rows * count, 0.0);
            multiply(gradient, context, self.part(2, 0, count).transposed(), 1.0, false);
            self.drop(gradient, start);
            SoftmaxBackward { gradient, probs: &scratch.probs, width: count }.run();
            self.keys.fill(gradient, 0.0);
            let gradient = matrix(gradient, rows, count);
            let scale = self.scale();
            multiply(
                &mut queries[start * d..(start + rows) * d],
                gradient,
                self.part(1, 0, count),
                scale,
                false,
            );
            multiply(keys, gradient.transposed(), self.part(0, start, rows), scale, add);
        }
    }
}
