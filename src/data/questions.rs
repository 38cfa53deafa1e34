//! Questions with answers: SQuAD files, versions 1.1 and 2.0 (Rajpurkar et al. 2016, 2018), their flat form, in which
//! each question has its own context (transformers' `run_qa.py`), and JSON lines.

use std::path::Path;
use std::sync::Arc;

use super::answers::{self, Answers};
use super::bad_records::{BadRecords, OnBadRecord};
use super::example::{GoldAnswer, Loaded, Place, QuestionExample};
use super::examples::Examples;
use super::format::DataFormat;
use super::ids::Ids;
use super::objects::{Object, objects};
use super::shortened::shortened;
use super::source::Source;
use crate::error::{Error, Result, count};
use crate::io::{Shape, read_squad, shape};

/// Options for reading questions. The field names apply to JSON lines; SQuAD files have their own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionOptions {
    /// The format of the data.
    pub format: DataFormat,
    /// Name of the field with the question.
    pub question: String,
    /// Name of the field with the context.
    pub context: String,
    /// Name of the field with the answers.
    pub answers: String,
    /// Name of the field with the id.
    pub id: String,
    /// True if every answer must occur in its context, as training requires. Metrics only need its text.
    pub need_start: bool,
    /// True if questions without answers are accepted.
    pub unlabelled: bool,
    /// How to handle invalid records. `None`: they are errors.
    pub on_error: Option<OnBadRecord>,
}

impl QuestionOptions {
    /// The formats of questions.
    pub const FORMATS: [DataFormat; 2] = [DataFormat::Jsonl, DataFormat::Squad];
}

impl Default for QuestionOptions {
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            question: "question".to_owned(),
            context: "context".to_owned(),
            answers: "answers".to_owned(),
            id: "id".to_owned(),
            need_start: true,
            unlabelled: false,
            on_error: None,
        }
    }
}

/// Reads questions from a file, or from standard input for `-`.
///
/// An answer that does not occur at its offset is searched for nearby, and counted in [`Loaded::moved`]. In a SQuAD file,
/// the number of a question serves as its line number.
///
/// # Errors
/// [`Error::Record`] for the first invalid question; [`Error::BadFile`] for a file without questions, in an unknown
/// format, or with invalid JSON; [`Error::InvalidOption`] for a format without questions; [`Error::Io`].
pub fn read_questions(path: &Path, options: &QuestionOptions) -> Result<Loaded<Vec<QuestionExample>>> {
    read_questions_into(Vec::new(), path, options)
}

/// Adds questions to `examples`, which must be empty. See [`read_questions`].
///
/// # Errors
/// Same as [`read_questions`]; also if `examples` is full.
pub fn read_questions_into<E: Examples<QuestionExample>>(
    examples: E,
    path: &Path,
    options: &QuestionOptions,
) -> Result<Loaded<E>> {
    options.format.check(&QuestionOptions::FORMATS)?;
    read(examples, Source::open(path)?, options)
}

fn read<E: Examples<QuestionExample>>(
    examples: E,
    mut source: Source,
    options: &QuestionOptions,
) -> Result<Loaded<E>> {
    let path = source.path().to_owned();
    let ids = Ids::new(examples.directory());
    let (loaded, bad) = (Loaded::new(examples), BadRecords::new(options.on_error));
    let mut questions = Questions::new(options.clone(), loaded, ids, bad);
    if !source.is_blank() {
        let mut told = || source.tell(|head, whole| shape(head, whole, true));
        let format = match options.format {
            DataFormat::Auto if told()? == Some(Shape::Questions) => DataFormat::Squad,
            format => format.resolve(&source, &QuestionOptions::FORMATS, guess)?,
        };
        if format == DataFormat::Squad {
            questions = read_squad_file(source, options, questions.loaded)?;
        } else {
            for object in objects(source.past_bad_lines(questions.bad.skips())) {
                let added = object.and_then(|object| questions.add(&object));
                questions.bad.check(added)?;
            }
        }
    }
    let Questions { mut loaded, first_moved, ids, mut bad, .. } = questions;
    ids.settle(&mut loaded, &mut bad)?;
    if let Some(place) = first_moved {
        let (count, were) = (count(loaded.moved, "answer"), if loaded.moved == 1 { "was" } else { "were" });
        loaded.notes.push(format!("{count} {were} found near the stated offset; the first: {place}"));
    }
    loaded.settled(&path, "", &bad)
}

fn guess(name: Option<DataFormat>, head: &[u8]) -> Option<DataFormat> {
    match name {
        None | Some(DataFormat::Jsonl) if head.trim_ascii_start().starts_with(b"{") => {
            Some(DataFormat::Jsonl)
        }
        Some(DataFormat::Jsonl) => Some(DataFormat::Jsonl),
        _ => None,
    }
}

