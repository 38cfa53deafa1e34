//! `config.json`: reading, checking and writing the configuration of an ALBERT model.
//!
//! Reference: transformers 4.57 `configuration_albert.py` (names and defaults) and google-research's
//! `albert_config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::activation::Activation;
use crate::error::{Error, Result};

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

/// The shape and the hyperparameters of an ALBERT model.
///
/// Field names are those of transformers' `AlbertConfig`; missing keys take its defaults (the
/// xxlarge shape). Keys that `albert` does not use are kept and written again by [`Self::to_json`].
#[derive(Clone, Debug, PartialEq)]
pub struct AlbertConfig {
    /// Number of pieces in the vocabulary.
    pub vocab_size: usize,
    /// Width E of the factorized embedding (paper section 3.1).
    pub embedding_size: usize,
    /// Width H of the encoder.
    pub hidden_size: usize,
    /// How often a layer group is applied.
    pub num_hidden_layers: usize,
    /// Number of groups that share weights inside.
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
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Number of segment ids.
    pub type_vocab_size: usize,
    /// Standard deviation of the normal initializer.
    pub initializer_range: f64,
    /// Epsilon of every layer normalization.
    pub layer_norm_eps: f64,
    /// How positions are encoded.
    pub position_embedding_type: PositionEmbeddingType,
    /// Id of the padding piece.
    pub pad_token_id: Option<usize>,
    /// Whether the masked-LM decoder is the embedding table.
    pub tie_word_embeddings: bool,
    /// Class names that transformers would build, e.g. `AlbertForMaskedLM`.
    pub architectures: Vec<String>,
    /// Label names in id order; empty when the file names none.
    pub labels: Vec<String>,
    /// Width of a classification output (`id2label`'s length, else `num_labels`, else 2).
    pub num_labels: usize,
    /// Everything the file holds, in its order: the source of keys not named above.
    raw: Map<String, Value>,
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
            tie_word_embeddings: true,
            architectures: Vec::new(),
            labels: Vec::new(),
            num_labels: 2,
            raw: Map::new(),
        }
    }
}

impl AlbertConfig {
    /// Reads and checks a `config.json` or Google's `albert_config.json`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::BadFile`] for what is not a JSON object, [`Error::Config`] naming the key.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::from_slice(&text, path)
    }

    /// As [`Self::from_file`], for bytes at hand; `path` is named in messages and tells Google's
    /// `albert_config.json` (whose `"gelu"` means the tanh form) from transformers' files.
    pub fn from_slice(json: &[u8], path: &Path) -> Result<Self> {
        let value: Value = serde_json::from_slice(json).map_err(|e| {
            Error::bad_file(path, format!("is not valid JSON ({e}); expected an ALBERT configuration"))
        })?;
        let Value::Object(raw) = value else {
            return Err(Error::bad_file(path, "is JSON but not an object; expected an ALBERT configuration"));
        };
        let google = path.file_name().is_some_and(|n| n == "albert_config.json");
        Fields { raw: &raw, path }.config(google).map(|mut config| {
            config.raw = raw;
            config
        })
    }

    /// Width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The name of label `id`: from `id2label`, else `LABEL_<id>` as transformers has it.
    pub fn label(&self, id: usize) -> String {
        self.labels.get(id).cloned().unwrap_or_else(|| format!("LABEL_{id}"))
    }

    /// A key that this type has no field for, as it stands in the file.
    pub fn extra(&self, key: &str) -> Option<&Value> {
        self.raw.get(key)
    }

    /// The configuration as `config.json` holds it: every key of the source file in its order, with
    /// the values of this struct, then what the source lacked.
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
        if !self.tie_word_embeddings {
            set("tie_word_embeddings", false.into());
        }
        if !self.labels.is_empty() {
            let id2label: Map<_, _> =
                self.labels.iter().enumerate().map(|(i, l)| (i.to_string(), l.clone().into())).collect();
            let label2id: Map<_, _> =
                self.labels.iter().enumerate().map(|(i, l)| (l.clone(), i.into())).collect();
            set("id2label", id2label.into());
            set("label2id", label2id.into());
        }
        Value::Object(out)
    }
}

/// The keys of one file, read tolerantly (numbers as strings, `48.0` for 48) and checked.
struct Fields<'a> {
    raw: &'a Map<String, Value>,
    path: &'a Path,
}

