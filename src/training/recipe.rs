//! Default hyperparameters of pretraining.

use super::optimizer::OptimizerKind;

/// LAMB's learning rate and batch size in the paper's pretraining (section 4.1).
const LAMB_RATE: f64 = 0.001_76;
const LAMB_BATCH: f64 = 4096.0;

/// The default learning rate. For LAMB, the paper's rate scaled by the square root of the batch size (You et al. 2020,
/// section 4). For AdamW, customary rates for small and large models.
pub fn learning_rate(kind: OptimizerKind, batch_size: usize, hidden_size: usize) -> f64 {
    match kind {
        OptimizerKind::Lamb => LAMB_RATE * (batch_size as f64 / LAMB_BATCH).sqrt(),
        OptimizerKind::AdamW | OptimizerKind::BertAdam if hidden_size <= 512 => 5e-4,
        OptimizerKind::AdamW | OptimizerKind::BertAdam => 1e-4,
    }
}

/// The default number of warm-up steps, in the same proportion as the paper's (3,125 of 125,000).
pub fn warmup_steps(total: u64) -> u64 {
    total / 40
}

/// The default number of rows of `length` tokens that a device processes at once.
pub fn micro_batch(gpu: bool, length: usize) -> usize {
    let tokens = if gpu { 32_768 } else { 4_096 };
    (tokens / length.max(1)).max(1)
}

/// The number of steps in `epochs` passes over `tokens` tokens, with batches of `batch_size` rows of up to `length`
/// tokens. Three tokens per row are special, and some rows are randomly shorter.
pub fn steps(epochs: f64, tokens: u64, batch_size: usize, length: usize, short_seq_prob: f64) -> u64 {
    let room = length.saturating_sub(3).max(1) as f64;
    let row = room * (1.0 - short_seq_prob / 2.0);
    (epochs * tokens as f64 / row / batch_size.max(1) as f64).ceil().max(1.0) as u64
}
