//! Batch sizes that suit a device.

use super::OpenDevice;

/// Padded tokens per forward pass; on a CPU, per thread. Larger batches are not faster on a CPU and take more memory.
const CPU_TOKENS_PER_THREAD: usize = 256;
const FEWEST_CPU_TOKENS: usize = 512;
const GPU_TOKENS: usize = 16384;

/// Limits of a batch for inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Maximum padded tokens per forward pass.
    pub tokens: usize,
    /// Lengths are padded to a multiple of this.
    pub pad_multiple: usize,
}

impl BatchLimits {
    /// The limits for a device, given the number of CPU threads in use.
    pub fn of(device: &OpenDevice) -> Self {
        let tokens = if device.is_gpu {
            GPU_TOKENS
        } else {
            FEWEST_CPU_TOKENS.max(CPU_TOKENS_PER_THREAD * rayon::current_num_threads())
        };
        Self { tokens, pad_multiple: device.pad_multiple() }
    }
}
