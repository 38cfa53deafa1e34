//! Sentences as tagged words: JSON lines and CoNLL columns.

use std::path::Path;

use super::bad_records::BadRecords;
use super::conll;
use super::example::{Loaded, TokenExample};
use super::examples::Examples;
use super::format::{DataFormat, looks_like_objects};
use super::ids::Ids;
use super::objects::{Object, objects};
use super::shortened::shortened;
use super::source::Source;
use super::token_options::TokenOptions;
use crate::error::{Error, Result, count, listed};

/// Number of tag names in a message.
const SHOWN: usize = 9;

/// Reads sentences from a file, or from standard input for `-`. Sentences without words are skipped and counted.
///
/// # Errors
/// [`Error::Record`] for the first invalid sentence; [`Error::BadFile`] for a file without sentences or in an unknown format;
/// [`Error::InvalidOption`] for inconsistent options; [`Error::Io`].
pub fn read_tokens(path: &Path, options: &TokenOptions) -> Result<Loaded<Vec<TokenExample>>> {
    read_tokens_into(Vec::new(), path, options)
}

/// Adds sentences to `examples`, which must be empty. See [`read_tokens`].
///
/// # Errors
/// Same as [`read_tokens`]; also if `examples` is full.
pub fn read_tokens_into<E: Examples<TokenExample>>(
    examples: E,
    path: &Path,
    options: &TokenOptions,
) -> Result<Loaded<E>> {
    options.format.check(&TokenOptions::FORMATS)?;
    for (name, column) in [("word_column", options.word_column), ("tag_column", options.tag_column)] {
        if column == Some(0) {
            return Err(Error::InvalidOption {
                name: name.to_owned(),
                problem: "columns count from 1".to_owned(),
            });
        }
    }
    read(examples, Source::open(path)?, options)
}

fn read<E: Examples<TokenExample>>(examples: E, source: Source, options: &TokenOptions) -> Result<Loaded<E>> {
    let path = source.path().to_owned();
    let mut ids = Ids::new(examples.directory());
    let mut loaded = Loaded::new(examples);
    let mut bad = BadRecords::new(options.on_error);
    let mut has_numbers = false;
    if !source.is_blank() {
        if options.format.resolve(&source, &TokenOptions::FORMATS, guess)? == DataFormat::Conll {
            conll::sentences(source, options, &mut loaded, &mut bad)?;
        } else {
            for object in objects(source.past_bad_lines(bad.skips())) {
                let found = object.and_then(|object| from_object(&object, options));
                match bad.check(found)? {
                    Some(Some((example, id, are_numbers))) => {
                        has_numbers |= are_numbers;
                        ids.push(id.as_deref(), &example)?;
                        loaded.examples.add(example)?;
                    }
                    Some(None) => loaded.left_out += 1,
                    None => {}
                }
            }
            ids.settle(&mut loaded, &mut bad)?;
        }
    }
    if has_numbers {
        let names = listed(options.tag_names.iter().take(SHOWN));
        let more = if options.tag_names.len() > SHOWN { ", ..." } else { "" };
        let names = format!("{names}{more}");
        loaded.notes.push(format!("{}: tags are numbers, read as {names} (option labels)", path.display()));
    }
    loaded.settled(&path, "no words in it", &bad)
}

fn guess(name: Option<DataFormat>, head: &[u8]) -> Option<DataFormat> {
    match name {
        Some(DataFormat::Jsonl) => Some(DataFormat::Jsonl),
        Some(DataFormat::Conll | DataFormat::Tsv) => Some(DataFormat::Conll),
        Some(_) => None,
        None if looks_like_objects(head) => Some(DataFormat::Jsonl),
        None => (!head.trim_ascii_start().starts_with(b"[{")).then_some(DataFormat::Conll),
    }
}

/// Returns the sentence of a line, its id, and whether its tags are numbers; `None` if it has no words.
fn from_object(
    object: &Object,
    options: &TokenOptions,
) -> Result<Option<(TokenExample, Option<String>, bool)>> {
    let error = |problem: String| object.place.error(problem);
    let words = object.fields.strings(&options.tokens).map_err(error)?;
    let words = words.ok_or_else(|| {
        let has = |name: &&str| object.fields.raw(name).is_some();
        let has_spans = has(&"text") && ["spans", "entities", "label", "labels"].iter().any(has);
        match has_spans {
            true => error(format!(
                "field \"{}\" is missing; spans of characters are not read: write lists of tokens and tags",
                options.tokens
            )),
            false => object.missing(&options.tokens, "a list of strings", "tokens_field"),
        }
    })?;
    let own = [options.tags.as_str(), "ner_tags"];
    let names = if options.tags == TokenOptions::default().tags { &own[..] } else { &own[..1] };
    let found = names.iter().find_map(|name| Some((*name, object.raw(name)?)));
    let (tags, are_numbers) = match found {
        Some((name, json)) => tags(json, name, &options.tag_names).map_err(error)?,
        None if options.unlabelled => (Vec::new(), false),
        None => return Err(object.missing(&options.tags, "a list of tags", "tags_field")),
    };
    if found.is_some() && tags.len() != words.len() {
        return Err(error(format!("{}, but {}", count(words.len(), "word"), count(tags.len(), "tag"))));
    }
    let own_id = options.id != TokenOptions::default().id;
    if own_id && object.fields.raw(&options.id).is_none() {
        return Err(object.missing(&options.id, "an id", "id_field"));
    }
    let id = object.raw(&options.id).map(str::to_owned);
    let example = TokenExample { place: object.place.clone(), words, tags };
    Ok((!example.words.is_empty()).then_some((example, id, are_numbers)))
}

