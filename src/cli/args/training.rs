//! Arguments shared by `albert pretrain` and `albert finetune`.

use clap::ValueEnum;
use clap::builder::ValueParser;

use albert::device::Precision;
use albert::training::Decay;

use super::values::one_of;

/// Returns the parser for the compute precision of training.
pub(crate) fn precision() -> ValueParser {
    one_of(&[Precision::F32, Precision::F16, Precision::Bf16x2, Precision::Bf16])
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
