//! Arguments shared by `albert pretrain` and `albert finetune`.

use clap::ValueEnum;

use albert::device::Precision;
use albert::training::Decay;

/// Compute precision of training.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecisionArg {
    F32,
    F16,
    Bf16x2,
    Bf16,
}

impl From<PrecisionArg> for Precision {
    fn from(arg: PrecisionArg) -> Self {
        match arg {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::F16 => Self::F16,
            PrecisionArg::Bf16x2 => Self::Bf16x2,
            PrecisionArg::Bf16 => Self::Bf16,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScheduleArg {
    Linear,
    Polynomial,
    Cosine,
    Constant,
}

impl ScheduleArg {
    /// The decay, with the power of the polynomial schedule.
    pub(crate) fn decay(self, power: f64) -> Decay {
        match self {
            Self::Linear => Decay::Linear,
            Self::Polynomial => Decay::Polynomial(power),
            Self::Cosine => Decay::Cosine,
            Self::Constant => Decay::Constant,
        }
    }
}
