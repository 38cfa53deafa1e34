//! Cross entropy over a vocabulary as one operation.

use burn::tensor::{DType, Int, Tensor, activation};

/// A loss, and the number of correct predictions.
#[derive(Clone, Debug)]
pub struct VocabularyLoss {
    /// Sum of the cross entropies of all rows, `[1]`.
    pub loss: Tensor<1>,
    /// Rows whose highest logit is the label's, `[1]`; not differentiable.
    pub correct: Tensor<1>,
}

/// Computes the cross entropy of the logits `x * table^T + bias` against `labels`, summed over the rows.
///
/// `x` is `[n, E]`, `table` `[V, E]`, `bias` `[V]`, `labels` `[n]` in `0..V`. On CPU devices the logits are never all
/// kept in memory; elsewhere the same loss is composed of burn's operations.
pub fn vocabulary_loss(
    x: Tensor<2>,
    table: Tensor<2>,
    bias: Tensor<1>,
    labels: Tensor<1, Int>,
) -> VocabularyLoss {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if super::runs_on(&x) {
        use super::backend::AlbertOps;
        use burn::backend::Dispatch;

        // A negative label becomes an index beyond the vocabulary, which makes the loss NaN.
        let labels =
            labels.into_data().iter::<i64>().map(|l| usize::try_from(l).unwrap_or(usize::MAX)).collect();
        let out = <Dispatch as AlbertOps>::vocabulary_loss(
            x.into_dispatch(),
            table.into_dispatch(),
            bias.into_dispatch(),
            labels,
        );
        let out = Tensor::<1>::from_dispatch(out);
        return VocabularyLoss { loss: out.clone().narrow(0, 0, 1), correct: out.narrow(0, 1, 1).detach() };
    }
    composed(x, table, bias, labels)
}

/// [`vocabulary_loss`] composed of burn's operations.
fn composed(x: Tensor<2>, table: Tensor<2>, bias: Tensor<1>, labels: Tensor<1, Int>) -> VocabularyLoss {
    cross_entropy(x.matmul(table.transpose()) + bias.unsqueeze::<2>(), labels)
}

/// Computes the cross entropy of logits `[n, classes]` against `labels` `[n]`, summed over the rows, in 32-bit floats.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> VocabularyLoss {
    let logits = logits.cast(DType::F32);
    let index = labels.unsqueeze_dim::<2>(1);
    let best = logits.clone().detach().argmax(1);
    let correct = best.equal(index.clone()).float().cast(DType::F32).sum();
    let loss = activation::log_softmax(logits, 1).gather(1, index).sum().neg();
    VocabularyLoss { loss, correct }
}
