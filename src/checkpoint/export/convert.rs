//! Converts any checkpoint into a Hugging Face directory that transformers can load.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::json::{config_json, write_json};
use super::onnx::write_onnx;
use super::onnx_graph::build;
use super::planned::Planned;
use super::progress::{ConvertProgress, Progress};
use super::pytorch::PyTorchWriter;
use super::safetensors::SafetensorsWriter;
use super::sentence_files::write_modules;
use super::tokenizer_files::TokenizerFiles;
use crate::checkpoint::architecture::Architecture;
use crate::checkpoint::inventory::Inventory;
use crate::checkpoint::layout::{cast, is_finite};
use crate::checkpoint::load::{MlmBias, mlm_bias_source};
use crate::checkpoint::naming::names::is_buffer;
use crate::checkpoint::quantization::Quantization;
use crate::checkpoint::resolve::Checkpoint;
use crate::checkpoint::summary::expected_shapes;
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};
use crate::io::StagedDirectory;
use crate::tokenizer::{Tokenizer, TokenizerKind};

/// Format of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// `model.safetensors`.
    #[default]
    Safetensors,
    /// `pytorch_model.bin`, a zip archive as written by `torch.save`.
    PyTorch,
    /// `model.onnx`, including the graph of the class.
    Onnx,
}

/// Options of a conversion.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConvertOptions {
    /// The float type of the stored weights. `None` keeps the source's type.
    pub dtype: Option<Dtype>,
    /// Format of the weights.
    pub format: WeightFormat,
    /// The class to save as. `None` selects the best match.
    pub architecture: Option<Architecture>,
    /// The masked-LM bias to keep if two differ.
    pub mlm_bias: MlmBias,
    /// Skips the tokenizer, which then need not exist.
    pub without_tokenizer: bool,
    /// Maximum size of a weight file in bytes. Larger weights are sharded.
    pub max_shard_bytes: Option<u64>,
}

/// Result of a conversion.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The class that was saved.
    pub architecture: Architecture,
    /// Number of tensors.
    pub tensors: usize,
    /// Total number of values.
    pub parameters: u64,
    /// Paths of the files in the directory, with their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// Parameters of the source that have no place in the class.
    pub left_out: Vec<String>,
    /// Number of tensors in the source that are not parameters.
    pub unrecognized: usize,
    /// Unusual properties, one line each.
    pub notes: Vec<String>,
    /// Changes to the names of the source's tensors, one line each.
    pub details: Vec<String>,
}

