//! Few rows: threads share the columns of each product.

use super::super::kernels::{COLUMNS, Left, Weights};
use super::{Pass, Sizes, fill};

impl Pass<'_> {
    /// All applications to `states` `[rows, H]`.
    pub(super) fn wide(&self, states: &mut [f32]) {
        let Sizes { hidden, inner, .. } = self.sizes;
        let rows = states.len() / hidden;
        let (p, arranged) = (&self.parameters, self.arranged);
        let room = |width: usize| vec![0.0; rows * width];
        let strip = |width: usize| room(width.next_multiple_of(COLUMNS));
        let (mut qkv, mut heads, mut attended, mut full) =
            (room(3 * hidden), room(hidden), room(hidden), room(hidden));
        let mut strips = strip(3 * hidden);
        let mut active = strips_of(&arranged.ffn, rows);
        debug_assert!(active.len() >= rows * inner);
        let mut scale = room(1);
        let mut lefts: Vec<Left> = Vec::new();
        for _ in 0..self.options.repeats {
            let copy = |x: &[f32], lefts: &mut Vec<Left>, weights: &Weights| {
                fill(weights, lefts, rows, |i, columns, out| out.copy_from_slice(&x[i * hidden..][columns]));
            };
            copy(states, &mut lefts, &arranged.qkv);
            arranged.qkv.strips(&lefts, &arranged.qkv_bias, &mut strips, |_| {});
            rows_from(&strips, 3 * hidden, &mut qkv);
            self.attend(&qkv, &mut heads);

            fill(&arranged.dense, &mut lefts, rows, |i, columns, out| self.gather(&heads, i, columns, out));
            arranged.dense.strips(&lefts, p.dense.bias, &mut strips, |_| {});
            rows_from(&strips, hidden, &mut full);
            self.add_normalize(&mut full, states, p.attention_norm, &mut scale, &mut attended);

            copy(&attended, &mut lefts, &arranged.ffn);
            arranged.ffn.strips(&lefts, p.ffn.bias, &mut active, |strip| {
                let mut before = [0.0; 16 * COLUMNS];
                for part in strip.chunks_mut(before.len()) {
                    let before = &mut before[..part.len()];
                    before.copy_from_slice(part);
                    self.options.activation.forward(before, part);
                }
            });
            let groups = groups_of(&arranged.ffn);
            fill(&arranged.ffn_output, &mut lefts, rows, |i, columns, out| {
                // The chunks of one are the groups of the other.
                let first = groups.iter().find(|(start, _)| *start == columns.start).map_or(0, |(_, p)| *p);
                for (panel, out) in (first..).zip(out.chunks_mut(COLUMNS)) {
                    out.copy_from_slice(&active[(panel * rows + i) * COLUMNS..][..out.len()]);
                }
            });
            arranged.ffn_output.strips(&lefts, p.ffn_output.bias, &mut strips, |_| {});
            rows_from(&strips, hidden, &mut full);
            self.add_normalize(&mut full, &attended, p.full_norm, &mut scale, states);
        }
    }
}

/// For each group of columns: its first column, and its first panel among all.
fn groups_of(weights: &Weights) -> Vec<(usize, usize)> {
    let mut panels = 0;
    let groups = weights.groups().map(|columns| {
        let first = panels;
        panels += columns.len().div_ceil(COLUMNS);
        (columns.start, first)
    });
    groups.collect()
}

/// Room for the panels of all groups.
fn strips_of(weights: &Weights, rows: usize) -> Vec<f32> {
    let panels: usize = weights.groups().map(|columns| columns.len().div_ceil(COLUMNS)).sum();
    vec![0.0; panels * rows * COLUMNS]
}

/// `out` `[rows, width]` from panels `[panels, rows, COLUMNS]`.
fn rows_from(strips: &[f32], width: usize, out: &mut [f32]) {
    let rows = out.len() / width;
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        for (panel, out) in out.chunks_mut(COLUMNS).enumerate() {
            out.copy_from_slice(&strips[(panel * rows + row) * COLUMNS..][..out.len()]);
        }
    }
}
