//! Cross entropy over a vocabulary, with its gradient, without materializing all logits.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::elementwise::AddRows;
use super::elementwise::exponentials;
use super::elementwise::simd::{self, Run};
use super::gemm::library::{matrix, multiply, transpose};

/// Rows whose logits are held at a time.
const CHUNK_ROWS: usize = 512;

/// The loss and its gradients.
#[derive(Clone, Debug)]
pub(crate) struct CrossEntropy {
    /// Sum over the rows of `-log softmax(logits)[label]`.
    pub loss: f32,
    /// Rows whose highest logit is the label's.
    pub correct: usize,
    /// Gradients of the loss with respect to x `[n, E]`, table `[V, E]` and bias `[V]`, if requested.
    pub gradients: Option<[Vec<f32>; 3]>,
}

/// Computes the loss of the logits `x * table^T + bias` against `labels`.
///
/// `x` is `[n, E]`, `table` `[V, E]`, `bias` `[V]`. A label that is not below V makes the loss NaN.
pub(crate) fn cross_entropy(
    x: &[f32],
    table: &[f32],
    bias: &[f32],
    labels: &[usize],
    gradients: bool,
) -> CrossEntropy {
    let (vocabulary, n) = (bias.len(), labels.len());
    let width = table.len() / vocabulary.max(1);
    let workspace = |size: usize| vec![0.0; if gradients { size } else { 0 }];
    let (mut dx, mut dbias, mut dtable) = (workspace(x.len()), workspace(bias.len()), workspace(table.len()));
    let mut loss = 0.0;
    let mut correct = 0;
    let mut logits = vec![0.0; CHUNK_ROWS.min(n) * vocabulary];
    let mut x_transposed = vec![0.0; CHUNK_ROWS.min(n) * width];
    for (chunk, labels) in labels.chunks(CHUNK_ROWS).enumerate() {
        let rows = labels.len();
        let range = chunk * CHUNK_ROWS * width..(chunk * CHUNK_ROWS + rows) * width;
        let x = &x[range.clone()];
        let logits = &mut logits[..rows * vocabulary];
        multiply(logits, matrix(x, rows, width), matrix(table, vocabulary, width).transposed(), 1.0, false);
        let results: Vec<_> = logits
            .par_chunks_mut(vocabulary)
            .zip(labels)
            .map(|(logits, &label)| Row { logits, bias, label, gradients }.run())
            .collect();
        for (row_loss, row_correct) in results {
            loss += f64::from(row_loss);
            correct += usize::from(row_correct);
        }
        if gradients {
            let d = matrix(logits, rows, vocabulary);
            multiply(&mut dx[range], d, matrix(table, vocabulary, width), 1.0, false);
            let x_transposed = &mut x_transposed[..rows * width];
            transpose(x_transposed, x, width);
            multiply(&mut dtable, matrix(x_transposed, width, rows), d, 1.0, chunk > 0);
            AddRows { x: logits, sum: &mut dbias }.run();
        }
    }
    let gradients = gradients.then(|| {
        let mut dtable_transposed = vec![0.0; table.len()];
        transpose(&mut dtable_transposed, &dtable, vocabulary);
        [dx, dtable_transposed, dbias]
    });
    CrossEntropy { loss: loss as f32, correct, gradients }
}

/// One row: replaces the logits without bias with the gradient of the row's loss.
struct Row<'a> {
    logits: &'a mut [f32],
    bias: &'a [f32],
    label: usize,
    gradients: bool,
}

impl SimdOp for Row<'_> {
    type Output = (f32, bool);

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> (f32, bool) {
        let ops = isa.f32();
        simd::map(
            isa,
            [&mut *self.logits],
            [self.bias],
            #[inline(always)]
            |[x], [bias]| [ops.add(x, bias)],
        );
        let target = self.logits.get(self.label).copied().unwrap_or(f32::NAN);
        let (max, sum) = exponentials(isa, self.logits);
        let loss = sum.ln() - (target - max);
        if self.gradients {
            let factor = ops.splat(1.0 / sum);
            simd::map(
                isa,
                [&mut *self.logits],
                [],
                #[inline(always)]
                |[x], []| [ops.mul(x, factor)],
            );
            if let Some(target) = self.logits.get_mut(self.label) {
                *target -= 1.0;
            }
        }
        (loss, target >= max)
    }
}
