//! Invalid records of labelled data: the first one is an error, or they are skipped and counted.

use std::path::Path;

use super::shortened::shortened;
use crate::error::{Error, Result};

/// Maximum number of skipped records that a message describes.
const DESCRIBED: usize = 3;

/// How to handle invalid records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OnBadRecord {
    /// Fail with an error that names its location.
    #[cfg_attr(feature = "cli", value(help = "Report the first one and exit with 2"))]
    Stop,
    /// Leave it out, count it, and describe the first few.
    #[cfg_attr(feature = "cli", value(help = "Leave them out, count them, and report the first few"))]
    Skip,
}

/// The bad records of a file or folder.
#[derive(Debug)]
pub(crate) struct BadRecords {
    skip: bool,
    /// True if the user chose what to do.
    chosen: bool,
    count: u64,
    first: Vec<String>,
}

impl BadRecords {
    /// Follows the user's choice. By default, bad records are errors.
    pub(crate) fn new(choice: Option<OnBadRecord>) -> Self {
        let skip = choice == Some(OnBadRecord::Skip);
        Self { skip, chosen: choice.is_some(), count: 0, first: Vec::new() }
    }

    /// Skips bad records from now on, unless the user chose otherwise.
    pub(super) fn skip_by_default(&mut self) {
        self.skip |= !self.chosen;
    }

    /// Returns true if bad records are skipped.
    pub(super) fn skips(&self) -> bool {
        self.skip
    }

    /// Returns the value; `None` for a bad record that is skipped.
    ///
    /// # Errors
    /// The error of a bad record, unless bad records are skipped. Errors that concern more than one record are always
    /// returned.
    pub(super) fn check<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ Error::Record { .. }) if self.skip => {
                self.count += 1;
                if self.first.len() < DESCRIBED {
                    self.first.push(error.to_string());
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Checks each example, and leaves out those that are bad and skipped.
    pub(crate) fn filter<T>(
        &mut self,
        examples: impl IntoIterator<Item = Result<T>>,
        check: impl Fn(&T) -> Result<()>,
    ) -> impl Iterator<Item = Result<T>> {
        examples.into_iter().filter_map(move |example| {
            let example = match example {
                Ok(example) => example,
                Err(error) => return Some(Err(error)),
            };
            match self.check(check(&example)) {
                Ok(good) => good.map(|()| Ok(example)),
                Err(error) => Some(Err(error)),
            }
        })
    }

    /// Returns the number of skipped records.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the message for the user, if records were skipped.
    pub(crate) fn message(&self, path: &Path) -> Option<String> {
        let described: Vec<String> = self.first.iter().map(|problem| shortened_problem(problem)).collect();
        let described = described.join("; ");
        let path = path.display();
        match self.count {
            0 => None,
            1 => Some(format!("{path}: skipped 1 bad record: {described}")),
            count if count as usize > DESCRIBED => {
                Some(format!("{path}: skipped {count} bad records, the first {DESCRIBED}: {described}"))
            }
            count => Some(format!("{path}: skipped {count} bad records: {described}")),
        }
    }
}

/// Shortens a problem to fit on one line.
fn shortened_problem(problem: &str) -> String {
    match problem.char_indices().nth(120) {
        Some(_) => {
            let (place, rest) = problem.split_at(problem.find(": ").map_or(0, |end| end + 2));
            format!("{place}{}", shortened(rest))
        }
        None => problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(line: u64) -> Result<u8> {
        Err(Error::Record { source_name: "a".to_owned(), line, problem: "is bad".to_owned() })
    }

    #[test]
    fn bad_records_stop_or_are_counted() {
        let mut stop = BadRecords::new(None);
        assert!(stop.check(bad(1)).is_err() && stop.check(Ok(1)).is_ok_and(|value| value == Some(1)));
        let mut skip = BadRecords::new(Some(OnBadRecord::Skip));
        assert_eq!(skip.message(Path::new("f")), None);
        for line in 1..=4 {
            assert_eq!(skip.check(bad(line)).expect("skipped"), None);
        }
        assert_eq!(
            skip.message(Path::new("f")).as_deref(),
            Some("f: skipped 4 bad records, the first 3: a:1: is bad; a:2: is bad; a:3: is bad")
        );
        assert!(skip.check::<u8>(Err(Error::bad_file(Path::new("f"), "is broken"))).is_err());
    }

    #[test]
    fn examples_are_filtered() {
        let odd = |value: &u64| if value % 2 == 1 { bad(*value).map(drop) } else { Ok(()) };
        let keep = |choice| -> (Result<Vec<u64>>, u64) {
            let mut records = BadRecords::new(choice);
            let kept = records.filter((1..=4).map(Ok), odd).collect();
            (kept, records.count())
        };
        assert!(keep(None).0.is_err());
        let (kept, skipped) = keep(Some(OnBadRecord::Skip));
        assert_eq!((kept.expect("skips"), skipped), (vec![2, 4], 2));
    }

    #[test]
    fn a_choice_is_stronger_than_a_default() {
        let mut stop = BadRecords::new(Some(OnBadRecord::Stop));
        stop.skip_by_default();
        assert!(!stop.skips());
        let mut unset = BadRecords::new(None);
        unset.skip_by_default();
        assert!(unset.skips());
    }
}
