//! The tokens of a tokenizer: texts, ids, roles, and which of them were added.

use tokenizers::AddedToken;

use super::encoding::Encoding;
use super::special_tokens::Named;
use super::{Engine, Tokenizer, TokenizerKind};

impl Tokenizer {
    /// Returns the vocabulary pieces of the tokens in `encoding`.
    pub fn tokens(&self, encoding: &Encoding) -> Vec<String> {
        encoding.ids.iter().map(|id| self.id_to_token(*id).unwrap_or_default()).collect()
    }

    /// Returns the token of an id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.token(id),
            Engine::SentencePieceTokenizer(slow) => slow.token(id).map(str::to_owned),
            Engine::Japanese(japanese) => japanese.token(id).map(str::to_owned),
        }
    }

    /// Returns the id of a token.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.id(token),
            Engine::SentencePieceTokenizer(slow) => slow.id(token),
            Engine::Japanese(japanese) => japanese.id(token),
        }
    }

    /// Returns the number of tokens in the vocabulary, including special and added ones.
    pub fn vocab_size(&self) -> usize {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.size(),
            Engine::SentencePieceTokenizer(slow) => slow.size(),
            Engine::Japanese(japanese) => japanese.size(),
        }
    }

    /// Returns the number of rows that a table of all ids needs: the largest id plus one.
    pub fn id_bound(&self) -> usize {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.id_bound(),
            Engine::SentencePieceTokenizer(slow) => slow.id_bound(),
            Engine::Japanese(japanese) => japanese.id_bound(),
        }
    }

    /// Returns the tokens that are searched for in a text before it is split into pieces, sorted by id: special tokens,
    /// tokens that users added, and symbols listed in a `tokenizer.json`.
    pub fn added_tokens(&self) -> Vec<(u32, &AddedToken)> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.added(),
            Engine::SentencePieceTokenizer(slow) => slow.added.by_id(),
            Engine::Japanese(japanese) => japanese.added.by_id(),
        }
    }

    /// Returns the [`Tokenizer::added_tokens`] that are not in the tokenizer's own model.
    pub fn tokens_beyond_model(&self) -> Vec<(u32, &AddedToken)> {
        let mut tokens = self.added_tokens();
        tokens.retain(|(id, token)| !self.is_of_model(*id, &token.content));
        tokens
    }

    /// Returns the [`Tokenizer::added_tokens`] that users added: new tokens, and special tokens without a role.
    pub fn user_tokens(&self) -> Vec<(u32, &AddedToken)> {
        let roles = self.specials.all();
        let mut tokens = self.added_tokens();
        tokens.retain(|(id, token)| {
            roles.iter().all(|role| role.0 != *id)
                && (token.special || !self.is_of_model(*id, &token.content))
        });
        tokens
    }

    /// Returns the special tokens without a role, sorted by id: transformers' `additional_special_tokens`.
    pub fn additional_special_tokens(&self) -> Vec<&str> {
        let is_special = |id: u32, token: &AddedToken| match &self.engine {
            Engine::JsonTokenizer(_) => token.special,
            // Here, the attribute alone does not preserve a token's case.
            Engine::SentencePieceTokenizer(slow) => slow.added.is_special(id),
            Engine::Japanese(japanese) => japanese.added.is_special(id),
        };
        let users = self.user_tokens().into_iter();
        users.filter(|(id, token)| is_special(*id, token)).map(|(_, token)| token.content.as_str()).collect()
    }

    fn is_of_model(&self, id: u32, token: &str) -> bool {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.is_of_model(token),
            Engine::SentencePieceTokenizer(slow) => {
                slow.pieces.get(id as usize).is_some_and(|piece| piece.0 == token)
            }
            Engine::Japanese(japanese) => (id as usize) < japanese.own_size(),
        }
    }

    /// Returns true if other files add tokens to those of the tokenizer's own file, or change them.
    pub fn is_extended(&self) -> bool {
        match &self.engine {
            Engine::JsonTokenizer(fast) if self.kind == TokenizerKind::TokenizerJson => fast.extended,
            Engine::JsonTokenizer(_) => !self.user_tokens().is_empty(),
            // A piece of the model may be an added token only because of its attributes.
            Engine::SentencePieceTokenizer(slow) => {
                slow.added.tokens.iter().any(|(id, _)| self.specials.all().iter().all(|role| role.0 != *id))
            }
            Engine::Japanese(_) => !self.user_tokens().is_empty(),
        }
    }

    /// Returns the id of the mask token (`[MASK]`), if the vocabulary has one.
    pub fn mask_id(&self) -> Option<u32> {
        id_of(&self.specials.mask)
    }

    /// Returns the id of the token before a text (`[CLS]`), if the vocabulary has one.
    pub fn cls_id(&self) -> Option<u32> {
        id_of(&self.specials.cls)
    }

    /// Returns the id of the token after a text (`[SEP]`), if the vocabulary has one.
    pub fn sep_id(&self) -> Option<u32> {
        id_of(&self.specials.sep)
    }

    /// Returns the id of the padding token (`<pad>`), if the vocabulary has one.
    pub fn pad_id(&self) -> Option<u32> {
        id_of(&self.specials.pad)
    }

    /// Returns the id of the unknown token (`<unk>`), if the vocabulary has one.
    pub fn unk_id(&self) -> Option<u32> {
        id_of(&self.specials.unk)
    }

    /// Returns the mask token as written in a text.
    pub fn mask_token(&self) -> Option<&str> {
        text_of(&self.specials.mask)
    }

    /// Returns the token before a text.
    pub fn cls_token(&self) -> Option<&str> {
        text_of(&self.specials.cls)
    }

    /// Returns the token after a text.
    pub fn sep_token(&self) -> Option<&str> {
        text_of(&self.specials.sep)
    }

    /// Returns the padding token.
    pub fn pad_token(&self) -> Option<&str> {
        text_of(&self.specials.pad)
    }

    /// Returns the unknown token.
    pub fn unk_token(&self) -> Option<&str> {
        text_of(&self.specials.unk)
    }
}

fn id_of(named: &Named) -> Option<u32> {
    named.as_ref().map(|n| n.0)
}

fn text_of(named: &Named) -> Option<&str> {
    named.as_ref().map(|n| n.1.as_str())
}
