//! `albert pretrain`.

mod plan;
mod rows;
mod run;
mod start;
mod teacher;

use std::io::IsTerminal;
use std::sync::Arc;

use burn::tensor::Device;

use albert::device;
use albert::io::create_directory;
use albert::training::distillation::DISTILLATION_PANELS;
use albert::training::instances::SpecialIds;
use albert::training::{Communicator, PRETRAINING_PANELS, Pretraining, PretrainingSource, Replicas, Source};
use albert::{Error, Result};

use crate::cli::args::pretrain::PretrainArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::{interrupt, options, processes};
use plan::{Plan, row_length};
use rows::{instance_stream, show, token_cache};
use run::Run;
use start::{Start, configuration, freeze};
use teacher::FoundTeacher;

pub(super) fn run(args: PretrainArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    processes::run(reporter, |world, reporter| train(&args, world, reporter))
}

fn train(
    args: &PretrainArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let stop = interrupt::stop_flag()?;
    device::keep_freed_memory();
    if let Some(threads) = args.threads {
        device::set_threads(usize::from(threads))?;
    }
    check_output(args)?;
    let start = Start::find(args, reporter)?;
    let tokenizer = processes::first_alone(world, || start.tokenizer(args, reporter, &stop))?;
    let Some((files, tokenizer)) = tokenizer else { return Ok(ExitStatus::Interrupted) };
    let config = configuration(args, &start, &tokenizer)?;
    let length = row_length(args, &config);
    let teacher = FoundTeacher::find(args, &tokenizer, length, reporter)?;
    let cache = processes::first_alone(world, || token_cache(args, &tokenizer, reporter, &stop))?;
    let Some(cache) = cache else { return Ok(ExitStatus::Interrupted) };
    let cache = Arc::new(cache);
    let special = SpecialIds::of(&tokenizer)?;
    let stream = instance_stream(args, length, &tokenizer, special, cache.clone())?;
    if let Some(count) = args.show_instances {
        let terminal = std::io::stdout().is_terminal();
        return show(stream, count, args.format.resolve(terminal), &tokenizer, &special);
    }

    let opened = processes::open_devices(
        &args.device,
        args.precision.into(),
        args.check.device_check,
        world,
        reporter,
    )?;
    let devices: Vec<Device> = opened.iter().map(|open| open.device.clone()).collect();
    let (mut model, mut parameters) = start.model(args, &config, &devices[0], reporter)?;
    freeze(&args.freeze, &mut parameters)?;
    let numbers = device::common_numbers(&opened);
    options::warn_if_not_faster("--precision", numbers, reporter);
    model.set_numbers(numbers);
    let plan = Plan::new(args, &config, &opened, cache.summary().tokens);
    plan.announce(args, &config, &opened, parameters.count(), reporter);

    let objective = Pretraining {
        pad_id: config.pad_token_id.unwrap_or(0) as u32,
        pad_multiple: opened[0].pad_multiple(),
        longest: config.max_position_embeddings,
        sentence_order: !args.no_sop,
        sentence_order_weight: args.sop_weight,
    };
    let replicas =
        Replicas::new(&model, &parameters, &devices, plan.micro_batch, args.gradient_checkpointing);
    let mut run = Run {
        parameters,
        replicas,
        world,
        options: plan.options(args, &config),
        config: &config,
        tokenizer: (&files, &tokenizer),
        panels: &PRETRAINING_PANELS,
        resume: args.resume,
    };
    let Some(teacher) = teacher else {
        let held_out = stream.held_out(args.eval_rows)?;
        return run.train(&objective, PretrainingSource::new(stream), &held_out, &stop, reporter);
    };
    let (objective, read_by_teacher) =
        teacher.load(args, objective, &config, (&devices, numbers), reporter)?;
    teacher::identify(&objective, &mut run.options.identity);
    run.panels = &DISTILLATION_PANELS;
    let held_out = stream.held_out_plans(args.eval_rows)?;
    let student = (&tokenizer, special);
    let source = teacher::source(stream, &objective, student, length, read_by_teacher)?;
    let held_out = source.realize(&source.with_sentences(held_out))?;
    run.train(&objective, source, &held_out, &stop, reporter)
}

/// Checks that a run starts in a new directory or resumes in its own.
fn check_output(args: &PretrainArgs) -> Result<()> {
    let checkpoints = albert::training::Checkpoints::new(&args.output, usize::from(args.keep)).steps();
    if args.output.is_file() {
        return Err(Error::bad_file(&args.output, "is a file; --output takes a directory"));
    }
    if !checkpoints.is_empty() && !args.resume && args.show_instances.is_none() {
        return Err(Error::bad_file(
            &args.output,
            "contains checkpoints of a run: use --resume to continue it, or another --output to start a new one",
        ));
    }
    if args.output.join("model.safetensors").exists() && !args.resume {
        return Err(Error::bad_file(&args.output, "contains a model; choose a new directory"));
    }
    create_directory(&args.output)
}
