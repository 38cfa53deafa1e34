//! The backward pass of a layer.

use rayon::prelude::*;

use super::forward::{Layer, LayerActivations, SavedActivations};
use super::packed::{PackedLayer, packed, side_by_side};
use super::weight_gradients::MatrixSums;
use crate::ops::cpu::attention::AttentionScores;
use crate::ops::cpu::attention::BackwardWorkspace;
use crate::ops::cpu::buffer::Buffer;
use crate::ops::cpu::elementwise::simd::Run;
use crate::ops::cpu::elementwise::{AddRows, Affine, NormalizeBackward, Scale};
use crate::ops::cpu::gemm::library::{matrix, multiply, strided, transpose};
use crate::ops::cpu::gemm::{PackedRhs, Rows, linear};
use crate::ops::cpu::{BLOCK_ROWS, LayerParameters, MatmulPrecision, Pair, Sizes, blocks, blocks_mut};

/// Transposed weights, packed for products.
struct Transposed {
    qkv: PackedRhs<'static>,
    dense: PackedRhs<'static>,
    ffn: PackedRhs<'static>,
    ffn_output: PackedRhs<'static>,
    /// Zeros in place of a bias.
    zeros: Vec<f32>,
}

impl Transposed {
    fn new(p: &LayerParameters<&[f32]>, sizes: Sizes, precision: MatmulPrecision) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let transposed = |weight: &[f32], [rows, columns]: [usize; 2]| {
            let mut out = vec![0.0; weight.len()];
            transpose(&mut out, weight, columns);
            packed(&out, [columns, rows], precision)
        };
        let qkv = || {
            let qkv = side_by_side([p.query.weight, p.key.weight, p.value.weight], hidden);
            transposed(&qkv, [hidden, 3 * hidden])
        };
        let dense = || transposed(p.dense.weight, [hidden, hidden]);
        let ffn = || transposed(p.ffn.weight, [hidden, inner]);
        let ffn_output = || transposed(p.ffn_output.weight, [inner, hidden]);
        let ((qkv, dense), (ffn, ffn_output)) =
            rayon::join(|| rayon::join(qkv, dense), || rayon::join(ffn, ffn_output));
        let zeros = vec![0.0; hidden.max(inner)];
        Self { qkv, dense, ffn, ffn_output, zeros }
    }
}

/// Gradients of vector parameters, summed over rows: of one block of rows, or of all.
struct Sums {
    full_gamma: Vec<f32>,
    full_beta: Vec<f32>,
    ffn_output: Vec<f32>,
    ffn: Vec<f32>,
    attention_gamma: Vec<f32>,
    attention_beta: Vec<f32>,
    dense: Vec<f32>,
    qkv: Vec<f32>,
}

impl Sums {
    fn new(sizes: Sizes) -> Self {
        let zeros = |width: usize| vec![0.0; width];
        let Sizes { hidden, inner, .. } = sizes;
        Self {
            full_gamma: zeros(hidden),
            full_beta: zeros(hidden),
            ffn_output: zeros(hidden),
            ffn: zeros(inner),
            attention_gamma: zeros(hidden),
            attention_beta: zeros(hidden),
            dense: zeros(hidden),
            qkv: zeros(3 * hidden),
        }
    }

    fn fields(&mut self) -> [&mut Vec<f32>; 8] {
        [
            &mut self.full_gamma,
            &mut self.full_beta,
            &mut self.ffn_output,
            &mut self.ffn,
            &mut self.attention_gamma,
            &mut self.attention_beta,
            &mut self.dense,
            &mut self.qkv,
        ]
    }

    /// Adds `block` and resets it to zero.
    fn take(&mut self, block: &mut Self) {
        for (sum, part) in self.fields().into_iter().zip(block.fields()) {
            AddRows { x: part, sum }.run();
            part.fill(0.0);
        }
    }
}

