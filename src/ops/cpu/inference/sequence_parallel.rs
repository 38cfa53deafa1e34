//! Inference for enough sequences to occupy all threads: each thread takes some sequences through all applications
//! without waiting for another.
//!
//! A head's queries, keys and values are computed just before its attention, so that they stay in the cache.

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Workspace as BlockWorkspace, all_chunks};
use super::{Pass, Sizes, copy};
use crate::ops::cpu::attention::{AttentionWorkspace, InferenceHead};
use crate::ops::cpu::gemm::{COLUMNS, OperandLayout, PackedLhs, Rows};

/// Maximum work of the busiest thread, relative to the average.
const IMBALANCE: f64 = 1.06;

/// Cost of an operation in attention relative to one in a product with weights.
const ATTENTION_COST: usize = 4;

/// The workspace of a thread.
#[derive(Default)]
struct Workspace {
    packed_lhs: Vec<PackedLhs>,
    qkv: Vec<f32>,
    context: Vec<f32>,
    attention: AttentionWorkspace,
    block: BlockWorkspace,
}

impl Pass<'_> {
    /// Runs all applications on `states`. Returns false without touching them if some threads would have much less to do
    /// than others.
    pub(super) fn sequence_parallel(&self, states: &mut [f32], threads: usize) -> bool {
        let Some(groups) = self.balanced_groups(threads) else { return false };
        let mut rest = states;
        let mut tasks = Vec::with_capacity(groups.len());
        for group in groups {
            let rows: usize = self.sequences[group.clone()].iter().map(|sequence| sequence.rows.len()).sum();
            let (states, others) = rest.split_at_mut(rows * self.sizes.hidden);
            rest = others;
            tasks.push((group, states));
        }
        tasks.into_par_iter().with_max_len(1).for_each_init(
            Workspace::default,
            |workspace, (group, states)| {
                for _ in 0..self.options.repeats {
                    self.apply(group.clone(), states, workspace);
                }
            },
        );
        true
    }

    /// Groups of consecutive sequences with enough rows for fast products, and about the same amount of work for each
    /// thread.
    fn balanced_groups(&self, threads: usize) -> Option<Vec<Range<usize>>> {
        let Sizes { hidden, inner, .. } = self.sizes;
        let cost = |rows: usize| rows * (2 * hidden + inner + ATTENTION_COST * rows);
        let costs: Vec<_> = self.sequences.iter().map(|sequence| cost(sequence.rows.len())).collect();
        let total: usize = costs.iter().sum();
        let most = self.packed.qkv.layout().rows_together();
        // Few groups make products fast. The number of groups cannot exceed the number of sequences.
        let one_each = costs.len().div_ceil(threads);
        let fewest = self.contexts.len().div_ceil(threads * most).clamp(1, one_each.max(1));
        (fewest..=one_each).find_map(|turns| {
            let groups = cut(&costs, (turns * threads).min(costs.len()));
            let work = groups.iter().map(|group| costs[group.clone()].iter().sum());
            let longest = longest_share(work.collect(), threads);
            (longest as f64 <= IMBALANCE * total as f64 / threads as f64).then_some(groups)
        })
    }

    /// Runs one application on the states of a group of sequences.
    fn apply(&self, group: Range<usize>, states: &mut [f32], workspace: &mut Workspace) {
        let Sizes { hidden, .. } = self.sizes;
        let rows = states.len() / hidden;
        self.attend_group(group, states, workspace);
        let Workspace { context, block, .. } = workspace;
        let size = self.packed.qkv.layout().rows_per_task(rows, 1) * hidden;
        for (states, context) in states.chunks_mut(size).zip(context.chunks(size)) {
            copy(&self.packed.dense, &mut block.packed_lhs, context, hidden);
            self.after_attention(states, block);
        }
    }

    /// Computes the contexts `[rows, H]` of a group of sequences from their states.
    fn attend_group(&self, group: Range<usize>, states: &[f32], workspace: &mut Workspace) {
        let Sizes { hidden, heads, .. } = self.sizes;
        let d = self.sizes.head_size();
        let rows = states.len() / hidden;
        let first = self.sequences[group.start].rows.start;
        let (weights, bias) = (&self.packed.qkv, &self.packed.qkv_bias);
        let Workspace { packed_lhs, qkv, context, attention, .. } = workspace;
        copy(weights, packed_lhs, states, hidden);
        context.resize(rows * hidden, 0.0);
        // If a head's columns fill panels, each head is projected separately; otherwise all heads are projected at once.
        let by_head = d.is_multiple_of(COLUMNS);
        if by_head {
            qkv.resize(3 * rows * d, 0.0);
        } else {
            qkv.resize(rows * 3 * hidden, 0.0);
            all_chunks(weights, 0, packed_lhs, bias, qkv);
        }
        for head in 0..heads {
            if by_head {
                // Queries, keys and values, one after another.
                for (part, out) in qkv.chunks_exact_mut(rows * d).enumerate() {
                    for column in (0..d).step_by(COLUMNS) {
                        let panel = (part * hidden + head * d + column) / COLUMNS;
                        weights.panel(panel, packed_lhs, bias, &mut out[column..], d);
                    }
                }
            }
            let head_rows = |part: usize, row: usize| {
                let (start, stride) = if by_head {
                    ((part * rows + row) * d, d)
                } else {
                    (row * 3 * hidden + part * hidden + head * d, 3 * hidden)
                };
                Rows { data: &qkv[start..], width: d, stride }
            };
            for sequence in &self.sequences[group.clone()] {
                let start = sequence.rows.start - first;
                let length = sequence.rows.len();
                let head_of_sequence = InferenceHead {
                    parts: [0, 1, 2].map(|part| head_rows(part, start)),
                    length,
                    keys: &sequence.keys,
                    layout: OperandLayout::for_attention(self.packed.precision, length),
                };
                head_of_sequence.forward(attention, &mut context[start * hidden + head * d..], hidden);
            }
        }
    }
}

