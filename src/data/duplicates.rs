//! Repeated examples: when two of them are equal, and how they are reported.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::example::{ChoiceExample, Loaded, Place, QuestionExample, Target, TextExample, TokenExample};
use super::shortened::shortened;

/// An example that can be compared with another without keeping its text.
pub(super) trait Content {
    /// Returns its location.
    fn place(&self) -> &Place;
    /// Hashes everything that a model sees or learns, but not the location or the id.
    fn hash_content(&self, state: &mut DefaultHasher);
}

/// Returns the error of an example whose id belongs to another one.
pub(super) fn conflict(id: &str, place: &Place, other: &Place) -> crate::Error {
    place.error(format!(
        "the id {} already belongs to a different example ({other}); correct one of them, or leave this one out with \
         option on_error=skip",
        shortened(id)
    ))
}

/// Copies that were skipped.
#[derive(Debug, Default)]
pub(super) struct Copies {
    count: u64,
    first: Option<(Place, Place)>,
}

impl Copies {
    /// Counts an example at `place` that repeats the one at `other`.
    pub(super) fn add(&mut self, place: &Place, other: &Place) {
        self.count += 1;
        self.first.get_or_insert_with(|| (place.clone(), other.clone()));
    }

    /// Adds their number, and a warning that describes the first of them.
    pub(super) fn report<E>(self, loaded: &mut Loaded<E>) {
        let Some((place, other)) = self.first else { return };
        loaded.repeated += self.count;
        loaded.warnings.push(match self.count {
            1 => format!("1 example is a copy of another and counts once: {place} repeats {other}"),
            count => format!(
                "{count} examples are copies of others and count once; the first: {place} repeats {other}"
            ),
        });
    }
}

/// Returns a hash that is equal for equal examples.
pub(super) fn content_of(example: &impl Content) -> u64 {
    let mut state = DefaultHasher::new();
    example.hash_content(&mut state);
    state.finish()
}

impl Content for TextExample {
    fn place(&self) -> &Place {
        &self.place
    }

    fn hash_content(&self, state: &mut DefaultHasher) {
        (&self.text, &self.text_pair).hash(state);
        match &self.target {
            Target::None => 0.hash(state),
            Target::Label(label) => (1, label).hash(state),
            Target::Labels(labels) => (2, labels).hash(state),
            Target::Number(number) => (3, number.to_bits()).hash(state),
        }
    }
}

impl Content for TokenExample {
    fn place(&self) -> &Place {
        &self.place
    }

    fn hash_content(&self, state: &mut DefaultHasher) {
        (&self.words, &self.tags).hash(state);
    }
}

impl Content for QuestionExample {
    fn place(&self) -> &Place {
        &self.place
    }

    fn hash_content(&self, state: &mut DefaultHasher) {
        (&self.question, &self.context, self.is_impossible).hash(state);
        for answer in &self.answers {
            (&answer.text, answer.start).hash(state);
        }
    }
}

impl Content for ChoiceExample {
    fn place(&self) -> &Place {
        &self.place
    }

    fn hash_content(&self, state: &mut DefaultHasher) {
        (&self.context, &self.prompt, &self.choices, self.label).hash(state);
    }
}
