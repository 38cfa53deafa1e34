//! Training: a corpus becomes token ids, these become instances, and a step loop makes a model of them.

mod documents;
pub mod instances;
pub mod log;

pub use documents::Documents;
