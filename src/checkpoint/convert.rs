//! Writing a checkpoint as a Hugging Face directory that transformers loads, whatever it was read from.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::architecture::Architecture;
use super::embedded;
use super::inventory::Inventory;
use super::layout::cast;
use super::load::{MlmBias, mlm_bias_source};
use super::names::is_buffer;
use super::onnx_graph::build;
use super::resolve::{Checkpoint, Origin};
use super::summary::expected_shapes;
use super::tensors::Dtype;
use super::write_onnx::write_onnx;
use super::write_pytorch::PyTorchWriter;
use super::write_safetensors::SafetensorsWriter;
use crate::error::{Error, Result};
use crate::tokenizer::{Kind, Tokenizer};

/// The form of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormat {
    /// `model.safetensors`.
    #[default]
    Safetensors,
    /// `pytorch_model.bin`, a zip archive as `torch.save` writes it.
    PyTorch,
    /// `model.onnx`, with the graph of the class.
    Onnx,
}

/// How to convert.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConvertOptions {
    /// The float type to store; that of the source for `None`.
    pub dtype: Option<Dtype>,
    /// The form of the weights.
    pub format: WeightFormat,
    /// The class to save as; the one that fits best for `None`.
    pub architecture: Option<Architecture>,
    /// Which masked-LM bias is kept where two differ.
    pub mlm_bias: MlmBias,
    /// Weights in several files of at most so many bytes each.
    pub max_shard_bytes: Option<u64>,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The class.
    pub architecture: Architecture,
    /// How many tensors.
    pub tensors: usize,
    /// How many values they have.
    pub parameters: u64,
    /// The files, by name, with their sizes.
    pub files: Vec<(String, u64)>,
    /// Parameters of the source that the class has no place for.
    pub left_out: Vec<String>,
    /// How many tensors of the source are no parameters.
    pub foreign: usize,
    /// Oddities, one line each.
    pub notes: Vec<String>,
}

/// One tensor to write.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// The name to write.
    pub name: String,
    /// The parameter to read.
    pub canonical: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
}

impl Planned {
    pub(super) fn bytes(&self) -> u64 {
        self.elements() * self.dtype.size() as u64
    }

    pub(super) fn elements(&self) -> u64 {
        self.shape.iter().map(|n| *n as u64).product()
    }
}

/// Converts `checkpoint` into the new directory `destination`: everything is written beside it, and takes the
/// name when it is whole. `proceed` is told each tensor before it is written; false ends the work.
///
/// # Errors
/// [`Error::BadFile`] when the destination exists and is not empty; [`Error::Weights`] for missing tensors;
/// those of reading and writing. Then nothing is left behind.
pub fn convert(
    checkpoint: &Checkpoint,
    destination: &Path,
    options: &ConvertOptions,
    proceed: &mut dyn FnMut(&str, u64, u64) -> bool,
) -> Result<Converted> {
    check_destination(destination)?;
    if options.format == WeightFormat::Onnx {
        check_onnx(options)?;
    }
    let tensors = checkpoint.tensors()?;
    let inventory = Inventory::new(&tensors, &checkpoint.config)?;
    let architecture =
        options.architecture.unwrap_or_else(|| Architecture::of(&inventory, &checkpoint.config));
    let mut notes: Vec<String> = inventory.unknown_head().map(str::to_owned).into_iter().collect();
    if options.architecture.is_none() && inventory.one_output_of_google(&checkpoint.config) {
        notes.push(
            "its classifier has one output: taken for RACE's, which rates choices; --head classify for one that rates \
             texts, as STS-B's"
                .to_owned(),
        );
    }
    let (planned, left_out) = plan(&inventory, checkpoint, architecture, options, &mut notes)?;

    let parent = destination.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
    let temporary = tempfile::Builder::new()
        .prefix(".albert-")
        .suffix(".part")
        .tempdir_in(parent)
        .map_err(Error::io(destination, "create"))?;
    let folder = temporary.path();
    if options.format == WeightFormat::Onnx {
        let built = build(&checkpoint.config, architecture)
            .map_err(|problem| Error::Weights { path: inventory.path().to_owned(), problem })?;
        let source = |name: &str| {
            let bare = name.trim_start_matches("albert.");
            let planned = planned.iter().find(|p| p.name == name || p.name == bare);
            planned.map_or_else(|| name.to_owned(), |p| p.canonical.clone())
        };
        write_onnx(&folder.join("model.onnx"), &built, &inventory, &source, proceed)?;
    } else {
        write_weights(folder, &planned, &inventory, options, proceed)?;
    }
    write_config(folder, checkpoint, architecture, &planned)?;
    write_tokenizer(folder, checkpoint, &mut notes)?;

    let files = list(folder)?;
    take_name(temporary, destination)?;
    Ok(Converted {
        architecture,
        tensors: planned.len(),
        parameters: planned.iter().map(Planned::elements).sum(),
        files,
        left_out,
        foreign: inventory.foreign().len(),
        notes,
    })
}

