//! Inference for few rows: threads share the columns of each product.
//!
//! Each thread has a copy of the states and computes everything between two products redundantly, which is faster than
//! waiting for another thread. Where heads can be divided evenly, a thread also computes the queries, keys and values of its
//! own heads, so that nothing is exchanged before attention.

use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::spin_barrier::{self, SpinBarrier};
use super::{Pass, Sequence, Sizes, copy, fill};
use crate::ops::cpu::attention::AttentionWorkspace;
use crate::ops::cpu::gemm::{COLUMNS, PackedLhs, PackedRhs};

/// The columns that each thread has computed, readable by all threads.
struct Shared(Vec<RwLock<Vec<f32>>>);

impl Shared {
    fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| RwLock::default()).collect())
    }

    /// Locks all parts for reading, after every thread has written its own.
    fn parts(&self) -> Vec<RwLockReadGuard<'_, Vec<f32>>> {
        self.0.iter().map(|part| part.read().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    /// Lets thread `thread` write its part, of `size` values.
    fn write(&self, thread: usize, size: usize, work: impl FnOnce(&mut [f32])) {
        let mut part = self.0[thread].write().unwrap_or_else(PoisonError::into_inner);
        part.resize(size, 0.0);
        work(&mut part);
    }
}

/// The share of thread `thread` in `count` items.
fn share(count: usize, thread: usize, threads: usize) -> Range<usize> {
    count * thread / threads..count * (thread + 1) / threads
}

impl Pass<'_> {
    /// Runs all applications on `states` `[rows, H]`. Returns false without touching them if the threads are already in
    /// use.
    pub(super) fn column_parallel(&self, states: &mut [f32], threads: usize) -> bool {
        // At least three barriers lie between reading a part and writing it again.
        let shared = std::array::from_fn(|_| Shared::new(threads));
        let result = RwLock::new(states);
        let before = result.read().unwrap_or_else(PoisonError::into_inner).to_vec();
        spin_barrier::run(|thread, barrier| {
            let mut worker = Worker { pass: self, thread, threads, barrier, workspace: Workspace::default() };
            let mut states = before.clone();
            for _ in 0..self.options.repeats {
                worker.apply(&mut states, &shared);
            }
            if thread == 0 {
                result.write().unwrap_or_else(PoisonError::into_inner).copy_from_slice(&states);
            }
        })
    }
}

/// One of the threads.
struct Worker<'a> {
    pass: &'a Pass<'a>,
    thread: usize,
    threads: usize,
    barrier: &'a SpinBarrier,
    workspace: Workspace,
}

#[derive(Default)]
struct Workspace {
    packed_lhs: Vec<PackedLhs>,
    qkv: Vec<f32>,
    heads: Vec<f32>,
    attended: Vec<f32>,
    full: Vec<f32>,
    /// A panel before the activation.
    panel: Vec<f32>,
    attention: AttentionWorkspace,
}

impl Worker<'_> {
    fn apply(&mut self, states: &mut [f32], shared: &[Shared; 5]) {
        let Self { pass, thread, threads, barrier, ref mut workspace } = *self;
        let [qkv_parts, head_parts, dense_parts, inner_parts, full_parts] = shared;
        let hidden = pass.sizes.hidden;
        let rows = states.len() / hidden;
        let (p, packed) = (&pass.parameters, pass.packed);
        let Workspace { packed_lhs, qkv, heads, attended, full, panel: before, attention } = workspace;
        for (buffer, width) in [(&mut *qkv, 3 * hidden), (heads, hidden), (attended, hidden), (full, hidden)]
        {
            buffer.resize(rows * width, 0.0);
        }
        before.resize(rows * COLUMNS, 0.0);

        let mut product =
            |weights: &PackedRhs, packed_lhs: &[PackedLhs], bias: &[f32], out: &Shared, activate: bool| {
                let panels = share(weights.panels(), thread, threads);
                out.write(thread, panels.len() * rows * COLUMNS, |out| {
                    for (panel, out) in panels.zip(out.chunks_exact_mut(rows * COLUMNS)) {
                        if activate {
                            weights.panel(panel, packed_lhs, bias, before, COLUMNS);
                            pass.options.activation.forward(before, out);
                        } else {
                            weights.panel(panel, packed_lhs, bias, out, COLUMNS);
                        }
                    }
                });
                barrier.wait();
            };
        copy(&packed.qkv, packed_lhs, states, hidden);
        let split = HeadSplit::new(pass.sizes, &pass.sequences, threads);
        if split.by_columns {
            for panel in split.panels(thread) {
                let out = &mut qkv[panel * COLUMNS..];
                packed.qkv.panel(panel, packed_lhs, &packed.qkv_bias, out, 3 * hidden);
            }
        } else {
            product(&packed.qkv, packed_lhs, &packed.qkv_bias, qkv_parts, false);
            ProductPanels::new(&qkv_parts.parts(), &packed.qkv, rows).rows(3 * hidden, qkv);
        }
        head_parts.write(thread, split.heads(thread).map(|index| split.place(index).len()).sum(), |out| {
            let mut out = out;
            for index in split.heads(thread) {
                let (context, rest) = out.split_at_mut(split.place(index).len());
                out = rest;
                pass.attend_head(qkv, index, attention, context);
            }
        });
        barrier.wait();
        for (thread, part) in head_parts.parts().iter().enumerate() {
            let mut contexts = part.as_slice();
            for index in split.heads(thread) {
                let place = split.place(index);
                let (context, rest) = contexts.split_at(place.len());
                heads[place].copy_from_slice(context);
                contexts = rest;
            }
        }

        fill(&packed.dense, packed_lhs, rows, |i, columns, out| pass.gather(heads, i, columns, out));
        product(&packed.dense, packed_lhs, p.dense.bias, dense_parts, false);
        ProductPanels::new(&dense_parts.parts(), &packed.dense, rows).rows(hidden, full);
        pass.add_normalize(full, states, p.attention_norm, attended);

        copy(&packed.ffn, packed_lhs, attended, hidden);
        product(&packed.ffn, packed_lhs, p.ffn.bias, inner_parts, true);
        {
            let parts = inner_parts.parts();
            let panels_of_product = ProductPanels::new(&parts, &packed.ffn, rows);
            fill(&packed.ffn_output, packed_lhs, rows, |i, columns, out| {
                panels_of_product.row(i, columns.start, out);
            });
        }
        product(&packed.ffn_output, packed_lhs, p.ffn_output.bias, full_parts, false);
        ProductPanels::new(&full_parts.parts(), &packed.ffn_output, rows).rows(hidden, full);
        pass.add_normalize(full, attended, p.full_norm, states);
    }
}

