//! Runs a `tokenizer.json` as written, using the `tokenizers` crate, with the tokens that other files add to it.

use super::added::Added;
use super::limits::TruncationSide;
use super::named::{self, Named as Configured};
use super::normalizer::{adapt_normalizer, check_tables};
use super::piece::Piece;
use super::plan::Plan;
use super::roles::{Class, Role};
use super::settings::Settings;
use super::special_tokens::{Named, SpecialTokens};
use super::word_cache::{WordCache, is_word_by_word};
use crate::error::{Error, Result};
use crate::guard::caught;
use crate::io::json_text;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};
use tokenizers::{AddedToken, Decoder, Encoding, Model as _, OffsetType, PreTokenizer, Token, Tokenizer};

/// The special tokens around and between the texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layout {
    pub before: Vec<u32>,
    pub between: Vec<u32>,
    pub after: Vec<u32>,
}

/// A pipeline of the `tokenizers` crate.
#[derive(Debug)]
pub(super) struct JsonTokenizer {
    /// The pipeline without its added tokens.
    tokenizer: Tokenizer,
    added: Added,
    /// True if other files add tokens to those of this one, or change them.
    pub(super) extended: bool,
    /// A cache for pipelines that treat words independently.
    words: Option<WordCache>,
    path: PathBuf,
    pub(super) specials: SpecialTokens,
    pub(super) single: Layout,
    pub(super) pair: Layout,
    /// The direction given in the file's `truncation` section.
    pub(super) truncation_side: Option<TruncationSide>,
    /// Switches of the normalizer that the configuration changes, with their values.
    pub(super) changed: Vec<String>,
}

/// Parts of the file that the crate does not expose.
#[derive(Deserialize)]
struct File<'a> {
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    #[serde(borrow)]
    added_tokens: Option<&'a RawValue>,
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

impl JsonTokenizer {
    /// Reads a `tokenizer.json`. `path` is used in errors.
    pub(super) fn new(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Self> {
        let bad = |problem: String| {
            // Some errors quote the complete value.
            let problem: String = problem.chars().take(300).collect();
            let advice = "copy the file again from where the model comes from, or remove it if a spiece.model \
                or vocab.txt lies next to it";
            Error::bad_file(path, format!("not a tokenizer.json that can be used ({problem}): {advice}"))
        };
        let bytes = json_text(bytes).map_err(&bad)?;
        let file: File<'_> = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        let own = file.added_tokens.map_or(Ok(Vec::new()), |list| read_added(list.get())).map_err(&bad)?;
        file.normalizer.as_ref().map_or(Ok(()), check_tables).map_err(&bad)?;
        let bare = without(bytes, file.added_tokens.map(RawValue::get));
        let read = guarded(|| Tokenizer::from_bytes(&bare).map_err(|e| e.to_string()));
        let mut tokenizer = read.map_err(&bad)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| bad(e.to_string()))?;
        let added = guarded(|| add(&tokenizer, &own, settings)).map_err(&bad)?;
        if tokenizer.get_vocab_size(false) == 0 && added.all().is_empty() {
            return Err(bad("its vocabulary is empty".to_owned()));
        }
        let changed = if settings.class == Some(Class::Bert) {
            guarded(|| adapt_normalizer(&mut tokenizer, settings)).map_err(&bad)?
        } else {
            Vec::new()
        };
        let listed: Vec<&AddedToken> = added.all().into_iter().map(|(_, token)| token).collect();
        let by_words = is_word_by_word(file.normalizer.as_ref(), file.pre_tokenizer.as_ref(), &listed);
        let words = by_words.then(WordCache::default);
        let single = guarded(|| probe(&tokenizer, false)).map_err(&bad)?;
        let pair = guarded(|| probe(&tokenizer, true)).map_err(&bad)?;
        let specials = specials(&tokenizer, &added, &file, &single, settings);
        let extended = added.all() != own_tokens(&own, &tokenizer).all();
        let direction = file.truncation.as_ref().and_then(|t| t.get("direction")?.as_str());
        Ok(Self {
            tokenizer,
            added,
            extended,
            words,
            path: path.to_owned(),
            specials,
            single,
            pair,
            truncation_side: direction.and_then(TruncationSide::from_name),
            changed,
        })
    }

