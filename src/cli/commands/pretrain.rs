//! `albert pretrain`.

use std::io::IsTerminal;

use albert::device;
use albert::training::{
    Communicator, Pretrain, PretrainOptions, Start, StopReason, TeacherOptions, rank_zero_first,
};
use albert::{Error, Result};

use crate::cli::args::common::ModelArgs;
use crate::cli::args::pretrain::PretrainArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::instances;
use crate::cli::output::progress::TrainingProgress;
use crate::cli::output::report::Reporter;
use crate::cli::{interrupt, options, processes};

pub(super) fn run(args: PretrainArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    processes::run(reporter, |world, reporter| train(&args, world, reporter))
}

fn train(
    args: &PretrainArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let stop = interrupt::stop_flag()?;
    if let Some(threads) = args.threads {
        device::set_threads(usize::from(threads))?;
    }
    args.options(Start::Size(args.size), None, None).check()?;
    // Only one process downloads models.
    let Some(options) = rank_zero_first(world, || found(args, reporter).map(Some))? else {
        return Err(Error::Input("another process could not read the model".to_owned()).into());
    };
    let mut progress = TrainingProgress::new(reporter);
    let pretrain = Pretrain::new(options).communicator(world);
    let Some(mut rows) = pretrain.rows(&stop, &mut progress)? else { return Ok(ExitStatus::Interrupted) };
    if let Some(count) = args.show_instances {
        let format = args.format.resolve(std::io::stdout().is_terminal());
        instances::show(&rows.take(count)?, format, rows.tokenizer(), rows.special_ids())?;
        return Ok(ExitStatus::Done);
    }
    let check = args.check.device_check;
    let devices = processes::open_devices(&args.device, args.precision, check, world, reporter)?;
    options::warn_if_no_speedup("--precision", device::common_matmul_precision(&devices), reporter);
    let prepared = rows.prepare(&devices, &mut progress)?;
    let ending = prepared.run(&stop, &mut progress);
    Ok(match ending.map_err(|error| progress.failure(error))? {
        StopReason::Finished => ExitStatus::Done,
        StopReason::Interrupted => ExitStatus::Interrupted,
    })
}

/// Returns the options of the run, including the models that the arguments name.
fn found(args: &PretrainArgs, reporter: &Reporter) -> Result<PretrainOptions> {
    let model = |name: &String| {
        let named = ModelArgs {
            model: Some(name.clone()),
            base_model: None,
            tokenizer: None,
            offline: args.offline,
            allow_non_finite: args.allow_non_finite,
        };
        options::checkpoint(&named, reporter)
    };
    let start = match (&args.init_from, &args.config) {
        (Some(name), _) => Start::Model(Box::new(model(name)?)),
        (None, Some(path)) => Start::Config(path.clone()),
        (None, None) => Start::Size(args.size),
    };
    let tokenizer = args.tokenizer.as_ref();
    let tokenizer =
        tokenizer.map(|name| options::tokenizer_path(name, args.offline, reporter)).transpose()?;
    let teacher = match &args.distillation.teacher {
        None => None,
        Some(name) => Some(TeacherOptions {
            checkpoint: model(name)?,
            signal: args.distillation.signal(),
            weight: args.distillation.weight(),
        }),
    };
    Ok(args.options(start, tokenizer, teacher))
}
