//! Finds the tokens that were added to the model of a `tokenizer.json`, like the `tokenizers` library of transformers
//! 4.57 (0.22).
//!
//! Later releases of the library reject two tokens that are equal after normalization, and adapt the tokens when the
//! normalizer changes.

use super::trie::Trie;
use std::collections::{HashMap, HashSet};
use tokenizers::normalizer::Range;
use tokenizers::{AddedToken, NormalizedString, Normalizer, NormalizerWrapper, PreTokenizedString, Token};

/// The result of a library call.
type Outcome<T> = Result<T, tokenizers::Error>;

/// Added tokens, which are searched for in texts before the model sees them.
#[derive(Debug)]
pub(super) struct Added {
    ids: HashMap<String, u32>,
    tokens: HashMap<u32, AddedToken>,
    special: HashSet<String>,
    /// Every token ever added, special ones first. Of equal patterns, the first one counts.
    special_order: Vec<AddedToken>,
    order: Vec<AddedToken>,
    /// Tokens that are searched for in the original text.
    as_written: Trie,
    /// Tokens that are searched for in the normalized text.
    normalized: Trie,
}

impl Added {
    pub(super) fn new() -> Self {
        Self {
            ids: HashMap::new(),
            tokens: HashMap::new(),
            special: HashSet::new(),
            special_order: Vec::new(),
            order: Vec::new(),
            as_written: Trie::new([]),
            normalized: Trie::new([]),
        }
    }

    /// Adds tokens to a model of `size` tokens. `model` looks up ids in the model. Tokens that it lacks get the next ids.
    pub(super) fn add(&mut self, tokens: &[AddedToken], size: u32, model: impl Fn(&str) -> Option<u32>) {
        let mut next = self.ids.values().max().map_or(size, |max| max.saturating_add(1).max(size));
        for token in tokens {
            let text = &token.content;
            if token.special && !text.is_empty() && self.special.insert(text.clone()) {
                self.special_order.push(token.clone());
            }
        }
        for token in tokens {
            let text = &token.content;
            let known = self.ids.get(text).copied();
            if text.is_empty() || known.is_some_and(|id| self.tokens.get(&id) == Some(token)) {
                continue;
            }
            let id = known.or_else(|| model(text)).unwrap_or_else(|| {
                next = next.saturating_add(1);
                next - 1
            });
            next = next.max(id.saturating_add(1));
            self.ids.insert(text.clone(), id);
            self.tokens.insert(id, token.clone());
            if !self.special.contains(text) {
                self.order.push(token.clone());
            }
        }
    }

    /// Removes a token. The ids of tokens that were added later do not change.
    pub(super) fn forget(&mut self, text: &str) {
        if let Some(id) = self.ids.remove(text) {
            self.tokens.remove(&id);
        }
        self.special.remove(text);
        self.special_order.retain(|token| token.content != text);
        self.order.retain(|token| token.content != text);
    }

    /// Prepares the search for the tokens. The texts of tokens with `normalized` are normalized with `normalizer`.
    pub(super) fn prepare(&mut self, normalizer: Option<&NormalizerWrapper>) -> Outcome<()> {
        let (mut written, mut normalized) = (HashMap::new(), HashMap::new());
        for token in self.special_order.iter().chain(&self.order) {
            let Some(&id) = self.ids.get(&token.content) else { continue };
            if !token.normalized {
                written.entry(token.content.clone()).or_insert(id);
                continue;
            }
            let mut text = NormalizedString::from(token.content.as_str());
            if let Some(normalizer) = normalizer {
                normalizer.normalize(&mut text)?;
            }
            normalized.entry(text.get().to_owned()).or_insert(id);
        }
        let trie =
            |patterns: &HashMap<String, u32>| Trie::new(patterns.iter().map(|(t, id)| (t.as_bytes(), *id)));
        (self.as_written, self.normalized) = (trie(&written), trie(&normalized));
        Ok(())
    }

    /// Splits `text` at the tokens and normalizes the text between them. If `plain` is set, special tokens are ordinary
    /// text.
    pub(super) fn cut(
        &self,
        normalizer: Option<&NormalizerWrapper>,
        text: &str,
        plain: bool,
    ) -> Outcome<PreTokenizedString> {
        let mut out = PreTokenizedString::from(text);
        out.split(|_, part| self.split(&part, &self.as_written, plain))?;
        out.split(|_, mut part| {
            if let Some(normalizer) = normalizer {
                normalizer.normalize(&mut part)?;
            }
            self.split(&part, &self.normalized, plain)
        })?;
        Ok(out)
    }