/// Converts `checkpoint` into the new directory `destination`. Everything is written to a temporary directory next to it,
/// which is renamed once it is complete. `progress` is called before each tensor is written, and cancels the conversion
/// with [`ControlFlow::Break`].
///
/// # Errors
/// [`Error::BadFile`] if the destination exists and is not empty; [`Error::Weights`] for missing tensors;
/// [`Error::InvalidOption`] if the source has no readable tokenizer and is to be converted with one; errors from reading
/// and writing. On an error, nothing is left behind.
pub fn convert(
    checkpoint: &Checkpoint,
    destination: &Path,
    options: &ConvertOptions,
    progress: &mut dyn FnMut(ConvertProgress<'_>) -> ControlFlow<()>,
) -> Result<Converted> {
    StagedDirectory::check(destination)?;
    if options.format == WeightFormat::Onnx {
        check_onnx(options)?;
    }
    let tokenizer = if options.without_tokenizer { None } else { Some(tokenizer_of(checkpoint)?) };
    let tensors = checkpoint.tensors()?;
    tensors.check_readable(&checkpoint.config)?;
    let inventory = Inventory::new(&tensors, &checkpoint.config)?;
    let architecture =
        options.architecture.unwrap_or_else(|| Architecture::of(&inventory, &checkpoint.config));
    let mut notes: Vec<String> = inventory.unknown_head().map(str::to_owned).into_iter().collect();
    notes.extend(tensors.quantization().map(Quantization::note));
    if options.architecture.is_none() && inventory.one_output_of_google(&checkpoint.config) {
        notes.push(
            "the classifier has one output and is converted as multiple choice (RACE); use option head=classify if it scores \
             texts (STS-B)"
                .to_owned(),
        );
    }
    let (planned, left_out) = plan(&inventory, checkpoint, architecture, options, &mut notes)?;

    let temporary = StagedDirectory::create(destination)?;
    let folder = temporary.path();
    if options.format == WeightFormat::Onnx {
        let built = build(&checkpoint.config, architecture)
            .map_err(|problem| Error::Weights { path: inventory.path().to_owned(), problem })?;
        let source = |name: &str| {
            let bare = name.trim_start_matches("albert.");
            let planned = planned.iter().find(|p| p.name == name || p.name == bare);
            planned.map_or_else(|| name.to_owned(), |p| p.canonical.clone())
        };
        write_onnx(&folder.join("model.onnx"), &built, &inventory, &source, progress)?;
    } else {
        write_weights(folder, &planned, &inventory, options, progress)?;
    }
    // transformers 5.x loads all weights in the type that the configuration names.
    let floats = planned.iter().map(|tensor| tensor.dtype).filter(|dtype| dtype.is_float());
    let dtype = floats.reduce(|a, b| if a == b { a } else { Dtype::F32 }).unwrap_or(Dtype::F32);
    write_json(&folder.join("config.json"), &config_json(&checkpoint.config, architecture, dtype))?;
    if let Some(tokenizer) = tokenizer {
        let positions = checkpoint.config.max_position_embeddings;
        TokenizerFiles::of(checkpoint).write(folder, &tokenizer, positions)?;
        if !folder.join("tokenizer.json").exists() {
            notes.extend(tokenizer.json_obstacle().map(|obstacle| {
                let reader = match tokenizer.kind() {
                    TokenizerKind::Japanese => "BertJapaneseTokenizer reads the other files",
                    _ => {
                        "AlbertTokenizer of transformers 4 gives the same ids (AutoTokenizer does with use_fast=False); \
                         5.x does not"
                    }
                };
                format!("no tokenizer.json was written ({obstacle}): {reader}")
            }));
        }
        let (tokens, rows) = (tokenizer.id_bound(), checkpoint.config.vocab_size);
        if tokens > rows {
            notes.push(format!(
                "the tokenizer has {tokens} tokens, but the model only {rows} embeddings: they do not belong together"
            ));
        }
    }
    if let Some(root) = &checkpoint.modules {
        notes.extend(write_modules(root, folder)?);
    }

    let files = temporary.finish()?;
    Ok(Converted {
        architecture,
        tensors: planned.len(),
        parameters: planned.iter().map(Planned::elements).sum(),
        files,
        left_out,
        unrecognized: inventory.unrecognized().len(),
        notes,
        details: inventory.notes().to_vec(),
    })
}

/// Loads the tokenizer to write.
fn tokenizer_of(checkpoint: &Checkpoint) -> Result<Tokenizer> {
    checkpoint.tokenizer().map_err(|error| Error::InvalidOption {
        name: "tokenizer".to_owned(),
        problem: format!("{error}; option no_tokenizer converts the model without one"),
    })
}

/// Checks that the options are compatible with ONNX: one file, in f32.
fn check_onnx(options: &ConvertOptions) -> Result<()> {
    let usage = |name: &str, problem: &str| {
        Err(Error::InvalidOption { name: name.to_owned(), problem: problem.to_owned() })
    };
    if options.dtype.is_some_and(|dtype| dtype != Dtype::F32) {
        return usage("dtype", "ONNX models are written in f32");
    }
    if options.max_shard_bytes.is_some() {
        return usage("max_shard_size", "an ONNX model is one file");
    }
    Ok(())
}

/// Returns the tensors to write, and the parameters of the source that are left out.
fn plan(
    inventory: &Inventory,
    checkpoint: &Checkpoint,
    architecture: Architecture,
    options: &ConvertOptions,
    notes: &mut Vec<String>,
) -> Result<(Vec<Planned>, Vec<String>)> {
    let config = &checkpoint.config;
    let weights = |problem: String| Error::Weights { path: inventory.path().to_owned(), problem };
    let held = inventory.heads(config);
    if let Some(head) = architecture.heads().iter().find(|head| !held.contains(head)) {
        let parts = inventory.parts(config);
        return Err(weights(format!(
            "{} needs {}, and the checkpoint holds {}",
            architecture.class(),
            crate::checkpoint::inventory::head_with_article(*head),
            if parts.is_empty() { "no part of an ALBERT".to_owned() } else { parts.join(", ") }
        )));
    }
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut planned = Vec::new();
    let mut missing = Vec::new();
    let mut misshapen = Vec::new();
    for (canonical, expected) in expected_shapes(config, architecture.heads()) {
        let mut source = canonical.clone();
        if canonical == "predictions.bias" {
            let (chosen, note) = mlm_bias_source(inventory, options.mlm_bias)?;
            source = chosen.to_owned();
            notes.extend(note);
            used.extend(["predictions.bias".to_owned(), "predictions.decoder.bias".to_owned()]);
        }
        let Some(shape) = inventory.shape(&source) else {
            missing.push(canonical);
            continue;
        };
        if shape != expected {
            misshapen.push(format!("{source} is {shape:?}, the configuration asks for {expected:?}"));
        }
        let stored = inventory.dtype(&source).unwrap_or(Dtype::F32);
        let wide = stored == Dtype::F64 || options.format == WeightFormat::Onnx;
        let dtype = options.dtype.unwrap_or(if wide { Dtype::F32 } else { stored });
        let name = match architecture {
            Architecture::Base => canonical.trim_start_matches("albert.").to_owned(),
            _ => canonical.clone(),
        };
        let tensor = Planned { name, canonical: source.clone(), shape, dtype };
        // transformers 5 ties the two biases only if it ties the weights.
        let has_own_bias = canonical == "predictions.bias"
            && !config.tie_word_embeddings
            && options.format != WeightFormat::Onnx;
        let copy =
            has_own_bias.then(|| Planned { name: "predictions.decoder.bias".to_owned(), ..tensor.clone() });
        planned.push(tensor);
        planned.extend(copy);
        used.insert(source);
    }
    if !missing.is_empty() {
        let shown: Vec<&str> = missing.iter().take(5).map(String::as_str).collect();
        let reason =
            missing.iter().find_map(|name| Some(format!("; {name} {}", inventory.unreadable(name)?)));
        return Err(weights(format!(
            "{} tensors that {} needs are missing: {}{}{}",
            missing.len(),
            architecture.class(),
            shown.join(", "),
            if missing.len() > shown.len() { ", ..." } else { "" },
            reason.unwrap_or_default()
        )));
    }
    if let Some(first) = misshapen.first() {
        let problem = format!(
            "{} tensors do not have the shape that the configuration asks for: {first}; is it the one that belongs to \
             these weights?",
            misshapen.len()
        );
        return Err(weights(problem));
    }
    if config.tie_word_embeddings {
        used.insert("predictions.decoder.weight".to_owned());
    }
    let left_out = inventory
        .canonical_names()
        .filter(|name| !used.contains(*name) && !is_buffer(name))
        .map(str::to_owned)
        .collect();
    Ok((planned, left_out))
}

/// Reads the bytes of a parameter in the output's float type.
fn bytes_of(inventory: &Inventory, planned: &Planned) -> Result<Vec<u8>> {
    let (bytes, dtype) = inventory.read_bytes_finite(&planned.canonical, false)?;
    let finite = is_finite(&bytes, dtype);
    let bytes =
        cast(bytes, dtype, planned.dtype).ok_or_else(|| inventory.no_floats(&planned.canonical, dtype))?;
    if finite && !is_finite(&bytes, planned.dtype) {
        let problem = format!(
            "tensor \"{}\" has values beyond the range of {}; option dtype=bf16 or f32 holds them",
            planned.name, planned.dtype
        );
        return Err(Error::Weights { path: inventory.path().to_owned(), problem });
    }
    Ok(bytes)
}

/// Splits tensors into groups of at most `most` bytes. A larger tensor forms a group of its own.
fn shards(planned: &[Planned], most: Option<u64>) -> Vec<&[Planned]> {
    let Some(most) = most else { return vec![planned] };
    let mut shards = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (i, tensor) in planned.iter().enumerate() {
        if i > from && bytes + tensor.bytes() > most {
            shards.push(&planned[from..i]);
            (from, bytes) = (i, 0);
        }
        bytes += tensor.bytes();
    }
    shards.push(&planned[from..]);
    shards
}

fn write_weights(
    folder: &Path,
    planned: &[Planned],
    inventory: &Inventory,
    options: &ConvertOptions,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let pytorch = options.format == WeightFormat::PyTorch;
    let (stem, ending) = if pytorch { ("pytorch_model", "bin") } else { ("model", "safetensors") };
    let total: u64 = planned.iter().map(Planned::bytes).sum();
    let mut done = 0;
    let shards = shards(planned, options.max_shard_bytes);
    let count = shards.len();
    let mut map = Map::new();
    for (i, shard) in shards.into_iter().enumerate() {
        let name = match count {
            1 => format!("{stem}.{ending}"),
            _ => format!("{stem}-{:05}-of-{count:05}.{ending}", i + 1),
        };
        let path = folder.join(&name);
        let mut tensors = shard.iter().map(|tensor| {
            if progress(ConvertProgress { tensor: &tensor.name, done, total }).is_break() {
                return Err(Error::Input("interrupted; nothing was written".to_owned()));
            }
            done += tensor.bytes();
            bytes_of(inventory, tensor)
        });
        if pytorch {
            PyTorchWriter::write(&path, shard, &mut tensors)?;
        } else {
            SafetensorsWriter::write(&path, shard, &mut tensors)?;
        }
        map.extend(shard.iter().map(|tensor| (tensor.name.clone(), Value::from(name.clone()))));
    }
    if count > 1 {
        let index = json!({"metadata": {"total_size": total}, "weight_map": map});
        write_json(&folder.join(format!("{stem}.{ending}.index.json")), &index)?;
    }
    Ok(())
}
