//! Arguments of `albert classify`.

use clap::Args;

use albert::tasks::{Function, OverflowStrategy};

use super::common::{InputArgs, LengthArgs, ModelArgs, OutputArgs};
use super::device::DeviceArgs;

/// Classify texts or pairs, predict a number, or predict sentence order
///
/// Needs a model fine-tuned for classification or regression. Works like transformers' text-classification pipeline:
/// returns the best label with its probability, and problem_type in config.json decides between softmax, sigmoid and
/// regression. Pairs have segment ids 0 and 1. With --order, a pretrained model predicts how likely the second text is to
/// follow the first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert classify -m textattack/albert-base-v2-SST-2 \"I loved every minute of it.\"
  albert classify --order --text-pair \"She opened it at once.\" \"He handed her a letter.\"
  cat reviews.jsonl | albert classify -m textattack/albert-base-v2-SST-2 --text-field review")]
pub(crate) struct ClassifyArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Second text, for texts without one of their own
    #[arg(long, value_name = "TEXT", help_heading = "Task")]
    pub text_pair: Option<String>,
    /// Number of labels per text, best first, or all
    #[arg(short = 'k', long, value_name = "N|all", default_value = "1", value_parser = top_k, help_heading = "Task")]
    pub top_k: TopK,
    /// Function that turns logits into scores
    #[arg(long, value_name = "FUNCTION", default_value = "auto", help_heading = "Task")]
    pub function: Function,
    /// Predict sentence order instead of labels: the probability that the second text follows the first
    #[arg(long, visible_alias = "sentence-order", help_heading = "Task")]
    pub order: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs<OverflowStrategy>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A number of labels, or `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopK(pub Option<usize>);

fn top_k(text: &str) -> Result<TopK, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(TopK(None)),
        (_, Ok(n)) if n > 0 => Ok(TopK(Some(n))),
        _ => Err("expected a number from 1, or all".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_all() {
        assert_eq!(top_k("all"), Ok(TopK(None)));
        assert_eq!(top_k("3"), Ok(TopK(Some(3))));
        assert!(top_k("0").is_err() && top_k("-1").is_err() && top_k("many").is_err());
    }
}
