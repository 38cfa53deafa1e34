//! Reads sentence-transformers files, which define how token vectors are combined into the embedding of a text.
//!
//! Reference: sentence-transformers 5.1 and 6.2 (`modules.json`, the modules Pooling, Dense, LayerNorm and Normalize,
//! `sentence_bert_config.json`, `config_sentence_transformers.json`).

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::io::{from_json_file, is_path_inside};
use crate::model::Activation;

/// Lists the modules of a model, in order.
pub(crate) const MODULES: &str = "modules.json";

/// Subdirectories in which older versions store the model itself.
const OLD_DIRECTORIES: [&str; 3] = ["0_Transformer", "0_ALBERT", "0_BERT"];

/// File names of the Transformer module's configuration in the various versions.
pub(crate) const TRANSFORMER_CONFIGS: [&str; 3] =
    ["sentence_bert_config.json", "sentence_roberta_config.json", "sentence_albert_config.json"];

/// The configuration of the complete model.
pub(crate) const MODEL_CONFIG: &str = "config_sentence_transformers.json";

/// How a Pooling module combines the vectors of all tokens into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolingMode {
    /// The vector of the first token.
    Cls,
    /// The maximum of each component.
    Max,
    /// The mean.
    Mean,
    /// The sum divided by the square root of the number of tokens.
    MeanSqrtLen,
    /// The mean with weights 1, 2, 3, ... by position.
    WeightedMean,
    /// The vector of the last token.
    LastToken,
}

/// The name of each mode and its flag in older files, in the order in which vectors are concatenated.
const MODES: [(&str, &str, PoolingMode); 6] = [
    ("cls", "pooling_mode_cls_token", PoolingMode::Cls),
    ("max", "pooling_mode_max_tokens", PoolingMode::Max),
    ("mean", "pooling_mode_mean_tokens", PoolingMode::Mean),
    ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", PoolingMode::MeanSqrtLen),
    ("weightedmean", "pooling_mode_weightedmean_tokens", PoolingMode::WeightedMean),
    ("lasttoken", "pooling_mode_lasttoken", PoolingMode::LastToken),
];

impl PoolingMode {
    /// Returns sentence-transformers' name of the mode.
    pub fn name(self) -> &'static str {
        MODES.iter().find(|(_, _, mode)| *mode == self).map_or("mean", |(name, _, _)| name)
    }
}

/// A transformation of a pooled vector.
#[derive(Clone, Debug, PartialEq)]
pub enum SentenceLayer {
    /// Scales the vector to length one.
    Normalize,
    /// Multiplies the vector by a matrix, adds a bias and applies an activation.
    Dense {
        /// `[out, in]`, row-major.
        weight: Vec<f32>,
        /// `[out]`, or empty if there is no bias.
        bias: Vec<f32>,
        /// Length of the input vector.
        inputs: usize,
        /// Length of the output vector.
        outputs: usize,
        /// Applied to each component of the result.
        activation: Activation,
    },
    /// Normalizes the vector to mean zero and variance one, then scales and shifts it.
    LayerNorm {
        /// `[H]`.
        weight: Vec<f32>,
        /// `[H]`.
        bias: Vec<f32>,
    },
}

impl SentenceLayer {
    /// Returns sentence-transformers' name of the module.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Normalize => "Normalize",
            Self::Dense { .. } => "Dense",
            Self::LayerNorm { .. } => "LayerNorm",
        }
    }
}

/// The settings in the files of a sentence-transformers directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SentenceModules {
    /// The pooling modes, at least one. Vectors of several modes are concatenated.
    pub pooling: Vec<PoolingMode>,
    /// False if the tokens of the prompt are excluded from pooling.
    pub include_prompt: bool,
    /// Transformations that are applied after pooling, in order.
    pub layers: Vec<SentenceLayer>,
    /// Maximum length of a text in tokens, including special tokens.
    pub max_seq_length: Option<usize>,
    /// True if texts are lower-cased before tokenization.
    pub lower_case: bool,
    /// Texts to prepend to the input, by name.
    pub prompts: Vec<(String, String)>,
    /// The prompt to use if the user names none.
    pub default_prompt: Option<String>,
    /// Length to which vectors are truncated.
    pub truncate_dim: Option<usize>,
}

