//! `albert embed`.

use albert::Error;
use albert::checkpoint::MlmBias;
use albert::io::{ArrayKind, ArrayLayout, Format};
use albert::tasks::{Embed, EmbedOptions, Pooling};

use super::exit::{ExitStatus, Failure};
use super::options::Lengths;
use super::report::Reporter;
use super::task_args::EmbedArgs;
use super::{options, streaming};

pub fn run(args: EmbedArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let array = args.format.array(args.output.as_deref());
    if let Some(kind) = array {
        check_array(&args, kind)?;
    }
    let source = args.input.source()?;
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let layout = |kind| ArrayLayout {
        kind,
        columns: checkpoint.config.hidden_size,
        ragged: Pooling::from(args.pooling) == Pooling::Tokens,
    };
    let streams = streaming::open(
        &source,
        args.input.records.input_format.into(),
        args.output.as_deref(),
        |terminal| array.map_or_else(|| args.format.resolve(terminal), |kind| Format::Array(layout(kind))),
    )?;
    let options = EmbedOptions {
        pooling: args.pooling.into(),
        layer: args.layer,
        normalize: args.normalize,
        attentions: args.attentions,
        text_pair: args.text_pair.clone(),
        fields: args.input.fields(),
    };
    let ready = options::load(
        &checkpoint,
        options.heads(),
        MlmBias::default(),
        &args.device,
        Lengths::with_windows(&args.length),
        reporter,
    )?;
    let task = Embed::new(&ready.runtime, options)?;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}

/// What an array file cannot hold.
fn check_array(args: &EmbedArgs, kind: ArrayKind) -> Result<(), Error> {
    let usage =
        |flag: &str, problem: &str| Err(Error::Usage { flag: flag.to_owned(), problem: problem.to_owned() });
    if args.output.is_none() {
        return usage("--format", "an array needs a file: give --output");
    }
    if args.attentions {
        return usage("--attentions", "attention maps are written as JSON only; give --format jsonl");
    }
    if kind == ArrayKind::Npy && Pooling::from(args.pooling) == Pooling::Tokens {
        return usage(
            "--pooling",
            "tokens of different numbers make no .npy array; use .safetensors or jsonl",
        );
    }
    Ok(())
}
