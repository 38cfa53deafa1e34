//! Parsers of values.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};

/// Accepts some values of an enumeration.
pub(crate) fn one_of<'a, E: ValueEnum + Send + Sync + 'static>(
    values: impl IntoIterator<Item = &'a E>,
) -> ValueParser {
    let values: Vec<_> = values.into_iter().filter_map(ValueEnum::to_possible_value).collect();
    ValueParser::new(PossibleValuesParser::new(values).try_map(|name| E::from_str(&name, false)))
}

fn number(text: &str, least: f64, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("expected {wanted}"))?;
    if value.is_finite() && value >= least && fits(value) {
        Ok(value)
    } else {
        Err(format!("expected {wanted}"))
    }
}

pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    number(text, 0.0, |value| value < 1.0, "a fraction from 0 to below 1")
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, 0.0, |value| value > 0.0, "a number above 0")
}

pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    number(text, 0.0, |_| true, "a number from 0")
}
