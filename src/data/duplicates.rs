//! Repeated examples: copies count once, and one id for two different examples is an error.
//!
//! A field named `id` is a key in most data sets, but in some it names what several examples share: the article of a
//! question, the sentence that several people labelled, a row number that starts again in each part. If at least a quarter
//! of the examples share their id with a different one, and there are at least two such cases, the ids of a file are not
//! taken for keys. Ids of SQuAD files always are: its evaluation script looks answers up by them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::bad_records::BadRecords;
use super::example::{ChoiceExample, Loaded, Place, QuestionExample, Target, TextExample, TokenExample};
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

/// The ids of the examples read so far, in their order.
#[derive(Debug, Default)]
pub(super) struct Ids {
    ids: Vec<Option<Box<str>>>,
    /// True if every conflict is an error.
    are_keys: bool,
}

impl Ids {
    /// Ids that are always keys.
    pub(super) fn keys() -> Self {
        Self { ids: Vec::new(), are_keys: true }
    }

    /// Adds the id of the next example; a blank one is none.
    pub(super) fn push(&mut self, id: Option<&str>) {
        let is_blank = |id: &str| id.trim_matches([' ', '"', '-']).is_empty();
        self.ids.push(id.filter(|id| !is_blank(id)).map(Box::from));
    }

    /// Leaves out the copies among `loaded.examples`, which must be those whose ids were added.
    ///
    /// # Errors
    /// [`crate::Error::Record`] for an example whose id an earlier, different example has.
    pub(super) fn settle<T: Content>(self, loaded: &mut Loaded<T>, bad: &mut BadRecords) -> Result<()> {
        let Self { ids, are_keys } = self;
        let groups = Groups::new(&ids, &loaded.examples);
        let Some(groups) = groups else { return Ok(()) };
        if !are_keys && groups.are_no_keys() {
            loaded.notes.push(format!(
                "{}: {} examples share their id with a different example, so the ids are not used to find copies",
                loaded.examples.first().map_or("", |example| &example.place().source),
                groups.sharing
            ));
            return Ok(());
        }
        let mut keep = Vec::with_capacity(ids.len());
        let mut copies = Copies::default();
        for (i, example) in loaded.examples.iter().enumerate() {
            let first = ids[i].as_deref().and_then(|id| Some((id, groups.first.get(id)?)));
            let Some((id, (index, content))) = first.filter(|(_, (index, _))| *index != i) else {
                keep.push(true);
                continue;
            };
            let other = loaded.examples[*index].place();
            if content_of(example) == *content {
                copies.add(example.place(), other);
            } else {
                bad.check::<()>(Err(conflict(id, example.place(), other)))?;
            }
            keep.push(false);
        }
        let mut keep = keep.into_iter();
        loaded.examples.retain(|_| keep.next().unwrap_or(true));
        copies.report(loaded);
        Ok(())
    }
}

/// The error of an example whose id belongs to another.
pub(super) fn conflict(id: &str, place: &Place, other: &Place) -> crate::Error {
    place.error(format!(
        "the id {} already belongs to a different example ({other}); correct one of them, or leave this one out with \
         --on-error skip",
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
    pub(super) fn report<T>(self, loaded: &mut Loaded<T>) {
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

/// Examples by their ids.
struct Groups<'a> {
    /// The first example of each id, and its content.
    first: HashMap<&'a str, (usize, u64)>,
    /// How many examples have an id.
    examples: usize,
    /// How many of these share it with a different one.
    sharing: usize,
    /// How many different examples there are beyond the first of each id.
    conflicts: usize,
}

impl<'a> Groups<'a> {
    /// `None` if every id is there once.
    fn new<T: Content>(ids: &'a [Option<Box<str>>], examples: &[T]) -> Option<Self> {
        let mut sizes: HashMap<&str, usize> = HashMap::new();
        for id in ids.iter().flatten() {
            *sizes.entry(id).or_default() += 1;
        }
        let with_id = sizes.values().sum();
        if sizes.len() == with_id {
            return None;
        }
        let mut groups = Self { first: HashMap::new(), examples: with_id, sharing: 0, conflicts: 0 };
        // The different contents of each repeated id.
        let mut contents: HashMap<&str, Vec<u64>> = HashMap::new();
        for (i, (id, example)) in ids.iter().zip(examples).enumerate() {
            let Some(id) = id.as_deref().filter(|id| sizes[*id] > 1) else { continue };
            let content = content_of(example);
            groups.first.entry(id).or_insert((i, content));
            let known = contents.entry(id).or_default();
            // Past this many it no longer matters how many there are.
            if known.len() < 64 && !known.contains(&content) {
                known.push(content);
            }
        }
        for (id, known) in &contents {
            if known.len() > 1 {
                groups.sharing += sizes[id];
                groups.conflicts += known.len() - 1;
            }
        }
        Some(groups)
    }

    fn are_no_keys(&self) -> bool {
        self.conflicts >= FEWEST_SHARED && self.sharing * SHARED_PART >= self.examples
    }
}

fn content_of<T: Content>(example: &T) -> u64 {
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
        let mut loaded = Loaded::new();
        for (line, (id, text)) in records.iter().enumerate() {
            ids.push(Some(*id));
            loaded.examples.push(TextExample {
                place: Place { source: "a".into(), line: line as u64 + 1 },
                id: None,
                text: (*text).to_owned(),
                text_pair: None,
                target: Target::None,
            });
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
