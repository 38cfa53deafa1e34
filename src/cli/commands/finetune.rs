//! `albert finetune`.

use albert::device;
use albert::training::finetune::{FineTune, FineTuneOptions};
use albert::training::{Communicator, rank_zero_first};
use albert::{Error, Result};

use crate::cli::args::finetune::{CommonArgs, FinetuneArgs, FinetuneTask};
use crate::cli::commands::pretrain;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::progress::TrainingProgress;
use crate::cli::output::report::Reporter;
use crate::cli::{interrupt, options, processes};

pub(super) fn run(args: FinetuneArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    match args.task {
        FinetuneTask::Classify(args) => tune(&args.common, args.options()?, reporter),
        FinetuneTask::Ner(args) => tune(&args.common, args.options()?, reporter),
        FinetuneTask::Qa(args) => tune(&args.common, args.options(), reporter),
        FinetuneTask::Choose(args) => tune(&args.common, args.options(), reporter),
        FinetuneTask::Pretraining(args) => pretrain::run(*args, reporter),
    }
}

fn tune(
    args: &CommonArgs,
    options: FineTuneOptions,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    processes::run(reporter, |world, reporter| {
        let mut progress = TrainingProgress::new(reporter);
        let prepared = opened(args, options, world, reporter)?.prepare(&mut progress)?;
        let stop = interrupt::stop_flag()?;
        let results = prepared.run(&stop, &mut progress).map_err(|error| progress.failure(error))?;
        Ok(if results.is_some() { ExitStatus::Done } else { ExitStatus::Interrupted })
    })
}

/// Finds the model and opens the devices.
fn opened<'a>(
    args: &CommonArgs,
    options: FineTuneOptions,
    world: &'a dyn Communicator,
    reporter: &Reporter,
) -> Result<FineTune<'a>> {
    options.check()?;
    if let Some(threads) = args.threads {
        device::set_threads(usize::from(threads))?;
    }
    // Only one process downloads a model.
    let found = rank_zero_first(world, || options::checkpoint(&args.model, reporter).map(Some))?;
    let Some(checkpoint) = found else {
        return Err(Error::Input("another process could not read the model".to_owned()));
    };
    let check = args.check.device_check;
    let devices = processes::open_devices(&args.device, options.precision, check, world, reporter)?;
    options::warn_if_no_speedup("--precision", device::common_matmul_precision(&devices), reporter);
    Ok(FineTune::new(checkpoint, options).devices(devices).communicator(world))
}
