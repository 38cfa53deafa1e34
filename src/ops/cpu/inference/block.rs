//! The computation on a block of rows between two attentions.

use super::{Pair, Pass, Sizes, copy};
use crate::ops::cpu::elementwise::add_normalize;
use crate::ops::cpu::gemm::{PackedLhs, PackedRhs};

/// The rows of one task.
pub(super) struct Block<'a> {
    /// Index of the first row.
    pub first: usize,
    /// `[rows, H]`.
    pub states: &'a mut [f32],
    /// The next attention's queries, keys and values, `[rows, 3 H]`.
    pub qkv: &'a mut [f32],
}

/// The workspace of a thread.
#[derive(Default)]
pub(super) struct Workspace {
    pub packed_lhs: Vec<PackedLhs>,
    active: PackedLhs,
    attended: Vec<f32>,
    full: Vec<f32>,
    inner: Vec<f32>,
}

impl Pass<'_> {
    /// Computes queries, keys and values from the states.
    pub(super) fn project(&self, block: &mut Block<'_>, workspace: &mut Workspace) {
        let hidden = self.sizes.hidden;
        let (states, weights) = (&*block.states, &self.packed.qkv);
        copy(weights, &mut workspace.packed_lhs, states, hidden);
        all_chunks(weights, 0, &workspace.packed_lhs, &self.packed.qkv_bias, block.qkv);
    }

    /// Computes the layer's output from the heads' contexts, in place of `states` `[rows, H]`. `workspace.packed_lhs`
    /// holds the contexts, packed for the projection.
    pub(super) fn after_attention(&self, states: &mut [f32], workspace: &mut Workspace) {
        let Sizes { hidden, .. } = self.sizes;
        let rows = states.len() / hidden;
        let (p, packed) = (&self.parameters, self.packed);
        let Workspace { packed_lhs, active, attended, full, inner } = workspace;
        attended.resize(rows * hidden, 0.0);
        full.resize(rows * hidden, 0.0);

        all_chunks(&packed.dense, 0, packed_lhs, p.dense.bias, full);
        self.add_normalize(full, states, p.attention_norm, attended);

        copy(&packed.ffn, packed_lhs, attended, hidden);
        for (group, columns) in packed.ffn.groups().enumerate() {
            let width = columns.len();
            inner.resize(rows * width, 0.0);
            all_chunks(&packed.ffn, group, packed_lhs, &p.ffn.bias[columns], inner);
            active.fill(packed.ffn_output.layout(), [rows, width], |i, out| {
                self.options.activation.forward(&inner[i * width..(i + 1) * width], out);
            });
            let bias = (group == 0).then_some(p.ffn_output.bias);
            packed.ffn_output.product([group, 0], active, bias, full);
        }
        self.add_normalize(full, attended, p.full_norm, states);
    }

    /// Normalizes `z + residual` into `out`.
    pub(super) fn add_normalize(&self, z: &mut [f32], residual: &[f32], norm: Pair<&[f32]>, out: &mut [f32]) {
        add_normalize(z, residual, norm, self.options.epsilon, None, out);
    }
}

/// Computes `out = rows * (a group of columns) + bias`.
pub(super) fn all_chunks(
    weights: &PackedRhs,
    group: usize,
    packed_lhs: &[PackedLhs],
    bias: &[f32],
    out: &mut [f32],
) {
    for (chunk, lhs) in packed_lhs.iter().enumerate() {
        weights.product([chunk, group], lhs, (chunk == 0).then_some(bias), out);
    }
}
