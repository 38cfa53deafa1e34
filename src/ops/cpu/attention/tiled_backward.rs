//! The backward pass of attention in our own micro-kernels, where these are faster than `rten-gemm`.

use super::portable::Head;
use crate::ops::cpu::elementwise::simd::Run;
use crate::ops::cpu::elementwise::{Exponentials, Multiply, SoftmaxBackward};
use crate::ops::cpu::gemm::{
    Accumulator, COLUMNS, GradientWorkspace, OperandLayout, PackedLhs, Rows, Words, add_transposed, arrange,
    arrange_transposed, padded_stride,
};

/// Queries whose scores are held at a time.
const BLOCK_QUERIES: usize = 128;

/// The workspace of a thread.
#[derive(Default)]
pub(in crate::ops::cpu) struct Workspace {
    row: PackedLhs,
    lhs: PackedLhs,
    /// Right-hand sides: the transposed keys, the transposed values, and the keys without transposition.
    keys: Words,
    values: Words,
    key_rows: Words,
    probs: Vec<f32>,
    gradient: Vec<f32>,
    out: Vec<f32>,
    sums: GradientWorkspace,
}

impl Head<'_> {
    /// Like [`Head::backward`], without dropout.
    pub(in crate::ops::cpu) fn backward_in_tiles(
        &self,
        layout: OperandLayout,
        workspace: &mut Workspace,
        context: &[f32],
        out: &mut [f32],
    ) {
        let length = self.sizes.length;
        let (hidden, d) = (self.sizes.hidden, self.sizes.head_size());
        let count = self.keys.count();
        let scale = 1.0 / (d as f32).sqrt();
        let (queries, rest) = out.split_at_mut(length * d);
        let (keys, values) = rest.split_at_mut(length * d);
        keys.fill(0.0);
        values.fill(0.0);
        let (keys, values) = (&mut keys[..count * d], &mut values[..count * d]);

        let Workspace {
            row,
            lhs,
            keys: key_panels,
            values: value_panels,
            key_rows,
            probs,
            gradient,
            out,
            sums,
        } = workspace;
        let words = arrange_transposed(layout, self.rows(1, 0), count, row, key_panels);
        arrange_transposed(layout, self.rows(2, 0), count, row, value_panels);
        let key_words = arrange(layout, self.rows(1, 0), count, key_rows);
        let (stride, wide) = (padded_stride(count.next_multiple_of(COLUMNS)), d.next_multiple_of(COLUMNS));
        for first in (0..length).step_by(BLOCK_QUERIES) {
            let rows = BLOCK_QUERIES.min(length - first);
            let against = |lhs: &PackedLhs, panels: &[u32], out: &mut Vec<f32>| {
                out.resize(rows * stride, 0.0);
                for (panel, b) in panels.chunks_exact(words * COLUMNS).enumerate() {
                    let out = &mut out[panel * COLUMNS..];
                    lhs.micro_kernel(b, COLUMNS, words).floats(layout, Accumulator::Zero, out, stride);
                }
            };
            let query_rows = self.rows(0, first);
            lhs.fill(layout, [rows, d], |i, out| {
                out.iter_mut().zip(query_rows.row(i)).for_each(|(out, x)| *out = x * scale);
            });
            against(lhs, key_panels, probs);
            for row in probs.chunks_exact_mut(stride) {
                let row = &mut row[..count];
                self.keys.fill(row, f32::MIN);
                let factor = Exponentials(&mut *row).run();
                Multiply { row, factor }.run();
            }

            let column = (self.index % self.sizes.heads) * d;
            let context = Rows { data: &context[first * hidden + column..], width: d, stride: hidden };
            lhs.copy(layout, context, rows);
            against(lhs, value_panels, gradient);
            for (gradient, probs) in gradient.chunks_exact_mut(stride).zip(probs.chunks_exact(stride)) {
                let gradient = &mut gradient[..count];
                SoftmaxBackward { gradient, probs: &probs[..count], width: count }.run();
                self.keys.fill(gradient, 0.0);
                Multiply { row: gradient, factor: scale }.run();
            }

            let probs = Rows { data: probs, width: count, stride };
            add_transposed(layout, values, probs, context, rows, sums);
            let slopes = Rows { data: gradient, width: count, stride };
            add_transposed(layout, keys, slopes, query_rows, rows, sums);
            lhs.copy(layout, slopes, rows);
            out.resize(rows * wide, 0.0);
            for column in (0..wide).step_by(COLUMNS) {
                let micro_kernel = lhs.micro_kernel(&key_rows[column..], wide, key_words);
                micro_kernel.floats(layout, Accumulator::Zero, &mut out[column..], wide);
            }
            let queries = &mut queries[first * d..(first + rows) * d];
            for (queries, out) in queries.chunks_exact_mut(d).zip(out.chunks_exact(wide)) {
                queries.copy_from_slice(&out[..d]);
            }
        }
    }
}
