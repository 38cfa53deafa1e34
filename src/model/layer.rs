//! One ALBERT layer: attention, then the feed-forward network (transformers' `AlbertLayer`).

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Bool, Device, Tensor};

use super::activation::Activation;
use super::attention::{AlbertAttention, linear};
use super::config::AlbertConfig;
use super::embeddings::layer_norm;

/// Attention and feed-forward network with a normalization after each.
///
/// There is no dropout inside or after the feed-forward network: transformers' PyTorch layer has a
/// `dropout` that it never applies.
#[derive(Module, Debug)]
pub struct AlbertLayer {
    /// Self-attention with its own normalization.
    pub attention: AlbertAttention,
    /// `[H, intermediate_size]`.
    pub ffn: Linear,
    /// `[intermediate_size, H]`.
    pub ffn_output: Linear,
    /// After the second residual.
    pub full_layer_layer_norm: LayerNorm,
    #[module(skip)]
    activation: Activation,
}

impl AlbertLayer {
    /// A new layer from a normal distribution with `initializer_range`.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        Self {
            attention: AlbertAttention::new(config, device),
            ffn: linear(config, config.hidden_size, config.intermediate_size, device),
            ffn_output: linear(config, config.intermediate_size, config.hidden_size, device),
            full_layer_layer_norm: layer_norm(config, config.hidden_size, device),
            activation: config.hidden_act,
        }
    }

    /// `[batch, length, H]` to the same shape, and the attention probabilities
    /// `[batch, heads, length, length]`.
    pub fn forward(&self, x: Tensor<3>, hidden_keys: Option<Tensor<4, Bool>>) -> (Tensor<3>, Tensor<4>) {
        let (attended, probs) = self.attention.forward(x, hidden_keys);
        let inner = self.activation.forward(self.ffn.forward(attended.clone()));
        let x = self.full_layer_layer_norm.forward(self.ffn_output.forward(inner) + attended);
        (x, probs)
    }
}
