//! Progress and messages of pretraining.

use std::path::Path;

use albert::error::count;
use albert::training::corpus::CacheSummary;
use albert::training::distillation::{Distillation, Signal};
use albert::training::{PretrainObserver, PretrainPhase, PretrainPlan, TrainObserver};

use super::corpus_report;
use super::progress::TrainingProgress;

impl PretrainObserver for TrainingProgress<'_> {
    fn tokenizer_training_started(&mut self) {
        self.noted("training a tokenizer on the corpus (--tokenizer selects an existing one)");
    }

    fn progressed(&mut self, phase: PretrainPhase, done: u64, total: u64) {
        if self.phase != Some(phase) {
            self.bar.finish_and_clear();
            self.phase = Some(phase);
            self.bar = match phase {
                PretrainPhase::Reading => self.reporter.bytes_bar("reading"),
                PretrainPhase::Fitting => self.reporter.steps_bar("fitting"),
                PretrainPhase::Tokenizing => self.reporter.bytes_bar("tokenizing"),
            };
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    fn phases_ended(&mut self) {
        self.bar.finish_and_clear();
        self.phase = None;
    }

    fn corpus_read(&mut self, summary: &CacheSummary) {
        corpus_report::warn(&summary.report, self.reporter);
        self.noted(&format!(
            "corpus: {}, {}, {}",
            count(summary.documents, "document"),
            count(summary.sentences, "sentence"),
            count(summary.tokens, "token")
        ));
    }

    fn teacher_loaded(&mut self, objective: &Distillation, student: usize) {
        let teacher = &objective.teacher;
        self.noted(&format!(
            "teacher: {}, {} parameters; {} with weight {}",
            teacher.name,
            teacher.parameters(),
            objective.signal.name(),
            objective.weight,
        ));
        let size = teacher.config.hidden_size;
        if objective.signal == Signal::Vectors && student != size {
            self.noted(&format!(
                "the teacher's hidden size is {size} and the student's {student}: only similarities are compared"
            ));
        }
    }

    fn planned(&mut self, plan: &PretrainPlan) {
        let config = &plan.config;
        self.noted(&format!(
            "model: {} parameters; hidden {}, layers {}, groups {}; dropout: hidden {}, attention {}, classifier {}",
            plan.parameters,
            config.hidden_size,
            config.num_hidden_layers,
            config.num_hidden_groups,
            config.hidden_dropout_prob,
            config.attention_probs_dropout_prob,
            config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob),
        ));
        self.noted(&format!(
            "memory, about: {} MB for weights and optimizer, {} MB on {}",
            plan.needs.host_bytes >> 20,
            plan.needs.device_bytes >> 20,
            plan.devices.join(" and on "),
        ));
        self.noted(&format!(
            "{} of {} of up to {}, about {:.1} passes over {}; {:?}, rate {:.3e}, {} of warm-up",
            count(plan.schedule.total_steps, "step"),
            count(plan.batch_size, "row"),
            count(plan.row_length, "token"),
            plan.epochs(),
            count(plan.tokens, "token"),
            plan.optimizer.kind,
            plan.schedule.peak,
            count(plan.schedule.warmup_steps, "step"),
        ));
    }

    fn wrote_model(&mut self, output: &Path) {
        self.report_output(output);
    }
}
