//! Determines which of transformers' tokenizer classes a directory names, and whether its behavior is implemented here.
//!
//! `AutoTokenizer` takes the class from `tokenizer_config.json`, otherwise from `config.json`. Classes with a fast
//! version use `tokenizer.json` as it is; the others only read their own files.

use super::japanese;
use crate::error::{Error, Result};
use crate::io::from_json_file;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

const CONFIG: &str = "tokenizer_config.json";
const MODEL_CONFIG: &str = "config.json";
const JSON: &str = "tokenizer.json";
const VOCAB: &str = "vocab.txt";

/// Classes with the same ids and type ids as `BertTokenizer`, as verified with transformers 4.57.6.
const AS_BERT: [&str; 10] = [
    "BertTokenizer",
    "ConvBertTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "ElectraTokenizer",
    "LayoutLMTokenizer",
    "LxmertTokenizer",
    "MobileBertTokenizer",
    "RealmTokenizer",
    "SqueezeBertTokenizer",
];

/// Classes with the same ids as `BertTokenizer`, but without type ids: models get 0 for every token.
const AS_BERT_WITHOUT_TYPES: [&str; 3] = ["DistilBertTokenizer", "DPRReaderTokenizer", "RetriBertTokenizer"];

/// Classes that do not determine the segmentation: the files do.
const ANY: [&str; 4] =
    ["AlbertTokenizer", "PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"];

/// Classes of transformers 4.57.6 without a fast version, which never read a `tokenizer.json`.
const SLOW_ONLY: [&str; 44] = [
    "BartphoTokenizer",
    "BertGenerationTokenizer",
    "BertweetTokenizer",
    "BioGptTokenizer",
    "BlenderbotSmallTokenizer",
    "ByT5Tokenizer",
    "CTRLTokenizer",
    "CanineTokenizer",
    "ClvpTokenizer",
    "CpmAntTokenizer",
    "DiaTokenizer",
    "ErnieMTokenizer",
    "EsmTokenizer",
    "FSMTTokenizer",
    "FlaubertTokenizer",
    "GPTNeoXJapaneseTokenizer",
    "GPTSanJapaneseTokenizer",
    "GPTSw3Tokenizer",
    "JukeboxTokenizer",
    "LukeTokenizer",
    "M2M100Tokenizer",
    "MLukeTokenizer",
    "MarianTokenizer",
    "MgpstrTokenizer",
    "MyT5Tokenizer",
    "PLBartTokenizer",
    "ParakeetCTCTokenizer",
    "PerceiverTokenizer",
    "PhobertTokenizer",
    "ProphetNetTokenizer",
    "RagTokenizer",
    "RoCBertTokenizer",
    "SiglipTokenizer",
    "Speech2Text2Tokenizer",
    "Speech2TextTokenizer",
    "SpeechT5Tokenizer",
    "TapasTokenizer",
    "TapexTokenizer",
    "TransfoXLTokenizer",
    "VitsTokenizer",
    "Wav2Vec2CTCTokenizer",
    "Wav2Vec2PhonemeCTCTokenizer",
    "XLMProphetNetTokenizer",
    "XLMTokenizer",
];

/// The tokenizer class that a directory's configuration names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The class, or the remote code in `auto_map`.
    pub class: Option<String>,
    /// The file that names the class.
    file: PathBuf,
    /// Remote code in `auto_map`: the slow class and the fast one.
    remote: Option<(Option<String>, Option<String>)>,
    /// The content of `tokenizer_config.json`; empty if there is none.
    pub config: Map<String, Value>,
}

/// How to read the tokenizer of a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Read the file with the usual name.
    Usual,
    /// Read this file.
    File(PathBuf),
    /// Read a [`japanese::Japanese`].
    Japanese,
}

