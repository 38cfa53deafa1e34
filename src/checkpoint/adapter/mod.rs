//! Adapters of PEFT: `adapter_config.json` with `adapter_model.safetensors` or `adapter_model.bin`.
//!
//! Reference: PEFT 0.21, `tuners/lora/config.py`, `tuners/lora/layer.py`, `utils/save_and_load.py`.

pub(in crate::checkpoint) mod lora;
pub(in crate::checkpoint) mod merge;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::utils::SysRegex;

use super::sentence::named_directory;
use super::tensors::Tensors;
use super::weight_files;
use crate::error::{Error, Result};
use crate::io::from_json_file;
use crate::model::AlbertConfig;

/// The configuration file of an adapter.
const CONFIG: &str = "adapter_config.json";

/// The weight files of an adapter, in order of preference.
const WEIGHTS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// The weight file of the adapters library (AdapterHub).
const ADAPTER_HUB: &str = "pytorch_adapter.bin";

/// Prefixes of values of `init_lora_weights` that change the base model before training starts.
const INITS_THAT_CHANGE_THE_BASE: [&str; 6] = ["pissa", "corda", "olora", "loftq", "lora_ga", "mica"];

/// Keys of variants in which an adapter is more than a product of two matrices.
const VARIANTS: [&str; 9] = [
    "layer_replication",
    "use_qalora",
    "alora_invocation_tokens",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
    "target_parameters",
];

/// An adapter that changes a base model.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// The directory that contains it.
    pub directory: PathBuf,
    /// Its weight file.
    pub weights: PathBuf,
    /// The directory that the user named: `directory`, or the one with sentence-transformers' `modules.json`.
    pub(in crate::checkpoint) root: PathBuf,
    /// Its configuration.
    pub(in crate::checkpoint) settings: Settings,
}

/// The content of an `adapter_config.json`.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Settings {
    path: PathBuf,
    keys: Map<String, Value>,
}

impl Adapter {
    /// Opens the adapter that `path` names: its directory, one of its two files, or a sentence-transformers directory with
    /// the adapter in a subdirectory. Returns `None` for anything else.
    ///
    /// # Errors
    /// [`Error::Model`] for an adapter that lacks one of its files; errors from reading its configuration.
    pub fn at(path: &Path) -> Result<Option<Self>> {
        let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let directory = if path.is_dir() {
            // sentence-transformers may keep the model, which is the adapter here, in a subdirectory.
            let below = named_directory(path)
                .filter(|directory| directory.join(CONFIG).is_file() && !path.join(CONFIG).is_file());
            below.unwrap_or_else(|| path.to_owned())
        } else if path.is_file() && (file_name == CONFIG || WEIGHTS.contains(&file_name)) {
            path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
        } else {
            return Ok(None);
        };
        let named = Some(path.to_owned()).filter(|_| WEIGHTS.contains(&file_name));
        let weights =
            named.or_else(|| WEIGHTS.map(|name| directory.join(name)).into_iter().find(|w| w.is_file()));
        let config = directory.join(CONFIG);
        let incomplete = |problem: String| Error::Model { model: path.display().to_string(), problem };
        match (weights, config.is_file()) {
            (Some(weights), true) => {
                let root = if path.is_dir() { path.to_owned() } else { directory.clone() };
                Ok(Some(Self { directory, weights, root, settings: Settings::read(&config)? }))
            }
            (Some(weights), false) => Err(incomplete(format!(
                "{} is a PEFT adapter without its {CONFIG}, which names the base model and the scale of the adapter; \
                 put it into the same directory",
                weights.display()
            ))),
            (None, true)
                if path == config
                    || directory.join(ADAPTER_HUB).is_file()
                    || !weight_files::has_weights(&directory) =>
            {
                Err(Settings::read(&config)?.without_weights(&directory, incomplete))
            }
            (None, _) => Ok(None),
        }
    }

    /// Returns PEFT's name of the kind of adapter (`LORA`, `IA3`, ...).
    pub fn kind(&self) -> &str {
        self.settings.text("peft_type").unwrap_or("unknown")
    }

    /// Returns the base model that the configuration names: a path or a hub id, with its revision if there is one.
    pub fn base(&self) -> Option<String> {
        self.settings.base()
    }

