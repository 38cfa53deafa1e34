//! Training: a corpus becomes token ids, these become instances, and a step loop makes a model of them.

mod checkpoints;
mod communicator;
pub mod corpus;
mod documents;
mod instances;
mod objective;
mod optimizer;
mod parameters;
mod pretraining;
mod replicas;
mod schedule;
mod seeds;
mod source;
mod trainer;

pub use checkpoints::{Checkpoints, ModelFiles, TrainerState};
pub use communicator::{Alone, Communicator};
pub use documents::Documents;
pub use instances::Instance;
pub use objective::{Loss, Objective};
pub use optimizer::{Moments, Optimizer, OptimizerKind, global_norm};
pub use parameters::{Parameter, Parameters};
pub use pretraining::{PRETRAINING_SUMS, Pretraining};
pub use replicas::{Passed, Replicas};
pub use schedule::{Decay, Schedule};
pub use source::Source;
pub use trainer::{Ending, Report, TrainObserver, TrainOptions, Trainer};
