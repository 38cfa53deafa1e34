//! Multiple-choice questions: JSON lines, and the formats of RACE and SWAG.

use std::path::Path;

use super::bad_records::{BadRecords, OnBadRecord};
use super::choice_checks::{Choices, check_count};
use super::example::{ChoiceExample, Loaded};
use super::examples::Examples;
use super::format::{DataFormat, looks_like_objects};
use super::ids::Ids;
use super::objects::{Object, objects};
use super::source::Source;
use super::{race, swag};
use crate::error::Result;

/// The label in ARC, CommonsenseQA and OpenBookQA.
const ANSWER_KEY: &str = "answerKey";

/// Options for reading choices. The field names apply to JSON lines; RACE and SWAG have their own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceOptions {
    /// The format of the data.
    pub format: DataFormat,
    /// Name of the field with the prompt.
    pub prompt: String,
    /// Name of the field with the choices.
    pub choices: String,
    /// Name of the field with the context.
    pub context: String,
    /// Name of the field with the label: a number from 0, or a letter from A. If it has its default value, `answerKey` is
    /// accepted, too.
    pub label: String,
    /// Name of the field with the id.
    pub id: String,
    /// True if examples without a label are accepted.
    pub unlabelled: bool,
    /// How to handle invalid records. `None`: they are errors.
    pub on_error: Option<OnBadRecord>,
}

impl ChoiceOptions {
    /// The formats of choices.
    pub const FORMATS: [DataFormat; 3] = [DataFormat::Jsonl, DataFormat::Race, DataFormat::Swag];
}

impl Default for ChoiceOptions {
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            prompt: "prompt".to_owned(),
            choices: "choices".to_owned(),
            context: "context".to_owned(),
            label: "label".to_owned(),
            id: "id".to_owned(),
            unlabelled: false,
            on_error: None,
        }
    }
}

/// Reads choices from a file, from a RACE folder, or from standard input for `-`.
///
/// # Errors
/// [`crate::Error::Record`] for the first invalid example; [`crate::Error::BadFile`] for a file without examples or in an
/// unknown format; [`crate::Error::InvalidOption`] for a format without choices; [`crate::Error::Io`].
pub fn read_choices(path: &Path, options: &ChoiceOptions) -> Result<Loaded<Vec<ChoiceExample>>> {
    read_choices_into(Vec::new(), path, options)
}

/// Adds choices to `examples`, which must be empty. See [`read_choices`].
///
/// # Errors
/// Same as [`read_choices`]; also if `examples` is full.
pub fn read_choices_into<E: Examples<ChoiceExample>>(
    examples: E,
    path: &Path,
    options: &ChoiceOptions,
) -> Result<Loaded<E>> {
    if path.is_dir() {
        options.format.check(&[DataFormat::Race])?;
        return race::read_folder(examples, path, options.unlabelled, BadRecords::new(options.on_error));
    }
    options.format.check(&ChoiceOptions::FORMATS)?;
    read(examples, Source::open(path)?, options)
}

fn read<E: Examples<ChoiceExample>>(
    examples: E,
    source: Source,
    options: &ChoiceOptions,
) -> Result<Loaded<E>> {
    let path = source.path().to_owned();
    let mut bad = BadRecords::new(options.on_error);
    if source.is_blank() {
        return Loaded::new(examples).settled(&path, "", &bad);
    }
    let format = options.format.resolve(&source, &ChoiceOptions::FORMATS, guess)?;
    if format == DataFormat::Race {
        return race::read_file(examples, source, options.unlabelled, bad);
    }
    let mut ids = Ids::new(examples.directory());
    let mut loaded = Loaded::new(examples);
    let mut add = |example: ChoiceExample| {
        ids.push(example.id.as_deref(), &example)?;
        loaded.examples.add(example)
    };
    if format == DataFormat::Swag {
        swag::examples(source, options.unlabelled, &mut bad, &mut add)?;
    } else {
        for object in objects(source.past_bad_lines(bad.skips())) {
            let example = object.and_then(|object| from_object(object, options));
            bad.check(example)?.map_or(Ok(()), &mut add)?;
        }
    }
    ids.settle(&mut loaded, &mut bad)?;
    loaded.settled(&path, "", &bad)
}

fn guess(name: Option<DataFormat>, head: &[u8]) -> Option<DataFormat> {
    match name {
        Some(DataFormat::Jsonl) => Some(DataFormat::Jsonl),
        Some(DataFormat::Csv) => Some(DataFormat::Swag),
        Some(_) => None,
        None if race::looks_like_race(head) => Some(DataFormat::Race),
        None if looks_like_objects(head) => Some(DataFormat::Jsonl),
        None => swag::looks_like_swag(head).then_some(DataFormat::Swag),
    }
}

