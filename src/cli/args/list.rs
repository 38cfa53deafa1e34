//! Comma-separated values, some of which may contain commas.

use std::convert::Infallible;
use std::str::FromStr;

use albert::Error;

/// The values of one use of an option. As in CSV, a value in double quotes may contain commas, and two double quotes stand
/// for one; spaces before the quotes are ignored. `=weight` may follow the quotes. All other double quotes are kept as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List(Vec<String>);

/// Returns the values of all uses of an option.
pub(crate) fn values(lists: &[List]) -> Vec<String> {
    lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
}

/// Returns the values of all uses of an option, without spaces around them.
pub(crate) fn trimmed(lists: &[List]) -> Vec<String> {
    values(lists).iter().map(|value| value.trim().to_owned()).collect()
}

/// Returns the values of all uses of an option, without spaces around them and without empty ones.
///
/// # Errors
/// [`Error::InvalidOption`] with this name if the option was used and all values are empty.
pub(crate) fn words(name: &str, lists: &[List]) -> albert::Result<Vec<String>> {
    let words: Vec<String> = trimmed(lists).into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() && !lists.is_empty() {
        return Err(Error::InvalidOption { name: name.to_owned(), problem: "the list is empty".to_owned() });
    }
    Ok(words)
}

impl FromStr for List {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut values = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (value, after) = quoted(text).unwrap_or_else(|| match text.split_once(',') {
                Some((value, after)) => (value.to_owned(), Some(after)),
                None => (text.to_owned(), None),
            });
            values.push(value);
            rest = after;
        }
        Ok(Self(values))
    }
}

/// Returns the value in double quotes at the beginning of a text, and what follows its comma. Returns `None` if the text does
/// not begin with a complete quoted value.
fn quoted(text: &str) -> Option<(String, Option<&str>)> {
    let mut rest = text.trim_start().strip_prefix('"')?;
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        value.push_str(part);
        if let Some(after) = after.strip_prefix('"') {
            value.push('"');
            rest = after;
        } else if after.is_empty() {
            return Some((value, None));
        } else if after.starts_with('=') {
            // A quoted label with a class weight.
            let (rest, after) =
                after.split_once(',').map_or((after, None), |(rest, after)| (rest, Some(after)));
            return Some((value + rest, after));
        } else {
            return Some((value, Some(after.strip_prefix(',')?)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        values(&[text.parse().expect("never fails")])
    }

    #[test]
    fn commas_separate_values() {
        assert_eq!(list("a"), ["a"]);
        assert_eq!(list("a,b c,,d"), ["a", "b c", "", "d"]);
        assert_eq!(list(""), [""]);
        let lists = ["a,b".parse().expect("never fails"), "c".parse().expect("never fails")];
        assert_eq!(values(&lists), ["a", "b", "c"]);
    }

    #[test]
    fn quoted_values_may_contain_commas() {
        assert_eq!(list("\"a, b\",c"), ["a, b", "c"]);
        assert_eq!(list("c, \"a, b\""), ["c", "a, b"]);
        assert_eq!(list("\"say \"\"a, b\"\"\""), ["say \"a, b\""]);
        assert_eq!(list("\",\",."), [",", "."]);
        assert_eq!(list("\"a, b\"=3,c=2"), ["a, b=3", "c=2"]);
        assert_eq!(list("c=2,\"a, b\"=3"), ["c=2", "a, b=3"]);
    }

    #[test]
    fn other_quotes_are_part_of_the_value() {
        assert_eq!(list("\""), ["\""]);
        assert_eq!(list("5\" disk,b"), ["5\" disk", "b"]);
        assert_eq!(list("\"a\" b,c"), ["\"a\" b", "c"]);
        assert_eq!(list("\"a,b"), ["\"a", "b"]);
    }
}
