//! Training: a corpus becomes token ids, these become instances, and a step loop makes a model of them.

pub mod corpus;
mod documents;
mod vocabulary;

pub use documents::Documents;
pub use vocabulary::{Step, TrainedVocabulary, VocabularyOptions, train_vocabulary};
