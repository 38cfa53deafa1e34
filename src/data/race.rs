//! RACE (Lai et al. 2017): folders of files, each with an article, questions, and four options per question.
//!
//! The folders are `train`, `dev` and `test`, each with `middle` and `high`. Any of these can be read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::bad_records::BadRecords;
use super::choice_checks::{check_count, in_range, letter};
use super::example::{ChoiceExample, Loaded, Place};
use super::examples::Examples;
use super::race_copies::Articles;
use super::shortened::shortened;
use super::source::Source;
use crate::error::{Error, Result};

/// The two parts of each split.
const GROUPS: [&str; 2] = ["middle", "high"];

const SPLITS: [&str; 3] = ["train", "dev", "test"];

/// The content of a file. Test files of some copies have no answers.
#[derive(Deserialize)]
struct Article {
    article: String,
    questions: Vec<String>,
    options: Vec<Vec<String>>,
    #[serde(default)]
    answers: Option<Vec<String>>,
    #[serde(default)]
    id: Option<String>,
}

/// Returns true if a file starts like a RACE file.
pub(super) fn looks_like_race(head: &[u8]) -> bool {
    let has = |key: &[u8]| head.windows(key.len()).any(|part| part == key);
    head.trim_ascii_start().starts_with(b"{") && has(b"\"article\"") && has(b"\"questions\"")
}

/// Reads the files below a folder, in the order of their paths. Files in `middle` and `high` come first, so that of two
/// copies, the one with a known group is kept.
///
/// # Errors
/// [`Error::BadFile`] for a folder without `.txt` files; errors from [`read_file`].
pub(super) fn read_folder<E: Examples<ChoiceExample>>(
    examples: E,
    folder: &Path,
    unlabelled: bool,
    bad: BadRecords,
) -> Result<Loaded<E>> {
    let mut files = Vec::new();
    walk(folder, &mut HashSet::new(), &mut files)?;
    files.sort();
    files.sort_by_cached_key(|file| group(file).is_none());
    if files.is_empty() {
        let problem = "no file in this folder ends in .txt; expected a folder or a file of RACE";
        return Err(Error::bad_file(folder, problem));
    }
    let mut reading = Reading::new(examples, unlabelled, bad);
    for file in &files {
        reading.add(Source::open(file)?)?;
    }
    let splits: Vec<&str> = SPLITS.into_iter().filter(|split| holds(folder, &files, split)).collect();
    if splits.len() > 1 {
        let splits = splits.join(", ");
        reading.loaded.notes.push(format!(
            "{}: read {splits} together; name one of them to keep them apart",
            folder.display()
        ));
    }
    reading.finished(folder)
}

/// Reads one file, which contains one or several articles.
///
/// # Errors
/// [`Error::Record`] for an invalid question, [`Error::BadFile`] for anything but an article, [`Error::Io`].
pub(super) fn read_file<E: Examples<ChoiceExample>>(
    examples: E,
    source: Source,
    unlabelled: bool,
    bad: BadRecords,
) -> Result<Loaded<E>> {
    let path = source.path().to_owned();
    let mut reading = Reading::new(examples, unlabelled, bad);
    reading.add(source)?;
    reading.finished(&path)
}

/// Returns true if `folder` has files in a subfolder with this name.
fn holds(folder: &Path, files: &[PathBuf], split: &str) -> bool {
    let below = |file: &PathBuf| file.strip_prefix(folder).is_ok_and(|rest| rest.starts_with(split));
    files.iter().any(below)
}

