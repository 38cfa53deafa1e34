//! Encoded texts.

/// An encoded text or pair. All lists have one entry per token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Vocabulary ids.
    pub ids: Vec<u32>,
    /// 0 for the first text and the special tokens around it, 1 for the second text and the `[SEP]` after it.
    pub type_ids: Vec<u32>,
    /// Start and end in code points of the token's own text (`sequence_ids` says which one); (0, 0) for special tokens
    /// added by the template.
    pub offsets: Vec<(usize, usize)>,
    /// True for special tokens added by the template (not for a `[MASK]` in the text).
    pub special_tokens_mask: Vec<bool>,
    /// `None` for special tokens added by the template, `Some(0)` for the first text, `Some(1)` for the second.
    pub sequence_ids: Vec<Option<u8>>,
    /// Index of the token's word in its text. Words are separated by white space, unless a `tokenizer.json` defines them
    /// differently. `None` for special tokens added by the template.
    pub word_ids: Vec<Option<u32>>,
    /// True if tokens were truncated.
    pub truncated: bool,
}

impl AsRef<Self> for Encoding {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Encoding {
    pub(super) fn with_capacity(length: usize) -> Self {
        Self {
            ids: Vec::with_capacity(length),
            type_ids: Vec::with_capacity(length),
            offsets: Vec::with_capacity(length),
            special_tokens_mask: Vec::with_capacity(length),
            sequence_ids: Vec::with_capacity(length),
            word_ids: Vec::with_capacity(length),
            truncated: false,
        }
    }

    /// Returns a range of the tokens.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            ids: self.ids[range.clone()].to_vec(),
            type_ids: self.type_ids[range.clone()].to_vec(),
            offsets: self.offsets[range.clone()].to_vec(),
            special_tokens_mask: self.special_tokens_mask[range.clone()].to_vec(),
            sequence_ids: self.sequence_ids[range.clone()].to_vec(),
            word_ids: self.word_ids[range].to_vec(),
            truncated: false,
        }
    }

    /// Appends the tokens of `other` as those of text `sequence`, with `type_id`.
    pub(super) fn append(&mut self, other: &Self, sequence: u8, type_id: u32) {
        let length = other.ids.len();
        self.ids.extend_from_slice(&other.ids);
        self.type_ids.extend(std::iter::repeat_n(type_id, length));
        self.offsets.extend_from_slice(&other.offsets);
        self.special_tokens_mask.extend_from_slice(&other.special_tokens_mask);
        self.sequence_ids.extend(std::iter::repeat_n(Some(sequence), length));
        self.word_ids.extend_from_slice(&other.word_ids);
    }
}
