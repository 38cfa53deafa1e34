//! Describes a model for `albert info`.

use std::cmp::Ordering;
use std::path::Path;

use serde_json::{Map, Value, json};

use albert::checkpoint::{Adapter, Checkpoint, Inventory, SentenceLayer, SentenceModules, Summary, Tensors};
use albert::tokenizer::Tokenizer;
use albert::{Error, Result};

use super::report::Reporter;
use super::wording;

/// Returns the description of a checkpoint as a JSON object.
///
/// # Errors
/// Errors from reading its weight files.
pub(crate) fn described_model(checkpoint: &Checkpoint, reporter: &Reporter) -> Result<Value> {
    let tensors = checkpoint.tensors()?;
    let inventory = Inventory::new(&tensors, &checkpoint.config)?;
    let summary = Summary::new(&checkpoint.config, &tensors, &inventory)?;
    let mut warnings: Vec<String> =
        summary.warnings.iter().map(|text| wording::rephrase_error(text)).collect();
    // A checkpoint without its tokenizer is still worth describing.
    let tokenizer = match checkpoint.tokenizer() {
        Ok(tokenizer) => {
            warnings.extend(vocabulary_warning(checkpoint.config.vocab_size, tokenizer.id_bound()));
            warnings.extend(switch_warning(&tokenizer));
            described_tokenizer(&tokenizer, checkpoint.tokenizer_file().as_deref())
        }
        Err(error) => {
            reporter.warn(&wording::message(&error));
            Value::Null
        }
    };
    let c = &checkpoint.config;
    let mut described = json!({
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
        "sentence_transformers": sentence_modules(checkpoint, reporter),
        "missing": summary.missing,
        "unrecognized": summary.unrecognized,
        "unused": summary.unused,
        "warnings": warnings,
    });
    if let Some(quantization) = tensors.quantization() {
        described["quantization"] = quantization.method.clone().into();
    }
    if let Some(adapter) = &checkpoint.adapter {
        described["adapter"] = adapter.description().into();
        described["base_model"] = adapter.base().into();
    }
    Ok(described)
}

/// Returns the description of an adapter whose base model cannot be read.
pub(crate) fn adapter_alone(adapter: &Adapter, error: &Error) -> Value {
    let tensors = adapter.tensors();
    let sum = |tensors: &Tensors| -> u64 {
        tensors.infos().iter().map(|info| info.shape.iter().map(|n| *n as u64).product::<u64>()).sum()
    };
    let mut warnings = vec![wording::message(error)];
    warnings.extend(tensors.as_ref().err().map(wording::message));
    let tensors = tensors.ok();
    json!({
        "model": adapter.directory,
        "format": tensors.as_ref().and_then(Tensors::format).map(|f| f.to_string()),
        "file_bytes": tensors.as_ref().map(Tensors::file_bytes),
        "adapter": adapter.description(),
        "base_model": adapter.base(),
        "parameters": tensors.as_ref().map(sum),
        "warnings": warnings,
    })
}

/// Describes a mismatch between the number of embeddings in the model and of ids in the tokenizer, if there is one.
fn vocabulary_warning(rows: usize, ids: usize) -> Option<String> {
    match rows.cmp(&ids) {
        Ordering::Equal => None,
        Ordering::Greater => Some(format!(
            "the model has embeddings for {rows} tokens, the tokenizer has {ids}: {} are never used (are tokens \
             missing that were added to the tokenizer?)",
            rows - ids
        )),
        Ordering::Less => Some(format!(
            "the tokenizer has {ids} tokens, the model has embeddings for {rows}: texts that contain one of the \
             last {} cannot be used",
            ids - rows
        )),
    }
}

/// Describes changes to the normalizer of a `tokenizer.json`, if there are any.
fn switch_warning(tokenizer: &Tokenizer) -> Option<String> {
    let changed = tokenizer.changed_switches();
    (!changed.is_empty()).then(|| {
        format!("tokenizer_config.json overrides the normalizer of tokenizer.json: {}", changed.join(", "))
    })
}

/// Returns the description of a directory that contains only a tokenizer; `None` if it has none.
pub(crate) fn tokenizer_alone(path: &Path, error: &Error) -> Option<Value> {
    let tokenizer = Tokenizer::from_dir(path).ok()?;
    let file = Tokenizer::file_in(path).ok()?;
    let mut warnings = vec![wording::message(error)];
    warnings.extend(switch_warning(&tokenizer));
    Some(json!({
        "model": path,
        "tokenizer": described_tokenizer(&tokenizer, Some(&file)),
        "warnings": warnings,
    }))
}

/// Returns the kind and size of a tokenizer and, if known, its class and the type of its SentencePiece model.
fn described_tokenizer(tokenizer: &Tokenizer, file: Option<&Path>) -> Value {
    let mut described = json!({
        "kind": tokenizer.kind().to_string(),
        "pieces": tokenizer.vocab_size(),
        "file": file.and_then(|path| path.file_name()?.to_str()),
        "model_max_length": tokenizer.model_max_length(),
        "truncation_side": tokenizer.truncation_side().name(),
    });
    for (key, value) in [("class", tokenizer.class()), ("model_type", tokenizer.model_type())] {
        if let Some(value) = value {
            described[key] = value.into();
        }
    }
    let added = tokenizer.user_tokens().into_iter().map(|(id, token)| (token.content.clone(), id.into()));
    let added: Map<String, Value> = added.collect();
    if !added.is_empty() {
        described["added"] = added.into();
    }
    described
}

/// Returns the settings that `albert embed` takes from sentence-transformers' files.
fn sentence_modules(checkpoint: &Checkpoint, reporter: &Reporter) -> Value {
    let Some(root) = &checkpoint.modules else { return Value::Null };
    let modules = match SentenceModules::read(root) {
        Ok(modules) => modules,
        Err(error) => {
            reporter.warn(&wording::message(&error));
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
