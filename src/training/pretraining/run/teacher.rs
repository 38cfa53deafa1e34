//! The teacher of a pretraining run.

use super::options::TeacherOptions;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use crate::training::Identity;
use crate::training::distillation::{Distillation, Signal};

impl TeacherOptions {
    /// Checks that the teacher fits a student with this tokenizer and rows of this length, before the corpus is read.
    pub(super) fn check(&self, student: &Tokenizer, row_length: usize) -> Result<()> {
        match self.signal {
            Signal::Logits => check_logits(&self.checkpoint, student, row_length),
            Signal::Vectors => self.checkpoint.tokenizer().map(drop),
        }
    }
}

/// Adds the options that a resumed run must share.
pub(super) fn identify(objective: &Distillation, identity: &mut Identity) {
    identity
        .option("teacher", format!("weights {}", objective.teacher.digest()))
        .option("distill", objective.signal.name())
        .option("distill_weight", objective.weight);
}

/// Checks that the teacher predicts the tokens of the student's rows.
fn check_logits(teacher: &Checkpoint, student: &Tokenizer, row_length: usize) -> Result<()> {
    let name = &teacher.name;
    let tokenizer = teacher.tokenizer()?;
    let different = (0..student.id_bound().max(tokenizer.id_bound()) as u32)
        .map(|id| (id, student.id_to_token(id), tokenizer.id_to_token(id)))
        .find(|(_, own, other)| own != other);
    if let Some((id, own, other)) = different {
        let show = |token: Option<String>| token.map_or("missing".to_owned(), |token| format!("{token:?}"));
        return Err(Error::InvalidOption {
            name: "distill".to_owned(),
            problem: format!(
                "logits needs the same vocabulary: token {id} is {} in the student's tokenizer and {} in that of the \
                 teacher {name}; use option distill=vectors",
                show(own),
                show(other)
            ),
        });
    }
    let config = &teacher.config;
    let lacks = |problem: String| Err(Error::Model { model: name.clone(), problem });
    if config.vocab_size < student.id_bound() {
        return lacks(format!(
            "the teacher has embeddings for {} tokens and its tokenizer has {}",
            config.vocab_size,
            student.id_bound()
        ));
    }
    if config.max_position_embeddings < row_length {
        return lacks(format!(
            "the teacher has {} positions; use option max_seq_length={0} or less",
            config.max_position_embeddings
        ));
    }
    if config.type_vocab_size < 2 {
        return lacks("the teacher has no second segment type, which the rows use".to_owned());
    }
    Ok(())
}
