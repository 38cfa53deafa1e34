//! The runs of [`FineTune`](super::FineTune): one per seed, of which the best is kept.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::objective::FineTuning;
use super::observer::FineTuneObserver;
use super::prepare::PreparedFineTune;
use super::results::{FineTuneResults, SeedResult, copy_model};
use super::run::{DevEvaluation, FineTuneRun};
use super::seed_statistics::SeedStatistics;
use crate::checkpoint::TokenizerFiles;
use crate::device;
use crate::error::Result;
use crate::io::create_directory;
use crate::tasks::null_threshold;
use crate::training::log::LoggedRun;
use crate::training::trainer::StartOnly;
use crate::training::{Checkpoints, Evaluation, StopReason};

impl PreparedFineTune<'_> {
    /// Trains once per seed and keeps the best model. Returns `None` if `stop` was set in the meantime: a checkpoint is
    /// then saved, and the run can be resumed. The output directory receives the model, its checkpoints, logs and
    /// `results.json`.
    ///
    /// # Errors
    /// [`crate::Error::Training`] if the loss becomes NaN or infinite; errors of the checkpoint, the devices, the data and
    /// the files. Existing checkpoints are kept.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        observer: &mut dyn FineTuneObserver,
    ) -> Result<Option<FineTuneResults>> {
        let is_main_process = self.world.is_main_process();
        let mut follower;
        let observer: &mut dyn FineTuneObserver = if is_main_process {
            observer
        } else {
            follower = StartOnly(observer);
            &mut follower
        };
        let seeds = self.options.seeds.clone();
        let mut runs: Vec<SeedResult> = Vec::new();
        for seed in seeds.iter().copied() {
            let folder = self.folder(seed);
            if let Some(done) = self.options.resume.then(|| FineTuneResults::of_run(&folder)).flatten() {
                let options = self.plan.options(&self.options, &folder, seed, self.prepared.data());
                Checkpoints::new(&folder, 1).check_completed(&options.identity)?;
                observer.seed_is_complete(seed);
                runs.push(done);
                continue;
            }
            observer.seed_started(seed, seeds.len());
            match self.run_seed(seed, &folder, stop, observer)? {
                Some(result) => runs.push(result),
                None => return Ok(None),
            }
        }
        let better = |a: &SeedResult, b: &SeedResult| self.plan.is_better(a.metric, b.metric);
        let best = runs.iter().reduce(|best, other| if better(other, best) { other } else { best });
        let best_seed = best.map_or(seeds[0], |best| best.seed);
        let metrics: Vec<f64> = runs.iter().filter_map(|result| result.metric).collect();
        let spread = SeedStatistics::of(&metrics).filter(|_| runs.len() > 1);
        let results = FineTuneResults { metric: self.plan.metric.clone(), best_seed, runs, spread };
        let output = &self.options.output;
        if is_main_process && seeds.len() > 1 {
            observer.seeds_compared(results.spread.as_ref(), best_seed, &self.plan);
            copy_model(&self.folder(best_seed), output)?;
            results.write(output)?;
        }
        observer.wrote_model(output);
        Ok(Some(results))
    }

    /// The directory of a seed's run.
    fn folder(&self, seed: u64) -> PathBuf {
        match self.options.seeds.len() {
            1 => self.options.output.clone(),
            _ => self.options.output.join("seeds").join(seed.to_string()),
        }
    }

    /// Runs one seed. Returns `None` if interrupted.
    fn run_seed(
        &mut self,
        seed: u64,
        folder: &Path,
        stop: &AtomicBool,
        observer: &mut dyn FineTuneObserver,
    ) -> Result<Option<SeedResult>> {
        let is_main_process = self.world.is_main_process();
        create_directory(folder)?;
        let (plan, prepared) = (&self.plan, &mut self.prepared);
        let tokenizer = self.checkpoint.tokenizer()?;
        let files = TokenizerFiles::of(&self.checkpoint);
        let devices: Vec<Device> = self.devices.iter().map(|open| open.device.clone()).collect();
        let objective = FineTuning {
            loss: prepared.loss,
            label_weights: prepared.label_weights.clone(),
            padding: plan.padding,
        };
        let run = FineTuneRun {
            checkpoint: &self.checkpoint,
            config: &prepared.config,
            head: prepared.head,
            architecture: prepared.architecture,
            tokenizer: (&files, &tokenizer),
            examples: &prepared.examples,
            objective: &objective,
            devices: &devices,
            matmul_precision: device::common_matmul_precision(&self.devices),
            micro_batch: plan.micro_batch,
            gradient_checkpointing: self.options.gradient_checkpointing,
            order: self.options.order,
            frozen: self.options.freeze,
            communicator: self.world,
        };
        let resume = self.options.resume && !Checkpoints::new(folder, 1).steps().is_empty();
        let options = plan.options(&self.options, folder, seed, prepared.data());
        let mut dev_evaluation = prepared.evaluation.as_deref_mut().map(|task| DevEvaluation {
            task,
            metric: &plan.metric,
            lower_is_better: plan.lower_is_better,
            batch_tokens: plan.batch_tokens,
        });
        let evaluation = dev_evaluation.as_mut().map(|dev_evaluation| dev_evaluation as &mut dyn Evaluation);
        let mut logged = LoggedRun::new(is_main_process.then_some(folder), plan.panels(), &mut *observer);
        let tuned = run.run(options, evaluation, resume, stop, &mut logged)?;
        if tuned.ending == StopReason::Interrupted {
            return Ok(None);
        }
        let report = match (dev_evaluation, &tuned.model) {
            (Some(mut dev_evaluation), Some(model)) if is_main_process => Some(dev_evaluation.report(model)?),
            _ => None,
        };
        if let Some(report) = &report {
            observer.dev_evaluated(report, plan);
            // Stores a setting that the model needs to give the same answers later.
            if let Some(threshold) = report.metric("best_f1_threshold") {
                let mut config = prepared.config.clone();
                null_threshold::set(&mut config, threshold);
                run.write_final_model(folder, &config, &tuned.parameters)?;
                observer.threshold_stored(threshold);
            }
        }
        let result = SeedResult {
            seed,
            step: tuned.best.as_ref().map_or(plan.schedule.total_steps, |best| best.step),
            metric: report.as_ref().and_then(|report| report.metric(&plan.metric)),
            dev: report.map(|report| report.metrics_json()).unwrap_or_default(),
        };
        if is_main_process {
            FineTuneResults::single(&plan.metric, &result).write(folder)?;
        }
        Ok(Some(result))
    }
}
