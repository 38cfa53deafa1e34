//! The source of a parameter's values.

use super::tensor::Dtype;

/// Source of a parameter.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A tensor of the file, stored as `[in, out]` if it is transposed.
    Tensor { name: String, transposed: bool },
    /// The product of two matrices of the file.
    Product { left: String, right: String },
    /// An identity matrix.
    Identity(usize),
    /// A vector of zeros.
    Zeros(usize),
    /// The parameter with the changes of an adapter, if the base model contains it.
    Adapted { base: Option<Box<Source>>, shape: Vec<usize>, dtype: Dtype },
}
