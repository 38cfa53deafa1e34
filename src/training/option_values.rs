//! Checks of option values, shared by pretraining and fine-tuning.

use crate::error::{Error, Result};

fn wrong(name: &str, problem: &str) -> Result<()> {
    Err(Error::InvalidOption { name: name.to_owned(), problem: problem.to_owned() })
}

/// Checks counts that must not be zero, by the names of their options.
///
/// # Errors
/// [`Error::InvalidOption`].
pub(super) fn at_least_one(counts: &[(&str, Option<u64>)]) -> Result<()> {
    let bad = counts.iter().find(|(_, count)| *count == Some(0));
    bad.map_or(Ok(()), |(name, _)| wrong(name, "expected at least 1"))
}

/// Checks numbers above 0.
///
/// # Errors
/// [`Error::InvalidOption`].
pub(super) fn positive(values: &[(&str, Option<f64>)]) -> Result<()> {
    check(values, |value| value.is_finite() && value > 0.0, "expected a number above 0")
}

/// Checks numbers of at least 0.
///
/// # Errors
/// [`Error::InvalidOption`].
pub(super) fn not_negative(values: &[(&str, Option<f64>)]) -> Result<()> {
    check(values, |value| value.is_finite() && value >= 0.0, "expected a number from 0")
}

/// Checks fractions from 0 to below 1.
///
/// # Errors
/// [`Error::InvalidOption`].
pub(super) fn fractions(values: &[(&str, Option<f64>)]) -> Result<()> {
    check(values, |value| (0.0..1.0).contains(&value), "expected a fraction from 0 to below 1")
}

fn check(values: &[(&str, Option<f64>)], fits: impl Fn(f64) -> bool, problem: &str) -> Result<()> {
    let bad = values.iter().find(|(_, value)| value.is_some_and(|value| !fits(value)));
    bad.map_or(Ok(()), |(name, _)| wrong(name, problem))
}
