//! Added tokens in the texts of the slow tokenizer: `PreTrainedTokenizer.tokenize` of transformers 4.57. Every character
//! keeps its position.

use super::chars::Char;
use super::trie::Trie;
use super::unicode::is_space;
use std::collections::HashMap;
use tokenizers::AddedToken;

/// A part of a text: an added token, or the text between added tokens.
#[derive(Debug, PartialEq)]
pub(super) enum Cut {
    /// The id and the characters of an added token.
    Token(u32, Vec<Char>),
    /// Ordinary text.
    Text(Vec<Char>),
}

/// The tokens to recognize in a text.
#[derive(Debug)]
pub(super) struct InText {
    /// The ids of all tokens.
    tokens: Trie,
    longest: usize,
    attributes: HashMap<u32, AddedToken>,
    /// Texts that are not lower-cased, with their rank in the order in which they are tried.
    kept: Option<Trie>,
}

impl InText {
    /// Creates the set from `tokens` with their ids; if a text or an id occurs twice, the last one counts. `kept` are
    /// texts that keep their case; if several match, the first one wins.
    pub(super) fn new<'a>(tokens: &[(u32, AddedToken)], kept: impl Iterator<Item = &'a str>) -> Self {
        let mut places: HashMap<&str, u32> = HashMap::new();
        for (text, place) in kept.zip(0..) {
            places.entry(text).or_insert(place);
        }
        Self {
            tokens: Trie::new(tokens.iter().map(|(id, token)| (token.content.as_bytes(), *id))),
            longest: tokens.iter().map(|(_, token)| token.content.len()).max().unwrap_or(0),
            attributes: tokens.iter().cloned().collect(),
            kept: (!places.is_empty())
                .then(|| Trie::new(places.into_iter().map(|(text, place)| (text.as_bytes(), place)))),
        }
    }

    /// Returns the number of characters at the start of `text` that keep their case.
    pub(super) fn kept(&self, text: &str) -> usize {
        let Some(trie) = &self.kept else { return 0 };
        let (mut node, mut best) = (Trie::ROOT, None);
        for (n, &byte) in text.as_bytes().iter().enumerate() {
            let Some((next, place)) = trie.step(node, byte) else { break };
            node = next;
            if let Some(place) = place {
                best = best.min(Some((place, n + 1))).or(Some((place, n + 1)));
            }
        }
        best.and_then(|(_, end)| text.get(..end)).map_or(0, |own| own.chars().count())
    }

    /// Returns the id of the token with the text of `chars`.
    fn id(&self, chars: &[Char]) -> Option<u32> {
        if chars.is_empty() || chars.len() > self.longest {
            return None;
        }
        let text: String = chars.iter().map(|c| c.c).collect();
        self.tokens.get(text.as_bytes())
    }

    /// Splits a text at the tokens.
    pub(super) fn cut(&self, chars: Vec<Char>) -> Vec<Cut> {
        let cuts = self.cuts(&chars);
        if cuts.is_empty() {
            return vec![Cut::Text(chars)];
        }
        let mut parts: Vec<Vec<Char>> = Vec::new();
        let mut start = 0;
        for end in cuts.into_iter().chain([chars.len()]) {
            if start < end {
                parts.push(chars[start..end].to_vec());
                start = end;
            }
        }
        for n in 0..parts.len() {
            let Some(token) = self.id(&parts[n]).and_then(|id| self.attributes.get(&id)) else { continue };
            let (left, right) = (n.checked_sub(1), Some(n + 1).filter(|right| *right < parts.len()));
            // Neighboring characters before white space is stripped.
            let before = left.and_then(|left| parts[left].last()).map(|c| c.c);
            let after = right.and_then(|right| parts[right].first()).map(|c| c.c);
            if let (true, Some(right)) = (token.rstrip, right) {
                let spaces = parts[right].iter().take_while(|c| is_space(c.c)).count();
                parts[right].drain(..spaces);
            }
            if let (true, Some(left)) = (token.lstrip, left) {
                let spaces = parts[left].iter().rev().take_while(|c| is_space(c.c)).count();
                let end = parts[left].len() - spaces;
                parts[left].truncate(end);
            }
            // A token inside a word is ordinary text.
            if !token.single_word {
                continue;
            }
            if let (Some(left), Some(true)) = (left, before.map(|c| c != ' ')) {
                let own = std::mem::take(&mut parts[n]);
                parts[left].extend(own);
            } else if let (Some(right), Some(true)) = (right, after.map(|c| c != ' ')) {
                let mut own = std::mem::take(&mut parts[n]);
                own.append(&mut parts[right]);
                parts[right] = own;
            }
        }
        let known = |part: Vec<Char>| match self.id(&part) {
            Some(id) => Cut::Token(id, part),
            None => Cut::Text(part),
        };
        parts.into_iter().filter(|part| !part.is_empty()).map(known).collect()
    }

    /// Returns the positions at which the reference's `Trie.split` splits. If a token ends inside the beginning of
    /// another one, the reference may find neither, and this function reproduces that.
    fn cuts(&self, chars: &[Char]) -> Vec<usize> {
        type State = (usize, Option<u32>);
        let step = |state: State, c: char| {
            let mut at = state;
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                at = self.tokens.step(at.0, byte)?;
            }
            Some(at)
        };
        // For each candidate token: its start, its state in the trie, and whether it can continue.
        let mut states: Vec<(usize, State, bool)> = Vec::new();
        let (mut cuts, mut skip) = (Vec::new(), 0);
        for (current, char) in chars.iter().enumerate() {
            if current < skip {
                continue;
            }
            let mut found = None;
            for n in 0..states.len() {
                let (start, state, _) = states[n];
                if state.1.is_some() {
                    let (mut from, mut to) = (start, current);
                    for &(look_start, look, _) in &states {
                        if look_start > from {
                            break;
                        }
                        let mut ahead = if look_start < from { current + 1 } else { current };
                        to = ahead;
                        let mut look = look;
                        if look.1.is_some() {
                            (from, to, skip) = (look_start, ahead, ahead);
                        }
                        while let Some(next) = chars.get(ahead).and_then(|c| step(look, c.c)) {
                            look = next;
                            ahead += 1;
                            if look.1.is_some() {
                                (from, to, skip) = (look_start, ahead, ahead);
                            }
                        }
                    }
                    found = Some((from, to));
                    break;
                }
                match step(state, char.c) {
                    Some(next) => states[n].1 = next,
                    // It is still examined once if another token ends here.
                    None => states[n].2 = false,
                }
            }
            if let Some((from, to)) = found {
                cuts.extend([from, to]);
                states.clear();
            } else {
                states.retain(|state| state.2);
            }
            if current >= skip
                && let Some(state) = step((Trie::ROOT, None), char.c)
            {
                states.push((current, state, true));
            }
        }
        if let Some((start, ..)) = states.iter().find(|state| state.1.1.is_some()) {
            cuts.extend([*start, chars.len()]);
        }
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(tokens: &[AddedToken], text: &str) -> Vec<String> {
        let tokens: Vec<_> = (10..).zip(tokens.iter().cloned()).collect();
        let in_text = InText::new(&tokens, std::iter::empty());
        let chars = (0..).zip(text.chars()).map(|(n, c)| Char { c, start: n, end: n + 1 }).collect();
        let text = |chars: Vec<Char>| chars.into_iter().map(|c| c.c).collect::<String>();
        let show = |cut| match cut {
            Cut::Token(id, chars) => format!("{id}={}", text(chars)),
            Cut::Text(chars) => text(chars),
        };
        in_text.cut(chars).into_iter().map(show).collect()
    }

    fn plain(texts: &[&str]) -> Vec<AddedToken> {
        texts.iter().map(|text| AddedToken::from(*text, false)).collect()
    }

    #[test]
    fn the_longest_and_leftmost_token() {
        // Trie(["[CLS]", "extra_id_1", "extra_id_100", "CL"]).split(...)
        let tokens = plain(&["[CLS]", "extra_id_1", "extra_id_100", "CL"]);
        assert_eq!(show(&tokens, "[CLS] a extra_id_100"), ["10=[CLS]", " a ", "12=extra_id_100"]);
        assert_eq!(show(&tokens, "CLS extra_id_10"), ["13=CL", "S ", "11=extra_id_1", "0"]);
        assert_eq!(show(&tokens, "none"), ["none"]);
        assert_eq!(show(&[], "none"), ["none"]);
    }

    #[test]
    fn where_the_reference_loses_a_token() {
        // Trie(["abcd", "bc"]).split("abcxd") is ["abcxd"], and of "abcx" it is ["a", "bc", "x"].
        let tokens = plain(&["abcd", "bc"]);
        assert_eq!(show(&tokens, "abcxd"), ["abcxd"]);
        assert_eq!(show(&tokens, "abcx"), ["a", "11=bc", "x"]);
    }

    #[test]
    fn white_space_and_words_around_a_token() {
        let left = AddedToken { lstrip: true, ..AddedToken::from("<l>", false) };
        let right = AddedToken { rstrip: true, ..AddedToken::from("<r>", false) };
        let word = AddedToken { single_word: true, ..AddedToken::from("cat", false) };
        let tokens = [left, right, word];
        assert_eq!(show(&tokens, "a \u{a0}<l> b"), ["a", "10=<l>", " b"]);
        assert_eq!(show(&tokens, "a <r>\t b"), ["a ", "11=<r>", "b"]);
        assert_eq!(show(&tokens, "a cat, cats cat"), ["a ", "cat, ", "cats ", "12=cat"]);
    }
}
