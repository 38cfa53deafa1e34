//! Choosing, opening and naming devices.
//!
//! burn selects a backend at run time through its [`Device`]. `Device::default()` panics in an invalid environment, so devices
//! are always constructed explicitly. The configuration that burn and cubecl would search for in the current directory and
//! its parents is set in code instead.

#[cfg(feature = "wgpu")]
mod adapters;
mod auto;
mod batch;
mod choice;
mod memory;
#[cfg(feature = "wgpu")]
mod tuning;

use burn::tensor::{DType, Device, Tensor};

pub use auto::{Workload, is_candidate};
pub use batch::BatchLimits;
pub(crate) use choice::CPU;
pub use choice::{DeviceChoice, Precision};
pub use memory::{keep_freed_memory, use_huge_pages};

use crate::error::{Error, Result};
use crate::ops::MatmulPrecision;

/// An open device.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// burn's handle.
    pub device: Device,
    /// The device's name: `flex`, `wgpu:0`, ...
    pub name: String,
    /// True for a hardware GPU, which needs larger batches.
    pub is_gpu: bool,
    /// The names of the adapter and its driver; `None` for a CPU.
    pub adapter: Option<String>,
    /// Precision of matrix multiplications on this device ([`crate::model::Albert::set_matmul_precision`]).
    pub matmul_precision: MatmulPrecision,
}

impl OpenDevice {
    fn cpu(device: Device, name: &str) -> Self {
        Self {
            device,
            name: name.to_owned(),
            is_gpu: false,
            adapter: None,
            matmul_precision: MatmulPrecision::F32,
        }
    }

    /// The multiple to which lengths are padded: GPUs and software adapters compile kernels for each shape.
    pub fn pad_multiple(&self) -> usize {
        if self.adapter.is_some() { 16 } else { 1 }
    }
}

/// One line of `albert devices`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The name that [`DeviceChoice`] parses.
    pub name: String,
    /// "cpu", "discrete gpu", "integrated gpu", "virtual gpu", "software" or "other".
    pub kind: &'static str,
    /// The name of the processor or adapter, and its driver.
    pub description: String,
    /// True for the device that [`DeviceChoice`]'s `auto` selects for training and long inputs.
    pub auto: bool,
}

/// Opens a device and sets the float type of all its tensors.
///
/// # Errors
/// [`Error::Device`] if the device is not part of this build, does not exist on this machine, does not support the float
/// type, or was opened before with a different one.
pub fn open(choice: DeviceChoice, float: Precision) -> Result<OpenDevice> {
    set_dtype(open_device(choice, Workload::Inference(None))?, float)
}

/// Like [`open`], for a given `workload`: a GPU measures its kernels only for long ones. On a CPU, tensors stay in f32
/// with [`Precision::Bf16x2`], [`Precision::Bf16`] and [`Precision::Int8`]; only matrix multiplications have lower
/// precision ([`OpenDevice::matmul_precision`]).
///
/// # Errors
/// Errors of [`open`]; [`Precision::Bf16x2`] and [`Precision::Int8`] on a device other than a CPU.
pub fn open_with_matmul_precision(
    choice: DeviceChoice,
    float: Precision,
    workload: Workload,
) -> Result<OpenDevice> {
    if choice == DeviceChoice::Auto {
        return Ok(open_automatically(float, workload)?.0);
    }
    let open = open_device(choice, workload)?;
    let cpu = matches!(open.name.as_str(), "flex" | "ndarray");
    match float {
        Precision::Bf16x2 if cpu => Ok(OpenDevice { matmul_precision: MatmulPrecision::Bf16x2, ..open }),
        Precision::Bf16 if cpu => Ok(OpenDevice { matmul_precision: MatmulPrecision::Bf16, ..open }),
        Precision::Int8 if cpu => Ok(OpenDevice { matmul_precision: MatmulPrecision::Int8, ..open }),
        _ => set_dtype(open, float),
    }
}

/// The matrix multiplication precision that these devices have in common. Only CPUs constrain it.
pub fn common_matmul_precision(devices: &[OpenDevice]) -> MatmulPrecision {
    let lossy = devices
        .iter()
        .map(|open| open.matmul_precision)
        .find(|matmul_precision| *matmul_precision != MatmulPrecision::F32);
    lossy.unwrap_or_default()
}

