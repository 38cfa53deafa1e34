//! `config.json`: reading, checking and writing the configuration of an ALBERT model.
//!
//! Reference: transformers 4.57 `configuration_albert.py` (names and defaults) and google-research's
//! `albert_config.json`.

mod parse;

use std::path::Path;

use serde_json::{Map, Value};

use self::parse::{Fields, label_name};
use super::activation::Activation;
use crate::error::{Error, Result};
use crate::io::from_json_file;

/// How token positions enter the model (transformers' `position_embedding_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionEmbeddingType {
    /// A learned vector per position, added to the word embedding (all published ALBERTs).
    Absolute,
    /// Learned distances, scored against the queries (Shaw et al. 2018).
    RelativeKey,
    /// Learned distances, scored against queries and keys (Huang et al. 2020, method 4).
    RelativeKeyQuery,
}

/// The configuration of an ALBERT model.
///
/// Fields are named as in transformers' `AlbertConfig`, and missing keys take its defaults (the xxlarge size). Unused keys
/// are kept and written again by [`Self::to_json`].
#[derive(Clone, Debug, PartialEq)]
pub struct AlbertConfig {
    /// Number of pieces in the vocabulary.
    pub vocab_size: usize,
    /// Width E of the factorized embedding (paper section 3.1).
    pub embedding_size: usize,
    /// Width H of the encoder.
    pub hidden_size: usize,
    /// Number of layer applications.
    pub num_hidden_layers: usize,
    /// Number of groups of layers that share weights.
    pub num_hidden_groups: usize,
    /// Attention heads per layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Layers inside one group.
    pub inner_group_num: usize,
    /// Activation of the feed-forward layer and of the masked-LM head.
    pub hidden_act: Activation,
    /// Dropout after projections and on the embeddings, in training.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention probabilities, in training.
    pub attention_probs_dropout_prob: f64,
    /// Dropout before a task head; `None` (a JSON null) means `hidden_dropout_prob`.
    pub classifier_dropout_prob: Option<f64>,
    /// Maximum sequence length in tokens.
    pub max_position_embeddings: usize,
    /// Number of segment ids.
    pub type_vocab_size: usize,
    /// Standard deviation of the normal initializer.
    pub initializer_range: f64,
    /// Epsilon of every layer normalization.
    pub layer_norm_eps: f64,
    /// Position encoding.
    pub position_embedding_type: PositionEmbeddingType,
    /// Id of the padding piece.
    pub pad_token_id: Option<usize>,
    /// Id of the piece at the start of a sequence, `[CLS]`.
    pub bos_token_id: Option<usize>,
    /// Id of the piece at the end of a segment, `[SEP]`.
    pub eos_token_id: Option<usize>,
    /// True if the masked-LM decoder is the embedding table.
    pub tie_word_embeddings: bool,
    /// Class names in transformers, e.g. `AlbertForMaskedLM`.
    pub architectures: Vec<String>,
    /// Label names in id order; empty if the file has none.
    pub labels: Vec<String>,
    /// Width of a classification output (`id2label`'s length, otherwise `num_labels`, otherwise 2).
    pub num_labels: usize,
    /// The complete content of the file, in its order: the source of all other keys.
    pub(super) raw: Map<String, Value>,
}

impl Default for AlbertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30000,
            embedding_size: 128,
            hidden_size: 4096,
            num_hidden_layers: 12,
            num_hidden_groups: 1,
            num_attention_heads: 64,
            intermediate_size: 16384,
            inner_group_num: 1,
            hidden_act: Activation::GeluNew,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            classifier_dropout_prob: Some(0.1),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            position_embedding_type: PositionEmbeddingType::Absolute,
            pad_token_id: Some(0),
            bos_token_id: Some(2),
            eos_token_id: Some(3),
            tie_word_embeddings: true,
            architectures: Vec::new(),
            labels: Vec::new(),
            num_labels: 2,
            raw: Map::new(),
        }
    }
}

impl AlbertConfig {
    /// Floating-point operations of the encoder's matrix multiplications per token, without attention between tokens.
    pub fn flops_per_token(&self) -> u64 {
        let (h, e, i) = (self.hidden_size as u64, self.embedding_size as u64, self.intermediate_size as u64);
        let calls = (self.num_hidden_layers * self.inner_group_num) as u64;
        2 * (e * h + calls * (4 * h * h + 2 * h * i))
    }

