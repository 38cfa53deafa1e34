//! Checkpoints of a run: everything needed to resume, each in a directory that is a complete model.
//!
//! `OUTPUT/checkpoints/step-N/` holds the model as transformers loads it, `optimizer.safetensors` and
//! `trainer.json`. A directory gets its name only after all of it is on disk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::identity::Identity;
use super::optimizer::Moments;
use super::parameters::Parameters;
use crate::checkpoint::{Architecture, SavedTensor, Tensors, TokenizerFiles, save_model, save_tensors};
use crate::error::{Error, Result};
use crate::io::{StagedDirectory, replace_file};
use crate::model::AlbertConfig;
use crate::tokenizer::Tokenizer;

/// State of a run, apart from its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Version of this format.
    pub version: u32,
    /// Completed steps.
    pub step: u64,
    /// Steps in which the optimizer updated the weights (not skipped for an overflow).
    pub optimizer_steps: u64,
    /// Tokens processed.
    pub tokens: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// The loss scale, if training uses one (f16).
    pub loss_scale: Option<f64>,
    /// Position in the training data.
    pub position: Value,
    /// The options that a resumed run must share with the original one.
    pub options: Value,
    /// The best evaluation so far, if evaluations choose the best checkpoint.
    #[serde(default)]
    pub best: Option<Best>,
}

/// The best evaluation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The step of this evaluation.
    pub step: u64,
    /// The metric that decides; higher is better.
    pub score: f64,
    /// Number of evaluations since then.
    pub evaluations_since: u32,
}

/// The version of `trainer.json` that this program writes.
pub(crate) const STATE_VERSION: u32 = 1;

/// The files that turn a directory of weights into a model.
pub struct ModelFiles<'a> {
    /// The model's configuration.
    pub config: &'a AlbertConfig,
    /// The class to save as.
    pub architecture: Architecture,
    /// The tokenizer's source files, and the tokenizer itself.
    pub tokenizer: (&'a TokenizerFiles, &'a Tokenizer),
}

impl ModelFiles<'_> {
    /// Writes the model into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, folder: &Path, parameters: &Parameters) -> Result<()> {
        save_model(folder, &parameters.saved(), self.config, self.architecture, self.tokenizer)
    }

    /// Writes the model into the directory of a run, each file atomically and the weights last.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_final_model(&self, output: &Path, parameters: &Parameters) -> Result<()> {
        let temporary = tempfile::Builder::new()
            .prefix(".albert-")
            .suffix(".part")
            .tempdir_in(output)
            .map_err(Error::io(output, "create in"))?;
        self.save(temporary.path(), parameters)?;
        let entries = std::fs::read_dir(temporary.path()).map_err(Error::io(output, "read"))?;
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort_by_key(|name| name == WEIGHTS);
        for name in names {
            replace_file(&temporary.path().join(&name), &output.join(&name))?;
        }
        Ok(())
    }
}

/// The checkpoints of a run.
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "trainer.json";

impl Checkpoints {
    /// The checkpoints in `output`, of which the newest `keep` are retained.
    pub fn new(output: &Path, keep: usize) -> Self {
        Self { folder: output.join("checkpoints"), keep: keep.max(1) }
    }

