//! The choice of a device and of a precision.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{DType, FloatDType};
use serde::{Deserialize, Serialize};

/// Choice of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU, or a discrete GPU where its startup pays off ([`Workload`](super::Workload)).
    #[default]
    Auto,
    /// The CPU, with burn's flex backend.
    Flex,
    /// The CPU, with burn's ndarray backend.
    NdArray,
    /// A GPU through wgpu. A software adapter is used only if it is named or is the only one.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU through CUDA.
    Cuda(Option<usize>),
}

/// The default CPU backend of this build.
pub(crate) const CPU: DeviceChoice =
    if cfg!(feature = "flex") { DeviceChoice::Flex } else { DeviceChoice::NdArray };

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        let (name, index) = match s.split_once(':') {
            Some((name, index)) => {
                let index =
                    index.parse().map_err(|_| format!("\"{index}\" is not a device number; try {name}:0"))?;
                (name, Some(index))
            }
            None => (s, None),
        };
        match (name, index) {
            ("auto", None) => Ok(Self::Auto),
            ("flex" | "cpu", None) => Ok(Self::Flex),
            ("ndarray", None) => Ok(Self::NdArray),
            ("wgpu" | "gpu", index) => Ok(Self::Wgpu(index)),
            ("cuda", index) => Ok(Self::Cuda(index)),
            _ => Err("expected auto, flex, ndarray, wgpu, wgpu:N, cuda or cuda:N".to_owned()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Flex => f.write_str("flex"),
            Self::NdArray => f.write_str("ndarray"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(n)) => write!(f, "wgpu:{n}"),
            Self::Cuda(None) => f.write_str("cuda"),
            Self::Cuda(Some(n)) => write!(f, "cuda:{n}"),
        }
    }
}

/// Compute precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Precision {
    /// 32-bit floats, which reproduce the results of transformers.
    #[default]
    F32,
    /// IEEE half precision.
    F16,
    /// f32 as the sum of two bf16 values in matrix multiplications on a CPU
    /// ([`MatmulPrecision::Bf16x2`](crate::ops::MatmulPrecision::Bf16x2)).
    #[cfg_attr(
        feature = "cli",
        value(help = "f32 as the sum of two bf16 in matrix multiplications on a CPU")
    )]
    Bf16x2,
    /// bfloat16.
    Bf16,
    /// 8-bit integers in matrix multiplications of inference on a CPU
    /// ([`open_with_matmul_precision`](super::open_with_matmul_precision)).
    #[cfg_attr(feature = "cli", value(help = "8-bit integers in matrix multiplications on a CPU"))]
    Int8,
}

impl Precision {
    /// The element type of tensors; `None` for types used only inside matrix multiplications.
    pub(super) fn dtypes(self) -> Option<(FloatDType, DType)> {
        match self {
            Self::F32 => Some((FloatDType::F32, DType::F32)),
            Self::F16 => Some((FloatDType::F16, DType::F16)),
            Self::Bf16 => Some((FloatDType::BF16, DType::BF16)),
            Self::Bf16x2 | Self::Int8 => None,
        }
    }
}
