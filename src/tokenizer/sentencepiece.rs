//! SentencePiece normalization and encoding of preprocessed characters, with ALBERT's rule for digits before commas.

use super::chars::Char;
use super::charsmap::Charsmap;
use super::piece::{Piece, SPACE};
use super::spiece_proto::ModelType;
use super::trie::Trie;
use super::unicode::is_digit;
use super::unigram::{Span, Unigram, width};
use super::{bpe, character};
use std::collections::HashMap;
use tokenizers::AddedToken;

/// A SentencePiece model for encoding.
#[derive(Debug)]
pub(super) struct SentencePiece {
    /// The pieces that text can be segmented into.
    pub(super) unigram: Unigram,
    /// The method of segmentation.
    pub(super) method: ModelType,
    /// The control, unknown and byte pieces, which segmentation never produces.
    pub(super) reserved: HashMap<String, u32>,
    pub(super) charsmap: Charsmap,
    /// User-defined symbols, which are never normalized.
    pub(super) symbols: Trie,
    /// Ids of the 256 byte pieces of a model with byte fallback.
    pub(super) bytes: Option<Vec<u32>>,
    pub(super) unknown: u32,
    /// Added tokens that share their text with a piece.
    pub(super) added: AddedTexts,
    pub(super) dummy_prefix: bool,
    pub(super) remove_extra_spaces: bool,
    /// True if spaces belong to the preceding word (`treat_whitespace_as_suffix`).
    pub(super) suffix: bool,
    /// The character that represents a space in pieces: `▁`, or a space in models that do not escape it.
    pub(super) space: &'static str,
}

/// Added tokens that have the text of a piece. The reference looks up ids by text, and added tokens come first.
#[derive(Debug, Default)]
pub(super) struct AddedTexts {
    /// Ids of texts that are not pieces.
    unknown: HashMap<Vec<u8>, u32>,
    /// Ids that replace the ids of pieces.
    pieces: HashMap<u32, u32>,
}

impl AddedTexts {
    pub(super) fn new(tokens: &[(u32, AddedToken)], unigram: &Unigram) -> Self {
        let mut out = Self::default();
        for (id, token) in tokens {
            let text = token.content.as_bytes();
            match unigram.id(text) {
                Some(piece) if piece == *id => {}
                Some(piece) => drop(out.pieces.insert(piece, *id)),
                None => drop(out.unknown.insert(text.to_vec(), *id)),
            }
        }
        out
    }

    /// Returns the id of the piece `id` with this text, or that of the added token that replaces it.
    fn id(&self, id: u32, text: &[u8], unknown: u32) -> u32 {
        if id == unknown {
            return self.unknown.get(text).copied().unwrap_or(id);
        }
        if self.pieces.is_empty() { id } else { self.pieces.get(&id).copied().unwrap_or(id) }
    }
}

/// Text after SentencePiece's normalization.
struct Normalized {
    text: Vec<u8>,
    /// The character that represents a space.
    space: &'static str,
    /// For each character of `text`, its byte offset and its position in the original text.
    chars: Vec<(usize, u32, u32)>,
}