    /// The steps that have a checkpoint, in ascending order.
    pub fn steps(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut steps: Vec<u64> = entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// The directory of the checkpoint of `step`.
    pub fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Saves a checkpoint, then removes the oldest ones beyond the limit. The best one is never removed.
    ///
    /// # Errors
    /// [`Error::Io`]. Earlier checkpoints are then unchanged.
    pub fn save(
        &self,
        state: &TrainerState,
        parameters: &Parameters,
        moments: &Moments,
        model: &ModelFiles,
    ) -> Result<PathBuf> {
        let path = self.path(state.step);
        self.sweep();
        let directory = StagedDirectory::beside(&path)?;
        let folder = directory.path();
        model.save(folder, parameters)?;
        save_tensors(&folder.join(OPTIMIZER), &moments_as_tensors(parameters, moments))?;
        let text = serde_json::to_string_pretty(state)
            .map_err(|e| Error::bad_file(folder.join(STATE), format!("cannot be written: {e}")))?;
        std::fs::write(folder.join(STATE), text).map_err(Error::io(folder.join(STATE), "write"))?;
        if path.exists() {
            // Left over from a run that was later resumed from an earlier step.
            std::fs::remove_dir_all(&path).map_err(Error::io(&path, "replace"))?;
        }
        directory.finish()?;
        let steps = self.steps();
        let best = state.best.as_ref().map(|best| best.step);
        for step in steps.iter().rev().skip(self.keep).filter(|step| Some(**step) != best) {
            // A checkpoint that cannot be removed only takes up space.
            let _kept = std::fs::remove_dir_all(self.path(*step));
        }
        Ok(path)
    }

    /// Removes incomplete checkpoints of a killed run.
    fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(".albert-") && name.ends_with(".part") {
                let _kept = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Reads the newest usable checkpoint into `parameters`. Also returns the problems of newer, unusable ones.
    ///
    /// # Errors
    /// If there is no checkpoint, or none can be read.
    pub fn restore(&self, parameters: &mut Parameters) -> Result<(TrainerState, Moments, Vec<Error>)> {
        let mut problems = Vec::new();
        for step in self.steps().into_iter().rev() {
            match self.read(step, parameters) {
                Ok((state, moments)) => return Ok((state, moments, problems)),
                Err(error) => problems.push(error),
            }
        }
        Err(problems.into_iter().next().unwrap_or_else(|| {
            Error::bad_file(
                &self.folder,
                "holds no checkpoint to resume from; leave option resume out to begin",
            )
        }))
    }

    /// Checks that a run with this identity may resume from a checkpoint with this state: a resumed run equals an
    /// uninterrupted one only if the options are the same.
    ///
    /// # Errors
    /// [`Error::BadFile`] that lists the differences.
    pub(super) fn check_identity(&self, state: &TrainerState, identity: &Identity) -> Result<()> {
        let differing = identity.differences(&state.options);
        if differing.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "was made with different options ({}); resume a run with its original options",
            differing.join("; ")
        );
        Err(Error::bad_file(self.path(state.step), problem))
    }

    /// Checks the identity of a completed run against its newest readable checkpoint, if there is one.
    ///
    /// # Errors
    /// Same as [`Self::check_identity`].
    pub(super) fn check_completed(&self, identity: &Identity) -> Result<()> {
        let newest = self.steps().into_iter().rev().find_map(|step| self.read_state(step).ok());
        newest.map_or(Ok(()), |state| self.check_identity(&state, identity))
    }

    /// Reads the state of one checkpoint without its tensors.
    fn read_state(&self, step: u64) -> Result<TrainerState> {
        let path = self.path(step).join(STATE);
        let text = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        let state: TrainerState = serde_json::from_slice(&text)
            .map_err(|e| Error::bad_file(&path, format!("is not the state of a training run: {e}")))?;
        if state.version != STATE_VERSION {
            let problem = format!("has version {}, this program reads {STATE_VERSION}", state.version);
            return Err(Error::bad_file(&path, problem));
        }
        Ok(state)
    }

    /// Reads one checkpoint into `parameters`.
    ///
    /// # Errors
    /// If the checkpoint is missing, incomplete, or of another model.
    pub fn read(&self, step: u64, parameters: &mut Parameters) -> Result<(TrainerState, Moments)> {
        let state = self.read_state(step)?;
        let folder = self.path(step);
        let weights = Tensors::open_as_stored(&folder.join(WEIGHTS))?;
        let optimizer = Tensors::open_as_stored(&folder.join(OPTIMIZER))?;
        let mut moments = Moments::new(parameters);
        moments.steps = state.optimizer_steps;
        let mut values = Vec::new();
        for (i, parameter) in parameters.tensors().iter().enumerate() {
            let read = |tensors: &Tensors, name: &str| -> Result<Vec<f32>> {
                let read = tensors.read_f32(name)?;
                if read.len() != parameter.values.len() {
                    return Err(Error::Weights {
                        path: folder.clone(),
                        problem: format!(
                            "tensor {name} has {} values, the model {}",
                            read.len(),
                            parameter.values.len()
                        ),
                    });
                }
                Ok(read)
            };
            values.push(parameter.from_stored(read(&weights, &parameter.name)?));
            moments.first[i] = read(&optimizer, &format!("first.{}", parameter.name))?;
            moments.second[i] = read(&optimizer, &format!("second.{}", parameter.name))?;
        }
        for (parameter, values) in parameters.tensors_mut().iter_mut().zip(values) {
            parameter.values = values;
        }
        Ok((state, moments))
    }
}

fn moments_as_tensors<'a>(parameters: &'a Parameters, moments: &'a Moments) -> Vec<SavedTensor<'a>> {
    let named = |prefix: &'static str, all: &'a [Vec<f32>]| {
        parameters.tensors().iter().zip(all).map(move |(parameter, values)| SavedTensor {
            name: format!("{prefix}.{}", parameter.name),
            shape: parameter.shape.clone(),
            transposed: false,
            values: values.as_slice().into(),
        })
    };
    named("first", &moments.first).chain(named("second", &moments.second)).collect()
}
