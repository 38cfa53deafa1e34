//! Training: a corpus becomes token ids, these become instances, and a step loop trains a model on them.

mod checkpoints;
mod communicator;
pub mod corpus;
pub mod distillation;
mod documents;
mod evaluation;
pub mod finetune;
mod identity;
mod init;
pub mod instances;
pub mod log;
mod objective;
mod optimizer;
mod option_values;
mod parameters;
mod permutation;
mod pretraining;
pub mod recipe;
mod replicas;
mod run_directory;
mod schedule;
mod seeds;
mod source;
mod trainer;
mod vocabulary;

pub use checkpoints::{Best, Checkpoints, ModelFiles, TrainerState};
pub use communicator::{Communicator, SingleProcess, all_ok, connect, local_rank, rank_zero_first};
pub use documents::Documents;
pub use evaluation::{Evaluation, Metrics};
pub use finetune::FineTune;
pub use identity::Identity;
use init::label_rows;
pub use init::{check_vocabulary, model_from, new_model};
pub use instances::Instance;
pub use objective::{Loss, Objective};
pub use optimizer::{Moments, Optimizer, OptimizerKind, global_norm};
pub use parameters::{Parameter, Parameters};
pub use pretraining::{
    Estimate, PRETRAINING_PANELS, PRETRAINING_SUMS, PreparedPretrain, Pretrain, PretrainObserver,
    PretrainOptions, PretrainPhase, PretrainPlan, PretrainRows, Pretraining, PretrainingSource, Size, Start,
    TeacherOptions, TextEvaluation, TextRows, estimate, masked_lm,
};
pub use replicas::{BatchGradients, Replicas};
pub use schedule::{Decay, Duration, Schedule};
pub use source::Source;
pub use trainer::{Progress, Report, StopReason, TrainObserver, TrainOptions, Trainer};
pub use vocabulary::{Step, TrainedVocabulary, VocabularyOptions, train_vocabulary};
