//! Training in several processes, started together by `mpirun` or a scheduler.

use albert::Result;
use albert::device::{DeviceChoice, OpenDevice, Precision, Workload};
use albert::training::{self, Communicator};

use crate::cli::args::device::DeviceCheckArg;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::open_device;
use crate::cli::output::report::Reporter;

/// Joins the other processes and runs `train` with them. Only process 0 reports.
pub(super) fn run(
    reporter: &Reporter,
    train: impl FnOnce(&dyn Communicator, &Reporter) -> std::result::Result<ExitStatus, Failure>,
) -> std::result::Result<ExitStatus, Failure> {
    let world = training::connect()?;
    let result = if world.is_main_process() {
        train(world.as_ref(), reporter)
    } else {
        train(world.as_ref(), &Reporter::silent())
    };
    if result.is_err() && world.size() > 1 {
        // Leaving would wait for the other processes, which are waiting for this one. Exiting without leaving ends them
        // all.
        std::mem::forget(world);
    }
    result
}

/// Opens the devices of this process: all named devices, or only one of them if there are several processes.
pub(super) fn open_devices(
    named: &[DeviceChoice],
    float: Precision,
    check: DeviceCheckArg,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> Result<Vec<OpenDevice>> {
    let chosen = if world.size() > 1 {
        let local = training::local_rank();
        vec![match named[local % named.len()] {
            DeviceChoice::Wgpu(None) => DeviceChoice::Wgpu(Some(local)),
            DeviceChoice::Cuda(None) => DeviceChoice::Cuda(Some(local)),
            choice => choice,
        }]
    } else {
        named.to_vec()
    };
    let open = |choice| Ok(open_device::open(choice, float, Workload::Training, check, reporter)?.0);
    chosen.into_iter().map(open).collect()
}
