//! transformers' `BertJapaneseTokenizer`, with all of its subword tokenizers and either the word tokenizer that needs no
//! dictionary (`basic`) or none. Follows `tokenization_bert_japanese.py` of transformers 4.57.

use super::basic;
use super::chars::Char;
use super::forms::{Form, normalize};
use super::in_text::InText;
use super::piece::{Piece, SPACE};
use super::preprocess::{self, Options, Part};
use super::roles::Class;
use super::sentencepiece_added::SlowAdded;
use super::sentencepiece_tokenizer::SentencePieceTokenizer;
use super::settings::Settings;
use super::special_tokens::SpecialTokens;
use super::spiece_proto::Type;
use super::unicode::is_space;
use super::wordpiece;
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

/// The name of the class.
pub(super) const CLASS: &str = "BertJapaneseTokenizer";

/// Maximum length of a word in characters. Longer words are unknown.
const MOST_CHARACTERS: usize = 100;

/// Options that only split the text at special tokens. Everything else is done in this module.
const CUT: Options = Options { lower: false, keep_accents: true, remove_space: false, raw: true };

/// Options with which the class prepares a word for SentencePiece.
const BEFORE_SENTENCEPIECE: Options =
    Options { lower: false, keep_accents: true, remove_space: true, raw: false };

/// How words are split into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subwords {
    /// Words are tokens (`do_subword_tokenize` is false).
    None,
    WordPiece,
    Character,
    SentencePiece,
}

/// The vocabulary.
#[derive(Debug)]
enum Vocabulary {
    /// A `vocab.txt`: tokens by id, and ids by token.
    Lines(Vec<String>, HashMap<String, u32>),
    /// A `spiece.model`.
    Pieces(Box<SentencePieceTokenizer>),
}

/// A `BertJapaneseTokenizer`.
#[derive(Debug)]
pub(super) struct Japanese {
    vocabulary: Vocabulary,
    /// True if texts are split into words first.
    words: bool,
    subwords: Subwords,
    lower: bool,
    never_split: HashSet<String>,
    unknown: u32,
    pub(super) specials: SpecialTokens,
    pub(super) added: SlowAdded,
    /// Tokens that are recognized in texts. `in_plain_text` has those recognized in running text.
    in_text: InText,
    in_plain_text: Option<InText>,
}

