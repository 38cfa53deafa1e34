//! The forward pass of a layer, applied several times with the same weights.

use rayon::prelude::*;

use super::packed::PackedLayer;
use crate::ops::cpu::attention::AttentionWorkspace;
use crate::ops::cpu::attention::Keys;
use crate::ops::cpu::attention::{AttentionScores, Head};
use crate::ops::cpu::buffer::Buffer;
use crate::ops::cpu::elementwise::Dropout;
use crate::ops::cpu::elementwise::add_normalize;
use crate::ops::cpu::gemm::{OperandLayout, linear};
use crate::ops::cpu::{
    BLOCK_ROWS, LayerOptions, LayerParameters, MatmulPrecision, Sizes, blocks, blocks_mut,
};

/// The values that the backward pass needs from one application of the layer.
#[derive(Default)]
pub(in crate::ops::cpu) struct LayerActivations {
    /// Queries, keys and values, `[tokens, 3 H]`.
    pub qkv: Buffer,
    /// Heads' contexts before the output projection, `[tokens, H]`.
    pub context: Buffer,
    /// Normalized states after the attention, `[tokens, H]`, and their scales, `[tokens]`.
    pub attended: Buffer,
    pub attended_scale: Buffer,
    /// Inner states before the activation, `[tokens, F]`.
    pub inner: Buffer,
    /// Normalized states after the feed-forward network, `[tokens, H]`, and their scales.
    pub full: Buffer,
    pub full_scale: Buffer,
}

impl LayerActivations {
    fn new(sizes: Sizes) -> Self {
        let tokens = sizes.tokens();
        let workspace = |width: usize| Buffer::new(tokens * width);
        Self {
            qkv: workspace(3 * sizes.hidden),
            context: workspace(sizes.hidden),
            attended: workspace(sizes.hidden),
            attended_scale: workspace(1),
            inner: workspace(sizes.inner),
            full: workspace(sizes.hidden),
            full_scale: workspace(1),
        }
    }
}

/// The values that a forward pass saves for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SavePolicy {
    /// Nothing.
    None,
    /// The states between applications; everything else is recomputed.
    States,
    /// Everything that is costly to recompute.
    All,
}

/// The values that a forward pass has saved.
#[derive(Default)]
pub(crate) struct SavedActivations {
    /// The inputs of all applications except the first.
    pub(in crate::ops::cpu) states: Vec<Buffer>,
    pub(in crate::ops::cpu) saved: Vec<LayerActivations>,
}

/// The inputs that all applications of one layer share.
pub(crate) struct Layer<'a> {
    pub(in crate::ops::cpu) sizes: Sizes,
    pub(in crate::ops::cpu) options: LayerOptions,
    pub(in crate::ops::cpu) parameters: LayerParameters<&'a [f32]>,
    /// The keys of each sequence.
    keys: Vec<Keys>,
}

impl<'a> Layer<'a> {
    /// Creates the layer. `mask` `[batch, length]` is true where a key is excluded from attention.
    pub(crate) fn new(
        parameters: LayerParameters<&'a [f32]>,
        mask: Option<&[bool]>,
        sizes: Sizes,
        options: LayerOptions,
    ) -> Self {
        let keys = match mask {
            Some(mask) if sizes.length > 0 => mask.chunks_exact(sizes.length).map(Keys::new).collect(),
            _ => vec![Keys::all(sizes.length); sizes.batch],
        };
        Self { sizes, options, parameters, keys }
    }

    /// Runs states `x` `[batch, length, H]` through `options.repeats` applications.
    pub(crate) fn forward(
        &self,
        x: &[f32],
        packed: &PackedLayer<'_>,
        policy: SavePolicy,
    ) -> (Vec<f32>, SavedActivations) {
        let mut saved_activations = SavedActivations::default();
        let mut saved = LayerActivations::default();
        let mut states = x.to_vec();
        for application in 0..self.options.repeats {
            if application == 0 || policy == SavePolicy::All {
                saved = LayerActivations::new(self.sizes);
            }
            if policy == SavePolicy::States && application > 0 {
                let mut kept = Buffer::new(x.len());
                kept.copy_from_slice(&states);
                saved_activations.states.push(kept);
            }
            self.apply(application, &mut states, packed, &mut saved);
            if policy == SavePolicy::All {
                saved_activations.saved.push(std::mem::take(&mut saved));
            }
        }
        (states, saved_activations)
    }

    /// Recomputes the values that [`SavePolicy::All`] would have saved for an application with input `x`.
    pub(in crate::ops::cpu) fn recompute(
        &self,
        application: usize,
        x: &[f32],
        packed: &PackedLayer,
    ) -> LayerActivations {
        let mut saved = LayerActivations::new(self.sizes);
        let mut states = Buffer::new(x.len());
        states.copy_from_slice(x);
        self.apply(application, &mut states, packed, &mut saved);
        saved
    }

    /// The dropout of the attention probabilities in an application.
    fn attention_dropout(&self, application: usize) -> Option<Dropout> {
        Dropout::new(self.options.seed, 2 * application as u64, self.options.attention_dropout)
    }

    /// The dropout after the output projection in an application.
    pub(in crate::ops::cpu) fn hidden_dropout(&self, application: usize) -> Option<Dropout> {
        Dropout::new(self.options.seed, 2 * application as u64 + 1, self.options.hidden_dropout)
    }