/// Which thread computes which heads. Heads are numbered in order of sequence, then head.
struct HeadSplit<'a> {
    sizes: Sizes,
    sequences: &'a [Sequence],
    threads: usize,
    /// Each thread has the same heads of all sequences, and the columns of these heads are complete panels. It then
    /// computes their queries, keys and values without the other threads.
    by_columns: bool,
}

impl<'a> HeadSplit<'a> {
    fn new(sizes: Sizes, sequences: &'a [Sequence], threads: usize) -> Self {
        let by_columns =
            sizes.heads.is_multiple_of(threads) && (sizes.hidden / threads).is_multiple_of(COLUMNS);
        Self { sizes, sequences, threads, by_columns }
    }

    /// The panels of the queries, keys and values of a thread, if the heads are split by columns.
    fn panels(&self, thread: usize) -> impl Iterator<Item = usize> {
        let panels = self.sizes.hidden / COLUMNS;
        let own = share(panels, thread, self.threads);
        (0..3).flat_map(move |part| own.clone().map(move |panel| part * panels + panel))
    }

    /// The heads of a thread.
    fn heads(&self, thread: usize) -> impl Iterator<Item = usize> {
        let (count, sequences) = (self.sizes.heads, self.sequences.len());
        let (outer, inner) = if self.by_columns {
            (sequences, share(count, thread, self.threads))
        } else {
            (1, share(sequences * count, thread, self.threads))
        };
        (0..outer).flat_map(move |sequence| inner.clone().map(move |head| sequence * count + head))
    }

    /// Where the context of a head lies among those of all heads.
    fn place(&self, index: usize) -> Range<usize> {
        let rows = &self.sequences[index / self.sizes.heads].rows;
        let size = rows.len() * self.sizes.head_size();
        let start = rows.start * self.sizes.hidden + index % self.sizes.heads * size;
        start..start + size
    }
}

/// The panels of a product, `[rows, COLUMNS]` each, as written by the threads.
struct ProductPanels<'a> {
    panels: Vec<&'a [f32]>,
    /// First column and first panel of each group.
    groups: Vec<(usize, usize)>,
}

impl<'a> ProductPanels<'a> {
    fn new(parts: &'a [RwLockReadGuard<'_, Vec<f32>>], weights: &PackedRhs, rows: usize) -> Self {
        let panels = parts.iter().flat_map(|part| part.chunks_exact(rows * COLUMNS)).collect();
        let mut first = 0;
        let groups = weights.groups().map(|columns| {
            let group = (columns.start, first);
            first += columns.len().div_ceil(COLUMNS);
            group
        });
        Self { panels, groups: groups.collect() }
    }

    /// Copies row `row` from `column` on, which is the first column of a group.
    fn row(&self, row: usize, column: usize, out: &mut [f32]) {
        let group = self.groups.iter().find(|(first, _)| *first == column);
        let first = group.map_or(0, |(_, panel)| *panel);
        // Copies of constant length are much faster.
        let (complete, rest) = out.as_chunks_mut::<COLUMNS>();
        let mut panels = self.panels[first..].iter().map(|panel| &panel[row * COLUMNS..][..COLUMNS]);
        for (out, panel) in complete.iter_mut().zip(&mut panels) {
            out.copy_from_slice(panel);
        }
        if let Some(panel) = panels.next() {
            rest.copy_from_slice(&panel[..rest.len()]);
        }
    }

    /// Copies all rows of a product with one group of `width` columns.
    fn rows(&self, width: usize, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            self.row(row, 0, out);
        }
    }
}
