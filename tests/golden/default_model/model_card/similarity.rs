//! Sentence vectors: the rank correlation of their cosines with human similarity scores.

use std::path::Path;

use albert::checkpoint::{Checkpoint, MlmBias, load_model};
use albert::data::{self, Target, TargetKind, TextOptions};
use albert::device::{self, DeviceChoice, Precision};
use albert::eval::metrics::regression;
use albert::tasks::{Embed, EmbedOptions, TextPair};
use albert::{Error, Result, stream};

use super::tasks::pipeline;

/// A row of the table of tasks.
pub(crate) fn row(assets: &Path, data: &Path, split: &str) -> Result<String> {
    let checkpoint = Checkpoint::local(assets)?;
    let device = device::open(DeviceChoice::Flex, Precision::F32)?.device;
    let (model, _) =
        load_model(&checkpoint.tensors()?, &checkpoint.config, &[], MlmBias::default(), &device)?;
    let pipeline = pipeline(model, &checkpoint.config, &checkpoint, &device)?;
    let task = Embed::new(&pipeline, EmbedOptions { normalize: true, ..EmbedOptions::default() })?;
    let vector = |text: &str| -> Result<Vec<f32>> {
        let item = task.prepare(TextPair { text: text.to_owned(), text_pair: None }).map_err(Error::Input)?;
        Ok(stream::predict(&task, &item, 4096)?.values().collect())
    };
    let path = data.join(format!("regression.{split}.jsonl"));
    let options = TextOptions { kind: TargetKind::Number, ..TextOptions::default() };
    let examples = data::read_texts(&path, &options)?.examples;
    let (mut gold, mut cosines) = (Vec::new(), Vec::new());
    for example in &examples {
        let (Target::Number(score), Some(other)) = (&example.target, &example.text_pair) else { continue };
        let (a, b) = (vector(&example.text)?, vector(other)?);
        gold.push(*score);
        cosines.push(a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum());
    }
    let value = 100.0 * regression(&gold, &cosines).spearman.unwrap_or(f64::NAN);
    Ok(format!(
        "| similarity | regression ({} examples) | Spearman of cosines |  |  | **{value:.1}** |\n",
        gold.len()
    ))
}
