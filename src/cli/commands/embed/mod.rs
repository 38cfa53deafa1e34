//! `albert embed`.

mod ids;

use albert::Error;
use albert::checkpoint::{Checkpoint, MlmBias, SentenceLayer, SentenceModules};
use albert::io::{ArrayKind, ArrayLayout, Format, TableKind};
use albert::tasks::{Embed, EmbedOptions, OwnLimit, Pooling, TextRules};

use crate::cli::args::embed::{EmbedArgs, OutputTypeArg};
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::output::report::Reporter;
use crate::cli::{options, streaming};
use ids::IdFile;

pub(super) fn run(args: EmbedArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let array = args.format.array(args.output.as_deref());
    if let Some(kind) = array {
        check_array(&args, kind)?;
    }
    let source = args.input.source()?;
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let modules = match &checkpoint.modules {
        Some(root) if !args.ignore_modules => Some(SentenceModules::read(root)?),
        _ => None,
    };
    let options = options(&args, modules.as_ref())?;
    let columns = options.width(checkpoint.config.hidden_size)?;
    let half = args.dtype_out == OutputTypeArg::F16;
    let layout = |kind| ArrayLayout { kind, columns, ragged: options.is_per_token(), half };
    let mut needed = args.input.needed();
    needed.extend(IdFile::needed(&args));
    let streams =
        streaming::open_records(&source, &args.input.records, &needed, args.output.as_deref(), |terminal| {
            match array {
                Some(kind) => Ok(Format::Array(layout(kind))),
                None => {
                    let format = args.format.resolve(args.output.as_deref(), terminal)?;
                    check_table(&args, format)?;
                    if half && format != Format::Table(TableKind::Parquet) {
                        return Err(no_array());
                    }
                    Ok(format)
                }
            }
        })?
        .with_model(&checkpoint)?;
    let streams = match IdFile::open(&args, &source, array.is_some())? {
        Some(ids) => streams.with_companion(ids.write(reporter).while_running()?),
        None => streams,
    };
    let mut lengths = options::length_options_with_windows(&args.length);
    lengths.own = modules.as_ref().and_then(OwnLimit::of_modules);
    if let Some(modules) = &modules {
        tell(modules, &options, &checkpoint, reporter);
    }
    let ready = options::load(
        &checkpoint,
        options.heads(),
        MlmBias::default(),
        &args.device.for_part(&args.input.records.input, &args.input.texts, args.input.records.part),
        lengths,
        reporter,
    )?;
    let task = Embed::new(&ready.pipeline, options)?;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}

/// The user's settings, or those of the model's modules where the user sets nothing.
fn options(args: &EmbedArgs, modules: Option<&SentenceModules>) -> Result<EmbedOptions, Error> {
    let named = match (&args.prompt_name, modules) {
        (None, _) => None,
        (Some(name), modules) => {
            let prompt = modules.and_then(|modules| modules.prompt(name));
            Some(prompt.ok_or_else(|| unknown_prompt(name, modules))?)
        }
    };
    let defaults = modules.map_or_else(EmbedOptions::default, EmbedOptions::of_modules);
    let prompt = args.prompt.as_deref().or(named).map_or(defaults.texts.prompt, str::to_owned);
    let poolings = args.pooling.map_or(defaults.poolings, |pooling| vec![pooling.into()]);
    let mut layers = defaults.layers;
    if args.normalize == Some(false) {
        layers.retain(|layer| *layer != SentenceLayer::Normalize);
    }
    if poolings == [Pooling::Tokens] {
        layers.clear();
    }
    Ok(EmbedOptions {
        poolings,
        layers,
        dimensions: defaults.dimensions,
        texts: TextRules { prompt, ..defaults.texts },
        layer: args.layer,
        normalize: args.normalize == Some(true),
        attentions: args.attentions,
        half: args.dtype_out == OutputTypeArg::F16,
        text_pair: args.text_pair.clone(),
        fields: args.input.fields(),
    })
}

fn unknown_prompt(name: &str, modules: Option<&SentenceModules>) -> Error {
    let known: Vec<&str> = modules.iter().flat_map(|m| &m.prompts).map(|(name, _)| name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::InvalidOption {
        name: "prompt_name".to_owned(),
        problem: format!(
            "the model has no prompt \"{name}\"; it has {known} (--prompt takes the text itself)"
        ),
    }
}

/// The modules of the model that are used.
fn tell(modules: &SentenceModules, options: &EmbedOptions, checkpoint: &Checkpoint, reporter: &Reporter) {
    let mut parts = Vec::new();
    if options.poolings.iter().copied().eq(modules.pooling.iter().map(|mode| Pooling::from(*mode))) {
        let names: Vec<&str> = modules.pooling.iter().map(|mode| mode.name()).collect();
        parts.push(format!("{} pooling", names.join("+")));
    }
    parts.extend(options.layers.iter().map(|layer| match layer {
        SentenceLayer::Dense { inputs, outputs, .. } => format!("Dense {inputs} to {outputs}"),
        other => other.name().to_owned(),
    }));
    if let Some(length) = modules.max_seq_length {
        parts.push(format!("max_seq_length {length}"));
    }
    if modules.lower_case {
        parts.push("do_lower_case".to_owned());
    }
    if !options.texts.prompt.is_empty() {
        parts.push(format!("prompt {:?}", options.texts.prompt));
    }
    reporter.note(&format!(
        "{}: using the modules of sentence-transformers: {} (--ignore-modules embeds with the encoder alone)",
        checkpoint.name,
        parts.join(", ")
    ));
}

fn no_array() -> Error {
    Error::InvalidOption {
        name: "dtype_out".to_owned(),
        problem: "f16 is for .npy, .safetensors and .parquet files; give --output FILE.npy".to_owned(),
    }
}

/// Rejects options that a table does not support.
fn check_table(args: &EmbedArgs, format: Format) -> Result<(), Error> {
    if args.attentions && matches!(format, Format::Table(_)) {
        return Err(Error::InvalidOption {
            name: "attentions".to_owned(),
            problem: "attention maps are written as JSON only; give --format jsonl".to_owned(),
        });
    }
    Ok(())
}

/// Rejects options that an array file does not support.
fn check_array(args: &EmbedArgs, kind: ArrayKind) -> Result<(), Error> {
    let usage = |name: &str, problem: &str| {
        Err(Error::InvalidOption { name: name.to_owned(), problem: problem.to_owned() })
    };
    if args.output.is_none() {
        return usage("format", "an array needs a file: give --output");
    }
    if args.attentions {
        return usage("attentions", "attention maps are written as JSON only; give --format jsonl");
    }
    if kind == ArrayKind::Npy && args.pooling.map(Pooling::from) == Some(Pooling::Tokens) {
        return usage("pooling", "tokens of different numbers make no .npy array; use .safetensors or jsonl");
    }
    Ok(())
}