impl Named {
    /// Reads the configuration files of `dir`. Missing or damaged files are ignored here.
    pub(super) fn read(dir: &Path) -> Self {
        let map = |name: &str| -> Map<String, Value> {
            let bytes = fs::read(dir.join(name)).unwrap_or_default();
            from_json_file(&bytes).unwrap_or_default()
        };
        let class = |map: &Map<String, Value>| map.get("tokenizer_class")?.as_str().map(str::to_owned);
        let config = map(CONFIG);
        let mut named =
            Self { class: class(&config), file: dir.join(CONFIG), remote: remote(&config), config };
        if named.class.is_none() {
            let model = map(MODEL_CONFIG);
            named.class = class(&model);
            // A legacy list in config.json would refer to the model.
            let own = remote(&model).filter(|_| model.get("auto_map").is_some_and(Value::is_object));
            if named.class.is_some() || (own.is_some() && named.remote.is_none()) {
                named.file = dir.join(MODEL_CONFIG);
            }
            named.remote = own.or(named.remote);
        }
        named
    }

    /// Decides how to read the tokenizer of `dir`.
    ///
    /// # Errors
    /// If this library does not implement what the class does with the files.
    pub(super) fn reading(&mut self, dir: &Path) -> Result<Reading> {
        let has_json = dir.join(JSON).is_file();
        if let Some((slow, fast)) = &self.remote {
            if let (true, Some(fast)) = (has_json, fast) {
                self.class = Some(fast.clone());
                return Ok(Reading::Usual);
            }
            let code = fast.as_ref().or(slow.as_ref()).map_or("nothing", String::as_str);
            let advice = match fast {
                Some(_) => "save a tokenizer.json with transformers (AutoTokenizer.from_pretrained with \
                    trust_remote_code=True, then save_pretrained)"
                    .to_owned(),
                None => format!(
                    "if the files here suit a class of transformers, remove \"auto_map\" and name that as \
                    \"tokenizer_class\" ({})",
                    implemented()
                ),
            };
            let problem = format!(
                "\"auto_map\" names the tokenizer {code}, Python code that this program does not run: {advice}"
            );
            return Err(Error::bad_file(&self.file, problem));
        }
        let Some(class) = &self.class else { return Ok(Reading::Usual) };
        let plain = class.strip_suffix("Fast").unwrap_or(class);
        if class == japanese::CLASS {
            return Ok(Reading::Japanese);
        }
        if has_json && !SLOW_ONLY.contains(&class.as_str()) {
            return Ok(Reading::Usual);
        }
        if AS_BERT.contains(&plain) || AS_BERT_WITHOUT_TYPES.contains(&plain) {
            let vocab = dir.join(VOCAB);
            return Ok(if vocab.is_file() && !has_json { Reading::File(vocab) } else { Reading::Usual });
        }
        if ANY.contains(&class.as_str()) || ANY.contains(&plain) {
            return Ok(Reading::Usual);
        }
        let advice = if SLOW_ONLY.contains(&class.as_str()) {
            format!(
                "if the files here suit another class, name that as \"tokenizer_class\" ({})",
                implemented()
            )
        } else {
            format!(
                "save a tokenizer.json with transformers (AutoTokenizer.from_pretrained, then save_pretrained), or, if \
                 the files here suit another class, name that as \"tokenizer_class\" ({})",
                implemented()
            )
        };
        let problem =
            format!("\"tokenizer_class\" is {class}, which this program does not implement: {advice}");
        Err(Error::bad_file(&self.file, problem))
    }

    /// Returns the file that names the class.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns true if models get no type ids from this tokenizer, so that all are 0.
    pub(super) fn has_one_type(&self) -> bool {
        let class = self.class.as_deref().unwrap_or_default();
        AS_BERT_WITHOUT_TYPES.contains(&class.strip_suffix("Fast").unwrap_or(class))
    }
}

/// Returns the tokenizer's entry in `auto_map`.
fn remote(config: &Map<String, Value>) -> Option<(Option<String>, Option<String>)> {
    let map = config.get("auto_map")?;
    let value = if map.is_array() { map } else { map.get("AutoTokenizer")? };
    let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
    match value {
        Value::Array(both) => Some((text(both.first()), text(both.get(1)))),
        Value::String(slow) => Some((Some(slow.clone()), None)),
        _ => None,
    }
}