/// Parses the tags in a JSON list of names or numbers. Returns true with numbers.
fn tags(json: &str, field: &str, names: &[String]) -> std::result::Result<(Vec<String>, bool), String> {
    if let Ok(tags) = serde_json::from_str::<Vec<String>>(json) {
        return match tags.iter().any(|tag| tag.trim().is_empty()) {
            true => Err(format!("field \"{field}\" has a blank tag")),
            false => Ok((tags, false)),
        };
    }
    let Ok(numbers) = serde_json::from_str::<Vec<i64>>(json) else {
        return Err(format!("field \"{field}\" is {}; expected a list of tags", shortened(json)));
    };
    if names.is_empty() {
        return Err(format!(
            "field \"{field}\" holds numbers; name the tags that they stand for, in their order (option \
             labels=O,B-PER,I-PER,...)"
        ));
    }
    let name = |number: &i64| usize::try_from(*number).ok().and_then(|number| names.get(number)).cloned();
    let tags = numbers.iter().map(|number| {
        name(number).ok_or_else(|| {
            let are = if names.len() == 1 { "is" } else { "are" };
            let count = count(names.len(), "tag");
            format!("field \"{field}\" has the tag number {number}; {count} {are} named (option labels names them)")
        })
    });
    Ok((tags.collect::<std::result::Result<_, _>>()?, !numbers.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn show(text: &str, options: &TokenOptions) -> Vec<String> {
        let source = Source::new(Path::new("a"), Cursor::new(text.to_owned().into_bytes()));
        match source.and_then(|source| read(Vec::new(), source, options)) {
            Err(error) => vec![error.to_string()],
            Ok(loaded) => loaded
                .examples
                .iter()
                .map(|e| format!("{} {} {}", e.place.line, e.words.join("_"), e.tags.join("_")))
                .chain(loaded.notes)
                .collect(),
        }
    }

    #[test]
    fn tags_by_name() {
        let text = "{\"tokens\": [\"a\", \"b c\"], \"tags\": [\"O\", \"B-X\"]}\n{\"tokens\": [], \"tags\": []}\n\
                    {\"tokens\": [\"d\"], \"ner_tags\": [\"O\"]}\n";
        assert_eq!(
            show(text, &TokenOptions::default()),
            ["1 a_b c O_B-X", "3 d O", "a: 1 example is left out: no words in it"]
        );
    }

    #[test]
    fn tags_by_number() {
        let text = "{\"tokens\": [\"a\", \"b\"], \"ner_tags\": [0, 1]}\n";
        let shown = show(text, &TokenOptions::default());
        assert!(shown[0].starts_with("a:1: field \"ner_tags\" holds numbers; name the tags"), "{shown:?}");
        let names = |names: &[&str]| TokenOptions {
            tag_names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..TokenOptions::default()
        };
        let note = "a: tags are numbers, read as O, B-X (option labels)";
        assert_eq!(show(text, &names(&["O", "B-X"])), ["1 a_b O_B-X", note]);
        assert_eq!(
            show(text, &names(&["O"])),
            ["a:1: field \"ner_tags\" has the tag number 1; 1 tag is named (option labels names them)"]
        );
    }

    #[test]
    fn sentences_that_are_not_right() {
        let options = TokenOptions::default();
        for (text, problem) in [
            ("{\"tokens\": [\"a\"], \"tags\": []}", "a:1: 1 word, but 0 tags"),
            ("{\"tokens\": [\"a\"], \"tags\": [\" \"]}", "a:1: field \"tags\" has a blank tag"),
            (
                "{\"tokens\": [\"a\"], \"tags\": [null]}",
                "a:1: field \"tags\" is [null]; expected a list of tags",
            ),
            ("{\"tokens\": \"a\"}", "a:1: field \"tokens\" is \"a\"; expected a list of strings"),
            (
                "{\"tokens\": [\"a\"]}",
                "a:1: field \"tags\" is missing; the object has tokens (option tags_field names another)",
            ),
            (
                "{\"words\": [\"a\"]}",
                "a:1: field \"tokens\" is missing; the object has words (option tokens_field names another)",
            ),
        ] {
            assert_eq!(show(text, &options), [problem]);
        }
        let other = TokenOptions { tags: "pos".to_owned(), ..TokenOptions::default() };
        assert!(
            show("{\"tokens\": [\"a\"], \"ner_tags\": [\"O\"]}", &other)[0].contains("\"pos\" is missing")
        );
        let unlabelled = TokenOptions { unlabelled: true, ..TokenOptions::default() };
        assert_eq!(show("{\"tokens\": [\"a\"]}", &unlabelled), ["1 a "]);
    }

    #[test]
    fn formats_are_guessed() {
        let options = TokenOptions::default();
        assert_eq!(show("{ O\n} O\n", &options), ["1 {_} O_O"]);
        assert_eq!(show("a\tO\n", &options), ["1 a O"]);
        assert!(show("[{}]", &options)[0].contains("jq -c"));
        assert!(show("", &options)[0].contains("holds no examples"));
    }
}
