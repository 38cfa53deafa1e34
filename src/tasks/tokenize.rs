//! Shows how a tokenizer splits text.

use super::input::{FieldNames, TextPair};
use crate::error::Result;
use crate::io::RecordBody;
use crate::stream::Task;
use crate::tokenizer::{Encoding, Tokenizer};

/// The task, which needs neither model nor device.
pub struct Tokenize {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Maximum length of a text in tokens, including special tokens. `None` truncates nothing.
    pub max_length: Option<usize>,
    /// Names of the JSON fields with the texts.
    pub fields: FieldNames,
}

impl Task for Tokenize {
    type Item = Encoding;
    type Row = Encoding;
    type Output = ();
    type Prediction = ();

    fn encode(&self, body: &RecordBody) -> std::result::Result<Encoding, String> {
        let TextPair { text, text_pair } = TextPair::from_record(body, &self.fields)?;
        let encoding = match self.max_length {
            None => self.tokenizer.encode(&text, text_pair.as_deref()),
            Some(n) => self.tokenizer.encode_truncated(&text, text_pair.as_deref(), n),
        };
        encoding.map_err(|e| e.to_string())
    }

    fn rows<'a>(&self, item: &'a Encoding) -> &'a [Encoding] {
        std::slice::from_ref(item)
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<()>> {
        Ok(vec![(); rows.len()])
    }

    fn decode(&self, _item: &Encoding, _outputs: Vec<()>) -> Result<()> {
        Ok(())
    }
}
