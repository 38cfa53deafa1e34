//! The backend extension: the operations on the primitives of burn's CPU backends.
#![cfg_attr(feature = "ndarray", allow(deprecated, reason = "upstream prefers flex; we offer both"))]

use std::borrow::Cow;
use std::sync::Arc;

#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, TensorMetadata, backend_extension};
use burn::tensor::TensorData;

use super::cache::WeightCache;
use super::cpu::{Layer, PackedLayer, SavePolicy, SavedActivations, Sizes, cross_entropy, infer, infer_once};
use super::types::{LayerOptions, LayerParameters, MatmulPrecision, Pair};

/// Weight and bias, or scale and offset.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct PairTensors<B: Backend> {
    /// See [`Pair`].
    pub weight: FloatTensor<B>,
    /// See [`Pair`].
    pub bias: FloatTensor<B>,
}

/// [`LayerParameters`] of tensors.
#[derive(Clone, Debug, ExtensionType)]
#[allow(missing_docs, reason = "documented there")]
pub(crate) struct LayerTensors<B: Backend> {
    #[extension_type]
    pub query: PairTensors<B>,
    #[extension_type]
    pub key: PairTensors<B>,
    #[extension_type]
    pub value: PairTensors<B>,
    #[extension_type]
    pub dense: PairTensors<B>,
    #[extension_type]
    pub attention_norm: PairTensors<B>,
    #[extension_type]
    pub ffn: PairTensors<B>,
    #[extension_type]
    pub ffn_output: PairTensors<B>,
    #[extension_type]
    pub full_norm: PairTensors<B>,
}

impl<B: Backend> LayerTensors<B> {
    pub(super) fn from_parameters(p: LayerParameters<FloatTensor<B>>) -> Self {
        let pair = |Pair { weight, bias }| PairTensors { weight, bias };
        Self {
            query: pair(p.query),
            key: pair(p.key),
            value: pair(p.value),
            dense: pair(p.dense),
            attention_norm: pair(p.attention_norm),
            ffn: pair(p.ffn),
            ffn_output: pair(p.ffn_output),
            full_norm: pair(p.full_norm),
        }
    }

    pub(super) fn into_parameters(self) -> LayerParameters<FloatTensor<B>> {
        let pair = |PairTensors { weight, bias }| Pair { weight, bias };
        LayerParameters {
            query: pair(self.query),
            key: pair(self.key),
            value: pair(self.value),
            dense: pair(self.dense),
            attention_norm: pair(self.attention_norm),
            ffn: pair(self.ffn),
            ffn_output: pair(self.ffn_output),
            full_norm: pair(self.full_norm),
        }
    }
}

/// The operations of [`crate::ops`]; see the functions of that module.
#[backend_extension(Flex: cfg(feature = "flex"), NdArray: cfg(feature = "ndarray"), Autodiff)]
pub(crate) trait AlbertOps: Backend {
    /// See [`super::albert_layer`]; `mask` is `[batch, length]`.
    fn albert_layer(
        x: FloatTensor<Self>,
        #[extension_type] parameters: LayerTensors<Self>,
        mask: Option<Arc<[bool]>>,
        options: LayerOptions,
        cache: WeightCache,
    ) -> FloatTensor<Self>;

    /// See [`super::vocabulary_loss`]; returns the loss and the number of correct rows, `[2]`.
    fn vocabulary_loss(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        labels: Arc<[usize]>,
    ) -> FloatTensor<Self>;
}

/// A backend whose tensors live in host memory.
pub(super) trait Host: Backend {
    /// The elements in row-major order.
    fn elements(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]>;

    /// Creates a tensor on the device of `like`.
    fn tensor(elements: Vec<f32>, shape: Vec<usize>, like: &FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_from_data(TensorData::new(elements, shape), &like.device())
    }
}

#[cfg(feature = "flex")]
impl Host for Flex {
    fn elements(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
        match tensor.as_slice::<f32>() {
            Some(elements) => Cow::Borrowed(elements),
            None => Cow::Owned(tensor.to_contiguous().as_slice::<f32>().unwrap_or_default().to_vec()),
        }
    }
}

#[cfg(feature = "ndarray")]
impl Host for NdArray {
    fn elements(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
        let burn_ndarray::NdArrayTensor::F32(storage) = tensor else {
            return Cow::Owned(Vec::new());
        };
        let view = storage.view();
        match view.to_slice() {
            Some(elements) => Cow::Borrowed(elements),
            None => Cow::Owned(view.iter().copied().collect()),
        }
    }
}

/// Implements the operations for a backend whose tensors lie in the memory of the host.
macro_rules! host_ops {
    ($backend:ty) => {
        impl AlbertOps for $backend {
            fn albert_layer(
                x: FloatTensor<Self>,
                parameters: LayerTensors<Self>,
                mask: Option<Arc<[bool]>>,
                options: LayerOptions,
                cache: WeightCache,
            ) -> FloatTensor<Self> {
                layer::<Self>(&x, &parameters.into_parameters(), mask.as_deref(), options, &cache)
            }

            fn vocabulary_loss(
                x: FloatTensor<Self>,
                table: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                labels: Arc<[usize]>,
            ) -> FloatTensor<Self> {
                loss::<Self>([&x, &table, &bias], &labels, false).0
            }
        }
    };
}

#[cfg(feature = "flex")]
host_ops!(Flex);
#[cfg(feature = "ndarray")]
host_ops!(NdArray);