impl Japanese {
    /// Reads the tokenizer of a directory. `config` is its `tokenizer_config.json`, and `named_in` is the file that names
    /// the class.
    pub(super) fn new(
        dir: &Path,
        config: &Map<String, Value>,
        settings: &Settings,
        named_in: &Path,
    ) -> Result<Self> {
        let truth = |key: &str, default: bool| config.get(key).map_or(default, is_true);
        let text = |key: &str, default: &str| match config.get(key) {
            None => default.to_owned(),
            Some(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        };
        let (words, pieces) = (truth("do_word_tokenize", true), truth("do_subword_tokenize", true));
        let kind = text("subword_tokenizer_type", "wordpiece");
        let lower = truth("do_lower_case", false);
        if words {
            check_words(&text("word_tokenizer_type", "basic"), &kind, lower, named_in)?;
        }
        let subwords = match kind.as_str() {
            "sentencepiece" if !pieces => {
                let problem = format!(
                    "{CLASS} with subword_tokenizer_type \"sentencepiece\" and without do_subword_tokenize, which \
                     transformers does not load either: remove \"do_subword_tokenize\""
                );
                return Err(Error::bad_file(named_in, problem));
            }
            _ if !pieces => Subwords::None,
            "wordpiece" => Subwords::WordPiece,
            "character" => Subwords::Character,
            "sentencepiece" => Subwords::SentencePiece,
            other => {
                let problem = format!(
                    "{CLASS} with the unknown subword_tokenizer_type \"{other}\": expected wordpiece, character or \
                     sentencepiece"
                );
                return Err(Error::bad_file(named_in, problem));
            }
        };
        let is_spiece = subwords == Subwords::SentencePiece;
        let path = dir.join(if is_spiece { "spiece.model" } else { "vocab.txt" });
        let bytes = fs::read(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                let name = path.file_name().unwrap_or_default().display();
                let problem = format!(
                    "names {CLASS}, whose vocabulary {name} is missing: copy it from where the model \
                    comes from"
                );
                Error::bad_file(named_in, problem)
            }
            _ => Error::io(&path, "read")(e),
        })?;
        let vocabulary = if is_spiece {
            Vocabulary::Pieces(Box::new(SentencePieceTokenizer::new(&bytes, &path, settings)?))
        } else {
            let tokens = wordpiece::lines(&bytes, &path)?;
            let ids = (0..).zip(&tokens).map(|(id, token)| (token.clone(), id)).collect();
            Vocabulary::Lines(tokens, ids)
        };
        let pieces = match &vocabulary {
            Vocabulary::Lines(tokens, _) => {
                tokens.iter().map(|token| (token.clone(), 0.0, Type::Normal)).collect()
            }
            Vocabulary::Pieces(slow) => slow.pieces.clone(),
        };
        let id = |token: &str| match &vocabulary {
            Vocabulary::Lines(_, ids) => ids.get(token).copied(),
            Vocabulary::Pieces(slow) => slow.id(token),
        };
        let (added, named) = SlowAdded::new(settings, Class::Bert, &pieces, id);
        let specials = match &vocabulary {
            Vocabulary::Lines(..) => {
                SpecialTokens::find(settings, |token| added.id(token).or_else(|| id(token)))
            }
            Vocabulary::Pieces(slow) => slow.specials.clone(),
        };
        let (Some(_), Some(_), Some((unknown, _))) = (&specials.cls, &specials.sep, &specials.unk) else {
            let problem = "has no [CLS], [SEP] or [UNK]; if they have other names here, give them in \
                tokenizer_config.json";
            return Err(Error::bad_file(path, problem));
        };
        let unknown = *unknown;
        let in_text = InText::new(&added.tokens, added.keep_case(&named));
        let in_plain_text = added.in_plain_text();
        let never_split = config.get("never_split").and_then(Value::as_array).into_iter().flatten();
        let never_split = never_split.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self {
            vocabulary,
            words,
            subwords,
            lower,
            never_split,
            unknown,
            specials,
            added,
            in_text,
            in_plain_text,
        })
    }

    /// Encodes `text`. Special tokens in it are recognized.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<Piece>> {
        self.cut(text, Some(&self.in_text))
    }

    /// Appends the ids of the tokens of `text`. Special tokens in it are not recognized.
    pub(super) fn encode_ids(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        ids.extend(self.cut(text, self.in_plain_text.as_ref())?.iter().map(|piece| piece.id));
        Ok(())
    }

    fn cut(&self, text: &str, in_text: Option<&InText>) -> Result<Vec<Piece>> {
        super::sentencepiece_tokenizer::check_length(text)?;
        let mut out = Vec::new();
        let mut word = 0;
        for part in preprocess::parts(text, in_text, &Options { lower: self.lower, ..CUT }) {
            match part {
                Part::Token(id, place) => {
                    out.push(Piece { id, place, word });
                    word += 1;
                }
                Part::Text(chars) if self.words => {
                    for chars in basic::words(&chars, self.lower, &self.never_split) {
                        let from = out.len();
                        self.push(&chars, &mut out);
                        out[from..].iter_mut().for_each(|piece| piece.word = word);
                        word += u32::from(out.len() > from);
                    }
                }
                Part::Text(chars) => {
                    let from = out.len();
                    self.push(&chars, &mut out);
                    for (n, piece) in out[from..].iter_mut().enumerate() {
                        word += u32::from(n > 0 && piece.word == 1);
                        piece.word = word;
                    }
                    word += u32::from(out.len() > from);
                }
            }
        }
        Ok(out)
    }

    /// Appends the tokens of a word, or of a text that is not split into words. Marks the tokens that start a word.
    fn push(&self, chars: &[Char], out: &mut Vec<Piece>) {
        match (self.subwords, &self.vocabulary) {
            (Subwords::None, _) if chars.is_empty() => {}
            (Subwords::None, _) => out.push(self.piece(&text(chars), chars, true)),
            (Subwords::WordPiece, Vocabulary::Lines(_, ids)) => {
                for word in chars.split(|c| is_space(c.c)).filter(|word| !word.is_empty()) {
                    word_pieces(word, ids, self.unknown, out);
                }
            }
            (Subwords::Character, _) => {
                let mut after_space = true;
                for char in normalize(chars, Form::Nfkc) {
                    let begins = std::mem::replace(&mut after_space, is_space(char.c));
                    out.push(self.piece(char.c.encode_utf8(&mut [0; 4]), &[char], begins));
                }
            }
            (Subwords::SentencePiece | Subwords::WordPiece, Vocabulary::Pieces(slow)) => {
                let mut chars = chars.to_vec();
                preprocess::prepare(&mut chars, &BEFORE_SENTENCEPIECE);
                slow.model.encode(&chars, out);
            }
            (Subwords::SentencePiece, Vocabulary::Lines(..)) => {}
        }
    }

    fn piece(&self, token: &str, chars: &[Char], begins: bool) -> Piece {
        let id = self.id(token).unwrap_or(self.unknown);
        Piece { id, place: place(chars), word: begins.into() }
    }

    /// Returns the id of a token.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.added.id(token).or_else(|| match &self.vocabulary {
            Vocabulary::Lines(_, ids) => ids.get(token).copied(),
            Vocabulary::Pieces(slow) => slow.id(token),
        })
    }

    /// Returns the text of a token.
    pub(super) fn token(&self, id: u32) -> Option<&str> {
        let own = || match &self.vocabulary {
            Vocabulary::Lines(tokens, _) => tokens.get(id as usize).map(String::as_str),
            Vocabulary::Pieces(slow) => slow.token(id),
        };
        self.added.token(id).map(|token| token.content.as_str()).or_else(own)
    }

    /// Returns the number of tokens.
    pub(super) fn size(&self) -> usize {
        let own = self.own_size();
        own + self.added.tokens.iter().filter(|(id, _)| *id as usize >= own).count()
    }

    /// Returns the largest id plus one.
    pub(super) fn id_bound(&self) -> usize {
        let largest = self.added.tokens.iter().map(|(id, _)| *id as usize + 1).max();
        largest.unwrap_or(0).max(self.own_size())
    }

    /// Returns the number of tokens in the vocabulary file.
    pub(super) fn own_size(&self) -> usize {
        match &self.vocabulary {
            Vocabulary::Lines(tokens, _) => tokens.len(),
            Vocabulary::Pieces(slow) => slow.pieces.len(),
        }
    }

    /// Joins tokens to a text, like the reference's `convert_tokens_to_string`.
    pub(super) fn join(&self, tokens: &[String]) -> String {
        match &self.vocabulary {
            Vocabulary::Lines(..) => tokens.join(" ").replace(" ##", "").trim_matches(is_space).to_owned(),
            Vocabulary::Pieces(_) => tokens.concat().replace(SPACE, " ").trim().to_owned(),
        }
    }

    /// Decodes ids, like the reference's `decode`. Ids beyond the vocabulary are skipped.
    pub(super) fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let is_left_out = |id: &u32| skip_special && self.added.is_special(*id);
        let ids: Vec<u32> = ids.iter().copied().filter(|id| !is_left_out(id)).collect();
        match &self.vocabulary {
            Vocabulary::Lines(..) => {
                let tokens = ids.iter().filter_map(|id| self.token(*id)).map(str::to_owned);
                self.join(&tokens.collect::<Vec<_>>())
            }
            Vocabulary::Pieces(slow) => slow.join(&ids, " \u{2047} "),
        }
    }

    /// Returns true if pieces inside words are marked.
    pub(super) fn has_subword_prefix(&self) -> bool {
        self.subwords == Subwords::WordPiece
    }

    /// Returns the settings that determine the tokens of a text.
    pub(super) fn identity(&self) -> String {
        let tokens: Vec<&str> = (0..self.id_bound() as u32).filter_map(|id| self.token(id)).collect();
        let mut never_split: Vec<_> = self.never_split.iter().collect();
        never_split.sort();
        let model = match &self.vocabulary {
            Vocabulary::Lines(..) => String::new(),
            Vocabulary::Pieces(slow) => slow.identity(),
        };
        format!(
            "{CLASS} {} {:?} {} {never_split:?} {:?} {tokens:?} {model}",
            self.words, self.subwords, self.lower, self.specials
        )
    }
}

