//! Batches that alternate between several tasks.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};

use super::objective::MultiExample;
use crate::error::{Error, Result};
use crate::training::PretrainingSource;
use crate::training::finetune::ExampleSource;
use crate::training::instances::InstancePlan;
use crate::training::seeds::mix;
use crate::training::source::Source;

/// The relative frequency of a task's batches.
pub type Share = f64;

/// The plan of a row.
pub enum MultiPlan {
    /// An example of a task, by index.
    Task(usize, usize),
    /// A row of text.
    Text(InstancePlan),
}

/// Tasks and text. Each batch belongs to one of them, drawn at random.
pub struct MultiSource<'a> {
    tasks: Vec<(ExampleSource<'a>, Share)>,
    text: Option<(PretrainingSource, usize, Share)>,
    seed: u64,
    batches: u64,
}

impl<'a> MultiSource<'a> {
    /// `text` has a batch size of its own.
    pub fn new(
        tasks: Vec<(ExampleSource<'a>, Share)>,
        text: Option<(PretrainingSource, usize, Share)>,
        seed: u64,
    ) -> Self {
        Self { tasks, text, seed, batches: 0 }
    }

    /// The part of the batch with this index. The number of tasks stands for text.
    fn part(&self, batch: u64) -> usize {
        let shares = self.tasks.iter().map(|(_, share)| *share);
        let shares: Vec<Share> = shares.chain(self.text.as_ref().map(|(.., share)| *share)).collect();
        let all: f64 = shares.iter().sum();
        let mut drawn = Pcg64Mcg::seed_from_u64(mix(self.seed, &[batch])).random::<f64>() * all;
        for (part, share) in shares.iter().enumerate() {
            drawn -= share;
            if drawn < 0.0 {
                return part;
            }
        }
        shares.len() - 1
    }
}

impl Source for MultiSource<'_> {
    type Plan = MultiPlan;
    type Example = MultiExample;

    /// A batch of one part, with that part's batch size.
    fn next_batch(&mut self, rows: usize) -> Result<Vec<MultiPlan>> {
        let part = self.part(self.batches);
        self.batches += 1;
        match (self.tasks.get_mut(part), &mut self.text) {
            (Some((source, _)), _) => {
                let own = source.next_batch(rows)?;
                Ok(own.into_iter().map(|example| MultiPlan::Task(part, example)).collect())
            }
            (None, Some((source, rows, _))) => {
                Ok(source.next_batch(*rows)?.into_iter().map(MultiPlan::Text).collect())
            }
            (None, None) => Err(Error::Input("there are no tasks to learn".to_owned())),
        }
    }

    fn realize(&self, plans: &[MultiPlan]) -> Result<Vec<MultiExample>> {
        let mut examples = Vec::with_capacity(plans.len());
        for plan in plans {
            match plan {
                MultiPlan::Task(task, example) => {
                    let own = self.tasks[*task].0.realize(&[*example])?;
                    examples.extend(own.into_iter().map(|example| MultiExample::Task(*task, example)));
                }
                MultiPlan::Text(plan) => {
                    if let Some((source, ..)) = &self.text {
                        let own = source.realize(std::slice::from_ref(plan))?;
                        examples.extend(own.into_iter().map(MultiExample::Text));
                    }
                }
            }
        }
        Ok(examples)
    }

    /// The average over the tasks.
    fn epoch(&self) -> f64 {
        self.tasks.iter().map(|(source, _)| source.epoch()).sum::<f64>() / self.tasks.len().max(1) as f64
    }

    fn position(&self) -> Value {
        json!({
            "batches": self.batches,
            "tasks": self.tasks.iter().map(|(source, _)| source.position()).collect::<Vec<_>>(),
            "text": self.text.as_ref().map(|(source, ..)| source.position()),
        })
    }

    fn seek(&mut self, position: &Value) -> Result<()> {
        let wrong = || Error::Input(format!("{position} is not a position in several tasks"));
        self.batches = position["batches"].as_u64().ok_or_else(wrong)?;
        for (i, (source, _)) in self.tasks.iter_mut().enumerate() {
            source.seek(&position["tasks"][i])?;
        }
        if let Some((source, ..)) = &mut self.text {
            source.seek(&position["text"])?;
        }
        Ok(())
    }
}
