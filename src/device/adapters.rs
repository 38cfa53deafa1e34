//! Listing and opening graphics adapters through wgpu.

use std::path::Path;

use burn::tensor::{Device, DeviceKind};
use burn_wgpu::wgpu;

use super::tuning::Tuning;
use super::{DeviceInfo, OpenDevice, Workload};
use crate::error::{Error, Result};
use crate::ops::MatmulPrecision;

/// An adapter with burn's selector for it.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    /// Position in [`list`], the N of `wgpu:N`.
    index: usize,
    /// burn's selector: the kind of adapter and its index within that kind.
    selector: Option<DeviceKind>,
    kind: wgpu::DeviceType,
    description: String,
}

impl Adapter {
    /// Returns true for a hardware GPU, false for a software renderer.
    fn is_real_gpu(&self) -> bool {
        self.rank() < 3 && !is_software_name(&self.description)
    }

    /// The preference rank; the best adapter has the lowest.
    fn rank(&self) -> usize {
        match self.kind {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        }
    }

    /// The entry for `albert devices`.
    pub(crate) fn info(&self) -> DeviceInfo {
        let kind = match self.kind {
            _ if is_software_name(&self.description) => "software",
            wgpu::DeviceType::DiscreteGpu => "discrete gpu",
            wgpu::DeviceType::IntegratedGpu => "integrated gpu",
            wgpu::DeviceType::VirtualGpu => "virtual gpu",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        DeviceInfo {
            name: format!("wgpu:{}", self.index),
            kind,
            description: self.description.clone(),
            auto: false,
        }
    }
}

/// Names of Mesa's and Microsoft's software renderers, in case a driver does not classify them as CPU.
fn is_software_name(description: &str) -> bool {
    let lower = description.to_lowercase();
    ["llvmpipe", "lavapipe", "swiftshader", "softpipe", "basic render driver"]
        .iter()
        .any(|s| lower.contains(s))
}

/// All adapters of this platform's first graphics API, in the API's order.
pub(crate) fn list() -> Vec<Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let found = pollster::block_on(instance.enumerate_adapters(backends));
    let mut counts = [0usize; 5];
    found
        .iter()
        .map(wgpu::Adapter::get_info)
        .enumerate()
        .map(|(index, info)| {
            let mut next = |slot: usize| {
                counts[slot] += 1;
                counts[slot] - 1
            };
            let selector = match info.device_type {
                wgpu::DeviceType::DiscreteGpu => Some(DeviceKind::DiscreteGpu(next(0))),
                wgpu::DeviceType::IntegratedGpu => Some(DeviceKind::IntegratedGpu(next(1))),
                wgpu::DeviceType::VirtualGpu => Some(DeviceKind::VirtualGpu(next(2))),
                wgpu::DeviceType::Cpu if next(4) == 0 => Some(DeviceKind::Cpu),
                _ => None,
            };
            let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
            let description = format!("{} ({:?}; {})", info.name, info.backend, driver.trim());
            Adapter { index, selector, kind: info.device_type, description }
        })
        .collect()
}

/// Checks for device files of GPUs, which is much faster than loading a graphics driver.
pub(crate) fn may_have_gpu() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"]
        .iter()
        .any(|p| Path::new(p).exists())
}

/// Chooses the adapter for `wgpu` (the best one) or `wgpu:N`.
///
/// # Errors
/// [`Error::Device`] that lists the adapters found.
pub(crate) fn choose(index: Option<usize>) -> Result<Adapter> {
    let adapters = list();
    let found = match adapters.len() {
        0 => "no graphics adapter was found (is a Vulkan driver installed?)".to_owned(),
        n => format!("found {n}: {}", adapters.iter().map(|a| a.info().name).collect::<Vec<_>>().join(", ")),
    };
    let (name, chosen) = match index {
        None => ("wgpu".to_owned(), adapters.into_iter().min_by_key(Adapter::rank)),
        Some(n) => (format!("wgpu:{n}"), adapters.into_iter().nth(n)),
    };
    chosen.ok_or(Error::Device {
        device: name,
        problem: format!("{found}; see albert devices, or use option device=flex"),
    })
}

/// Initializes burn's runtime on an adapter.
///
/// # Errors
/// [`Error::Device`] with the driver's message.
pub(crate) fn open(adapter: &Adapter, workload: Workload) -> Result<OpenDevice> {
    let name = format!("wgpu:{}", adapter.index);
    let failed = |problem: String| Error::Device { device: name.clone(), problem };
    let Some(kind) = adapter.selector.clone() else {
        return Err(failed(format!(
            "{} is a kind of adapter that albert cannot select",
            adapter.description
        )));
    };
    let is_gpu = adapter.is_real_gpu();
    let tuning = Tuning::of(is_gpu, workload);
    tuning.configure();
    let device = Device::wgpu_options().device_kind(kind).init().map_err(|e| failed(e.to_string()))?;
    tuning.enter_peaks(&device);
    let adapter = Some(adapter.description.clone());
    Ok(OpenDevice { device, name, is_gpu, adapter, matmul_precision: MatmulPrecision::F32 })
}
