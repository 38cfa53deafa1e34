//! Statistics of a metric over seeds.

use serde::{Deserialize, Serialize};

/// A metric over several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedStatistics {
    /// Number of runs.
    pub count: usize,
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (with Bessel's correction); 0 for a single run.
    pub deviation: f64,
    /// The lowest.
    pub least: f64,
    /// The highest.
    pub most: f64,
}

impl SeedStatistics {
    /// The statistics of `values`; `None` if there are none.
    pub fn of(metrics: &[f64]) -> Option<Self> {
        let count = metrics.len();
        if count == 0 {
            return None;
        }
        let mean = metrics.iter().sum::<f64>() / count as f64;
        let squares: f64 = metrics.iter().map(|metric| (metric - mean).powi(2)).sum();
        Some(Self {
            count,
            mean,
            deviation: (squares / (count - 1).max(1) as f64).sqrt(),
            least: metrics.iter().copied().fold(f64::INFINITY, f64::min),
            most: metrics.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_numpy() {
        // numpy.mean, numpy.std(ddof=1).
        let spread = SeedStatistics::of(&[0.9, 0.8, 0.85, 0.87]).expect("figures");
        assert!((spread.mean - 0.855).abs() < 1e-12);
        assert!((spread.deviation - 0.042_031_734).abs() < 1e-8, "{}", spread.deviation);
        assert_eq!((spread.least, spread.most, spread.count), (0.8, 0.9, 4));
        assert_eq!(SeedStatistics::of(&[0.5]).map(|s| s.deviation), Some(0.0));
        assert_eq!(SeedStatistics::of(&[]), None);
    }
}
