//! `albert info`: what a checkpoint is and holds.

use std::fmt::Write as _;
use std::io::IsTerminal;

use serde_json::{Value, json};

use albert::checkpoint::{Checkpoint, Inventory, SentenceLayer, SentenceModules, Summary};
use albert::io::{Format, OutputTarget};

use super::args::InfoArgs;
use super::exit::{ExitStatus, Failure};
use super::options;
use super::report::Reporter;

pub fn run(mut args: InfoArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    if args.checkpoint.is_some() {
        args.model.model = args.checkpoint.take();
    }
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let tensors = checkpoint.tensors()?;
    let inventory = Inventory::new(&tensors, &checkpoint.config)?;
    let summary = Summary::new(&checkpoint.config, &tensors, &inventory)?;
    // A checkpoint without its tokenizer is still worth describing.
    let tokenizer = match checkpoint.tokenizer() {
        Ok(tokenizer) => json!({
            "kind": tokenizer.kind().to_string(),
            "pieces": tokenizer.vocab_size(),
            "file": checkpoint.tokenizer_file().and_then(|path| Some(path.file_name()?.to_str()?.to_owned())),
            "model_max_length": tokenizer.model_max_length(),
            "truncation_side": tokenizer.truncation_side().name(),
        }),
        Err(error) => {
            reporter.warn(&error.to_string());
            Value::Null
        }
    };
    let c = &checkpoint.config;
    let described = json!({
        "model": checkpoint.name,
        "format": tensors.format().map(|f| f.to_string()),
        "files": tensors.file_count(),
        "file_bytes": tensors.file_bytes(),
        "architectures": c.architectures,
        "heads": summary.heads,
        "parameters": summary.parameters,
        "effective_parameters": summary.effective_parameters,
        "memory_bytes_f32": summary.parameters * 4,
        "flops_per_token": summary.flops_per_token,
        "layers": c.num_hidden_layers,
        "groups": c.num_hidden_groups,
        "inner_group_num": c.inner_group_num,
        "hidden_size": c.hidden_size,
        "embedding_size": c.embedding_size,
        "intermediate_size": c.intermediate_size,
        "attention_heads": c.num_attention_heads,
        "hidden_act": c.hidden_act.name(),
        "vocab_size": c.vocab_size,
        "max_position_embeddings": c.max_position_embeddings,
        "dtypes": summary.dtypes,
        "labels": c.labels,
        "tokenizer": tokenizer,
        "sentence_transformers": sentence_modules(&checkpoint, reporter),
        "missing": summary.missing,
        "no_parameters": summary.foreign,
        "unused": summary.unused,
        "odd": summary.odd,
    });
    let text = match args.format.resolve(std::io::stdout().is_terminal()) {
        Format::Text => for_eyes(&described),
        Format::Json => format!("{described:#}\n"),
        _ => format!("{described}\n"),
    };
    let mut out = OutputTarget::open(None)?;
    out.write(text.as_bytes())?;
    out.finish()?;
    Ok(ExitStatus::Done)
}

/// What `albert embed` takes from the files of sentence-transformers.
fn sentence_modules(checkpoint: &Checkpoint, reporter: &Reporter) -> Value {
    let Some(root) = &checkpoint.modules else { return Value::Null };
    let modules = match SentenceModules::read(root) {
        Ok(modules) => modules,
        Err(error) => {
            reporter.warn(&error.to_string());
            return Value::Null;
        }
    };
    let pooling: Vec<&str> = modules.pooling.iter().map(|mode| mode.name()).collect();
    let layers: Vec<&str> = modules.layers.iter().map(SentenceLayer::name).collect();
    json!({
        "pooling": pooling,
        "layers": layers,
        "max_seq_length": modules.max_seq_length,
        "do_lower_case": modules.lower_case,
        "default_prompt": modules.default_prompt,
        "include_prompt": modules.include_prompt,
    })
}

/// One line per key, large numbers in groups of three digits.
fn for_eyes(described: &Value) -> String {
    let mut out = String::new();
    for (key, value) in described.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Null => "none".to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(n) => grouped(&n.to_string()),
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            Value::Array(items) => items
                .iter()
                .map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        let _infallible = writeln!(out, "{:<24} {shown}", key.replace('_', " "));
    }
    out
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.chars().all(|c| c.is_ascii_digit()) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_groups() {
        assert_eq!(grouped("11683584"), "11,683,584");
        assert_eq!(grouped("12"), "12");
        assert_eq!(grouped("1.5"), "1.5");
    }
}