fn open_device(choice: DeviceChoice, workload: Workload) -> Result<OpenDevice> {
    match choice {
        DeviceChoice::Auto => Ok(open_automatically(Precision::F32, workload)?.0),
        DeviceChoice::Flex => open_flex(),
        DeviceChoice::NdArray => open_ndarray(),
        DeviceChoice::Wgpu(index) => open_wgpu(index, workload),
        DeviceChoice::Cuda(index) => open_cuda(index),
    }
}

fn set_dtype(mut open: OpenDevice, float: Precision) -> Result<OpenDevice> {
    let Some((dtype, storage)) = float.dtypes() else {
        return Err(Error::Device {
            device: open.name,
            problem:
                "bf16x2 and int8 are for matrix multiplications on a CPU; use option device=flex, or another precision"
                    .to_owned(),
        });
    };
    if !open.device.supports_dtype(storage) {
        return Err(Error::Device {
            device: open.name,
            problem: format!("does not compute in {storage:?}; use option dtype=f32"),
        });
    }
    if float != Precision::F32 {
        open.device
            .configure(dtype)
            .map_err(|e| Error::Device { device: open.name.clone(), problem: format!("{storage:?}: {e}") })?;
    }
    Ok(open)
}

/// All devices that this build can use on this machine, CPU backends first.
pub fn list() -> Vec<DeviceInfo> {
    let mut devices = Vec::new();
    let cpu = cpu_description();
    if cfg!(feature = "flex") {
        devices.push(DeviceInfo { name: "flex".into(), kind: "cpu", description: cpu.clone(), auto: false });
    }
    if cfg!(feature = "ndarray") {
        devices.push(DeviceInfo { name: "ndarray".into(), kind: "cpu", description: cpu, auto: false });
    }
    #[cfg(feature = "wgpu")]
    devices.extend(adapters::list().iter().map(adapters::Adapter::info));
    let gpu = devices.iter().position(is_candidate);
    for (i, device) in devices.iter_mut().enumerate() {
        device.auto = i == gpu.unwrap_or(0);
    }
    devices
}

/// Copies the values of a tensor to the host as f32, whatever precision the device uses.
///
/// # Errors
/// [`Error::Device`] if the device fails.
pub fn to_host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let device = tensor.device();
    let failed = |problem: String| Error::Device { device: format!("{device:?}"), problem };
    let data = tensor.try_into_data_dtype(DType::F32).map_err(|e| failed(e.to_string()))?;
    data.try_into_vec::<f32>().map_err(|e| failed(format!("{e:?}")))
}

/// Limits the CPU devices to `threads` threads. Call it once, before any computation.
///
/// # Errors
/// [`Error::InvalidOption`] if the thread pool is already running.
pub fn set_threads(threads: usize) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Error::InvalidOption { name: "threads".into(), problem: e.to_string() })
}

fn cpu_description() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    format!("{}, {threads} threads", model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}

