//! The values that a resumed run must share with the original one.

use serde::Serialize;
use serde_json::{Map, Value};

/// The options and facts that a resumed run must share with the original one. Messages list differences in this order.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    value: Value,
    kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    Option,
    /// An option that names one of several values.
    Choice,
    Fact,
}

impl Identity {
    /// Adds the value of an option, whose name is in snake case.
    pub fn option(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.add(name, value, EntryKind::Option)
    }

    /// Adds the value of an option that names one of several, in snake case. Earlier versions stored such values as `ByLength`
    /// or `Some(Google)`, which are the same as `by_length` and `google`.
    pub fn choice(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.add(name, value, EntryKind::Choice)
    }

    /// Adds a fact that is not an option: the model's configuration, or a property of the data.
    pub fn fact(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.add(name, value, EntryKind::Fact)
    }

    fn add(&mut self, name: &str, value: impl Serialize, kind: EntryKind) -> &mut Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.entries.push(Entry { name: name.to_owned(), value, kind });
        self
    }

    /// The object that checkpoints store.
    pub(super) fn to_json(&self) -> Value {
        let pairs = self.entries.iter().map(|entry| (entry.name.clone(), entry.value.clone()));
        Value::Object(pairs.collect())
    }

    /// Describes the differences from a stored object. An unset option equals one that did not exist when the object was
    /// stored.
    pub(super) fn differences(&self, stored: &Value) -> Vec<String> {
        let Value::Object(stored) = stored else { return Vec::new() };
        let kind = |key: &str| self.entries.iter().find(|entry| entry.name == key).map(|entry| entry.kind);
        let stored: Map<String, Value> = stored
            .iter()
            .map(|(key, value)| {
                let name = name_of(key);
                let value =
                    if kind(&name) == Some(EntryKind::Choice) { choice_of(value) } else { value.clone() };
                (name, value)
            })
            .collect();
        // Round-trip through JSON, so that numbers compare as stored.
        let own = serde_json::from_str(&self.to_json().to_string()).unwrap_or_default();
        let Value::Object(own) = own else { return Vec::new() };
        let keys = own.keys().chain(stored.keys().filter(|key| !own.contains_key(*key)));
        let mut differences = Vec::new();
        for key in keys {
            // Earlier versions stored fewer facts.
            if kind(key) == Some(EntryKind::Fact) && !stored.contains_key(key) {
                continue;
            }
            let word = if kind(key) == Some(EntryKind::Fact) { "" } else { "option " };
            describe(&format!("{word}{key}"), stored.get(key), own.get(key), &mut differences);
        }
        differences
    }
}

/// The current name of a stored key. Earlier versions stored options as typed on the command line, with hyphens.
fn name_of(key: &str) -> String {
    key.strip_prefix("--").map_or_else(|| key.to_owned(), |flag| flag.replace('-', "_"))
}

/// The current value of a stored choice: earlier versions stored `ByLength`, `None` and `Some(Google)`.
fn choice_of(value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    if text == "None" {
        return Value::Null;
    }
    let text = text.strip_prefix("Some(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(text);
    let mut snake = String::with_capacity(text.len() + 4);
    for (i, c) in text.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    Value::String(snake)
}

/// Describes the difference between two values, and only the fields that differ if both are objects. Null equals a value that
/// is absent.
fn describe(name: &str, stored: Option<&Value>, own: Option<&Value>, differences: &mut Vec<String>) {
    match (stored, own) {
        (Some(Value::Object(stored)), Some(Value::Object(own))) => {
            for key in own.keys().chain(stored.keys().filter(|key| !own.contains_key(*key))) {
                describe(&format!("{name}.{key}"), stored.get(key), own.get(key), differences);
            }
        }
        _ => {
            let [was, is] = [stored, own].map(|value| value.filter(|value| !value.is_null()));
            if was != is {
                let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
                differences.push(format!("{name} was {}, is {}", show(was), show(is)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity() -> Identity {
        let mut identity = Identity::default();
        identity
            .fact("digest of the examples", "ab-c")
            .option("batch_size", 8)
            .option("clip_norm", None::<f64>);
        identity.fact("optimizer", json!({"rate": 0.5}));
        identity
    }

    #[test]
    fn the_same_run_has_no_differences() {
        let own = identity();
        let stored = own.to_json().to_string();
        assert!(stored.contains("\"batch_size\":8"), "{stored}");
        assert_eq!(own.differences(&serde_json::from_str(&stored).expect("JSON")), [""; 0]);
        assert_eq!(own.differences(&Value::Null), [""; 0]);
    }

    #[test]
    fn checkpoints_of_earlier_versions_are_of_the_same_run() {
        let stored = r#"{"digest of the examples": "ab-c", "--batch-size": 8, "optimizer": {"rate": 0.5}}"#;
        assert_eq!(identity().differences(&serde_json::from_str(stored).expect("JSON")), [""; 0]);
    }

    #[test]
    fn choices_of_earlier_versions_are_understood() {
        let mut identity = Identity::default();
        identity.choice("order", "by_length").choice("precision", "bf16x2").choice("compat", None::<&str>);
        identity.choice("freeze", "nothing").fact("name", "None");
        let same = json!({
            "order": "ByLength",
            "precision": "Bf16x2",
            "compat": "None",
            "freeze": "nothing",
            "name": "None",
        });
        assert_eq!(identity.differences(&same), [""; 0]);
        let other = json!({
            "order": "Shuffled",
            "precision": "bf16x2",
            "compat": "Some(Google)",
            "freeze": "Nothing",
            "name": "None",
        });
        assert_eq!(
            identity.differences(&other),
            ["option order was \"shuffled\", is \"by_length\"", "option compat was \"google\", is not set",]
        );
    }

    #[test]
    fn differences_name_options_and_facts() {
        let stored = json!({
            "digest of the examples": "x",
            "--batch-size": 16,
            "clip_norm": 1.5,
            "--max-ngram": 3,
            "optimizer": {"rate": 0.25, "momentum": null},
        });
        assert_eq!(
            identity().differences(&stored),
            [
                "digest of the examples was \"x\", is \"ab-c\"",
                "option batch_size was 16, is 8",
                "option clip_norm was 1.5, is not set",
                "optimizer.rate was 0.25, is 0.5",
                "option max_ngram was 3, is not set",
            ]
        );
    }
}
