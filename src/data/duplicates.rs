//! Repeated examples: copies count once, and one id for two different examples is an error.
//!
//! A field named `id` is a key in most data sets, but in some it names what several examples share: the article of a
//! question, the sentence that several people labelled, a row number that starts again in each part. If at least a quarter
//! of the examples share their id with a different one, and there are at least two such cases, the ids of a file are not
//! taken for keys. Ids of SQuAD files always are: its evaluation script looks answers up by them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::bad_records::BadRecords;
use super::example::{ChoiceExample, Loaded, Place, QuestionExample, Target, TextExample, TokenExample};
use super::examples::Examples;
use super::shortened::shortened;
use crate::error::Result;

/// Ids that fewer different examples share than this are a mistake, not a property of the data.
const FEWEST_SHARED: usize = 2;

/// Ids are not keys if one of this many examples shares its id with a different one.
const SHARED_PART: usize = 4;

/// An example that can be compared with another without keeping its text.
pub(super) trait Content {
    /// Where it stands.
    fn place(&self) -> &Place;
    /// Feeds everything that a model sees or learns, but neither place nor id.
    fn hash_content(&self, state: &mut DefaultHasher);
}

/// The ids of the examples of one file read so far, in their order. Takes 24 bytes and its id for each example that has one.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// True if every conflict is an error.
    are_keys: bool,
    /// The number of examples, with and without ids.
    examples: usize,
    source: Option<Arc<str>>,
    /// The ids, one after the other.
    text: String,
    entries: Vec<Entry>,
}

/// An example with an id.
#[derive(Debug)]
struct Entry {
    /// The end of its id in the text.
    end: usize,
    content: u64,
    line: u64,
    /// Its number among all examples.
    number: usize,
}

impl Ids {
    /// Ids that are always keys.
    pub(super) fn keys() -> Self {
        Self { are_keys: true, ..Self::default() }
    }

    /// Adds the id of the next example; a blank one is none.
    pub(super) fn push(&mut self, id: Option<&str>, example: &impl Content) {
        let is_blank = |id: &str| id.trim_matches([' ', '"', '-']).is_empty();
        if let Some(id) = id.filter(|id| !is_blank(id)) {
            self.text.push_str(id);
            let place = example.place();
            self.source.get_or_insert_with(|| place.source.clone());
            self.entries.push(Entry {
                end: self.text.len(),
                content: content_of(example),
                line: place.line,
                number: self.examples,
            });
        }
        self.examples += 1;
    }

    fn id(&self, entry: usize) -> &str {
        let start = entry.checked_sub(1).map_or(0, |before| self.entries[before].end);
        self.text.get(start..self.entries[entry].end).unwrap_or_default()
    }

    fn place(&self, entry: usize) -> Place {
        let source = self.source.clone().unwrap_or_else(|| "".into());
        Place { source, line: self.entries[entry].line }
    }

    /// Removes the copies among `loaded.examples`, which must be those whose ids were added.
    ///
    /// # Errors
    /// [`crate::Error::Record`] for an example whose id an earlier, different example has.
    pub(super) fn settle<T>(self, loaded: &mut Loaded<impl Examples<T>>, bad: &mut BadRecords) -> Result<()> {
        let groups = Groups::new(&self);
        if groups.repeated.is_empty() {
            return Ok(());
        }
        if !self.are_keys && groups.are_no_keys(self.entries.len()) {
            loaded.notes.push(format!(
                "{}: {} examples share their id with a different example, so the ids are not used to find copies",
                self.source.as_deref().unwrap_or_default(),
                groups.sharing
            ));
            return Ok(());
        }
        let mut removed = Vec::with_capacity(groups.repeated.len());
        let mut copies = Copies::default();
        for (entry, first) in groups.repeated {
            let (place, other) = (self.place(entry), self.place(first));
            if self.entries[entry].content == self.entries[first].content {
                copies.add(&place, &other);
            } else {
                bad.check::<()>(Err(conflict(self.id(entry), &place, &other)))?;
            }
            removed.push(self.entries[entry].number);
        }
        loaded.examples.remove_numbers(&removed);
        copies.report(loaded);
        Ok(())
    }
}

/// The error of an example whose id belongs to another.
pub(super) fn conflict(id: &str, place: &Place, other: &Place) -> crate::Error {
    place.error(format!(
        "the id {} already belongs to a different example ({other}); correct one of them, or leave this one out with \
         option on_error=skip",
        shortened(id)
    ))
}

/// Copies that were left out.
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

    /// Adds the number and the first of them to what the user is warned of.
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

/// Examples that share an id.
struct Groups {
    /// The entries whose id an earlier one has, in ascending order, with the first entry of the id.
    repeated: Vec<(usize, usize)>,
    /// The number of examples that share their id with a different one.
    sharing: usize,
    /// The number of different examples beyond the first of each id.
    conflicts: usize,
}

