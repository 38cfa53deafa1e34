//! What a run does where nobody says otherwise.

use super::optimizer::OptimizerKind;

/// The rate that LAMB had in the paper's pretraining, and its batch size (section 4.1).
const LAMB_RATE: f64 = 0.001_76;
const LAMB_BATCH: f64 = 4096.0;

/// A learning rate: for LAMB the paper's, scaled by the root of the batch size (You et al. 2020, section 4); for AdamW
/// the customary rates of small and of large models.
pub fn learning_rate(kind: OptimizerKind, batch_size: usize, hidden_size: usize) -> f64 {
    match kind {
        OptimizerKind::Lamb => LAMB_RATE * (batch_size as f64 / LAMB_BATCH).sqrt(),
        OptimizerKind::AdamW | OptimizerKind::BertAdam if hidden_size <= 512 => 5e-4,
        OptimizerKind::AdamW | OptimizerKind::BertAdam => 1e-4,
    }
}

/// Warm-up steps: the share of the paper's run (3,125 of 125,000).
pub fn warmup_steps(total: u64) -> u64 {
    total / 40
}

/// Rows that a device computes at once, of `length` tokens each.
pub fn micro_batch(gpu: bool, length: usize) -> usize {
    let tokens = if gpu { 32_768 } else { 4_096 };
    (tokens / length.max(1)).max(1)
}

/// Steps of `epochs` passes over `tokens` tokens, in batches of `batch_size` rows with up to `length` tokens, three of them
/// special, a share of them shorter at random.
pub fn steps(epochs: f64, tokens: u64, batch_size: usize, length: usize, short_seq_prob: f64) -> u64 {
    let room = length.saturating_sub(3).max(1) as f64;
    let row = room * (1.0 - short_seq_prob / 2.0);
    (epochs * tokens as f64 / row / batch_size.max(1) as f64).ceil().max(1.0) as u64
}