impl Fields<'_> {
    fn config(&self, google: bool) -> Result<AlbertConfig> {
        if let Some(kind) = self.raw.get("model_type").and_then(Value::as_str)
            && kind != "albert"
        {
            return Err(self.bad("model_type", format!("is \"{kind}\"; albert runs ALBERT models only")));
        }
        let d = AlbertConfig::default();
        let (labels, num_labels) = self.labels()?;
        let config = AlbertConfig {
            vocab_size: self.size("vocab_size", d.vocab_size)?,
            embedding_size: self.size("embedding_size", d.embedding_size)?,
            hidden_size: self.size("hidden_size", d.hidden_size)?,
            num_hidden_layers: self.size("num_hidden_layers", d.num_hidden_layers)?,
            num_hidden_groups: self.size("num_hidden_groups", d.num_hidden_groups)?,
            num_attention_heads: self.size("num_attention_heads", d.num_attention_heads)?,
            intermediate_size: self.size("intermediate_size", d.intermediate_size)?,
            inner_group_num: self.size("inner_group_num", d.inner_group_num)?,
            hidden_act: self.activation(google)?.unwrap_or(d.hidden_act),
            hidden_dropout_prob: self.dropout("hidden_dropout_prob")?.unwrap_or(d.hidden_dropout_prob),
            attention_probs_dropout_prob: self
                .dropout("attention_probs_dropout_prob")?
                .unwrap_or(d.attention_probs_dropout_prob),
            classifier_dropout_prob: match self.raw.get("classifier_dropout_prob") {
                None => d.classifier_dropout_prob,
                Some(_) => self.dropout("classifier_dropout_prob")?,
            },
            max_position_embeddings: self.size("max_position_embeddings", d.max_position_embeddings)?,
            type_vocab_size: self.size("type_vocab_size", d.type_vocab_size)?,
            initializer_range: self.positive("initializer_range", d.initializer_range, true)?,
            layer_norm_eps: self.positive("layer_norm_eps", d.layer_norm_eps, true)?,
            position_embedding_type: self.position_embedding_type()?,
            pad_token_id: match self.raw.get("pad_token_id") {
                None => d.pad_token_id,
                Some(Value::Null) => None,
                Some(_) => Some(self.integer("pad_token_id")?),
            },
            tie_word_embeddings: self.boolean("tie_word_embeddings", d.tie_word_embeddings)?,
            architectures: self.strings("architectures")?,
            labels,
            num_labels,
            raw: Map::new(),
        };
        self.check(&config)?;
        Ok(config)
    }

    /// What no single key can tell.
    fn check(&self, c: &AlbertConfig) -> Result<()> {
        /// Far beyond any model; a damaged file must not keep us busy for days.
        const MOST_LAYERS: usize = 4096;
        if c.num_hidden_layers > MOST_LAYERS {
            let problem = format!("is {}; albert takes at most {MOST_LAYERS} layers", c.num_hidden_layers);
            return Err(self.bad("num_hidden_layers", problem));
        }
        if !c.hidden_size.is_multiple_of(c.num_attention_heads) {
            return Err(self.bad(
                "num_attention_heads",
                format!("{} does not divide hidden_size, {}", c.num_attention_heads, c.hidden_size),
            ));
        }
        if c.num_hidden_groups > c.num_hidden_layers {
            return Err(self.bad(
                "num_hidden_groups",
                format!("{} is more than num_hidden_layers, {}", c.num_hidden_groups, c.num_hidden_layers),
            ));
        }
        let per_group = c.num_hidden_layers / c.num_hidden_groups;
        if c.inner_group_num > per_group {
            return Err(self.bad(
                "inner_group_num",
                format!(
                    "{} is more than the {per_group} layers that each of the {} groups has (transformers \
                     refuses this too)",
                    c.inner_group_num, c.num_hidden_groups
                ),
            ));
        }
        if let Some(pad) = c.pad_token_id
            && pad >= c.vocab_size
        {
            return Err(self
                .bad("pad_token_id", format!("{pad} is outside the vocabulary of {} pieces", c.vocab_size)));
        }
        Ok(())
    }

    fn bad(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::Config { path: self.path.to_owned(), key: key.to_owned(), problem: problem.into() }
    }

    /// A number, also when it stands in a string.
    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.raw.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(n)) => Ok(n.as_f64()),
            Some(Value::String(s)) if s.trim().parse::<f64>().is_ok() => Ok(s.trim().parse().ok()),
            Some(other) => Err(self.bad(key, format!("is {other}; expected a number"))),
        }
    }

    fn integer(&self, key: &str) -> Result<usize> {
        /// Above this no tensor dimension is meant; it also keeps products of sizes far from overflow.
        const LARGEST: f64 = 2_147_483_647.0;
        match self.number(key)? {
            Some(n) if n.fract() == 0.0 && (0.0..=LARGEST).contains(&n) => Ok(n as usize),
            Some(n) => Err(self.bad(key, format!("is {n}; expected a whole number from 0 to 2147483647"))),
            None => Err(self.bad(key, "is null; expected a whole number")),
        }
    }

    /// A whole number of at least 1; the default when the key is absent.
    fn size(&self, key: &str, default: usize) -> Result<usize> {
        if !self.raw.contains_key(key) {
            return Ok(default);
        }
        match self.integer(key)? {
            0 => Err(self.bad(key, "is 0; expected at least 1")),
            n => Ok(n),
        }
    }

    fn positive(&self, key: &str, default: f64, zero_is_fine: bool) -> Result<f64> {
        match self.number(key)? {
            None => Ok(default),
            Some(n) if n.is_finite() && (n > 0.0 || (zero_is_fine && n == 0.0)) => Ok(n),
            Some(n) => Err(self.bad(key, format!("is {n}; expected a number that is not negative"))),
        }
    }

    fn dropout(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(p) if !(0.0..1.0).contains(&p) => {
                Err(self.bad(key, format!("is {p}; a dropout probability is at least 0 and below 1")))
            }
            other => Ok(other),
        }
    }

    fn boolean(&self, key: &str, default: bool) -> Result<bool> {
        match self.raw.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(self.bad(key, format!("is {other}; expected true or false"))),
        }
    }

    fn strings(&self, key: &str) -> Result<Vec<String>> {
        match self.raw.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Some(other) => Err(self.bad(key, format!("is {other}; expected a list of strings"))),
        }
    }

    fn activation(&self, google: bool) -> Result<Option<Activation>> {
        match self.raw.get("hidden_act") {
            None => Ok(None),
            Some(Value::String(name)) if google && name == "gelu" => Ok(Some(Activation::GeluNew)),
            Some(Value::String(name)) => match Activation::from_name(name) {
                Some(act) => Ok(Some(act)),
                None => Err(self.bad(
                    "hidden_act",
                    format!("\"{name}\" is not known; albert knows {}", Activation::names().join(", ")),
                )),
            },
            Some(other) => {
                Err(self.bad("hidden_act", format!("is {other}; expected a name such as \"gelu_new\"")))
            }
        }
    }

    fn position_embedding_type(&self) -> Result<PositionEmbeddingType> {
        match self.raw.get("position_embedding_type") {
            None | Some(Value::Null) => Ok(PositionEmbeddingType::Absolute),
            Some(Value::String(s)) if s == "absolute" => Ok(PositionEmbeddingType::Absolute),
            Some(Value::String(s)) if s == "relative_key" => Ok(PositionEmbeddingType::RelativeKey),
            Some(Value::String(s)) if s == "relative_key_query" => {
                Ok(PositionEmbeddingType::RelativeKeyQuery)
            }
            Some(other) => Err(self.bad(
                "position_embedding_type",
                format!("is {other}; expected \"absolute\", \"relative_key\" or \"relative_key_query\""),
            )),
        }
    }

    /// Label names in id order, and the number of labels.
    fn labels(&self) -> Result<(Vec<String>, usize)> {
        let count = match self.raw.get("num_labels") {
            None | Some(Value::Null) => None,
            Some(_) => Some(self.size("num_labels", 2)?),
        };
        let map = match self.raw.get("id2label") {
            None | Some(Value::Null) => return Ok((Vec::new(), count.unwrap_or(2))),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(self.bad("id2label", format!("is {other}; expected an object"))),
        };
        let mut labels = vec![None; map.len()];
        for (id, label) in map {
            let place = id.parse::<usize>().ok().and_then(|id| labels.get_mut(id));
            match (place, label.as_str()) {
                (Some(place), Some(label)) => *place = Some(label.to_owned()),
                _ => {
                    return Err(self.bad(
                        "id2label",
                        format!(
                            "entry \"{id}\": {label} does not fit; expected the ids 0 to {} with a name each",
                            map.len() - 1
                        ),
                    ));
                }
            }
        }
        let labels: Vec<String> = labels.into_iter().flatten().collect();
        if labels.len() != map.len() {
            return Err(self.bad("id2label", "names the same id twice"));
        }
        let n = if labels.is_empty() { count.unwrap_or(2) } else { labels.len() };
        Ok((labels, n))
    }
}
