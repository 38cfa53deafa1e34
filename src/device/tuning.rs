//! How cubecl chooses among the kernels of an operation.
//!
//! cubecl compiles and measures several candidates for every matrix multiplication and reduction of a new shape, until
//! one is close to the peak performance of the device. To determine that peak, it first measures the device: its
//! arithmetic, its memory at many sizes, and the cost of a launch. These measurements take seconds at every start, more
//! than everything else. We set the peaks instead; their values decide whether cubecl takes the first candidate or
//! measures all of them.

use std::time::Duration;

use burn::backend::DispatchDevice;
use burn::cubecl::config::autotune::AutotuneLevel;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use burn::cubecl::ir::{ElemType, FloatKind, IntKind, UIntKind};
use burn::cubecl::throughput::{
    CmmaDims, ComputeCmmaConfig, MemoryAccess, MemorySpec, ThroughputCache, ThroughputKey, ThroughputMode,
    ThroughputValue,
};
use burn::tensor::Device;

use super::Workload;

/// Choice of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tuning {
    /// The first kernel that works. Starts fastest.
    First,
    /// The fastest of several kernels. Pays off for long inputs.
    Measured,
}

/// Sizes in bytes of the memory working sets that cubecl queries, as powers of two.
const WORKING_SETS: std::ops::RangeInclusive<u32> = 10..=34;

/// Floating-point operations of an input above which measuring pays off: about ten seconds on a GPU.
const LONG: f64 = 1e14;

impl Tuning {
    /// The choice for a workload. Measuring does not pay off on a software adapter.
    pub(super) fn of(is_gpu: bool, workload: Workload) -> Self {
        match workload {
            _ if !is_gpu => Self::First,
            Workload::Inference(Some(operations)) if operations < LONG => Self::First,
            Workload::Inference(_) | Workload::Training => Self::Measured,
        }
    }

    /// Peak operations or bytes per second: either so low that every kernel reaches it, or so high that none does.
    fn peak(self) -> usize {
        match self {
            Self::First => 1_000,
            Self::Measured => usize::MAX / 1024,
        }
    }

    /// Launches per second.
    fn launches(self) -> usize {
        match self {
            Self::First => 1_000,
            Self::Measured => 100_000,
        }
    }

    /// Sets cubecl's configuration in code, because it would otherwise search the current directory and its parents for a
    /// file. Has no effect on a configuration that was read before.
    pub(super) fn configure(self) {
        let mut config = CubeClRuntimeConfig::default();
        let autotune = &mut config.autotune;
        match self {
            Self::First => {
                autotune.level = AutotuneLevel::Minimal;
                autotune.bench.min_samples = 1;
                autotune.bench.max_samples = 1;
                autotune.bench.short_circuit_samples = 1;
            }
            Self::Measured => autotune.level = AutotuneLevel::Balanced,
        }
        let _already_read = CubeClRuntimeConfig::try_set(config);
    }

    /// Sets the peaks of a device, which cubecl would otherwise measure.
    pub(super) fn enter_peaks(self, device: &Device) {
        let DispatchDevice::Cube(cube) = device.as_dispatch() else { return };
        let client = cube.client();
        let (name, properties) = (client.name(), client.properties());
        let cache = ThroughputCache::get_for_device(name, properties);
        let mut cache = cache.lock();
        let mut enter = |mode, per_second| {
            let value = ThroughputValue { ops_count: per_second, duration: Duration::from_secs(1) };
            cache.insert(ThroughputKey { mode }, value);
        };
        enter(ThroughputMode::Launch, self.launches());
        for dtype in [
            ElemType::Float(FloatKind::F32),
            ElemType::Float(FloatKind::F16),
            ElemType::Float(FloatKind::BF16),
            ElemType::Float(FloatKind::TF32),
            ElemType::Int(IntKind::I32),
            ElemType::UInt(UIntKind::U32),
        ] {
            enter(ThroughputMode::ComputeDirect { dtype }, self.peak());
        }
        for access in [MemoryAccess::Copy, MemoryAccess::Read, MemoryAccess::Write] {
            for power in WORKING_SETS {
                enter(ThroughputMode::Memory(MemorySpec::new(access, 1 << power)), self.peak());
            }
            enter(ThroughputMode::memory(access), self.peak());
        }
        let matmul = &properties.features.matmul;
        for shape in matmul.cmma.iter().chain(&matmul.mma) {
            let config = ComputeCmmaConfig {
                accumulator_type: shape.cd_type,
                cmma_dims: CmmaDims { m: shape.m as usize, n: shape.n as usize, k: shape.k as usize },
            };
            enter(ThroughputMode::ComputeCmma { dtype: shape.a_type, config }, self.peak());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_on_a_gpu_is_worth_measuring() {
        assert_eq!(Tuning::of(true, Workload::Training), Tuning::Measured);
        assert_eq!(Tuning::of(true, Workload::Inference(None)), Tuning::Measured);
        assert_eq!(Tuning::of(true, Workload::Inference(Some(1e16))), Tuning::Measured);
        assert_eq!(Tuning::of(true, Workload::Inference(Some(1e9))), Tuning::First);
        assert_eq!(Tuning::of(false, Workload::Training), Tuning::First);
    }
}