    /// Returns the tokens of `text`, without special tokens around it.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<Piece>> {
        let encoding = self.run(text, OffsetType::Char, false)?;
        let places = encoding.get_ids().iter().zip(encoding.get_offsets()).zip(encoding.get_word_ids());
        // A pipeline without word ids treats the text as one word.
        Ok(places.map(|((&id, &place), word)| Piece { id, place, word: word.unwrap_or(0) }).collect())
    }

    /// Appends the ids of `text`, without recognizing special tokens in it.
    pub(super) fn encode_ids(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let encode = |text: &str| -> Result<Vec<u32>> {
            Ok(self.run(text, OffsetType::None, true)?.get_ids().to_vec())
        };
        match &self.words {
            Some(words) => words.encode(text, ids, encode)?,
            None => ids.extend(encode(text)?),
        }
        Ok(())
    }

    /// Runs all steps of the pipeline. If `plain` is set, special tokens are ordinary text.
    fn run(&self, text: &str, offsets: OffsetType, plain: bool) -> Result<Encoding> {
        let run = || {
            let mut parts = self.added.cut(self.tokenizer.get_normalizer(), text, plain)?;
            if let Some(cutter) = self.tokenizer.get_pre_tokenizer() {
                cutter.pre_tokenize(&mut parts)?;
            }
            self.tokenizer.get_model().tokenize_in_pretokenized(&mut parts, None)?;
            self.tokenizer.post_process(parts.into_encoding(None, 0, offsets)?, None, false)
        };
        guarded(|| run().map_err(|e| e.to_string())).map_err(|problem| self.cannot_encode(&problem))
    }

    fn cannot_encode(&self, problem: &str) -> Error {
        let problem = format!("the tokenizer.json cannot encode a text ({problem}): is the file damaged?");
        Error::bad_file(&self.path, problem)
    }

    /// Returns the id of a token.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.added.id(token).or_else(|| self.tokenizer.get_model().token_to_id(token))
    }

    /// Returns the text of a token.
    pub(super) fn token(&self, id: u32) -> Option<String> {
        let added = self.added.token(id).map(|token| token.content.clone());
        added.or_else(|| self.tokenizer.get_model().id_to_token(id))
    }

    /// Returns the number of tokens, including added ones.
    pub(super) fn size(&self) -> usize {
        let model = self.tokenizer.get_model();
        let new = |(_, token): &(u32, &AddedToken)| model.token_to_id(&token.content).is_none();
        model.get_vocab_size() + self.added.all().iter().filter(|token| new(token)).count()
    }

    /// Returns the largest id plus one.
    pub(super) fn id_bound(&self) -> usize {
        // Ids may have gaps.
        let vocabulary = self.tokenizer.get_model().get_vocab();
        let bound = vocabulary.values().max().map_or(0, |max| max.saturating_add(1));
        self.added.all().last().map_or(bound, |(id, _)| bound.max(id.saturating_add(1))) as usize
    }

    /// Returns the added tokens, sorted by id.
    pub(super) fn added(&self) -> Vec<(u32, &AddedToken)> {
        self.added.all()
    }

    /// Returns true if the model itself has this token.
    pub(super) fn is_of_model(&self, token: &str) -> bool {
        self.tokenizer.get_model().token_to_id(token).is_some()
    }

    /// Decodes ids with the file's decoder.
    pub(super) fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let tokens = ids.iter().filter_map(|id| self.token(*id));
        let tokens: Vec<String> =
            tokens.filter(|token| !(skip_special && self.added.is_special(token))).collect();
        self.join(&tokens)
    }

    /// Returns true for models that mark pieces inside words.
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

    /// Joins tokens with the file's decoder.
    pub(super) fn join(&self, tokens: &[String]) -> Result<String> {
        let Some(decoder) = self.tokenizer.get_decoder() else { return Ok(tokens.join(" ")) };
        guarded(|| decoder.decode(tokens.to_vec()).map_err(|e| e.to_string()))
            .map_err(|problem| Error::bad_file(&self.path, format!("its decoder fails: {problem}")))
    }

    /// Returns the pipeline as JSON.
    pub(super) fn to_json(&self) -> Result<String> {
        let write = || {
            let json = self.tokenizer.to_string(false).map_err(|e| e.to_string())?;
            let mut json: Value = serde_json::from_str(&json).map_err(|e| e.to_string())?;
            json["added_tokens"] =
                self.added.all().into_iter().map(|(id, token)| named::json(id, token)).collect();
            Ok(json.to_string())
        };
        guarded(write)
            .map_err(|problem| Error::bad_file(&self.path, format!("cannot be written as JSON: {problem}")))
    }
}

/// Parses the file's `added_tokens`, with the ids that it assigns.
fn read_added(list: &str) -> std::result::Result<Vec<(u32, AddedToken)>, String> {
    let list: Option<Vec<Value>> =
        serde_json::from_str(list).map_err(|e| format!("\"added_tokens\" is not a list: {e}"))?;
    let read = |value: Value| {
        let id = value.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        id.zip(named::token(&value)).ok_or_else(|| format!("\"added_tokens\" has the entry {value}"))
    };
    list.unwrap_or_default().into_iter().map(read).collect()
}

