//! Parsing of configuration files: tolerant, checked, with errors that name the key.

use std::path::Path;

use serde_json::{Map, Value};

use super::super::activation::Activation;
use super::{AlbertConfig, PositionEmbeddingType};
use crate::error::{Error, Result};

/// The keys of one file, parsed tolerantly (numbers as strings, `48.0` for 48) and checked.
pub(super) struct Fields<'a> {
    pub(super) raw: &'a Map<String, Value>,
    pub(super) path: &'a Path,
}

impl Fields<'_> {
    /// The checked configuration; `google` for an `albert_config.json`.
    pub(super) fn config(&self, google: bool) -> Result<AlbertConfig> {
        if let Some(kind) = self.raw.get("model_type").and_then(Value::as_str)
            && kind != "albert"
        {
            return Err(self.bad("model_type", format!("is \"{kind}\"; albert runs ALBERT models only")));
        }
        if let Some(kind) = self.raw.get("ln_type").and_then(Value::as_str)
            && kind != "postln"
        {
            let problem = format!(
                "is \"{kind}\": layers that normalize their input, as some models of albert_zh have; albert computes \
                 \"postln\" only"
            );
            return Err(self.bad("ln_type", problem));
        }
        self.check_heads()?;
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
            pad_token_id: self.piece("pad_token_id", d.pad_token_id)?,
            bos_token_id: self.piece("bos_token_id", d.bos_token_id)?,
            eos_token_id: self.piece("eos_token_id", d.eos_token_id)?,
            tie_word_embeddings: self.boolean("tie_word_embeddings", d.tie_word_embeddings)?,
            architectures: self.strings("architectures")?,
            labels,
            num_labels,
            raw: Map::new(),
        };
        self.check(&config)?;
        Ok(config)
    }

    /// Rejects models without some of their attention heads.
    fn check_heads(&self) -> Result<()> {
        let layers = self.raw.get("pruned_heads").and_then(Value::as_object);
        let is_pruned = |heads: &Value| heads.as_array().is_none_or(|heads| !heads.is_empty());
        let pruned: Vec<String> = layers
            .into_iter()
            .flatten()
            .filter(|(_, heads)| is_pruned(heads))
            .take(4)
            .map(|(layer, heads)| format!("{heads} of layer {layer}").chars().take(80).collect())
            .collect();
        if pruned.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "the attention heads {} were removed, and albert does not support layers with different numbers of heads; use \
             the weights from before the heads were removed, or put heads of zeros in their place, which give the same \
             results, and remove this key (docs/limitations.md has a script)",
            pruned.join(", ")
        );
        Err(self.bad("pruned_heads", problem))
    }

    /// Checks that involve several keys.
    fn check(&self, c: &AlbertConfig) -> Result<()> {
        /// Far more than any model has. Prevents a damaged file from causing days of work.
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
                     4 refuses this too)",
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

    /// A number, possibly in a string.
    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.raw.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(n)) => Ok(n.as_f64()),
            Some(Value::String(s)) if s.trim().parse::<f64>().is_ok() => Ok(s.trim().parse().ok()),
            Some(other) => Err(self.bad(key, format!("is {other}; expected a number"))),
        }
    }

    fn integer(&self, key: &str) -> Result<usize> {
        /// Maximum size of a dimension, which also prevents overflow in products of sizes.
        const LARGEST: f64 = 2_147_483_647.0;
        match self.number(key)? {
            Some(n) if n.fract() == 0.0 && (0.0..=LARGEST).contains(&n) => Ok(n as usize),
            Some(n) => Err(self.bad(key, format!("is {n}; expected a whole number from 0 to 2147483647"))),
            None => Err(self.bad(key, "is null; expected a whole number")),
        }
    }

    /// The id of an optional piece. JSON null means that there is none.
    fn piece(&self, key: &str, default: Option<usize>) -> Result<Option<usize>> {
        match self.raw.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(None),
            Some(_) => self.integer(key).map(Some),
        }
    }

    /// An integer of at least 1; the default if the key is absent.
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
            let id_number = id.trim().parse::<usize>().ok();
            let place = id_number.and_then(|id| labels.get_mut(id));
            match (place, label_name(id_number.unwrap_or(0), label)) {
                (Some(place), Some(label)) => *place = Some(label),
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

/// The name of label `id`, from its value in `id2label`: numbers and booleans as in JSON, and `LABEL_<id>` for null, as
/// for a label without a name. `None` for lists and objects.
pub(super) fn label_name(id: usize, value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null => Some(format!("LABEL_{id}")),
        Value::Array(_) | Value::Object(_) => None,
    }
}
