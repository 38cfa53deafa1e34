//! The layer without gradients: no padding, weights packed once, and everything between two attentions on blocks of rows
//! that stay in the cache.

mod block;
mod column_parallel;
mod sequence_parallel;
mod spin_barrier;

use std::ops::Range;

use rayon::prelude::*;

use super::attention::{AttentionWorkspace, Head, Keys};
use super::buffer::Buffer;
use super::gemm::{OperandLayout, PackedLhs, PackedRhs, Rows};
use super::layer::PackedLayer;
use super::{LayerOptions, LayerParameters, MatmulPrecision, Pair, Sizes};
use block::Block;

/// Threads share the columns of each product if there are fewer than `FEWEST_ROWS` rows per thread and fewer than
/// `FEW_ROWS` in all.
const FEWEST_ROWS: usize = 40;
const FEW_ROWS: usize = 160;

/// The rows of one sequence.
struct Sequence {
    /// The rows, without the hidden keys at the end of the sequence.
    rows: Range<usize>,
    keys: Keys,
}

/// Some applications of a layer to rows without padding.
struct Pass<'a> {
    sizes: Sizes,
    options: LayerOptions,
    parameters: LayerParameters<&'a [f32]>,
    packed: &'a PackedLayer<'a>,
    sequences: Vec<Sequence>,
    /// For each row: the offset of its context in the first head, and the distance from one head to the next.
    contexts: Vec<[usize; 2]>,
}

/// Runs states `x` `[batch, length, H]` through `options.repeats` applications. `mask` `[batch, length]` is true where a
/// key is excluded from attention. States after the last key of a sequence that is not hidden are zero in the output.
pub(crate) fn infer(
    x: &[f32],
    parameters: LayerParameters<&[f32]>,
    packed: &PackedLayer<'_>,
    mask: Option<&[bool]>,
    sizes: Sizes,
    options: LayerOptions,
) -> Vec<f32> {
    let pass = Pass::new(parameters, packed, mask, sizes, options);
    let mut states = pass.gathered(x);
    pass.run(&mut states);
    pass.scattered(states, x)
}

/// Like [`infer`] for a few rows, with the weights in place: for weights that are used once. Returns `None` where that is
/// not possible, or not faster.
pub(crate) fn infer_once(
    x: &[f32],
    parameters: LayerParameters<&[f32]>,
    mask: Option<&[bool]>,
    sizes: Sizes,
    options: LayerOptions,
) -> Option<Vec<f32>> {
    if options.repeats != 1 || options.precision != MatmulPrecision::F32 {
        return None;
    }
    let packed = PackedLayer::in_place(&parameters, sizes)?;
    let pass = Pass::new(parameters, &packed, mask, sizes, options);
    let mut states = pass.gathered(x);
    pass.run_column_parallel(&mut states).then(|| pass.scattered(states, x))
}

impl<'a> Pass<'a> {
    fn new(
        parameters: LayerParameters<&'a [f32]>,
        packed: &'a PackedLayer<'a>,
        mask: Option<&[bool]>,
        sizes: Sizes,
        options: LayerOptions,
    ) -> Self {
        let Sizes { batch, length, hidden, .. } = sizes;
        let d = sizes.head_size();
        let mut sequences = Vec::with_capacity(batch);
        let mut contexts = Vec::new();
        let mut first = 0;
        for i in 0..batch {
            let keys = match mask {
                Some(mask) => Keys::new(&mask[i * length..(i + 1) * length]),
                None => Keys::all(length),
            };
            let count = keys.count();
            contexts.extend((0..count).map(|position| [first * hidden + position * d, count * d]));
            sequences.push(Sequence { rows: first..first + count, keys });
            first += count;
        }
        Self { sizes, options, parameters, packed, sequences, contexts }
    }

    /// Collects the rows that are not padding.
    fn gathered(&self, x: &[f32]) -> Vec<f32> {
        let Sizes { length, hidden, .. } = self.sizes;
        let mut states = Vec::with_capacity(self.contexts.len() * hidden);
        for (sequence, x) in self.sequences.iter().zip(x.chunks_exact(length * hidden)) {
            states.extend_from_slice(&x[..sequence.rows.len() * hidden]);
        }
        states
    }

    /// Puts the rows back in their places in the shape of `x`, with zeros for padding.
    fn scattered(&self, states: Vec<f32>, x: &[f32]) -> Vec<f32> {
        let Sizes { length, hidden, .. } = self.sizes;
        if states.len() == x.len() {
            return states;
        }
        let mut out = vec![0.0; x.len()];
        for (sequence, out) in self.sequences.iter().zip(out.chunks_exact_mut(length * hidden)) {
            let rows = &states[sequence.rows.start * hidden..sequence.rows.end * hidden];
            out[..rows.len()].copy_from_slice(rows);
        }
        out
    }
}

