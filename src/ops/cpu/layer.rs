//! The forward pass of a layer, applied several times with the same weights.

use rayon::prelude::*;
use rten_simd::SimdOp;

use super::attention::{Head, Keys, Scratch};
use super::dropout::Dropout;
use super::norm::{AddNormalize, Affine};
use super::products::{self, linear, matrix, pack};
use super::{BLOCK_ROWS, LayerOptions, LayerParameters, Pair, Sizes, blocks, blocks_mut};

/// The weights of a layer arranged for products.
pub struct Packed {
    qkv: products::Packed,
    qkv_bias: Vec<f32>,
    dense: products::Packed,
    ffn: products::Packed,
    ffn_output: products::Packed,
}

impl Packed {
    /// Copies the weights.
    pub fn new(p: &LayerParameters<&[f32]>, sizes: Sizes) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let qkv = side_by_side([p.query.weight, p.key.weight, p.value.weight], hidden);
        Self {
            qkv: pack(matrix(&qkv, hidden, 3 * hidden)),
            qkv_bias: [p.query.bias, p.key.bias, p.value.bias].concat(),
            dense: pack(matrix(p.dense.weight, hidden, hidden)),
            ffn: pack(matrix(p.ffn.weight, hidden, inner)),
            ffn_output: pack(matrix(p.ffn_output.weight, inner, hidden)),
        }
    }
}

/// Three `[rows, width]` matrices as one `[rows, 3 width]`.
pub(super) fn side_by_side(parts: [&[f32]; 3], width: usize) -> Vec<f32> {
    let [a, b, c] = parts.map(|part| part.chunks_exact(width));
    a.zip(b).zip(c).flat_map(|((a, b), c)| [a, b, c]).flatten().copied().collect()
}

/// What the backward pass needs of one application of the layer.
#[derive(Default)]
pub(super) struct Saved {
    /// Queries, keys and values, `[tokens, 3 H]`.
    pub qkv: Vec<f32>,
    /// Attention output before its projection, `[tokens, H]`.
    pub context: Vec<f32>,
    /// Normalized states after the attention, `[tokens, H]`, and their scales `[tokens]`.
    pub attended: Vec<f32>,
    pub attended_scale: Vec<f32>,
    /// Before the activation, `[tokens, F]`.
    pub inner: Vec<f32>,
    /// Normalized states after the feed-forward network, `[tokens, H]`, and their scales.
    pub full: Vec<f32>,
    pub full_scale: Vec<f32>,
}

impl Saved {
    fn new(sizes: Sizes) -> Self {
        let tokens = sizes.tokens();
        let zeros = |width: usize| vec![0.0; tokens * width];
        Self {
            qkv: zeros(3 * sizes.hidden),
            context: zeros(sizes.hidden),
            attended: zeros(sizes.hidden),
            attended_scale: zeros(1),
            inner: zeros(sizes.inner),
            full: zeros(sizes.hidden),
            full_scale: zeros(1),
        }
    }
}

/// What a forward pass keeps for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    None,
    /// The states between the applications; the rest is computed again.
    States,
    /// Everything that is costly to compute again.
    All,
}

/// What a forward pass kept.
#[derive(Default)]
pub struct Tape {
    /// The inputs of all applications but the first.
    pub(super) states: Vec<Vec<f32>>,
    pub(super) saved: Vec<Saved>,
}

/// Some applications of one layer: what they share.
pub struct Layer<'a> {
    pub(super) sizes: Sizes,
    pub(super) options: LayerOptions,
    pub(super) parameters: LayerParameters<&'a [f32]>,
    /// The keys of each sequence.
    keys: Vec<Keys>,
}

