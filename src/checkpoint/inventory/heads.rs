//! The heads that a checkpoint contains.

use super::Inventory;
use crate::checkpoint::naming::names::Dialect;
use crate::model::{AlbertConfig, Head};

impl Inventory<'_> {
    /// Returns a note about a head in the file that this library does not support.
    pub(in crate::checkpoint) fn unknown_head(&self) -> Option<&'static str> {
        self.google_squad2.then_some(
            "the head of Google's SQuAD 2.0 training (start_logits, end_logits, answer_class) has no counterpart in \
             transformers or albert: its end depends on the start; heads of SQuAD 1.1 are read",
        )
    }

    /// Returns true if the classifier has one output and it is unclear whether it scores choices (like Google's for RACE)
    /// or texts (like Google's for STS-B).
    pub(in crate::checkpoint) fn one_output_of_google(&self, config: &AlbertConfig) -> bool {
        let one = self.shape("classifier.weight").is_some_and(|shape| shape.first() == Some(&1));
        one && self.tensors.dialect() == Dialect::Google && classifier_class(config).is_none()
    }

    /// Returns the heads that the file contains at least partly. A `classifier.*` may belong to three heads. If neither
    /// the class named in the configuration nor the shapes decide, all candidates are listed.
    pub fn heads(&self, config: &AlbertConfig) -> Vec<Head> {
        Head::ALL.into_iter().filter(|head| self.holds(*head, config)).collect()
    }

    fn holds(&self, head: Head, config: &AlbertConfig) -> bool {
        if !self.has_part(head_prefix(head)) {
            return false;
        }
        let pooler = self.has_part(head_prefix(Head::Pooler));
        let one_output = self.shape("classifier.weight").is_some_and(|shape| shape.first() == Some(&1));
        let labels = !one_output || config.num_labels == 1;
        let named = classifier_class(config);
        match head {
            Head::SequenceClassification => named.map_or(pooler && labels, |n| n == head),
            Head::TokenClassification => named.map_or(labels, |n| n == head),
            Head::MultipleChoice => named.map_or(pooler && one_output, |n| n == head),
            Head::Pooler | Head::MaskedLm | Head::SentenceOrder | Head::QuestionAnswering => true,
        }
    }

    /// Returns the parts of this checkpoint, in words.
    pub fn parts(&self, config: &AlbertConfig) -> Vec<&'static str> {
        let encoder = ["albert.encoder.", "albert.embeddings."].iter().any(|part| self.has_part(part));
        let encoder = encoder.then_some("an encoder");
        let mut heads = self.heads(config);
        // Keep the most likely meaning of the classifier.
        if heads.contains(&Head::SequenceClassification) {
            heads.retain(|head| !matches!(head, Head::TokenClassification | Head::MultipleChoice));
        }
        encoder.into_iter().chain(heads.into_iter().map(head_with_article)).collect()
    }

    /// Returns one line for messages: the parts, and the subcommands that can use them.
    pub(in crate::checkpoint) fn summary(&self, config: &AlbertConfig) -> String {
        let parts = self.parts(config);
        if parts.is_empty() {
            let example = self.sources.keys().chain(&self.unrecognized).next();
            let example = example.map_or_else(String::new, |name| format!(", for example \"{name}\""));
            let count = self.sources.len() + self.unrecognized.len();
            return format!("{count} tensors, none of which has the name of an ALBERT parameter{example}");
        }
        let mut fit: Vec<String> = self.heads(config).into_iter().flat_map(subcommands).collect();
        if self.has_part("albert.") {
            fit.push("embed".to_owned());
        }
        let fit: Vec<String> = fit.iter().map(|name| format!("`albert {name}`")).collect();
        format!("{}; it serves {}", parts.join(", "), fit.join(", "))
    }
}

/// Returns the head that `classifier.*` belongs to, according to the class named in the configuration.
fn classifier_class(config: &AlbertConfig) -> Option<Head> {
    config.architectures.iter().find_map(|name| {
        let class = name.trim_start_matches("TF").trim_start_matches("Flax").strip_prefix("AlbertFor")?;
        match class {
            "SequenceClassification" => Some(Head::SequenceClassification),
            "TokenClassification" => Some(Head::TokenClassification),
            "MultipleChoice" => Some(Head::MultipleChoice),
            _ => None,
        }
    })
}

/// Returns the prefix of a head's tensor names.
pub(in crate::checkpoint) fn head_prefix(head: Head) -> &'static str {
    match head {
        Head::Pooler => "albert.pooler.",
        Head::MaskedLm => "predictions.",
        Head::SentenceOrder => "sop_classifier.",
        Head::SequenceClassification | Head::TokenClassification | Head::MultipleChoice => "classifier.",
        Head::QuestionAnswering => "qa_outputs.",
    }
}

pub(in crate::checkpoint) fn head_with_article(head: Head) -> &'static str {
    match head {
        Head::Pooler => "a pooler",
        Head::MaskedLm => "a masked-LM head",
        Head::SentenceOrder => "a sentence-order head",
        Head::SequenceClassification => "a text-classification head",
        Head::TokenClassification => "a token-classification head",
        Head::MultipleChoice => "a multiple-choice head",
        Head::QuestionAnswering => "a question-answering head",
    }
}

/// Returns the subcommands that use a head.
fn subcommands(head: Head) -> impl Iterator<Item = String> {
    let own: &[&str] = match head {
        Head::Pooler => &[],
        Head::MaskedLm => &["fill-mask"],
        Head::SentenceOrder => &["classify with option order"],
        Head::SequenceClassification => &["classify"],
        Head::TokenClassification => &["ner"],
        Head::MultipleChoice => &["choose"],
        Head::QuestionAnswering => &["qa"],
    };
    let on_texts = TEXT_TASKS.iter().filter(move |(needed, _)| *needed == head).map(|(_, name)| *name);
    own.iter().copied().chain(on_texts).map(|name| name.replace('_', "-"))
}

/// Lists the tasks on texts with the heads that they need.
macro_rules! names {
    ($($module:ident: $task:ident on $head:ident;)*) => {
        const TEXT_TASKS: &[(Head, &str)] = &[$((Head::$head, stringify!($module))),*];
    };
}
crate::text_tasks!(names);