impl Normalized {
    fn push(&mut self, text: &str, start: u32, end: u32) {
        for c in text.chars() {
            self.chars.push((self.text.len(), start, end));
            match c {
                ' ' => self.text.extend(self.space.as_bytes()),
                c if c.is_ascii() => self.text.push(c as u8),
                c => self.text.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn is_space(&self, at: usize) -> bool {
        self.text[at..].starts_with(self.space.as_bytes())
    }

    /// Returns true if there is a `▁`. Models that do not escape spaces treat it like any other character.
    fn is_mark(&self, at: usize) -> bool {
        self.text[at..].starts_with(SPACE.as_bytes())
    }

    /// Returns the offsets of the characters `from..to` (indices into `chars`) without spaces. If there are only spaces,
    /// returns the offsets of the next character, or at the end their own. `next` is the position at which the search for
    /// that character starts. It advances, so that a text is searched only once.
    fn place(&self, from: usize, to: usize, next: &mut usize) -> (usize, usize) {
        let own = self.chars[from..to].iter().filter(|c| !self.is_space(c.0));
        let joined = own.fold(None, |place: Option<(u32, u32)>, &(_, start, end)| {
            Some(place.map_or((start, end), |p| (p.0.min(start), p.1.max(end))))
        });
        let (start, end) = joined.unwrap_or_else(|| {
            *next = to.max(*next);
            while self.chars.get(*next).is_some_and(|c| self.is_space(c.0)) {
                *next += 1;
            }
            let found = self.chars.get(*next).or_else(|| self.chars.get(to.wrapping_sub(1)));
            found.map(|c| (c.1, c.2)).unwrap_or_default()
        });
        (start as usize, end as usize)
    }
}

impl SentencePiece {
    /// Appends the pieces of `chars`. Numbers are split before commas, as in ALBERT's code.
    pub(super) fn encode(&self, chars: &[Char], out: &mut Vec<Piece>) {
        let normalized = self.normalize(chars);
        let mut after_space = false;
        self.pieces(&normalized, |span, from, to, place| {
            let piece = &normalized.text[span.start..span.end];
            let ends = self.suffix && piece.ends_with(self.space.as_bytes());
            let after_space = std::mem::replace(&mut after_space, ends);
            let begins = if self.suffix { after_space } else { normalized.is_space(span.start) };
            if piece.last() == Some(&b',') && to - from > 1 && self.ends_in_digit(&normalized, to - 1) {
                self.split_number(&normalized, span, from, to, out);
            } else {
                out.push(Piece { id: span.id, place, word: begins.into() });
            }
        });
    }

    fn ends_in_digit(&self, normalized: &Normalized, to: usize) -> bool {
        let Some(&(at, ..)) = normalized.chars.get(to - 1) else { return false };
        first_char(&normalized.text[at..]).is_some_and(is_digit)
    }

    /// Encodes `▁1990,` again without the comma: `▁1990` `,`.
    fn split_number(&self, whole: &Normalized, span: Span, from: usize, to: usize, out: &mut Vec<Piece>) {
        let own = whole.chars[from..to - 1].iter().filter(|c| !whole.is_mark(c.0));
        let chars: Vec<Char> = own
            .filter_map(|&(at, start, end)| Some(Char { c: first_char(&whole.text[at..])?, start, end }))
            .collect();
        let inner = self.normalize(&chars);
        let begins_with_space = whole.is_mark(span.start);
        let mut first = true;
        self.pieces(&inner, |span, _, _, place| {
            let mut id = span.id;
            let mut begins = inner.is_space(span.start);
            if std::mem::take(&mut first) && !begins_with_space && inner.is_mark(span.start) {
                let rest = &inner.text[span.start + SPACE.len()..span.end];
                if rest.is_empty() {
                    return;
                }
                id = self.id(rest).unwrap_or(self.unknown);
                begins = false;
            }
            out.push(Piece { id, place, word: begins.into() });
        });
        let id = self.id(b",").unwrap_or(self.unknown);
        out.push(Piece { id, place: whole.place(to - 1, to, &mut 0), word: 0 });
    }

    /// Returns the id of a piece, like `PieceToId`. Reserved pieces come first.
    pub(super) fn id(&self, piece: &[u8]) -> Option<u32> {
        let reserved = std::str::from_utf8(piece).ok().and_then(|piece| self.reserved.get(piece));
        reserved.copied().or_else(|| self.unigram.id(piece))
    }

    fn segment(&self, text: &[u8]) -> Vec<Span> {
        match self.method {
            ModelType::Unigram => self.unigram.segment(text),
            ModelType::Bpe => bpe::segment(&self.unigram, &self.symbols, self.unknown, text),
            ModelType::Word => character::words(&self.unigram, self.unknown, text),
            ModelType::Char => character::characters(&self.unigram, &self.symbols, self.unknown, text),
        }
    }

    /// Calls `each` with every piece: its bytes and id, its characters and its offsets. Adjacent unknown characters form
    /// one piece, unless the model has byte fallback.
    fn pieces(&self, normalized: &Normalized, mut each: impl FnMut(Span, usize, usize, (usize, usize))) {
        let spans = self.segment(&normalized.text);
        let mut spans = spans.into_iter().peekable();
        let (mut to, mut next) = (0, 0);
        while let Some(mut span) = spans.next() {
            if span.id == self.unknown && self.bytes.is_none() {
                while let Some(more) = spans.next_if(|more| more.id == self.unknown) {
                    span.end = more.end;
                }
                // The reference looks up the text again. In this lookup, reserved and unused pieces count.
                span.id = self.id(&normalized.text[span.start..span.end]).unwrap_or(self.unknown);
            }
            span.id = self.added.id(span.id, &normalized.text[span.start..span.end], self.unknown);
            let from = to;
            while normalized.chars.get(to).is_some_and(|c| c.0 < span.end) {
                to += 1;
            }
            let place = normalized.place(from, to, &mut next);
            match &self.bytes {
                Some(ids) if span.id == self.unknown => {
                    for at in span.start..span.end {
                        let id = ids.get(normalized.text[at] as usize).copied().unwrap_or(self.unknown);
                        each(Span { start: at, end: at + 1, id }, from, from, place);
                    }
                }
                _ => each(span, from, to, place),
            }
        }
    }

    /// Returns the text after normalization.
    pub(super) fn normalized(&self, chars: &[Char]) -> String {
        String::from_utf8_lossy(&self.normalize(chars).text).into_owned()
    }

    /// Returns true if the model's table has a rule for a part of `text`.
    pub(super) fn changes(&self, text: &str) -> bool {
        text.char_indices().any(|(at, _)| self.charsmap.longest(&text.as_bytes()[at..]).is_some())
    }

    /// Applies SentencePiece's normalizer: the model's table, spaces as `▁`, and one at the beginning (or the end).
    fn normalize(&self, chars: &[Char]) -> Normalized {
        let text: String = chars.iter().map(|c| c.c).collect();
        let mut out = Normalized {
            text: Vec::with_capacity(text.len() * 3 / 2 + 8),
            space: self.space,
            chars: Vec::with_capacity(chars.len() + 8),
        };
        let (mut at, mut n) = (0, 0);
        let mut after_space = self.remove_extra_spaces;
        let mut begun = false;
        while at < text.len() {
            let rest = &text[at..];
            let (length, mut new) = self.rule(rest);
            let first = n;
            let end = at + length;
            while at < end {
                at += width(text.as_bytes()[at]);
                n += 1;
            }
            let (start, end) = (chars[first].start, chars[n - 1].end);
            if !begun {
                if self.remove_extra_spaces && new == " " {
                    continue;
                }
                begun = true;
                if self.dummy_prefix && !self.suffix {
                    out.push(" ", start, start);
                }
            }
            while after_space && new.starts_with(' ') {
                new = &new[1..];
            }
            if !new.is_empty() {
                out.push(new, start, end);
                after_space = new.ends_with(' ') && self.remove_extra_spaces;
            }
        }
        while self.remove_extra_spaces && out.text.ends_with(self.space.as_bytes()) {
            out.text.truncate(out.text.len() - self.space.len());
            out.chars.pop();
        }
        if begun && self.dummy_prefix && self.suffix {
            let end = chars.last().map_or(0, |last| last.end);
            out.push(" ", end, end);
        }
        out
    }

    /// Returns the number of bytes of `text` (not empty) that the next rule consumes, at least one character, and its
    /// replacement.
    fn rule<'a>(&'a self, text: &'a str) -> (usize, &'a str) {
        let bytes = text.as_bytes();
        if let Some(length) = self.symbols.longest(bytes) {
            return (length, &text[..length]);
        }
        if let Some((length, new)) = self.charsmap.longest(bytes)
            && text.is_char_boundary(length)
        {
            return (length, new);
        }
        let length = width(bytes[0]).min(text.len());
        (length, &text[..length])
    }
}

/// Returns the first character of valid UTF-8.
fn first_char(text: &[u8]) -> Option<char> {
    let length = width(*text.first()?);
    std::str::from_utf8(text.get(..length)?).ok()?.chars().next()
}
