//! The tokens of a tokenizer: texts, ids, roles, and which ones were added.

use tokenizers::AddedToken;

use super::encoding::Encoding;
use super::special_tokens::Named;
use super::{Engine, Tokenizer, TokenizerKind};

impl Tokenizer {
    /// The vocabulary pieces of the tokens of `encoding`.
    pub fn tokens(&self, encoding: &Encoding) -> Vec<String> {
        encoding.ids.iter().map(|id| self.id_to_token(*id).unwrap_or_default()).collect()
    }

    /// The token of an id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.token(id),
            Engine::SentencePieceTokenizer(slow) => slow.token(id).map(str::to_owned),
            Engine::Japanese(japanese) => japanese.token(id).map(str::to_owned),
        }
    }

    /// The id of a token.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.id(token),
            Engine::SentencePieceTokenizer(slow) => slow.id(token),
            Engine::Japanese(japanese) => japanese.id(token),
        }
    }

    /// The number of tokens in the vocabulary, special and added ones included.
    pub fn vocab_size(&self) -> usize {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.size(),
            Engine::SentencePieceTokenizer(slow) => slow.size(),
            Engine::Japanese(japanese) => japanese.size(),
        }
    }

    /// The number of rows that a table for all ids needs: one more than the largest id.
    pub fn id_bound(&self) -> usize {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.id_bound(),
            Engine::SentencePieceTokenizer(slow) => slow.id_bound(),
            Engine::Japanese(japanese) => japanese.id_bound(),
        }
    }

    /// The tokens that are looked for in a text before it is cut into pieces, with their ids, in the order of these:
    /// special tokens, tokens that users added, and symbols that a `tokenizer.json` lists.
    pub fn added_tokens(&self) -> Vec<(u32, &AddedToken)> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.added(),
            Engine::SentencePieceTokenizer(slow) => slow.added.by_id(),
            Engine::Japanese(japanese) => japanese.added.by_id(),
        }
    }

    /// The [`Tokenizer::added_tokens`] that the model of the tokenizer itself does not have.
    pub fn tokens_beyond_model(&self) -> Vec<(u32, &AddedToken)> {
        let mut tokens = self.added_tokens();
        tokens.retain(|(id, token)| !self.is_of_model(*id, &token.content));
        tokens
    }

    /// The [`Tokenizer::added_tokens`] that users added: new tokens, and special ones that have no role.
    pub fn user_tokens(&self) -> Vec<(u32, &AddedToken)> {
        let roles = self.specials.all();
        let mut tokens = self.added_tokens();
        tokens.retain(|(id, token)| {
            roles.iter().all(|role| role.0 != *id)
                && (token.special || !self.is_of_model(*id, &token.content))
        });
        tokens
    }

    /// The special tokens without a role, by id: transformers' `additional_special_tokens`.
    pub fn additional_special_tokens(&self) -> Vec<&str> {
        let is_special = |id: u32, token: &AddedToken| match &self.engine {
            Engine::JsonTokenizer(_) => token.special,
            // The attribute alone does not keep a token's case there.
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

    /// True if files next to the tokenizer's own add tokens to it or change them.
    pub fn is_extended(&self) -> bool {
        match &self.engine {
            Engine::JsonTokenizer(fast) if self.kind == TokenizerKind::TokenizerJson => fast.extended,
            Engine::JsonTokenizer(_) => !self.user_tokens().is_empty(),
            // A piece of the model may be an added token for its attributes alone.
            Engine::SentencePieceTokenizer(slow) => {
                slow.added.tokens.iter().any(|(id, _)| self.specials.all().iter().all(|role| role.0 != *id))
            }
            Engine::Japanese(_) => !self.user_tokens().is_empty(),
        }
    }

    /// The id of the mask token (`[MASK]`), if the vocabulary has one.
    pub fn mask_id(&self) -> Option<u32> {
        id_of(&self.specials.mask)
    }

    /// The id of the token before a text (`[CLS]`), if the vocabulary has one.
    pub fn cls_id(&self) -> Option<u32> {
        id_of(&self.specials.cls)
    }

    /// The id of the token after a text (`[SEP]`), if the vocabulary has one.
    pub fn sep_id(&self) -> Option<u32> {
        id_of(&self.specials.sep)
    }

    /// The id of the padding token (`<pad>`), if the vocabulary has one.
    pub fn pad_id(&self) -> Option<u32> {
        id_of(&self.specials.pad)
    }

    /// The id of the unknown token (`<unk>`), if the vocabulary has one.
    pub fn unk_id(&self) -> Option<u32> {
        id_of(&self.specials.unk)
    }

    /// The mask token as written in a text.
    pub fn mask_token(&self) -> Option<&str> {
        text_of(&self.specials.mask)
    }

    /// The token before a text.
    pub fn cls_token(&self) -> Option<&str> {
        text_of(&self.specials.cls)
    }

    /// The token after a text.
    pub fn sep_token(&self) -> Option<&str> {
        text_of(&self.specials.sep)
    }

    /// The padding token.
    pub fn pad_token(&self) -> Option<&str> {
        text_of(&self.specials.pad)
    }

    /// The unknown token.
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