impl Groups {
    fn new(ids: &Ids) -> Self {
        let mut order: Vec<usize> = (0..ids.entries.len()).collect();
        order.sort_unstable_by(|a, b| ids.id(*a).cmp(ids.id(*b)).then(a.cmp(b)));
        let mut groups = Self { repeated: Vec::new(), sharing: 0, conflicts: 0 };
        for group in order.chunk_by(|a, b| ids.id(*a) == ids.id(*b)).filter(|group| group.len() > 1) {
            groups.repeated.extend(group[1..].iter().map(|entry| (*entry, group[0])));
            let mut contents: Vec<u64> = group.iter().map(|entry| ids.entries[*entry].content).collect();
            contents.sort_unstable();
            contents.dedup();
            if contents.len() > 1 {
                groups.sharing += group.len();
                groups.conflicts += contents.len() - 1;
            }
        }
        groups.repeated.sort_unstable();
        groups
    }

    /// Returns true if too many of `examples` examples with ids share them.
    fn are_no_keys(&self, examples: usize) -> bool {
        self.conflicts >= FEWEST_SHARED && self.sharing * SHARED_PART >= examples
    }
}

fn content_of(example: &impl Content) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::OnBadRecord;

    /// Reads pairs of an id and a text with its label, and shows the lines kept, then what is said of the others.
    fn settled(records: &[(&str, &str)], mut ids: Ids, choice: Option<OnBadRecord>) -> Vec<String> {
        let mut loaded = Loaded::new(Vec::new());
        for (line, (id, text)) in records.iter().enumerate() {
            let example = TextExample {
                place: Place { source: "a".into(), line: line as u64 + 1 },
                id: None,
                text: (*text).to_owned(),
                text_pair: None,
                target: Target::None,
            };
            ids.push(Some(*id), &example);
            loaded.examples.push(example);
        }
        let mut bad = BadRecords::new(choice);
        match ids.settle(&mut loaded, &mut bad) {
            Err(error) => vec![error.to_string()],
            Ok(()) => {
                let lines: Vec<String> = loaded.examples.iter().map(|e| e.place.line.to_string()).collect();
                let told = loaded.warnings.into_iter().chain(loaded.notes);
                std::iter::once(lines.join(" ")).chain(told).chain(bad.message("f".as_ref())).collect()
            }
        }
    }

    #[test]
    fn copies_count_once() {
        assert_eq!(settled(&[("1", "a"), ("2", "a"), ("3", "b")], Ids::default(), None), ["1 2 3"]);
        assert_eq!(
            settled(&[("1", "a"), ("2", "b"), ("1", "a")], Ids::default(), None),
            ["1 2", "1 example is a copy of another and counts once: a:3 repeats a:1"]
        );
        let many = [("1", "a"), ("1", "a"), ("2", "b"), ("2", "b"), ("1", "a")];
        assert_eq!(
            settled(&many, Ids::default(), None),
            ["1 3", "3 examples are copies of others and count once; the first: a:2 repeats a:1"]
        );
        assert_eq!(
            settled(&[("\"\"", "a"), ("\"\"", "b"), (" ", "c"), ("-", "d")], Ids::keys(), None),
            ["1 2 3 4"]
        );
    }

    #[test]
    fn a_conflict_names_both_places() {
        let records = [("q1", "a"), ("q2", "b"), ("q1", "c")];
        for ids in [Ids::default(), Ids::keys()] {
            let shown = settled(&records, ids, None);
            assert!(
                shown[0].starts_with("a:3: the id q1 already belongs to a different example (a:1);"),
                "{shown:?}"
            );
        }
        let skipped = settled(&records, Ids::default(), Some(OnBadRecord::Skip));
        assert_eq!(skipped[0], "1 2");
        assert!(skipped[1].starts_with("f: skipped 1 bad record: a:3: the id q1"), "{skipped:?}");
    }

    #[test]
    fn ids_that_many_examples_share_are_not_keys() {
        let articles = [("high1", "a"), ("high1", "b"), ("high2", "c"), ("high2", "d"), ("high2", "d")];
        let shown = settled(&articles, Ids::default(), None);
        assert_eq!(shown[0], "1 2 3 4 5");
        assert!(shown[1].starts_with("a: 5 examples share their id with a different example"), "{shown:?}");
        assert!(settled(&articles, Ids::keys(), None)[0].starts_with("a:2: the id high1"));
        let names: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let mut few: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
        few.extend([("3", "x"), ("4", "y")]);
        assert!(settled(&few, Ids::default(), None)[0].starts_with("a:21: the id 3"));
    }
}