fn read_squad_file<E: Examples<QuestionExample>>(
    source: Source,
    options: &QuestionOptions,
    loaded: Loaded<E>,
) -> Result<Questions<E>> {
    let path = source.path().to_owned();
    let name: Arc<str> = format!("{}: question", source.name()).into();
    let own = QuestionOptions {
        need_start: options.need_start,
        unlabelled: options.unlabelled,
        ..QuestionOptions::default()
    };
    let ids = Ids::keys(loaded.examples.directory());
    let mut questions = Questions::new(own, loaded, ids, BadRecords::new(options.on_error));
    let (mut number, mut failed) = (0, None);
    let result = read_squad(source.stream(), &mut |fields| {
        number += 1;
        let place = Place { source: name.clone(), line: number };
        let added = questions.add(&Object { place, fields });
        failed = questions.bad.check(added).err();
        failed.is_none()
    });
    if let Some(error) = failed {
        return Err(error);
    }
    result.map_err(|problem| Error::bad_file(&path, problem))?;
    Ok(questions)
}

/// The questions read so far.
struct Questions<E> {
    options: QuestionOptions,
    /// The context of the previous question.
    last: Option<Arc<str>>,
    loaded: Loaded<E>,
    first_moved: Option<Place>,
    ids: Ids,
    bad: BadRecords,
}

impl<E: Examples<QuestionExample>> Questions<E> {
    fn new(options: QuestionOptions, loaded: Loaded<E>, ids: Ids, bad: BadRecords) -> Self {
        Self { options, last: None, loaded, first_moved: None, ids, bad }
    }

    fn add(&mut self, object: &Object) -> Result<()> {
        let question = object.string(&self.options.question, "question_field")?;
        let context = object.string(&self.options.context, "context_field")?;
        let context = match &self.last {
            Some(last) if **last == *context => last.clone(),
            _ => Arc::from(context),
        };
        self.last = Some(context.clone());
        let (answers, is_impossible) = self.answers(object, &context)?;
        let id = self.id(object)?;
        let example = QuestionExample {
            place: object.place.clone(),
            id,
            question,
            context,
            answers,
            is_impossible,
            title: object.fields.string("title").ok().flatten(),
        };
        self.ids.push(object.raw(&self.options.id), &example)?;
        self.loaded.examples.add(example)
    }

