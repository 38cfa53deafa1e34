//! The roles of special tokens, and their names in transformers' tokenizer classes.

use super::named::Named;
use tokenizers::AddedToken;

/// The role of a special token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Bos,
    Eos,
    Unk,
    Sep,
    Pad,
    Cls,
    Mask,
}

/// All roles, in the order in which transformers adds their tokens.
pub(super) const ROLES: [Role; 7] =
    [Role::Bos, Role::Eos, Role::Unk, Role::Sep, Role::Pad, Role::Cls, Role::Mask];

impl Role {
    /// Returns the key in the configuration files.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Bos => "bos_token",
            Self::Eos => "eos_token",
            Self::Unk => "unk_token",
            Self::Sep => "sep_token",
            Self::Pad => "pad_token",
            Self::Cls => "cls_token",
            Self::Mask => "mask_token",
        }
    }

    /// Returns the names commonly used in vocabularies.
    pub(super) fn usual_names(self) -> &'static [&'static str] {
        match self {
            Self::Bos | Self::Eos => &[],
            Self::Unk => &["<unk>", "[UNK]"],
            Self::Sep => &["[SEP]", "<sep>", "</s>"],
            Self::Pad => &["<pad>", "[PAD]"],
            Self::Cls => &["[CLS]", "<cls>", "<s>"],
            Self::Mask => &["[MASK]", "<mask>"],
        }
    }
}

/// The tokenizer class in transformers, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `AlbertTokenizer(Fast)`.
    Albert,
    /// `BertTokenizer(Fast)` and the classes copied from it.
    Bert,
    /// Any other class, which has no default tokens.
    Other,
}

impl Class {
    /// Returns the class with this name, with or without the suffix `Fast`.
    pub(super) fn named(name: &str) -> Self {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "AlbertTokenizer" => Self::Albert,
            "BertTokenizer"
            | "ConvBertTokenizer"
            | "DistilBertTokenizer"
            | "ElectraTokenizer"
            | "FunnelTokenizer"
            | "LayoutLMTokenizer"
            | "LxmertTokenizer"
            | "MobileBertTokenizer"
            | "SqueezeBertTokenizer" => Self::Bert,
            _ => Self::Other,
        }
    }

    /// Returns the class for a model type in a configuration.
    pub(super) fn of_model(kind: &str) -> Option<Self> {
        match kind {
            "albert" => Some(Self::Albert),
            "bert" => Some(Self::Bert),
            _ => None,
        }
    }

    /// Returns the class's default token for a role that no file names.
    pub(super) fn default_token(self, role: Role) -> Option<Named> {
        let text = match (self, role) {
            (Self::Albert | Self::Bert, Role::Mask) => return Some(self.token(role, "[MASK]".to_owned())),
            (Self::Albert, Role::Bos | Role::Cls) | (Self::Bert, Role::Cls) => "[CLS]",
            (Self::Albert, Role::Eos | Role::Sep) | (Self::Bert, Role::Sep) => "[SEP]",
            (Self::Albert, Role::Unk) => "<unk>",
            (Self::Albert, Role::Pad) => "<pad>",
            (Self::Bert, Role::Unk) => "[UNK]",
            (Self::Bert, Role::Pad) => "[PAD]",
            (Self::Bert, Role::Bos | Role::Eos) | (Self::Other, _) => return None,
        };
        Some(Named::Text(text.to_owned()))
    }

    /// Creates the class's token for a text: ALBERT's `[MASK]` includes the preceding white space.
    pub(super) fn token(self, role: Role, text: String) -> Named {
        if self == Self::Albert && role == Role::Mask {
            return Named::Token(AddedToken {
                lstrip: true,
                normalized: false,
                ..AddedToken::from(text, false)
            });
        }
        Named::Text(text)
    }
}
