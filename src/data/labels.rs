//! The labels of a task, in a fixed order.
//!
//! Labels collected from data are sorted, as in transformers 4.57 `run_glue.py` and `run_ner.py`, except that numbers are
//! ordered by value and the tags of an entity type are adjacent.

use std::collections::{BTreeSet, HashMap};

use super::example::Place;
use crate::error::{Error, Result, listed};

/// Maximum number of names in a message.
const LISTED: usize = 30;

/// Minimum similarity for a suggestion.
const ALIKE: f64 = 0.5;

/// Label names with ids from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSet {
    names: Vec<String>,
    ids: HashMap<String, usize>,
}

impl LabelSet {
    /// Creates a set of labels in a given order, from a model or the user.
    ///
    /// # Errors
    /// A message that names a blank or repeated label. The caller adds the file or the option.
    pub fn given(names: Vec<String>) -> std::result::Result<Self, String> {
        let mut ids = HashMap::with_capacity(names.len());
        for (id, name) in names.iter().enumerate() {
            if name.trim().is_empty() {
                return Err(format!("label {id} is blank"));
            }
            if let Some(other) = ids.insert(name.clone(), id) {
                return Err(format!("label \"{name}\" occurs twice, as {other} and as {id}"));
            }
        }
        Ok(Self { names, ids })
    }

    /// Creates the set of labels of texts, sorted by value if all are integers, otherwise alphabetically.
    pub fn of_texts<'a>(labels: impl IntoIterator<Item = &'a String>) -> Self {
        Self::sorted(labels.into_iter(), |_| ("", 0))
    }

    /// Creates the set of tags of words. They are sorted by value if all are integers, otherwise `O` comes first,
    /// followed by the tags of each entity type (`B-`, `I-`, then others), with types in alphabetical order. Tags that do
    /// not occur are not added, so pass those of all splits.
    pub fn of_tokens<'a>(tags: impl IntoIterator<Item = &'a String>) -> Self {
        Self::sorted(tags.into_iter(), tag_order)
    }

    fn sorted<'a>(names: impl Iterator<Item = &'a String>, order: impl Fn(&str) -> (&str, usize)) -> Self {
        let found: BTreeSet<&String> = names.collect();
        let mut names: Vec<String> = found.into_iter().cloned().collect();
        let numbers: Option<Vec<i128>> = names.iter().map(|name| name.parse().ok()).collect();
        if numbers.is_some() {
            names.sort_by_cached_key(|name| name.parse::<i128>().unwrap_or_default());
        } else {
            names.sort_by(|a, b| order(a).cmp(&order(b)));
        }
        let ids = names.iter().cloned().enumerate().map(|(id, name)| (name, id)).collect();
        Self { names, ids }
    }

    /// Returns the names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of labels.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns true if the set is empty.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the name of an id.
    pub fn name(&self, id: usize) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// Returns the id of a name, which must match exactly.
    pub fn id(&self, name: &str) -> Option<usize> {
        self.ids.get(name).copied()
    }

    /// Returns the id of an example's label.
    ///
    /// # Errors
    /// [`Self::unknown`].
    pub fn require(&self, place: &Place, name: &str) -> Result<usize> {
        self.id(name).ok_or_else(|| self.unknown(place, name))
    }

    /// Returns the error for an unknown label. It names the location, the label, the most similar known one, and all
    /// known ones.
    pub fn unknown(&self, place: &Place, name: &str) -> Error {
        let near = self.nearest(name).map_or(String::new(), |near| format!(" Did you mean \"{near}\"?"));
        let first = listed(self.names.iter().take(LISTED));
        let more = match self.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        place.error(format!("label \"{name}\" is not known.{near} Known labels: {first}{more}"))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        let score = |other: &String| strsim::normalized_damerau_levenshtein(&name, &other.to_lowercase());
        let scored = self.names.iter().map(|other| (score(other), other.as_str()));
        let best = scored.filter(|(score, _)| *score > ALIKE).reduce(|a, b| if b.0 > a.0 { b } else { a });
        best.map(|(_, name)| name)
    }
}

/// Returns the entity type of a tag, and the rank of the tag within the type.
fn tag_order(tag: &str) -> (&str, usize) {
    match tag.split_once('-') {
        _ if tag == "O" => ("", 0),
        Some((prefix, group)) if !group.is_empty() => match "BILEUS".find(prefix) {
            Some(place) if prefix.len() == 1 => (group, place + 1),
            _ => (tag, 0),
        },
        _ => (tag, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { source: "a.jsonl".into(), line: 3 }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn tags(tags: &[&str]) -> LabelSet {
        LabelSet::of_tokens(&names(tags))
    }

    #[test]
    fn the_order_of_labels_found() {
        assert_eq!(LabelSet::of_texts(&names(&["pos", "neg", "pos"])).names(), ["neg", "pos"]);
        assert_eq!(LabelSet::of_texts(&names(&["10", "9", "-1", "9"])).names(), ["-1", "9", "10"]);
        assert_eq!(LabelSet::of_texts(&names(&["10", "9", "a"])).names(), ["10", "9", "a"]);
        assert_eq!(LabelSet::of_texts(&names(&["O", "A"])).names(), ["A", "O"]);
        assert!(LabelSet::of_texts([]).is_empty());
    }

    #[test]
    fn the_order_of_tags_found() {
        assert_eq!(
            tags(&["I-PER", "B-ORG", "B-PER", "B-creative-work", "O", "I-LOC"]).names(),
            ["O", "I-LOC", "B-ORG", "B-PER", "I-PER", "B-creative-work"]
        );
        assert_eq!(
            tags(&["S-A", "E-A", "I-A", "B-A", "O", "E-MAIL", "BI-X", "-", "B-"]).names(),
            ["O", "-", "B-A", "I-A", "E-A", "S-A", "B-", "BI-X", "E-MAIL"]
        );
        assert_eq!(tags(&["NOUN", "ADJ", "VERB"]).names(), ["ADJ", "NOUN", "VERB"]);
        assert_eq!(tags(&["2", "10", "0"]).names(), ["0", "2", "10"]);
    }

    #[test]
    fn a_given_order_stays() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let set = LabelSet::given(names(&["b", "a"])).expect("labels");
        assert_eq!((set.id("b"), set.id("a"), set.id("c")), (Some(0), Some(1), None));
        assert_eq!((set.name(1), set.name(2), set.len()), (Some("a"), None, 2));
        assert_eq!(
            LabelSet::given(names(&["a", "b", "a"])),
            Err("label \"a\" occurs twice, as 0 and as 2".to_owned())
        );
        assert_eq!(LabelSet::given(names(&["a", " "])), Err("label 1 is blank".to_owned()));
    }

    #[test]
    fn unknown_labels_are_named_with_the_nearest() {
        let set = LabelSet::given(vec!["negative".to_owned(), "positive".to_owned()]).expect("labels");
        assert_eq!(
            set.require(&place(), "Postive").err().map(|e| e.to_string()).as_deref(),
            Some(
                "a.jsonl:3: label \"Postive\" is not known. Did you mean \"positive\"? Known labels: negative, \
                 positive"
            )
        );
        assert!(!set.unknown(&place(), "7").to_string().contains("Did you mean"));
        let many = LabelSet::given((0..40).map(|i| format!("label {i}")).collect()).expect("labels");
        assert!(many.unknown(&place(), "x").to_string().ends_with("label 29 and 10 more"));
    }
}
