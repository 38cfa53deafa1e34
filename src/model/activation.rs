//! The activations that transformers supports for `hidden_act`.
//!
//! Reference: transformers 4.57 `activations.py`, table `ACT2FN`. `prelu` and `xielu` are not supported: they have
//! parameters of their own, which ALBERT checkpoints do not store under a fixed name.

use burn::tensor::{Tensor, activation};

use crate::ops::ActivationKind;

/// An activation function, by its transformers name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Activation {
    Gelu,
    Gelu10,
    GeluFast,
    GeluNew,
    GeluPython,
    GeluPytorchTanh,
    GeluPythonTanh,
    GeluAccurate,
    Laplace,
    LeakyRelu,
    Linear,
    Mish,
    QuickGelu,
    Relu,
    Relu2,
    Relu6,
    Sigmoid,
    Silu,
    Swish,
    Tanh,
}

const TABLE: [(&str, Activation); 20] = [
    ("gelu", Activation::Gelu),
    ("gelu_10", Activation::Gelu10),
    ("gelu_fast", Activation::GeluFast),
    ("gelu_new", Activation::GeluNew),
    ("gelu_python", Activation::GeluPython),
    ("gelu_pytorch_tanh", Activation::GeluPytorchTanh),
    ("gelu_python_tanh", Activation::GeluPythonTanh),
    ("gelu_accurate", Activation::GeluAccurate),
    ("laplace", Activation::Laplace),
    ("leaky_relu", Activation::LeakyRelu),
    ("linear", Activation::Linear),
    ("mish", Activation::Mish),
    ("quick_gelu", Activation::QuickGelu),
    ("relu", Activation::Relu),
    ("relu2", Activation::Relu2),
    ("relu6", Activation::Relu6),
    ("sigmoid", Activation::Sigmoid),
    ("silu", Activation::Silu),
    ("swish", Activation::Swish),
    ("tanh", Activation::Tanh),
];

impl Activation {
    /// The activation called `name` in a `config.json`.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(n, _)| *n == name).map(|(_, a)| *a)
    }

    /// The name in `config.json`.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(_, a)| *a == self).map_or("linear", |(n, _)| n)
    }

    /// All names, in alphabetical order.
    pub fn names() -> Vec<&'static str> {
        TABLE.iter().map(|(n, _)| *n).collect()
    }

    /// The same function in [`crate::ops`], if supported there.
    pub(super) fn curve(self) -> Option<ActivationKind> {
        match self {
            Self::Gelu | Self::GeluPython => Some(ActivationKind::Gelu),
            Self::GeluNew
            | Self::GeluFast
            | Self::GeluPytorchTanh
            | Self::GeluPythonTanh
            | Self::GeluAccurate => Some(ActivationKind::GeluTanh),
            Self::Linear => Some(ActivationKind::Linear),
            Self::QuickGelu => Some(ActivationKind::QuickGelu),
            Self::Relu => Some(ActivationKind::Relu),
            Self::Sigmoid => Some(ActivationKind::Sigmoid),
            Self::Silu | Self::Swish => Some(ActivationKind::Silu),
            Self::Tanh => Some(ActivationKind::Tanh),
            Self::Gelu10 | Self::Laplace | Self::LeakyRelu | Self::Mish | Self::Relu2 | Self::Relu6 => None,
        }
    }

    /// Applies the function to every element.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Gelu | Self::GeluPython => gelu(x),
            Self::Gelu10 => gelu(x).clamp(-10.0, 10.0),
            // One formula under five names: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
            Self::GeluNew
            | Self::GeluFast
            | Self::GeluPytorchTanh
            | Self::GeluPythonTanh
            | Self::GeluAccurate => gelu_tanh(x),
            Self::Laplace => {
                // The reference uses these six digits, not sqrt(1/2).
                #[allow(clippy::approx_constant, reason = "the digits of the reference")]
                let (mu, sigma) = (0.707_107, 0.282_095);
                (((x - mu) / (sigma * std::f64::consts::SQRT_2)).erf() + 1.0) * 0.5
            }
            Self::LeakyRelu => activation::leaky_relu(x, 0.01),
            Self::Linear => x,
            Self::Mish => activation::mish(x),
            Self::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
            Self::Relu => activation::relu(x),
            Self::Relu2 => activation::relu(x).square(),
            Self::Relu6 => activation::relu6(x),
            Self::Sigmoid => activation::sigmoid(x),
            Self::Silu | Self::Swish => activation::silu(x),
            Self::Tanh => x.tanh(),
        }
    }
}

/// The exact form of GELU. On some backends, the derivative of burn's own GELU is that of the tanh form.
fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !x.is_autodiff() {
        return activation::gelu(x);
    }
    x.clone() * ((x / std::f64::consts::SQRT_2).erf() + 1.0) * 0.5
}

/// The tanh form of GELU. Uses `0.5 (1 + tanh u) = sigmoid(2u)`, which saves a pass and is accurate for large negative x,
/// where `1 + tanh u` suffers from cancellation.
fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let two_root_two_over_pi = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let u = (x.clone().square() * 0.044_715 + 1.0) * x.clone() * two_root_two_over_pi;
    x * activation::sigmoid(u)
}