    /// Returns the path of the base model if it is on this disk: as named, or relative to the adapter's directory.
    pub fn local_base(&self) -> Option<PathBuf> {
        let base = self.settings.text("base_model_name_or_path").filter(|base| !base.is_empty())?;
        [PathBuf::from(base), self.directory.join(base)].into_iter().find(|path| weight_files::is_local(path))
    }

    /// Returns a human-readable description: kind, rank, scale and variant.
    pub fn description(&self) -> String {
        let number = |key: &str| self.settings.keys.get(key).filter(|v| v.is_number()).map(Value::to_string);
        let mut parts = vec![self.kind().to_owned()];
        parts.extend(number("r").map(|r| format!("r {r}")));
        parts.extend(number("lora_alpha").map(|alpha| format!("alpha {alpha}")));
        for (key, name) in [("use_rslora", "rank-stabilized"), ("use_dora", "DoRA")] {
            parts.extend(self.settings.is_on(key).then(|| name.to_owned()));
        }
        parts.join(", ")
    }

    /// Returns the error for a base model that is not available. `why` says where it was searched for.
    pub fn without_base(&self, name: &str, why: &str) -> Error {
        let problem = match self.base() {
            Some(base) => format!(
                "is a PEFT adapter ({}) for the base model \"{base}\", which cannot be read: {why}; name a copy of the \
                 base model with option base_model=DIR|HUB_ID",
                self.kind()
            ),
            None => format!(
                "is a PEFT adapter ({}), and its {CONFIG} does not name the base model; name it with \
                 option base_model=DIR|HUB_ID",
                self.kind()
            ),
        };
        Error::Model { model: name.to_owned(), problem }
    }

    /// Checks that the adapter can be merged.
    ///
    /// # Errors
    /// [`Error::Model`] with the kind of adapter and a remedy.
    pub fn check(&self, name: &str) -> Result<()> {
        self.settings.check().map_err(|problem| Error::Model { model: name.to_owned(), problem })
    }

    /// Lists the adapter's tensors.
    ///
    /// # Errors
    /// Errors from the file's reader.
    pub fn tensors(&self) -> Result<Tensors> {
        Tensors::open(&self.weights)
    }

    /// Returns the configuration of the merged model: the one in the adapter's directory, otherwise the base model's,
    /// with the class and the number of labels that the adapter was trained for. `shared_words` is the shape of the word
    /// embedding table if the base model has a masked-LM head, whose decoder is that table.
    pub(in crate::checkpoint) fn config(
        &self,
        base: &AlbertConfig,
        shared_words: Option<&[usize]>,
    ) -> Result<AlbertConfig> {
        let own = self.directory.join("config.json");
        let mut config = if own.is_file() { AlbertConfig::from_file(&own)? } else { base.clone() };
        let class = match self.settings.text("task_type") {
            Some("SEQ_CLS") => Some("AlbertForSequenceClassification"),
            Some("TOKEN_CLS") => Some("AlbertForTokenClassification"),
            Some("QUESTION_ANS") => Some("AlbertForQuestionAnswering"),
            _ => None,
        };
        if let Some(class) = class {
            config.architectures = vec![class.to_owned()];
        }
        let tensors = self.tensors()?;
        let rows =
            |canonical: &str| lora::replacement(&tensors, canonical).and_then(|t| t.shape.first().copied());
        if let Some(labels) = rows("classifier.weight")
            && labels != config.num_labels
            && (class.is_some() || labels > 1)
        {
            config.set_num_labels(labels);
        }
        if let Some(words) = rows("albert.embeddings.word_embeddings.weight") {
            config.vocab_size = words;
        }
        if let Some(words) = shared_words
            && lora::unties(&tensors, words)?
        {
            config.tie_word_embeddings = false;
        }
        Ok(config)
    }
}

