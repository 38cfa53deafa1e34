//! The tokens added to a SentencePiece model, as in `PreTrainedTokenizer` of transformers 4.57.

use super::in_text::InText;
use super::named::Named;
use super::plan::Plan;
use super::roles::Class;
use super::settings::Settings;
use super::special_tokens::SpecialTokens;
use super::spiece_proto::Type;
use std::collections::{HashMap, HashSet};
use tokenizers::AddedToken;

/// Text, score and type of a piece.
type Piece = (String, f32, Type);

/// The added tokens, including special tokens.
#[derive(Debug, Default)]
pub(super) struct SlowAdded {
    /// The tokens in the order in which they were added, each id once.
    pub tokens: Vec<(u32, AddedToken)>,
    /// Positions in `tokens` by id.
    places: HashMap<u32, usize>,
    ids: HashMap<String, u32>,
    /// The ids of all special tokens, including those that are not in `tokens`.
    special: HashSet<u32>,
    /// The ids in `special` that `additional_special_tokens` names.
    additional: HashSet<u32>,
}

impl SlowAdded {
    /// Collects the tokens that the files add to the pieces. `id` looks up a piece by its text. Also returns the texts of
    /// the special tokens in order.
    pub(super) fn new(
        settings: &Settings,
        class: Class,
        pieces: &[Piece],
        id: impl Fn(&str) -> Option<u32>,
    ) -> (Self, Vec<String>) {
        let plan = Plan::new(settings, class, &[]);
        let mut added = Self::default();
        for (id, token) in &plan.listed {
            if plan.is_special(&token.content) || !repeats_symbol(*id, token, pieces) {
                added.insert(*id, token.clone());
            }
        }
        let mut next = None;
        let mut named = Vec::new();
        for planned in &plan.specials {
            let text = planned.named.text();
            named.push(text.to_owned());
            let token = match &planned.named {
                Named::Text(text) if added.ids.contains_key(text) => {
                    let id = added.id(text);
                    added.mark(id, planned.additional);
                    continue;
                }
                Named::Text(text) => AddedToken::from(text.clone(), true),
                Named::Token(token) => AddedToken { special: true, ..token.clone() },
            };
            if let Some(id) = added.id(text).or_else(|| id(text)) {
                added.insert(id, token);
                added.mark(Some(id), planned.additional);
                continue;
            }
            let new = *next.get_or_insert_with(|| added.next_id(pieces));
            next = Some(new.saturating_add(1));
            if planned.exists(|name| added.ids.contains_key(name) || id(name).is_some()) {
                added.insert(new, token);
                added.mark(Some(new), planned.additional);
            }
        }
        (added, named)
    }

    fn mark(&mut self, id: Option<u32>, additional: bool) {
        self.special.extend(id);
        if additional {
            self.additional.extend(id);
        }
    }

    /// Returns the reference's next id: the number of distinct tokens, whatever ids are in use.
    fn next_id(&self, pieces: &[Piece]) -> u32 {
        let mut texts: HashSet<&str> = self.ids.keys().map(String::as_str).collect();
        for (id, piece) in (0..).zip(pieces) {
            texts.insert(self.token(id).map_or(piece.0.as_str(), |token| token.content.as_str()));
        }
        u32::try_from(texts.len()).unwrap_or(u32::MAX)
    }

    fn insert(&mut self, id: u32, token: AddedToken) {
        self.ids.insert(token.content.clone(), id);
        match self.places.get(&id) {
            Some(&place) => self.tokens[place].1 = token,
            None => {
                self.places.insert(id, self.tokens.len());
                self.tokens.push((id, token));
            }
        }
    }

    /// Adds special tokens that were found by their usual names.
    pub(super) fn add_found(&mut self, specials: &SpecialTokens, named: &mut Vec<String>) {
        let mask = specials.mask.as_ref().map(|mask| mask.0);
        for (id, text) in specials.all() {
            self.special.insert(*id);
            if !self.ids.contains_key(text) {
                let token = AddedToken { lstrip: Some(*id) == mask, ..AddedToken::from(text.clone(), true) };
                self.insert(*id, token);
                named.push(text.clone());
            }
        }
    }

    /// Returns the texts that are not lower-cased: special tokens, then other tokens with `normalized`. The reference
    /// lower-cases a special token that neither a role nor a list of additional tokens names. If it contains a capital
    /// letter, it is never found.
    pub(super) fn keep_case<'a>(&'a self, named: &'a [String]) -> impl Iterator<Item = &'a str> {
        let others = self.tokens.iter().filter(|(_, token)| !token.special && token.normalized);
        named.iter().map(String::as_str).chain(others.map(|(_, token)| token.content.as_str()))
    }

    /// Returns the tokens that are recognized in running text: those that are not special.
    pub(super) fn in_plain_text(&self) -> Option<InText> {
        let plain = |(id, token): &&(u32, AddedToken)| !token.special && !self.special.contains(id);
        let tokens: Vec<_> = self.tokens.iter().filter(plain).cloned().collect();
        let kept =
            tokens.iter().filter(|(_, token)| token.normalized).map(|(_, token)| token.content.as_str());
        (!tokens.is_empty()).then(|| InText::new(&tokens, kept))
    }

    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(super) fn token(&self, id: u32) -> Option<&AddedToken> {
        self.places.get(&id).map(|place| &self.tokens[*place].1)
    }

    /// Returns all tokens, sorted by id.
    pub(super) fn by_id(&self) -> Vec<(u32, &AddedToken)> {
        let mut all: Vec<_> = self.tokens.iter().map(|(id, token)| (*id, token)).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// Returns true for one of `additional_special_tokens`.
    pub(super) fn is_additional(&self, id: u32) -> bool {
        self.additional.contains(&id)
    }

    pub(super) fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }
}

/// Returns true for an entry that only repeats a user-defined symbol of the model. transformers lists all of these when
/// it converts a model, but the models were trained with them as ordinary pieces.
fn repeats_symbol(id: u32, token: &AddedToken, pieces: &[Piece]) -> bool {
    let symbol = pieces.get(id as usize).is_some_and(|p| p.2 == Type::UserDefined && p.0 == token.content);
    let flags = [token.special, token.normalized, token.single_word, token.lstrip, token.rstrip];
    symbol && !flags.contains(&true)
}
