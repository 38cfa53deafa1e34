//! transformers' ALBERT classes.

use super::inventory::Inventory;
use crate::model::{AlbertConfig, Head};

/// One of transformers' ALBERT classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `AlbertModel`: encoder and pooler.
    Base,
    /// `AlbertForPreTraining`: masked LM and sentence order.
    PreTraining,
    /// `AlbertForMaskedLM`.
    MaskedLm,
    /// `AlbertForSequenceClassification`.
    SequenceClassification,
    /// `AlbertForTokenClassification`.
    TokenClassification,
    /// `AlbertForMultipleChoice`.
    MultipleChoice,
    /// `AlbertForQuestionAnswering`.
    QuestionAnswering,
}

impl Architecture {
    /// All classes, those that keep most of a checkpoint first.
    pub const ALL: [Self; 7] = [
        Self::PreTraining,
        Self::SequenceClassification,
        Self::TokenClassification,
        Self::MultipleChoice,
        Self::QuestionAnswering,
        Self::MaskedLm,
        Self::Base,
    ];

    /// Returns the name of the class, as in `architectures` in `config.json`.
    pub fn class(self) -> &'static str {
        match self {
            Self::Base => "AlbertModel",
            Self::PreTraining => "AlbertForPreTraining",
            Self::MaskedLm => "AlbertForMaskedLM",
            Self::SequenceClassification => "AlbertForSequenceClassification",
            Self::TokenClassification => "AlbertForTokenClassification",
            Self::MultipleChoice => "AlbertForMultipleChoice",
            Self::QuestionAnswering => "AlbertForQuestionAnswering",
        }
    }

    /// Returns the class with this name, with or without another framework's prefix.
    pub fn from_class(name: &str) -> Option<Self> {
        let name = name.trim_start_matches("TF").trim_start_matches("Flax");
        Self::ALL.into_iter().find(|architecture| architecture.class() == name)
    }

    /// Returns the heads of the class.
    pub fn heads(self) -> &'static [Head] {
        match self {
            Self::Base => &[Head::Pooler],
            Self::PreTraining => &[Head::Pooler, Head::MaskedLm, Head::SentenceOrder],
            Self::MaskedLm => &[Head::MaskedLm],
            Self::SequenceClassification => &[Head::SequenceClassification],
            Self::TokenClassification => &[Head::TokenClassification],
            Self::MultipleChoice => &[Head::MultipleChoice],
            Self::QuestionAnswering => &[Head::QuestionAnswering],
        }
    }

    /// Returns the class of a checkpoint: the one named in its configuration if the file contains its heads, otherwise
    /// the first one whose parts are all present. A classifier with one output in a checkpoint from Google counts as a
    /// RACE model, which scores choices.
    pub fn of(inventory: &Inventory, config: &AlbertConfig) -> Self {
        let held = inventory.heads(config);
        let fits = |architecture: &Self| architecture.heads().iter().all(|head| held.contains(head));
        config
            .architectures
            .iter()
            .filter_map(|name| Self::from_class(name))
            .find(fits)
            .or_else(|| inventory.one_output_of_google(config).then_some(Self::MultipleChoice).filter(fits))
            .or_else(|| Self::ALL.into_iter().find(fits))
            .unwrap_or(Self::Base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_every_framework_are_known() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::from_class(architecture.class()), Some(architecture));
            let tf = format!("TF{}", architecture.class());
            assert_eq!(Architecture::from_class(&tf), Some(architecture));
        }
        assert_eq!(Architecture::from_class("FlaxAlbertForMaskedLM"), Some(Architecture::MaskedLm));
        assert_eq!(Architecture::from_class("BertModel"), None);
    }
}
