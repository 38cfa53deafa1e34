//! Default hyperparameters of fine-tuning, and those that Google published.

use crate::model::AlbertConfig;
use crate::training::optimizer::OptimizerKind;

/// A published recipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedRecipe {
    /// The name of the recipe.
    pub name: &'static str,
    /// The task.
    pub task: &'static str,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Examples per step.
    pub batch_size: usize,
    /// Hidden and attention dropout in the encoder.
    pub dropout: f64,
    /// Dropout before the head.
    pub classifier_dropout: f64,
    /// Total steps.
    pub steps: u64,
    /// Warm-up steps.
    pub warmup_steps: u64,
    /// Maximum length in tokens.
    pub max_length: usize,
    /// The metric that selects the best checkpoint.
    pub metric: &'static str,
}

/// ALBERT paper, appendix A.4, table 14: hyperparameters for ALBERT in downstream tasks. The metrics are those reported by
/// GLUE, SQuAD and RACE.
pub const PUBLISHED: [PublishedRecipe; 12] = [
    glue("cola", 1e-5, 16, 0.0, (5336, 320), "matthews"),
    glue("sts-b", 2e-5, 16, 0.0, (3598, 214), "spearman"),
    glue("sst-2", 1e-5, 32, 0.0, (20935, 1256), "accuracy"),
    glue("mnli", 3e-5, 128, 0.0, (10000, 1000), "accuracy"),
    glue("qnli", 1e-5, 32, 0.0, (33112, 1986), "accuracy"),
    glue("qqp", 5e-5, 128, 0.1, (14000, 1000), "f1"),
    glue("rte", 3e-5, 32, 0.1, (800, 200), "accuracy"),
    glue("mrpc", 2e-5, 32, 0.0, (800, 200), "f1"),
    glue("wnli", 2e-5, 16, 0.1, (2000, 250), "accuracy"),
    PublishedRecipe { task: "qa", max_length: 384, ..glue("squad1", 5e-5, 48, 0.0, (3649, 365), "f1") },
    PublishedRecipe { task: "qa", ..glue("squad2", 3e-5, 48, 0.0, (8144, 814), "f1") },
    PublishedRecipe { task: "choose", ..glue("race", 2e-5, 32, 0.1, (12000, 1000), "accuracy") },
];

const fn glue(
    name: &'static str,
    learning_rate: f64,
    batch_size: usize,
    dropout: f64,
    (steps, warmup_steps): (u64, u64),
    metric: &'static str,
) -> PublishedRecipe {
    PublishedRecipe {
        name,
        task: "classify",
        learning_rate,
        batch_size,
        dropout,
        classifier_dropout: 0.1,
        steps,
        warmup_steps,
        max_length: 512,
        metric,
    }
}

/// The recipe with this name.
pub fn published(name: &str) -> Option<&'static PublishedRecipe> {
    PUBLISHED.iter().find(|recipe| recipe.name == name)
}

/// The optimizer of the published recipes: Google fine-tunes with Adam without bias correction (google-research/albert
/// `optimization.py`).
pub const PUBLISHED_OPTIMIZER: OptimizerKind = OptimizerKind::BertAdam;

/// The default learning rate for a hidden size: the published rates for base and larger, higher rates for small models.
pub fn learning_rate(config: &AlbertConfig) -> f64 {
    match config.hidden_size {
        0..=384 => 3e-4,
        385..=640 => 1e-4,
        641..=1024 => 3e-5,
        1025..=2048 => 2e-5,
        _ => 1e-5,
    }
}

/// The default number of epochs: three, or up to ten for small data sets.
pub fn epochs(examples: usize) -> f64 {
    (30_000.0 / examples.max(1) as f64).ceil().clamp(3.0, 10.0)
}

/// The default number of warm-up steps: a tenth of all steps.
pub fn warmup_steps(total: u64) -> u64 {
    total / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (i, recipe) in PUBLISHED.iter().enumerate() {
            assert_eq!(PUBLISHED.iter().position(|other| other.name == recipe.name), Some(i));
            assert_eq!(published(recipe.name), Some(recipe));
            assert!(recipe.warmup_steps < recipe.steps);
        }
        assert_eq!(published("SST-2"), None);
    }

    #[test]
    fn few_examples_are_seen_more_often() {
        assert_eq!(epochs(100_000), 3.0);
        assert_eq!(epochs(5_000), 6.0);
        assert_eq!(epochs(10), 10.0);
    }
}
