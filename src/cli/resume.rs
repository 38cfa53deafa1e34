//! Resumes an interrupted stream. A description of the run is stored next to its partial output and compared with the
//! current run.

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory;
use serde::{Deserialize, Serialize};

use albert::checkpoint::{Checkpoint, Origin};
use albert::error::count;
use albert::io::{
    Complete, Fingerprint, Format, Leftover, OutputTarget, Source, TableKind, fingerprint,
    fingerprint_of_directory,
};
use albert::{Error, Result};

use super::args::Cli;
use super::args::common::ModelArgs;
use super::output::wording;

/// Options that do not affect the output, or whose files are compared instead.
const OTHER_OPTIONS: [&str; 20] = [
    "base-model",
    "batch-tokens",
    "color",
    "context",
    "device",
    "help",
    "id-field",
    "ids",
    "input",
    "model",
    "offline",
    "on-error",
    "output",
    "progress",
    "quiet",
    "resume",
    "seed",
    "threads",
    "tokenizer",
    "verbose",
];

/// Everything that the output of a run depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Description {
    /// The version of the program. This key comes first and identifies the file as a description.
    albert: String,
    command: String,
    /// The input files, in order.
    inputs: Vec<(String, Fingerprint)>,
    context: Option<Fingerprint>,
    model: String,
    options: Options,
}

impl Description {
    /// Describes this run. Returns `None` if it cannot be resumed because its input is not a file, or its output has a
    /// format other than JSON lines, CSV, TSV, `.npy` or, in numbered files, Parquet.
    ///
    /// # Errors
    /// [`Error::Io`] for files that cannot be read.
    pub(super) fn of_this_run(
        source: &Source,
        target: &OutputTarget,
        format: Format,
        in_files: bool,
    ) -> Result<Option<Self>> {
        let Some(paths) = source.files() else { return Ok(None) };
        if target.leftover().is_none() || !can_continue(format, in_files) {
            return Ok(None);
        }
        let Some((command, options, context)) = arguments(format) else { return Ok(None) };
        let context = match context.as_deref() {
            Some(context) if !Path::new(context).is_file() => return Ok(None),
            Some(context) => Some(fingerprint(Path::new(context))?),
            None => None,
        };
        Ok(Some(Self {
            albert: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            inputs: paths
                .iter()
                .map(|path| Ok((path.display().to_string(), fingerprint(path)?)))
                .collect::<Result<_>>()?,
            context,
            model: String::new(),
            options,
        }))
    }

    /// Adds the model to the description.
    ///
    /// # Errors
    /// [`Error::Io`] for files that cannot be read.
    pub(super) fn set_model(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let mut parts = Vec::new();
        match &checkpoint.origin {
            Origin::Embedded { task } => parts.push(format!("embedded {task:?}")),
            Origin::Directory { directory, weights } => {
                parts.push(of_model(directory)?);
                if weights.parent().is_some_and(|parent| parent != directory) {
                    parts.push(of_model(weights)?);
                }
            }
        }
        let adapter = checkpoint.adapter.as_ref().map(|adapter| &adapter.directory);
        let others = [adapter, checkpoint.tokenizer_path.as_ref(), checkpoint.modules.as_ref()];
        for path in others.into_iter().flatten() {
            parts.push(of_model(path)?);
        }
        self.model = parts.join(" ");
        Ok(())
    }

    /// Adds a tokenizer without a model to the description.
    ///
    /// # Errors
    /// [`Error::Io`] for files that cannot be read.
    pub(super) fn set_tokenizer(&mut self, args: &ModelArgs) -> Result<()> {
        let Some(named) = args.tokenizer.as_ref().or(args.model.as_ref()) else { return Ok(()) };
        let path = Path::new(named);
        // A hub id is identified by its name.
        self.model = if path.exists() { of_model(path)? } else { named.clone() };
        Ok(())
    }

    /// Returns the content of `FILE.partial.json`.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Checks that an interrupted run had the same input and options. Returns a warning about differences that cannot be
    /// ruled out.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] that names the difference.
    pub(super) fn check(&self, leftover: &Leftover) -> Result<Option<String>> {
        let earlier = earlier(leftover)?;
        let differs = |what: String| Err(refused(leftover, &what));
        if earlier.albert != self.albert {
            return differs(format!("was written by albert {}", earlier.albert));
        }
        if earlier.command != self.command {
            return differs(format!("was written by albert {}", earlier.command));
        }
        let names = earlier.options.keys().chain(self.options.keys());
        let value = |options: &Options, name: &str| {
            options.get(name).map_or_else(|| "unset".to_owned(), |values| values.join(" "))
        };
        for name in names {
            let (before, now) = (value(&earlier.options, name), value(&self.options, name));
            if before != now {
                let name = wording::flag(name).unwrap_or_else(|| name.clone());
                return differs(format!("was written with {name} {before}; now it is {now}"));
            }
        }
        let (before, now) = (earlier.inputs.len(), self.inputs.len());
        if before != now {
            return differs(format!(
                "was written from {}; now the number is {now}",
                count(before, "input file")
            ));
        }
        let inputs = || earlier.inputs.iter().zip(&self.inputs);
        let same = |a: &Fingerprint, b: &Fingerprint| (a.bytes, &a.samples) == (b.bytes, &b.samples);
        if let Some(((before, _), (now, _))) = inputs().find(|((_, before), (_, now))| !same(before, now)) {
            return differs(format!("was written from {before}, which is not the same as {now} now"));
        }
        let (before, now) = (earlier.context.as_ref(), self.context.as_ref());
        if before.map(|context| &context.samples) != now.map(|context| &context.samples) {
            return differs("was written with another --context".to_owned());
        }
        let touched = inputs().find(|((_, before), (_, now))| before.modified != now.modified);
        Ok(touched.map(|(_, (input, _))| {
            format!(
                "{input} has a different date from the input of the interrupted run; its length and samples of its content are the \
                 same"
            )
        }))
    }