    fn split(
        &self,
        part: &NormalizedString,
        patterns: &Trie,
        plain: bool,
    ) -> Outcome<Vec<(NormalizedString, Option<Vec<Token>>)>> {
        let slice = |from: usize, to: usize| {
            part.slice(Range::Normalized(from..to)).ok_or("an added token does not end between characters")
        };
        let text = part.get();
        let mut out = Vec::new();
        let mut done = 0;
        for (id, from, to) in self.places(text, patterns, plain) {
            if done < from {
                out.push((slice(done, from)?, None));
            }
            let own = slice(from, to)?;
            let token = Token::new(id, own.get().to_owned(), (0, own.get().len()));
            out.push((own, Some(vec![token])));
            done = to;
        }
        if done < text.len() || text.is_empty() {
            out.push((slice(done, text.len())?, None));
        }
        Ok(out)
    }

    /// Returns the tokens in `text` with their byte ranges.
    fn places(&self, text: &str, patterns: &Trie, plain: bool) -> Vec<(u32, usize, usize)> {
        let bytes = text.as_bytes();
        let (mut out, mut at, mut done) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            let Some((length, id)) = patterns.longest_with_value(&bytes[at..]) else {
                at += 1;
                continue;
            };
            let (mut from, mut to) = (at, at + length);
            at = to;
            let Some(token) = self.tokens.get(&id) else { continue };
            let joined = |from: usize, to: usize| {
                text[..from].chars().next_back().is_some_and(is_word)
                    || text[to..].chars().next().is_some_and(is_word)
            };
            if (plain && self.special.contains(&token.content)) || (token.single_word && joined(from, to)) {
                continue;
            }
            if token.lstrip {
                from = text[..from].trim_end().len().max(done);
            }
            if token.rstrip {
                to = text.len() - text[to..].trim_start().len();
            }
            out.push((id, from, to));
            done = to;
        }
        out
    }

    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(super) fn token(&self, id: u32) -> Option<&AddedToken> {
        self.tokens.get(&id)
    }

    pub(super) fn is_special(&self, text: &str) -> bool {
        self.special.contains(text)
    }

    /// Returns all tokens, sorted by id.
    pub(super) fn all(&self) -> Vec<(u32, &AddedToken)> {
        let mut all: Vec<_> = self.tokens.iter().map(|(id, token)| (*id, token)).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }
}

/// Returns true for characters that match `\w` in a regular expression.
fn is_word(c: char) -> bool {
    regex_syntax::try_is_word_character(c).unwrap_or_else(|_| c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(tokens: &[AddedToken], text: &str) -> Vec<(u32, String)> {
        let mut added = Added::new();
        added.add(tokens, 10, |text| (text == "known").then_some(3));
        added.prepare(None).expect("no normalizer");
        let places = added.places(text, &added.as_written, false);
        places.into_iter().map(|(id, from, to)| (id, text[from..to].to_owned())).collect()
    }

    fn token(text: &str) -> AddedToken {
        AddedToken { normalized: false, ..AddedToken::from(text, false) }
    }

    #[test]
    fn ids_follow_the_vocabulary_and_its_own_ids_stay() {
        let tokens = [token("known"), token("a"), token("b"), token("a")];
        let text = "b known a";
        assert_eq!(places(&tokens, text), [(11, "b".into()), (3, "known".into()), (10, "a".into())]);
    }

    #[test]
    fn white_space_and_words_around_a_token() {
        let left = AddedToken { lstrip: true, ..token("<l>") };
        let right = AddedToken { rstrip: true, ..token("<r>") };
        let word = AddedToken { single_word: true, ..token("cat") };
        let tokens = [left, right, word];
        let found = places(&tokens, "a \u{a0}<l> b <r>\t c cat cats ²cat _cat cat");
        let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, [" \u{a0}<l>", "<r>\t ", "cat", "cat", "cat"]);
    }

    #[test]
    fn tokens_that_become_equal_share_the_first_id() {
        let mut added = Added::new();
        let tokens = ["Foo", "FOO", "foo"].map(|text| AddedToken::from(text, false));
        added.add(&tokens, 5, |_| None);
        let lower: NormalizerWrapper = tokenizers::normalizers::Lowercase.into();
        added.prepare(Some(&lower)).expect("normalizes");
        assert_eq!(added.places("a foo", &added.normalized, false), [(5, 2, 5)]);
        assert_eq!((added.id("FOO"), added.id("foo")), (Some(6), Some(7)));
    }
}
