//! Infers column types from JSON values.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field};
use serde_json::Value;

use super::plain;

/// The type of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum JsonType {
    /// Only nulls so far.
    Null,
    Boolean,
    Integer,
    Float,
    Text,
    List(Box<JsonType>),
    /// The text of any JSON value.
    Json,
}

impl JsonType {
    /// Returns the type of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_i64() => Self::Integer,
            // Numbers whose digits a float would lose stay text.
            Value::Number(number) if number.is_f64() => Self::Float,
            Value::Number(_) | Value::Object(_) => Self::Json,
            Value::String(_) => Self::Text,
            Value::Array(values) => {
                Self::List(Box::new(values.iter().map(Self::of).fold(Self::Null, Self::with)))
            }
        }
    }

    /// Returns a type that can hold the values of both.
    pub(super) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => kind,
            (Self::Integer, Self::Float) | (Self::Float, Self::Integer) => Self::Float,
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.with(*b))),
            (a, b) if a == b => a,
            _ => Self::Json,
        }
    }

    /// Returns the Arrow type.
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Null | Self::Text | Self::Json => DataType::Utf8,
            Self::List(inner) => DataType::List(Arc::new(Field::new_list_field(inner.data_type(), true))),
        }
    }

    /// Creates an array of values.
    ///
    /// # Errors
    /// The index of a value that does not fit, and the problem.
    pub(super) fn array(&self, values: &[Option<&Value>]) -> Result<ArrayRef, (usize, String)> {
        let values: Vec<Option<&Value>> =
            values.iter().map(|value| value.filter(|value| !value.is_null())).collect();
        let reason_unsupported = |i: usize| {
            let shown: String = values
                .get(i)
                .copied()
                .flatten()
                .map_or_else(String::new, Value::to_string)
                .chars()
                .take(40)
                .collect();
            (i, format!("is {shown}, which is not of the type {}", self.data_type()))
        };
        Ok(match self {
            Self::Boolean => {
                Arc::new(BooleanArray::from(each(&values, Value::as_bool).map_err(reason_unsupported)?))
            }
            Self::Integer => {
                Arc::new(Int64Array::from(each(&values, Value::as_i64).map_err(reason_unsupported)?))
            }
            Self::Float => {
                Arc::new(Float64Array::from(each(&values, Value::as_f64).map_err(reason_unsupported)?))
            }
            Self::Null | Self::Text => {
                let text = |value: &&Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Arc::new(values.iter().map(|value| value.as_ref().map(text)).collect::<StringArray>())
            }
            Self::Json => {
                Arc::new(values.iter().map(|value| value.map(Value::to_string)).collect::<StringArray>())
            }
            Self::List(inner) => {
                let lists = each(&values, Value::as_array).map_err(reason_unsupported)?;
                let lengths = lists.iter().map(|list| list.map_or(0, Vec::len));
                let offsets = OffsetBuffer::from_lengths(lengths);
                let nulls: NullBuffer = lists.iter().map(Option::is_some).collect();
                let owner: Vec<usize> = lists
                    .iter()
                    .enumerate()
                    .flat_map(|(i, list)| std::iter::repeat_n(i, list.map_or(0, Vec::len)))
                    .collect();
                let flat: Vec<Option<&Value>> =
                    lists.iter().flatten().flat_map(|list| list.iter()).map(Some).collect();
                let items = inner.array(&flat).map_err(|(i, e)| (owner.get(i).copied().unwrap_or(0), e))?;
                let field = Arc::new(Field::new_list_field(inner.data_type(), true));
                Arc::new(ListArray::try_new(field, offsets, items, Some(nulls)).map_err(|e| (0, plain(e)))?)
            }
        })
    }
}

/// Converts each value with `read`. The error is the index of a value that cannot be converted.
fn each<'a, T>(
    values: &[Option<&'a Value>],
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Vec<Option<T>>, usize> {
    values.iter().enumerate().map(|(i, value)| value.map(|value| read(value).ok_or(i)).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(values: &Value) -> JsonType {
        values.as_array().expect("a list").iter().map(JsonType::of).fold(JsonType::Null, JsonType::with)
    }

    #[test]
    fn types_hold_all_values() {
        for (values, expected) in [
            (json!([1, null, -2]), JsonType::Integer),
            (json!([1, 0.5]), JsonType::Float),
            (json!([true, null]), JsonType::Boolean),
            (json!(["a", null]), JsonType::Text),
            (json!([null]), JsonType::Null),
            (json!([1, "a"]), JsonType::Json),
            (json!([{"a": 1}, null]), JsonType::Json),
            (json!([18_446_744_073_709_551_615u64]), JsonType::Json),
            (json!([["a"], [], null]), JsonType::List(Box::new(JsonType::Text))),
            (json!([[1], [0.5]]), JsonType::List(Box::new(JsonType::Float))),
            (json!([[1], ["a"]]), JsonType::List(Box::new(JsonType::Json))),
        ] {
            assert_eq!(kind(&values), expected, "{values}");
            let list: Vec<Option<&Value>> = values.as_array().expect("a list").iter().map(Some).collect();
            let array = expected.array(&list).expect("fits");
            assert_eq!(array.len(), list.len());
            let nulls = list.iter().filter(|value| value.is_some_and(Value::is_null)).count();
            assert_eq!(array.null_count(), nulls, "{values}");
        }
    }

    #[test]
    fn later_values_that_do_not_fit() {
        let (one, text, list) = (json!(1), json!("a"), json!([[1], [2, "b"]]));
        let (i, problem) = JsonType::Integer.array(&[Some(&one), Some(&text)]).expect_err("no integer");
        assert_eq!((i, problem.as_str()), (1, "is \"a\", which is not of the type Int64"));
        assert!(JsonType::Text.array(&[Some(&one)]).is_ok());
        let lists: Vec<Option<&Value>> = list.as_array().expect("a list").iter().map(Some).collect();
        let (i, _) = JsonType::List(Box::new(JsonType::Integer)).array(&lists).expect_err("no integer");
        assert_eq!(i, 1);
    }
}
