//! Inference for few rows: threads share the columns of each product.
//!
//! Each thread has a copy of the states and computes everything between two products redundantly, which is faster than
//! waiting for another thread.

use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::spin_barrier::{self, SpinBarrier};
use super::{Pass, Sizes, copy, fill};
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
        // Four barriers lie between reading a part and writing it again.
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
    attention: AttentionWorkspace,
}

impl Worker<'_> {
    fn apply(&mut self, states: &mut [f32], shared: &[Shared; 5]) {
        let Self { pass, thread, threads, barrier, ref mut workspace } = *self;
        let [qkv_parts, head_parts, dense_parts, inner_parts, full_parts] = shared;
        let Sizes { hidden, heads: count, .. } = pass.sizes;
        let d = pass.sizes.head_size();
        let rows = states.len() / hidden;
        let (p, packed) = (&pass.parameters, pass.packed);
        let Workspace { packed_lhs, qkv, heads, attended, full, attention } = workspace;
        for (buffer, width) in [(&mut *qkv, 3 * hidden), (heads, hidden), (attended, hidden), (full, hidden)]
        {
            buffer.resize(rows * width, 0.0);
        }

        let product =
            |weights: &PackedRhs, packed_lhs: &[PackedLhs], bias: &[f32], out: &Shared, gelu: bool| {
                let panels = share(weights.panels(), thread, threads);
                out.write(thread, panels.len() * rows * COLUMNS, |out| {
                    for (panel, out) in panels.zip(out.chunks_exact_mut(rows * COLUMNS)) {
                        weights.panel(panel, packed_lhs, bias, out, COLUMNS);
                        if gelu {
                            activate(pass, out);
                        }
                    }
                });
                barrier.wait();
            };
        copy(&packed.qkv, packed_lhs, states, hidden);
        product(&packed.qkv, packed_lhs, &packed.qkv_bias, qkv_parts, false);
        ProductPanels::new(&qkv_parts.parts(), &packed.qkv, rows).rows(3 * hidden, qkv);

        // Heads in order of sequence, then head.
        let all = pass.sequences.len() * count;
        let own = share(all, thread, threads);
        let width = |index: usize| pass.sequences[index / count].rows.len() * d;
        head_parts.write(thread, own.clone().map(width).sum(), |out| {
            let mut out = out;
            for index in own {
                let (context, rest) = out.split_at_mut(width(index));
                out = rest;
                pass.attend_head(qkv, index, attention, context);
            }
        });
        barrier.wait();
        let mut at = 0;
        for part in head_parts.parts() {
            heads[at..at + part.len()].copy_from_slice(&part);
            at += part.len();
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

/// Applies the activation in place.
fn activate(pass: &Pass<'_>, x: &mut [f32]) {
    let mut before = [0.0; 16 * COLUMNS];
    for part in x.chunks_mut(before.len()) {
        let before = &mut before[..part.len()];
        before.copy_from_slice(part);
        pass.options.activation.forward(before, part);
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
        for (panel, out) in self.panels[first..].iter().zip(out.chunks_mut(COLUMNS)) {
            out.copy_from_slice(&panel[row * COLUMNS..][..out.len()]);
        }
    }

    /// Copies all rows of a product with one group of `width` columns.
    fn rows(&self, width: usize, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            self.row(row, 0, out);
        }
    }
}