    /// Head `index % heads` of sequence `index / heads`; `qkv` holds that of all sequences.
    pub(in crate::ops::cpu) fn head<'b>(
        &'b self,
        qkv: &'b [f32],
        application: usize,
        index: usize,
    ) -> Head<'b> {
        let sequence = index / self.sizes.heads;
        let size = self.sizes.length * 3 * self.sizes.hidden;
        Head {
            sizes: self.sizes,
            qkv: &qkv[sequence * size..(sequence + 1) * size],
            keys: &self.keys[sequence],
            dropout: self.attention_dropout(application),
            index,
        }
    }

    /// The operand layout for a head's products if our own micro-kernels are faster for them: not for 32 bits, where
    /// splitting into parts costs more than it saves in products this small. Dropout is left to the library.
    pub(in crate::ops::cpu) fn in_tiles(&self, head: &Head<'_>) -> Option<OperandLayout> {
        let precision = self.options.training_precision();
        (precision == MatmulPrecision::Bf16
            && OperandLayout::Bf16Pairs.is_supported()
            && head.dropout.is_none())
        .then_some(OperandLayout::Bf16Pairs)
    }

    /// Runs one application on `states` `[tokens, H]` in place.
    fn apply(
        &self,
        application: usize,
        states: &mut [f32],
        packed: &PackedLayer<'_>,
        saved: &mut LayerActivations,
    ) {
        let Sizes { length, hidden, .. } = self.sizes;
        let tasks: Vec<_> = blocks_mut(&mut saved.qkv, 3 * hidden).zip(blocks(states, hidden)).collect();
        tasks.into_par_iter().for_each(|(qkv, x)| {
            linear(qkv, x, hidden, &packed.qkv, Some(&packed.qkv_bias));
        });

        // Heads are computed one after another; the projection needs them side by side.
        let mut heads = Buffer::new(states.len());
        heads.par_chunks_mut(length * self.sizes.head_size()).enumerate().for_each_init(
            Default::default,
            |(scratch, workspace): &mut (AttentionScores, AttentionWorkspace), (i, context)| {
                let head = self.head(&saved.qkv, application, i);
                match self.in_tiles(&head) {
                    Some(layout) => head.in_tiles(layout).forward(workspace, context, self.sizes.head_size()),
                    None => head.forward(scratch, context),
                }
            },
        );

        let mut context = blocks_mut(&mut saved.context, hidden);
        let mut attended = blocks_mut(&mut saved.attended, hidden);
        let mut attended_scale = blocks_mut(&mut saved.attended_scale, 1);
        let mut inner = blocks_mut(&mut saved.inner, self.sizes.inner);
        let mut full = blocks_mut(&mut saved.full, hidden);
        let mut full_scale = blocks_mut(&mut saved.full_scale, 1);
        let mut first = (0..).step_by(BLOCK_ROWS);
        let tasks: Vec<_> = blocks_mut(states, hidden)
            .map_while(|states| {
                Some(Block {
                    first: first.next()?,
                    states,
                    context: context.next()?,
                    attended: attended.next()?,
                    attended_scale: attended_scale.next()?,
                    inner: inner.next()?,
                    full: full.next()?,
                    full_scale: full_scale.next()?,
                })
            })
            .collect();
        tasks.into_par_iter().for_each_init(
            || (Vec::new(), Vec::new()),
            |(states, active), block| {
                self.after_attention(application, &heads, packed, block, states, active);
            },
        );
    }

    /// Computes the output from the heads' contexts, for a block of rows; `residual` and `active` are workspace.
    fn after_attention(
        &self,
        application: usize,
        heads: &[f32],
        packed: &PackedLayer<'_>,
        block: Block<'_>,
        residual: &mut Vec<f32>,
        active: &mut Vec<f32>,
    ) {
        let Block { first, states, context, attended, attended_scale, inner, full, full_scale } = block;
        let Sizes { hidden, inner: width, .. } = self.sizes;
        let rows = states.len() / hidden;
        let p = &self.parameters;
        self.gather(heads, 1, first, context);
        linear(attended, context, hidden, &packed.dense, Some(p.dense.bias));
        if let Some(dropout) = self.hidden_dropout(application) {
            dropout.apply(attended, hidden, first);
        }
        residual.resize(rows * hidden, 0.0);
        add_normalize(
            attended,
            states,
            p.attention_norm,
            self.options.epsilon,
            Some(attended_scale),
            residual,
        );
        linear(inner, residual, hidden, &packed.ffn, Some(p.ffn.bias));
        active.resize(rows * width, 0.0);
        self.options.activation.forward(inner, active);
        linear(full, active, width, &packed.ffn_output, Some(p.ffn_output.bias));
        add_normalize(full, residual, p.full_norm, self.options.epsilon, Some(full_scale), states);
    }

    /// Copies rows from `first` on out of per-head results `[batch, heads, parts, length, d]` into `rows` `[n, parts H]`.
    pub(in crate::ops::cpu) fn gather(&self, heads: &[f32], parts: usize, first: usize, rows: &mut [f32]) {
        let Sizes { length, hidden, heads: count, .. } = self.sizes;
        let d = self.sizes.head_size();
        for (row, out) in (first..).zip(rows.chunks_exact_mut(parts * hidden)) {
            let (sequence, position) = (row / length, row % length);
            for (part, out) in out.chunks_exact_mut(hidden).enumerate() {
                for (head, out) in out.chunks_exact_mut(d).enumerate() {
                    let start = (((sequence * count + head) * parts + part) * length + position) * d;
                    out.copy_from_slice(&heads[start..start + d]);
                }
            }
        }
    }
}

/// The rows of one task.
struct Block<'a> {
    /// Index of the first row.
    first: usize,
    /// The input, replaced by the output.
    states: &'a mut [f32],
    context: &'a mut [f32],
    attended: &'a mut [f32],
    attended_scale: &'a mut [f32],
    inner: &'a mut [f32],
    full: &'a mut [f32],
    full_scale: &'a mut [f32],
}

impl std::fmt::Debug for SavedActivations {
    /// Prints only the sizes: the values would fill pages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SavedActivations({} states, {} applications)", self.states.len(), self.saved.len())
    }
}
