//! Sentences for a model and its teacher.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::model::AlbertConfig;
use crate::tokenizer::{Encoding, Tokenizer};
use crate::training::instances::{InstancePlan, Materializer, SpecialIds};

/// A sentence, encoded for both models.
#[derive(Clone, Debug)]
pub struct SentencePair {
    /// For the student.
    pub student: Encoding,
    /// For the teacher.
    pub teacher: Encoding,
}

/// Reads sentences of the corpus for both models.
///
/// The corpus is stored as token ids of the student, so the teacher reads the text that the student's tokenizer decodes
/// from them: normalized, and without unknown tokens.
pub struct SentenceReader {
    materializer: Materializer,
    tokenizer: Arc<Tokenizer>,
    special: SpecialIds,
    longest: usize,
    teacher_name: String,
    teacher: Tokenizer,
    teacher_config: AlbertConfig,
    teacher_longest: usize,
}

impl SentenceReader {
    /// `longest` is the maximum length of the student's rows, including special tokens. `teacher` is the teacher's name,
    /// configuration and tokenizer.
    ///
    /// # Errors
    /// [`Error::Model`] if the teacher's maximum length leaves no room for text.
    pub fn new(
        materializer: Materializer,
        tokenizer: Arc<Tokenizer>,
        special: SpecialIds,
        longest: usize,
        teacher: (&str, &AlbertConfig, Tokenizer),
    ) -> Result<Self> {
        let (name, config, teacher) = teacher;
        let positions = config.max_position_embeddings;
        let teacher_longest = teacher.model_max_length().map_or(positions, |most| most.min(positions));
        if teacher_longest <= teacher.num_special_tokens(false) {
            return Err(Error::Model {
                model: name.to_owned(),
                problem: format!("a maximum length of {teacher_longest} tokens leaves no room for text"),
            });
        }
        Ok(Self {
            materializer,
            tokenizer,
            special,
            longest,
            teacher_name: name.to_owned(),
            teacher,
            teacher_config: config.clone(),
            teacher_longest,
        })
    }

    /// Reads a random sentence of each plan; the same plan always gives the same sentence. Omits sentences of which
    /// nothing remains for the teacher.
    ///
    /// # Errors
    /// If the corpus cannot be read, or the teacher's tokenizer does not fit its model.
    pub fn read(&self, plans: &[InstancePlan]) -> Result<Vec<SentencePair>> {
        let pairs: Vec<Option<SentencePair>> =
            plans.par_iter().map(|plan| self.pair(plan)).collect::<Result<_>>()?;
        Ok(pairs.into_iter().flatten().collect())
    }

    fn pair(&self, plan: &InstancePlan) -> Result<Option<SentencePair>> {
        let mut ids = self.materializer.sentence(plan)?;
        ids.truncate(self.longest.saturating_sub(2));
        let text = self.tokenizer.decode(&ids, true)?;
        let teacher = self.teacher.encode_truncated(&text, None, self.teacher_longest)?;
        self.check(&teacher)?;
        ids.insert(0, self.special.cls);
        ids.push(self.special.sep);
        let student = Encoding { type_ids: vec![0; ids.len()], ids, ..Encoding::default() };
        Ok((!teacher.ids.is_empty()).then_some(SentencePair { student, teacher }))
    }

    /// Checks that the teacher has embeddings for all ids.
    fn check(&self, encoding: &Encoding) -> Result<()> {
        let [tokens, types] = [self.teacher_config.vocab_size, self.teacher_config.type_vocab_size];
        let bad = |problem: String| Err(Error::Model { model: self.teacher_name.clone(), problem });
        if let Some(id) = encoding.ids.iter().find(|id| **id as usize >= tokens) {
            return bad(format!(
                "the teacher's tokenizer gives id {id} and its vocabulary has {tokens} pieces: they do not belong \
                 together"
            ));
        }
        if let Some(id) = encoding.type_ids.iter().find(|id| **id as usize >= types) {
            return bad(format!("the teacher's tokenizer gives type {id} and its model has {types} types"));
        }
        Ok(())
    }
}
