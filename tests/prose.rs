//! The prose of this project is plain technical English: a few phrasings that read like a word-for-word translation are
//! not used in help, messages, documents and comments.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::albert;

/// Phrases to avoid, in lower case, and what to write instead. `*` stands for any one word.
const PHRASES: &[(&str, &str)] = &[
    ("so many", "\"every N steps\", \"N threads\""),
    ("for eyes", "\"human-readable\""),
    ("goes on", "\"continues\", \"resumes\""),
    ("go on", "\"continue\", \"resume\""),
    ("going on", "\"continuing\""),
    ("is told", "\"is reported\""),
    ("are told", "\"are reported\""),
    ("by itself", "\"independently\", \"alone\""),
    ("by themselves", "\"independently\""),
    ("quicker", "\"faster\""),
    ("no faster than any", "\"not faster\""),
    ("as there", "\"as in ...\""),
    ("has it", "\"as in ...\""),
    ("have it", "\"as in ...\""),
    ("those of", "name what it is: \"the reader's errors\""),
    ("is whole", "\"is complete\""),
    ("are whole", "\"are complete\""),
    ("not whole", "\"not complete\""),
    ("a whole *", "\"a complete ...\""),
    ("beside", "\"next to\", \"besides\", \"in addition to\", \"compared with\""),
    ("is no *", "\"is not a ...\""),
    ("are no *", "\"are not ...\""),
    ("was no *", "\"was not a ...\""),
    ("a label a *", "\"one label per text\""),
    ("a row a *", "\"one row per record\""),
    ("a record a *", "\"one record per line\""),
    ("a line a *", "\"one line per ...\""),
    ("a word a *", "\"one word per line\""),
    ("a document a *", "\"one document per record\""),
    ("a sentence a *", "\"one sentence per line\""),
    ("a run a *", "\"one run per ...\""),
];

/// Phrases that contain one of [`PHRASES`] and are right.
const ALLOWED: &[&str] = &[
    "there is no",
    "there are no",
    "there was no",
    "as there is",
    "as there are",
    "as there was",
    "as there may",
    "is no longer",
    "are no longer",
    "is no more than",
    "if it has it",
    "as a whole",
];

/// Beginnings of a documentation comment that lack a subject.
const HEADLESS: &[&str] = &["what ", "whether "];

/// The words of a line, lower-cased, with a space around each.
fn words(line: &str) -> String {
    let mut out = String::from(" ");
    for c in line.chars() {
        if c.is_alphanumeric() || c == '\'' || c == '_' {
            out.extend(c.to_lowercase());
        } else if matches!(c, '.' | ',' | ';' | ':' | '(' | ')' | '"' | '!' | '?') {
            // A phrase does not reach across punctuation.
            out.push_str(" | ");
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.push(' ');
    out.split_whitespace().fold(String::from(" "), |all, word| all + word + " ")
}

/// The phrases to avoid that a line contains.
fn faults(line: &str) -> Vec<&'static (&'static str, &'static str)> {
    let mut text = words(line);
    for allowed in ALLOWED {
        text = text.replace(&format!(" {allowed} "), " | ");
    }
    PHRASES
        .iter()
        .filter(|(phrase, _)| match phrase.strip_suffix(" *") {
            None => text.contains(&format!(" {phrase} ")),
            Some(start) => text
                .match_indices(&format!(" {start} "))
                .any(|(at, found)| text[at + found.len()..].starts_with(|c: char| c.is_alphanumeric())),
        })
        .collect()
}

fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, endings, found);
        } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
            found.push(path);
        }
    }
}

/// The prose of a source line: its comment, and its string literals.
fn prose(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (code, comment) = match line.find("// ").or_else(|| line.find("///")).or_else(|| line.find("//!")) {
        Some(at) => (&line[..at], &line[at..]),
        None => (line, ""),
    };
    parts.extend(code.split('"').skip(1).step_by(2));
    parts.push(comment);
    parts
}

fn report(place: &str, line: &str, found: &mut Vec<String>) {
    for (phrase, better) in faults(line) {
        found.push(format!("{place}: \"{phrase}\": write {better}\n    {}", line.trim()));
    }
}

#[test]
fn comments_and_messages_are_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "examples", "fuzz"] {
        files(&root.join(folder), &["rs"], &mut sources);
    }
    assert!(sources.len() > 300);
    let mut found = Vec::new();
    for path in sources.iter().filter(|path| !path.ends_with("tests/prose.rs")) {
        let text = fs::read_to_string(path).expect("a source file");
        let mut previous = "";
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.strip_prefix(root).unwrap_or(path).display(), number + 1);
            for part in prose(line) {
                report(&place, part, &mut found);
            }
            let trimmed = line.trim_start();
            let first = !previous.starts_with("///");
            if let Some(doc) = trimmed.strip_prefix("/// ")
                && first
                && HEADLESS.iter().any(|start| doc.to_lowercase().starts_with(start))
            {
                found.push(format!("{place}: a comment without a subject\n    {trimmed}"));
            }
            previous = trimmed;
        }
    }
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn documents_are_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].iter().map(|name| root.join(name)).collect();
    for folder in ["docs", "assets", "benches", "fuzz", "tests"] {
        files(&root.join(folder), &["md"], &mut documents);
    }
    let mut found = Vec::new();
    for path in documents {
        let text = fs::read_to_string(&path).expect("a document");
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.strip_prefix(root).unwrap_or(&path).display(), number + 1);
            report(&place, line, &mut found);
        }
    }
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn help_is_plain_english() {
    let top = help(&[]);
    let commands =
        top.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    let mut pages = vec![top.clone()];
    for name in commands.lines().filter_map(|line| line.split_whitespace().next()) {
        if name == "help" {
            continue;
        }
        let page = help(&[name]);
        let nested =
            page.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or("");
        for inner in nested.lines().filter_map(|line| line.split_whitespace().next()) {
            if inner != "help" {
                pages.push(help(&[name, inner]));
            }
        }
        pages.push(page);
    }
    assert!(pages.len() > 20);
    let mut found = Vec::new();
    for page in &pages {
        // Wrapped lines are one sentence.
        let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for (phrase, better) in faults(&text) {
            found.push(format!("\"{phrase}\": write {better}, in {}", page.lines().next().unwrap_or("")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn help(arguments: &[&str]) -> String {
    let output = albert().args(arguments).arg("--help").output().expect("runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn phrases_are_found_and_exceptions_are_allowed() {
    let found = |line| faults(line).iter().map(|(phrase, _)| *phrase).collect::<Vec<_>>();
    assert_eq!(found("A score that is no number."), ["is no *"]);
    assert_eq!(found("There is no number; it is no longer there."), Vec::<&str>::new());
    assert_eq!(found("Report every so many steps, a row a record"), ["so many", "a row a *"]);
}
