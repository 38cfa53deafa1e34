//! The distillation losses, in 32-bit floats. Targets have no automatic differentiation.

use burn::tensor::{DType, Device, Tensor, TensorData, activation};

use crate::tokenizer::Encoding;

/// Keeps the derivative of the norm of a zero vector finite.
const SMALLEST_SQUARE: f64 = 1e-24;

/// The mean of the states `[n, length, H]` over the tokens of each row, scaled to unit length: `[n, H]`.
pub(super) fn sentence_vectors<'a>(
    states: Tensor<3>,
    rows: impl Iterator<Item = &'a Encoding>,
    device: &Device,
) -> Tensor<2> {
    let [count, length, _] = states.dims();
    let mut weights = vec![0f32; count * length];
    for (weights, row) in weights.chunks_mut(length.max(1)).zip(rows) {
        let own = row.ids.len();
        weights.iter_mut().take(own).for_each(|weight| *weight = 1.0 / own as f32);
    }
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [count, length]), device).cast(DType::F32);
    let mean = (states.cast(DType::F32) * weights.unsqueeze_dim::<3>(2)).sum_dim(1).squeeze_dim::<2>(1);
    let squares = (mean.clone() * mean.clone()).sum_dim(1);
    mean / squares.add_scalar(SMALLEST_SQUARE).sqrt()
}

/// The loss of n unit vectors `[n, H]`, times n: the mean of one minus the cosine of each vector and its target, plus the
/// mean squared difference of the n x n similarities. The first term is omitted if the vectors have different widths.
pub(super) fn vector_loss(own: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let ([count, width], [_, target_width]) = (own.dims(), target.dims());
    let similarities = |vectors: &Tensor<2>| vectors.clone().matmul(vectors.clone().transpose());
    let difference = similarities(&own) - similarities(&target);
    let squared = (difference.clone() * difference).sum() / count.max(1) as f64;
    if width != target_width {
        return squared;
    }
    let cosines = (own * target).sum_dim(1);
    squared + cosines.neg().add_scalar(1.0).sum()
}

/// The Kullback-Leibler divergence of the distributions with these logits `[n, V]` from the target distributions, summed
/// over the rows.
pub(super) fn divergence(own: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let own = activation::log_softmax(own.cast(DType::F32), 1);
    let target = activation::log_softmax(target.cast(DType::F32), 1);
    (target.clone().exp() * (target - own)).sum()
}
