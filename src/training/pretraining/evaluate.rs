//! Evaluation of pretraining: perplexity of masked tokens, accuracy of sentence order.

use burn::tensor::Device;

use crate::device::to_host;
use crate::error::Result;
use crate::eval::EvalReport;
use crate::model::Albert;
use crate::training::instances::Instance;
use crate::training::objective::Objective;

use super::objective::Pretraining;

/// Evaluates `model` on `device`, `chunk` instances at a time. `perplexity` is the exponential of the mean cross
/// entropy of the masked tokens in nats.
///
/// # Errors
/// If the device fails or the model lacks a head.
pub fn masked_lm(
    model: &Albert,
    objective: &Pretraining,
    instances: &[Instance],
    chunk: usize,
    device: &Device,
) -> Result<EvalReport> {
    let counts = objective.counts(instances);
    let mut sums = vec![0.0; counts.len()];
    for chunk in instances.chunks(chunk.max(1)) {
        let loss = objective.loss(model, chunk, &counts, device)?;
        for (sum, value) in sums.iter_mut().zip(to_host(loss.sums)?) {
            *sum += f64::from(value);
        }
    }
    let mean = |i: usize| if counts[i] > 0.0 { sums[i] / counts[i] } else { f64::NAN };
    let mut metrics = vec![("perplexity", mean(0).exp()), ("mlm_accuracy", mean(1)), ("mlm_loss", mean(0))];
    if counts.get(2).is_some_and(|count| *count > 0.0) {
        metrics.extend([("sop_accuracy", mean(3)), ("sop_loss", mean(2))]);
    }
    Ok(EvalReport { examples: instances.len() as u64, metrics, ..EvalReport::default() })
}
