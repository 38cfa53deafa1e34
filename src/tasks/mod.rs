//! The tasks: encode, run the model on batches of rows, decode.
//!
//! Only [`Pipeline`] handles tensors. Decoding is plain code on numbers.

mod choose;
mod classify;
mod embed;
mod fill_mask;
mod input;
mod lengths;
mod list;
mod loading;
mod ner;
pub mod null_threshold;
mod pipeline;
mod qa;
mod scores;
mod target_word;
pub(crate) mod text;
mod text_task;
mod tokenize;
mod windows;
mod zero_shot;

pub use choose::{ChoiceScore, Choose, ChooseItem, ChooseOptions};
pub use classify::{Classify, ClassifyItem, ClassifyMode, ClassifyOptions, Function, LabelScore};
pub(crate) use embed::Vectors;
pub use embed::{Embed, EmbedItem, EmbedOptions, Embedding, TextRules};
pub use fill_mask::{FillMask, FillMaskItem, FillMaskOptions, MaskPredictions, MaskedRow, Prediction, Token};
pub use input::{FieldNames, TextPair};
pub use lengths::{LengthOptions, Longest, OwnLimit};
pub use loading::{LoadOptions, LoadedPipeline};
pub use ner::{Aggregation, Entity, Ner, NerItem, NerOptions, WordBoundaries};
pub use pipeline::{Embedded, OverflowStrategy, Pipeline, Pooling};
pub use qa::{AnswerSpan, Answers, Qa, QaItem, QaOptions};
pub use target_word::TargetWord;
pub use text_task::{NeedsHead, OnTexts, TextItem, TextTask, TextTaskOptions};
pub use tokenize::Tokenize;
pub use zero_shot::{ZeroShot, ZeroShotItem, ZeroShotOptions};

/// Declares the modules of the tasks on texts, and exports the tasks.
macro_rules! modules {
    ($($module:ident: $task:ident on $head:ident;)*) => {$(
        pub mod $module;
        pub use $module::$task;

        impl NeedsHead for $task {
            const HEAD: crate::model::Head = crate::model::Head::$head;
        }
    )*};
}
crate::text_tasks!(modules);
