//! Operations that burn lacks or runs slowly, as burn backend extensions.
//!
//! On burn's CPU backends, a complete ALBERT layer and the masked-LM loss over the vocabulary are single operations, each
//! with its own backward pass. On other devices these functions return `None`, and the caller composes burn's operations,
//! with the same results.

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

/// The individual operations, for benchmarks; not a stable API.
#[cfg(any(feature = "flex", feature = "ndarray"))]
#[doc(hidden)]
pub use cpu::measure;

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};

/// Returns true if a CPU device multiplies in `precision` faster than in f32; always true for f32. The answer depends on
/// the processor and on `ALBERT_MAX_ISA`.
pub fn is_native(precision: MatmulPrecision) -> bool {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    return cpu::is_native(precision);
    #[cfg(not(any(feature = "flex", feature = "ndarray")))]
    return precision == MatmulPrecision::F32;
}

/// Returns true if the operations of this module can run on `x`.
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