/// Buffers that all applications reuse.
struct Workspace {
    /// Gradient before the first normalization, `[tokens, H]`.
    attended: Buffer,
    /// The same after dropout; empty if there is no dropout.
    projected: Buffer,
    /// States after the first normalization.
    states: Buffer,
    /// Gradient with respect to the attention's context.
    context: Buffer,
    /// The activated inner states, `[tokens, F]`.
    active: Buffer,
    /// Gradient with respect to the input of the activation.
    inner: Buffer,
    /// Gradients of queries, keys and values: `[batch, heads, 3, length, d]`.
    heads: Buffer,
    /// The same as `[tokens, 3 H]`.
    qkv: Buffer,
    /// Workspace for a transposed matrix `[tokens, H]`.
    transposed: Buffer,
    blocks: Vec<Sums>,
}

impl Workspace {
    fn new(sizes: Sizes, dropout: bool) -> Self {
        let tokens = sizes.tokens();
        let workspace = |width: usize| Buffer::new(tokens * width);
        let Sizes { hidden, inner, .. } = sizes;
        Self {
            attended: workspace(hidden),
            projected: workspace(if dropout { hidden } else { 0 }),
            states: workspace(hidden),
            context: workspace(hidden),
            active: workspace(inner),
            inner: workspace(inner),
            heads: workspace(3 * hidden),
            qkv: workspace(3 * hidden),
            transposed: workspace(hidden),
            blocks: (0..tokens.div_ceil(BLOCK_ROWS)).map(|_| Sums::new(sizes)).collect(),
        }
    }
}

/// The rows of one task.
struct Block<'a> {
    /// Index of the first row.
    first: usize,
    saved_attended: &'a [f32],
    saved_attended_scale: &'a [f32],
    saved_inner: &'a [f32],
    saved_full: &'a [f32],
    saved_full_scale: &'a [f32],
    gradient: &'a mut [f32],
    attended: &'a mut [f32],
    projected: Option<&'a mut [f32]>,
    states: &'a mut [f32],
    context: &'a mut [f32],
    active: &'a mut [f32],
    inner: &'a mut [f32],
    sums: &'a mut Sums,
}

