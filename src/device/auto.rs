//! The rule by which `auto` chooses a device.
//!
//! Starting a GPU takes seconds: loading the driver, compiling and tuning kernels. A GPU is chosen only where that pays
//! off.

use super::{DeviceInfo, Precision};

/// Seconds until the first result of a GPU: 9 to 20 were measured on an NVIDIA H200.
const START_SECONDS: f64 = 20.0;

/// The time on the CPU must be at least this multiple of the startup time of a GPU.
const GAIN: f64 = 3.0;

/// Floating-point operations per second and CPU thread, for an estimate of the time on the CPU.
const CPU_FLOPS: f64 = 1e11;

/// The work of a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Workload {
    /// Pretraining or fine-tuning.
    Training,
    /// One pass over the input, with the number of its floating-point operations if the size of the input is known.
    Inference(Option<f64>),
}

/// A choice and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The name of a GPU; `None` for the CPU.
    pub gpu: Option<String>,
    /// The reason, as a sentence.
    pub reason: String,
}

/// Returns true for a GPU that `auto` may choose: a discrete one, or Apple's. Integrated GPUs share the memory of the CPU
/// and are seldom faster than it.
pub fn is_candidate(device: &DeviceInfo) -> bool {
    device.kind == "discrete gpu"
        || device.kind == "integrated gpu" && device.description.starts_with("Apple")
}

/// Returns the reason why a GPU pays off for a workload, or as an error why it does not.
pub(crate) fn pays(workload: Workload, float: Precision, threads: usize) -> Result<String, String> {
    if matches!(float, Precision::Bf16x2 | Precision::Int8) {
        return Err("bf16x2 and int8 are computed on the CPU".to_owned());
    }
    match workload {
        Workload::Training => Ok("training".to_owned()),
        Workload::Inference(None) => Err("the size of the input is unknown".to_owned()),
        Workload::Inference(Some(operations)) => {
            let seconds = operations / (CPU_FLOPS * threads.max(1) as f64);
            if seconds < GAIN * START_SECONDS {
                return Err(format!(
                    "the input takes about {seconds:.0} s on the CPU, and starting a GPU takes {START_SECONDS} s"
                ));
            }
            Ok(format!("the input takes about {seconds:.0} s on the CPU"))
        }
    }
}

/// Chooses a device. `gpus` lists the adapters. It is called only if a GPU would pay off, because it loads a driver.
pub(crate) fn choose(
    workload: Workload,
    float: Precision,
    threads: usize,
    gpus: impl FnOnce() -> Vec<DeviceInfo>,
) -> Choice {
    let cpu = |reason: String| Choice { gpu: None, reason };
    let work = match pays(workload, float, threads) {
        Ok(work) => work,
        Err(reason) => return cpu(reason),
    };
    match gpus().into_iter().find(is_candidate) {
        Some(gpu) => Choice {
            reason: format!("{work}, and {} is a {}", gpu.description, gpu.kind),
            gpu: Some(gpu.name),
        },
        None => cpu("there is no discrete GPU".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str, kind: &'static str, description: &str) -> DeviceInfo {
        DeviceInfo { name: name.to_owned(), kind, description: description.to_owned(), auto: false }
    }

    fn all() -> Vec<DeviceInfo> {
        vec![
            gpu("wgpu:0", "software", "llvmpipe"),
            gpu("wgpu:1", "integrated gpu", "Intel Graphics"),
            gpu("wgpu:2", "discrete gpu", "NVIDIA H200"),
        ]
    }

    fn chosen(workload: Workload, gpus: Vec<DeviceInfo>) -> Option<String> {
        choose(workload, Precision::F32, 8, || gpus).gpu
    }

    #[test]
    fn training_takes_a_discrete_gpu() {
        assert_eq!(chosen(Workload::Training, all()).as_deref(), Some("wgpu:2"));
        let apple = gpu("wgpu:0", "integrated gpu", "Apple M3 (Metal)");
        assert_eq!(chosen(Workload::Training, vec![apple]).as_deref(), Some("wgpu:0"));
        for others in [vec![], all()[..2].to_vec(), vec![gpu("wgpu:0", "virtual gpu", "virtio")]] {
            assert_eq!(chosen(Workload::Training, others), None);
        }
    }

    #[test]
    fn inference_takes_a_gpu_for_long_inputs_only() {
        // A minute of 8 threads.
        let minute = 60.0 * 8.0 * CPU_FLOPS;
        assert_eq!(chosen(Workload::Inference(Some(1.1 * minute)), all()).as_deref(), Some("wgpu:2"));
        assert_eq!(chosen(Workload::Inference(Some(1.1 * minute)), vec![]), None);
    }

    #[test]
    fn short_inputs_load_no_driver() {
        for workload in [Workload::Inference(Some(1e12)), Workload::Inference(None)] {
            let choice = choose(workload, Precision::F32, 8, || panic!("no adapters are listed"));
            assert_eq!(choice.gpu, None);
        }
        let choice = choose(Workload::Training, Precision::Int8, 8, || panic!("no adapters are listed"));
        assert_eq!(choice.gpu, None);
    }
}
