//! A `tokenizer.json`, run by the `tokenizers` crate exactly as it is written.

use super::limits::TruncationSide;
use super::names::{Named, Settings, Specials};
use super::sentencepiece::Piece;
use super::word_cache::{WordCache, is_word_by_word};
use crate::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokenizers::normalizers::Precompiled;
use tokenizers::{Encoding, Token, Tokenizer};

/// The special tokens around and between the texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layout {
    pub before: Vec<u32>,
    pub between: Vec<u32>,
    pub after: Vec<u32>,
}

/// A pipeline of the `tokenizers` crate.
#[derive(Debug)]
pub(super) struct Fast {
    tokenizer: Tokenizer,
    /// The same pipeline, blind to special tokens in texts; made when it is needed.
    plain: OnceLock<Tokenizer>,
    /// For pipelines that treat each word by itself.
    words: Option<WordCache>,
    path: PathBuf,
    pub(super) specials: Specials,
    pub(super) single: Layout,
    pub(super) pair: Layout,
    /// The direction in the file's `truncation` section.
    pub(super) truncation_side: Option<TruncationSide>,
}

/// The parts of the file that the crate does not show.
#[derive(Deserialize)]
struct File {
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    added_tokens: Option<Vec<Value>>,
    model: Option<Model>,
    padding: Option<Padding>,
    truncation: Option<Value>,
}

#[derive(Deserialize)]
struct Model {
    unk_id: Option<u32>,
    unk_token: Option<String>,
}

#[derive(Deserialize)]
struct Padding {
    pad_id: Option<u32>,
}

impl Fast {
    /// Reads a `tokenizer.json`; `path` only names it in errors.
    pub(super) fn new(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Self> {
        let bad = |problem: String| {
            // Some errors quote the whole value.
            let problem: String = problem.chars().take(300).collect();
            let advice = "copy the file again from where the model comes from, or remove it if a spiece.model \
                or vocab.txt lies beside it";
            Error::bad_file(path, format!("not a tokenizer.json that can be used ({problem}): {advice}"))
        };
        let file: File = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        let (steps, cutter) = (file.normalizer.as_ref(), file.pre_tokenizer.as_ref());
        let by_words = is_word_by_word(steps, cutter, file.added_tokens.as_deref().unwrap_or_default());
        let words = by_words.then(WordCache::default);
        file.normalizer.as_ref().map_or(Ok(()), check_tables).map_err(&bad)?;
        let read = guarded(|| Tokenizer::from_bytes(bytes).map_err(|e| e.to_string()));
        let mut tokenizer = read.map_err(&bad)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| bad(e.to_string()))?;
        if tokenizer.get_vocab_size(true) == 0 {
            return Err(bad("its vocabulary is empty".to_owned()));
        }
        let mut single = guarded(|| probe(&tokenizer, false)).map_err(&bad)?;
        let mut pair = guarded(|| probe(&tokenizer, true)).map_err(&bad)?;
        let specials = specials(&tokenizer, &file, &single, settings);
        if single == Layout::default() && pair == Layout::default() {
            let ids = |named: &Named| named.iter().map(|s| s.0).collect::<Vec<_>>();
            let (before, after) = (ids(&specials.cls), ids(&specials.sep));
            single = Layout { before: before.clone(), between: Vec::new(), after: after.clone() };
            pair = Layout { before, between: after.clone(), after };
        }
        let direction = file.truncation.as_ref().and_then(|t| t.get("direction")?.as_str());
        Ok(Self {
            tokenizer,
            plain: OnceLock::new(),
            words,
            path: path.to_owned(),
            specials,
            single,
            pair,
            truncation_side: direction.and_then(TruncationSide::from_name),
        })
    }

