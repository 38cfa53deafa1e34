//! The losses of several tasks that share an encoder.

use burn::tensor::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::model::Albert;
use crate::training::finetune::{FineTuning, TrainingExample};
use crate::training::instances::Instance;
use crate::training::objective::{Loss, Objective};
use crate::training::pretraining::Pretraining;

/// An example of a task, or a row of text.
#[derive(Clone, Debug)]
pub enum MultiExample {
    /// An example of the task with this index.
    Task(usize, TrainingExample),
    /// Masked text.
    Text(Instance),
}

/// A task.
#[derive(Clone, Debug)]
pub struct TaskPart {
    /// Its loss.
    pub objective: FineTuning,
    /// The weight of this loss.
    pub weight: f64,
}

/// The sum of the losses of all tasks with examples in a batch, each divided by its own count.
pub struct MultiTask {
    /// The tasks.
    pub tasks: Vec<TaskPart>,
    /// The loss of text and its weight.
    pub text: Option<(Pretraining, f64)>,
    /// Names of the sums: each task's in order, then those for text.
    pub names: &'static [&'static str],
}

/// The position of a part's sums among all sums.
struct Parts {
    starts: Vec<usize>,
    all: usize,
}

impl MultiTask {
    fn parts(&self) -> Parts {
        let mut starts = Vec::with_capacity(self.tasks.len() + 1);
        let mut all = 0;
        for task in &self.tasks {
            starts.push(all);
            all += task.objective.names().len();
        }
        starts.push(all);
        all += self.text.as_ref().map_or(0, |(text, _)| text.names().len());
        Parts { starts, all }
    }

    /// Splits a batch into the examples of each task and the text.
    fn sorted(&self, examples: &[MultiExample]) -> (Vec<Vec<TrainingExample>>, Vec<Instance>) {
        let mut tasks = vec![Vec::new(); self.tasks.len()];
        let mut text = Vec::new();
        for example in examples {
            match example {
                MultiExample::Task(task, example) => {
                    if let Some(own) = tasks.get_mut(*task) {
                        own.push(example.clone());
                    }
                }
                MultiExample::Text(instance) => text.push(instance.clone()),
            }
        }
        (tasks, text)
    }
}

impl Objective for MultiTask {
    type Example = MultiExample;

    fn names(&self) -> &'static [&'static str] {
        self.names
    }

    fn counts(&self, examples: &[MultiExample]) -> Vec<f64> {
        let (tasks, text) = self.sorted(examples);
        let mut counts = Vec::with_capacity(self.parts().all);
        for (task, own) in self.tasks.iter().zip(&tasks) {
            counts.extend(task.objective.counts(own));
        }
        if let Some((objective, _)) = &self.text {
            counts.extend(objective.counts(&text));
        }
        counts
    }

    fn tokens(&self, example: &MultiExample) -> usize {
        match example {
            MultiExample::Task(_, example) => example.rows.iter().map(|row| row.ids.len()).sum(),
            MultiExample::Text(instance) => instance.ids.len(),
        }
    }

    fn loss(
        &self,
        model: &Albert,
        examples: &[MultiExample],
        totals: &[f64],
        device: &Device,
    ) -> Result<Loss> {
        let parts = self.parts();
        let (tasks, text) = self.sorted(examples);
        let mut total: Option<Tensor<1>> = None;
        let mut sums = Vec::new();
        let mut add = |loss: Loss, weight: f64, sums: &mut Vec<Tensor<1>>| {
            let own = loss.total * weight;
            total = Some(match total.take() {
                Some(total) => total + own,
                None => own,
            });
            sums.push(loss.sums);
        };
        let nothing = |count: usize| Tensor::<1>::zeros([count], (device, DType::F32));
        for (i, (task, own)) in self.tasks.iter().zip(&tasks).enumerate() {
            let (start, end) = (parts.starts[i], parts.starts[i + 1]);
            if own.is_empty() {
                sums.push(nothing(end - start));
            } else {
                let loss = task.objective.loss(model, own, &totals[start..end], device)?;
                add(loss, task.weight, &mut sums);
            }
        }
        if let Some((objective, weight)) = &self.text {
            let start = parts.starts[self.tasks.len()];
            if text.is_empty() {
                sums.push(nothing(parts.all - start));
            } else {
                add(objective.loss(model, &text, &totals[start..], device)?, *weight, &mut sums);
            }
        }
        let total = total.ok_or_else(|| Error::Input("a batch without examples".to_owned()))?;
        Ok(Loss { total, sums: Tensor::cat(sums, 0) })
    }
}
