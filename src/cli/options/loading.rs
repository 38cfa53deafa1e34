//! Loads a model onto a device.

use albert::checkpoint::{Checkpoint, MlmBias, Origin, load_model};
use albert::device::{self, BatchLimits, OpenDevice, Workload};
use albert::model::Head;
use albert::ops::{self, MatmulPrecision};
use albert::tasks::{LengthOptions, Pipeline};
use albert::{Error, Result};

use super::lengths::longest;
use crate::cli::args::device::DeviceArgs;
use crate::cli::open_device;
use crate::cli::output::report::Reporter;

/// A model that is ready to run, and its batch size.
pub(crate) struct LoadedPipeline {
    pub pipeline: Pipeline,
    pub batch_tokens: usize,
}

/// Opens the device, loads weights and tokenizer in parallel, and checks that they match.
///
/// # Errors
/// Errors of each part.
pub(crate) fn load(
    checkpoint: &Checkpoint,
    heads: &[Head],
    mlm_bias: MlmBias,
    device: &DeviceArgs,
    lengths: LengthOptions,
    reporter: &Reporter,
) -> Result<LoadedPipeline> {
    let started = std::time::Instant::now();
    let positions = checkpoint.config.max_position_embeddings;
    lengths.check(positions)?;
    if let Some(threads) = device.threads {
        device::set_threads(usize::from(threads))?;
    }
    let (tokenizer, model) = std::thread::scope(|scope| {
        let tokenizer = scope.spawn(|| checkpoint.tokenizer());
        let model = open_and_load(checkpoint, heads, mlm_bias, device, reporter);
        let tokenizer = tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (tokenizer, model)
    });
    let (open, why, model, report) = model.map_err(|error| with_hint(error, checkpoint))?;
    let tokenizer = tokenizer?;
    warn_if_no_speedup("--dtype", open.matmul_precision, reporter);
    for note in &report.notes {
        reporter.warn(&format!("{}: {note}", checkpoint.name));
    }
    for detail in &report.details {
        reporter.detail(|| format!("{}: {detail}", checkpoint.name));
    }
    reporter.detail(|| format!("{}: {report}", checkpoint.name));
    for name in &report.unused {
        reporter.detail(|| format!("{}: unused tensor {name}", checkpoint.name));
    }
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    reporter.detail(|| format!("on {}{why}, ready after {} ms", open.name, started.elapsed().as_millis()));

    let max_length = longest(&lengths, positions, &tokenizer, reporter)?;
    let limits = BatchLimits::of(&open);
    Ok(LoadedPipeline {
        pipeline: Pipeline {
            model,
            config: checkpoint.config.clone(),
            tokenizer,
            device: open.device,
            max_length,
            long: lengths.long,
            pad_multiple: limits.pad_multiple,
        },
        batch_tokens: device.batch_tokens.map_or(limits.tokens, |n| n as usize),
    })
}

/// Adds a hint to errors about heads that the built-in model lacks.
fn with_hint(error: Error, checkpoint: &Checkpoint) -> Error {
    match error {
        Error::Weights { problem, .. } if matches!(checkpoint.origin, Origin::Embedded { .. }) => {
            Error::Model {
                model: checkpoint.name.clone(),
                problem: format!("{problem}; --model names a model that was fine-tuned for this"),
            }
        }
        other => other,
    }
}

/// The device, the reason why `auto` chose it, the model, and the report of its weights.
type Loaded = (OpenDevice, Option<String>, albert::model::Albert, albert::checkpoint::LoadReport);

/// Bytes of English text per token.
const BYTES_PER_TOKEN: f64 = 4.5;

fn open_and_load(
    checkpoint: &Checkpoint,
    heads: &[Head],
    mlm_bias: MlmBias,
    args: &DeviceArgs,
    reporter: &Reporter,
) -> Result<Loaded> {
    let tensors = checkpoint.tensors()?;
    let float = args.dtype.into();
    let per_byte = checkpoint.config.flops_per_token() as f64 / BYTES_PER_TOKEN;
    let workload = Workload::Inference(args.input_bytes.map(|bytes| bytes as f64 * per_byte));
    let (open, why) = open_device::open(args.device, float, workload, args.check.device_check, reporter)?;
    let (mut model, report) = load_model(&tensors, &checkpoint.config, heads, mlm_bias, &open.device)?;
    model.set_matmul_precision(open.matmul_precision);
    Ok((open, why, model, report))
}

/// Warns about numbers that were chosen for speed but bring none on this CPU.
pub(crate) fn warn_if_no_speedup(flag: &str, matmul_precision: MatmulPrecision, reporter: &Reporter) {
    if matmul_precision != MatmulPrecision::F32 && !ops::is_native(matmul_precision) {
        reporter.warn(&format!(
            "this processor has no instructions for this {flag}, which is not faster than f32 here"
        ));
    }
}