/// Returns the file with an empty list in place of `list`, which is a slice of it.
fn without<'a>(bytes: &'a [u8], list: Option<&str>) -> std::borrow::Cow<'a, [u8]> {
    let Some(list) = list else { return bytes.into() };
    let start = (list.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
    match (bytes.get(..start), bytes.get(start + list.len()..)) {
        (Some(before), Some(after)) => [before, b"[]", after].concat().into(),
        _ => bytes.into(),
    }
}

/// Returns the tokens of the file alone.
fn own_tokens(own: &[(u32, AddedToken)], tokenizer: &Tokenizer) -> Added {
    let model = tokenizer.get_model();
    let mut added = Added::new();
    let tokens: Vec<AddedToken> = own.iter().map(|(_, token)| token.clone()).collect();
    added.add(&tokens, model.get_vocab_size() as u32, |text| model.token_to_id(text));
    added
}

/// Returns the tokens of the file, followed by those that transformers adds to them.
fn add(
    tokenizer: &Tokenizer,
    own: &[(u32, AddedToken)],
    settings: &Settings,
) -> std::result::Result<Added, String> {
    let model = tokenizer.get_model();
    let size = u32::try_from(model.get_vocab_size()).map_err(|e| e.to_string())?;
    let in_model = |text: &str| model.token_to_id(text);
    let mut added = own_tokens(own, tokenizer);
    if let Some(class) = settings.class {
        let mut plan = Plan::new(settings, class, own);
        plan.listed.sort_by_key(|(id, _)| *id);
        let is_special: Vec<bool> =
            plan.listed.iter().map(|(_, t)| t.special || plan.is_special(&t.content)).collect();
        let mut tokens: Vec<AddedToken> = plan
            .listed
            .iter()
            .zip(is_special)
            .map(|((_, token), special)| AddedToken { special, ..token.clone() })
            .collect();
        let known: std::collections::HashSet<String> = added
            .all()
            .into_iter()
            .map(|(_, token)| token.content.clone())
            .chain(tokens.iter().map(|token| token.content.clone()))
            .collect();
        for planned in &plan.specials {
            match &planned.named {
                Configured::Text(text) if known.contains(text) => {}
                // The name is in none of the files and in no vocabulary.
                Configured::Text(text) => tokens.push(AddedToken::from(text.clone(), true)),
                Configured::Token(token) => tokens.push(AddedToken { special: true, ..token.clone() }),
            }
        }
        added.add(&tokens, size, in_model);
        let exists = |text: &str| known.contains(text) || in_model(text).is_some();
        for planned in plan.specials.iter().filter(|planned| !planned.exists(exists)) {
            added.forget(planned.named.text());
        }
    }
    added.prepare(tokenizer.get_normalizer()).map_err(|e| e.to_string())?;
    Ok(added)
}

/// Runs `work` and converts a panic of the library, which a damaged file can cause, into an error.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    caught(work).unwrap_or_else(|| Err("the tokenizers library failed on it".to_owned()))
}

/// Determines the positions of special tokens in the file's template by applying it to texts of one token each.
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

/// Returns the special tokens: configured names first, then the file's own, then the usual names.
fn specials(
    tokenizer: &Tokenizer,
    added: &Added,
    file: &File<'_>,
    single: &Layout,
    settings: &Settings,
) -> SpecialTokens {
    let model = tokenizer.get_model();
    let id = |name: &str| added.id(name).or_else(|| model.token_to_id(name));
    let text = |id: u32| added.token(id).map(|t| t.content.clone()).or_else(|| model.id_to_token(id));
    let mut found = SpecialTokens::find(settings, id);
    let named = |id: Option<&u32>| id.and_then(|&id| Some((id, text(id)?)));
    let replace = |slot: &mut Named, role: Role, own: Named| {
        let is_configured = slot.as_ref().is_some_and(|s| settings.name(role) == Some(s.1.as_str()));
        if let (false, Some(own)) = (is_configured, own) {
            *slot = Some(own);
        }
    };
    replace(&mut found.cls, Role::Cls, named(single.before.first()));
    replace(&mut found.sep, Role::Sep, named(single.after.last()));
    if let Some(model) = &file.model {
        let by_name = model.unk_token.as_deref().and_then(id);
        replace(&mut found.unk, Role::Unk, named(model.unk_id.or(by_name).as_ref()));
    }
    if let Some(padding) = &file.padding {
        replace(&mut found.pad, Role::Pad, named(padding.pad_id.as_ref()));
    }
    found
}