/// An ONNX model is one file of 32-bit floats.
fn check_onnx(options: &ConvertOptions) -> Result<()> {
    let usage =
        |flag: &str, problem: &str| Err(Error::Usage { flag: flag.to_owned(), problem: problem.to_owned() });
    if options.dtype.is_some_and(|dtype| dtype != Dtype::F32) {
        return usage("--dtype", "ONNX models are written in f32");
    }
    if options.max_shard_bytes.is_some() {
        return usage("--max-shard-size", "an ONNX model is one file");
    }
    Ok(())
}

fn check_destination(destination: &Path) -> Result<()> {
    let bad = |problem: &str| Err(Error::bad_file(destination, problem));
    match std::fs::read_dir(destination) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) if destination.is_file() => bad("is a file; name a new directory"),
        Err(e) => Err(Error::io(destination, "read")(e)),
        Ok(mut entries) => match entries.next() {
            Some(_) => bad("exists and is not empty; name a new directory, nothing is written over"),
            None => Ok(()),
        },
    }
}

/// Gives the finished directory its name.
fn take_name(temporary: tempfile::TempDir, destination: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // tempfile makes directories that only their owner can enter.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(temporary.path(), open).map_err(Error::io(destination, "create"))?;
    }
    if destination.is_dir() {
        std::fs::remove_dir(destination).map_err(Error::io(destination, "replace"))?;
    }
    std::fs::rename(temporary.path(), destination).map_err(Error::io(destination, "rename to"))?;
    let _moved = temporary.keep();
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        let size = entry.metadata().map_err(Error::io(entry.path(), "read"))?.len();
        files.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    files.sort();
    Ok(files)
}

