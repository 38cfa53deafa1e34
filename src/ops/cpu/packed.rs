//! The weights of a layer, arranged for products.

use super::kernels::Weights;
use super::{LayerParameters, MatmulPrecision, Sizes};

/// The weights of a layer arranged for products.
pub(crate) struct Packed {
    pub(super) qkv: Weights<'static>,
    pub(super) qkv_bias: Vec<f32>,
    pub(super) dense: Weights<'static>,
    pub(super) ffn: Weights<'static>,
    pub(super) ffn_output: Weights<'static>,
}

impl Packed {
    /// Copies the weights, as `precision`.
    pub(crate) fn new(p: &LayerParameters<&[f32]>, sizes: Sizes, precision: MatmulPrecision) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let arranged = |weight: &[f32], shape| arranged(weight, shape, precision);
        let qkv = || {
            let qkv = side_by_side([p.query.weight, p.key.weight, p.value.weight], hidden);
            arranged(&qkv, [hidden, 3 * hidden])
        };
        let dense = || arranged(p.dense.weight, [hidden, hidden]);
        let ffn = || arranged(p.ffn.weight, [hidden, inner]);
        let ffn_output = || arranged(p.ffn_output.weight, [inner, hidden]);
        let ((qkv, dense), (ffn, ffn_output)) =
            rayon::join(|| rayon::join(qkv, dense), || rayon::join(ffn, ffn_output));
        let qkv_bias = [p.query.bias, p.key.bias, p.value.bias].concat();
        Self { qkv, qkv_bias, dense, ffn, ffn_output }
    }
}

/// A weight matrix for products with all rows of a batch.
pub(super) fn arranged(weight: &[f32], shape: [usize; 2], precision: MatmulPrecision) -> Weights<'static> {
    let weights = Weights::new(weight, shape, precision, false);
    weights.split_for(usize::MAX);
    weights
}

/// Three `[rows, width]` matrices as one `[rows, 3 width]`.
pub(super) fn side_by_side(parts: [&[f32]; 3], width: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(3 * parts[0].len());
    let [a, b, c] = parts.map(|part| part.chunks_exact(width));
    for ((a, b), c) in a.zip(b).zip(c) {
        all.extend_from_slice(a);
        all.extend_from_slice(b);
        all.extend_from_slice(c);
    }
    all
}
