//! Operations on single values and rows, between matrix multiplications.

mod activation;
mod dropout;
mod exponential;
#[cfg(target_arch = "x86_64")]
mod gelu_avx512;
mod norm;
pub(super) mod simd;
mod softmax;

pub(super) use dropout::Dropout;
pub(super) use norm::{AddNormalize, AddRows, Affine, NormalizeBackward, Scale, add_normalize};
pub(super) use softmax::{Exponentials, Multiply, Softmax, SoftmaxBackward, exponentials};