impl<'a> Layer<'a> {
    /// `mask`, where true, `[batch, length]`, takes those keys out of the attention.
    pub fn new(
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

    /// States `x` `[batch, length, H]` through `options.repeats` applications.
    pub fn forward(&self, x: &[f32], packed: &Packed, trace: Trace) -> (Vec<f32>, Tape) {
        let mut tape = Tape::default();
        let mut saved = Saved::default();
        let mut input = x.to_vec();
        let mut output = vec![0.0; x.len()];
        for application in 0..self.options.repeats {
            if application == 0 || trace == Trace::All {
                saved = Saved::new(self.sizes);
            }
            self.apply(application, &input, packed, &mut saved, &mut output);
            std::mem::swap(&mut input, &mut output);
            match trace {
                Trace::None => {}
                Trace::States if application == 0 => {}
                Trace::States => tape.states.push(output.clone()),
                Trace::All => tape.saved.push(std::mem::take(&mut saved)),
            }
        }
        (input, tape)
    }

    /// What [`Trace::All`] would have kept of an application whose input is `x`.
    pub(super) fn again(&self, application: usize, x: &[f32], packed: &Packed) -> Saved {
        let mut saved = Saved::new(self.sizes);
        self.apply(application, x, packed, &mut saved, &mut vec![0.0; x.len()]);
        saved
    }

    /// The dropout of attention probabilities in an application.
    fn attention_dropout(&self, application: usize) -> Option<Dropout> {
        Dropout::new(self.options.seed, 2 * application as u64, self.options.attention_dropout)
    }

    /// The dropout after the output projection in an application.
    pub(super) fn hidden_dropout(&self, application: usize) -> Option<Dropout> {
        Dropout::new(self.options.seed, 2 * application as u64 + 1, self.options.hidden_dropout)
    }

    /// Head `index % heads` of sequence `index / heads`; `qkv` is that of all sequences.
    pub(super) fn head<'b>(&'b self, qkv: &'b [f32], application: usize, index: usize) -> Head<'b> {
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

    /// One application: `x` to `out`, both `[tokens, H]`.
    fn apply(&self, application: usize, x: &[f32], packed: &Packed, saved: &mut Saved, out: &mut [f32]) {
        let Sizes { length, hidden, .. } = self.sizes;
        let tasks: Vec<_> = blocks_mut(&mut saved.qkv, 3 * hidden).zip(blocks(x, hidden)).collect();
        tasks.into_par_iter().for_each(|(qkv, x)| {
            linear(qkv, matrix(x, x.len() / hidden, hidden), &packed.qkv, Some(&packed.qkv_bias));
        });

        // Heads come out one after another; the projection wants them side by side.
        let mut heads = vec![0.0; x.len()];
        heads
            .par_chunks_mut(length * self.sizes.head_size())
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (i, context)| {
                self.head(&saved.qkv, application, i).forward(scratch, context)
            });

        let mut context = blocks_mut(&mut saved.context, hidden);
        let mut attended = blocks_mut(&mut saved.attended, hidden);
        let mut attended_scale = blocks_mut(&mut saved.attended_scale, 1);
        let mut inner = blocks_mut(&mut saved.inner, self.sizes.inner);
        let mut full = blocks_mut(&mut saved.full, hidden);
        let mut full_scale = blocks_mut(&mut saved.full_scale, 1);
        let mut out = blocks_mut(out, hidden);
        let mut first = (0..).step_by(BLOCK_ROWS);
        let tasks: Vec<_> = blocks(x, hidden)
            .map_while(|x| {
                Some(Block {
                    first: first.next()?,
                    x,
                    context: context.next()?,
                    attended: attended.next()?,
                    attended_scale: attended_scale.next()?,
                    inner: inner.next()?,
                    full: full.next()?,
                    full_scale: full_scale.next()?,
                    out: out.next()?,
                })
            })
            .collect();
        tasks.into_par_iter().for_each_init(
            || (Vec::new(), Vec::new()),
            |(states, active), block| {
                self.after_attention(application, &heads, packed, block, states, active)
            },
        );
    }

    /// From the heads' contexts to the output, for a block of rows; `states` and `active` are room.
    fn after_attention(
        &self,
        application: usize,
        heads: &[f32],
        packed: &Packed,
        block: Block<'_>,
        states: &mut Vec<f32>,
        active: &mut Vec<f32>,
    ) {
        let Block { first, x, context, attended, attended_scale, inner, full, full_scale, out } = block;
        let Sizes { hidden, inner: width, .. } = self.sizes;
        let rows = x.len() / hidden;
        let p = &self.parameters;
        self.gather(heads, 1, first, context);
        linear(attended, matrix(context, rows, hidden), &packed.dense, Some(p.dense.bias));
        if let Some(dropout) = self.hidden_dropout(application) {
            dropout.apply(attended, hidden, first);
        }
        states.resize(rows * hidden, 0.0);
        self.add_normalize(attended, x, p.attention_norm, attended_scale, states);
        linear(inner, matrix(states, rows, hidden), &packed.ffn, Some(p.ffn.bias));
        active.resize(rows * width, 0.0);
        self.options.activation.forward(inner, active);
        linear(full, matrix(active, rows, width), &packed.ffn_output, Some(p.ffn_output.bias));
        self.add_normalize(full, states, p.full_norm, full_scale, out);
    }

    fn add_normalize(
        &self,
        z: &mut [f32],
        residual: &[f32],
        norm: Pair<&[f32]>,
        scale: &mut [f32],
        out: &mut [f32],
    ) {
        let affine = Affine { gamma: norm.weight, beta: norm.bias };
        AddNormalize { z, residual, affine, epsilon: self.options.epsilon, scale, out }.dispatch();
    }

    /// Copies rows from `first` on out of per-head results `[batch, heads, parts, length, d]` into
    /// `rows` `[n, parts H]`.
    pub(super) fn gather(&self, heads: &[f32], parts: usize, first: usize, rows: &mut [f32]) {
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
    /// Number of the first row.
    first: usize,
    x: &'a [f32],
    context: &'a mut [f32],
    attended: &'a mut [f32],
    attended_scale: &'a mut [f32],
    inner: &'a mut [f32],
    full: &'a mut [f32],
    full_scale: &'a mut [f32],
    out: &'a mut [f32],
}

impl std::fmt::Debug for Tape {
    /// Sizes only: the numbers would fill pages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape({} states, {} applications)", self.states.len(), self.saved.len())
    }
}
