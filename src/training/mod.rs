//! Training: a corpus becomes token ids, these become instances, and a step loop makes a model of them.

pub mod corpus;
mod documents;

pub use documents::Documents;
