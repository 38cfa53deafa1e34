//! The settings of `albert embed`, from the arguments and the model's modules.

use albert::Error;
use albert::checkpoint::{Checkpoint, SentenceLayer, SentenceModules};
use albert::io::{ArrayKind, Format};
use albert::tasks::{EmbedOptions, Pooling, TextRules};

use crate::cli::args::embed::{EmbedArgs, OutputTypeArg};
use crate::cli::output::report::Reporter;

/// Combines the user's settings with those of the model's modules, which are the defaults.
pub(super) fn embed_options(
    args: &EmbedArgs,
    modules: Option<&SentenceModules>,
) -> Result<EmbedOptions, Error> {
    let named = match (&args.prompt_name, modules) {
        (None, _) => None,
        (Some(name), modules) => {
            let prompt = modules.and_then(|modules| modules.prompt(name));
            Some(prompt.ok_or_else(|| unknown_prompt(name, modules))?)
        }
    };
    let defaults = modules.map_or_else(EmbedOptions::default, EmbedOptions::of_modules);
    let prompt = args.prompt.as_deref().or(named).map_or(defaults.texts.prompt, str::to_owned);
    let poolings = args.pooling.map_or(defaults.poolings, |pooling| vec![pooling]);
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

/// Reports which of the model's modules are used.
pub(super) fn report_settings(
    modules: &SentenceModules,
    options: &EmbedOptions,
    checkpoint: &Checkpoint,
    reporter: &Reporter,
) {
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

pub(super) fn no_array() -> Error {
    Error::InvalidOption {
        name: "dtype_out".to_owned(),
        problem: "f16 is for .npy, .safetensors and .parquet files; use --output FILE.npy".to_owned(),
    }
}

/// Rejects options that a table does not support.
pub(super) fn check_table(args: &EmbedArgs, format: Format) -> Result<(), Error> {
    if args.attentions && matches!(format, Format::Table(_)) {
        return Err(Error::InvalidOption {
            name: "attentions".to_owned(),
            problem: "attention maps are written as JSON only; use --format jsonl".to_owned(),
        });
    }
    Ok(())
}

/// Rejects options that an array file does not support.
pub(super) fn check_array(args: &EmbedArgs, kind: ArrayKind) -> Result<(), Error> {
    let usage = |name: &str, problem: &str| {
        Err(Error::InvalidOption { name: name.to_owned(), problem: problem.to_owned() })
    };
    if args.output.is_none() {
        return usage("format", "an array needs a file: use --output");
    }
    if args.attentions {
        return usage("attentions", "attention maps are written as JSON only; use --format jsonl");
    }
    if kind == ArrayKind::Npy && args.pooling == Some(Pooling::Tokens) {
        return usage(
            "pooling",
            "texts have different numbers of tokens, which do not fit into a .npy array; use .safetensors or jsonl",
        );
    }
    Ok(())
}