/// The sizes of a layer, from the shapes of its input and parameters.
fn sizes<B: Backend>(x: &FloatTensor<B>, ffn_bias: &FloatTensor<B>, options: LayerOptions) -> Sizes {
    let shape = x.shape();
    Sizes {
        batch: shape[0],
        length: shape[1],
        hidden: shape[2],
        heads: options.num_heads,
        inner: ffn_bias.shape()[0],
    }
}

/// The forward pass of the layer.
pub(super) fn layer<B: Host>(
    x: &FloatTensor<B>,
    parameters: &LayerParameters<FloatTensor<B>>,
    mask: Option<&[bool]>,
    options: LayerOptions,
    cache: &WeightCache,
) -> FloatTensor<B> {
    let sizes = sizes::<B>(x, &parameters.ffn.bias, options);
    let elements = parameters.each_ref().map(|tensor| B::elements(tensor));
    let slices = elements.each_ref().map(|elements| &**elements);
    if options.attention_dropout > 0.0 || options.hidden_dropout > 0.0 {
        let (out, _) = layer_traced::<B>(x, parameters, mask, options, SavePolicy::None);
        return out;
    }
    // A program that processes a single sentence uses each weight once, so packing does not pay off.
    if cache.is_first_use()
        && let Some(out) = infer_once(&B::elements(x), slices, mask, sizes, options)
    {
        return B::tensor(out, x.shape().to_vec(), x);
    }
    // The kept clone of the parameters prevents in-place changes, so the same address means the same values.
    let (_, packed, _) = cache.get_or_make(
        |(kept, _, precision): &(
            LayerParameters<FloatTensor<B>>,
            Arc<PackedLayer<'static>>,
            MatmulPrecision,
        )| {
            let mut same = *precision == options.precision;
            kept.each_ref().zip_with(parameters, |kept, tensor| same &= same_memory::<B>(kept, tensor));
            same
        },
        || {
            let borrowed = elements.each_ref().into_array().iter().all(|e| matches!(e, Cow::Borrowed(_)));
            let packed = PackedLayer::for_inference(&slices, sizes, options.precision);
            ((parameters.clone(), Arc::new(packed), options.precision), borrowed)
        },
    );
    let out = infer(&B::elements(x), slices, &packed, mask, sizes, options);
    B::tensor(out, x.shape().to_vec(), x)
}

fn same_memory<B: Host>(a: &FloatTensor<B>, b: &FloatTensor<B>) -> bool {
    match (B::elements(a), B::elements(b)) {
        (Cow::Borrowed(a), Cow::Borrowed(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}

/// The forward pass of the layer, together with the activations for the backward pass. Nothing is cached: the weights are
/// expected to change before the next call.
pub(super) fn layer_traced<B: Host>(
    x: &FloatTensor<B>,
    parameters: &LayerParameters<FloatTensor<B>>,
    mask: Option<&[bool]>,
    options: LayerOptions,
    policy: SavePolicy,
) -> (FloatTensor<B>, SavedActivations) {
    let sizes = sizes::<B>(x, &parameters.ffn.bias, options);
    let elements = parameters.each_ref().map(|tensor| B::elements(tensor));
    let slices = elements.each_ref().map(|elements| &**elements);
    let packed = PackedLayer::for_training(&slices, sizes, options.training_precision());
    let (out, saved_activations) =
        Layer::new(slices, mask, sizes, options).forward(&B::elements(x), &packed, policy);
    (B::tensor(out, x.shape().to_vec(), x), saved_activations)
}

/// The gradients of [`layer`] with respect to its input and its parameters.
pub(super) fn layer_backward<B: Host>(
    x: &FloatTensor<B>,
    parameters: &LayerParameters<FloatTensor<B>>,
    mask: Option<&[bool]>,
    options: LayerOptions,
    saved_activations: &SavedActivations,
    gradient: &FloatTensor<B>,
) -> (FloatTensor<B>, LayerParameters<FloatTensor<B>>) {
    let sizes = sizes::<B>(x, &parameters.ffn.bias, options);
    let elements = parameters.each_ref().map(|tensor| B::elements(tensor));
    let slices = elements.each_ref().map(|elements| &**elements);
    let layer = Layer::new(slices, mask, sizes, options);
    let (dx, gradients) = layer.backward(&B::elements(x), saved_activations, &B::elements(gradient));
    let like = |elements, tensor: &FloatTensor<B>| B::tensor(elements, tensor.shape().to_vec(), tensor);
    (like(dx, x), gradients.zip_with(parameters, like))
}

/// The loss over a vocabulary from x, table and bias and, if requested, its gradients with respect to them.
pub(super) fn loss<B: Host>(
    inputs: [&FloatTensor<B>; 3],
    labels: &[usize],
    gradients: bool,
) -> (FloatTensor<B>, Option<[FloatTensor<B>; 3]>) {
    let elements = inputs.map(|tensor| B::elements(tensor));
    let [x, table, bias] = elements.each_ref().map(|elements| &**elements);
    let result = cross_entropy(x, table, bias, labels, gradients);
    let out = B::tensor(vec![result.loss, result.correct as f32], vec![2], inputs[0]);
    let gradients = result.gradients.map(|[dx, dtable, dbias]| {
        let like = |elements, tensor: &FloatTensor<B>| B::tensor(elements, tensor.shape().to_vec(), tensor);
        [like(dx, inputs[0]), like(dtable, inputs[1]), like(dbias, inputs[2])]
    });
    (out, gradients)
}
