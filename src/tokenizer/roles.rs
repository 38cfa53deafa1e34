//! The roles that special tokens have, and their names in each class of tokenizer of transformers.

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
    /// The key in the configuration files.
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

    /// The names that vocabularies use.
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

/// The class of a tokenizer in transformers, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `AlbertTokenizer(Fast)`.
    Albert,
    /// `BertTokenizer(Fast)` and the classes that are copies of it.
    Bert,
    /// Any other: no names of its own.
    Other,
}

impl Class {
    /// By the name of a class, with or without `Fast` at its end.
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

    /// By the type of a model, as its configuration names it.
    pub(super) fn of_model(kind: &str) -> Option<Self> {
        match kind {
            "albert" => Some(Self::Albert),
            "bert" => Some(Self::Bert),
            _ => None,
        }
    }

    /// The token that the class has for a role if no file names one.
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

    /// The token that the class makes of a text: `[MASK]` of ALBERT takes the white space before it.
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
