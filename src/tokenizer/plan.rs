//! Determines the tokens that transformers 4.57 adds when it loads a tokenizer from its files, in its order.

use super::named::Named;
use super::roles::{Class, ROLES, Role};
use super::settings::Settings;
use std::collections::{HashMap, HashSet};
use tokenizers::AddedToken;

/// Tokens to add to a vocabulary.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Tokens with ids assigned by the files, in the order of the files.
    pub listed: Vec<(u32, AddedToken)>,
    /// Special tokens without an id, each text once. Those with a role come first.
    pub specials: Vec<Planned>,
    /// The texts of `specials`.
    texts: HashSet<String>,
}

/// A special token of a [`Plan`].
#[derive(Debug)]
pub(super) struct Planned {
    pub named: Named,
    /// True if no file names it, so that it is the default of the class.
    pub default_role: bool,
    /// The role, unless it is an additional token.
    pub role: Option<Role>,
    /// True for one of `additional_special_tokens`.
    pub additional: bool,
}

impl Planned {
    /// Returns true if the token is to be used. transformers assigns the next id to a token that is in no vocabulary.
    /// Here, the name only occupies that id if it is a default, or if the vocabulary has a usual name for the role.
    pub(super) fn exists(&self, has: impl Fn(&str) -> bool) -> bool {
        let Some(role) = self.role else { return true };
        let replaced = || role.usual_names().iter().any(|name| has(name));
        has(self.named.text()) || !(self.default_role || replaced())
    }
}

impl Plan {
    /// Creates the plan. `file` are the added tokens of a `tokenizer.json`, with their ids there.
    pub(super) fn new(settings: &Settings, class: Class, file: &[(u32, AddedToken)]) -> Self {
        let mut listed = match &settings.listed {
            Some(listed) => listed.clone(),
            None => legacy(settings, file),
        };
        listed.retain(|(_, token)| !token.content.is_empty());
        let by_text: HashMap<&str, &AddedToken> =
            listed.iter().map(|(_, token)| (token.content.as_str(), token)).collect();
        let mut specials = Vec::new();
        let mut seen = HashSet::new();
        for role in ROLES {
            let (named, default_role) = match settings.role(role) {
                None => (class.default_token(role), true),
                Some(None) => (None, false),
                Some(Some(named)) => {
                    let known = by_text.get(named.text()).map(|token| Named::Token((*token).clone()));
                    let own = || match named {
                        Named::Text(text) => class.token(role, text.clone()),
                        Named::Token(_) => named.clone(),
                    };
                    (Some(known.unwrap_or_else(own)), false)
                }
            };
            let Some(named) = named else { continue };
            if !named.text().is_empty() && seen.insert(named.text().to_owned()) {
                specials.push(Planned { named, default_role, role: Some(role), additional: false });
            }
        }
        let additional = settings.additional.iter().map(|named| (named, true));
        for (named, additional) in additional.chain(settings.extra.iter().map(|named| (named, false))) {
            if !named.text().is_empty() && seen.insert(named.text().to_owned()) {
                specials.push(Planned { named: named.clone(), default_role: false, role: None, additional });
            }
        }
        Self { listed, specials, texts: seen }
    }

    /// Returns true if a special token has this text.
    pub(super) fn is_special(&self, text: &str) -> bool {
        self.texts.contains(text)
    }
}

/// Returns the added tokens for files without `added_tokens_decoder`: those of `added_tokens.json`, then those of the
/// `tokenizer.json`.
fn legacy(settings: &Settings, file: &[(u32, AddedToken)]) -> Vec<(u32, AddedToken)> {
    let mut listed: Vec<(u32, AddedToken)> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    let special: HashSet<&str> = ROLES
        .iter()
        .filter_map(|role| settings.name(*role))
        .chain(settings.additional.iter().chain(&settings.extra).map(Named::text))
        .collect();
    let added = settings
        .added
        .iter()
        .map(|(text, id)| (*id, AddedToken::from(text.clone(), special.contains(text.as_str()))));
    for (id, token) in added.chain(file.iter().cloned()) {
        match places.get(&id) {
            Some(place) => listed[*place].1 = token,
            None => {
                places.insert(id, listed.len());
                listed.push((id, token));
            }
        }
    }
    listed
}
