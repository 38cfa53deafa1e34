//! Opens the device of a command.

use albert::Result;
use albert::device::{self, DeviceChoice, OpenDevice, Precision, Workload};
use albert::device_check::{self, Checked};

use crate::cli::args::device::DeviceCheckArg;
use crate::cli::driver_messages;
use crate::cli::output::report::Reporter;

/// Opens a device and, on its first use, compares it with the CPU. Also returns the reason for the choice if it was
/// `auto`.
///
/// # Errors
/// Errors from the device; [`albert::Error::Device`] if it computes wrong results.
pub(super) fn open(
    choice: DeviceChoice,
    float: Precision,
    workload: Workload,
    check: DeviceCheckArg,
    reporter: &Reporter,
) -> Result<(OpenDevice, Option<String>)> {
    let opened = || {
        let (open, why) = if choice == DeviceChoice::Auto {
            let (open, why) = device::open_automatically(float, workload)?;
            (open, Some(why))
        } else {
            (device::open_with_matmul_precision(choice, float, workload)?, None)
        };
        if check == DeviceCheckArg::FirstUse && open.adapter.is_some() {
            let directory = device_check::cache_directory();
            match device_check::check(&open, float, directory.as_deref())? {
                Checked::NotNeeded => {}
                Checked::Before => reporter.detail(|| format!("{} agreed with the CPU before", open.name)),
                Checked::Now(error) => reporter.detail(|| {
                    format!("{} agrees with the CPU within {error:.1e} of the largest state", open.name)
                }),
            }
        }
        Ok((open, why))
    };
    if device::loads_driver(choice, float, workload) {
        driver_messages::without(reporter, opened)
    } else {
        opened()
    }
}