/// Splits the items into `count` ranges of about equal cost.
fn cut(costs: &[usize], count: usize) -> Vec<Range<usize>> {
    let total: usize = costs.iter().sum();
    let mut groups = Vec::with_capacity(count);
    let (mut first, mut sum) = (0, 0);
    for (i, cost) in costs.iter().enumerate() {
        sum += cost;
        // Ends the range nearest to where equal shares would end.
        let share = |k: usize| total * k / count;
        let next = costs.get(i + 1).map_or(0, |cost| cost / 2);
        if i + 1 == costs.len() || sum + next >= share(groups.len() + 1) {
            groups.push(first..i + 1);
            first = i + 1;
        }
    }
    groups
}

/// The work of the busiest thread if idle threads always take the largest remaining task.
fn longest_share(mut work: Vec<usize>, threads: usize) -> usize {
    work.sort_unstable_by(|a, b| b.cmp(a));
    let mut shares = vec![0; threads];
    for work in work {
        if let Some(least) = shares.iter_mut().min() {
            *least += work;
        }
    }
    shares.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::{LayerOptions, LayerParameters, PackedLayer, Pair};
    use super::*;
    use crate::ops::{ActivationKind, MatmulPrecision};

    #[test]
    fn ranges_cover_everything_and_cost_about_the_same() {
        for (costs, count) in
            [(vec![3, 3, 3, 3], 2), (vec![1; 33], 4), (vec![9, 1, 1, 1, 9, 1], 3), (vec![5], 1)]
        {
            let groups = cut(&costs, count);
            assert!(groups.len() <= count, "{groups:?}");
            let all: Vec<_> = groups.iter().cloned().flatten().collect();
            assert_eq!(all, (0..costs.len()).collect::<Vec<_>>());
        }
        assert_eq!(cut(&[3, 3, 3, 3], 2), [0..2, 2..4]);
        assert_eq!(longest_share(vec![1, 4, 2, 3], 2), 5);
    }

    /// The results are bit-identical whether threads share sequences, columns or blocks of rows, and whether or not heads
    /// fill panels.
    #[test]
    fn results_equal_blocks_of_rows() {
        let noise = |count: usize, seed: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
        };
        // Short sequences in groups, and long ones alone.
        for (hidden, heads, batch, length) in [(64, 2, 6, 37), (60, 3, 6, 37), (64, 2, 2, 290)] {
            let inner = 2 * hidden;
            let sizes = Sizes { batch, length, hidden, heads, inner };
            let shapes = [(hidden, hidden); 4].into_iter().chain([
                (1, hidden),
                (hidden, inner),
                (inner, hidden),
                (1, hidden),
            ]);
            let values: Vec<(Vec<f32>, Vec<f32>)> = shapes
                .enumerate()
                .map(|(i, (rows, columns))| {
                    let weight = noise(rows * columns, i).iter().map(|x| x / (rows as f32).sqrt()).collect();
                    (weight, noise(columns, 100 + i))
                })
                .collect();
            let pair = |i: usize| Pair { weight: values[i].0.as_slice(), bias: values[i].1.as_slice() };
            let parameters = LayerParameters {
                query: pair(0),
                key: pair(1),
                value: pair(2),
                dense: pair(3),
                attention_norm: pair(4),
                ffn: pair(5),
                ffn_output: pair(6),
                full_norm: pair(7),
            };
            // The first sequence is padded, and the last hides a token before its end.
            let mut mask = vec![false; batch * length];
            mask[length - 9..length].fill(true);
            mask[batch * length - 5] = true;
            for precision in [MatmulPrecision::F32, MatmulPrecision::Bf16, MatmulPrecision::Int8] {
                let packed = PackedLayer::for_inference(&parameters, sizes, precision);
                if !packed.qkv.native() {
                    continue;
                }
                let options = LayerOptions {
                    num_heads: heads,
                    repeats: 2,
                    activation: ActivationKind::GeluTanh,
                    epsilon: 1e-12,
                    attention_dropout: 0.0,
                    hidden_dropout: 0.0,
                    seed: 0,
                    precision,
                };
                let pass = Pass::new(parameters, &packed, Some(&mask), sizes, options);
                let start = pass.gathered(&noise(batch * length * hidden, 50));
                let (mut ours, mut blocks) = (start.clone(), start.clone());
                assert!(pass.sequence_parallel(&mut ours, 2), "sequences of about the same length");
                pass.blocks(&mut blocks, pass.contexts.len(), 3);
                assert!(ours == blocks, "{precision:?} {hidden}");
                let mut columns = start.clone();
                let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool");
                // Another test may be using the barrier.
                while !pool.install(|| pass.column_parallel(&mut columns, 2)) {
                    std::thread::yield_now();
                }
                assert!(columns == blocks, "{precision:?} {hidden}");
                assert!(ours != start && ours.iter().all(|x| x.is_finite()));
            }
        }
    }
}
