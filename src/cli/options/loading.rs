//! Loads a model according to the arguments, and reports it.

use albert::checkpoint::{Checkpoint, MlmBias, Origin};
use albert::device::{self, Workload};
use albert::model::Head;
use albert::ops::{self, MatmulPrecision};
use albert::tasks::{LengthOptions, LoadOptions, LoadedPipeline, Pipeline};
use albert::{Error, Result};

use crate::cli::args::device::DeviceArgs;
use crate::cli::open_device;
use crate::cli::output::report::Reporter;

/// Average number of bytes per token in English text.
const BYTES_PER_TOKEN: f64 = 4.5;

/// Calls [`Pipeline::load`] with the device and the number of threads from the arguments. Reports what was loaded.
///
/// # Errors
/// Errors from [`Pipeline::load`].
pub(crate) fn load(
    checkpoint: &Checkpoint,
    heads: &[Head],
    mlm_bias: MlmBias,
    device: &DeviceArgs,
    lengths: LengthOptions,
    reporter: &Reporter,
) -> Result<LoadedPipeline> {
    let started = std::time::Instant::now();
    if let Some(threads) = device.threads {
        device::set_threads(usize::from(threads))?;
    }
    let per_byte = checkpoint.config.flops_per_token() as f64 / BYTES_PER_TOKEN;
    let workload = Workload::Inference(device.input_bytes.map(|bytes| bytes as f64 * per_byte));
    let mut why = None;
    let mut loaded = Pipeline::load(checkpoint, &LoadOptions { heads, mlm_bias, lengths }, || {
        let check = device.check.device_check;
        let (open, reason) = open_device::open(device.device, device.dtype, workload, check, reporter)?;
        why = reason;
        Ok(open)
    })
    .map_err(|error| with_hint(error, checkpoint))?;
    let (open, report) = (&loaded.device, &loaded.report);
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
    reporter.lengths(loaded.longest, loaded.pipeline.tokenizer.truncation_side());
    if let Some(tokens) = device.batch_tokens {
        loaded.batch_tokens = tokens as usize;
    }
    Ok(loaded)
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

/// Warns about a precision that was chosen for speed but is not faster on this CPU.
pub(crate) fn warn_if_no_speedup(flag: &str, matmul_precision: MatmulPrecision, reporter: &Reporter) {
    if matmul_precision != MatmulPrecision::F32 && !ops::is_native(matmul_precision) {
        reporter.warn(&format!(
            "this processor has no instructions for this {flag}, which is not faster than f32 here"
        ));
    }
}