/// Checks that the word tokenizer needs no dictionary. The error suggests a remedy.
fn check_words(words: &str, subwords: &str, lower: bool, named_in: &Path) -> Result<()> {
    let way_out = match words {
        "basic" => return Ok(()),
        "mecab" | "sudachi" | "jumanpp" if subwords == "character" && !lower => {
            "set \"word_tokenizer_type\": \"basic\" in tokenizer_config.json, which gives the same characters (control \
             characters aside)"
                .to_owned()
        }
        "mecab" | "sudachi" | "jumanpp" => format!(
            "cut the texts into words with {words} beforehand, write them with one space between words, and set \
             \"do_word_tokenize\": false in tokenizer_config.json"
        ),
        other => {
            let problem = format!(
                "{CLASS} with the unknown word_tokenizer_type \"{other}\": expected basic, mecab, sudachi or jumanpp"
            );
            return Err(Error::bad_file(named_in, problem));
        }
    };
    let problem = format!(
        "{CLASS} with the word tokenizer {words}, which needs a dictionary that albert does not have: {way_out}"
    );
    Err(Error::bad_file(named_in, problem))
}

/// Appends the longest matching pieces from left to right, or the unknown token for the complete word.
fn word_pieces(word: &[Char], ids: &HashMap<String, u32>, unknown: u32, out: &mut Vec<Piece>) {
    let from = out.len();
    let mut start = 0;
    while start < word.len() && word.len() <= MOST_CHARACTERS {
        let mut piece = String::from(if start > 0 { "##" } else { "" });
        let mut longest = None;
        for (end, char) in (start + 1..).zip(&word[start..]) {
            piece.push(char.c);
            longest = ids.get(&piece).map(|&id| (end, id)).or(longest);
        }
        let Some((end, id)) = longest else { break };
        out.push(Piece { id, place: place(&word[start..end]), word: u32::from(start == 0) });
        start = end;
    }
    if start < word.len() {
        out.truncate(from);
        out.push(Piece { id: unknown, place: place(word), word: 1 });
    }
}

/// Returns the start of the first and the end of the last character in the original text.
fn place(chars: &[Char]) -> (usize, usize) {
    let start = chars.iter().map(|c| c.start).min().unwrap_or_default();
    let end = chars.iter().map(|c| c.end).max().unwrap_or_default();
    (start as usize, end as usize)
}

fn text(chars: &[Char]) -> String {
    chars.iter().map(|c| c.c).collect()
}

/// Returns true if Python considers a value true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}
