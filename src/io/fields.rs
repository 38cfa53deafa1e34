//! A JSON object whose fields pass through untouched: names, order, and the very digits of numbers.

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The fields of one JSON object in their order, values unparsed.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Parses one JSON object.
    ///
    /// # Errors
    /// serde_json's, with the column.
    pub fn parse(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }

    /// The value of a field, as JSON text.
    pub fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_ref())
    }

    /// A string field. `Ok(None)` where it is absent or null.
    ///
    /// # Errors
    /// A message when the field is there and is not a string.
    pub fn string(&self, name: &str) -> Result<Option<String>, String> {
        match self.raw(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str::<Option<String>>(raw.get())
                .map_err(|_| format!("field \"{name}\" is {}; expected a string", shortened(raw.get()))),
        }
    }

    /// A field that is a list of strings. `Ok(None)` where it is absent or null.
    ///
    /// # Errors
    /// A message when the field is there and is no such list.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        match self.raw(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str::<Option<Vec<String>>>(raw.get()).map_err(|_| {
                format!("field \"{name}\" is {}; expected a list of strings", shortened(raw.get()))
            }),
        }
    }

    /// Sets a field, in its place if it exists, else at the end.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        self.0.retain(|(n, _)| n != name);
        self.0.push((name.to_owned(), value));
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(n, _)| n.as_str())
    }
}

fn shortened(json: &str) -> String {
    match json.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &json[..end]),
        None => json.to_owned(),
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(4).min(64));
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_and_the_order_survive() {
        let line = r#"{"z":1.10,"a":12345678901234567890123,"n":{"b":[1e400,null],"a":"\u00e9"},"text":"x"}"#;
        let mut fields = Fields::parse(line).expect("an object");
        assert_eq!(serde_json::to_string(&fields).expect("writes"), line);
        fields.set("predictions", serde_json::value::to_raw_value(&[1]).expect("writes"));
        assert_eq!(
            serde_json::to_string(&fields).expect("writes"),
            format!("{},\"predictions\":[1]}}", &line[..line.len() - 1])
        );
    }

    #[test]
    fn a_field_of_the_wrong_kind_is_named() {
        let fields = Fields::parse(r#"{"text": 5, "other": null}"#).expect("an object");
        assert_eq!(fields.string("text"), Err("field \"text\" is 5; expected a string".to_owned()));
        assert_eq!(fields.string("other"), Ok(None));
        assert_eq!(fields.string("absent"), Ok(None));
        let fields = Fields::parse(r#"{"a": ["x", 1], "b": [], "c": ["y"]}"#).expect("an object");
        assert!(fields.strings("a").is_err_and(|e| e.contains("expected a list of strings")));
        assert_eq!(fields.strings("b"), Ok(Some(Vec::new())));
        assert_eq!(fields.strings("c"), Ok(Some(vec!["y".to_owned()])));
        assert_eq!(fields.strings("absent"), Ok(None));
    }
}