    /// Reads and checks a `config.json` or Google's `albert_config.json`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] if the file is not a JSON object; [`Error::Config`] that names the key.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::from_slice(&text, path)
    }

    /// Same as [`Self::from_file`], for bytes in memory. `path` is used in messages. Its name also distinguishes Google's
    /// configurations (`albert_config.json` and other names that begin with `albert`), in which `"gelu"` means the tanh
    /// form, from transformers' files.
    pub fn from_slice(json: &[u8], path: &Path) -> Result<Self> {
        let value: Value = from_json_file(json).map_err(|e| {
            Error::bad_file(path, format!("is not valid JSON ({e}); expected an ALBERT configuration"))
        })?;
        let Value::Object(raw) = value else {
            return Err(Error::bad_file(path, "is JSON but not an object; expected an ALBERT configuration"));
        };
        // Files saved by transformers contain a model type, whatever their name.
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let google =
            name == "albert_config.json" || name.starts_with("albert") && !raw.contains_key("model_type");
        Self::from_raw(raw, path, google)
    }

    /// Reads and checks a configuration of a checkpoint of Google's code, whatever its name. `"gelu"` means the tanh
    /// form.
    ///
    /// # Errors
    /// Same as [`Self::from_file`].
    pub fn from_google_file(path: &Path) -> Result<Self> {
        let mut config = Self::from_file(path)?;
        if !config.raw.contains_key("model_type") {
            config = Self::from_raw(config.raw, path, true)?;
        }
        Ok(config)
    }

    fn from_raw(raw: Map<String, Value>, path: &Path, google: bool) -> Result<Self> {
        let mut config = Fields { raw: &raw, path }.config(google)?;
        config.raw = raw;
        Ok(config)
    }

    /// Sets the number of labels and removes their names.
    pub fn set_num_labels(&mut self, labels: usize) {
        self.num_labels = labels;
        self.labels.clear();
        self.raw.insert("num_labels".to_owned(), labels.into());
        self.raw.shift_remove("id2label");
        self.raw.shift_remove("label2id");
    }

    /// Sets the names and the number of the labels.
    pub fn set_labels(&mut self, labels: Vec<String>) {
        self.set_num_labels(labels.len());
        self.raw.shift_remove("num_labels");
        self.labels = labels;
    }

    /// Sets a key that has no field in this type.
    pub fn set_extra(&mut self, key: &str, value: Value) {
        self.raw.insert(key.to_owned(), value);
    }

    /// Returns true if `id2label` gives exactly these names.
    fn has_labels_of(&self, id2label: Option<&Value>) -> bool {
        let Some(Value::Object(map)) = id2label else { return false };
        let named = |(id, value): (&String, &Value)| {
            let id = id.trim().parse::<usize>().ok()?;
            (self.labels.get(id)? == &label_name(id, value)?).then_some(())
        };
        map.len() == self.labels.len() && map.iter().all(|entry| named(entry).is_some())
    }

    /// Width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The name of label `id`: from `id2label`, otherwise `LABEL_<id>` as in transformers.
    pub fn label(&self, id: usize) -> String {
        self.labels.get(id).cloned().unwrap_or_else(|| format!("LABEL_{id}"))
    }

    /// The value of a key that has no field in this type, as stored in the file.
    pub fn extra(&self, key: &str) -> Option<&Value> {
        self.raw.get(key)
    }

    /// The content of `config.json`: the keys of the source file in their order, with the values of this struct, followed by
    /// keys that the source lacked.
    pub fn to_json(&self) -> Value {
        let mut out = self.raw.clone();
        let mut set = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        set("model_type", "albert".into());
        if !self.architectures.is_empty() {
            set("architectures", self.architectures.clone().into());
        }
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("embedding_size", self.embedding_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_hidden_groups", self.num_hidden_groups),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("inner_group_num", self.inner_group_num),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ] {
            set(key, value.into());
        }
        set("hidden_act", self.hidden_act.name().into());
        set("hidden_dropout_prob", self.hidden_dropout_prob.into());
        set("attention_probs_dropout_prob", self.attention_probs_dropout_prob.into());
        set("classifier_dropout_prob", self.classifier_dropout_prob.into());
        set("initializer_range", self.initializer_range.into());
        set("layer_norm_eps", self.layer_norm_eps.into());
        let position = match self.position_embedding_type {
            PositionEmbeddingType::Absolute => "absolute",
            PositionEmbeddingType::RelativeKey => "relative_key",
            PositionEmbeddingType::RelativeKeyQuery => "relative_key_query",
        };
        set("position_embedding_type", position.into());
        set("pad_token_id", self.pad_token_id.into());
        set("bos_token_id", self.bos_token_id.into());
        set("eos_token_id", self.eos_token_id.into());
        if !self.tie_word_embeddings {
            set("tie_word_embeddings", false.into());
        }
        if !self.labels.is_empty() {
            let id2label: Map<_, _> =
                self.labels.iter().enumerate().map(|(i, l)| (i.to_string(), l.clone().into())).collect();
            let label2id: Map<_, _> =
                self.labels.iter().enumerate().map(|(i, l)| (l.clone(), i.into())).collect();
            // Names that are numbers in the source file stay numbers.
            if !self.has_labels_of(self.raw.get("id2label")) {
                set("id2label", id2label.into());
            }
            set("label2id", label2id.into());
        }
        Value::Object(out)
    }
}