    /// Returns the correct answers, and whether the question is known to have none.
    fn answers(&mut self, object: &Object, context: &str) -> Result<(Vec<GoldAnswer>, bool)> {
        let error = |problem: String| object.place.error(problem);
        let field = self.options.answers.as_str();
        let said = match object.raw("is_impossible") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let problem =
                    format!("field \"is_impossible\" is {}; expected true or false", shortened(other));
                return Err(error(problem));
            }
        };
        let Some(json) = object.raw(field) else {
            return match said || self.options.unlabelled {
                true => Ok((Vec::new(), said)),
                false => Err(object.missing(field, "answers", "answers_field")),
            };
        };
        let Answers(given) =
            Answers::parse(json).map_err(|problem| error(format!("field \"{field}\" {problem}")))?;
        if said || given.is_empty() {
            return Ok((Vec::new(), true));
        }
        let mut found = Vec::with_capacity(given.len());
        for (text, start) in given {
            match answers::find(context, &text, start) {
                Ok((answer, moved)) => {
                    if moved {
                        self.loaded.moved += 1;
                        self.first_moved.get_or_insert_with(|| object.place.clone());
                    }
                    found.push(answer);
                }
                Err(_) if !self.options.need_start && !text.trim().is_empty() => {
                    found.push(GoldAnswer { text, start: None });
                }
                Err(problem) => return Err(error(problem)),
            }
        }
        Ok((found, false))
    }

    fn id(&self, object: &Object) -> Result<String> {
        let name = &self.options.id;
        match object.raw(name) {
            Some(json) => Ok(serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())),
            None if *name == QuestionOptions::default().id => Ok(object.place.line.to_string()),
            None => Err(object.missing(name, "an id", "id_field")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn load(text: &str, options: &QuestionOptions) -> Result<Loaded<Vec<QuestionExample>>> {
        let source = Source::new(Path::new("a"), Cursor::new(text.to_owned().into_bytes()))?;
        read(Vec::new(), source, options)
    }

    fn show(text: &str, options: &QuestionOptions) -> Vec<String> {
        let answer = |a: &GoldAnswer| match a.start {
            Some(start) => format!("{}@{start}", a.text),
            None => a.text.clone(),
        };
        match load(text, options) {
            Err(error) => vec![error.to_string()],
            Ok(loaded) => loaded
                .examples
                .iter()
                .map(|e| {
                    let answers: Vec<String> = e.answers.iter().map(answer).collect();
                    let none = if e.is_impossible { "none" } else { "" };
                    format!("{} {}: {}{none}", e.place, e.id, answers.join("|"))
                })
                .chain(loaded.notes)
                .collect(),
        }
    }

    const SQUAD: &str = r#"{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "Été in Nice.",
        "qas": [{"id": "q1", "question": "Where?", "answers": [{"text": "Nice", "answer_start": 7}]},
                {"id": "q2", "question": "Who?", "is_impossible": true, "answers": [],
                 "plausible_answers": [{"text": "Nice", "answer_start": 7}]},
                {"id": "q3", "question": "Where?", "answers": [{"text": "Nice ", "answer_start": 5}]}]}]}]}"#;

    #[test]
    fn squad() {
        let loaded = load(SQUAD, &QuestionOptions::default()).expect("reads");
        assert_eq!(
            show(SQUAD, &QuestionOptions::default()),
            [
                "a: question 1 q1: Nice@7",
                "a: question 2 q2: none",
                "a: question 3 q3: Nice@7",
                "1 answer was found near the stated offset; the first: a: question 3"
            ]
        );
        assert!(Arc::ptr_eq(&loaded.examples[0].context, &loaded.examples[2].context));
        assert_eq!(loaded.examples[0].title.as_deref(), Some("T"));
        assert_eq!(loaded.moved, 1);
        let wrong = SQUAD.replace("\"Nice \"", "\"Lyon\"");
        assert!(show(&wrong, &QuestionOptions::default())[0].starts_with("a: question 3: answer \"Lyon\""));
        let cut = show(&SQUAD[..300], &QuestionOptions::default());
        assert!(cut[0].starts_with("a: not a SQuAD file that can be read: EOF") && cut.len() == 1, "{cut:?}");
        let options = QuestionOptions { question: "q".to_owned(), ..QuestionOptions::default() };
        assert_eq!(show(SQUAD, &options).len(), 4, "names are for JSON lines");
    }

    #[test]
    fn json_lines_in_every_form() {
        let line = |answers: &str| {
            format!("{{\"question\": \"q\", \"context\": \"a b a\", \"answers\": {answers}}}\n")
        };
        let options = QuestionOptions::default();
        for (answers, shown) in [
            (r#"[{"text": "a", "answer_start": 4}, {"text": "b", "answer_start": 2}]"#, "a@4|b@2"),
            (r#"{"text": ["a", "b"], "answer_start": [4, 2]}"#, "a@4|b@2"),
            (r#"{"text": [], "answer_start": []}"#, "none"),
            ("[]", "none"),
            (r#""a""#, "a@0"),
            (r#"["b", "a"]"#, "b@2|a@0"),
            (r#"{"text": "a", "answer_start": 4}"#, "a@4"),
        ] {
            assert_eq!(show(&line(answers), &options), [format!("a:1 1: {shown}")], "{answers}");
        }
        let bad = show(&line(r#"["c"]"#), &options);
        assert!(bad[0].starts_with("a:1: answer \"c\" does not occur in the context"), "{bad:?}");
        let words = QuestionOptions { need_start: false, ..QuestionOptions::default() };
        assert_eq!(show(&line(r#"["c", "b"]"#), &words), ["a:1 1: c|b@2"]);
        let named = QuestionOptions { id: "key".to_owned(), ..QuestionOptions::default() };
        assert!(show(&line("[]"), &named)[0].contains("id_field"));
    }

    #[test]
    fn questions_without_answers() {
        let text = "{\"question\": \"q\", \"context\": \"c\", \"id\": 7}\n";
        let options = QuestionOptions::default();
        assert_eq!(
            show(text, &options),
            [
                "a:1: field \"answers\" is missing; the object has question, context, id (option answers_field names \
              another)"
            ]
        );
        let unlabelled = QuestionOptions { unlabelled: true, ..QuestionOptions::default() };
        assert_eq!(show(text, &unlabelled), ["a:1 7: "]);
        let none = "{\"question\": \"q\", \"context\": \"c\", \"is_impossible\": true}\n";
        assert_eq!(show(none, &options), ["a:1 1: none"]);
        let odd = "{\"question\": \"q\", \"context\": \"c\", \"is_impossible\": 1}\n";
        assert_eq!(show(odd, &options), ["a:1: field \"is_impossible\" is 1; expected true or false"]);
    }

    #[test]
    fn what_holds_no_questions() {
        let options = QuestionOptions::default();
        for (text, part) in [
            ("", "holds no examples"),
            ("question,context\n", "set option data_format to one of jsonl, squad"),
            ("{\"data\": [{\"paragraphs\": []}]}", "holds no examples"),
            ("{\"context\": \"c\"}", "(option question_field names another)"),
            ("{\"question\": \"c\"}", "(option context_field names another)"),
        ] {
            assert!(show(text, &options)[0].contains(part), "{text}");
        }
        let latin = b"{\"data\": [{\"paragraphs\": [{\"context\": \"\n\xe9\", \"qas\": []}]}]}".to_vec();
        let source = Source::new(Path::new("a"), Cursor::new(latin)).expect("opens");
        let problem = read(Vec::new(), source, &options).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(problem.starts_with("a: not a SQuAD file") && problem.contains("line"), "{problem}");
    }
}
