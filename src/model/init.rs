//! Initialization of new parameters, as in transformers' `AlbertPreTrainedModel._init_weights`.

use burn::module::{Param, ParamId};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::config::AlbertConfig;

/// The initializer of all weight matrices.
pub(super) fn initializer(config: &AlbertConfig) -> Initializer {
    Initializer::Normal { mean: 0.0, std: config.initializer_range }
}

/// A layer normalization with the configuration's epsilon.
pub(super) fn layer_norm(config: &AlbertConfig, width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(config.layer_norm_eps).init(device)
}

/// A linear layer with normally distributed weights and a zero bias.
pub(super) fn linear(config: &AlbertConfig, input: usize, output: usize, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(input, output).with_initializer(initializer(config)).init(device);
    linear.bias = Some(zeros(output, device));
    linear
}

/// A vector parameter of zeros, allocated on first use.
pub(super) fn zeros(length: usize, device: &Device) -> Param<Tensor<1>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, require_grad| {
            let zeros = Tensor::zeros([length], device);
            if require_grad { zeros.require_grad() } else { zeros }
        },
        device.clone(),
        true,
        [length].into(),
    )
}
