//! The weights of a layer, packed for products.

use crate::ops::cpu::gemm::PackedRhs;
use crate::ops::cpu::{LayerParameters, MatmulPrecision, Sizes};

/// The packed weights of a layer.
pub(crate) struct PackedLayer<'a> {
    /// Weights of queries, keys and values side by side.
    pub(in crate::ops::cpu) qkv: PackedRhs<'a>,
    pub(in crate::ops::cpu) qkv_bias: Vec<f32>,
    pub(in crate::ops::cpu) dense: PackedRhs<'a>,
    pub(in crate::ops::cpu) ffn: PackedRhs<'a>,
    pub(in crate::ops::cpu) ffn_output: PackedRhs<'a>,
    pub(in crate::ops::cpu) precision: MatmulPrecision,
}

impl PackedLayer<'static> {
    /// Packs the weights in `precision`, for many rows.
    pub(crate) fn for_training(
        p: &LayerParameters<&[f32]>,
        sizes: Sizes,
        precision: MatmulPrecision,
    ) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let packed = |weight: &[f32], shape| packed(weight, shape, precision);
        let qkv = || {
            let qkv = side_by_side([p.query.weight, p.key.weight, p.value.weight], hidden);
            packed(&qkv, [hidden, 3 * hidden])
        };
        let dense = || packed(p.dense.weight, [hidden, hidden]);
        let ffn = || packed(p.ffn.weight, [hidden, inner]);
        let ffn_output = || packed(p.ffn_output.weight, [inner, hidden]);
        let ((qkv, dense), (ffn, ffn_output)) =
            rayon::join(|| rayon::join(qkv, dense), || rayon::join(ffn, ffn_output));
        Self { qkv, qkv_bias: qkv_bias(p), dense, ffn, ffn_output, precision }
    }

    /// Packs the weights in `precision`. The feed-forward network is split so that its inner states stay in the cache.
    pub(crate) fn for_inference(
        p: &LayerParameters<&[f32]>,
        sizes: Sizes,
        precision: MatmulPrecision,
    ) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let qkv = side_by_side([p.query.weight, p.key.weight, p.value.weight], hidden);
        Self {
            qkv: PackedRhs::new(&qkv, [hidden, 3 * hidden], precision, false),
            qkv_bias: qkv_bias(p),
            dense: PackedRhs::new(p.dense.weight, [hidden, hidden], precision, false),
            ffn: PackedRhs::new(p.ffn.weight, [hidden, inner], precision, true),
            ffn_output: PackedRhs::new(p.ffn_output.weight, [inner, hidden], precision, false),
            precision,
        }
    }
}

impl<'a> PackedLayer<'a> {
    /// References the weights in place, in f32. Returns `None` for shapes and processors that need packing.
    pub(in crate::ops::cpu) fn in_place(p: &LayerParameters<&'a [f32]>, sizes: Sizes) -> Option<Self> {
        let Sizes { hidden, inner, .. } = sizes;
        let qkv = [p.query.weight, p.key.weight, p.value.weight];
        Some(Self {
            qkv: PackedRhs::in_place(&qkv, [hidden, hidden], false)?,
            qkv_bias: qkv_bias(p),
            dense: PackedRhs::in_place(&[p.dense.weight], [hidden, hidden], false)?,
            ffn: PackedRhs::in_place(&[p.ffn.weight], [hidden, inner], true)?,
            ffn_output: PackedRhs::in_place(&[p.ffn_output.weight], [inner, hidden], false)?,
            precision: MatmulPrecision::F32,
        })
    }
}

fn qkv_bias(p: &LayerParameters<&[f32]>) -> Vec<f32> {
    [p.query.bias, p.key.bias, p.value.bias].concat()
}

/// Packs a weight matrix for products with all rows of a batch.
pub(in crate::ops::cpu) fn packed(
    weight: &[f32],
    shape: [usize; 2],
    precision: MatmulPrecision,
) -> PackedRhs<'static> {
    let weights = PackedRhs::new(weight, shape, precision, false);
    weights.split_for(usize::MAX);
    weights
}

/// Concatenates three `[rows, width]` matrices to one `[rows, 3 width]`.
pub(in crate::ops::cpu) fn side_by_side(parts: [&[f32]; 3], width: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(3 * parts[0].len());
    let [a, b, c] = parts.map(|part| part.chunks_exact(width));
    for ((a, b), c) in a.zip(b).zip(c) {
        all.extend_from_slice(a);
        all.extend_from_slice(b);
        all.extend_from_slice(c);
    }
    all
}