impl Pass<'_> {
    fn run(&self, states: &mut [f32]) {
        let rows = self.contexts.len();
        let PackedLayer { qkv, dense, ffn, ffn_output, .. } = self.packed;
        [qkv, dense, ffn, ffn_output].iter().for_each(|weights| weights.split_for(rows));
        let threads = rayon::current_num_threads();
        let done = self.run_column_parallel(states)
            || (self.packed.qkv.native() && self.sequence_parallel(states, threads));
        if !done {
            self.blocks(states, rows, threads);
        }
    }

    /// Runs all applications in parallel over columns if there are few rows and several threads. Returns true if it has
    /// run.
    fn run_column_parallel(&self, states: &mut [f32]) -> bool {
        let threads = rayon::current_num_threads();
        let few = self.contexts.len() < FEW_ROWS.min(threads * FEWEST_ROWS);
        few && threads > 1 && self.packed.qkv.native() && self.column_parallel(states, threads)
    }

    /// Runs all applications, in blocks of rows between two attentions.
    fn blocks(&self, states: &mut [f32], rows: usize, threads: usize) {
        let Sizes { hidden, .. } = self.sizes;
        let size = self.packed.qkv.layout().rows_per_task(rows, threads);
        let mut qkv = Buffer::new(rows * 3 * hidden);
        let mut heads = Buffer::new(rows * hidden);
        for application in 0..=self.options.repeats {
            if application > 0 {
                self.attend(&qkv, &mut heads);
            }
            let tasks: Vec<_> = states
                .chunks_mut(size * hidden)
                .zip(qkv.chunks_mut(size * 3 * hidden))
                .enumerate()
                .map(|(i, (states, qkv))| Block { first: i * size, states, qkv })
                .collect();
            tasks.into_par_iter().with_max_len(1).for_each_init(
                block::Workspace::default,
                |workspace, mut block| {
                    if application > 0 {
                        let rows = block.states.len() / hidden;
                        fill(&self.packed.dense, &mut workspace.packed_lhs, rows, |i, columns, out| {
                            self.gather(&heads, block.first + i, columns, out);
                        });
                        self.after_attention(block.states, workspace);
                    }
                    if application < self.options.repeats {
                        self.project(&mut block, workspace);
                    }
                },
            );
        }
    }

    /// Computes the heads' contexts from queries, keys and values `[rows, 3 H]`: `[heads, rows, d]` for each sequence,
    /// one after another.
    fn attend(&self, qkv: &[f32], heads: &mut [f32]) {
        let count = self.sizes.heads;
        let mut tasks = Vec::with_capacity(self.sequences.len() * count);
        let mut rest = heads;
        for index in 0..self.sequences.len() * count {
            let length = self.sequences[index / count].rows.len();
            let (context, others) = rest.split_at_mut(length * self.sizes.head_size());
            rest = others;
            tasks.push((index, context));
        }
        tasks.into_par_iter().for_each_init(Default::default, |(workspace, scores), (index, context)| {
            if self.packed.qkv.native() {
                self.attend_head(qkv, index, workspace, context);
            } else {
                self.head(qkv, index).forward(scores, context);
            }
        });
    }

    /// Computes the context of a head, `[length, d]`, in our own micro-kernels; see [`Pass::head`].
    fn attend_head(
        &self,
        qkv: &[f32],
        index: usize,
        workspace: &mut AttentionWorkspace,
        context: &mut [f32],
    ) {
        let head = self.head(qkv, index);
        let layout = OperandLayout::for_attention(self.packed.precision, head.sizes.length);
        head.in_tiles(layout).forward(workspace, context, self.sizes.head_size());
    }

    /// Head `index % heads` of sequence `index / heads`; `qkv` holds queries, keys and values of all sequences.
    fn head<'b>(&'b self, qkv: &'b [f32], index: usize) -> Head<'b> {
        let Sizes { hidden, heads, .. } = self.sizes;
        let Sequence { rows, keys } = &self.sequences[index / heads];
        Head {
            sizes: Sizes { batch: 1, length: rows.len(), ..self.sizes },
            qkv: &qkv[rows.start * 3 * hidden..rows.end * 3 * hidden],
            keys,
            dropout: None,
            index: index % heads,
        }
    }

    /// Writes columns of a row of the heads' contexts side by side.
    fn gather(&self, heads: &[f32], row: usize, columns: Range<usize>, out: &mut [f32]) {
        let d = self.sizes.head_size();
        let [start, step] = self.contexts[row];
        let mut column = columns.start;
        let mut out = out;
        while !out.is_empty() {
            let (head, within) = (column / d, column % d);
            let width = (d - within).min(out.len());
            let (part, rest) = out.split_at_mut(width);
            let from = start + head * step + within;
            part.copy_from_slice(&heads[from..from + width]);
            (out, column) = (rest, column + width);
        }
    }
}

/// Packs the left-hand side of a product with `weights`, for each of its chunks: `row(i, columns, out)` writes those
/// columns of row i.
fn fill(
    weights: &PackedRhs,
    packed_lhs: &mut Vec<PackedLhs>,
    rows: usize,
    mut row: impl FnMut(usize, Range<usize>, &mut [f32]),
) {
    for (lhs, columns) in packed_lhs_of(weights, packed_lhs) {
        lhs.fill(weights.layout(), [rows, columns.len()], |i, out| row(i, columns.clone(), out));
    }
}

/// Like [`fill`], for the rows of `x` `[rows, width]`.
fn copy(weights: &PackedRhs, packed_lhs: &mut Vec<PackedLhs>, x: &[f32], width: usize) {
    for (lhs, columns) in packed_lhs_of(weights, packed_lhs) {
        let part = Rows { data: &x[columns.start..], width: columns.len(), stride: width };
        lhs.copy(weights.layout(), part, x.len() / width);
    }
}

/// A left-hand side for each chunk of the weights, with the range of the chunk.
fn packed_lhs_of<'a>(
    weights: &PackedRhs,
    packed_lhs: &'a mut Vec<PackedLhs>,
) -> impl Iterator<Item = (&'a mut PackedLhs, Range<usize>)> {
    packed_lhs.resize_with(weights.chunks().count(), PackedLhs::default);
    packed_lhs.iter_mut().zip(weights.chunks())
}
