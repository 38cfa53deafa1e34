//! Sources of parameter values.

use super::tensor::Dtype;

/// The source of a parameter's values.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A tensor of the file, stored as `[in, out]` if `transposed` is set.
    Tensor { name: String, transposed: bool },
    /// The product of two matrices of the file.
    Product { left: String, right: String },
    /// An identity matrix.
    Identity(usize),
    /// A vector of zeros.
    Zeros(usize),
    /// The parameter as changed by an adapter. `base` is `None` if the adapter does not need the base model's values.
    Adapted { base: Option<Box<Source>>, shape: Vec<usize>, dtype: Dtype },
}