#[allow(dead_code, reason = "used by the devices that a build leaves out")]
fn not_built(device: &str, feature: &str) -> Error {
    let built: Vec<&str> = [
        ("flex", cfg!(feature = "flex")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("wgpu", cfg!(feature = "wgpu")),
    ]
    .iter()
    .filter(|(_, on)| *on)
    .map(|(name, _)| *name)
    .collect();
    Error::Device {
        device: device.to_owned(),
        problem: format!(
            "this albert was built without it (it has {}); build with --features {feature}",
            built.join(", ")
        ),
    }
}

/// Opens the device that suits a workload, and returns the reason for the choice. Falls back to the CPU if the GPU cannot
/// be opened or does not support the float type.
///
/// # Errors
/// Those of [`open_with_matmul_precision`].
pub fn open_automatically(float: Precision, workload: Workload) -> Result<(OpenDevice, String)> {
    let choice = auto::choose(workload, float, rayon::current_num_threads(), gpus);
    let mut reason = choice.reason;
    if let Some(name) = choice.gpu {
        match name
            .parse()
            .map_err(Error::Input)
            .and_then(|gpu| open_with_matmul_precision(gpu, float, workload))
        {
            Ok(open) => return Ok((open, reason)),
            Err(error) => reason = format!("the GPU cannot be used: {error}"),
        }
    }
    Ok((open_with_matmul_precision(CPU, float, workload)?, reason))
}

/// Opens the CPU, without loading a graphics driver.
///
/// # Errors
/// Those of [`open_with_matmul_precision`].
pub fn open_cpu(float: Precision) -> Result<OpenDevice> {
    open_with_matmul_precision(CPU, float, Workload::Inference(Some(0.0)))
}

/// Returns true if opening a device for a workload loads a graphics driver.
pub fn loads_driver(choice: DeviceChoice, float: Precision, workload: Workload) -> bool {
    match choice {
        DeviceChoice::Flex | DeviceChoice::NdArray => false,
        DeviceChoice::Wgpu(_) | DeviceChoice::Cuda(_) => true,
        DeviceChoice::Auto => {
            auto::pays(workload, float, rayon::current_num_threads()).is_ok() && may_have_gpu()
        }
    }
}

/// The adapters. Does not load a driver if the machine has no device file of a GPU.
fn gpus() -> Vec<DeviceInfo> {
    #[cfg(feature = "wgpu")]
    if may_have_gpu() {
        return adapters::list().iter().map(adapters::Adapter::info).collect();
    }
    Vec::new()
}

fn may_have_gpu() -> bool {
    #[cfg(feature = "wgpu")]
    return adapters::may_have_gpu();
    #[cfg(not(feature = "wgpu"))]
    false
}

#[cfg(feature = "flex")]
fn open_flex() -> Result<OpenDevice> {
    Ok(OpenDevice::cpu(Device::flex(), "flex"))
}

#[cfg(not(feature = "flex"))]
fn open_flex() -> Result<OpenDevice> {
    Err(not_built("flex", "flex"))
}

#[cfg(feature = "ndarray")]
#[allow(deprecated, reason = "upstream prefers flex; we offer both")]
fn open_ndarray() -> Result<OpenDevice> {
    Ok(OpenDevice::cpu(Device::ndarray(), "ndarray"))
}

#[cfg(not(feature = "ndarray"))]
fn open_ndarray() -> Result<OpenDevice> {
    Err(not_built("ndarray", "ndarray"))
}

#[cfg(feature = "wgpu")]
fn open_wgpu(index: Option<usize>, workload: Workload) -> Result<OpenDevice> {
    adapters::open(&adapters::choose(index)?, workload)
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu(_index: Option<usize>, _workload: Workload) -> Result<OpenDevice> {
    Err(not_built("wgpu", "wgpu"))
}

#[cfg(feature = "cuda")]
fn open_cuda(index: Option<usize>) -> Result<OpenDevice> {
    let index = index.unwrap_or(0);
    let name = format!("cuda:{index}");
    // The CUDA driver is loaded on first use, and burn panics if it is missing.
    if !std::path::Path::new("/dev/nvidiactl").exists() && cfg!(target_os = "linux") {
        return Err(Error::Device { device: name, problem: "no NVIDIA driver on this machine".into() });
    }
    // The first line contains the driver version.
    let driver = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    let driver = driver.lines().next().unwrap_or("CUDA");
    let adapter = Some(format!("{name} ({driver})"));
    Ok(OpenDevice {
        device: Device::cuda(index),
        name,
        is_gpu: true,
        adapter,
        matmul_precision: MatmulPrecision::F32,
    })
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_index: Option<usize>) -> Result<OpenDevice> {
    Err(not_built("cuda", "cuda"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print_alike() {
        for name in ["auto", "flex", "ndarray", "wgpu", "wgpu:3", "cuda", "cuda:0"] {
            assert_eq!(name.parse::<DeviceChoice>().map(|d| d.to_string()), Ok(name.to_owned()));
        }
        assert!("flex:1".parse::<DeviceChoice>().is_err());
        assert!("wgpu:x".parse::<DeviceChoice>().is_err());
        assert!("tpu".parse::<DeviceChoice>().is_err());
    }
}
