//! Training: a corpus becomes token ids, these become instances, and a step loop makes a model of them.

mod checkpoints;
mod communicator;
pub mod corpus;
mod documents;
mod estimate;
mod evaluation;
pub mod finetune;
pub mod instances;
pub mod log;
#[cfg(feature = "mpi")]
mod mpi;
pub mod multitask;
mod objective;
mod optimizer;
mod parameters;
mod pretraining;
mod pretraining_source;
pub mod recipe;
mod replicas;
mod schedule;
mod seeds;
mod sizes;
mod source;
mod start;
mod trainer;
mod vocabulary;

pub use checkpoints::{Best, Checkpoints, ModelFiles, TrainerState};
pub use communicator::{Alone, Communicator, join, local_rank};
pub use documents::Documents;
pub use estimate::{Estimate, estimate};
pub use evaluation::{Evaluation, Figures};
pub use instances::Instance;
pub use objective::{Loss, Objective};
pub use optimizer::{Moments, Optimizer, OptimizerKind, global_norm};
pub use parameters::{Parameter, Parameters};
pub use pretraining::{PRETRAINING_PANELS, PRETRAINING_SUMS, Pretraining};
pub use pretraining_source::PretrainingSource;
pub use replicas::{Passed, Replicas};
pub use schedule::{Decay, Schedule};
pub use sizes::Size;
pub use source::Source;
pub use start::{check_vocabulary, model_from, new_model};
pub use trainer::{Ending, Progress, Report, TrainObserver, TrainOptions, Trainer};
pub use vocabulary::{Step, TrainedVocabulary, VocabularyOptions, train_vocabulary};