/// One entry of `modules.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// The directory of its files, relative to that of `modules.json`; empty for that directory itself.
    pub path: String,
    /// The qualified name of the Python class.
    pub class: String,
}

impl Module {
    /// Returns the name of the class without its package.
    pub(crate) fn kind(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }

    /// Returns true for the module that contains the model itself.
    pub(crate) fn is_transformer(&self) -> bool {
        matches!(self.kind(), "Transformer" | "ALBERT" | "BERT")
    }
}

/// Returns the subdirectory of `root` that contains the model itself, unless it is in `root`.
pub(super) fn transformer_directory(root: &Path) -> Option<PathBuf> {
    let named = modules_in(root).ok().flatten().unwrap_or_default();
    let named = named.into_iter().find(Module::is_transformer).map(|module| module.path);
    if named.as_deref() == Some("") || named.is_none() && root.join("config.json").is_file() {
        return None;
    }
    let directories = named.iter().map(String::as_str).chain(OLD_DIRECTORIES);
    directories.map(|name| root.join(name)).find(|directory| directory.join("config.json").is_file())
}

/// Returns the subdirectory of `root` that its `modules.json` names for the model itself.
pub(super) fn named_directory(root: &Path) -> Option<PathBuf> {
    let transformer = modules_in(root).ok()??.into_iter().find(Module::is_transformer)?;
    (!transformer.path.is_empty()).then(|| root.join(&transformer.path))
}

/// Reads the entries of `modules.json`, if it exists.
///
/// # Errors
/// [`Error::BadFile`] if it is not a list of modules, or names a directory outside `root`.
pub(crate) fn modules_in(root: &Path) -> Result<Option<Vec<Module>>> {
    let path = root.join(MODULES);
    if !path.is_file() {
        return Ok(None);
    }
    let bad = || {
        let problem = "not a list of modules with a \"type\" and a \"path\" each: copy it again from where the model \
            comes from";
        Error::bad_file(&path, problem)
    };
    let text = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
    let list: Vec<Map<String, Value>> = from_json_file(&text).map_err(|_| bad())?;
    let module = |entry: Map<String, Value>| {
        let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
        let module = Module { path: text("path").unwrap_or_default(), class: text("type")? };
        let safe = module.path.is_empty() || is_path_inside(&module.path);
        safe.then_some(module)
    };
    list.into_iter().map(|entry| module(entry).ok_or_else(bad)).collect::<Result<Vec<_>>>().map(Some)
}

impl SentenceModules {
    /// Reads the files in `root`, the directory of a `modules.json`.
    ///
    /// # Errors
    /// Unreadable files, and unsupported modules, which are named.
    pub fn read(root: &Path) -> Result<Self> {
        let list = root.join(MODULES);
        let refuse = |problem: String| {
            let advice = "option ignore_modules embeds with the encoder alone";
            Error::bad_file(&list, format!("{problem}; {advice}"))
        };
        let modules = modules_in(root)?.unwrap_or_default();
        let mut found = Self { include_prompt: true, ..Self::default() };
        for (place, module) in modules.iter().enumerate() {
            let directory = root.join(&module.path);
            match module.kind() {
                _ if place == 0 && module.is_transformer() => found.transformer(&directory)?,
                "Pooling" if found.pooling.is_empty() => found.pooling(&directory)?,
                "Normalize" if !found.pooling.is_empty() => found.layers.push(SentenceLayer::Normalize),
                "Dense" if !found.pooling.is_empty() => found.layers.push(dense(&directory)?),
                "LayerNorm" if !found.pooling.is_empty() => found.layers.push(layer_norm(&directory)?),
                // Only active during training.
                "Dropout" => {}
                _ => {
                    let number = place + 1;
                    return Err(refuse(format!(
                        "module {number}, {}, is not supported in this place",
                        module.class
                    )));
                }
            }
        }
        if found.pooling.is_empty() {
            return Err(refuse("there is no Pooling module".to_owned()));
        }
        found.model(root)?;
        Ok(found)
    }