    /// Checks that an interrupted run used the same model.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub(super) fn check_model(&self, leftover: &Leftover) -> Result<()> {
        if earlier(leftover)?.model == self.model {
            return Ok(());
        }
        Err(refused(leftover, "was written with another model or tokenizer"))
    }
}

/// Returns true if an interrupted output of this format can be continued, possibly with the next of several files.
fn can_continue(format: Format, in_files: bool) -> bool {
    Complete::is_known(format) || (in_files && matches!(format, Format::Table(_) | Format::Array(_)))
}

/// Returns the error for a run that can never be resumed, with the reason.
pub(super) fn impossible(source: &Source, target: &OutputTarget, format: Format, in_files: bool) -> Error {
    let problem = match source {
        _ if matches!(target, OutputTarget::Stdout(_)) => "needs --output FILE",
        _ if target.leftover().is_none() => "needs an --output in a directory that takes new files",
        _ if format == Format::Table(TableKind::Parquet) && !in_files => {
            "continues Parquet only with --records-per-file"
        }
        _ if !can_continue(format, in_files) => "continues only JSON lines, CSV, TSV and .npy files",
        Source::File(_) | Source::Files(_) => {
            "needs files: a pipe may hold something else than in the interrupted run"
        }
        _ => "needs --input FILE: other input may differ from that of the interrupted run",
    };
    Error::InvalidOption { name: "resume".to_owned(), problem: problem.to_owned() }
}

fn refused(leftover: &Leftover, what: &str) -> Error {
    let partial = leftover.path.display();
    Error::InvalidOption {
        name: "resume".to_owned(),
        problem: format!("{partial} {what}; run the same command again, or remove {partial} to start over"),
    }
}

fn earlier(leftover: &Leftover) -> Result<Description> {
    let description: Option<Description> =
        leftover.description.as_deref().and_then(|json| serde_json::from_slice(json).ok());
    let mut description = description.ok_or_else(|| {
        refused(leftover, &format!("has no description in {}.json that can be read", leftover.path.display()))
    })?;
    description.options = description.options.into_iter().map(|(key, value)| (name_of(key), value)).collect();
    Ok(description)
}

/// Returns the option name for a key of a description. Older versions stored options as typed, with hyphens.
fn name_of(key: String) -> String {
    key.strip_prefix("--").map(|flag| flag.replace('-', "_")).unwrap_or(key)
}

/// Values of options, by name in snake case.
type Options = BTreeMap<String, Vec<String>>;

/// Returns the subcommand, the values (including defaults) of options that affect the output, and the file of
/// `--context`.
fn arguments(format: Format) -> Option<(String, Options, Option<String>)> {
    let mut cli = Cli::command();
    // The command line has already been parsed once, so this succeeds.
    let matches = cli.try_get_matches_from_mut(std::env::args_os()).ok()?;
    let (name, matches) = matches.subcommand()?;
    let mut options = BTreeMap::new();
    let mut context = None;
    // In a table, `--on-error` adds a column for errors.
    let is_table = matches!(format, Format::Table(_));
    for argument in cli.find_subcommand(name)?.get_arguments() {
        let id = argument.get_id().as_str();
        let Ok(Some(values)) = matches.try_get_raw(id) else { continue };
        let values: Vec<String> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let long = argument.get_long().unwrap_or(id);
        if long == "context" {
            context = values.first().cloned();
        } else if !OTHER_OPTIONS.contains(&long) || (long == "on-error" && is_table) {
            options.insert(long.replace('-', "_"), values);
        }
    }
    Some((name.to_owned(), options, context))
}

/// Returns the fingerprint of a model's directory, or of a model file and the files next to it.
fn of_model(path: &Path) -> Result<String> {
    let directory = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    fingerprint_of_directory(directory, &is_of_model)
}

/// Returns true for names of weights, configurations and tokenizers. The output of a run may be in the same directory.
fn is_of_model(name: &str) -> bool {
    const STARTS: [&str; 9] = [
        "adapter_",
        "added_tokens",
        "config",
        "modules.json",
        "sentence_",
        "special_tokens",
        "spiece",
        "tokenizer",
        "vocab",
    ];
    const ENDS: [&str; 12] = [
        ".bin",
        ".ckpt",
        ".h5",
        ".index",
        ".model",
        ".msgpack",
        ".onnx",
        ".onnx_data",
        ".ot",
        ".pt",
        ".pth",
        ".safetensors",
    ];
    let partial = name.ends_with(".partial") || name.ends_with(".partial.json");
    !partial
        && (STARTS.iter().any(|start| name.starts_with(start))
            || ENDS.iter().any(|end| name.ends_with(end))
            || name.contains(".data-"))
}
