//! Ids of examples: copies count once, and the same id for two different examples is an error.
//!
//! In most data sets, a field named `id` is a key. In some, however, several examples share it: the article of a
//! question, a sentence labelled by several people, a row number that restarts in each part. The ids of a file do not
//! count as keys if at least a quarter of the examples share their id with a different one, and there are at least two
//! such cases. Ids of SQuAD files are always keys, because its evaluation script looks up answers by id.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bad_records::BadRecords;
use super::duplicates::{Content, Copies, conflict, content_of};
use super::example::{Loaded, Place};
use super::examples::Examples;
use crate::error::Result;
use crate::io::{Scratch, Sorted};

/// If fewer different examples share an id, it is a mistake, not a property of the data.
const FEWEST_SHARED: u64 = 2;

/// Ids are not keys if one in this many examples shares its id with a different one.
const SHARED_PART: u64 = 4;

/// The ids of the examples of one file read so far. Memory use is bounded, since most of them are in temporary files.
pub(super) struct Ids {
    /// True if every conflict is an error.
    are_keys: bool,
    /// The number of examples, with and without ids.
    examples: u64,
    source: Option<Arc<str>>,
    /// The concatenated ids.
    text: Scratch,
    entries: Sorted<ENTRY>,
    /// The number of entries.
    count: u64,
    /// The directory for temporary files; `None` for examples in memory.
    directory: Option<PathBuf>,
}

/// An example with an id.
struct Entry {
    /// A 128-bit hash of its id. In practice, two ids of a file never share it.
    id: [u64; 2],
    /// Its index among all examples.
    number: u64,
    content: u64,
    line: u64,
    /// The location of its id in the text: offset and number of bytes.
    text: [u64; 2],
}

/// Number of integers in an [`Entry`].
const ENTRY: usize = 7;

impl Entry {
    /// Returns the integers of an entry, such that entries are sorted by id, then by index.
    fn to_numbers(&self) -> [u64; ENTRY] {
        let Self { id, number, content, line, text } = *self;
        [id[0], id[1], number, content, line, text[0], text[1]]
    }

    fn of_numbers(numbers: &[u64; ENTRY]) -> Self {
        let [high, low, number, content, line, start, length] = *numbers;
        Self { id: [high, low], number, content, line, text: [start, length] }
    }
}

/// An example with the id of an earlier one.
struct Repeated {
    number: u64,
    line: u64,
    /// The line of the first example with the id.
    first: u64,
    is_copy: bool,
    text: [u64; 2],
}

/// Number of integers in a [`Repeated`].
const REPEATED: usize = 6;

impl Repeated {
    /// Returns the integers, such that they are sorted by the index of the example.
    fn to_numbers(&self) -> [u64; REPEATED] {
        let Self { number, line, first, is_copy, text } = *self;
        [number, line, first, u64::from(is_copy), text[0], text[1]]
    }

    fn of_numbers(numbers: &[u64; REPEATED]) -> Self {
        let [number, line, first, is_copy, start, length] = *numbers;
        Self { number, line, first, is_copy: is_copy != 0, text: [start, length] }
    }
}

impl Ids {
    /// Creates an empty set of ids. Temporary files are created in a directory on demand.
    pub(super) fn new(directory: Option<&Path>) -> Self {
        Self {
            are_keys: false,
            examples: 0,
            source: None,
            text: scratch(directory),
            entries: Sorted::new(scratch(directory)),
            count: 0,
            directory: directory.map(Path::to_owned),
        }
    }

    /// Creates an empty set of ids that are always keys.
    pub(super) fn keys(directory: Option<&Path>) -> Self {
        Self { are_keys: true, ..Self::new(directory) }
    }

    /// Adds the id of the next example. A blank id counts as none.
    ///
    /// # Errors
    /// [`crate::Error::Io`] for the temporary files.
    pub(super) fn push(&mut self, id: Option<&str>, example: &impl Content) -> Result<()> {
        let is_blank = |id: &str| id.trim_matches([' ', '"', '-']).is_empty();
        if let Some(id) = id.filter(|id| !is_blank(id)) {
            let place = example.place();
            self.source.get_or_insert_with(|| place.source.clone());
            let entry = Entry {
                id: hash_of(id),
                number: self.examples,
                content: content_of(example),
                line: place.line,
                text: [self.text.len(), id.len() as u64],
            };
            self.text.append(id.as_bytes())?;
            self.entries.push(entry.to_numbers())?;
            self.count += 1;
        }
        self.examples += 1;
        Ok(())
    }

    /// Removes the copies from `loaded.examples`, which must be the examples whose ids were added.
    ///
    /// # Errors
    /// [`crate::Error::Record`] for an example with the id of an earlier, different example; [`crate::Error::Io`].
    pub(super) fn settle<T>(
        mut self,
        loaded: &mut Loaded<impl Examples<T>>,
        bad: &mut BadRecords,
    ) -> Result<()> {
        let (sharing, mut repeated) = self.repeated()?;
        if sharing.repeated == 0 {
            return Ok(());
        }
        if !self.are_keys && sharing.are_not_keys(self.count) {
            loaded.notes.push(format!(
                "{}: {} examples share their id with a different example, so the ids are not used to find copies",
                self.source.as_deref().unwrap_or_default(),
                sharing.examples
            ));
            return Ok(());
        }
        let source = self.source.clone().unwrap_or_else(|| "".into());
        let place = |line| Place { source: source.clone(), line };
        let (mut removed, mut copies) = (Vec::new(), Copies::default());
        repeated.each(|numbers| {
            let Repeated { number, line, first, is_copy, text } = Repeated::of_numbers(numbers);
            if is_copy {
                copies.add(&place(line), &place(first));
            } else {
                bad.check::<()>(Err(conflict(&self.id(text)?, &place(line), &place(first))))?;
            }
            removed.push(number as usize);
            Ok(())
        })?;
        loaded.examples.remove_numbers(&removed);
        copies.report(loaded);
        Ok(())
    }

