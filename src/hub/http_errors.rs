//! Explanations of HTTP errors from the hub.

use std::io::Read;

use ureq::http::StatusCode;

use super::client::{Answer, Client};
use super::required_files::listed;
use crate::error::Error;

/// Maximum size of an error body to read, and of the message shown from it.
const MAX_BODY: u64 = 4096;
const MAX_MESSAGE: usize = 200;

/// Maximum number of file names in a message.
const MAX_NAMES: usize = 20;

/// Returns the `X-Error-Code` of a response. Mirrors do not send it.
pub(crate) fn code(answer: &Answer) -> &str {
    answer.header("x-error-code").unwrap_or_default()
}

/// Creates the error for an unsuccessful response from `url` about `file` (or about the list of files).
pub(crate) fn refusal(client: &Client<'_>, url: &str, file: Option<&str>, answer: Answer) -> Error {
    let status = answer.status();
    let code = code(&answer).to_owned();
    let problem = match (status, answer.same_origin, &client.settings.token) {
        (status, false, _) => format!("{}, where the hub sends us, answers {status}", answer.host),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true, None) => {
            "the model is private, gated, or does not exist; set HF_TOKEN to a token that may read it"
                .to_owned()
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true, Some(_)) => {
            "the token of HF_TOKEN does not give access to this model; does it exist, and did you accept its \
             terms?"
                .to_owned()
        }
        (StatusCode::NOT_FOUND, ..) if code == "RevisionNotFound" => {
            format!("the model has no revision \"{}\"", client.id.revision())
        }
        (StatusCode::NOT_FOUND, ..) => match file.filter(|_| code == "EntryNotFound") {
            Some(file) => format!("the repository has no {file}"),
            None => "there is no such model on the hub; is it spelled right?".to_owned(),
        },
        (status, ..) => format!("the hub answers {status}"),
    };
    let said = message(answer);
    let said = said.map(|said| format!(" (the hub says: {said})")).unwrap_or_default();
    client.refuse(url, format!("{problem}{said}"))
}

/// Returns the server's error message.
fn message(answer: Answer) -> Option<String> {
    let text = match answer.header("x-error-message") {
        Some(text) => text.to_owned(),
        None => {
            let mut text = Vec::new();
            answer.response.into_body().into_reader().take(MAX_BODY).read_to_end(&mut text).ok()?;
            let value: serde_json::Value = serde_json::from_slice(&text).ok()?;
            value.get("error")?.as_str()?.to_owned()
        }
    };
    let text = printable(&text, MAX_MESSAGE);
    (!text.is_empty()).then_some(text)
}

/// Returns a server's message as one line of bounded length.
fn printable(text: &str, length: usize) -> String {
    let words = text.split(|c: char| c.is_control() || c == ' ').filter(|w| !w.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(length).collect()
}

/// Creates the error for a repository that has none of `names`.
pub(crate) fn none_of<'n>(
    client: &Client<'_>,
    url: &str,
    names: &[&str],
    there: Option<impl Iterator<Item = &'n String>>,
) -> Error {
    let required_files = listed(names);
    let Some(there) = there else {
        return client.refuse(url, format!("the repository has no {required_files}"));
    };
    let mut shown: Vec<String> = there.take(MAX_NAMES + 1).map(|name| printable(name, 80)).collect();
    let more = shown.len() > MAX_NAMES;
    shown.truncate(MAX_NAMES);
    if more {
        shown.push("...".to_owned());
    }
    let mut hint = "";
    if shown.iter().any(|n| n.contains(".ckpt")) {
        hint = " (a checkpoint of TensorFlow 1: download its files into a directory and name that)";
    }
    let has = if shown.is_empty() { "no files at all".to_owned() } else { shown.join(", ") };
    client.refuse(url, format!("the repository has no {required_files}; it has {has}{hint}"))
}