impl Layer<'_> {
    /// Computes the gradients with respect to `x` and all parameters from the gradient with respect to the output of
    /// [`Layer::forward`], which returned `saved_activations`.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        saved_activations: &SavedActivations,
        gradient: &[f32],
    ) -> (Vec<f32>, LayerParameters<Vec<f32>>) {
        let Sizes { hidden, inner, .. } = self.sizes;
        let precision = self.options.training_precision();
        let transposed = Transposed::new(&self.parameters, self.sizes, precision);
        let mut workspace = Workspace::new(self.sizes, self.hidden_dropout(0).is_some());
        let mut matrices = MatrixSums::new(self.sizes, precision);
        let mut sums = Sums::new(self.sizes);
        let mut current = Buffer::new(gradient.len());
        current.copy_from_slice(gradient);
        let packed = saved_activations
            .saved
            .is_empty()
            .then(|| PackedLayer::for_training(&self.parameters, self.sizes, precision));
        for application in (0..self.options.repeats).rev() {
            let normalized;
            let input: &[f32] = match application.checked_sub(1) {
                None => x,
                Some(before) => match saved_activations.saved.get(before) {
                    Some(before) => {
                        normalized = self.output(before);
                        &normalized
                    }
                    None => &saved_activations.states[before],
                },
            };
            let again = packed.as_ref().map(|packed| self.recompute(application, input, packed));
            let saved = again.as_ref().unwrap_or_else(|| &saved_activations.saved[application]);
            self.step(application, input, saved, &transposed, &mut workspace, &mut matrices, &mut current);
            for block in &mut workspace.blocks {
                sums.take(block);
            }
        }
        let matrices = matrices.finish(hidden);
        let mut ffn_output = vec![0.0; inner * hidden];
        transpose(&mut ffn_output, &matrices.ffn_output, inner);
        let bias = |part: usize| sums.qkv[part * hidden..(part + 1) * hidden].to_vec();
        let gradients = LayerParameters {
            query: Pair { weight: matrices.query, bias: bias(0) },
            key: Pair { weight: matrices.key, bias: bias(1) },
            value: Pair { weight: matrices.value, bias: bias(2) },
            dense: Pair { weight: matrices.dense, bias: sums.dense },
            attention_norm: Pair { weight: sums.attention_gamma, bias: sums.attention_beta },
            ffn: Pair { weight: matrices.ffn, bias: sums.ffn },
            ffn_output: Pair { weight: ffn_output, bias: sums.ffn_output },
            full_norm: Pair { weight: sums.full_gamma, bias: sums.full_beta },
        };
        (current.to_vec(), gradients)
    }

    /// Recomputes the output of an application.
    fn output(&self, saved: &LayerActivations) -> Buffer {
        let hidden = self.sizes.hidden;
        let norm = self.parameters.full_norm;
        let affine = Affine { gamma: norm.weight, beta: norm.bias };
        let mut out = Buffer::new(saved.full.len());
        let tasks: Vec<_> = blocks_mut(&mut out, hidden).zip(blocks(&saved.full, hidden)).collect();
        tasks.into_par_iter().for_each(|(out, z)| Scale { z, affine, out }.run());
        out
    }

    /// Backpropagates through one application with input `x`: replaces the gradient with respect to its output by the
    /// gradient with respect to `x`.
    #[allow(clippy::too_many_arguments, reason = "the operands of one step")]
    fn step(
        &self,
        application: usize,
        x: &[f32],
        saved: &LayerActivations,
        weights: &Transposed,
        w: &mut Workspace,
        m: &mut MatrixSums,
        gradient: &mut Buffer,
    ) {
        let Sizes { length, hidden, inner: width, .. } = self.sizes;
        let tasks = self.blocks(saved, w, gradient);
        tasks.into_par_iter().for_each(|block| self.before_attention(application, weights, block));

        let projected = if w.projected.is_empty() { &w.attended } else { &w.projected };
        let products = [
            [Rows::new(gradient, hidden), Rows::new(&w.active, width)],
            [Rows::new(&w.states, hidden), Rows::new(&w.inner, width)],
            [Rows::new(&saved.context, hidden), Rows::new(projected, hidden)],
        ];
        match m {
            MatrixSums::Tiles([after, _]) => after.add(&products, self.sizes.tokens()),
            MatrixSums::Floats(m) => {
                for (product, out) in products.into_iter().zip([&mut m.ffn_output, &mut m.ffn, &mut m.dense])
                {
                    self.add_transposed(out, product, &mut w.transposed);
                }
            }
        }

        let context = &w.context;
        w.heads.par_chunks_mut(3 * length * self.sizes.head_size()).enumerate().for_each_init(
            Default::default,
            |(scratch, workspace): &mut (AttentionScores, BackwardWorkspace), (i, out)| {
                let sequence = i / self.sizes.heads * length * hidden;
                let context = &context[sequence..sequence + length * hidden];
                let head = self.head(&saved.qkv, application, i);
                match self.in_tiles(&head) {
                    Some(layout) => head.backward_in_tiles(layout, workspace, context, out),
                    None => head.backward(scratch, context, out),
                }
            },
        );

        let heads = &w.heads;
        let tasks: Vec<_> = blocks_mut(&mut w.attended, hidden)
            .zip(blocks_mut(&mut w.qkv, 3 * hidden))
            .zip(&mut w.blocks)
            .enumerate()
            .collect();
        tasks.into_par_iter().for_each(|(i, ((attended, qkv), sums))| {
            self.gather(heads, 3, i * BLOCK_ROWS, qkv);
            AddRows { x: qkv, sum: &mut sums.qkv }.run();
            linear(attended, qkv, 3 * hidden, &weights.qkv, None);
        });
        let x = Rows::new(x, hidden);
        match m {
            MatrixSums::Tiles([_, before]) => {
                before.add(&[[x, Rows::new(&w.qkv, 3 * hidden)]], self.sizes.tokens());
            }
            MatrixSums::Floats(m) => {
                for (part, out) in [&mut m.query, &mut m.key, &mut m.value].into_iter().enumerate() {
                    let b = Rows { data: &w.qkv[part * hidden..], width: hidden, stride: 3 * hidden };
                    self.add_transposed(out, [x, b], &mut w.transposed);
                }
            }
        }
        std::mem::swap(gradient, &mut w.attended);
    }

    /// Splits the buffers into the tasks of [`Layer::before_attention`].
    fn blocks<'a>(
        &self,
        saved: &'a LayerActivations,
        w: &'a mut Workspace,
        gradient: &'a mut [f32],
    ) -> Vec<Block<'a>> {
        let Sizes { hidden, inner: width, .. } = self.sizes;
        let mut first = (0..).step_by(BLOCK_ROWS);
        let mut saved_attended = blocks(&saved.attended, hidden);
        let mut saved_attended_scale = blocks(&saved.attended_scale, 1);
        let mut saved_inner = blocks(&saved.inner, width);
        let mut saved_full = blocks(&saved.full, hidden);
        let mut saved_full_scale = blocks(&saved.full_scale, 1);
        let mut gradient = blocks_mut(gradient, hidden);
        let mut attended = blocks_mut(&mut w.attended, hidden);
        let mut projected = blocks_mut(&mut w.projected, hidden);
        let mut states = blocks_mut(&mut w.states, hidden);
        let mut context = blocks_mut(&mut w.context, hidden);
        let mut active = blocks_mut(&mut w.active, width);
        let mut inner = blocks_mut(&mut w.inner, width);
        w.blocks
            .iter_mut()
            .map_while(|sums| {
                Some(Block {
                    first: first.next()?,
                    saved_attended: saved_attended.next()?,
                    saved_attended_scale: saved_attended_scale.next()?,
                    saved_inner: saved_inner.next()?,
                    saved_full: saved_full.next()?,
                    saved_full_scale: saved_full_scale.next()?,
                    gradient: gradient.next()?,
                    attended: attended.next()?,
                    projected: projected.next(),
                    states: states.next()?,
                    context: context.next()?,
                    active: active.next()?,
                    inner: inner.next()?,
                    sums,
                })
            })
            .collect()
    }

    /// Computes `out += a^T b`, the gradient of a weight, in 32 bits; `a` and `workspace` are `[tokens, H]`.
    fn add_transposed(&self, out: &mut [f32], [a, b]: [Rows<'_>; 2], workspace: &mut [f32]) {
        let (tokens, hidden) = (self.sizes.tokens(), self.sizes.hidden);
        transpose(workspace, a.data, hidden);
        let b = strided(b.data, tokens, b.width, b.stride);
        multiply(out, matrix(workspace, hidden, tokens), b, 1.0, true);
    }

    /// Computes the gradient of the attention's context from that of the output, for a block of rows.
    fn before_attention(&self, application: usize, weights: &Transposed, block: Block<'_>) {
        let Block { gradient, attended, context, inner, sums, .. } = block;
        let Sizes { hidden, inner: width, .. } = self.sizes;
        let p = &self.parameters;
        NormalizeBackward {
            gradient,
            z: block.saved_full,
            scale: block.saved_full_scale,
            gamma: p.full_norm.weight,
            gamma_sum: &mut sums.full_gamma,
            beta_sum: &mut sums.full_beta,
        }
        .run();
        AddRows { x: gradient, sum: &mut sums.ffn_output }.run();
        linear(inner, gradient, hidden, &weights.ffn_output, Some(&weights.zeros[..width]));
        self.options.activation.backward(block.saved_inner, block.active, inner);
        AddRows { x: inner, sum: &mut sums.ffn }.run();
        let affine = Affine { gamma: p.attention_norm.weight, beta: p.attention_norm.bias };
        Scale { z: block.saved_attended, affine, out: block.states }.run();
        attended.copy_from_slice(gradient);
        linear(attended, inner, width, &weights.ffn, None);
        NormalizeBackward {
            gradient: attended,
            z: block.saved_attended,
            scale: block.saved_attended_scale,
            gamma: p.attention_norm.weight,
            gamma_sum: &mut sums.attention_gamma,
            beta_sum: &mut sums.attention_beta,
        }
        .run();
        let projected = match (block.projected, self.hidden_dropout(application)) {
            (Some(projected), Some(dropout)) => {
                projected.copy_from_slice(attended);
                dropout.apply(projected, hidden, block.first);
                projected
            }
            _ => attended,
        };
        AddRows { x: projected, sum: &mut sums.dense }.run();
        linear(context, projected, hidden, &weights.dense, Some(&weights.zeros[..hidden]));
    }
}
