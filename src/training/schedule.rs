//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// The length of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Duration {
    /// Passes over the training data.
    Epochs(f64),
    /// Steps of the optimizer.
    Steps(u64),
}

/// Decay after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// Linear decay to zero (google-research/albert: polynomial of power 1).
    Linear,
    /// `(1 - progress) ^ power`.
    Polynomial(f64),
    /// Half a cosine wave down to zero.
    Cosine,
    /// No decay.
    Constant,
}

/// A linear warm-up to the peak rate, then a decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The peak learning rate.
    pub peak: f64,
    /// Steps until the peak is reached.
    pub warmup_steps: u64,
    /// Total steps of the run.
    pub total_steps: u64,
    /// Decay after the warm-up.
    pub decay: Decay,
}

impl Schedule {
    /// The learning rate of step `step`, counted from 0. The rate is never zero: it is `peak / warmup_steps` in the first
    /// step, and still above the end of the decay in the last one.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let whole = self.total_steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let progress = ((step - self.warmup_steps) as f64 / whole).min(1.0);
        let left = match self.decay {
            Decay::Linear => 1.0 - progress,
            Decay::Polynomial(power) => (1.0 - progress).powf(power),
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Decay::Constant => 1.0,
        };
        self.peak * left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(decay: Decay) -> Vec<f64> {
        let schedule = Schedule { peak: 1.0, warmup_steps: 4, total_steps: 12, decay };
        (0..14).map(|step| schedule.rate(step)).collect()
    }

    #[test]
    fn warm_up_peak_and_end() {
        for decay in [Decay::Linear, Decay::Polynomial(2.0), Decay::Cosine] {
            let rates = rates(decay);
            assert_eq!(&rates[..4], &[0.25, 0.5, 0.75, 1.0]);
            assert_eq!(rates[4], 1.0);
            assert!(rates[4..12].windows(2).all(|pair| pair[1] < pair[0]), "{rates:?}");
            assert!(rates[11] > 0.0 && rates[12] < 1e-12 && rates[13] < 1e-12, "{rates:?}");
        }
        assert!(rates(Decay::Constant)[4..].iter().all(|rate| *rate == 1.0));
        assert_eq!(rates(Decay::Polynomial(2.0))[8], 0.25);
        assert_eq!(rates(Decay::Linear)[8], 0.5);
        assert!((rates(Decay::Cosine)[8] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn no_warm_up_and_no_steps_are_possible() {
        let schedule = Schedule { peak: 3.0, warmup_steps: 0, total_steps: 0, decay: Decay::Linear };
        assert_eq!(schedule.rate(0), 3.0);
    }
}
