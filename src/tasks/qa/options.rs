//! Options of the task.

/// Options of the task.
#[derive(Clone, Debug)]
pub struct QaOptions {
    /// Maximum number of answers per question.
    pub top_k: usize,
    /// Overlap of adjacent windows in tokens. `None` means 128, or half of a shorter window.
    pub doc_stride: Option<usize>,
    /// Maximum length of an answer in tokens.
    pub max_answer_len: usize,
    /// Maximum length of a question in tokens. Longer questions are truncated.
    pub max_question_len: usize,
    /// True if "no answer" (an empty answer) is allowed.
    pub impossible: bool,
    /// Predict "no answer" if its score exceeds the best answer's by more than this.
    pub null_threshold: Option<f32>,
    /// True if answers are extended to complete words.
    pub align_to_words: bool,
    /// Context for questions that have none.
    pub context: Option<String>,
    /// Name of the field with the question.
    pub question_field: String,
    /// Name of the field with the context.
    pub context_field: String,
    /// Name of the field with the id of a question, for SQuAD's predictions file.
    pub id_field: String,
}

impl Default for QaOptions {
    fn default() -> Self {
        Self {
            top_k: 1,
            doc_stride: None,
            max_answer_len: 15,
            max_question_len: 64,
            impossible: false,
            null_threshold: None,
            align_to_words: true,
            context: None,
            question_field: "question".to_owned(),
            context_field: "context".to_owned(),
            id_field: "id".to_owned(),
        }
    }
}

impl QaOptions {
    /// The default row length in tokens, as in transformers' pipeline and in the SQuAD scripts.
    pub const LONGEST: usize = 384;
}
