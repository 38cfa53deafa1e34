//! `albert convert`.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use albert::Error;
use albert::checkpoint::{Checkpoint, ConvertOptions, Dtype, WeightFormat, convert};
use albert::io::OutputTarget;

use crate::cli::args::common::ModelArgs;
use crate::cli::args::convert::{ConvertArgs, DtypeArg, HeadArg, WeightFormatArg};
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::options;
use crate::cli::output::conversion::summary;
use crate::cli::output::report::Reporter;

pub(super) fn run(args: ConvertArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let source = ModelArgs {
        model: Some(args.source.clone()),
        base_model: args.base_model.clone(),
        tokenizer: None,
        offline: args.offline,
        allow_non_finite: args.allow_non_finite,
    };
    let mut checkpoint = if args.source == "embedded" && !Path::new("embedded").exists() {
        Checkpoint::embedded_for(args.head.and_then(HeadArg::embedded_task))?
    } else {
        options::checkpoint(&source, reporter)?
    };
    if let Some(named) = &args.tokenizer {
        checkpoint.tokenizer_path = Some(options::tokenizer_path(named, args.offline, reporter)?);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).map_err(Error::io("signals", "watch"))?;
    }
    let options = ConvertOptions {
        dtype: args.dtype.map(|dtype| match dtype {
            DtypeArg::F32 => Dtype::F32,
            DtypeArg::F16 => Dtype::F16,
            DtypeArg::Bf16 => Dtype::BF16,
        }),
        format: match args.format {
            WeightFormatArg::Safetensors => WeightFormat::Safetensors,
            WeightFormatArg::Pytorch => WeightFormat::PyTorch,
            WeightFormatArg::Onnx => WeightFormat::Onnx,
        },
        architecture: args.head.map(Into::into),
        mlm_bias: args.mlm_bias,
        without_tokenizer: args.no_tokenizer,
        max_shard_bytes: args.max_shard_size.map(|megabytes| u64::from(megabytes) << 20),
    };
    let bar = reporter.bytes_bar("converting");
    let converted = convert(&checkpoint, &args.destination, &options, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    let converted = if interrupted.load(Ordering::Relaxed) { converted.while_running()? } else { converted? };
    for detail in &converted.details {
        reporter.detail(|| format!("{}: {detail}", checkpoint.name));
    }
    for note in &converted.notes {
        reporter.warn(&format!("{}: {note}", checkpoint.name));
    }
    let mut out = OutputTarget::open(None)?;
    out.write(summary(&checkpoint.name, &args.destination, &converted).as_bytes())?;
    out.finish()?;
    Ok(ExitStatus::Done)
}