fn implemented() -> &'static str {
    "AlbertTokenizer for a SentencePiece model, BertTokenizer or BertJapaneseTokenizer for a vocab.txt"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(files: &[(&str, &str)]) -> std::result::Result<(Reading, Option<String>), String> {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            fs::write(dir.path().join(name), content).expect("written");
        }
        let mut named = Named::read(dir.path());
        let reading = named.reading(dir.path()).map_err(|e| e.to_string())?;
        let reading = match reading {
            Reading::File(path) => Reading::File(path.file_name().expect("a name").into()),
            other => other,
        };
        Ok((reading, named.class))
    }

    fn class(name: &str) -> String {
        format!(r#"{{"tokenizer_class": "{name}"}}"#)
    }

    #[test]
    fn classes_that_read_the_same_files() {
        let usual = |files: &[(&str, &str)]| assert_eq!(reading(files).expect("fine").0, Reading::Usual);
        usual(&[]);
        usual(&[("tokenizer_config.json", "{}"), ("config.json", r#"{"tokenizer_class": null}"#)]);
        for name in ["AlbertTokenizer", "AlbertTokenizerFast", "PreTrainedTokenizerFast", "BertTokenizerFast"]
        {
            usual(&[("tokenizer_config.json", &class(name)), ("spiece.model", "")]);
            usual(&[("tokenizer_config.json", &class(name)), ("tokenizer.json", ""), ("vocab.txt", "")]);
        }
        usual(&[("tokenizer_config.json", &class("XLNetTokenizer")), ("tokenizer.json", "")]);
        let (reading, class) =
            reading(&[("config.json", &class("ElectraTokenizer")), ("vocab.txt", ""), ("spiece.model", "")])
                .expect("fine");
        assert_eq!(
            (reading, class.as_deref()),
            (Reading::File("vocab.txt".into()), Some("ElectraTokenizer"))
        );
    }

    #[test]
    fn the_tokenizer_configuration_comes_first() {
        let files = [
            ("tokenizer_config.json", class("BertJapaneseTokenizer")),
            ("config.json", class("XLNetTokenizer")),
            ("tokenizer.json", String::new()),
        ];
        let files = files.each_ref().map(|(name, content)| (*name, content.as_str()));
        assert_eq!(reading(&files).expect("fine").0, Reading::Japanese);
    }

    #[test]
    fn other_classes_are_named_with_their_file() {
        for (file, name) in [
            ("tokenizer_config.json", "XLNetTokenizer"),
            ("config.json", "CamembertTokenizerFast"),
            ("tokenizer_config.json", "MyTokenizer"),
        ] {
            let error = reading(&[(file, &class(name)), ("spiece.model", "")]).expect_err("an error");
            assert!(
                error.contains(name) && error.contains(file) && error.contains("tokenizer.json"),
                "{error}"
            );
        }
        let slow = class("ByT5Tokenizer");
        let error = reading(&[("config.json", &slow), ("tokenizer.json", "")]).expect_err("an error");
        assert!(error.contains("ByT5Tokenizer") && !error.contains("save a tokenizer.json"), "{error}");
    }

    #[test]
    fn remote_code_is_not_run() {
        let slow =
            r#"{"tokenizer_class": "AlbertTokenizer", "auto_map": {"AutoTokenizer": ["own.Slow", null]}}"#;
        let error =
            reading(&[("tokenizer_config.json", slow), ("tokenizer.json", "")]).expect_err("an error");
        assert!(error.contains("own.Slow") && error.contains("auto_map"), "{error}");
        let fast = r#"{"auto_map": {"AutoTokenizer": [null, "own.Fast"]}}"#;
        let error = reading(&[("tokenizer_config.json", fast), ("vocab.txt", "")]).expect_err("an error");
        assert!(error.contains("own.Fast") && error.contains("trust_remote_code"), "{error}");
        let (way, class) =
            reading(&[("tokenizer_config.json", fast), ("tokenizer.json", "")]).expect("the file is run");
        assert_eq!((way, class.as_deref()), (Reading::Usual, Some("own.Fast")));
        // This entry is about the model, not the tokenizer.
        let model = r#"{"auto_map": {"AutoModel": "own.Model"}}"#;
        assert_eq!(reading(&[("config.json", model)]).expect("fine").0, Reading::Usual);
        let own = r#"{"auto_map": {"AutoTokenizer": ["own.Slow", null]}}"#;
        let error = reading(&[("config.json", own)]).expect_err("an error");
        assert!(error.contains("config.json") && error.contains("own.Slow"), "{error}");
    }
}
