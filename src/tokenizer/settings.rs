//! The settings in the files next to a tokenizer: switches, special tokens and added tokens.
//!
//! They are read like in transformers 4.57. If `tokenizer_config.json` has `added_tokens_decoder`, that key alone defines
//! the added tokens. Otherwise `special_tokens_map.json` overrides the configuration, and `added_tokens.json` lists the
//! rest.

use super::limits::Limits;
use super::named::{Named, normalized, token};
use super::roles::{Class, ROLES, Role};
use serde_json::{Map, Value};
use tokenizers::AddedToken;

/// Maximum id. No vocabulary is larger.
const LARGEST_ID: u32 = (1 << 24) - 1;

/// The names and switches of `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    /// Tokens by role. `Some(None)` is an explicit `null`.
    roles: [Option<Option<Named>>; ROLES.len()],
    /// `additional_special_tokens`, and a list in `extra_special_tokens`. Of equal texts, the first one counts.
    pub additional: Vec<Named>,
    /// A dictionary in `extra_special_tokens`. These tokens follow the additional ones.
    pub extra: Vec<Named>,
    /// `added_tokens_decoder`, in file order.
    pub listed: Option<Vec<(u32, AddedToken)>>,
    /// `added_tokens.json`: tokens with their ids.
    pub added: Vec<(String, u32)>,
    /// The tokenizer's class in transformers, if the files name it.
    pub class: Option<Class>,
    pub do_lower_case: Option<bool>,
    pub keep_accents: Option<bool>,
    pub remove_space: Option<bool>,
    pub strip_accents: Option<bool>,
    pub tokenize_chinese_chars: Option<bool>,
    pub clean_up_spaces: Option<bool>,
    /// Maximum length and truncation side.
    pub limits: Limits,
}

impl Settings {
    /// Returns the setting for the token of `role`: `None` if there is none, `Some(None)` for an explicit `null`.
    pub(super) fn role(&self, role: Role) -> Option<Option<&Named>> {
        self.roles[role as usize].as_ref().map(Option::as_ref)
    }

    /// Returns the configured text of the token of `role`.
    pub(super) fn name(&self, role: Role) -> Option<&str> {
        self.role(role).flatten().map(Named::text)
    }

    /// Reads the settings in `tokenizer_config.json`.
    pub(super) fn read_config(&mut self, map: &Map<String, Value>) -> Result<(), String> {
        for role in ROLES {
            if let Some(value) = map.get(role.key()) {
                self.roles[role as usize] = Some(Named::read(value));
            }
        }
        self.read_additional(map, false);
        for (key, slot) in [
            ("do_lower_case", &mut self.do_lower_case),
            ("keep_accents", &mut self.keep_accents),
            ("remove_space", &mut self.remove_space),
            ("strip_accents", &mut self.strip_accents),
            ("tokenize_chinese_chars", &mut self.tokenize_chinese_chars),
            ("clean_up_tokenization_spaces", &mut self.clean_up_spaces),
        ] {
            *slot = map.get(key).and_then(Value::as_bool);
        }
        if let Some(list) = map.get("added_tokens_decoder").filter(|list| !list.is_null()) {
            let wrong = || "\"added_tokens_decoder\" must map ids to tokens".to_owned();
            let mut listed = Vec::new();
            for (id, value) in list.as_object().ok_or_else(wrong)? {
                let id: u32 = id.trim().parse().ok().filter(|id| *id <= LARGEST_ID).ok_or_else(|| {
                    format!("\"added_tokens_decoder\" has the key \"{}\", which is not a token id", short(id))
                })?;
                let token = token(value).ok_or_else(|| {
                    format!("\"added_tokens_decoder\" has an entry {id} without the \"content\" of a token")
                })?;
                listed.push((id, token));
            }
            self.listed = Some(listed);
        }
        Ok(())
    }