    fn transformer(&mut self, directory: &Path) -> Result<()> {
        let file = TRANSFORMER_CONFIGS.map(|name| directory.join(name)).into_iter().find(|f| f.is_file());
        let Some(file) = file else { return Ok(()) };
        let map = object(&file)?;
        self.max_seq_length = length(&map, "max_seq_length", &file)?;
        self.lower_case = map.get("do_lower_case").and_then(Value::as_bool).unwrap_or(false);
        Ok(())
    }

    fn pooling(&mut self, directory: &Path) -> Result<()> {
        let file = directory.join("config.json");
        let map = object(&file)?;
        let named = match map.get("pooling_mode") {
            Some(Value::String(name)) => Some(vec![name.as_str()]),
            Some(Value::Array(names)) => Some(names.iter().filter_map(Value::as_str).collect()),
            _ => None,
        };
        let is_set = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
        self.pooling = match named {
            Some(names) => names.iter().map(|name| mode(name, &file)).collect::<Result<_>>()?,
            None => MODES.iter().filter(|(_, key, _)| is_set(key)).map(|(_, _, mode)| *mode).collect(),
        };
        if self.pooling.is_empty() {
            self.pooling.push(PoolingMode::Mean);
        }
        self.include_prompt = map.get("include_prompt").and_then(Value::as_bool).unwrap_or(true);
        Ok(())
    }

    fn model(&mut self, root: &Path) -> Result<()> {
        let file = root.join(MODEL_CONFIG);
        if !file.is_file() {
            return Ok(());
        }
        let map = object(&file)?;
        let prompts = map.get("prompts").and_then(Value::as_object).into_iter().flatten();
        self.prompts = prompts.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
        self.truncate_dim = length(&map, "truncate_dim", &file)?;
        if let Some(name) = map.get("default_prompt_name").and_then(Value::as_str) {
            let prompt = self.prompt(name).ok_or_else(|| {
                let known: Vec<&str> = self.prompts.iter().map(|(name, _)| name.as_str()).collect();
                Error::Config {
                    path: file.clone(),
                    key: "default_prompt_name".to_owned(),
                    problem: format!("is \"{name}\", but the prompts are: {}", known.join(", ")),
                }
            })?;
            self.default_prompt = Some(prompt.to_owned());
        }
        Ok(())
    }

    /// Returns the prompt `name`. `query` and `document` are empty if the files do not define them.
    pub fn prompt(&self, name: &str) -> Option<&str> {
        let found = self.prompts.iter().find(|(known, _)| known == name).map(|(_, prompt)| prompt.as_str());
        found.or_else(|| matches!(name, "query" | "document").then_some(""))
    }
}

fn mode(name: &str, file: &Path) -> Result<PoolingMode> {
    MODES.iter().find(|(known, _, _)| *known == name).map(|(_, _, mode)| *mode).ok_or_else(|| {
        let known: Vec<&str> = MODES.iter().map(|(name, _, _)| *name).collect();
        let problem = format!("\"{name}\" is not a pooling mode; expected one of {}", known.join(", "));
        Error::Config { path: file.to_owned(), key: "pooling_mode".to_owned(), problem }
    })
}