    /// The tokens of `text`, without any around it.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<Piece>> {
        let encode = || self.tokenizer.encode_char_offsets(text, false).map_err(|e| e.to_string());
        let encoding = guarded(encode).map_err(|problem| self.cannot_encode(&problem))?;
        let places = encoding.get_ids().iter().zip(encoding.get_offsets()).zip(encoding.get_word_ids());
        // A pipeline that knows no words has one, the text.
        Ok(places.map(|((&id, &place), word)| Piece { id, place, word: word.unwrap_or(0) }).collect())
    }

    /// The ids of `text`, no special tokens recognised in it.
    pub(super) fn encode_ids(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let plain = self.plain.get_or_init(|| {
            let mut plain = self.tokenizer.clone();
            plain.set_encode_special_tokens(true);
            plain
        });
        let encode = |text: &str| {
            let encode = || plain.encode_fast(text, false).map_err(|e| e.to_string());
            let encoding = guarded(encode).map_err(|problem| self.cannot_encode(&problem))?;
            Ok(encoding.get_ids().to_vec())
        };
        match &self.words {
            Some(words) => words.encode(text, ids, encode)?,
            None => ids.extend(encode(text)?),
        }
        Ok(())
    }

    fn cannot_encode(&self, problem: &str) -> Error {
        let problem = format!("the tokenizer.json cannot encode a text ({problem}): is the file damaged?");
        Error::bad_file(&self.path, problem)
    }

    /// The id of a token.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The text of a token.
    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// The number of tokens, added ones included.
    pub(super) fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The file's own decoder.
    pub(super) fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        guarded(|| self.tokenizer.decode(ids, skip_special).map_err(|e| e.to_string()))
            .map_err(|problem| Error::bad_file(&self.path, format!("its decoder fails: {problem}")))
    }

    /// True for models that mark the pieces inside words.
    pub(super) fn has_subword_prefix(&self) -> bool {
        use tokenizers::ModelWrapper;
        match self.tokenizer.get_model() {
            ModelWrapper::WordPiece(_) => true,
            ModelWrapper::BPE(model) => {
                model.continuing_subword_prefix.as_ref().is_some_and(|p| !p.is_empty())
            }
            ModelWrapper::Unigram(_) | ModelWrapper::WordLevel(_) => false,
        }
    }

    /// Tokens through the file's own decoder.
    pub(super) fn join(&self, tokens: &[String]) -> Result<String> {
        use tokenizers::Decoder;
        let Some(decoder) = self.tokenizer.get_decoder() else { return Ok(tokens.join(" ")) };
        guarded(|| decoder.decode(tokens.to_vec()).map_err(|e| e.to_string()))
            .map_err(|problem| Error::bad_file(&self.path, format!("its decoder fails: {problem}")))
    }

    /// The pipeline as JSON.
    pub(super) fn to_json(&self) -> Result<String> {
        guarded(|| self.tokenizer.to_string(false).map_err(|e| e.to_string()))
            .map_err(|problem| Error::bad_file(&self.path, format!("cannot be written as JSON: {problem}")))
    }
}

/// The library panics on a damaged normalization table: look at each one before.
fn check_tables(normalizer: &Value) -> std::result::Result<(), String> {
    if normalizer.get("type").and_then(Value::as_str) == Some("Precompiled") {
        // Its table must be borrowed from text.
        let text = normalizer.to_string();
        let table = serde_json::from_str::<Precompiled>(&text);
        table.map_err(|e| format!("the normalization table is damaged: {e}"))?;
    }
    let steps = normalizer.get("normalizers").and_then(Value::as_array);
    steps.into_iter().flatten().try_for_each(check_tables)
}

/// Runs `work`; a panic inside the library (which a damaged table in the file can cause) becomes an error.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("the tokenizers library failed on it".to_owned()))
}

/// Where the file's template puts special tokens, found by giving it one token per text.
fn probe(tokenizer: &Tokenizer, pair: bool) -> std::result::Result<Layout, String> {
    let one = |at: usize| Encoding::from_tokens(vec![Token::new(0, "a".to_owned(), (at, at + 1))], 0);
    let whole = tokenizer.post_process(one(1), pair.then(|| one(3)), true).map_err(|e| e.to_string())?;
    let places = whole.get_special_tokens_mask().iter().zip(whole.get_offsets());
    let texts: Vec<_> =
        places.enumerate().filter(|(_, (special, _))| **special == 0).map(|(n, (_, o))| (n, o.0)).collect();
    let ids = |from: usize, to: usize| whole.get_ids().get(from..to).unwrap_or_default().to_vec();
    match (texts.as_slice(), pair) {
        (&[(a, 1)], false) => {
            Ok(Layout { before: ids(0, a), between: Vec::new(), after: ids(a + 1, whole.len()) })
        }
        (&[(a, 1), (b, 3)], true) => {
            Ok(Layout { before: ids(0, a), between: ids(a + 1, b), after: ids(b + 1, whole.len()) })
        }
        _ => Err("its template does not have each text once, the first one first".to_owned()),
    }
}

/// Configured names, then what the file itself says, then the usual names.
fn specials(tokenizer: &Tokenizer, file: &File, single: &Layout, settings: &Settings) -> Specials {
    let mut found = Specials::find(settings, |name| tokenizer.token_to_id(name));
    let named = |id: Option<&u32>| id.and_then(|&id| Some((id, tokenizer.id_to_token(id)?)));
    let replace = |slot: &mut Named, configured: &Option<String>, own: Named| {
        let is_configured = slot.as_ref().is_some_and(|s| configured.as_ref() == Some(&s.1));
        if let (false, Some(own)) = (is_configured, own) {
            *slot = Some(own);
        }
    };
    replace(&mut found.cls, &settings.cls, named(single.before.first()));
    replace(&mut found.sep, &settings.sep, named(single.after.last()));
    if let Some(model) = &file.model {
        let by_name = model.unk_token.as_deref().and_then(|t| tokenizer.token_to_id(t));
        replace(&mut found.unk, &settings.unk, named(model.unk_id.or(by_name).as_ref()));
    }
    if let Some(padding) = &file.padding {
        replace(&mut found.pad, &settings.pad, named(padding.pad_id.as_ref()));
    }
    found
}
