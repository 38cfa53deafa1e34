//! Rewords library messages for the command line: the library writes "option text_field", the command line shows a flag.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use clap::{Command, CommandFactory};

use albert::Error;
use albert::error::stated;

use crate::cli::args::Cli;

/// The word that precedes the name of an option in library messages.
const OPTION: &str = "option ";

/// Returns the text of an error.
pub(crate) fn message(error: &Error) -> String {
    match error {
        Error::InvalidOption { name, problem } => {
            stated(flag(name).unwrap_or_else(|| name.clone()), &rephrase_error(problem))
        }
        other => rephrase_error(&other.to_string()),
    }
}

/// Replaces "option text_field" by "--text-field", and "option device=flex" by "--device flex". In backticks, which quote
/// a complete command, "with option order" becomes "--order". Names that are not options stay unchanged, since they come
/// from the user's data.
pub(crate) fn rephrase_error(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPTION) {
        let (before, after) = (&rest[..at], &rest[at + OPTION.len()..]);
        let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
        let end = after.find(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_')).unwrap_or(after.len());
        let (name, behind) = after.split_at(end);
        let Some(flag) = Some(name).filter(|_| is_word && ends_name(behind)).and_then(flag) else {
            out.push_str(&rest[..at + OPTION.len()]);
            rest = after;
            continue;
        };
        let is_command = behind.starts_with('`');
        out.push_str(before.strip_suffix("with ").filter(|_| is_command).unwrap_or(before));
        out.push_str(&flag);
        rest = match behind.strip_prefix('=') {
            Some(value) => {
                out.push(' ');
                value
            }
            None => behind,
        };
    }
    out.push_str(rest);
    out
}

/// Returns the flag of an option of the program, given its name in snake case.
pub(crate) fn flag(name: &str) -> Option<String> {
    static FLAGS: OnceLock<BTreeSet<String>> = OnceLock::new();
    let flags = FLAGS.get_or_init(|| {
        let mut found = BTreeSet::new();
        collect(&Cli::command(), &mut found);
        found
    });
    let long = name.replace('_', "-");
    flags.contains(&long).then(|| format!("--{long}"))
}

/// Collects the long options of a command and its subcommands.
fn collect(command: &Command, found: &mut BTreeSet<String>) {
    for argument in command.get_arguments() {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        found.extend(argument.get_long().into_iter().chain(aliases).map(str::to_owned));
    }
    for subcommand in command.get_subcommands() {
        collect(subcommand, found);
    }
}

/// Returns true if the name of an option, or a name with a value, can be followed by this text.
fn ends_name(behind: &str) -> bool {
    let mut next = behind.chars();
    match next.next() {
        None => true,
        Some('=') => next.next().is_some_and(|value| !value.is_whitespace()),
        Some('.') => next.next().is_none_or(char::is_whitespace),
        Some(c) => c.is_whitespace() || matches!(c, ')' | ',' | ';' | ':' | '`'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_flags() {
        for (text, expected) in [
            ("(option text_field names another)", "(--text-field names another)"),
            (
                "use option device=flex, or option device_check=off",
                "use --device flex, or --device-check off",
            ),
            ("option labels=a,b,c, or a list", "--labels a,b,c, or a list"),
            ("name it with option base_model=DIR|HUB_ID", "name it with --base-model DIR|HUB_ID"),
            ("a file with option input", "a file with --input"),
            ("(option ignore_modules)", "(--ignore-modules)"),
            ("option batch_size was 8, is 16", "--batch-size was 8, is 16"),
            ("choose one with option tag_column: 1", "choose one with --tag-column: 1"),
            (
                "serves `albert classify with option order`, `albert qa`",
                "serves `albert classify --order`, `albert qa`",
            ),
            ("an alias: option overflow=window", "an alias: --overflow window"),
        ] {
            assert_eq!(rephrase_error(text), expected);
            assert_eq!(rephrase_error(expected), expected);
        }
    }

    #[test]
    fn other_words_stay() {
        for text in [
            "no options",
            "option -i",
            "option text-field",
            "option",
            "the option that names it",
            "option unheard_of=1",
            "adoption device",
            "an-option device",
            "option device= flex",
            "option model.txt",
            "option Device",
            "option devices",
            "option ",
        ] {
            assert_eq!(rephrase_error(text), text);
        }
        assert_eq!(rephrase_error("option option device"), "option --device");
        assert_eq!(rephrase_error("option é option device=\u{e9}"), "option é --device \u{e9}");
    }

    #[test]
    fn errors_begin_with_the_flag() {
        let wrong = |name: &str| {
            message(&Error::InvalidOption {
                name: name.to_owned(),
                problem: "use option long=truncate".to_owned(),
            })
        };
        assert_eq!(wrong("max_length"), "--max-length: use --long truncate");
        assert_eq!(wrong("TEXT"), "TEXT: use --long truncate");
        let variable = Error::Variable { name: "HF_ENDPOINT".to_owned(), problem: "bad".to_owned() };
        assert_eq!(message(&variable), "HF_ENDPOINT: bad");
        let file = Error::bad_file("a.csv", "option format=csv can");
        assert_eq!(message(&file), "a.csv: --format csv can");
    }
}