fn from_object(object: Object, options: &ChoiceOptions) -> Result<ChoiceExample> {
    let error = |problem: String| object.place.error(problem);
    let prompt = object.string(&options.prompt, "prompt_field")?;
    let choices = Choices::of_field(&object.fields, &options.choices).map_err(error)?;
    let choices =
        choices.ok_or_else(|| object.missing(&options.choices, "a list of strings", "choices_field"))?;
    check_count(choices.texts.len()).map_err(error)?;
    let own = [options.label.as_str(), ANSWER_KEY];
    let names = if options.label == ChoiceOptions::default().label { &own[..] } else { &own[..1] };
    let label = match names.iter().find_map(|name| Some((name, object.raw(name)?))) {
        Some((name, json)) => Some(choices.label(json, name).map_err(error)?),
        None if options.unlabelled => None,
        None => {
            return Err(object.missing(&options.label, "the number or letter of a choice", "label_field"));
        }
    };
    let context = object.optional_string(&options.context)?;
    let defaults = ChoiceOptions::default();
    for (name, default, option) in
        [(&options.context, defaults.context, "context_field"), (&options.id, defaults.id, "id_field")]
    {
        if *name != default && object.fields.raw(name).is_none() {
            return Err(object.missing(name, "a string", option));
        }
    }
    let id = object.raw(&options.id).map(str::to_owned);
    Ok(ChoiceExample { place: object.place, id, context, prompt, choices: choices.texts, label, group: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Fields;
    use std::io::Cursor;

    fn show(text: &str, options: &ChoiceOptions) -> Vec<String> {
        let source = Source::new(Path::new("a"), Cursor::new(text.to_owned().into_bytes()));
        match source.and_then(|source| read(Vec::new(), source, options)) {
            Err(error) => vec![error.to_string()],
            Ok(loaded) => loaded
                .examples
                .iter()
                .map(|e| {
                    let context = e.context.as_deref().unwrap_or("-");
                    format!("{} {context} {} {} {:?}", e.place.line, e.prompt, e.choices.join("|"), e.label)
                })
                .collect(),
        }
    }

    #[test]
    fn json_lines() {
        let text = "{\"prompt\": \"p\", \"choices\": [\"x\", \"y\"], \"label\": 1}\n\
                    {\"prompt\": \"p\", \"choices\": [\"x\", \"y\", \"z\"], \"label\": \"c\", \"context\": \"k\"}\n";
        assert_eq!(show(text, &ChoiceOptions::default()), ["1 - p x|y Some(1)", "2 k p x|y|z Some(2)"]);
        let renamed = text.replace("prompt", "question").replace("label", "answer");
        let options = ChoiceOptions {
            prompt: "question".to_owned(),
            label: "answer".to_owned(),
            ..ChoiceOptions::default()
        };
        assert_eq!(show(&renamed, &options), show(text, &ChoiceOptions::default()));
    }

    #[test]
    fn named_choices() {
        let text = "{\"prompt\": \"p\", \"choices\": {\"text\": [\"x\", \"y\"], \"label\": [\"1\", \"2\"]}, \"answerKey\": \"2\"}\n\
                    {\"prompt\": \"p\", \"choices\": {\"label\": [\"A\", \"B\"], \"text\": [\"x\", \"y\"]}, \"label\": \"A\"}\n";
        assert_eq!(show(text, &ChoiceOptions::default()), ["1 - p x|y Some(1)", "2 - p x|y Some(0)"]);
    }

    #[test]
    fn labels() {
        let label = |json: &str, name: &str, count: usize| {
            let fields = Fields::parse(&serde_json::json!({"choices": vec!["x"; count]}).to_string());
            let choices = Choices::of_field(&fields.expect("an object"), "choices");
            choices.expect("a list").expect("there").label(json, name)
        };
        assert_eq!(label("0", "label", 2), Ok(0));
        assert_eq!(label("\"1\"", "label", 2), Ok(1));
        assert_eq!(label("\" B \"", "label", 2), Ok(1));
        assert_eq!(
            label("2", "label", 2),
            Err("field \"label\" is 2, beyond the 2 choices (0 to 1, A to B)".to_owned())
        );
        assert!(label("\"C\"", "label", 2).is_err_and(|e| e.contains("beyond the 2 choices")));
        for json in ["-1", "1.0", "\"-1\"", "\"AB\"", "true", "[0]", "\"\""] {
            let expected = format!("field \"label\" is {json}; expected a number from 0 or a letter from A");
            assert_eq!(label(json, "label", 2), Err(expected));
        }
        assert_eq!(label("99", "label", 300), Ok(99));
        assert!(label("300", "label", 300).is_err_and(|e| e.contains("A to Z")));
    }

    #[test]
    fn examples_that_are_not_right() {
        let options = ChoiceOptions::default();
        for (text, part) in [
            (
                "{\"prompt\": \"p\", \"choices\": [\"x\"], \"label\": 0}",
                "a:1: 1 choice; at least two are needed",
            ),
            ("{\"prompt\": \"p\", \"choices\": []}", "a:1: no choices; at least two"),
            ("{\"prompt\": \"p\", \"choices\": [\"x\", 1]}", "expected a list of strings"),
            ("{\"prompt\": \"p\"}", "(option choices_field names another)"),
            ("{\"choices\": [\"x\", \"y\"]}", "(option prompt_field names another)"),
            ("{\"prompt\": \"p\", \"choices\": [\"x\", \"y\"]}", "(option label_field names another)"),
            ("{\"prompt\": \"p\", \"choices\": [\"x\", \"y\"], \"label\": null}", "field \"label\" is null"),
            (
                "{\"prompt\": \"p\", \"choices\": [\"x\", \"y\"], \"label\": 0, \"context\": 1}",
                "\"context\" is 1",
            ),
            ("word", "set option data_format to one of jsonl, race, swag"),
        ] {
            assert!(show(text, &options)[0].contains(part), "{:?}", show(text, &options));
        }
        let unlabelled = ChoiceOptions { unlabelled: true, ..ChoiceOptions::default() };
        assert_eq!(show("{\"prompt\": \"p\", \"choices\": [\"x\", \"y\"]}", &unlabelled), ["1 - p x|y None"]);
        let context = ChoiceOptions { context: "passage".to_owned(), ..unlabelled };
        assert!(
            show("{\"prompt\": \"p\", \"choices\": [\"x\", \"y\"]}", &context)[0].contains("context_field")
        );
    }
}