    /// Finds the examples with ids of earlier ones, and counts how many share their ids.
    fn repeated(&mut self) -> Result<(Sharing, Sorted<REPEATED>)> {
        let mut repeated = Sorted::new(scratch(self.directory.as_deref()));
        let (mut sharing, mut group) = (Sharing::default(), None::<Group>);
        self.entries.each(|numbers| {
            let entry = Entry::of_numbers(numbers);
            let Some(group) = group.as_mut().filter(|group| group.first.id == entry.id) else {
                sharing.add(group.replace(Group::of(entry)));
                return Ok(());
            };
            group.examples += 1;
            if group.contents.len() <= FEWEST_SHARED as usize && !group.contents.contains(&entry.content) {
                group.contents.push(entry.content);
            }
            sharing.repeated += 1;
            let Entry { number, line, text, .. } = entry;
            let is_copy = entry.content == group.first.content;
            repeated.push(Repeated { number, line, first: group.first.line, is_copy, text }.to_numbers())
        })?;
        sharing.add(group);
        Ok((sharing, repeated))
    }

    /// Returns the id at a location in the text.
    fn id(&self, [start, length]: [u64; 2]) -> Result<String> {
        let mut bytes = vec![0; length as usize];
        self.text.read(start, &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn scratch(directory: Option<&Path>) -> Scratch {
    directory.map_or_else(Scratch::in_memory, Scratch::new)
}

fn hash_of(id: &str) -> [u64; 2] {
    [0, 1].map(|salt: u8| {
        let mut state = DefaultHasher::new();
        (salt, id).hash(&mut state);
        state.finish()
    })
}

/// The examples with the same id.
struct Group {
    first: Entry,
    examples: u64,
    /// Hashes of different contents. The first few suffice.
    contents: Vec<u64>,
}

impl Group {
    fn of(first: Entry) -> Self {
        Self { examples: 1, contents: vec![first.content], first }
    }
}

/// Counts of examples that share their ids.
#[derive(Default)]
struct Sharing {
    /// Number of examples with the id of an earlier one.
    repeated: u64,
    /// Number of examples that share their id with a different one.
    examples: u64,
    /// Number of different examples beyond the first of each id, up to [`FEWEST_SHARED`] per id.
    conflicts: u64,
}

impl Sharing {
    fn add(&mut self, group: Option<Group>) {
        if let Some(group) = group.filter(|group| group.contents.len() > 1) {
            self.examples += group.examples;
            self.conflicts += group.contents.len() as u64 - 1;
        }
    }

    /// Returns true if too many of `examples` examples with ids share them.
    fn are_not_keys(&self, examples: u64) -> bool {
        self.conflicts >= FEWEST_SHARED && self.examples * SHARED_PART >= examples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{OnBadRecord, Target, TextExample};

    /// Processes pairs of an id and a text with its label. Returns the lines that are kept, followed by the warnings.
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
            ids.push(Some(*id), &example).expect("adds");
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
        assert_eq!(settled(&[("1", "a"), ("2", "a"), ("3", "b")], Ids::new(None), None), ["1 2 3"]);
        assert_eq!(
            settled(&[("1", "a"), ("2", "b"), ("1", "a")], Ids::new(None), None),
            ["1 2", "1 example is a copy of another and counts once: a:3 repeats a:1"]
        );
        let many = [("1", "a"), ("1", "a"), ("2", "b"), ("2", "b"), ("1", "a")];
        assert_eq!(
            settled(&many, Ids::new(None), None),
            ["1 3", "3 examples are copies of others and count once; the first: a:2 repeats a:1"]
        );
        assert_eq!(
            settled(&[("\"\"", "a"), ("\"\"", "b"), (" ", "c"), ("-", "d")], Ids::keys(None), None),
            ["1 2 3 4"]
        );
    }

    #[test]
    fn a_conflict_names_both_places() {
        let records = [("q1", "a"), ("q2", "b"), ("q1", "c")];
        for ids in [Ids::new(None), Ids::keys(None)] {
            let shown = settled(&records, ids, None);
            assert!(
                shown[0].starts_with("a:3: the id q1 already belongs to a different example (a:1);"),
                "{shown:?}"
            );
        }
        let skipped = settled(&records, Ids::new(None), Some(OnBadRecord::Skip));
        assert_eq!(skipped[0], "1 2");
        assert!(skipped[1].starts_with("f: skipped 1 bad record: a:3: the id q1"), "{skipped:?}");
    }

    #[test]
    fn ids_that_many_examples_share_are_not_keys() {
        let articles = [("high1", "a"), ("high1", "b"), ("high2", "c"), ("high2", "d"), ("high2", "d")];
        let shown = settled(&articles, Ids::new(None), None);
        assert_eq!(shown[0], "1 2 3 4 5");
        assert!(shown[1].starts_with("a: 5 examples share their id with a different example"), "{shown:?}");
        assert!(settled(&articles, Ids::keys(None), None)[0].starts_with("a:2: the id high1"));
        let names: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let mut few: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
        few.extend([("3", "x"), ("4", "y")]);
        assert!(settled(&few, Ids::new(None), None)[0].starts_with("a:21: the id 3"));
    }
}