    /// Reads the settings in `special_tokens_map.json`.
    pub(super) fn read_map(&mut self, map: &Map<String, Value>) {
        let special = |value: &Value| {
            let mut named = Named::read(value)?;
            if let Named::Token(token) = &mut named {
                // Here, `normalized` is true if it is missing.
                *token = AddedToken { normalized: normalized(value, true), special: true, ..token.clone() };
            }
            Some(named)
        };
        for role in ROLES {
            let Some(value) = map.get(role.key()) else { continue };
            let slot = &mut self.roles[role as usize];
            if self.listed.is_none() || slot.is_none() {
                *slot = Some(special(value));
            }
        }
        if self.listed.is_none() {
            self.read_additional(map, true);
        }
    }

    /// Reads the ids in `added_tokens.json`.
    pub(super) fn read_added(&mut self, map: &Map<String, Value>) -> Result<(), String> {
        if self.listed.is_some() {
            return Ok(());
        }
        for (token, id) in map {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| {
                format!("the id of the token \"{}\" is not a number from 0 to {LARGEST_ID}", short(token))
            })?;
            self.added.push((token.clone(), id));
        }
        Ok(())
    }

    fn read_additional(&mut self, map: &Map<String, Value>, special: bool) {
        let list = |key: &str| map.get(key).and_then(Value::as_array).into_iter().flatten();
        let read = |value: &Value| {
            let mut named = Named::read(value)?;
            if let (Named::Token(token), true) = (&mut named, special) {
                *token = AddedToken { normalized: normalized(value, true), special: true, ..token.clone() };
            }
            Some(named)
        };
        // Files written by 5.x have a list of extra tokens, those of 4.57 a dictionary.
        let both = list("additional_special_tokens").chain(list("extra_special_tokens"));
        self.additional.extend(both.filter_map(read));
        let extra = map.get("extra_special_tokens").and_then(Value::as_object);
        self.extra.extend(extra.into_iter().flat_map(Map::values).filter_map(read));
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn the_map_overrides_the_configuration_unless_that_lists_the_added_tokens() {
        let names = json!({"cls_token": "<map>", "additional_special_tokens": ["<b>"]});
        let mut config = json!({"cls_token": "<config>", "additional_special_tokens": ["<a>"]});
        let mut settings = Settings::default();
        settings.read_config(&map(config.clone())).expect("reads");
        settings.read_map(&map(names.clone()));
        assert_eq!(settings.name(Role::Cls), Some("<map>"));
        assert_eq!(settings.additional.iter().map(Named::text).collect::<Vec<_>>(), ["<a>", "<b>"]);
        config["added_tokens_decoder"] = json!({"7": {"content": "<c>", "lstrip": true}});
        let mut settings = Settings::default();
        settings.read_config(&map(config)).expect("reads");
        settings.read_map(&map(names));
        settings.read_added(&map(json!({"<d>": 9}))).expect("reads");
        assert_eq!(settings.name(Role::Cls), Some("<config>"));
        assert_eq!(settings.additional.len(), 1);
        assert!(settings.added.is_empty());
        let (id, token) = &settings.listed.expect("listed")[0];
        assert_eq!((*id, token.lstrip, token.normalized, token.special), (7, true, true, false));
    }

    #[test]
    fn unusable_lists_are_named() {
        for (config, part) in [
            (json!({"added_tokens_decoder": [1]}), "must map ids to tokens"),
            (json!({"added_tokens_decoder": {"x": {"content": "a"}}}), "\"x\", which is not a token id"),
            (json!({"added_tokens_decoder": {"3": "a"}}), "entry 3 without the \"content\""),
        ] {
            let problem = Settings::default().read_config(&map(config)).expect_err("unusable");
            assert!(problem.contains(part), "{problem}");
        }
        let problem = Settings::default().read_added(&map(json!({"<a>": -1}))).expect_err("unusable");
        assert!(problem.contains("\"<a>\" is not a number"), "{problem}");
    }
}