/// What is written, and what of the source is not.
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
            super::inventory::head_with_article(*head),
            if parts.is_empty() { "nothing of an ALBERT".to_owned() } else { parts.join(", ") }
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
        planned.push(Planned { name, canonical: source.clone(), shape, dtype });
        used.insert(source);
    }
    if !missing.is_empty() {
        let shown: Vec<&str> = missing.iter().take(5).map(String::as_str).collect();
        return Err(weights(format!(
            "{} tensors that {} needs are missing: {}{}",
            missing.len(),
            architecture.class(),
            shown.join(", "),
            if missing.len() > shown.len() { ", ..." } else { "" }
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

/// A parameter's bytes in the type that is written.
fn bytes_of(inventory: &Inventory, planned: &Planned) -> Result<Vec<u8>> {
    let (bytes, dtype) = inventory.read_bytes(&planned.canonical, false)?;
    cast(bytes, dtype, planned.dtype).ok_or_else(|| inventory.no_floats(&planned.canonical, dtype))
}

/// Groups of tensors, each of at most so many bytes (a larger tensor goes alone).
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
    proceed: &mut dyn FnMut(&str, u64, u64) -> bool,
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
            if !proceed(&tensor.name, done, total) {
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

fn write_config(
    folder: &Path,
    checkpoint: &Checkpoint,
    architecture: Architecture,
    planned: &[Planned],
) -> Result<()> {
    let mut config = checkpoint.config.clone();
    config.architectures = vec![architecture.class().to_owned()];
    let mut value = config.to_json();
    let dtype = match planned.first().map(|tensor| tensor.dtype) {
        Some(Dtype::F16) => "float16",
        Some(Dtype::BF16) => "bfloat16",
        _ => "float32",
    };
    if let Value::Object(map) = &mut value {
        // One key, by the name that every version reads.
        map.remove("dtype");
        map.insert("torch_dtype".to_owned(), dtype.into());
    }
    write_json(&folder.join("config.json"), &value)
}

/// The tokenizer's files: those of the source as they are, the others made from them.
fn write_tokenizer(folder: &Path, checkpoint: &Checkpoint, notes: &mut Vec<String>) -> Result<()> {
    let tokenizer = match checkpoint.tokenizer() {
        Ok(tokenizer) => tokenizer,
        Err(error) => {
            notes.push(format!("no tokenizer was written: {error}"));
            return Ok(());
        }
    };
    let source = match &checkpoint.origin {
        Origin::Embedded => {
            write(&folder.join("spiece.model"), embedded::TOKENIZER)?;
            None
        }
        Origin::Directory { directory, .. } => Some(directory.clone()),
    };
    if let Some(source) = &source {
        copy_first(
            &["spiece.model", "30k-clean.model", "assets/30k-clean.model", "assets/spiece.model"],
            source,
            &folder.join("spiece.model"),
        )?;
        for name in ["vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] {
            copy_first(&[name], source, &folder.join(name))?;
        }
    }
    if !folder.join("tokenizer.json").exists() {
        write(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    }
    let positions = checkpoint.config.max_position_embeddings;
    if !folder.join("tokenizer_config.json").exists() {
        write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(&tokenizer, positions))?;
    }
    if !folder.join("special_tokens_map.json").exists() {
        write_json(&folder.join("special_tokens_map.json"), &special_tokens(&tokenizer))?;
    }
    Ok(())
}

fn copy_first(names: &[&str], source: &Path, target: &Path) -> Result<()> {
    match names.iter().map(|name| source.join(name)).find(|path| path.is_file()) {
        None => Ok(()),
        Some(path) => std::fs::copy(&path, target).map(drop).map_err(Error::io(path, "copy")),
    }
}

fn special_tokens(tokenizer: &Tokenizer) -> Value {
    let mut map = Map::new();
    for (key, token) in [
        ("bos_token", tokenizer.cls_token()),
        ("cls_token", tokenizer.cls_token()),
        ("eos_token", tokenizer.sep_token()),
        ("pad_token", tokenizer.pad_token()),
        ("sep_token", tokenizer.sep_token()),
        ("unk_token", tokenizer.unk_token()),
    ] {
        // A BERT vocabulary has no names for the ends of a text.
        let bert = tokenizer.kind() == Kind::WordPiece && matches!(key, "bos_token" | "eos_token");
        if let Some(token) = token.filter(|_| !bert) {
            map.insert(key.to_owned(), token.into());
        }
    }
    if let Some(mask) = tokenizer.mask_token() {
        let mask = match tokenizer.kind() {
            Kind::WordPiece => mask.into(),
            // The space before it belongs to it.
            Kind::SentencePiece | Kind::TokenizerJson => {
                json!({"content": mask, "lstrip": true, "normalized": false, "rstrip": false, "single_word": false})
            }
        };
        map.insert("mask_token".to_owned(), mask);
    }
    Value::Object(map)
}

fn tokenizer_config(tokenizer: &Tokenizer, positions: usize) -> Value {
    let mut map = match special_tokens(tokenizer) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some(Value::Object(mask)) = map.get_mut("mask_token") {
        mask.insert("__type".to_owned(), "AddedToken".into());
    }
    map.insert("do_lower_case".to_owned(), true.into());
    map.insert("model_max_length".to_owned(), positions.into());
    let class = match tokenizer.kind() {
        Kind::WordPiece => "BertTokenizer",
        Kind::SentencePiece | Kind::TokenizerJson => {
            map.insert("keep_accents".to_owned(), false.into());
            map.insert("remove_space".to_owned(), true.into());
            "AlbertTokenizer"
        }
    };
    map.insert("tokenizer_class".to_owned(), class.into());
    Value::Object(map)
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::io(path, "write"))
}
