//! Twenty sentences with their five most likely words.

use std::path::Path;

use albert::checkpoint::{Checkpoint, MlmBias, load_model};
use albert::device::{self, DeviceChoice, Precision};
use albert::model::Head;
use albert::tasks::{FieldNames, FillMask, FillMaskOptions, TextPair};
use albert::{Error, Result, stream};

use super::tasks::pipeline;

/// The sentences, chosen before the first built-in model was trained.
const SENTENCES: [&str; 20] = [
    "The capital of France is [MASK].",
    "She opened the [MASK] and looked outside.",
    "The president of the United [MASK] spoke to the congress.",
    "He was born in [MASK] and died in 1945.",
    "Water is made of hydrogen and [MASK].",
    "The doctor told the patient to take the [MASK] twice a day.",
    "Please [MASK] the door when you leave.",
    "The war ended in the [MASK] of 1918.",
    "I would like to book a table for two [MASK].",
    "The company reported higher [MASK] in the third quarter.",
    "Plants use sunlight to make [MASK].",
    "The children were playing in the [MASK].",
    "In the United States, [MASK] are elected every four years.",
    "The cell is surrounded by a [MASK].",
    "It was a dark and [MASK] night.",
    "Most people in the country speak [MASK].",
    "This function returns the [MASK] of the list.",
    "They sailed across the [MASK] in a small boat.",
    "Prices rose by five [MASK] last year.",
    "The king and the [MASK] lived in a castle.",
];

/// A table of sentences and words.
pub(crate) fn table(assets: &Path) -> Result<String> {
    let checkpoint = Checkpoint::local(assets)?;
    let device = device::open(DeviceChoice::Flex, Precision::F32)?.device;
    let heads = [Head::MaskedLm];
    let (model, _) =
        load_model(&checkpoint.tensors()?, &checkpoint.config, &heads, MlmBias::default(), &device)?;
    let pipeline = pipeline(model, &checkpoint.config, &checkpoint, &device)?;
    let options = FillMaskOptions { top_k: 5, targets: Vec::new(), fields: FieldNames::default() };
    let task = FillMask::new(&pipeline, options)?;
    let mut out = String::from("\n| text | predictions |\n|---|---|\n");
    for text in SENTENCES {
        let item = task.prepare(TextPair { text: text.to_owned(), text_pair: None }).map_err(Error::Input)?;
        let words: Vec<String> = stream::predict(&task, &item, 4096)?[0]
            .iter()
            .map(|word| format!("{} {:.0} %", word.token_str, 100.0 * word.score))
            .collect();
        out.push_str(&format!("| {text} | {} |\n", words.join(", ")));
    }
    Ok(out)
}
