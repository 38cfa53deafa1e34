//! Loading a model with its tokenizer onto a device.

use super::lengths::{LengthOptions, Longest};
use super::pipeline::Pipeline;
use crate::checkpoint::{Checkpoint, LoadReport, MlmBias, load_model};
use crate::device::{BatchLimits, OpenDevice};
use crate::error::Result;
use crate::model::Head;

/// What to load of a checkpoint, and how long its rows may be.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions<'a> {
    /// The heads to load.
    pub heads: &'a [Head],
    /// The masked-LM bias of a file with two.
    pub mlm_bias: MlmBias,
    /// Limits of the length of a row.
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
    /// The length of the longest row, and what limits it.
    pub longest: Longest,
    /// What was read of the weight files.
    pub report: LoadReport,
}

impl Pipeline {
    /// Loads the weights of `checkpoint` onto the device that `open_device` opens, and its tokenizer at the same time.
    ///
    /// The device is opened after the list of tensors was read, so that a wrong path is reported before a driver is loaded.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for lengths that do not fit the model; errors of the weight files,
    /// of the tokenizer's files and of the device.
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
