//! Operations that burn lacks or does slowly, as burn backend extensions.
//!
//! A complete ALBERT layer, and the masked-LM loss over the vocabulary, are single operations with a
//! backward pass of their own on burn's CPU backends. On other devices these functions return
//! `None`, and the caller composes burn's operations, which gives the same numbers.

#[cfg(any(feature = "flex", feature = "ndarray"))]
mod autodiff;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod backend;
mod cache;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod cpu;
mod isa;
mod layer;
mod loss;
mod types;

pub use cache::WeightCache;
pub use isa::check_isa_limit;
pub use layer::albert_layer;
pub use loss::{VocabularyLoss, cross_entropy, vocabulary_loss};
pub use types::{ActivationKind, LayerOptions, LayerParameters, MatmulPrecision, Pair};

/// The operations alone, for benchmarks; nothing to rely on.
#[cfg(any(feature = "flex", feature = "ndarray"))]
#[doc(hidden)]
pub use cpu::measure;

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};

/// True if a CPU device multiplies in `precision` faster than in f32; true for f32. That depends on the processor, and on
/// `ALBERT_MAX_ISA`.
pub fn is_native(precision: MatmulPrecision) -> bool {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    return cpu::is_native(precision);
    #[cfg(not(any(feature = "flex", feature = "ndarray")))]
    return precision == MatmulPrecision::F32;
}

/// True if the operations here can run on `x`.
pub fn runs_on<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.shape().num_elements() > 0 && is_cpu(x.device().as_dispatch())
}

fn is_cpu(device: &DispatchDevice) -> bool {
    match device {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => true,
        DispatchDevice::Autodiff(device) => is_cpu(device),
        #[allow(unreachable_patterns, reason = "depends on the backends of the build")]
        _ => false,
    }
}
