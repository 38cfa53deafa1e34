//! A cache of tokenized contexts, so that each context is tokenized only once for all of its questions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::tasks::text::Text;
use crate::tokenizer::{Encoding, Tokenizer};

/// Number of cached contexts. Questions about the same context are usually consecutive.
const KEPT: usize = 64;

/// A context and its tokens.
#[derive(Debug)]
pub(crate) struct Context {
    /// The text.
    pub text: Text,
    /// Its tokens, without special tokens.
    pub tokens: Encoding,
}

type Slot = Arc<OnceLock<Result<Arc<Context>, String>>>;

/// The most recently used contexts.
#[derive(Default)]
pub(crate) struct Contexts(Mutex<VecDeque<(Arc<str>, Slot)>>);

impl Contexts {
    /// Returns the context with this text, and tokenizes it if it is new. Threads that request the same text wait for the
    /// first one.
    ///
    /// # Errors
    /// Errors from the tokenizer.
    pub(crate) fn get(&self, text: &str, tokenizer: &Tokenizer) -> Result<Arc<Context>, String> {
        let slot = self.slot(text);
        slot.get_or_init(|| {
            let tokens = tokenizer.encode_without_special_tokens(text).map_err(|e| e.to_string())?;
            Ok(Arc::new(Context { text: Text::new(text.to_owned()), tokens }))
        })
        .clone()
    }

    fn slot(&self, text: &str) -> Slot {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = kept.iter().rev().find(|(other, _)| &**other == text) {
            return slot.clone();
        }
        let slot = Slot::default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((text.into(), slot.clone()));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;

    #[test]
    fn a_context_is_tokenized_once() {
        let tokenizer = Checkpoint::embedded().and_then(|c| c.tokenizer()).expect("a tokenizer");
        let contexts = Contexts::default();
        let first = contexts.get("Some text.", &tokenizer).expect("encodes");
        let other = contexts.get("Other text.", &tokenizer).expect("encodes");
        let again = contexts.get("Some text.", &tokenizer).expect("encodes");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &other));
        for i in 0..KEPT {
            contexts.get(&format!("Text {i}"), &tokenizer).expect("encodes");
        }
        let again = contexts.get("Some text.", &tokenizer).expect("encodes");
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(first.tokens, again.tokens);
    }
}