/// Finds the `.txt` files in and below a folder. `seen` breaks cycles of links.
fn walk(folder: &Path, seen: &mut HashSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<()> {
    if !seen.insert(std::fs::canonicalize(folder).map_err(Error::io(folder, "read"))?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let path = entry.map_err(Error::io(folder, "read"))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let stem = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        if path.is_dir() {
            walk(&path, seen, files)?;
        } else if stem.ends_with(".txt") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns `middle` or `high`, if the file is in such a folder.
pub(super) fn group(file: &Path) -> Option<String> {
    let folder = file.parent()?;
    let name = match folder.file_name() {
        Some(name) => name.to_owned(),
        // A relative path need not contain the folder's name.
        None => std::fs::canonicalize(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
            .ok()?
            .file_name()?
            .to_owned(),
    };
    GROUPS.into_iter().find(|group| name.eq_ignore_ascii_case(group)).map(str::to_owned)
}

/// The questions read so far.
struct Reading<E> {
    unlabelled: bool,
    loaded: Loaded<E>,
    bad: BadRecords,
    seen: Articles,
}

impl<E: Examples<ChoiceExample>> Reading<E> {
    fn new(examples: E, unlabelled: bool, bad: BadRecords) -> Self {
        Self { unlabelled, loaded: Loaded::new(examples), bad, seen: Articles::default() }
    }

    /// Reads the questions of one file. The number of a question serves as its line number.
    fn add(&mut self, source: Source) -> Result<()> {
        let path = source.path().to_owned();
        let group = group(&path);
        let name: Arc<str> = format!("{}: question", source.name()).into();
        let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
        let text = source.text()?;
        let mut number = 0;
        for article in serde_json::Deserializer::from_str(&text).into_iter::<Article>() {
            let article = article
                .map_err(|error| Error::bad_file(&path, format!("not an article of RACE: {error}")))?;
            let (questions, options) = (article.questions.len(), article.options.len());
            let answers = article.answers.as_ref().map_or(questions, Vec::len);
            if questions != options || questions != answers {
                let problem = format!("{questions} questions, {options} lists of options, {answers} answers");
                return Err(Error::bad_file(&path, format!("{problem}; each question needs one of both")));
            }
            self.seen.begin(article.id.as_deref(), path.parent());
            let id = article.id.unwrap_or_else(|| format!("{}{file}", group.as_deref().unwrap_or_default()));
            for (i, (prompt, choices)) in article.questions.into_iter().zip(article.options).enumerate() {
                number += 1;
                let place = Place { source: name.clone(), line: number };
                let answer = article.answers.as_ref().and_then(|answers| answers.get(i));
                let label = label(answer.map(String::as_str), choices.len(), self.unlabelled);
                let label = check_count(choices.len()).and(label).map_err(|problem| place.error(problem));
                let Some(label) = self.bad.check(label)? else { continue };
                let example = ChoiceExample {
                    label,
                    place,
                    id: Some(format!("{id}-{}", i + 1)),
                    context: Some(article.article.clone()),
                    prompt,
                    choices,
                    group: group.clone(),
                };
                let is_new = self.seen.is_new(&example);
                if self.bad.check(is_new)? == Some(true) {
                    self.loaded.examples.add(example)?;
                }
            }
        }
        Ok(())
    }

    fn finished(self, path: &Path) -> Result<Loaded<E>> {
        let Self { mut loaded, bad, seen, .. } = self;
        seen.copies.report(&mut loaded);
        loaded.settled(path, "", &bad)
    }
}

fn label(
    answer: Option<&str>,
    choices: usize,
    unlabelled: bool,
) -> std::result::Result<Option<usize>, String> {
    match answer {
        None | Some("") if unlabelled => Ok(None),
        None => Err("no answer; every question needs one".to_owned()),
        Some(answer) => {
            let shown = shortened(answer);
            let number =
                letter(answer).ok_or_else(|| format!("answer \"{shown}\" is not a letter from A"))?;
            in_range(number, choices, &format!("answer \"{shown}\"")).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const FILE: &str = r#"{"answers": ["B", "A"], "options": [["w", "x", "y", "z"], ["a", "b"]],
        "questions": ["Which?", "He _ ."], "article": "Text.", "id": "high7.txt"}"#;

    fn read(text: &str, unlabelled: bool) -> Result<Vec<ChoiceExample>> {
        let source = Source::new(Path::new("x/high/7.txt"), Cursor::new(text.to_owned().into_bytes()))?;
        read_file(Vec::new(), source, unlabelled, BadRecords::new(None)).map(|loaded| loaded.examples)
    }

    fn problem(text: &str) -> String {
        read(text, false).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_article() {
        let examples = read(FILE, false).expect("reads");
        assert_eq!(examples.len(), 2);
        let second = &examples[1];
        assert_eq!(second.place.to_string(), "x/high/7.txt: question 2");
        assert_eq!(second.id.as_deref(), Some("high7.txt-2"));
        assert_eq!((second.context.as_deref(), second.prompt.as_str()), (Some("Text."), "He _ ."));
        assert_eq!((second.choices.len(), second.label, second.group.as_deref()), (2, Some(0), Some("high")));
        let unnamed = read(&FILE.replace("\"id\"", "\"key\""), false).expect("reads");
        assert_eq!(unnamed[0].id.as_deref(), Some("high7.txt-1"));
        let other = FILE.replace("Text.", "More.").replace("high7", "high8");
        let several = read(&format!("{FILE}\n{other}\n"), false).expect("reads");
        assert_eq!(several[3].place.line, 4);
    }

    #[test]
    fn articles_that_are_not_right() {
        assert_eq!(
            problem(&FILE.replace("\"B\"", "\"E\"")),
            "x/high/7.txt: question 1: answer \"E\", beyond the 4 choices (0 to 3, A to D)"
        );
        assert!(problem(&FILE.replace("\"B\"", "\"1\"")).ends_with("answer \"1\" is not a letter from A"));
        assert!(problem(&FILE.replace("[\"a\", \"b\"]", "[\"a\"]")).contains("question 2: 1 choice"));
        assert!(
            problem(&FILE.replace("[\"B\", \"A\"]", "[\"B\"]"))
                .contains("2 questions, 2 lists of options, 1")
        );
        assert!(problem(&FILE.replace("\"questions\"", "\"q\"")).contains("missing field `questions`"));
        assert!(problem("{\"article\": ").contains("not an article of RACE: EOF"));
        let none = FILE.replace("\"answers\"", "\"none\"");
        assert!(problem(&none).contains("no answer"));
        assert!(read(&none, true).is_ok_and(|examples| examples.iter().all(|e| e.label.is_none())));
    }

    #[test]
    fn groups_by_folder() {
        assert_eq!(group(Path::new("RACE/test/high/1.txt")).as_deref(), Some("high"));
        assert_eq!(group(Path::new("middle/1.txt")).as_deref(), Some("middle"));
        assert_eq!(group(Path::new("high/RACE/1.txt")), None);
        assert_eq!(group(Path::new("<stdin>")), None);
        assert!(looks_like_race(FILE.as_bytes()) && !looks_like_race(b"{\"prompt\": \"\"}"));
    }
}
