//! The values that a resumed run must share with the original one.

use serde::Serialize;
use serde_json::{Map, Value};

/// The options and other facts that a resumed run must share with the original one, in the order in which a message lists
/// differences.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    value: Value,
    is_option: bool,
}

impl Identity {
    /// Adds the value of an option, whose name is in snake case.
    pub fn option(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.add(name, value, true)
    }

    /// Adds something else: the model's configuration, a property of the data.
    pub fn fact(&mut self, name: &str, value: impl Serialize) -> &mut Self {
        self.add(name, value, false)
    }

    fn add(&mut self, name: &str, value: impl Serialize, is_option: bool) -> &mut Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.entries.push(Entry { name: name.to_owned(), value, is_option });
        self
    }

    /// The object that checkpoints store.
    pub(super) fn to_json(&self) -> Value {
        let pairs = self.entries.iter().map(|entry| (entry.name.clone(), entry.value.clone()));
        Value::Object(pairs.collect())
    }

    /// The differences from a stored object, in words. An unset option equals one that did not exist when it was stored.
    pub(super) fn differences(&self, stored: &Value) -> Vec<String> {
        let Value::Object(stored) = stored else { return Vec::new() };
        let stored: Map<String, Value> =
            stored.iter().map(|(key, value)| (name_of(key), value.clone())).collect();
        // Round-trip through JSON, so that numbers compare as stored.
        let own = serde_json::from_str(&self.to_json().to_string()).unwrap_or_default();
        let Value::Object(own) = own else { return Vec::new() };
        let keys = own.keys().chain(stored.keys().filter(|key| !own.contains_key(*key)));
        keys.filter(|key| set(&own, key) != set(&stored, key))
            .map(|key| {
                let is_fact = self.entries.iter().any(|entry| entry.name == *key && !entry.is_option);
                let kind = if is_fact { "" } else { "option " };
                let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                format!("{kind}{key} was {}, is {}", show(stored.get(key)), show(own.get(key)))
            })
            .collect()
    }
}

/// The name that a stored key stands for. Earlier versions stored options as they are typed, with hyphens.
fn name_of(key: &str) -> String {
    key.strip_prefix("--").map_or_else(|| key.to_owned(), |flag| flag.replace('-', "_"))
}

/// The value of a key, unless it is null.
fn set<'a>(values: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    values.get(key).filter(|value| !value.is_null())
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
    fn differences_name_options_and_facts() {
        let stored = json!({
            "digest of the examples": "x",
            "--batch-size": 16,
            "clip_norm": 1.5,
            "--max-ngram": 3,
            "optimizer": {"rate": 0.5},
        });
        assert_eq!(
            identity().differences(&stored),
            [
                "digest of the examples was \"x\", is \"ab-c\"",
                "option batch_size was 16, is 8",
                "option clip_norm was 1.5, is null",
                "option max_ngram was 3, is nothing",
            ]
        );
    }
}
