//! Estimates of a run's memory and arithmetic, made before it starts.

use crate::model::AlbertConfig;

/// Estimated cost of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Number of parameter values.
    pub parameters: u64,
    /// Bytes on the host: parameters, gradients and both moments in f32.
    pub host_bytes: u64,
    /// Bytes on each device: weights, their gradients, and activations saved for the backward pass.
    pub device_bytes: u64,
    /// Floating-point operations of the forward and backward pass of one step.
    pub step_flops: u64,
}

/// Estimates the cost of steps of `rows` rows with `length` tokens and `masked` predictions each. A device processes
/// `micro_batch` rows at a time and stores values in `float_bytes` bytes.
pub fn estimate(
    config: &AlbertConfig,
    parameters: u64,
    rows: u64,
    micro_batch: u64,
    length: u64,
    masked: u64,
    float_bytes: u64,
) -> Estimate {
    let [h, e, i, v] =
        [config.hidden_size, config.embedding_size, config.intermediate_size, config.vocab_size]
            .map(|n| n as u64);
    let heads = config.num_attention_heads as u64;
    let layers = (config.num_hidden_layers * config.inner_group_num) as u64;
    // Saved per layer: input, queries, keys, values, context, two normalized sums, the projection; the feed-forward layer
    // before and after its activation; attention before and after softmax.
    let kept = layers * (8 * h + 2 * i + 2 * heads * length) + 3 * h + 4 * e;
    let logits = 3 * masked * v;
    let activations = micro_batch.min(rows) * (length * kept + logits);
    let products = layers * (4 * h * h + 2 * h * i + 2 * length * h) + e * h;
    // Two operations per multiplication. The backward pass costs as much as two forward passes.
    let step_flops = 3 * 2 * rows * (length * products + masked * (h * e + e * v) + h * h);
    Estimate {
        parameters,
        host_bytes: 4 * 4 * parameters,
        device_bytes: float_bytes * (2 * parameters + activations),
        step_flops,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Size;

    #[test]
    fn a_step_of_base_costs_what_its_products_cost() {
        // 12 layers of 7.1 M weights and attention over 128 tokens, 3 times 2 operations per token.
        let own = estimate(&Size::Base.config(), 11_683_584, 4, 4, 128, 20, 4);
        let expected = 6.0 * 512.0 * 12.0 * (7_077_888.0 + 2.0 * 128.0 * 768.0);
        let ratio = own.step_flops as f64 / expected;
        assert!((1.0..1.05).contains(&ratio), "{ratio}");
        assert_eq!(own.host_bytes, 16 * 11_683_584);
    }
}
