//! LAMB and AdamW on the host copy of the parameters.
//!
//! ALBERT has few parameters and many activations, so a pass over all parameters on the CPU costs very little. All
//! devices, any number of them, and resumed runs share one bit-exact optimizer.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::parameters::{Parameter, Parameters};

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// LAMB as in google-research/albert (`lamb_optimizer.py`): without bias correction; weight decay and trust ratio for
    /// all parameters except biases and normalizations (You et al. 2020).
    Lamb,
    /// AdamW (Loshchilov and Hutter 2019) as in PyTorch, with bias correction.
    AdamW,
    /// AdamW without bias correction, as in Google's fine-tuning code for BERT and ALBERT (`optimization.py`,
    /// `AdamWeightDecayOptimizer`).
    BertAdam,
}

/// An update rule and its hyperparameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimizer {
    /// The update rule.
    pub kind: OptimizerKind,
    /// Decay rate of the first moment.
    pub beta1: f32,
    /// Decay rate of the second moment.
    pub beta2: f32,
    /// Added to the square root of the second moment.
    pub epsilon: f32,
    /// Weight decay, for all parameters except biases and normalizations.
    pub weight_decay: f32,
}

impl Optimizer {
    /// The published defaults: betas 0.9 and 0.999, weight decay 0.01, epsilon 1e-6 (1e-8 for PyTorch's AdamW).
    pub fn new(kind: OptimizerKind) -> Self {
        let epsilon = if kind == OptimizerKind::AdamW { 1e-8 } else { 1e-6 };
        Self { kind, beta1: 0.9, beta2: 0.999, epsilon, weight_decay: 0.01 }
    }

    /// Updates every parameter with `scale` times `gradients` at learning rate `rate`.
    pub fn step(
        &self,
        parameters: &mut Parameters,
        gradients: &[Vec<f32>],
        scale: f32,
        moments: &mut Moments,
        rate: f64,
    ) {
        moments.steps += 1;
        let steps = moments.steps as i32;
        let correction = match self.kind {
            OptimizerKind::AdamW => {
                let first = 1.0 - f64::from(self.beta1).powi(steps);
                let second = 1.0 - f64::from(self.beta2).powi(steps);
                (first as f32, second.sqrt() as f32)
            }
            OptimizerKind::Lamb | OptimizerKind::BertAdam => (1.0, 1.0),
        };
        let tensors = parameters.tensors_mut().iter_mut().zip(gradients);
        for ((parameter, gradient), (m, v)) in tensors.zip(moments.first.iter_mut().zip(&mut moments.second))
        {
            self.step_one(parameter, gradient, scale, (m, v), correction, rate as f32);
        }
    }

    fn step_one(
        &self,
        parameter: &mut Parameter,
        gradient: &[f32],
        scale: f32,
        (m, v): (&mut [f32], &mut [f32]),
        correction: (f32, f32),
        rate: f32,
    ) {
        if parameter.frozen {
            return;
        }
        let plain = parameter.is_bias_or_norm();
        let decay = if plain { 0.0 } else { self.weight_decay };
        let adapt = self.kind == OptimizerKind::Lamb && !plain;
        let update = |w: f32, m: f32, v: f32| {
            (m / correction.0) / (v.sqrt() / correction.1 + self.epsilon) + decay * w
        };
        // Chunks have a fixed size, so that any number of threads sums the norms in the same order.
        let chunks = parameter
            .values
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK)));
        let norms: Vec<(f64, f64)> = chunks
            .map(|((w, g), (m, v))| {
                let (mut weight_norm, mut update_norm) = (0f64, 0f64);
                for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                    let g = g * scale;
                    *m = self.beta1 * *m + (1.0 - self.beta1) * g;
                    *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
                    let u = update(*w, *m, *v);
                    if adapt {
                        weight_norm += f64::from(*w) * f64::from(*w);
                        update_norm += f64::from(u) * f64::from(u);
                    } else {
                        *w -= rate * u;
                    }
                }
                (weight_norm, update_norm)
            })
            .collect();
        if !adapt {
            return;
        }
        let (weight_norm, update_norm) =
            norms.iter().fold((0.0, 0.0), |(a, b), (weight, update)| (a + weight, b + update));
        let ratio = if weight_norm > 0.0 && update_norm > 0.0 {
            (weight_norm.sqrt() / update_norm.sqrt()) as f32
        } else {
            1.0
        };
        let chunks = parameter.values.par_chunks_mut(CHUNK).zip(m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK)));
        chunks.for_each(|(w, (m, v))| {
            for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
                *w -= ratio * rate * update(*w, *m, *v);
            }
        });
    }
}

const CHUNK: usize = 1 << 14;

/// Optimizer state: both moments of each parameter, in the parameters' order and layout.
#[derive(Clone, Debug)]
pub struct Moments {
    /// The number of updates so far.
    pub steps: u64,
    /// Exponential moving averages of the gradients.
    pub first: Vec<Vec<f32>>,
    /// Exponential moving averages of the squared gradients.
    pub second: Vec<Vec<f32>>,
}

impl Moments {
    /// The initial state: zeros.
    pub fn new(parameters: &Parameters) -> Self {
        Self { steps: 0, first: parameters.zeros(), second: parameters.zeros() }
    }
}

/// The global norm of all gradients, summed in a fixed order.
pub fn global_norm(gradients: &[Vec<f32>]) -> f64 {
    let square = |chunk: &[f32]| chunk.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
    let norm = |gradient: &Vec<f32>| {
        let parts: Vec<f64> = gradient.par_chunks(CHUNK).map(square).collect();
        parts.iter().sum::<f64>()
    };
    gradients.iter().map(norm).sum::<f64>().sqrt()
}