/// Reads a linear layer with an activation.
fn dense(directory: &Path) -> Result<SentenceLayer> {
    let file = directory.join("config.json");
    let map = object(&file)?;
    let bad = |key: &str, problem: String| Error::Config { path: file.clone(), key: key.to_owned(), problem };
    for key in ["module_input_name", "module_output_name"] {
        let name = map.get(key).and_then(Value::as_str);
        if let Some(name) = name.filter(|name| *name != "sentence_embedding") {
            let problem =
                format!("is \"{name}\"; only \"sentence_embedding\" is supported (option ignore_modules)");
            return Err(bad(key, problem));
        }
    }
    if map.get("use_residual").and_then(Value::as_bool) == Some(true) {
        return Err(bad(
            "use_residual",
            "is true, which is not supported (option ignore_modules)".to_owned(),
        ));
    }
    let size = |key: &str| {
        length(&map, key, &file)?.ok_or_else(|| bad(key, "is missing; expected a number".to_owned()))
    };
    let (inputs, outputs) = (size("in_features")?, size("out_features")?);
    let class = map.get("activation_function").and_then(Value::as_str).unwrap_or("torch.nn.Tanh");
    let activation = activation(class).ok_or_else(|| {
        let problem = format!("is \"{class}\", which is not supported (option ignore_modules)");
        bad("activation_function", problem)
    })?;
    let tensors = weights_in(directory)?;
    let weight = read(&tensors, "linear.weight", outputs.saturating_mul(inputs))?;
    let has_bias = map.get("bias").and_then(Value::as_bool).unwrap_or(true);
    let bias = if has_bias { read(&tensors, "linear.bias", outputs)? } else { Vec::new() };
    Ok(SentenceLayer::Dense { weight, bias, inputs, outputs, activation })
}

fn layer_norm(directory: &Path) -> Result<SentenceLayer> {
    let file = directory.join("config.json");
    let size = length(&object(&file)?, "dimension", &file)?.unwrap_or(0);
    let tensors = weights_in(directory)?;
    let (weight, bias) = (read(&tensors, "norm.weight", size)?, read(&tensors, "norm.bias", size)?);
    Ok(SentenceLayer::LayerNorm { weight, bias })
}

/// Returns the activation with the name of a PyTorch class.
fn activation(class: &str) -> Option<Activation> {
    Some(match class.rsplit('.').next()? {
        "Identity" => Activation::Linear,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "ReLU6" => Activation::Relu6,
        "GELU" => Activation::Gelu,
        "Sigmoid" => Activation::Sigmoid,
        "SiLU" => Activation::Silu,
        "LeakyReLU" => Activation::LeakyRelu,
        "Mish" => Activation::Mish,
        _ => return None,
    })
}

fn weights_in(directory: &Path) -> Result<Tensors> {
    let names = ["model.safetensors", "pytorch_model.bin"];
    let file = names.map(|name| directory.join(name)).into_iter().find(|file| file.is_file());
    let file = file.ok_or_else(|| {
        Error::bad_file(directory, format!("no weights of the module; looked for {}", names.join(", ")))
    })?;
    Tensors::open(&file)
}

fn read(tensors: &Tensors, name: &str, values: usize) -> Result<Vec<f32>> {
    // If all names have the same prefix, it may have been stripped.
    let bare = name.rsplit('.').next().filter(|_| tensors.get(name).is_none()).unwrap_or(name);
    let found = tensors.read_f32(bare)?;
    if found.len() == values {
        return Ok(found);
    }
    let problem =
        format!("tensor \"{name}\" has {} values; the module's config.json asks for {values}", found.len());
    Err(Error::Weights { path: tensors.path().to_owned(), problem })
}

fn object(file: &Path) -> Result<Map<String, Value>> {
    let text = std::fs::read(file).map_err(Error::io(file, "read"))?;
    from_json_file(&text).map_err(|e| {
        Error::bad_file(
            file,
            format!("not a JSON object ({e}): copy it again from where the model comes from"),
        )
    })
}

/// Returns a positive number, if the key is present.
fn length(map: &Map<String, Value>, key: &str, file: &Path) -> Result<Option<usize>> {
    let value = match map.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let number = value.as_f64().filter(|n| *n >= 1.0).map(|n| n as usize);
    number.map(Some).ok_or_else(|| Error::Config {
        path: file.to_owned(),
        key: key.to_owned(),
        problem: format!("is {value}; expected a positive number"),
    })
}
