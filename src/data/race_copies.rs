//! Detects copies in RACE folders: files such as `all.txt` that repeat others.
//!
//! A question is a copy if another article object contains the same question with the same text, options and answer,
//! whatever its file or id. It is a conflict if the same question has another answer under the same article id, or if an
//! id like `high12.txt`, or one in the same folder, belongs to two different texts. Different questions about the same
//! article are neither. Questions of the same article object are not compared with each other, which preserves the sizes
//! of the published data.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use super::duplicates::{Copies, conflict};
use super::example::{ChoiceExample, Place};
use crate::error::Result;

/// The first occurrence of something.
struct Seen {
    place: Place,
    /// The number of the article object.
    article: usize,
}

/// The articles read so far, as hashes.
#[derive(Default)]
pub(super) struct Articles {
    /// The number of the current article object.
    current: usize,
    /// Its id in the file.
    id: Option<String>,
    /// The hash of its text, once one of its questions has been read.
    text: Option<u64>,
    /// The scope in which its id must be unique: everywhere, or in its folder.
    scope: u64,
    /// First occurrences of questions with their answers.
    questions: HashMap<u64, Seen>,
    /// First occurrences of questions without their answers, by article id.
    asked: HashMap<u64, Seen>,
    /// The text of each article id.
    texts: HashMap<u64, (u64, Seen)>,
    /// The copies found so far.
    pub(super) copies: Copies,
}

impl Articles {
    /// Starts an article object with an id, in a folder.
    pub(super) fn begin(&mut self, id: Option<&str>, folder: Option<&Path>) {
        self.current += 1;
        self.text = None;
        self.id = id.filter(|id| !id.trim().is_empty()).map(str::to_owned);
        let is_published = ["middle", "high"].iter().any(|group| {
            let rest = id.and_then(|id| id.strip_prefix(group));
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        });
        self.scope = if is_published { 0 } else { hash(&folder) };
    }

    /// Returns false for a question that another article object contains, too.
    ///
    /// # Errors
    /// [`crate::Error::Record`] for a conflict with an earlier article of the same id.
    pub(super) fn is_new(&mut self, example: &ChoiceExample) -> Result<bool> {
        let ChoiceExample { context, prompt, choices, label, .. } = example;
        let (article, place) = (self.current, &example.place);
        let seen = || Seen { place: place.clone(), article };
        let text = *self.text.get_or_insert_with(|| hash(context));
        let question = hash(&(text, prompt, choices, label));
        if let Some(other) = self.questions.get(&question).filter(|other| other.article != article) {
            self.copies.add(place, &other.place);
            return Ok(false);
        }
        if let Some(id) = &self.id {
            let asked = self.asked.entry(hash(&(id, text, prompt, choices))).or_insert_with(seen);
            if asked.article != article {
                return Err(conflict(id, place, &asked.place));
            }
            let (known, other) = self.texts.entry(hash(&(id, self.scope))).or_insert_with(|| (text, seen()));
            if *known != text {
                return Err(conflict(id, place, &other.place));
            }
        }
        self.questions.entry(question).or_insert_with(seen);
        Ok(true)
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut state = DefaultHasher::new();
    value.hash(&mut state);
    state.finish()
}
