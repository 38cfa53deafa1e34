//! The ALBERT layer as one operation.

use burn::backend::DispatchTensor;
use burn::tensor::{Bool, Tensor};

use super::cache::WeightCache;
use super::types::{LayerOptions, LayerParameters};

/// Runs states `x` `[batch, length, H]` through `options.repeats` applications of one layer. Returns `None` where the
/// operation does not run (other devices, other types, nothing to compute).
///
/// `hidden_keys` `[batch, 1, 1, length]` is true where a key is excluded from the softmax. The parameters are
/// [`Tensor::into_dispatch`] of tensors on the device of `x`. Dropout is applied whenever its rates are positive, even
/// without autodiff. `cache` belongs to the layer; without gradients it saves later calls from packing the weights again.
pub fn albert_layer(
    x: &Tensor<3>,
    hidden_keys: Option<&Tensor<4, Bool>>,
    parameters: LayerParameters<DispatchTensor>,
    options: LayerOptions,
    cache: &WeightCache,
) -> Option<Tensor<3>> {
    if !super::runs_on(x) {
        return None;
    }
    run(x, hidden_keys, parameters, options, cache)
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
fn run(
    x: &Tensor<3>,
    hidden_keys: Option<&Tensor<4, Bool>>,
    parameters: LayerParameters<DispatchTensor>,
    options: LayerOptions,
    cache: &WeightCache,
) -> Option<Tensor<3>> {
    use super::backend::{AlbertOps, LayerTensors};
    use burn::backend::Dispatch;

    let mask = hidden_keys.map(|mask| mask.clone().into_data().iter::<bool>().collect());
    let out = <Dispatch as AlbertOps>::albert_layer(
        x.clone().into_dispatch(),
        LayerTensors::from_parameters(parameters),
        mask,
        options,
        cache.clone(),
    );
    Some(Tensor::from_dispatch(out))
}

#[cfg(not(any(feature = "flex", feature = "ndarray")))]
fn run(
    _x: &Tensor<3>,
    _hidden_keys: Option<&Tensor<4, Bool>>,
    _parameters: LayerParameters<DispatchTensor>,
    _options: LayerOptions,
    _cache: &WeightCache,
) -> Option<Tensor<3>> {
    None
}
