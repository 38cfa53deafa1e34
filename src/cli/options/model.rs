//! Finds models and tokenizers that the user named.

use std::path::{Path, PathBuf};

use albert::checkpoint::{Adapter, Checkpoint, EmbeddedTask, Origin};
use albert::tokenizer::Tokenizer;
use albert::{Error, Result};

use super::hub::{from_hub, tokenizer_from_hub};
use crate::cli::args::common::ModelArgs;
use crate::cli::output::report::Reporter;

/// The name of the built-in model.
const EMBEDDED: &str = "embedded";

/// Finds the checkpoint that the user named.
///
/// # Errors
/// Errors from [`Checkpoint`] and from the hub.
pub(crate) fn checkpoint(args: &ModelArgs, reporter: &Reporter) -> Result<Checkpoint> {
    checkpoint_for(args, None, reporter)
}

/// Like [`checkpoint`], but defaults to the built-in model with its head for `task`.
///
/// # Errors
/// Errors from [`Checkpoint`] and from the hub.
pub(crate) fn checkpoint_for(
    args: &ModelArgs,
    task: Option<EmbeddedTask>,
    reporter: &Reporter,
) -> Result<Checkpoint> {
    let mut checkpoint = named_checkpoint(args, task, reporter)?;
    checkpoint.allow_non_finite = args.allow_non_finite;
    if let Some(named) = &args.tokenizer {
        checkpoint.tokenizer_path = Some(tokenizer_path(named, args.offline, reporter)?);
    }
    Ok(checkpoint)
}

fn named_checkpoint(args: &ModelArgs, task: Option<EmbeddedTask>, reporter: &Reporter) -> Result<Checkpoint> {
    let base_unused = |model: &str| match &args.base_model {
        None => Ok(()),
        Some(_) => Err(Error::InvalidOption {
            name: "base_model".to_owned(),
            problem: format!("{model} is not a PEFT adapter, so it has no base model"),
        }),
    };
    let Some(model) = model_name(args)? else {
        base_unused("the built-in model")?;
        let checkpoint = Checkpoint::embedded_for(task)?;
        let what = match checkpoint.origin {
            Origin::Embedded { task: Some(EmbeddedTask::Sentiment) } => ", trained for sentiment",
            Origin::Embedded { task: Some(EmbeddedTask::Entities) } => {
                ", trained to find persons, places and organizations"
            }
            _ => "",
        };
        reporter.note(&format!("using the small built-in model{what} (--model selects another)"));
        return Ok(checkpoint);
    };
    let path = located(model, args.offline, reporter)?;
    if let Some(adapter) = Adapter::at(&path)? {
        return merged(model, adapter, args, reporter);
    }
    base_unused(model)?;
    let mut checkpoint = Checkpoint::local(&path)?;
    checkpoint.name = model.to_owned();
    Ok(checkpoint)
}

/// Returns the name of the model; `None` for the built-in one. The environment variable may be empty, but an empty option
/// is a mistake, such as an unset variable of a script.
///
/// # Errors
/// [`Error::InvalidOption`] for an empty option.
fn model_name(args: &ModelArgs) -> Result<Option<&str>> {
    match args.model.as_deref() {
        Some("") if std::env::var_os("ALBERT_MODEL").is_none_or(|variable| !variable.is_empty()) => {
            Err(Error::InvalidOption {
                name: "model".to_owned(),
                problem: "the name is empty; is a variable of a script unset?".to_owned(),
            })
        }
        Some(model) if model.is_empty() || (model == EMBEDDED && !Path::new(model).exists()) => Ok(None),
        model => Ok(model),
    }
}

/// Merges an adapter into its base model: the one that the user named, otherwise the one in the adapter's configuration.
fn merged(model: &str, adapter: Adapter, args: &ModelArgs, reporter: &Reporter) -> Result<Checkpoint> {
    let locate = |name: &str| located(name, args.offline, reporter);
    let base = Checkpoint::base_for(&adapter, model, args.base_model.as_deref(), locate)?;
    reporter.detail(|| format!("{model}: adapter ({}) merged into {}", adapter.description(), base.name));
    base.with_adapter(model, adapter)
}

/// Returns the path of a model: the given path if it exists, otherwise one in the hub cache.
fn located(model: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    let path = PathBuf::from(model);
    if Checkpoint::is_local(&path) { Ok(path) } else { from_hub(model, offline, reporter) }
}

/// Returns the file or directory of a tokenizer: the given path if it exists, otherwise the files of a hub id.
///
/// # Errors
/// [`Error::InvalidOption`] if the name is neither; errors from the hub.
pub(crate) fn tokenizer_path(named: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    let path = PathBuf::from(named);
    if path.exists() {
        return Ok(path);
    }
    tokenizer_from_hub(named, offline, reporter)
}

/// Loads the tokenizer of a model, of a directory without weights, or from a tokenizer file.
///
/// # Errors
/// Errors from reading the tokenizer's files.
pub(crate) fn tokenizer(args: &ModelArgs, reporter: &Reporter) -> Result<Tokenizer> {
    if let Some(named) = &args.tokenizer {
        return Tokenizer::from_path(&tokenizer_path(named, args.offline, reporter)?);
    }
    match args.model.as_deref().map(Path::new) {
        Some(path) if path.is_dir() => match (Tokenizer::from_dir(path), Adapter::at(path)) {
            (Ok(tokenizer), _) => Ok(tokenizer),
            (Err(_), Ok(Some(_))) => checkpoint(args, reporter)?.tokenizer(),
            // In a sentence-transformers directory, the tokenizer may be in the model's subdirectory.
            (Err(error), _) => Checkpoint::local(path).map_err(|_| error)?.tokenizer(),
        },
        Some(path) if path.is_file() && is_tokenizer_file(path) => Tokenizer::from_file(path),
        _ => checkpoint(args, reporter)?.tokenizer(),
    }
}

fn is_tokenizer_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "model" || e == "json" || e == "txt")
        && !path.to_string_lossy().ends_with(".index.json")
}
