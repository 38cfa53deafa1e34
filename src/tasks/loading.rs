//! Loads a model with its tokenizer onto a device.

use super::lengths::{LengthOptions, Longest};
use super::pipeline::Pipeline;
use crate::checkpoint::{Checkpoint, LoadReport, MlmBias, load_model};
use crate::device::{BatchLimits, OpenDevice};
use crate::error::Result;
use crate::model::Head;

/// The parts of a checkpoint to load, and the maximum length of its rows.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions<'a> {
    /// The heads to load.
    pub heads: &'a [Head],
    /// The masked-LM bias to use if a file has two.
    pub mlm_bias: MlmBias,
    /// Limits of the row length.
    pub lengths: LengthOptions,
}

/// A loaded model and how it was loaded.
pub struct LoadedPipeline {
    /// The model with its tokenizer on a device.
    pub pipeline: Pipeline,
    /// Maximum padded tokens per forward pass that suits the device.
    pub batch_tokens: usize,
    /// The device of the pipeline.
    pub device: OpenDevice,
    /// The maximum row length, and its source.
    pub longest: Longest,
    /// The report of loading the weights.
    pub report: LoadReport,
}

impl Pipeline {
    /// Loads the weights of `checkpoint` onto the device that `open_device` opens, and its tokenizer at the same time.
    ///
    /// The device is opened after the list of tensors has been read, so that a wrong path is reported before a driver is
    /// loaded.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for lengths that do not fit the model; errors from the
    /// weight files, the tokenizer's files and the device.
    pub fn load(
        checkpoint: &Checkpoint,
        options: &LoadOptions,
        open_device: impl FnOnce() -> Result<OpenDevice>,
    ) -> Result<LoadedPipeline> {
        let config = &checkpoint.config;
        let positions = config.max_position_embeddings;
        options.lengths.check(positions)?;
        let (tokenizer, model) = std::thread::scope(|scope| {
            let tokenizer = scope.spawn(|| checkpoint.tokenizer());
            let model = (|| {
                let tensors = checkpoint.tensors()?;
                let open = open_device()?;
                let (mut model, report) =
                    load_model(&tensors, config, options.heads, options.mlm_bias, &open.device)?;
                model.set_matmul_precision(open.matmul_precision);
                Ok((model, open, report))
            })();
            let tokenizer = tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (tokenizer, model)
        });
        let (model, device, report) = model?;
        let tokenizer = tokenizer?;
        let longest = options.lengths.longest(positions, &tokenizer)?;
        let limits = BatchLimits::of(&device);
        let pipeline = Self {
            model,
            config: config.clone(),
            tokenizer,
            device: device.device.clone(),
            max_length: longest.tokens,
            long: options.lengths.long,
            pad_multiple: limits.pad_multiple,
        };
        Ok(LoadedPipeline { pipeline, batch_tokens: limits.tokens, device, longest, report })
    }
}