impl Settings {
    /// Reads an `adapter_config.json`.
    pub(in crate::checkpoint) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let value: Value = from_json_file(&text).map_err(|e| {
            Error::bad_file(
                path,
                format!("is not valid JSON ({e}); expected the configuration of a PEFT adapter"),
            )
        })?;
        let Value::Object(keys) = value else {
            return Err(Error::bad_file(
                path,
                "is JSON but not an object; expected the configuration of a PEFT adapter",
            ));
        };
        Ok(Self { path: path.to_owned(), keys })
    }

    /// Reads the configuration in `directory`, if there is one.
    pub(in crate::checkpoint) fn beside(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(CONFIG);
        if path.is_file() { Self::read(&path).map(Some) } else { Ok(None) }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_str()
    }

    fn is_on(&self, key: &str) -> bool {
        match self.keys.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        }
    }

    fn base(&self) -> Option<String> {
        let base = self.text("base_model_name_or_path").filter(|base| !base.is_empty())?;
        match self.text("revision").filter(|revision| !revision.is_empty()) {
            Some(revision) if !base.contains('@') => Some(format!("{base}@{revision}")),
            _ => Some(base.to_owned()),
        }
    }

    fn without_weights(&self, directory: &Path, error: impl Fn(String) -> Error) -> Error {
        let kind = self.text("peft_type").unwrap_or("unknown");
        // The adapters library has its own weight format.
        if self.text("peft_type").is_none() || directory.join(ADAPTER_HUB).is_file() {
            return error(
                "is an adapter of the adapters library (AdapterHub), which albert does not read; merge it there with \
                 merge_adapter and save the model"
                    .to_owned(),
            );
        }
        let of = self.base().map(|base| format!(" for the base model \"{base}\"")).unwrap_or_default();
        error(format!(
            "is a PEFT adapter ({kind}){of} without its weights; looked for {} in {}",
            WEIGHTS.join(", "),
            directory.display()
        ))
    }

    /// Checks whether the adapter can be merged; the error says why not.
    pub(in crate::checkpoint) fn check(&self) -> std::result::Result<(), String> {
        let base = self.base().unwrap_or_else(|| "BASE".to_owned());
        let merge = "merge it in Python with merge_and_unload and save the model";
        let Some(kind) = self.text("peft_type") else {
            return Err(format!(
                "{}: the key \"peft_type\" is missing, so the kind of adapter is unknown",
                self.path.display()
            ));
        };
        match kind {
            "LORA" => {}
            "PREFIX_TUNING"
            | "PROMPT_TUNING"
            | "P_TUNING"
            | "MULTITASK_PROMPT_TUNING"
            | "ADAPTION_PROMPT"
            | "CPT" => {
                return Err(format!(
                    "is a PEFT adapter of type {kind} for the base model \"{base}\", which cannot be merged into \
                     weights; albert supports LORA adapters, so run this one with PEFT"
                ));
            }
            _ => {
                return Err(format!(
                    "is a PEFT adapter of type {kind} for the base model \"{base}\"; albert supports LORA adapters, so {merge}"
                ));
            }
        }
        if let Some(init) = self.text("init_lora_weights")
            && INITS_THAT_CHANGE_THE_BASE.iter().any(|start| init.to_lowercase().starts_with(start))
        {
            return Err(format!(
                "is a PEFT adapter with init_lora_weights \"{init}\", which changes the weights of its base model \
                 \"{base}\"; convert it to plain LoRA with path_initial_model_for_weight_conversion, or {merge}"
            ));
        }
        if let Some(key) = VARIANTS.into_iter().find(|key| self.is_on(key)) {
            return Err(format!(
                "is a PEFT adapter for the base model \"{base}\" with \"{key}\", which albert does not support; {merge}"
            ));
        }
        Ok(())
    }

    /// Returns the factor of the product of `module`'s matrices, which have rank `rank`.
    ///
    /// # Errors
    /// [`Error::Config`] for a value that is not a number or a pattern that is not a regular expression.
    pub(in crate::checkpoint) fn scale(&self, module: &str, rank: usize) -> Result<f32> {
        let error = |key: &str, problem: String| Error::Config {
            path: self.path.clone(),
            key: key.to_owned(),
            problem,
        };
        let mut alpha = match self.keys.get("lora_alpha") {
            None => 8.0,
            Some(value) => {
                value.as_f64().ok_or_else(|| error("lora_alpha", format!("is {value}; expected a number")))?
            }
        };
        if let Some(Value::Object(patterns)) = self.keys.get("alpha_pattern") {
            for (pattern, value) in patterns {
                let expression = SysRegex::new(&format!(r"^(.*\.)?({pattern})$")).map_err(|e| {
                    error("alpha_pattern", format!("{pattern:?} is not a regular expression: {e}"))
                })?;
                if expression.find_iter(module).next().is_some() {
                    alpha = value.as_f64().ok_or_else(|| {
                        error("alpha_pattern", format!("{pattern:?} is {value}; expected a number"))
                    })?;
                    break;
                }
            }
        }
        let rank = rank as f64;
        Ok((alpha / if self.is_on("use_rslora") { rank.sqrt() } else { rank }) as f32)
    }
}
