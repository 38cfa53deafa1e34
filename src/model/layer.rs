//! One ALBERT layer: attention, then the feed-forward network (transformers' `AlbertLayer`).

use burn::backend::DispatchTensor;
use burn::module::{Module, Param};
use burn::nn::{Dropout, LayerNorm, Linear};
use burn::tensor::{Bool, Device, Distribution, Tensor};

use super::activation::Activation;
use super::attention::AlbertAttention;
use super::config::AlbertConfig;
use super::init::{layer_norm, linear};
use crate::ops::{self, LayerOptions, LayerParameters, MatmulPrecision, Pair, WeightCache};

/// Attention and feed-forward network, each followed by a normalization.
///
/// There is no dropout inside or after the feed-forward network: transformers' PyTorch layer has a `dropout` that it
/// never applies.
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
    #[module(skip)]
    epsilon: f64,
    #[module(skip)]
    precision: MatmulPrecision,
    #[module(skip)]
    cache: WeightCache,
}

impl AlbertLayer {
    /// Creates a layer with weights from a normal distribution with standard deviation `initializer_range`.
    pub fn new(config: &AlbertConfig, device: &Device) -> Self {
        Self {
            attention: AlbertAttention::new(config, device),
            ffn: linear(config, config.hidden_size, config.intermediate_size, device),
            ffn_output: linear(config, config.intermediate_size, config.hidden_size, device),
            full_layer_layer_norm: layer_norm(config, config.hidden_size, device),
            activation: config.hidden_act,
            epsilon: config.layer_norm_eps,
            precision: MatmulPrecision::F32,
            cache: WeightCache::default(),
        }
    }

    /// Sets the precision of the matrix multiplications of [`AlbertLayer::repeat`] on a CPU.
    pub fn set_matmul_precision(&mut self, precision: MatmulPrecision) {
        self.precision = precision;
    }

    /// Applies the layer `times` times in sequence, like [`AlbertLayer::forward`] without the probabilities. Uses one
    /// fused operation where available ([`crate::ops`]).
    pub fn repeat(&self, x: Tensor<3>, hidden_keys: Option<&Tensor<4, Bool>>, times: usize) -> Tensor<3> {
        let fused = self.fused(&x, times).and_then(|(parameters, options)| {
            ops::albert_layer(&x, hidden_keys, parameters, options, &self.cache)
        });
        fused.unwrap_or_else(|| (0..times).fold(x, |x, _| self.forward(x, hidden_keys.cloned()).0))
    }

    /// Options of the fused operation; `None` for layers that it does not support.
    fn fused(
        &self,
        x: &Tensor<3>,
        repeats: usize,
    ) -> Option<(LayerParameters<DispatchTensor>, LayerOptions)> {
        let attention = &self.attention;
        if attention.distance_embedding.is_some() || !ops::runs_on(x) {
            return None;
        }
        let device = x.device();
        let rate = |dropout: &Dropout| match dropout.training.is_enabled() && device.is_autodiff() {
            true => dropout.prob as f32,
            false => 0.0,
        };
        let mut options = LayerOptions {
            num_heads: attention.num_heads(),
            repeats,
            activation: self.activation.curve()?,
            epsilon: self.epsilon as f32,
            attention_dropout: rate(&attention.attention_dropout),
            hidden_dropout: rate(&attention.output_dropout),
            seed: 0,
            precision: self.precision,
        };
        if options.attention_dropout > 0.0 || options.hidden_dropout > 0.0 {
            options.seed = seed(&device);
        }
        let parameters = LayerParameters {
            query: linear_pair(&attention.query)?,
            key: linear_pair(&attention.key)?,
            value: linear_pair(&attention.value)?,
            dense: linear_pair(&attention.dense)?,
            attention_norm: norm_pair(&attention.layer_norm)?,
            ffn: linear_pair(&self.ffn)?,
            ffn_output: linear_pair(&self.ffn_output)?,
            full_norm: norm_pair(&self.full_layer_layer_norm)?,
        };
        Some((parameters, options))
    }

    /// Maps `[batch, length, H]` to the same shape, and also returns the attention probabilities
    /// `[batch, heads, length, length]`.
    pub fn forward(&self, x: Tensor<3>, hidden_keys: Option<Tensor<4, Bool>>) -> (Tensor<3>, Tensor<4>) {
        let (attended, probs) = self.attention.forward(x, hidden_keys);
        let inner = self.activation.forward(self.ffn.forward(attended.clone()));
        let x = self.full_layer_layer_norm.forward(self.ffn_output.forward(inner) + attended);
        (x, probs)
    }
}

fn pair<const D: usize>(
    weight: &Param<Tensor<D>>,
    bias: Option<&Param<Tensor<1>>>,
) -> Option<Pair<DispatchTensor>> {
    Some(Pair { weight: weight.val().into_dispatch(), bias: bias?.val().into_dispatch() })
}

fn linear_pair(linear: &Linear) -> Option<Pair<DispatchTensor>> {
    pair(&linear.weight, linear.bias.as_ref())
}

fn norm_pair(norm: &LayerNorm) -> Option<Pair<DispatchTensor>> {
    pair(&norm.gamma, norm.beta.as_ref())
}

/// Draws a seed from the device's own generator, so that seeding the device determines the dropout masks.
fn seed(device: &Device) -> u64 {
    let random = Tensor::<1>::random([3], Distribution::Uniform(0.0, 1.0), device).into_data();
    random.iter::<f32>().fold(0, |seed, x| (seed << 21) | (x * (1 << 21) as f32) as u64)
}
